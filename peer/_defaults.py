"""What a description leaves unsaid, said for aiortc, which knows no defaults. Pure text.

- A bundled m-line need not speak of its transport: the first one of its group does (RFC 9143, section 7.1.3).
- An answer without a=setup is active: both browsers take it so.
- The payload types of PCMU, PCMA and G722 need no a=rtpmap (RFC 3551, section 6).
- Without a direction of its own an m-line has that of the session, or sendrecv (RFC 9429, section 5.8.1).
- The port of SCTP is 5000: Chromium takes it so.

What aiortc cannot read, and has no use for, is left out: a=rtcp, and attributes of header extensions. It breaks lines
wherever Python does, also where SDP does not.
"""

from __future__ import annotations

import re

from ._bundle import bundled
from ._description import DIRECTIONS

_SECTIONS = re.compile(r"(?m)^(?=m=)")
_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNREADABLE = re.compile(r"(?m)^a=rtcp:[^\n]*\n?|(?<=^a=extmap:)(\S+ \S+) [^\r\n]*")
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
_OF_TRANSPORTS = ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux")


def explicit(sdp: str, type: str) -> str:
    """*sdp*, a description of *type* whose m-lines have their mids, with nothing left unsaid."""
    session, *sections = _SECTIONS.split(_UNREADABLE.sub(r"\1", _BREAKS.sub("?", sdp)))
    members = {mid: section for section in sections for mid in _values(section, "mid")}
    speaker = next((members[mid] for mid in bundled(session) if mid in members and _accepted(members[mid])), "")
    for index, section in enumerate(sections):
        lines = []
        if _values(section, "mid")[0] in bundled(session):
            missing = [name for name in _OF_TRANSPORTS if not _values(section, name) and not _values(session, name)]
            lines = [f"a={name}{value and ':'}{value}" for name in missing for value in _values(speaker, name)]
        lines += _said_by_default(session, section + "".join(f"{line}\n" for line in lines), type)
        sections[index] = _with(section, lines)
    return "".join([session, *sections])


def _said_by_default(session: str, section: str, type: str) -> list[str]:
    lines = []
    if type != "offer" and not _values(section, "setup") and not _values(session, "setup"):
        lines.append("a=setup:active")
    if not _directions(section):
        lines.append(f"a={(_directions(session) or ['sendrecv'])[0]}")
    kind, _, protocol, *formats = section.split("\n")[0].split()
    if kind == "m=application" and protocol != "DTLS/SCTP" and not _values(section, "sctp-port"):
        lines.append("a=sctp-port:5000")
    if kind == "m=audio":
        mapped = {value.split(" ")[0] for value in _values(section, "rtpmap")}
        lines += [f"a=rtpmap:{number} {_STATIC[number]}" for number in formats if number in _STATIC.keys() - mapped]
    return lines


def _values(section: str, name: str) -> list[str]:
    """The values of the lines a=*name*; the empty text where there is none."""
    return re.findall(rf"(?m)^a={name}(?::([^\r\n]*))?\r*$", section)


def _directions(section: str) -> list[str]:
    return [name for name in DIRECTIONS if _values(section, name)]


def _accepted(section: str) -> bool:
    return section.split(" ")[1] != "0" or bool(_values(section, "bundle-only"))


def _with(section: str, lines: list[str]) -> str:
    media, _, others = section.partition("\n")
    return "\n".join([media, *(f"{line}\r" for line in lines), others])
