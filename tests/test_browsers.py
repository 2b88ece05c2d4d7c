"""The harness that drives browsers, and the look at what tests leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from peer.testing import Browser, Page, PageError

pytest_plugins = ["pytester"]

HOST_CANDIDATES = """
    const pc = new RTCPeerConnection();
    pc.createDataChannel("x");
    const found = [];
    const done = new Promise((resolve) => {
        pc.onicecandidate = ({candidate}) => candidate ? found.push(candidate) : resolve();
    });
    await pc.setLocalDescription();
    await done;
    return found.filter((c) => c.type === "host").map((c) => c.address);
"""

PEER = """
    state.pc = new RTCPeerConnection();
    const channel = state.pc.createDataChannel("chat", {negotiated: true, id: 0});
    channel.onopen = () => channel.send("hello");
    channel.onmessage = ({data}) => send(data);
"""

TWO_PEERS = """
    const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
    a.onicecandidate = ({candidate}) => b.addIceCandidate(candidate);
    b.onicecandidate = ({candidate}) => a.addIceCandidate(candidate);
    b.ondatachannel = ({channel}) => { channel.onmessage = ({data}) => send(data); };
    const channel = a.createDataChannel("x");
    const opened = new Promise((resolve) => { channel.onopen = resolve; });
    await a.setLocalDescription();
    await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription();
    await a.setRemoteDescription(b.localDescription);
    await opened;
    channel.send("hello");
    return channel.readyState;
