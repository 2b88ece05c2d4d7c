"""What a description leaves unsaid, said for aiortc, which knows no defaults. Pure text.

- A bundled m-line need not speak of its transport: the first one of its group does (RFC 9143, section 7.1.3).
- An answer without a=setup is active: both browsers take it so.
- The payload types of PCMU, PCMA and G722 need no a=rtpmap (RFC 3551, section 6).
- Without a direction of its own an m-line has that of the session, or sendrecv (RFC 9429, section 5.8.1).
- The port of SCTP is 5000: Chromium takes it so.

What aiortc cannot read, and has no use for, is left out: a=rtcp, and attributes of header extensions. So are codecs
that the m= line does not name, for aiortc does not look there. It breaks lines wherever Python does, also where SDP
does not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ._bundle import bundled
from ._description import DIRECTIONS, parts

_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNREADABLE = re.compile(r"\na=(?:rtcp:[^\n]*|(extmap:\S+ \S+) [^\r\n]*)")
_ATTRIBUTE = re.compile(r"(?m)^a=([^:\r\n]+)(?::([^\r\n]*))?")
_CODEC = re.compile(r"(?m)^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) [^\n]*\n?")
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
_OF_TRANSPORTS = ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux")

Attributes = dict[str, list[str]]  # the values of each, in their order; the empty text where it has none


def explicit(sdp: str, type: str) -> str:
    """*sdp*, a description of *type* whose m-lines have their mids, with nothing left unsaid."""
    readable = _UNREADABLE.sub(lambda line: f"\na={line[1]}" if line[1] else "", _BREAKS.sub("?", sdp))
    session, *sections = parts(readable)
    general, own = _attributes(session), [_attributes(section) for section in sections]
    group = bundled(session)
    members = {each["mid"][0]: each for each, section in zip(own, sections, strict=True) if _accepted(section, each)}
    speaker = next((members[mid] for mid in group if mid in members), {})
    for index, (section, attributes) in enumerate(zip(sections, own, strict=True)):
        said = general | attributes
        of_group = {}
        if attributes["mid"][0] in group:
            of_group = {name: speaker[name] for name in _OF_TRANSPORTS if name in speaker and name not in said}
        lines = [f"a={name}{value and ':'}{value}" for name, values in of_group.items() for value in values]
        if type != "offer" and "setup" not in said | of_group:
            lines.append("a=setup:active")
        if not any(name in attributes for name in DIRECTIONS):
            lines.append(f"a={next((name for name in DIRECTIONS if name in general), 'sendrecv')}")
        media = section.split("\n", 1)[0].split()
        unnamed = {value.split(" ")[0] for value in attributes.get("rtpmap", ())} - {*media[3:]}
        sections[index] = _with(_without(section, unnamed), lines + _of_media(media, attributes))
    return "".join([session, *sections])


def _without(section: str, numbers: Collection[str]) -> str:
    """The *section* without the codecs of these payload types."""
    return _CODEC.sub(lambda line: "" if line[1] in numbers else line[0], section) if numbers else section


def _of_media(media: Sequence[str], attributes: Attributes) -> list[str]:
    """What the words of the m= line of a section with these attributes mean by themselves."""
    kind, _, protocol, *formats = media
    if kind == "m=application" and protocol != "DTLS/SCTP" and "sctp-port" not in attributes:
        return ["a=sctp-port:5000"]
    if kind == "m=audio":
        mapped = {value.split(" ")[0] for value in attributes.get("rtpmap", ())}
        return [f"a=rtpmap:{number} {_STATIC[number]}" for number in formats if number in _STATIC.keys() - mapped]
    return []


def _attributes(section: str) -> Attributes:
    found: Attributes = {}
    for name, value in _ATTRIBUTE.findall(section):
        found.setdefault(name, []).append(value)
    return found


def _accepted(section: str, attributes: Attributes) -> bool:
    return section.split(" ")[1] != "0" or "bundle-only" in attributes


def _with(section: str, lines: list[str]) -> str:
    if not lines:
        return section
    media, _, others = section.partition("\n")
    return "\n".join([media, *(f"{line}\r" for line in lines), others])
