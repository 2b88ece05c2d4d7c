"""What of a log the W3C fixes: a partial order. Pure functions, from what a player noted to facts that can be compared.

Two logs of one scenario are never equal: sides differ in how many candidates they have, and how the events of two
peers, or of two m-lines, interleave. The W3C fixes the order of some kinds of events and leaves that of others open. In
the words of trace theory: some are dependent, others independent, and two logs mean the same if they are equal when
projected onto each set of kinds that all depend on each other. Such a projection is a *strand* here. Each is one fact,
a text; the kinds that make it up, and why their order is fixed:

    A negotiation      calls with their outcomes, signalingstatechange, removetrack, addtrack, track. The state changes,
                       then tracks leave and join streams and are told, then the promise resolves, in one task
                       (webrtc-pc 4.4.1.5); calls take their turns (4.4.1.2).
    A gathering        setLocalDescription, icegatheringstatechange, the null candidate. Gathering is begun by the
                       description, in a task of its own; null follows the state, in one task (5.6).
    A gathering of 0   the same with the candidates and markers of the first m-line: after "gathering", the marker
                       last, before "complete". Those of two m-lines are independent.
    A ice              iceconnectionstatechange, connectionstatechange: in this order in one task (5.6), or the latter
                       alone, with DTLS.
    A transport 1      gatheringstatechange of the first transport, with the candidates of its m-line; if it is the only
                       one, with icegatheringstatechange, too, which comes after it in one task (5.6).
    A transport 1 ice  selectedcandidatepairchange, statechange; if it is the only one, with those of "A ice" (5.6).
    A errors           icecandidateerror.
    A refused          what addIceCandidate rejected of what trickled in.
    A after close      events after close(). There are none (4.4.2).
    A reads            what the scenario looked at.
    A end              the four states in the end.
    A local 0          the first m-line of the local description in the end; "A remote 0" that of the remote one.

and, in scenarios that ask for them,

    A channels         datachannel, open, message, closing, error, close: a channel is open before it speaks (6.2).
    A negotiationneeded

Independent, hence compared nowhere: A and B; candidates and connectivity; channels and states.

What the W3C leaves to the implementation is taken out first (*normalising*): times are not noted; a run of candidates
of one m-line is one "candidate", whatever their number, types, components, protocols, addresses and ports; a ufrag is
only a generation, the first one unsaid; mids are not said; of the changes of the selected pair only the first counts;
that the gathering state is "new" again, once an offer was taken back, is said by browsers only, some time or other.
What it fixes about a single event is checked, and what is wrong is said in brackets: a candidate must be in the local
description, with the mid, index and ufrag of its m-line, while the state is "gathering", and so on.

Logs of tables (rows of input and outcome) have one fact for each row. Of a log that was given up, only that is a fact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from scenarios import Facts

Entry = dict[str, Any]

_STATES = {
    "signalingstatechange": "signaling",
    "icegatheringstatechange": "gathering",
    "iceconnectionstatechange": "ice",
    "connectionstatechange": "connection",
    "gatheringstatechange": "transport gathering",
    "statechange": "transport",
}
_CHANNEL = ("open", "message", "closing", "error", "close")
_TRACKS = ("removetrack", "addtrack", "track")
_OPTIONAL = {"channels", "negotiationneeded"}
_PARSED = ("foundation", "component", "priority", "address", "protocol", "port", "type", "tcpType")
_PARSED += ("relatedAddress", "relatedPort")
_GIVEN = ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment", "relayProtocol", "url")
# RFC 5245, 15.1, as far as every candidate of a side's own has it.
_CANDIDATE = re.compile(
    r"candidate:[A-Za-z0-9+/]{1,32} \d+ (udp|tcp) \d{1,10} [^ ]+ \d{1,5} typ (host|srflx|prflx|relay)( [^ ]+ [^ ]+)*",
    re.I,
)


def facts(log: Iterable[Entry], also: Collection[str] = ()) -> Facts:
    """What a log says, by the names of the facts. A fact that would be empty is not there.

    *also* names the strands that are wanted beside those that every scenario has: of "channels", "negotiationneeded".
    """
    log = list(log)
    gave_up = [str(entry["value"]) for entry in log if entry["what"] == "gave up"]
    if gave_up:  # what it got done until then says nothing
        return {"gave up": gave_up[0]}
    rows = [entry for entry in log if entry["what"] == "row"]
    found = _rows(rows) if rows else _strands(log)
    for strand in _OPTIONAL - set(also):
        found = {name: text for name, text in found.items() if not name.endswith(f" {strand}")}
    return {name: text for name, text in found.items() if text}


def _rows(rows: Iterable[Entry]) -> Facts:
    found: Facts = {}
    for row in rows:
        name, outcome = row["value"], row["outcome"]
        if isinstance(outcome, str):
            found[name] = outcome
            continue
        text = row["given"][0].get("candidate", "")
        parsed = [outcome[attribute] for attribute in _PARSED]
        found[name] = " ".join("-" if value is None else str(value) for value in parsed)
        given = {member: outcome[member] for member in _GIVEN if outcome[member] is not None}
        found[f"{name}: attributes"] = _members(given, text)
        found[f"{name}: toJSON"] = _members(outcome["toJSON"], text)
    return found


def _members(values: dict[str, Any], text: Any) -> str:
    """The members that tell something, in one order on all sides; *text* is what was given as the candidate."""
    told = {"candidate": "as given"} if values["candidate"] == ("null" if text is None else text) else {}
    values = {name: json.dumps(value) for name, value in sorted(values.items())} | told
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _strands(log: list[Entry]) -> Facts:
    found: Facts = {}
    for peer in ("A", "B"):
        own = [entry for entry in log if entry["who"].partition(".")[0] == peer]
        found |= {f"{peer} {name}": text for name, text in _peer(peer, own).items()}
    return found


@dataclass
class _Label:
    """An entry in a word or two, with what else decides where it belongs."""

    text: str
    who: str
    what: str
    index: int | None = None  # of the m-line


@dataclass
class _Reader:
    """Turns entries into labels, in order: what a ufrag means depends on those before it."""

    ufrags: dict[int, list[str]] = field(default_factory=dict)  # by m-line, in the order of their first candidate

    def label(self, entry: Entry) -> _Label:
        who, what, value = entry["who"], entry["what"], entry["value"]
        if what == "icecandidate":
            return self._candidate(entry)
        if what == "call":
            return _Label(value.removesuffix(" resolved").removesuffix(" returned"), who, what)
        if what in _STATES:
            return _Label(f"{_STATES[what]}: {value}", who, what)
        if what == "shows":
            port, address = _default(_sections(entry["lines"])[0])
            hidden = port == "9" or address in ("0.0.0.0", "::")
            return _Label(f"{value} {'without' if hidden else 'with'} a default candidate", who, what)
        if what == "selectedcandidatepairchange":
            return _Label("pair selected", who, what)
        if what == "icecandidateerror":
            return _Label(f"{value} {re.sub(r'[0-9.]+:[0-9]+', 'host', entry['url'])}", who, what)
        if what == "reads":
            return _Label(value, who, what)
        return _Label(f"{what} {value}".strip(), who, what)

    def _candidate(self, entry: Entry) -> _Label:
        candidate, kind = entry["candidate"], entry["value"]
        state = entry["seen"]["iceGatheringState"]
        if candidate is None:
            return _Label(f"null{_remarks(state != 'complete' and f'while {state}')}", entry["who"], "icecandidate")
        mid, index, ufrag = candidate["sdpMid"], candidate["sdpMLineIndex"], candidate["usernameFragment"]
        sections = _sections(entry["local"])
        section = sections[index] if index is not None and index < len(sections) else []
        known = self.ufrags.setdefault(index, [])
        if ufrag not in known:
            known.append(ufrag)
        generation = f" ({known.index(ufrag) + 1})" if ufrag != known[0] else ""
        remarks = _remarks(
            f"a=mid:{mid}" not in section and "of another m-line",
            f"a=ice-ufrag:{ufrag}" not in section and "of another ufrag",
            state != "gathering" and f"while {state}",
            *_written(kind, candidate["candidate"], section),
        )
        return _Label(kind + generation + remarks, entry["who"], "icecandidate", index)


def _written(kind: str, text: str, section: list[str]) -> Iterable[str | bool]:
    if kind == "end":
        yield "a=end-of-candidates" not in section and "not in the description"
        return
    yield not _CANDIDATE.fullmatch(text) and "malformed"
    known = {_identity(line.removeprefix("a=")) for line in section if line.startswith("a=candidate:")}
    yield _identity(text) not in known and "not in the description"


def _identity(candidate: str) -> tuple[str, ...]:
    """What two texts of one candidate have in common: foundation to type, in any case."""
    return tuple(candidate.lower().split(" ")[:8])


def _remarks(*remarks: str | bool) -> str:
    return "".join(f" [{remark}]" for remark in remarks if remark)


def _peer(peer: str, log: list[Entry]) -> Facts:
    reader = _Reader()
    labels = [label for label in map(reader.label, log) if label.text != "gathering: new"]
    indices = {label.index: None for label in labels if label.index is not None}
    transports = sorted({label.who for label in labels if label.who != peer})  # those to which something happened
    events = [label for label in labels if label.who == peer]

    def strand(*kinds: str) -> str:
        return _joined(label.text for label in events if label.what in kinds)

    def gathering(index: int | None) -> str:
        return _joined(
            label.text
            for label in events
            if label.what == "icegatheringstatechange"
            or label.text == "setLocalDescription"
            or (label.what == "icecandidate" and label.index in (None, index))
        )

    found = {
        "negotiation": strand("call", "signalingstatechange", *_TRACKS),
        "gathering": gathering(None),
        **{f"gathering of {index}": gathering(index) for index in indices},
        "ice": strand("iceconnectionstatechange", "connectionstatechange"),
        "channels": strand("datachannel", *_CHANNEL),
        "errors": strand("icecandidateerror"),
        "negotiationneeded": strand("negotiationneeded"),
        "refused": strand("refused"),
        "reads": strand("reads", "shows"),
        "after close": _after_close(labels),
    }
    for index, who in enumerate(transports):
        own = index if len(transports) <= len(indices) else None  # transports begin in the order of the m-lines
        found |= _transport(who, index + 1, own, labels, only=len(transports) == 1)
    end = log[-1] if log and log[-1]["what"] == "end" else None
    return found | (_end(end) if end else {})


def _transport(who: str, number: int, index: int | None, labels: list[_Label], *, only: bool) -> Facts:
    """The strands of one transport, which is that of the m-line *index*, if that is known."""

    def belongs(label: _Label, own: tuple[str, ...], shared: tuple[str, ...]) -> bool:
        return label.what in own if label.who == who else only and label.what in shared

    gathering = [
        label.text
        for label in labels
        if belongs(label, ("gatheringstatechange",), ("icegatheringstatechange",))
        or (label.index is not None and label.index == index)
    ]
    ice = [
        label.text
        for label in labels
        if belongs(
            label,
            ("selectedcandidatepairchange", "statechange"),
            ("iceconnectionstatechange", "connectionstatechange"),
        )
    ]
    first = ice.index("pair selected") if "pair selected" in ice else 0
    ice = [text for i, text in enumerate(ice) if text != "pair selected" or i == first]
    return {f"transport {number}": _joined(gathering), f"transport {number} ice": _joined(ice)}


def _after_close(labels: list[_Label]) -> str:
    silent = ("call", "reads", "shows", "end", *_CHANNEL)  # the closing of channels is a strand of theirs
    closed = next((i for i, label in enumerate(labels) if label.text == "close" and label.what == "call"), len(labels))
    return _joined(label.text for label in labels[closed:] if label.what not in silent)


def _end(entry: Entry) -> Facts:
    found = {"end": _joined(entry["seen"].values())}
    for index, section in enumerate(_sections(entry["local"])):
        found[f"local {index}"] = _joined([*_offered(entry["local"], section), *_gathered(section)])
    for index, section in enumerate(_sections(entry["remote"])):
        found[f"remote {index}"] = _joined([section[0].removeprefix("m=").split(" ")[0], *_gathered(section)])
    return found


def _offered(lines: list[str], section: list[str]) -> Iterable[str]:
    """What an m-line says of itself, in a few words."""
    kind, port = section[0].removeprefix("m=").split(" ")[:2]
    yield kind
    if kind != "application":
        yield from (line[2:] for line in section if line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive"))
    group = next((line.split(" ")[1:] for line in lines if line.startswith("a=group:BUNDLE")), [])
    if any(line.removeprefix("a=mid:") in group for line in section if line.startswith("a=mid:")):
        yield "bundled"
    if "a=bundle-only" in section:
        yield "bundle-only"
    elif port == "0":
        yield "rejected"
    if any(line.startswith("a=ice-options:") and "trickle" in line for line in (*lines, *section)):
        yield "trickle"


def _gathered(section: list[str]) -> Iterable[str]:
    if any(line.startswith("a=candidate:") for line in section):
        yield "candidates"
    if "a=end-of-candidates" in section:
        yield "ended"


def _default(section: list[str]) -> tuple[str, str]:
    """Port and address in an m-line and its c= line."""
    address = next((line.split(" ")[-1] for line in section if line.startswith("c=")), "")
    return section[0].split(" ")[1], address


def _sections(lines: list[str] | None) -> list[list[str]]:
    sections: list[list[str]] = []
    for line in lines or ():
        if line.startswith("m="):
            sections.append([])
        if sections:
            sections[-1].append(line)
    return sections


def _joined(texts: Iterable[str]) -> str:
    """One text, in which a run of candidates is one."""
    kept: list[str] = []
    for text in texts:
        if not (text.startswith("candidate") and kept and kept[-1] == text):
            kept.append(text)
    return ", ".join(kept)
