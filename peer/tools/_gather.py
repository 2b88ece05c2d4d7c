"""``python -m peer gather``: what the well-known page "Trickle ICE" shows, in a terminal.

Text is for people. With --json there is a recording (see _entries.py), so ``python -m peer timeline`` can draw it; its
last entry is the verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from peer._configuration import configuration
from peer._connection import RTCPeerConnection
from peer._ctrl_c import STATUS, leave
from peer._errors import DOMException
from peer._timing import Timing

from ._entries import Entry
from ._lanes import kind
from ._recording import now, record
from ._servers import Asked, asked, connections, ice_server, peer
from ._terminal import Terminal
from ._text import painted, printable
from ._verdict import Verdict, verdict, waiting

_DESCRIPTION = """\
Ask STUN and TURN servers for ICE candidates, and show each candidate the moment it is found, as the page "Trickle ICE"
does in a browser. At the end, a verdict says of each server whether it answered, and after how long."""
_EPILOG = """\
A ":" in a user's name is written %3A, and a "%" in a name or a password %25. A TURN server that is given several
times, with several users, is asked for each of them; what belongs to the second is marked "(user 2)", and so on.

exit status:
  0    all servers are fine, and there is a candidate
  1    a server is not, or there is no candidate, or the output cannot be written
  2    the command line is wrong
  130  Ctrl-C"""
_COLUMNS = "{:>7}  {:<5}  {:<8}  {:<21}  {:>5}  {:>10}  {}"
_MEMBERS = ("type", "protocol", "address", "port", "priority", "url")


def add_to(commands: Any) -> None:
    """Add this command to those of an argparse parser."""
    parser = commands.add_parser(
        "gather",
        help="ask ICE servers for candidates",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="URL",
        help="stun:host[:port] or turn:user:password@host[:port][?transport=tcp] or turns:...; can be repeated",
    )
    parser.add_argument("--relay-only", action="store_true", help="gather no candidates but those of TURN servers")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=Timing.servers,
        metavar="SECONDS",
        help="what a server has to answer in (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object on each line, for programs")
    parser.set_defaults(run=partial(_run, parser))


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    policy = "relay" if options.relay_only else "all"
    try:
        given = [ice_server(word) for word in options.server]
        # Those behind the first one have TURN servers only, and the others' candidates are known.
        wanted = [
            {"iceServers": its, "iceTransportPolicy": "relay" if number else policy}
            for number, its in enumerate(connections(given))
        ]
        for each in wanted:
            configuration(each)
    except (DOMException, ValueError) as error:
        parser.error(f"argument --server: {error}")
    servers = asked(given)
    output = _Json() if options.json else _Table(servers)
    try:
        return asyncio.run(_gather(wanted, servers, options.timeout, output))
    except asyncio.CancelledError:
        return STATUS


@contextmanager
def _cancelled_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C cancel the current task, so that it closes what it has opened; a second one ends the process."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def cancel(*_: object) -> None:
        signal.signal(signal.SIGINT, leave)
        loop.call_soon_threadsafe(task.cancel)

    if signal.getsignal(signal.SIGINT) is leave:  # else whoever has started us wants no Ctrl-C
        signal.signal(signal.SIGINT, cancel)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is cancel:
            signal.signal(signal.SIGINT, leave)


async def _gather(wanted: list[Any], servers: list[Asked], timeout: float, output: _Json | _Table) -> int:
    """Gather with each of the configurations *wanted*; returns the exit status."""
    new: asyncio.Queue[Entry] = asyncio.Queue()  # listeners must not write: whether that fails is not for them to know
    pcs: dict[str, RTCPeerConnection] = {}  # by name; grows
    with _cancelled_by_ctrl_c():
        try:
            for number, each in enumerate(wanted):
                pc = pcs[peer(number)] = RTCPeerConnection(each, server_timeout=timeout)
                record(pc, peer(number), new.put_nowait)
                pc.createDataChannel("gather")
                await pc.setLocalDescription()
            entries = await _gathered(pcs, new, output)
            relay_only = wanted[0]["iceTransportPolicy"] == "relay"
            found = verdict(servers, entries, await _times(pcs), relay_only=relay_only)
            entries.append(Entry(time=now(), peer=peer(0), event="verdict", value=asdict(found)))
            output.tell(entries)
            output.judge(found)
            return 0 if found.good else 1
        finally:
            closing = [pc.close() for pc in pcs.values()]
            try:
                output.stop()
            finally:
                for each in closing:
                    await each


async def _gathered(
    pcs: dict[str, RTCPeerConnection], new: asyncio.Queue[Entry], output: _Json | _Table
) -> list[Entry]:
    """What happens until all have gathered."""
    entries: list[Entry] = []
    gathering = len(pcs)
    while gathering:
        try:
            async with asyncio.timeout(0.2):
                entries.append(await new.get())
        except TimeoutError:
            output.wait(entries, await _times(pcs))
        else:
            output.tell(entries)
            gathering -= entries[-1]["event"] == "icecandidate" and entries[-1]["value"] is None
    return entries


async def _times(pcs: dict[str, RTCPeerConnection]) -> dict[Asked, float]:
    """How many ms servers took to tell an address."""
    return {
        Asked(name, url): seconds * 1000
        for name, pc in pcs.items()
        for entry in (await pc.getStats()).values()
        if entry.type == "transport"
        for url, seconds in entry.server_times.items()
    }


class _Json:
    """Output for programs: a recording."""

    def __init__(self) -> None:
        self._terminal = Terminal()

    def tell(self, entries: list[Entry]) -> None:
        self._terminal.line(json.dumps(entries[-1]))

    def wait(self, entries: list[Entry], times: Mapping[Asked, float]) -> None:
        pass

    def judge(self, found: Verdict) -> None:
        pass

    def stop(self) -> None:
        pass


class _Table:
    """Output for people: a line for each candidate and each error of the *servers*, and the verdict in words."""

    def __init__(self, servers: list[Asked]) -> None:
        self._servers = servers
        self._terminal = Terminal()
        self._clock = 0.0  # of the running loop, when it was first looked at
        self._terminal.line(_COLUMNS.format("ms", *_MEMBERS))

    def tell(self, entries: list[Entry]) -> None:
        entry = entries[-1]
        if entry["event"] in ("icecandidate", "icecandidateerror"):
            words = _row(entry, entry["time"] - entries[0]["time"])
            if entry["peer"] != peer(0):
                words += f" ({entry['peer']})"
            self._terminal.line(painted(printable(words), kind(entry), self._terminal.colours))

    def wait(self, entries: list[Entry], times: Mapping[Asked, float]) -> None:
        clock = asyncio.get_running_loop().time()
        self._clock = self._clock or clock
        names = ", ".join(waiting(self._servers, entries, times)) or "the end"
        self._terminal.progress(f"{clock - self._clock:5.1f} s  waiting for {printable(names)}")

    def judge(self, found: Verdict) -> None:
        self._terminal.line()
        for sentence, its_kind in _sentences(found):
            self._terminal.line(painted(printable(sentence), its_kind, self._terminal.colours))

    def stop(self) -> None:
        self._terminal.clear()


def _row(entry: Entry, ms: float) -> str:
    match entry["event"], entry["value"]:
        case "icecandidateerror", error:
            asked_from = f" (asked from {error['address']})" if error["address"] else ""
            words = f"error  {error['errorCode']}  {error['errorText']}  {error['url']}{asked_from}"
        case _, None:
            words = "null   gathering is complete"
        case _, {"candidate": ""}:
            words = 'end    the marker ""'
        case _, candidate:
            return _COLUMNS.format(f"{ms:.1f}", *(candidate.get(name, "") for name in _MEMBERS)).rstrip()
    return f"{ms:>7.1f}  {words}"


def _sentences(found: Verdict) -> Iterator[tuple[str, str]]:
    """The verdict, sentence by sentence, each with its kind, for a colour."""
    for server in found.servers:
        yield _judged(server.good, f"{server.name}  {server.sentence}")
    for type, reason in found.missing.items():
        yield f"-    no {type} candidate: {reason}", "idle"
    counts = ", ".join(f"{count} {type}" for type, count in found.candidates.items()) or "none"
    good = sum(server.good for server in found.servers)
    yield _judged(found.good, f"candidates: {counts}; servers that are fine: {good} of {len(found.servers)}")


def _judged(good: bool, sentence: str) -> tuple[str, str]:
    return (f"ok   {sentence}", "good") if good else (f"BAD  {sentence}", "bad")
