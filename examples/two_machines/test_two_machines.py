"""Two programs, on two hosts that are network namespaces with a virtual cable between them."""

import contextlib
import signal

import pytest

from examples.served import Served, refusal, running, starting


async def call(url, *arguments, inside=()):
    """Call who listens; return the status, the lines, and the complaints."""
    async with starting("two_machines", url, *arguments, inside=inside) as process:
        output, complaints = await process.communicate()
    return process.returncode, output.decode().splitlines(), complaints.decode()


@pytest.mark.parametrize("subnet", ["10.0.1.{}/24", "fd00:1::{}/64"], ids=["IPv4", "IPv6"])
async def test_two_hosts(network, subnet):
    network.link("one", subnet)
    addresses = [subnet.format(number).split("/")[0] for number in (1, 2)]
    async with running("two_machines", None, "--host", addresses[1], inside=network.inside("b")) as listener:
        for _ in range(2):
            status, lines, complaints = await call(f"{listener.url}signaling", inside=network.inside("a"))
            assert (status, complaints) == (0, "")
            assert lines[:2] == ["connecting", "connected"]
            assert lines[2].startswith(f"{addresses[0]} (host) to ")
            assert [line.split(" is ")[0] for line in lines[3:-1]] == [f"ping {number}" for number in range(1, 6)]
            assert lines[-1] == "closed"
            await listener.line("closed")


async def test_one_leaves(network):
    network.link("one", "10.0.1.{}/24")
    async with contextlib.AsyncExitStack() as stack:
        listening = running("two_machines", None, "--host", "10.0.1.2", inside=network.inside("b"))
        async with listening as listener:
            url = f"{listener.url}signaling"
            arguments = ("two_machines", url, "--times", "1000000")
            caller = await stack.enter_async_context(starting(*arguments, inside=network.inside("a")))
            await Served(caller, None).line("ping 1 is back")
        output, complaints = await caller.communicate()
    assert (caller.returncode, complaints.decode()) == (1, f"{url}: the other side has left\n")
    assert output.decode().endswith("closed\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_caller_hangs_up_when_it_is_told_to(number):
    async with (
        running("two_machines") as listener,
        starting("two_machines", f"{listener.url}signaling", "--times", "1000000") as caller,
    ):
        await Served(caller, None).line("ping 1 is back")
        caller.send_signal(number)
        output, complaints = await caller.communicate()
        await listener.line("closed")
    assert (caller.returncode, complaints.decode()) == (0, "")
    assert output.decode().endswith("closed\n")


FAILURES = {
    "bogus": "error: bogus is no URL such as ws://192.168.1.2:8080/signaling",
    "--server bogus": "error: argument --server: 'bogus' is not the URL of a STUN or TURN server",
    "--server turn:x": "error: argument --server: 'turn:x': a TURN server needs a username and a credential",
}


@pytest.mark.parametrize("arguments", FAILURES)
async def test_what_it_cannot_use_is_told_in_a_sentence(arguments):
    assert (await refusal("two_machines", *arguments.split())).endswith(f"{FAILURES[arguments]}\n")


async def test_nobody_listens():
    status, lines, complaints = await call("ws://127.0.0.1:9/signaling")
    assert (status, lines) == (1, [])
    assert complaints.startswith("ws://127.0.0.1:9/signaling: Cannot connect")
