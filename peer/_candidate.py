"""RTCIceCandidate: one candidate, or the end of a generation of them, as it travels in signalling.

A value and nothing else: it knows its text and what the text says. Whether it fits a session is
decided when it is added to a peer connection.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import zip_longest
from typing import Literal, TypeVar

from ._errors import ArgumentTypeError
from ._webidl import ABSENT, Absent, dom_string, members, nullable, unsigned_short, usv_string

RTCIceComponent = Literal["rtp", "rtcp"]
RTCIceProtocol = Literal["udp", "tcp"]
RTCIceCandidateType = Literal["host", "srflx", "prflx", "relay"]
RTCIceTcpCandidateType = Literal["active", "passive", "so"]
RTCIceServerTransportProtocol = Literal["udp", "tcp", "tls"]

# The grammar, RFC 5245 15.1 (RFC 8839 5.1 says it again) with the TCP extension of RFC 6544 4.5:
#
#   candidate:foundation component transport priority address port typ type
#                                      [raddr address] [rport port] {name value}
#
#   foundation    1 to 32 of A-Z a-z 0-9 + /
#   component     1 to 256
#   transport     udp | tcp
#   priority      at most 10 digits, at most 2**32 - 1
#   address       IPv4, IPv6 with or without a zone, or a host name
#   port          0 to 65535
#   type          host | srflx | prflx | relay
#   name value    anything, and the value may be empty; "tcptype" is followed by active | passive | so
#
# What the texts leave open, and what is decided here:
#
# - The grammar takes any transport and any type; the attributes they go to are enums with the words
#   above, and webrtc-pc wants nothing at all reported when one value does not fit. So they fail.
# - Quoted words are case-insensitive, as always in ABNF (Firefox writes UDP), and reported in lower
#   case. Addresses and foundations are reported as they came.
# - "a=" in front is forgiven, as both browsers do, and so is white space at the end: that is what a
#   line cut out of an SDP has. Up to the type nothing else is: one space between fields. After it, a
#   second space means an empty name or value, and the last name needs no value: both browsers take all
#   that for extensions they do not know.
# - Only printable ASCII. The text is written into an SDP, where a line break would let the other
#   side write lines of its own, and there are more of them than CR and LF for those who read with
#   str.splitlines(): NEL and U+2028 are two. With this rule str.isdigit() means 0-9, too.
# - Component and port are at most as wide as their largest value needs (RFC 5245 gives components
#   5 digits); only leading zeroes could be longer.
# - A name ending in a number is an address to every resolver, if it can make one of it ("0x7f.1",
#   "127.1"). So it must be one to us, in the dotted form, or nothing.
# - raddr and rport count only where the grammar has them. Later on they are extensions like any.
# - tcptype is looked for among all extensions, since not everybody writes it first. A wrong one
#   fails, also for udp, where a right one is not reported.
# - "ufrag" is an extension like any: usernameFragment is not filled from it, in no browser.
#
# Every step looks at each character a bounded number of times.

_PREFIX = "candidate:"
_TRANSPORTS: tuple[RTCIceProtocol, ...] = ("udp", "tcp")
_TYPES: tuple[RTCIceCandidateType, ...] = ("host", "srflx", "prflx", "relay")
_TCP_TYPES: tuple[RTCIceTcpCandidateType, ...] = ("active", "passive", "so")

_REMEMBERED = 256  # texts
_LONGEST_REMEMBERED = 256  # characters

_FOUNDATION = re.compile(r"[A-Za-z0-9+/]{1,32}")
_ZONE = re.compile(r"[A-Za-z0-9._~-]+")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")

_Word = TypeVar("_Word", bound=str)


@dataclass(frozen=True, slots=True)
class CandidateAttribute:
    """The fields of a candidate-attribute, in the order of the grammar."""

    foundation: str
    component: int
    protocol: RTCIceProtocol
    priority: int
    address: str
    port: int
    type: RTCIceCandidateType
    tcp_type: RTCIceTcpCandidateType | None
    """None unless the protocol is tcp."""
    related_address: str | None
    """None for a host candidate, whatever its text says."""
    related_port: int | None
    """None for a host candidate, whatever its text says."""


def parse_candidate(text: str) -> CandidateAttribute | None:
    """Return what a candidate's text says, or None when it breaks the grammar. Never raises.

    See webrtc-pc "candidate-attribute Grammar", RFC 5245 15.1 and RFC 6544 4.5.
    """
    return _remembered(text) if len(text) <= _LONGEST_REMEMBERED else _parsed(text)


def _parsed(text: str) -> CandidateAttribute | None:
    try:
        return _attribute(_bare(text))
    except ValueError:
        return None


# A candidate's text is read wherever it passes: in the object, the description, the check list.
_remembered = functools.lru_cache(_REMEMBERED)(_parsed)


def candidate_text(attribute: CandidateAttribute) -> str:
    """Return the text that says this."""
    text = (
        f"{_PREFIX}{attribute.foundation} {attribute.component} {attribute.protocol} {attribute.priority}"
        f" {attribute.address} {attribute.port} typ {attribute.type}"
    )
    extensions = {"raddr": attribute.related_address, "rport": attribute.related_port, "tcptype": attribute.tcp_type}
    return text + "".join(f" {name} {value}" for name, value in extensions.items() if value is not None)


def candidate_line(text: str) -> str:
    """Return a candidate's text as it stands in an SDP line, after "a=" and before the line's end.

    A text that parse_candidate() does not understand comes back unchanged: only the empty text is
    ever the end of candidates, not one that would be empty if it were trimmed. Such a text may hold
    line breaks; you must not write it into an SDP.
    """
    if parse_candidate(text) is None:
        return text
    line = _bare(text)
    return line if line.startswith(_PREFIX) else _PREFIX + line[len(_PREFIX) :]


def _bare(text: str) -> str:
    return text.removeprefix("a=").rstrip(" \t\r\n")


def _attribute(line: str) -> CandidateAttribute:
    # As in all the rules below, ValueError says that the text breaks the grammar.
    if not (line.isascii() and line.isprintable()):
        raise ValueError
    fields = line[len(_PREFIX) :].split(" ")
    if line[: len(_PREFIX)].lower() != _PREFIX or len(fields) < 8:
        raise ValueError
    foundation, component, transport, priority, address, port, typ, kind = fields[:8]
    if typ.lower() != "typ" or not _FOUNDATION.fullmatch(foundation):
        raise ValueError
    protocol, type_ = _one_of(_TRANSPORTS, transport), _one_of(_TYPES, kind)
    related_address, related_port, tcp_type = _extensions(fields[8:])
    return CandidateAttribute(
        foundation=foundation,
        component=_number(component, range(1, 257), width=5),
        protocol=protocol,
        priority=_number(priority, range(2**32), width=10),
        address=_address(address),
        port=_port(port),
        type=type_,
        tcp_type=tcp_type if protocol == "tcp" else None,
        related_address=related_address if type_ != "host" else None,
        related_port=related_port if type_ != "host" else None,
    )


def _extensions(
    fields: list[str],
) -> tuple[str | None, int | None, RTCIceTcpCandidateType | None]:
    pairs = [(name.lower(), value) for name, value in zip_longest(fields[::2], fields[1::2], fillvalue="")]
    related_address, related_port = None, None
    if pairs and pairs[0][0] == "raddr":
        related_address = _address(pairs.pop(0)[1])
    if pairs and pairs[0][0] == "rport":
        related_port = _port(pairs.pop(0)[1])
    tcp_types = [_one_of(_TCP_TYPES, value) for name, value in pairs if name == "tcptype"]
    return related_address, related_port, tcp_types[0] if tcp_types else None


def _one_of(words: tuple[_Word, ...], field: str) -> _Word:
    for word in words:
        if word == field.lower():
            return word
    raise ValueError


def _number(field: str, allowed: range, *, width: int) -> int:
    # The width comes first: int() takes quadratic time, then refuses.
    if not field.isdigit() or len(field) > width or int(field) not in allowed:
        raise ValueError
    return int(field)


def _port(field: str) -> int:
    return _number(field, range(65536), width=5)


def _address(field: str) -> str:
    name = field.removesuffix(".")  # what ends in a dot is a name, said to be complete
    if ":" in field:
        address, percent, zone = field.partition("%")
        IPv6Address(address)
        if percent and not _ZONE.fullmatch(zone):
            raise ValueError
    elif _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]):
        IPv4Address(field)
    elif len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError
    return field


_MEMBERS = ("candidate", "sdpMLineIndex", "sdpMid", "usernameFragment", "relayProtocol", "url")
_COMPONENTS: dict[int, RTCIceComponent] = {1: "rtp", 2: "rtcp"}
_RELAY_PROTOCOLS: tuple[RTCIceServerTransportProtocol, ...] = ("udp", "tcp", "tls")


# The slots are written out because dataclass(slots=True) makes a second class, for which the first
# one's frozen __setattr__ has only a puzzling TypeError when a name is misspelt. Comparing all the
# fields compares the six that are given: the others follow from `candidate`.
@dataclass(frozen=True, init=False, repr=False)
class RTCIceCandidate:
    """An ICE candidate, or the end of one generation of candidates when its text is empty.

    Made from what a browser sends, the dictionary that its JSON makes; from another candidate,
    which is copied; or from the text alone with the m-line beside it. A keyword outranks the first
    argument. Values are converted as a browser converts them, and members that it does not know
    are ignored.

    >>> candidate = RTCIceCandidate("candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host", sdpMid="0")
    >>> candidate.address, candidate.port, candidate.type
    ('192.0.2.1', 5000, 'host')
    >>> RTCIceCandidate(candidate.toJSON()) == candidate
    True

    The value never changes, and it can be hashed, copied and pickled. A text that cannot be parsed
    is kept, with None in all that would have been read from it: RTCPeerConnection.addIceCandidate()
    is the one to refuse it. A missing `candidate` is the empty text, hence the end of candidates,
    and `candidate=None` is the text "null".

    The remote candidate of a selected pair may have been learned from a check. The W3C gives it the type "prflx" and
    the empty text, so a copy made of it, and its JSON, are the end of candidates: you must not send it to anybody.

    TypeError is raised when sdpMid and sdpMLineIndex are both null, when relayProtocol is none of
    its three words, and when the first argument is nothing that a candidate could be read from.

    See webrtc-pc 4.8.1, which has all the attributes below, and RFC 8839, section 5.1, for the text.
    """

    __slots__ = (
        "address",
        "candidate",
        "component",
        "foundation",
        "port",
        "priority",
        "protocol",
        "relatedAddress",
        "relatedPort",
        "relayProtocol",
        "sdpMLineIndex",
        "sdpMid",
        "tcpType",
        "type",
        "url",
        "usernameFragment",
    )

    candidate: str
    """The candidate-attribute, "candidate:..."; empty for the end of candidates, and for one learned from a check."""
    sdpMid: str | None
    """The mid of the m-line that the candidate belongs to."""
    sdpMLineIndex: int | None
    """The index of that m-line, counted from 0."""
    usernameFragment: str | None
    """The ufrag, which names the generation that the candidate belongs to."""
    relayProtocol: RTCIceServerTransportProtocol | None
    """How the TURN server of a local relay candidate is reached."""
    url: str | None
    """The server that a local srflx or relay candidate came from."""

    foundation: str | None
    """Equal for candidates that ICE treats alike (RFC 8445, section 5.1.1.3)."""
    component: RTCIceComponent | None
    """None, too, for the components after the second, which have no name."""
    priority: int | None
    """0 to 4294967295 (RFC 8445, section 5.1.2). The higher, the sooner it is tried."""
    address: str | None
    """IPv4, IPv6 without brackets, or a host name."""
    protocol: RTCIceProtocol | None
    """In lower case, however it was written."""
    port: int | None
    """0 to 65535; 9 says that an active TCP candidate has none (RFC 6544, section 4.5)."""
    type: RTCIceCandidateType | None
    """How the candidate was found."""
    tcpType: RTCIceTcpCandidateType | None
    """Which side opens the connection; None for udp."""
    relatedAddress: str | None
    """The address that the candidate is derived from; None for a host candidate."""
    relatedPort: int | None
    """The port that the candidate is derived from; None for a host candidate."""

    def __init__(
        self,
        candidateInitDict: "Mapping[str, object] | RTCIceCandidate | str | None" = None,
        /,
        *,
        candidate: str | Absent = ABSENT,
        sdpMid: str | Absent | None = ABSENT,
        sdpMLineIndex: int | Absent | None = ABSENT,
        usernameFragment: str | Absent | None = ABSENT,
        relayProtocol: RTCIceServerTransportProtocol | Absent | None = ABSENT,
        url: str | Absent | None = ABSENT,
    ) -> None:
        keywords = {
            "candidate": candidate,
            "sdpMid": sdpMid,
            "sdpMLineIndex": sdpMLineIndex,
            "usernameFragment": usernameFragment,
            "relayProtocol": relayProtocol,
            "url": url,
        }
        init = _init_members(candidateInitDict)
        init |= {name: value for name, value in keywords.items() if value is not ABSENT}
        text = dom_string(init.get("candidate", ""))
        given = {
            "candidate": text,
            "sdpMid": nullable(dom_string, init.get("sdpMid")),
            "sdpMLineIndex": nullable(unsigned_short, init.get("sdpMLineIndex")),
            "usernameFragment": nullable(dom_string, init.get("usernameFragment")),
            "relayProtocol": nullable(_relay_protocol, init.get("relayProtocol")),
            "url": nullable(usv_string, init.get("url")),
        }
        if given["sdpMid"] is None and given["sdpMLineIndex"] is None:
            raise ArgumentTypeError("RTCIceCandidate needs an sdpMid or an sdpMLineIndex: both are null")
        for name, value in (given | _derived(text)).items():
            object.__setattr__(self, name, value)

    def toJSON(self) -> dict[str, str | int | None]:
        """Return what is signalled to the other side, ready for json.dumps().

        It has the four members that a browser's addIceCandidate() takes. relayProtocol and url are
        left out: they are for local eyes. See webrtc-pc 4.8.1.
        """
        return {
            "candidate": self.candidate,
            "sdpMid": self.sdpMid,
            "sdpMLineIndex": self.sdpMLineIndex,
            "usernameFragment": self.usernameFragment,
        }

    def __repr__(self) -> str:
        where = f"index={self.sdpMLineIndex}" if self.sdpMid is None else f"mid={_log(self.sdpMid)}"
        words = [*self._summary(), where]
        if self.usernameFragment is not None:
            words.append(f"ufrag={_log(self.usernameFragment)}")
        return f"RTCIceCandidate({' '.join(words)})"

    def __copy__(self) -> "RTCIceCandidate":
        return self  # it never changes

    def __deepcopy__(self, memo: object) -> "RTCIceCandidate":
        return self

    def __reduce__(self) -> tuple[object, ...]:
        # Copying and pickling would set the slots one by one, which is what frozen forbids.
        return _restored, ({name: getattr(self, name) for name in self.__slots__},)

    def _summary(self) -> list[str]:
        if not self.candidate and self.type is None:
            return ["end-of-candidates"]
        if self.type == "prflx" and self.address is None:
            return ["prflx"]
        if self.protocol is None or self.type is None or self.address is None:
            text = self.candidate
            return [repr(text if len(text) <= 40 else text[:37] + "...")]
        host = f"[{self.address}]" if ":" in self.address else self.address
        words = [self.protocol, self.type, f"{host}:{self.port}"]
        return words if self.tcpType is None else [*words, self.tcpType]


def _restored(attributes: Mapping[str, object]) -> RTCIceCandidate:
    candidate = RTCIceCandidate({name: attributes[name] for name in _MEMBERS})
    for name, value in attributes.items():  # a learned candidate has no text that they would follow from
        object.__setattr__(candidate, name, value)
    return candidate


def peer_reflexive(
    attribute: CandidateAttribute, sdpMid: str, sdpMLineIndex: int, usernameFragment: str | None
) -> RTCIceCandidate:
    """Return a remote candidate that was learned from a check.

    It has no text, and its address stays hidden, for nobody signalled it. See webrtc-pc 4.8.1, candidate
    and address.
    """
    learned = RTCIceCandidate(sdpMid=sdpMid, sdpMLineIndex=sdpMLineIndex, usernameFragment=usernameFragment)
    for name, value in (_attributes(attribute) | {"address": None}).items():
        object.__setattr__(learned, name, value)
    return learned


def _init_members(init: object) -> dict[str, object]:
    if isinstance(init, str):
        return {"candidate": init}
    present = members(init, _MEMBERS, "RTCIceCandidate: candidateInitDict")
    # aiortc's class of this name has the m-line but not the text. Read as a dictionary it would be
    # the end of candidates, the opposite of what its owner means.
    if present and not isinstance(init, Mapping) and "candidate" not in present:
        raise ArgumentTypeError(f"RTCIceCandidate: candidateInitDict has no candidate attribute: {type(init).__name__}")
    return present


def _relay_protocol(value: object) -> RTCIceServerTransportProtocol:
    text = dom_string(value)
    for word in _RELAY_PROTOCOLS:
        if word == text:
            return word
    raise ArgumentTypeError(f"RTCIceCandidate: relayProtocol must be udp, tcp or tls, not {text!r}")


def _derived(text: str) -> dict[str, object]:
    """Return the attributes that follow from the candidate's text."""
    return _attributes(parse_candidate(text))


def _attributes(parsed: CandidateAttribute | None) -> dict[str, object]:
    return {
        "foundation": parsed and parsed.foundation,
        "component": parsed and _COMPONENTS.get(parsed.component),
        "priority": parsed and parsed.priority,
        "address": parsed and parsed.address,
        "protocol": parsed and parsed.protocol,
        "port": parsed and parsed.port,
        "type": parsed and parsed.type,
        "tcpType": parsed and parsed.tcp_type,
        "relatedAddress": parsed and parsed.related_address,
        "relatedPort": parsed and parsed.related_port,
    }


def _log(text: str) -> str:
    """Return the text as it is when a log line can take it, else quoted; never more than a bit."""
    text = text if len(text) <= 40 else text[:37] + "..."
    return text if text and text.isascii() and text.isprintable() and " " not in text else repr(text)