"""


async def described(page: Page) -> Any:
    """Let the connection in *page* describe itself; return the description, with all candidates."""
    return await page.evaluate("""
        await state.pc.setLocalDescription();
        while (state.pc.iceGatheringState !== "complete") {
            await new Promise((resolve) => { state.pc.onicegatheringstatechange = resolve; });
        }
        return state.pc.localDescription;
    """)


async def test_evaluate_returns_json(page: Page) -> None:
    value = {"a": [1, 2.5, None, True], "b": "täst"}
    assert await page.evaluate("args[1]", 0, value) == value
    assert await page.evaluate("send()") is None
    assert await page.next_message() is None


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("1 + 1", 2),
        ("1 + 1; ", 2),
        ("{sum: args[0] + args[1]}", {"sum": 7}),
        ("await Promise.resolve(4)", 4),
        ("Promise.resolve(4)", 4),
        ("(async () => 5)()", 5),
        ("x => x + 1", 4),
        ("(x, y) => x * y;", 12),
        ("async (x, y) => { await null; return x - y; }", -1),
        (
            "// a function\n/* of two */ (function f(x, y) { return [y, x, args, typeof state]; })",
            [4, 3, [3, 4], "object"],
        ),
        ("const [x, y] = args; return x ** y", 81),
        ("return args[0] // the first", 3),
        ("", None),
        ("void 0", None),
        ("() => () => 1", None),
        ("window.kept = x => x + 1", None),
        ("(window.kept = x => x + 1)(1)", 2),
    ],
)
async def test_a_script_is_an_expression_or_a_function_or_the_body_of_one(page: Page, script: str, value: Any) -> None:
    assert await page.evaluate(script, 3, 4) == value


@pytest.mark.parametrize(
    ("script", "name", "line"),
    [
        ("throw new RangeError('nope')", "RangeError", "line 1: throw new RangeError('nope')"),
        ("() => {\n  const x = {};\n  x.nope();\n}", "TypeError", "line 3: x.nope();"),
        (
            "const pc = new RTCPeerConnection();\npc.close();\nawait pc.createOffer()",
            "InvalidStateError",
            "line 3: await",
        ),
        ("const ok = 1;\nthis is not JavaScript", "SyntaxError", "line 2: this is not JavaScript"),
        ("ok => {\n  ok +* 2\n}", "SyntaxError", "line 2: ok +* 2"),
        ("const loop = {}; loop.loop = loop; return loop", "TypeError", None),
    ],
)
async def test_an_exception_has_its_name_and_the_line_of_the_script(
    page: Page, script: str, name: str, line: str | None
) -> None:
    with pytest.raises(PageError) as caught:
        await page.evaluate(script)
    assert caught.value.name == name
    assert str(caught.value) == f"{name}: {caught.value.message}"
    assert [note[: len(f"in the script, {line}")] for note in getattr(caught.value, "__notes__", [])] == (
        [f"in the script, {line}"] if line else []
    )


@pytest.mark.parametrize("script", ["1 +", "x => {", "if (1) {\n  send(1);\n", "send(`"])
async def test_a_script_that_ends_too_soon_is_not_blamed_for_what_we_put_behind_it(page: Page, script: str) -> None:
    with pytest.raises(PageError) as caught:
        await page.evaluate(script)
    last = script.strip().splitlines()
    assert (caught.value.name, caught.value.message) == ("SyntaxError", "the script ends too soon")
    assert caught.value.__notes__ == [f"in the script, line {len(last)}: {last[-1].strip()}"]


async def test_what_nobody_caught_in_the_page_is_raised_at_the_end(browser: Browser) -> None:
    async def visit() -> None:
        async with browser.open_page() as page:
            await page.evaluate("setTimeout(() => { throw Error('a handler fell') })")
            await page.evaluate("await new Promise((resolve) => setTimeout(resolve))")

    with pytest.raises(PageError, match=r"Error: a handler fell \(line 1: setTimeout"):
        await visit()


async def test_messages_and_results_come_in_order(page: Page) -> None:
    waiting = asyncio.create_task(
        page.evaluate("send(1); await new Promise((go) => { state.go = go }); send(4); return 5")
    )
    assert await page.next_message() == 1
    assert await page.evaluate("send(2); send(3); state.go(); return 'while the other waits'")
    assert await waiting == 5
    assert [page.messages.get_nowait() for _ in range(3)] == [2, 3, 4]
    with pytest.raises(TimeoutError, match="the page sent nothing"):
        await page.next_message(timeout=0.01)


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_a_page_of_its_own(page: Page, turn: int) -> None:
    script = "const seen = [state.turn, window.turn]; state.turn = window.turn = args[0]; return seen"
    assert await page.evaluate(script, turn) == [None, None]
    assert await page.evaluate(script, 3) == [turn, turn]


async def test_pages_of_one_browser_are_open_at_once_and_talk_to_each_other(browser: Browser, page: Page) -> None:
    async with browser.open_page() as other:
        for each in (page, other):
            await each.evaluate(PEER)
        for sender, receiver in ((page, other), (other, page)):
            await receiver.evaluate(
                "(description) => state.pc.setRemoteDescription(description)", await described(sender)
            )
        for each in (page, other):
            assert await each.next_message() == "hello"


async def test_pages_are_opened_at_once_and_closed_in_any_order(browser: Browser) -> None:
    async with contextlib.AsyncExitStack() as stack:
        pages = [browser.open_page() for _ in range(3)]
        first, second, third = await asyncio.gather(*(page.__aenter__() for page in pages))
        assert len({await page.evaluate("window.id ??= Math.random()") for page in (first, second, third)}) == 3
        await pages[0].__aexit__(None, None, None)
        async with browser.open_page() as fourth:
            assert await fourth.evaluate("window.id") is None
            await pages[2].__aexit__(None, None, None)
            await pages[1].__aexit__(None, None, None)
            async with browser.open_page() as fifth:
                assert await fifth.evaluate("window.id ??= 5") == 5
            assert await fourth.evaluate("1") == 1
        stack.pop_all()


async def test_what_a_page_asks_its_own_server_for_is_not_there_and_it_waits_for_nothing(browser: Browser) -> None:
    async with browser.open_page() as page:
        assert await page.evaluate("(await fetch(new URL('nothing.js', parent.location))).status") == 404


@pytest.mark.parametrize("steps", range(4))  # of the event loop, in which it accepts the connection, or has not yet
async def test_one_who_comes_when_the_last_page_closes_does_no_harm(browser: Browser, steps: int) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with browser.open_page():
        assert browser.listener
        with socket.socket(fileno=os.dup(browser.listener)) as listener:
            late = socket.create_connection(listener.getsockname())
        for _ in range(steps):
            await asyncio.sleep(0)
    late.close()
    assert complaints == []


async def test_fake_media_is_live(page: Page) -> None:
    script = """
        const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
        return stream.getTracks().map(({kind, readyState}) => [kind, readyState]).sort();
    """
    assert await page.evaluate(script) == [["audio", "live"], ["video", "live"]]


async def test_two_peers_in_the_page_connect(page: Page) -> None:
    assert await page.evaluate(TWO_PEERS) == "open"
    assert await page.next_message() == "hello"


async def test_host_candidates_carry_addresses(page: Page) -> None:
    addresses = await page.evaluate(HOST_CANDIDATES)
    assert addresses
    assert all(ip_address(address.strip("[]")) for address in addresses)  # Chromium adds brackets


@pytest.mark.browser(mdns=True)
async def test_host_candidates_can_hide_addresses(page: Page) -> None:
    addresses = await page.evaluate(HOST_CANDIDATES)
    assert addresses
    assert all(address.endswith(".local") for address in addresses)
    script = "return (await navigator.mediaDevices.getUserMedia({audio: true})).active"
    assert await page.evaluate(script)  # last: who may listen may also see addresses


async def test_a_browser_that_dies_is_missed_and_starts_again(browser: Browser) -> None:
    mortal = Browser(browser.name)
    try:
        async with mortal.open_page() as page:
            waiting = asyncio.create_task(page.evaluate("send(1); await new Promise(() => {})"))
            assert await page.next_message() == 1
            assert mortal.process
            directory = mortal.process.directory
            os.killpg(mortal.process.pid, signal.SIGKILL)
            with pytest.raises(PageError, match="Its last words"):
                await waiting
            with pytest.raises(PageError, match="the page closed"):
                await page.next_message()
        async with mortal.open_page() as page:
            assert not directory.exists()
            assert await page.evaluate("return 1") == 1
            assert mortal.process
            directory = mortal.process.directory
    finally:
        mortal.stop()
    assert not directory.exists()


@pytest.fixture
def inner(pytester: pytest.Pytester, pytestconfig: pytest.Config) -> pytest.Pytester:
    """A project like this one, for tests that have to fail."""
    folder = pytester.mkdir("tests")
    for name in ("commands.py", "conftest.py", "internet.py", "networks.py", "servers.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    shutil.copy(pytestconfig.rootpath / "pyproject.toml", pytester.path)
    return pytester


def test_what_a_test_leaves_behind_is_its_failure(inner: pytest.Pytester) -> None:
    source = """
        import asyncio, socket, threading
        kept = []
        release = threading.Event()

        def fall(): asyncio.get_running_loop().call_soon(lambda: 1 / 0)

        async def test_task(): kept.append(asyncio.create_task(asyncio.sleep(60), name="lazy"))
        async def test_thread(): threading.Thread(target=release.wait, name="idle").start()
        async def test_socket(): kept.append(socket.create_server(("127.0.0.1", 0)))
        async def test_transport():
            await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        async def test_report(): fall(); await asyncio.sleep(0)
        async def test_unheeded(): asyncio.create_task(asyncio.sleep("?")); await asyncio.sleep(0)
        async def test_unawaited(): asyncio.sleep(0)
        async def test_expected(loop_errors):
            fall(); await asyncio.sleep(0)
            assert isinstance(loop_errors.pop()["exception"], ZeroDivisionError)
        async def test_executor(): await asyncio.to_thread(int)
        def test_nothing(): release.set(); kept[1].close()
    """
    inner.makepyfile(**{"tests/test_it": source})
    result = inner.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=10, errors=7)
    left = ["pending*lazy", "thread*idle", "open*socket", "unclosed transport", "ZeroDivisionError"]
    for what in [*left, "never retrieved", "never awaited"]:
        result.stdout.fnmatch_lines([f"*{what}*"])
