"""Recordings of real connections, and python -m peer timeline, which shows them."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from commands import run, start
from peers import Tone, connect, heard, negotiate, open_peers, reached, trickle, two_channels

from peer.tools import as_svg, parse, record


def events(entries, peer):
    return [entry["event"] for entry in entries if entry["peer"] == peer]


def values(entries, peer, event):
    return [entry["value"] for entry in entries if (entry["peer"], entry["event"]) == (peer, event)]


async def test_a_recording_has_all_that_was_fired():
    entries = []
    async with open_peers(None, None) as (alice, bob):
        record(alice, "alice", entries.append)
        record(bob, "bob", entries.append)
        await connect(alice, bob)
        for peer in (alice, bob):
            await peer.gathering_complete()
            await reached(peer, "connectionState", "connected")
    assert values(entries, "alice", "signalingstatechange") == ["have-local-offer", "stable"]
    assert values(entries, "bob", "signalingstatechange") == ["have-remote-offer", "stable"]
    for peer in ("alice", "bob"):
        assert values(entries, peer, "icegatheringstatechange") == ["gathering", "complete"]
        assert values(entries, peer, "iceconnectionstatechange") == ["checking", "connected"]
        assert values(entries, peer, "connectionstatechange") == ["connecting", "connected"]
        *candidates, marker, null = values(entries, peer, "icecandidate")
        assert (marker["candidate"], null) == ("", None)
        assert {candidate["type"] for candidate in candidates} == {"host"}
        for pair in values(entries, peer, "selectedcandidatepairchange"):
            assert pair["local"]["port"] in [candidate["port"] for candidate in candidates]
            assert pair["remote"]["candidate"].startswith("candidate:")
    assert values(entries, "bob", "datachannel") == values(entries, "bob", "open") == [{"label": "chat"}]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)


async def test_a_recording_has_what_came_of_the_checks_of_pairs():
    entries = []
    async with open_peers(None, None) as (alice, bob):
        record(alice, "alice", entries.append)
        alice.createDataChannel("chat")
        trickle(alice, bob)
        await negotiate(alice, bob)
        await reached(alice, "connectionState", "connected")
    (selected, *_) = values(entries, "alice", "selectedcandidatepairchange")
    pairs = values(entries, "alice", "candidatepair")
    assert {pair["state"] for pair in pairs} <= {"in-progress", "succeeded", "failed"}
    succeeded = [pair for pair in pairs if pair["state"] == "succeeded"]
    places = [(pair["local"]["type"], pair["local"]["port"], pair["remote"]["port"]) for pair in succeeded]
    assert ("host", selected["local"]["port"], selected["remote"]["port"]) in places
    assert len(set(map(str, pairs))) == len(pairs)  # a state is told once


async def test_a_recording_of_a_file_is_what_a_function_gets():
    entries, file = [], io.StringIO()
    async with open_peers(None) as (alice,):
        record(alice, "alice", entries.append)
        note = record(alice, "alice", file)
        alice.createDataChannel("chat")
        await alice.setLocalDescription()
        await alice.gathering_complete()
        note("seen", {"by": "me"})
    *read, last = parse(file.getvalue())
    assert [(entry["event"], entry["value"]) for entry in read] == [(e["event"], e["value"]) for e in entries]
    assert (last["peer"], last["event"], last["value"]) == ("alice", "seen", {"by": "me"})


async def test_a_channel_of_ones_own_is_recorded_by_itself_and_an_error_with_its_reason():
    entries = []
    async with two_channels() as (ours, _, _, bob):
        record(ours, "alice", entries.append)
        ended = heard(ours, "close")
        await bob.close()
        await ended
    error, close = entries
    assert (error["event"], error["value"]["label"]) == ("error", "second")
    assert error["value"]["message"]
    assert (close["event"], close["value"]) == ("close", {"label": "second"})


async def test_a_server_that_fails_and_a_track_are_recorded(silent_server):
    entries = []
    async with open_peers({"iceServers": [{"urls": silent_server}]}, None, servers=0.1) as (alice, bob):
        record(alice, "alice", entries.append)
        record(bob, "bob", entries.append)
        alice.addTrack(Tone())
        await negotiate(alice, bob)
        await alice.gathering_complete()
    (error,) = values(entries, "alice", "icecandidateerror")
    assert (error["url"], error["errorCode"]) == (silent_server, 701)
    assert values(entries, "bob", "track") == [{"kind": "audio"}]


async def test_who_records_a_connection_that_is_there_hears_of_its_next_pair():
    entries = []
    async with open_peers(None, None) as (alice, bob):
        await connect(alice, bob)
        record(alice, "alice", entries.append)
        needed = heard(alice, "negotiationneeded")
        alice.restartIce()
        await needed
        changed = heard(alice.sctp.transport.iceTransport, "selectedcandidatepairchange")
        await negotiate(alice, bob)
        await changed
    assert entries[0]["event"] == "negotiationneeded"
    (pair,) = values(entries, "alice", "selectedcandidatepairchange")
    assert pair["local"]["candidate"] in [
        candidate["candidate"] for candidate in values(entries, "alice", "icecandidate")[:-1]
    ]


# The command

LINES = """\
{"time": 1000, "peer": "alice", "event": "signalingstatechange", "value": "have-local-offer"}
{"time": 1003.5, "peer": "alice", "event": "icecandidate", "value": {"candidate": "candidate:1", "type": "host"}}
"""
OTHER_LINES = '{"time": 1002, "peer": "bob", "event": "offer received"}\n'
TEXT = """\
     0.0  alice  signalling  have-local-offer
     2.0  bob    notes       offer received
     3.5  alice  candidates  host
