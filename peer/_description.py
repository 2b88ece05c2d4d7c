"""Session descriptions: the value users see, and the text that candidates are added to.

A description is kept as the text that was set. The text is cut into sections, one for each m= line, and never printed
again from a model of it: whatever it contains that nobody here understands stays in it, byte for byte. The rules:

1. A candidate is added to its section as ``a=candidate:...`` before ``a=end-of-candidates``, or at the section's end.
2. ``a=end-of-candidates`` is added at the section's end, once.
3. Lines that are added end like the lines of the text (CR LF, unless it has none).
4. A local description names, in its m= and c= lines, the candidate to use where there is no ICE: a relayed one before a
   reflexive one before a host's, IPv4 before IPv6, the first that was found (RFC 8445, section 5.1.4; RFC 8840,
   section 4.1, has the discard port until there is one). Remote descriptions stay as they came.
5. A section carries the generation whose ufrag it names; an ``a=ice-ufrag`` before the first m= line speaks for the
   sections without one of their own (RFC 8839, section 5.4). The same holds for ``a=ice-options``.
6. A section without ``a=mid`` gets a mid all the same, to be known by. It is not written into the text.
7. The engine puts every track in one stream of its own invention. Where we want to send, the streams that are meant
   are named instead, an ``a=msid`` line for each, or ``-`` for none; elsewhere none is (RFC 9429, section 5.2.1).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

import aiortc

from ._candidate import CandidateAttribute, parse_candidate
from ._dns import is_name
from ._errors import ArgumentTypeError, OperationError, sdp_syntax_error
from ._webidl import dom_string, members

Credentials = dict[str, tuple[str | None, str | None]]  # by mid: ufrag and password

SDP_TYPES = ("offer", "pranswer", "answer", "rollback")

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

LINE_TYPE = re.compile(r"[a-z]=")  # how each line of SDP begins (RFC 8866, section 5)

_PORT = re.compile(r"^(m=\S+) \d+")
_ADDRESS = re.compile(r"(?m)^c=IN IP[46] [^\r\n]*")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MEDIA = re.compile(r"m=(\S+) (\d{1,5})(?:/\d+)? \S+( \S+)*\s*")
_DESTINATIONS = {"host": 1, "srflx": 2, "relay": 3}
_END = "end-of-candidates"
_NEVER: Any = object()  # stands for a member that was not given


class RTCSessionDescription(aiortc.RTCSessionDescription):
    """An SDP text and its type (webrtc-pc 4.6.2), from the dictionary that goes over the wire, or from keywords.

    >>> RTCSessionDescription({"type": "rollback"}).toJSON()
    {'type': 'rollback', 'sdp': ''}
    >>> RTCSessionDescription(type="rollback") == RTCSessionDescription({"type": "rollback"})
    True

    Immutable. aiortc's positional form, the text before the type, works too. Raises TypeError for a type that is none
    of "offer", "pranswer", "answer" and "rollback".
    """

    sdp: str
    type: str

    def __init__(self, descriptionInitDict: Any = _NEVER, /, type: Any = _NEVER, *, sdp: Any = _NEVER) -> None:
        if isinstance(descriptionInitDict, str):
            sdp, descriptionInitDict = descriptionInitDict, _NEVER
        init = {} if descriptionInitDict is _NEVER else description_init(descriptionInitDict)
        if type is not _NEVER:
            init["type"] = sdp_type(type)
        if sdp is not _NEVER:
            init["sdp"] = dom_string(sdp)
        if "type" not in init:
            raise ArgumentTypeError("a session description needs a type")
        object.__setattr__(self, "type", init["type"])
        object.__setattr__(self, "sdp", init.get("sdp", ""))

    def toJSON(self) -> dict[str, str]:
        """The dictionary that goes over the wire: type and sdp (webrtc-pc 4.6.2)."""
        return {"type": self.type, "sdp": self.sdp}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a session description cannot be changed ({name})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a session description cannot be changed ({name})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, aiortc.RTCSessionDescription):
            return NotImplemented
        return (self.type, self.sdp) == (other.type, other.sdp)

    def __hash__(self) -> int:
        return hash((self.type, self.sdp))

    def __repr__(self) -> str:
        media = len(re.findall(r"(?m)^m=", self.sdp))
        return f"RTCSessionDescription({self.type}, {media} m= lines, {len(self.sdp)} characters)"


def sdp_type(value: Any) -> str:
    """An RTCSdpType; raises TypeError for anything else."""
    text = dom_string(value)
    if text not in SDP_TYPES:
        raise ArgumentTypeError(f"{text!r} is not the type of a session description")
    return text


def description_init(description: Any, type: Any = None, sdp: Any = None) -> dict[str, str]:
    """Convert what a user passed as a description, and as keywords, as WebIDL does: the members it has, as text."""
    init = members(description, ("type", "sdp"), "a session description")
    init |= {name: value for name, value in (("type", type), ("sdp", sdp)) if value is not None}
    converted = {}
    if "type" in init:
        converted["type"] = sdp_type(init["type"])
    if "sdp" in init:
        converted["sdp"] = dom_string(init["sdp"])
    return converted


class Section:
    """What stands between one m= line and the next."""

    def __init__(self, lines: list[str], defaults: Mapping[str, str]) -> None:
        media = _MEDIA.fullmatch(lines[0])
        if media is None:
            raise OperationError(f"not an m= line: {lines[0].strip()!r}")
        self.kind = media[1]  # "audio", "video", "application"; never changes
        self.rejected = int(media[2]) == 0  # never changes; bundle-only sections have port 0 and are not rejected
        self.mid: str | None = None  # changes once where the text has none, in Description.name()
        self._named = False  # True if the mid is not the text's
        self.ufrag = defaults.get("ice-ufrag")  # never changes
        self.password = defaults.get("ice-pwd")  # never changes
        self.direction = next((name for name in DIRECTIONS if name in defaults), "sendrecv")  # never changes
        self.trickle = "trickle" in defaults.get("ice-options", "").split()  # never changes
        self.setup = defaults.get("setup")  # never changes
        self.hashes = defaults.get("fingerprint", "").lower().split()[:1]  # of fingerprints; never changes
        self.multiplexed = False  # whether RTCP is; never changes
        self.streams: list[str] = []  # the ids in its a=msid lines, each once; never changes
        self.has_msid = False  # whether it has an a=msid line, which may name no stream; never changes
        # True once the section has a=end-of-candidates, or from the start if the session has (RFC 8840, section 4.3).
        self.ended = "end-of-candidates" in defaults
        self.candidates: list[str] = []  # those the text came with, as "candidate:..."; never changes
        self._default: tuple[int, bool] | None = None  # how good the destination in m= and c= is; grows
        self._added: list[str] = []  # the lines that were added, without "a="; grows
        for line in lines:
            self._read(line)
        ends = (number for number, line in enumerate(lines) if self.ended and _name(line)[0] == "end-of-candidates")
        end = next(ends, len(lines))
        self._before = "".join(lines[:end])  # the text before the place for candidates; m= and c= may change
        self._after = "".join(lines[end:])  # the text from a=end-of-candidates on; never changes

    @property
    def sends(self) -> bool:
        """Whether the side that wrote it sends media."""
        return not self.rejected and self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """Whether the side that wrote it wants to receive media."""
        return not self.rejected and self.direction in ("sendrecv", "recvonly")

    def _read(self, line: str) -> None:
        name, value = _name(line)
        match name:
            case "mid":
                self.mid = value
            case "ice-ufrag":
                self.ufrag = value
            case "ice-pwd":
                self.password = value
            case "setup":
                self.setup = value
            case "fingerprint":
                self.hashes.append(value.lower().split(" ")[0])
            case "rtcp-mux":
                self.multiplexed = True
            case "ice-options":
                self.trickle = self.trickle or "trickle" in value.split()
            case "sendrecv" | "sendonly" | "recvonly" | "inactive":
                self.direction = name
            case "msid":
                self.has_msid = True
                if (id := value.split(" ")[0]) not in ("", "-", *self.streams):
                    self.streams.append(id)
            case "bundle-only":
                self.rejected = False
            case "candidate":
                self.candidates.append(line.strip().removeprefix("a="))
            case "end-of-candidates":
                self.ended = True

    def add_candidate(self, line: str) -> None:
        """Add ``a=`` and *line*, before the end of candidates."""
        place = len(self._added) - (self._added[-1:] == [_END])
        self._added.insert(place, line)

    def prefer(self, candidate: CandidateAttribute) -> None:
        """Make *candidate* the default destination, if it is better than the one there is.

        For descriptions of our own, whose sections all have a c= line: that of a session would speak for others, too.
        The protocol that m= names is over UDP. A name that hides an address is no destination: not everybody could read
        it (draft-ietf-mmusic-mdns-ice-candidates).
        """
        if candidate.protocol != "udp" or is_name(candidate.address):
            return
        rank = (_DESTINATIONS.get(candidate.type, 0), ":" not in candidate.address)
        if self._default is None or rank > self._default:
            self._default = rank
            family = "IP4" if rank[1] else "IP6"
            text = _PORT.sub(lambda line: f"{line[1]} {candidate.port}", self._before)
            self._before = _ADDRESS.sub(lambda _: f"c=IN {family} {candidate.address}", text)

    def end_candidates(self) -> None:
        """Add ``a=end-of-candidates``."""
        self.ended = True
        self._added.append(_END)

    def text(self, end: str) -> str:
        """The whole text, the lines that were added ending with *end*."""
        before = self._before
        if self._added and not before.endswith("\n"):
            before += "\n" if before.endswith("\r") else end
        return "".join([before, *(f"a={line}{end}" for line in self._added), self._after])

    def name(self, mid: str) -> None:
        """Give the section a mid that the text does not show."""
        self.mid, self._named = mid, True

    def named_text(self, end: str) -> str:
        """The whole text, with the mid that was given by :meth:`name`."""
        if not self._named:
            return self.text(end)
        media, _, others = self.text(end).partition("\n")
        return f"{media.rstrip()}{end}a=mid:{self.mid}{end}{others}"


class Description:
    """One of the four descriptions of a connection: a type, and a text that candidates are added to.

    Raises RTCError, with the number of the line, for a text that is not SDP.
    """

    def __init__(self, type: str, sdp: str) -> None:
        lines = _LINE.findall(sdp)
        if not lines or lines[0].strip() != "v=0":
            raise sdp_syntax_error("line 1 is not v=0", 1)
        for number, line in enumerate(lines, 1):
            if not LINE_TYPE.match(line) and line.strip():
                raise sdp_syntax_error(f"line {number} is {line.strip()!r}", number)
        starts = [number for number, line in enumerate(lines) if line.startswith("m=")]
        self.type = type  # never changes
        session = lines[: starts[0]] if starts else lines
        self._session = "".join(session)  # never changes
        self._end = "\r\n" if "\r\n" in sdp or "\n" not in sdp else "\n"
        defaults = _attributes(session)
        self.sections = [
            Section(lines[start:stop], defaults) for start, stop in itertools.pairwise([*starts, len(lines)])
        ]  # never changes, though sections do
        # The mids of the BUNDLE groups, in their order, and of the first one; never change.
        self.groups = [line.split()[1:] for line in session if line.startswith("a=group:BUNDLE")]
        self.group = self.groups[0] if self.groups else []
        self.refused: Collection[str] = ()  # the mids that our answer will reject, for want of a codec; changes once
        # Whether the side that wrote it takes candidates one by one; never changes.
        used = [section.trickle for section in self.sections if not section.rejected]
        self.trickle = all(used) if used else "trickle" in defaults.get("ice-options", "").split()
        self._value: RTCSessionDescription | None = None  # the text as a value; None while it is out of date

    @property
    def value(self) -> RTCSessionDescription:
        """The description with all candidates added so far. The same object until the next one is added."""
        if self._value is None:
            self._value = RTCSessionDescription(self.text, self.type)
        return self._value

    @property
    def text(self) -> str:
        """The text with all candidates added so far; it is not kept."""
        return "".join([self._session, *(section.text(self._end) for section in self.sections)])

    @property
    def named(self) -> str:
        """The text in which every section has its mid: for the engine, which knows m-lines by their mids."""
        return "".join([self._session, *(section.named_text(self._end) for section in self.sections)])

    def name(self, known: Sequence[str]) -> None:
        """Give the sections without a mid one that the text does not show (RFC 9429, section 5.10).

        It is what *known*, the mids of the last description, says of the m-line, or else a number that none has.
        """
        own = {section.mid for section in self.sections}
        numbers = (number for number in map(str, itertools.count()) if number not in own and number not in known)
        for index, section in enumerate(self.sections):
            if section.mid is None:
                last = known[index] if index < len(known) else None
                section.name(next(numbers) if last is None or last in own else last)

    @property
    def rejected(self) -> list[str]:
        """The mids of the rejected sections."""
        return [section.mid for section in self.sections if section.rejected and section.mid]

    @property
    def unused(self) -> list[str]:
        """The mids of the sections that are rejected, or will be."""
        return [*self.rejected, *self.refused]

    def credentials(self, group: Sequence[str]) -> Credentials:
        """The ufrags and passwords of the sections that are not rejected, by mid.

        Of those in the BUNDLE *group* that was negotiated, what the first one says counts (RFC 9143, section 7.1.3).
        """
        sections = [section for section in self.sections if section.mid and not section.rejected]
        own = {section.mid or "": (section.ufrag, section.password) for section in sections}
        shared = [own[mid] for mid in group if mid in own]
        return {mid: shared[0] if mid in group else credentials for mid, credentials in own.items()}

    def index(self, mid: str) -> int | None:
        """The index of the section with this mid."""
        return next((i for i, section in enumerate(self.sections) if section.mid == mid), None)

    def carries(self, index: int, ufrag: str | None) -> bool:
        """Whether the section at *index* exists and carries the generation *ufrag*."""
        return index < len(self.sections) and self.sections[index].ufrag == ufrag

    def add_candidate(self, index: int, line: str) -> None:
        """Add the candidate *line* ("candidate:...") to the section at *index*."""
        self.sections[index].add_candidate(line)
        self._value = None

    def add_local_candidate(self, index: int, line: str) -> None:
        """Add the candidate *line* of our own, and make it the default destination if it is the best so far."""
        self.add_candidate(index, line)
        candidate = parse_candidate(line)
        if candidate is not None:
            self.sections[index].prefer(candidate)

    def end_candidates(self, index: int) -> None:
        """Add the end of candidates to the section at *index*, unless it is there."""
        if not self.sections[index].ended:
            self.sections[index].end_candidates()
            self._value = None


def _name(line: str) -> tuple[str, str]:
    """The name and the value of an attribute."""
    name, _, value = line.strip().removeprefix("a=").partition(":")
    return name, value


def _attributes(lines: list[str]) -> dict[str, str]:
    pairs = (line.strip()[2:].partition(":") for line in lines if line.startswith("a="))
    return {name: value for name, _, value in pairs}


def parts(sdp: str) -> list[str]:
    """The lines of *sdp* before its first m-line, and those of each m-line."""
    session, *sections = sdp.split("\nm=")
    starts = ["", *("m=" for _ in sections)]
    ends = [*("\n" for _ in sections), ""]
    return [f"{start}{part}{end}" for start, part, end in zip(starts, [session, *sections], ends, strict=True)]


def without_candidates(sdp: str) -> str:
    """*sdp* with no candidates in it, and no blanks at the ends of lines."""
    lines = [line for line in _LINE.findall(sdp) if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    return "".join(line.rstrip(" \t\r\n") + line[len(line.rstrip("\r\n")) :] for line in lines)


def ufrags(sdp: str) -> list[str]:
    """The ufrags in *sdp*."""
    return re.findall(r"(?m)^a=ice-ufrag:([^\r\n]*)", sdp)


def restarting(sdp: str, ufrag: str, password: str) -> str:
    """*sdp* with other ICE credentials, the same for all m-lines."""
    text = re.sub(r"(?m)^a=ice-ufrag:[^\r\n]*", lambda _: f"a=ice-ufrag:{ufrag}", sdp)
    return re.sub(r"(?m)^a=ice-pwd:[^\r\n]*", lambda _: f"a=ice-pwd:{password}", text)


def trickling(sdp: str) -> str:
    """The engine's *sdp* as one that trickles (RFC 8840, section 4.1): no candidates, no address, and saying so."""
    text = without_candidates(sdp)
    text = text.replace("a=group:BUNDLE\r\n", "")  # a group of no m-lines is none
    text = re.sub(r"\nc=IN IP[46] [^\r\n]*", "\nc=IN IP4 0.0.0.0", text)
    text = re.sub(r"\n(m=\S+) (?!0 )\d+ ", r"\n\1 9 ", text)
    start = text.find("\nm=") + 1 or len(text)
    return f"{text[:start]}a=ice-options:trickle\r\n{text[start:]}"


def associated(sdp: str, streams: Mapping[int, Sequence[str]]) -> str:
    """The engine's *sdp*, in which our tracks are in these *streams*: their ids, by the index of the m-line.

    No stream is named by the m-lines that are not among them.
    """

    def named(ids: Sequence[str]) -> Callable[[re.Match[str]], str]:
        return lambda line: "".join(f"a=msid:{id} {line[1]}\r\n" for id in ids)

    session, *sections = parts(sdp)
    for index, section in enumerate(sections):
        ids = (streams[index] or ["-"]) if index in streams else []
        sections[index] = re.sub(r"(?m)^a=msid:\S+ ([^\r\n]*)\r\n", named(ids), section)
    return "".join([session, *sections])
