"""python -m peer gather: with real servers, with such as say nothing or no, and in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest
from commands import ROOT, run, start
from servers import mapping_server

from peer._aioice import host_addresses


def with_user(url: str, user: str = "user:secret") -> str:
    scheme, _, place = url.partition(":")
    return f"{scheme}:{user}@{place}"


def recorded(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def verdict_in(output: str) -> dict:
    *_, last = recorded(output)
    assert last["event"] == "verdict"
    return last["value"]


def test_without_servers_there_are_the_candidates_of_this_host():
    status, output, complaints = run("gather")
    assert (status, complaints) == (0, "")
    header, *rows, marker, null, empty, no_srflx, no_relay, summary = output.splitlines()
    assert header.split() == ["ms", "type", "protocol", "address", "port", "priority", "url"]
    assert {row.split()[3] for row in rows} == set(host_addresses())
    for row in rows:
        assert re.fullmatch(r" *\d+\.\d  host   (udp|tcp)       \S+ + \d+ +\d+", row)
    assert re.fullmatch(r' *\d+\.\d  end    the marker ""', marker)
    assert re.fullmatch(r" *\d+\.\d  null   gathering is complete", null)
    assert (empty, no_srflx) == ("", "-    no srflx candidate: no STUN server was asked")
    assert no_relay == "-    no relay candidate: no TURN server was asked"
    assert summary == f"ok   candidates: {len(rows)} host; servers that are fine: 0 of 0"
    assert "\x1b" not in output  # colours are for terminals, and so is progress
    assert "\r" not in output


def test_a_real_server_answers_as_stun_and_as_turn(turn):
    stun, udp, tcp = turn["urls"]
    words = [stun, with_user(udp), with_user(tcp)]
    status, output, complaints = run("gather", *(f"--server={word}" for word in words))
    assert (status, complaints) == (0, "")
    assert "secret" not in output
    for url in (udp, tcp):
        assert re.search(rf"(?m)^ *\d+\.\d  relay  udp +127\.0\.0\.1 +\d+ +\d+  {re.escape(url)}$", output)
        assert re.search(rf"(?m)^ok   {re.escape(url)}  answered after \d+ ms: relay$", output)
    known = r"answered after \d+ ms: the address it told is a candidate already"
    assert re.search(rf"(?m)^ok   {re.escape(stun)}  {known}$", output)
    assert "no srflx" not in output
    assert re.search(r"(?m)^ok   candidates: \d+ host, 2 relay; servers that are fine: 3 of 3$", output)


async def test_a_server_tells_an_address_that_this_host_does_not_have():
    async with mapping_server(("203.0.113.5", 40000)) as (url,):
        status, output, _ = await asyncio.to_thread(run, "gather", "--json", "--server", url)
        assert status == 0
    found = verdict_in(output)
    (server,) = found["servers"]
    assert (server["outcome"], server["good"]) == ("candidate", True)
    assert found["candidates"]["srflx"] == len([a for a in host_addresses() if ":" not in a])


def test_relay_only_gathers_nothing_else(turn):
    url = turn["urls"][1]
    status, output, _ = run("gather", "--json", "--relay-only", "--server", with_user(url))
    assert status == 0
    found = verdict_in(output)
    assert (found["candidates"], found["missing"]) == ({"relay": 1}, {})


def test_a_wrong_password_is_told_with_the_code_of_the_server(turn):
    url = turn["urls"][1]
    status, output, complaints = run("gather", "--server", with_user(url, "user:wrong"))
    assert (status, complaints) == (1, "")
    assert re.search(rf"(?m)^ *\d+\.\d  error  401  Unauthorized  {re.escape(url)}", output)
    hint = "401 Unauthorized; are the user name and the password right?"
    assert re.search(rf"(?m)^BAD  {re.escape(url)}  answered after \d+ ms: {re.escape(hint)}$", output)
    assert "-    no relay candidate: no TURN server has given one\n" in output
    assert output.splitlines()[-1].endswith("servers that are fine: 0 of 1")


def test_several_users_of_one_server_are_told_apart(turn):
    url = turn["urls"][1]
    users = with_user(url), with_user(url, "other:secret"), with_user(url, "user2:secret")
    status, output, complaints = run("gather", *(f"--server={word}" for word in users))
    assert (status, complaints) == (1, "")
    assert len(re.findall("  host   udp  ", output)) == len(host_addresses())
    assert re.search(rf"(?m)^ok   {re.escape(url)}  answered after \d+ ms: relay$", output)
    for name in ("user 2", "user 3"):
        assert re.search(rf"(?m)^ *\d+\.\d  error  401  Unauthorized  {re.escape(url)}.* \({name}\)$", output)
        assert re.search(rf"(?m)^BAD  {re.escape(url)} \({name}\)  answered after \d+ ms: 401 Unauthorized;", output)
    assert output.splitlines()[-1].endswith("servers that are fine: 1 of 3")


def test_a_server_that_says_nothing_is_given_up(silent_server):
    status, output, complaints = run("gather", "--timeout", "0.5", "--server", silent_server)
    assert (status, complaints) == (1, "")
    assert re.search(r"(?m)^ *\d+\.\d  error  701  the server did not answer within 0\.5 s  stun:\S+ ", output)
    assert f"BAD  {silent_server}  the server did not answer within 0.5 s\n" in output
    assert "-    no srflx candidate: no STUN server was of use\n" in output


def test_a_server_that_refuses_the_connection_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        place = f"127.0.0.1:{closed.getsockname()[1]}"
    status, output, _ = run("gather", "--json", "--server", f"turn:user:secret@{place}?transport=tcp")
    assert status == 1
    (server,) = verdict_in(output)["servers"]
    assert (server["outcome"], server["errorCode"]) == ("unreachable", 701)
    assert server["url"] == f"turn:{place}?transport=tcp"


def test_the_json_is_a_recording(silent_server):
    status, output, complaints = run("gather", "--json", "--timeout", "0.2", "--server", silent_server)
    assert (status, complaints) == (1, "")
    entries = recorded(output)
    assert {entry["peer"] for entry in entries} == {"gather"}
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    candidate = next(entry["value"] for entry in entries if entry["event"] == "icecandidate")
    assert (candidate["type"], candidate["protocol"]) == ("host", "udp")
    assert candidate["candidate"].startswith("candidate:")
    (error,) = [entry["value"] for entry in entries if entry["event"] == "icecandidateerror"]
    assert (error["url"], error["errorCode"]) == (silent_server, 701)
    status, text, complaints = run("timeline", "-", given=output)
    assert (status, complaints) == (0, "")
    assert f"candidates  701 {silent_server}\n" in text


TIMES = ("0", "-1", "nan", "inf", "soon")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--server", "stun:user:secret@example.org"], "only TURN servers (turn:, turns:) ask for a user"),
        (["--server", "user:secret@example.org"], "only TURN servers (turn:, turns:) ask for a user"),
        (
            ["--server", "turn:example.org"],
            "a TURN server asks for a user and a password: turn:user:password@example.org",
        ),
        (["--server", "turn:secret@example.org"], "a TURN server asks for a password: turn:user:password@example.org"),
        (["--server", "turn:user:secret@exa mple"], "does not name a host"),
        (["--server", "http://example.org"], "is not the URL of a STUN or TURN server"),
        (
            ["--server=turn:user:secret@a.b", "--server=turn:user:secret2@a.b"],
            "turn:a.b is given twice with the same user",
        ),
        *((["--timeout", word], f"--timeout: '{word}' is not a number of seconds above 0") for word in TIMES),
    ],
)
def test_a_wrong_command_line_is_explained_and_repeats_no_password(arguments, sentence):
    status, output, complaints = run("gather", *arguments)
    assert (status, output) == (2, "")
    assert sentence in complaints
    assert "secret" not in complaints


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_leaves_cleanly_also_with_a_relay(silent_server, turn, form):
    with start("gather", "--server", silent_server, "--server", with_user(turn["urls"][2]), *form) as process:
        line = process.stdout.readline()
        while "relay" not in line:
            line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=45)
    assert (process.returncode, complaints) == (130, "")


@pytest.mark.parametrize(
    "module", ["peer._ctrl_c", "aioice.stun", "peer._connection", "argparse", "peer.tools._gather"]
)
def test_ctrl_c_leaves_cleanly_while_modules_are_imported(silent_server, module):
    environment = {"PYTHONPROFILEIMPORTTIME": "1"}
    with start("gather", "--server", silent_server, environment=environment) as process:
        line = process.stderr.readline()
        while line.split()[-1] != module:
            line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=45)
    assert process.returncode == 130
    assert [line for line in complaints.splitlines() if not line.startswith("import time:")] == []


def test_ctrl_c_leaves_cleanly_before_there_is_a_candidate(silent_server):
    with start("gather", "--server", silent_server) as process:
        process.stdout.readline()  # the heading
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=45)
    assert (process.returncode, complaints) == (130, "")


def test_who_is_started_without_ctrl_c_has_none(silent_server):
    ignoring = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    arguments = "gather", "--timeout", "0.5", "--server", silent_server
    with start(*arguments, preexec_fn=ignoring) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=45)
    assert (process.returncode, complaints) == (1, "")


@pytest.mark.parametrize("arguments", [["gather"], ["gather", "--json"], ["gather", "--help"]])
def test_a_disk_that_is_full_is_told_in_a_sentence(arguments):
    with open("/dev/full", "w") as full:  # noqa: SIM117 - the file is closed last
        with start(*arguments, stdout=full, environment={"PYTHONUNBUFFERED": ""}) as process:
            complaints = process.stderr.read()
    sentence = "python -m peer: cannot write to standard output: No space left on device\n"
    assert (process.wait(45), complaints) == (1, sentence)


@pytest.mark.parametrize(
    ("command", "complaints"),
    [
        ("gather >&-", "python -m peer: standard output is closed\n"),
        ("gather --json >&-", "python -m peer: standard output is closed\n"),
        ("timeline nowhere.jsonl 2>&-", ""),
        ("timeline - <&-", "python -m peer timeline: -: standard input is closed\n"),
    ],
)
def test_a_stream_that_is_closed_is_told_in_a_sentence(command, complaints):
    script = f'exec "$0" -W default -m peer {command}'
    done = subprocess.run(["sh", "-c", script, sys.executable], cwd=ROOT, capture_output=True, text=True, timeout=45)
    assert (done.returncode, done.stderr) == (1, complaints)


def test_who_reads_no_further_is_no_reason_to_complain(silent_server):
    with start("gather", "--timeout", "0.5", "--server", silent_server) as process:
        process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
    assert (process.returncode, complaints) == (1, "")


class Screen:
    """A pseudo terminal, and what was written to it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.text = ""

    def read_until(self, pattern: str) -> None:
        while not re.search(pattern, self.text):
            self.text += os.read(self._descriptor, 4096).decode()

    def read_all(self) -> None:
        with contextlib.suppress(OSError):  # so Linux says that nobody can write to it any more
            while more := os.read(self._descriptor, 4096).decode():
                self.text += more