"""


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    for path, lines in zip(paths, (LINES, OTHER_LINES), strict=True):
        path.write_text(lines)
    return [str(path) for path in paths]


def test_recordings_are_shown_as_one_text(files):
    assert run("timeline", *files) == (0, TEXT, "")
    assert run("timeline", files[0], "-", given=OTHER_LINES) == (0, TEXT, "")


def test_a_recording_whose_last_line_is_cut_off_is_shown_without_it(files):
    complaint = "python -m peer timeline: -: line 2, the last one, is cut off and left out\n"
    assert run("timeline", files[0], "-", given=OTHER_LINES + LINES[:40]) == (0, TEXT, complaint)
    status, output, complaint = run("timeline", "-", given=LINES[:40] + "\n" + OTHER_LINES)
    assert (status, output, complaint) == (1, "", "python -m peer timeline: -: line 1 is not JSON\n")


def test_a_terminal_shows_the_text_in_colours(files):
    ours, its = pty.openpty()
    with start("timeline", *files, stdout=its, environment={"TERM": "xterm", "NO_COLOR": ""}) as process:
        os.close(its)
        with os.fdopen(ours, "rb", buffering=0) as screen:
            assert b"\x1b[34mhost\x1b[0m" in screen.read(4096)
    assert process.returncode == 0


def test_what_the_output_cannot_write_is_escaped():
    lines = '{"time": 0, "peer": "alice", "event": "gr\\u00fc\\u00dfe"}\n'
    with start("timeline", "-", stdin=subprocess.PIPE, environment={"PYTHONIOENCODING": "ascii"}) as process:
        output, complaints = process.communicate(lines, timeout=45)
    assert (output, complaints) == ("     0.0  alice  notes       gr\\xfc\\xdfe\n", "")


def test_one_name_in_two_files_is_two_peers(files):
    _, text, _ = run("timeline", files[0], "-", given=LINES)
    assert [line.split("  signalling")[0].split(maxsplit=1)[1].strip() for line in text.splitlines()[:2]] == [
        f"alice ({files[0]})",
        "alice (-)",
    ]


@pytest.mark.parametrize("name", ["picture.svg", "picture.html"])
def test_a_picture_is_written_to_a_file(files, tmp_path, name):
    path = tmp_path / name
    assert run("timeline", *files, "--output", str(path)) == (0, "", "")
    picture = as_svg(parse(LINES + OTHER_LINES))
    found = path.read_text(encoding="utf-8")
    assert picture in found
    assert found.startswith("<svg " if name.endswith("svg") else "<!doctype html>")
    ElementTree.fromstring(picture)


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["nowhere.jsonl"], 1, "nowhere.jsonl: cannot be read: No such file or directory"),
        (["-"], 1, "-: line 1 is not JSON"),
        ([os.devnull], 1, f"{os.devnull}: nothing was recorded"),
        ([os.devnull, os.devnull, "-o", "picture.svg"], 1, f"{os.devnull}, {os.devnull}: nothing was recorded"),
        ([sys.executable], 1, f"{sys.executable}: this is no text in UTF-8"),
        (["-", "-o", "picture.png"], 2, "picture.png ends neither with .svg nor with .html"),
        ([], 2, "the following arguments are required: FILE"),
    ],
)
def test_what_cannot_be_shown_is_explained(arguments, status, sentence):
    found, output, complaints = run("timeline", *arguments, given="no recording")
    assert (found, output) == (status, "")
    assert sentence in complaints.splitlines()[-1]
    assert "Traceback" not in complaints


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere/picture.svg", "No such file or directory"), ("is.svg", "Is a directory")]
)
def test_a_picture_that_cannot_be_written_is_told_in_a_sentence(files, tmp_path, name, reason):
    (tmp_path / "is.svg").mkdir()
    path = tmp_path / name
    sentence = f"python -m peer timeline: {path}: cannot be written: {reason}\n"
    assert run("timeline", *files, "-o", str(path)) == (1, "", sentence)


@pytest.mark.parametrize("command", ["gather", "timeline"])
def test_help_tells_the_exit_statuses(command):
    status, output, _ = run(command, "--help")
    assert status == 0
    _, statuses = output.split("exit status:\n")
    assert [line.split()[0] for line in statuses.splitlines() if not line.startswith("   ")] == ["0", "1", "2", "130"]


def test_without_a_command_the_commands_are_listed():
    status, _, complaints = run()
    assert status == 2
    assert "COMMAND" in complaints
    status, output, _ = run("--help")
    assert status == 0
    assert {"gather", "timeline"} <= set(output.split())