@contextlib.contextmanager
def on_a_terminal(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Screen]]:
    ours, its = pty.openpty()
    try:
        environment = {"TERM": "xterm", "COLUMNS": "200", "NO_COLOR": "", **environment}
        with start(*arguments, stdout=its, environment=environment) as process:
            os.close(its)
            yield process, Screen(ours)
    finally:
        os.close(ours)


def test_a_terminal_shows_colours_and_whom_it_waits_for(silent_server):
    with on_a_terminal("gather", "--timeout", "1", "--server", silent_server) as (process, screen):
        screen.read_until(rf"\d\.\d s  waiting for {silent_server}")
        screen.read_all()
        assert (process.wait(45), process.stderr.read()) == (1, "")
    assert re.search(r"\x1b\[34m *\d+\.\d  host [^\x1b]+\x1b\[0m", screen.text)
    assert re.search(r"\x1b\[31m *\d+\.\d  error  701 [^\x1b]+\x1b\[0m", screen.text)
    shown = re.sub(r"[^\n]*\r\x1b\[K", "", screen.text)  # as it looks in the end
    assert "waiting" not in shown


def test_no_color_takes_the_colours_and_leaves_the_progress(silent_server):
    arguments = "gather", "--timeout", "1", "--server", silent_server
    with on_a_terminal(*arguments, NO_COLOR="1") as (process, screen):
        screen.read_all()
        assert process.wait(45) == 1
    assert "waiting for" in screen.text
    assert "\x1b[3" not in screen.text


def test_a_dumb_terminal_gets_lines_only(silent_server):
    with on_a_terminal("gather", "--timeout", "1", "--server", silent_server, TERM="dumb") as (process, screen):
        screen.read_all()
        assert process.wait(45) == 1
    assert "\x1b" not in screen.text
    assert "waiting" not in screen.text


def test_ctrl_c_takes_the_progress_away(silent_server):
    with on_a_terminal("gather", "--server", silent_server) as (process, screen):
        screen.read_until("waiting for")
        process.send_signal(signal.SIGINT)
        screen.read_all()
        assert (process.wait(45), process.stderr.read()) == (130, "")
    assert screen.text.endswith("\r\x1b[K")
