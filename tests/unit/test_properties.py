"""What holds for every input, tried with many. The inputs are the same in every run."""

import ipaddress
import json
import math
import re
import string
from dataclasses import dataclass, field

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from peer import RTCIceCandidate, RTCSessionDescription
from peer._candidate import CandidateAttribute, candidate_line, candidate_text, parse_candidate
from peer._configuration import configuration
from peer._description import Description, description_init, without_candidates
from peer._dns import is_name
from peer._errors import ArgumentTypeError, DOMException, OperationError
from peer._gathering import Announce, ConnectionState, Gathering, TransportState, Write
from peer._messages import MessageError, decode, encode
from peer._priorities import ranked
from peer._remote import BAD_PORTS, CandidateInit, additions, candidate_init, contained, write
from peer._webidl import dom_string, members, nullable, unsigned_short, usv_string

settings.register_profile("fixed", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("fixed")
more = settings(max_examples=200)

# Candidates as a browser could write them: RFC 8839, section 5.1, and RFC 6544, section 4.5.

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
TOKEN = "".join(c for c in VISIBLE if c not in '"(),/:;<=>?@[\\]')
ICE = string.ascii_letters + string.digits + "+/"
SPELLINGS = st.sampled_from([str, str.upper, str.title])  # which mean the same


def numbers(largest, width, smallest=0):
    """Numbers with their texts, which may have leading zeroes up to *width* digits."""
    return st.tuples(
        st.integers(smallest, largest) | st.sampled_from([smallest, largest]),
        st.sampled_from([0, 0, 0, width]),
    ).map(lambda drawn: (drawn[0], str(drawn[0]).zfill(drawn[1])))


LABELS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=9) | st.sampled_from(
    ["localhost", "3com", "xn--bcher-kva", "A-b--C", "a" * 63]
)
TOP_LABELS = LABELS.filter(lambda label: not re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", label))
NAMES = st.tuples(st.lists(LABELS, max_size=2), TOP_LABELS, st.sampled_from(["", "."])).map(
    lambda parts: ".".join([*parts[0], parts[1]]) + parts[2]
)
IPV6 = st.tuples(
    st.ip_addresses(v=6),
    st.sampled_from([str, lambda ip: ip.exploded, lambda ip: str(ip).upper(), lambda ip: f"{ip}%eth0"]),
).map(lambda drawn: drawn[1](drawn[0]))
ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    IPV6,
    st.ip_addresses(v=4).map("::ffff:{}".format),
    st.uuids().map("{}.local".format),
    NAMES,
)
EXTENSIONS = st.lists(
    st.tuples(
        st.sampled_from(["generation", "ufrag", "network-id", "network-cost"]) | st.text(TOKEN, min_size=1, max_size=8),
        st.text(VISIBLE, max_size=8),
    ).filter(lambda pair: pair[0].lower() not in ("raddr", "rport", "tcptype")),
    max_size=3,
)


@dataclass(frozen=True)
class Written:
    """A candidate's text, how it stands in an SDP, and what it says."""

    text: str
    line: str
    says: CandidateAttribute


@st.composite
def candidates(draw):
    spell = draw(SPELLINGS)
    foundation = draw(st.text(ICE, min_size=1, max_size=32))
    component, component_text = draw(st.just((1, "1")) | numbers(256, 5, smallest=1))
    protocol = draw(st.sampled_from(["udp", "tcp"]))
    priority, priority_text = draw(numbers(2**32 - 1, 10))
    address = draw(ADDRESSES)
    port, port_text = draw(numbers(65535, 5) | st.sampled_from(sorted(BAD_PORTS)).map(lambda port: (port, str(port))))
    type_ = draw(st.sampled_from(["host", "srflx", "prflx", "relay"]))
    words = [foundation, component_text, spell(protocol), priority_text, address, port_text, spell("typ"), spell(type_)]
    related_address = draw(st.none() | ADDRESSES)
    if related_address is not None:
        words += [spell("raddr"), related_address]
    related_port, related_port_text = draw(st.just((None, None)) | numbers(65535, 5))
    if related_port is not None:
        words += [spell("rport"), related_port_text]
    extensions = draw(EXTENSIONS)
    tcp_type = draw(st.sampled_from([None, "active", "passive", "so"]))
    if tcp_type is not None:
        extensions.insert(draw(st.integers(0, len(extensions))), (spell("tcptype"), spell(tcp_type)))
    # An empty value at the end is white space at the end.
    rest = " ".join([*words, *(word for pair in extensions for word in pair)]).rstrip(" ")
    before, after = draw(st.sampled_from(["", "a="])), draw(st.sampled_from(["", " ", "\r\n", " \t\n"]))
    return Written(
        f"{before}{spell('candidate:')}{rest}{after}",
        f"candidate:{rest}",
        CandidateAttribute(
            foundation=foundation,
            component=component,
            protocol=protocol,
            priority=priority,
            address=address,
            port=port,
            type=type_,
            tcp_type=tcp_type if protocol == "tcp" else None,
            related_address=None if type_ == "host" else related_address,
            related_port=None if type_ == "host" else related_port,
        ),
    )


@more
@given(candidates())
def test_a_candidate_says_what_was_written_into_it(written):
    assert parse_candidate(written.text) == written.says


@given(candidates())
def test_the_line_of_a_candidate_says_the_same_and_is_its_own_line(written):
    line = candidate_line(written.text)
    assert line == written.line
    assert candidate_line(line) == line
    assert parse_candidate(line) == written.says


@given(candidates())
def test_a_candidate_that_is_written_anew_says_the_same(written):
    assert parse_candidate(candidate_text(written.says)) == written.says


NUMBERS = st.integers(0, 65535)
ODD = ["\0", "\t", "\n", "\v", "\f", "\r", "\x1c", "\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff"]
SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff"]
UTF_16 = st.lists(st.text(max_size=4) | st.sampled_from([*ODD, *SURROGATES]), max_size=6).map("".join)
TEXTS = UTF_16.map(lambda text: json.loads(json.dumps(text)))  # surrogates are alone, or else they are characters


@given(candidates(), st.none() | TEXTS, st.none() | NUMBERS, st.none() | TEXTS)
def test_a_candidate_survives_signalling(written, mid, index, ufrag):
    assume(mid is not None or index is not None)
    candidate = RTCIceCandidate(written.text, sdpMid=mid, sdpMLineIndex=index, usernameFragment=ufrag)
    received = RTCIceCandidate(json.loads(json.dumps(candidate.toJSON())))
    assert received == candidate
    assert (received.candidate, received.sdpMid, received.sdpMLineIndex) == (written.text, mid, index)
    assert received.usernameFragment == ufrag
    says = written.says
    assert (received.foundation, received.priority, received.address) == (says.foundation, says.priority, says.address)
    assert (received.protocol, received.port, received.type) == (says.protocol, says.port, says.type)
    assert (received.tcpType, received.relatedAddress, received.relatedPort) == (
        *(says.tcp_type, says.related_address),
        says.related_port,
    )
    assert received.component == {1: "rtp", 2: "rtcp"}.get(says.component)


# A remote description of two m-lines, as it is usual; with other line ends; and with the end of candidates in it.
REMOTE = (
    "v=0\r\na=ice-options:trickle\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:uuuu\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:uuuu\r\na=mid:b\r\n"
)
REMOTES = [REMOTE, REMOTE.replace("\r\n", "\n"), REMOTE.replace("a=mid", "a=end-of-candidates\r\na=mid")]


def usable(says):
    return says.component == 1 and (says.protocol, says.tcp_type) in {("udp", None), ("tcp", "passive")}


@given(candidates(), st.sampled_from(REMOTES), st.sampled_from(["a", "b"]), st.sampled_from([None, "uuuu"]))
def test_a_candidate_is_written_once_and_nothing_else_is_changed(written, remote, mid, ufrag):
    description = Description("offer", remote)
    (addition,) = additions(CandidateInit(written.text, mid, None, ufrag), None, description)
    write(addition, (description, None))
    end = "\r\n" if "\r\n" in remote else "\n"
    added = f"a={written.line}{end}"
    text = description.value.sdp
    assert text.count(added) == text.count("candidate:") == 1
    assert text.replace(added, "") == remote
    assert written.line in Description("offer", text).sections["ab".index(mid)].candidates
    tried = usable(written.says) and "a=end-of-candidates" not in remote
    assert addition.candidate == (written.says if tried else None)
    assert addition.prohibited == (tried and written.says.port in BAD_PORTS)


@given(st.lists(candidates(), max_size=4), st.sampled_from(REMOTES))
def test_a_description_comes_with_the_candidates_that_were_written_into_it(written, remote):
    description = Description("offer", remote)
    for candidate in written:
        description.add_candidate(1, candidate.line)
    found = contained(Description("offer", description.value.sdp))
    expected = [(w.line, w.says if usable(w.says) else None) for w in written]
    assert [(a.line, a.candidate) for a in found if a.line] == expected
    assert {(a.index, a.ufrag) for a in found if a.line} <= {(1, "uuuu")}


# Any text at all

PIECES = ["\r\na=mid:x", "\nm=audio 9 X 0\n", "a=", "candidate:", " ", "  ", " typ host", "1", "%", "[", "\u0661"]
PIECES += [*ODD, *SURROGATES]


@st.composite
def mutated(draw):
    """A candidate with something put in, or left out, or both."""
    text = draw(candidates()).text
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.just("")) + text[stop:]
    return text


HUGE = st.builds(
    lambda head, piece, times, tail: head + piece * times + tail,
    st.sampled_from(["", "candidate:", "candidate:1 1 udp 1 192.0.2.9 5 typ host", "candidate:1 1 udp 1 "]),
    st.sampled_from([*PIECES, " n v", "a.", "1.", "1:", "-", "9"]) | st.text(min_size=1, max_size=3),
    st.sampled_from([100, 10_000, 50_000]),
    st.sampled_from(["", "x", " 5 typ host", "\n"]),
)
CANDIDATE_LINES = candidates().map(lambda written: written.line)
EXTENDED = st.builds("{} x y{}z".format, CANDIDATE_LINES, st.sampled_from(PIECES) | TEXTS)
ANY_TEXT = st.one_of(TEXTS, mutated(), EXTENDED, HUGE)


@more
@given(ANY_TEXT)
def test_any_text_is_kept_by_a_candidate_and_shown_in_short(text):
    candidate = RTCIceCandidate(text, sdpMid="0")
    assert candidate.candidate == text
    assert RTCIceCandidate(candidate.toJSON()) == candidate
    assert len(repr(candidate)) < 600
    assert (candidate.foundation is None) == (parse_candidate(text) is None)


@more
@given(ANY_TEXT, st.sampled_from(REMOTES))
@example("candidate:1 1 udp 1 192.0.2.9 5 typ host x y\r\na=mid:x", REMOTE)
@example("candidate:1 1 udp 1 192.0.2.9 5 typ host x y\ra=mid:x", REMOTE)
@example("candidate:1 1 udp 1 192.0.2.9 5 typ host x \u00fc", REMOTE)
@example("candidate:1 1 udp 1 192.0.2.9 5 typ host x y\u2028a=mid:x", REMOTE)
@example("candidate:1 1 udp 1 192.0.2.9 5 typ host x y\x85a=mid:x", REMOTE)
def test_any_text_adds_one_line_or_is_an_operation_error(text, remote):
    description = Description("offer", remote)
    try:
        (addition,) = additions(candidate_init({"candidate": text, "sdpMid": "a"}), description, None)
    except OperationError:
        assert parse_candidate(text) is None
        return
    write(addition, (description,))
    before, after = remote.splitlines(), description.value.sdp.splitlines()
    if addition.line:
        place = after.index(f"a={addition.line}")
        assert after[:place] + after[place + 1 :] == before
        assert addition.line.isascii()
        assert addition.line.isprintable()
    else:
        assert text == ""
        assert [line for line in after if line != "a=end-of-candidates"] == [
            line for line in before if line != "a=end-of-candidates"
        ]


@given(
    st.sampled_from(["", "candidate:1 1 udp 1 192.0.2.9 5 typ host", "garbage"]),
    st.none() | st.sampled_from(["a", "b"]) | ANY_TEXT,
    st.none() | NUMBERS,
    st.none() | st.just("uuuu") | ANY_TEXT,
    st.sampled_from(REMOTES),
)
def test_an_m_line_and_a_ufrag_of_any_name_are_found_or_an_operation_error(text, mid, index, ufrag, remote):
    description = Description("offer", remote)
    try:
        found = additions(CandidateInit(text, mid, index, ufrag), description, None)
    except OperationError:
        return
    named = [0, 1]
    if mid is not None:
        named = ["ab".index(mid)]
    elif index is not None:
        named = [index]
    assert [addition.index for addition in found] == named
    assert {(addition.ufrag, addition.line) for addition in found} == {("uuuu", text)}


# Descriptions

ENDS = st.sampled_from(["\n", "\r\n"])
WITHIN_A_LINE = TEXTS.map(lambda text: text.replace("\n", ""))
KNOWN_LINES = [
    "a=mid:0",
    "a=ice-ufrag:uuuu",
    "a=ice-options:trickle",
    "a=candidate:1 1 udp 1 192.0.2.9 5 typ host",
    "a=bundle-only",
    "c=IN IP4 0.0.0.0",
    "",
    " ",
]
OTHER_LINES = st.builds("{}={}".format, st.sampled_from(string.ascii_lowercase.replace("m", "")), WITHIN_A_LINE)
MEDIA_LINES = st.sampled_from(["m=audio 9 X 0", "m=video 0 X 96 97 ", "m=audio 49170/2 X 0", "m=a 9 X"])
END_LINES = st.sampled_from(["a=end-of-candidates", "a=end-of-candidates ", "a=end-of-candidates:x"])
LINES = st.one_of(st.sampled_from(KNOWN_LINES), OTHER_LINES, MEDIA_LINES, END_LINES)


@st.composite
def descriptions(draw):
    """The text of a description, whose lines end anyhow."""
    ends = draw(st.sampled_from([st.just("\n"), st.just("\r\n"), ENDS]))
    lines = ["v=0", *draw(st.lists(LINES, max_size=10))]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(1, len(lines))), draw(MEDIA_LINES))
    text = "".join(line + draw(ends) for line in lines)
    return text.removesuffix(draw(st.sampled_from(["", "", "\n", "\r\n"])))


@more
@given(descriptions())
def test_a_description_that_nothing_was_added_to_comes_back_byte_for_byte(text):
    description = Description("offer", text)
    assert description.value == RTCSessionDescription(type="offer", sdp=text)
    assert len(description.sections) == len(re.findall(r"(?:\A|\n)m=", text))


@more
@given(st.one_of(ANY_TEXT, st.builds("v=0\r\n{}".format, ANY_TEXT), st.lists(LINES).map("\n".join)))
def test_any_text_is_a_description_or_an_operation_error(text):
    try:
        description = Description("answer", text)
    except OperationError:
        return
    assert description.value.sdp == text
    assert len(repr(description.value)) < 100


RANKS = ["prflx", "host", "srflx", "relay"]


def place_for_candidates(text, index):
    """Where candidates are added to the section at *index*: before its end of candidates, or at its end."""
    starts = [match.start() for match in re.finditer(r"(?<=\n)m=", text)] + [len(text)]
    start, stop = starts[index], starts[index + 1]
    end = re.search(r"(?<=\n)a=end-of-candidates(?=:|\s*?(?:\n|\Z))", text[start:stop])
    return start + end.start() if end else stop


@more
@given(descriptions(), NUMBERS, st.lists(st.just("") | CANDIDATE_LINES, max_size=3))
def test_what_is_added_to_a_description_stands_in_its_place_and_all_else_stays(text, index, added):
    description = Description("offer", text)
    assume(description.sections)
    index %= len(description.sections)
    had_end = description.sections[index].ended
    for line in added:
        if line:
            description.add_candidate(index, line)
        else:
            description.end_candidates(index)
    end = "\r\n" if "\r\n" in text or "\n" not in text else "\n"
    lines = [f"a={line}{end}" for line in added if line]
    if "" in added and not had_end:
        lines.append(f"a=end-of-candidates{end}")
    place = place_for_candidates(text, index)
    if lines and not text[:place].endswith("\n"):
        lines.insert(0, "\n" if text[:place].endswith("\r") else end)
    assert description.value.sdp == text[:place] + "".join(lines) + text[place:]


@given(descriptions(), st.lists(candidates(), min_size=1, max_size=4), NUMBERS)
def test_candidates_of_our_own_change_the_default_destination_and_nothing_else(text, written, index):
    description, plain = Description("offer", text), Description("offer", text)
    assume(description.sections)
    index %= len(description.sections)
    for candidate in written:
        description.add_local_candidate(index, candidate.line)
        plain.add_candidate(index, candidate.line)
    udp = [w.says for w in written if w.says.protocol == "udp" and not is_name(w.says.address)]
    assume(udp)
    # max() takes the first of equals.
    says = max(udp, key=lambda says: (RANKS.index(says.type), ":" not in says.address))
    lines, before = (d.value.sdp.split("\n") for d in (description, plain))
    (media,) = [n for n, line in enumerate(before) if line.startswith("m=")][index : index + 1]
    assert lines[media] == re.sub(" [0-9]+", f" {says.port}", before[media], count=1)
    for number, (line, line_before) in enumerate(zip(lines, before, strict=True)):
        if line != line_before and number != media:
            assert line_before.startswith(("c=IN IP4 ", "c=IN IP6 "))
            assert line.rstrip("\r") == f"c=IN IP{6 if ':' in says.address else 4} {says.address}"
            assert line.endswith("\r") == line_before.endswith("\r")


@given(descriptions())
def test_the_engine_gets_a_description_without_its_candidates_and_with_all_else(text):
    kept = [
        line
        for line in text.split("\n")
        if not line.startswith("a=candidate:") and not line.startswith("a=end-of-candidates")
    ]
    assert [line.strip() for line in without_candidates(text).split("\n") if line.strip()] == [
        line.strip() for line in kept if line.strip()
    ]


# What JavaScript makes of any value

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(TEXTS, values, max_size=4),
    max_leaves=8,
)


def dictionaries(*names):
    """Dictionaries with some of the members *names*, of any value, and others."""
    return st.dictionaries(st.sampled_from(names) | TEXTS, JSON, max_size=len(names))


@more
@given(JSON)
@example(int("9" * 4300))
@example(-math.inf)
def test_every_value_has_a_text_and_a_number(value):
    text = dom_string(value)
    assert isinstance(text, str)
    assert isinstance(value, str) is False or text == value
    usv_string(value).encode()
    assert unsigned_short(value) in range(65536)
    assert nullable(dom_string, value) == (None if value is None else text)


@more
@given(st.floats() | st.integers(-(2**53), 2**53))
def test_the_text_of_a_number_is_that_number(value):
    text = dom_string(value)
    if isinstance(value, int) or math.isfinite(value):
        assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?(e[+-][1-9]\d*)?", text, re.ASCII)
        assert float(text) == value
        assert unsigned_short(text) == unsigned_short(value) == math.trunc(value) % 65536
    else:
        assert text in ("NaN", "Infinity", "-Infinity")
        assert unsigned_short(text) == unsigned_short(value) == 0


@more
@given(UTF_16)
def test_a_text_that_can_be_encoded_loses_only_what_cannot_be(text):
    """JavaScript's texts are UTF-16: two surrogates that belong together are one character."""
    whole = re.sub(
        "[\ud800-\udbff][\udc00-\udfff]",
        lambda pair: chr(0x10000 + ((ord(pair[0][0]) - 0xD800) << 10) + ord(pair[0][1]) - 0xDC00),
        text,
    )
    assert usv_string(text) == re.sub("[\ud800-\udfff]", "\ufffd", whole)


@given(JSON | dictionaries("sdpMid", "candidate"))
def test_members_are_read_from_every_dictionary_and_nothing_else(value):
    try:
        found = members(value, ("sdpMid", "candidate"), "it")
    except ArgumentTypeError:
        assert value is not None
        assert not isinstance(value, dict)
        return
    assert found == {name: value[name] for name in ("sdpMid", "candidate") if name in (value or {})}


CANDIDATE_MEMBERS = ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment", "relayProtocol", "url")


@more
@given(JSON | dictionaries(*CANDIDATE_MEMBERS))
def test_every_value_is_a_candidate_or_a_type_error(value):
    try:
        init = candidate_init(value)
    except ArgumentTypeError:
        pass
    else:
        assert init.index is None or init.index in range(65536)
        assert {type(member) for member in (init.candidate, init.mid, init.ufrag)} <= {str, type(None)}
    try:
        candidate = RTCIceCandidate(value) if not isinstance(value, str) else RTCIceCandidate(value, sdpMid="0")
    except ArgumentTypeError:
        return
    assert RTCIceCandidate(candidate) == candidate
    assert hash(candidate) == hash(RTCIceCandidate(candidate))
    json.dumps(candidate.toJSON())


@given(JSON | dictionaries("type", "sdp") | st.fixed_dictionaries({"type": st.just("offer")}, optional={"sdp": JSON}))
def test_every_value_is_a_description_or_a_type_error(value):
    try:
        init = description_init(value)
    except ArgumentTypeError:
        return
    assert init.keys() <= {"type", "sdp"}
    if "type" in init:
        assert RTCSessionDescription(init).toJSON() == {"sdp": "", **init}


MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "description": JSON | dictionaries("type", "sdp") | st.just({"type": "offer", "sdp": "v=0"}),
        "candidate": JSON | st.fixed_dictionaries({"candidate": TEXTS, "sdpMid": TEXTS | JSON}),
    },
)


@more
@given(JSON | MESSAGES)
def test_every_value_is_a_message_or_a_message_error(value):
    try:
        message = decode(json.dumps(value))
    except MessageError:
        return
    assert decode(encode(message)) == message


SERVERS = st.fixed_dictionaries(
    {"urls": st.sampled_from(["stun:a", "turn:a", ["turns:a", "stun:b"], "bogus"]) | JSON},
    optional={"username": TEXTS | JSON, "credential": TEXTS | JSON},
)


@given(
    st.one_of(
        JSON,
        dictionaries("iceTransportPolicy", "bundlePolicy", "rtcpMuxPolicy", "certificates", "iceCandidatePoolSize"),
        st.fixed_dictionaries({"iceServers": st.lists(SERVERS | JSON, max_size=3)}),
    )
)
def test_every_value_is_a_configuration_or_one_of_the_errors_of_the_w3c(value):
    try:
        checked = configuration(value)
    except (TypeError, DOMException):
        return
    assert configuration(checked.to_dict()) == checked


# Gathering: every order of reports that can happen


@dataclass
class Reports:
    """What is reported of one transport: what has happened so far, and with it what can happen next."""

    key: str
    index: int
    generations: dict[str, bool] = field(default_factory=dict)  # by ufrag; True once it has ended
    unsettled: int = 0  # how many ends the task after them has still to be reported of
    dropped: bool = False

    @property
    def mid(self):
        return f"mid {self.key}"

    def possible(self):
        """What can be reported next, apart from the loss. A transport that is lost may still have something to tell."""
        if not self.dropped and len(self.generations) < 3:
            yield "began", self.key, self.mid, self.index, f"{self.key}{len(self.generations)}"
        for ufrag, ended in self.generations.items():
            if not ended:
                yield "found", self.key, ufrag, f"candidate:{self.index} 1 udp 1 192.0.2.9 {len(ufrag)} typ host"
                yield "ended", self.key, ufrag
        if self.unsettled:
            yield "settled", self.key

    def note(self, name, key, *arguments):
        match name:
            case "began":
                self.generations[arguments[2]] = False
            case "ended":
                self.generations[arguments[0]] = True
                self.unsettled += 1
            case "settled":
                self.unsettled -= 1
            case "dropped":
                self.dropped = True


@dataclass
class User:
    """What a user has seen, and what must be true of it."""

    state: str = "new"
    states: dict[str, str] = field(default_factory=dict)  # of the transports that are not lost
    announced: list[RTCIceCandidate] = field(default_factory=list)
    completed: int = 0
    nulls: int = 0

    def see(self, steps, transports):
        """See the *steps* of one task."""
        for number, step in enumerate(steps):
            match step:
                case Write(index, ufrag, line):
                    assert steps[number + 1].candidate.toJSON() == {
                        "candidate": line,
                        "sdpMid": transports[index].mid,
                        "sdpMLineIndex": index,
                        "usernameFragment": ufrag,
                    }
                    assert not transports[index].dropped
                case Announce(None):
                    assert steps[number - 1] == ConnectionState("complete")
                    self.nulls += 1
                case Announce(candidate, transport):
                    assert isinstance(steps[number - 1], Write)
                    assert (transport is None) == (candidate.candidate == "")
                    assert transport in (None, transports[candidate.sdpMLineIndex].key)
                    assert (candidate.sdpMid, "", candidate.usernameFragment) not in [
                        (known.sdpMid, known.candidate, known.usernameFragment) for known in self.announced
                    ], "a marker is the last of its generation"
                    self.announced.append(candidate)
                case TransportState(key, state):
                    assert number == 0, "the transport's event comes before the connection's"
                    (transport,) = [t for t in transports if t.key == key]
                    assert not transport.dropped
                    assert state == ("complete" if all(transport.generations.values()) else "gathering")
                    assert state != self.states.get(key, "new")
                    self.states[key] = state
                    if state == "complete":
                        ended = {c.usernameFragment for c in self.announced if not c.candidate and c.sdpMid[-1:] == key}
                        assert ended == transport.generations.keys()
                case ConnectionState(state):
                    assert state != self.state
                    self.state = state
                    self.completed += state == "complete"

    def check(self, gathering, transports):
        """Compare what is known to a user with what the connection says."""
        for transport in transports:
            if transport.dropped:
                self.states.pop(transport.key, None)
        states = set(self.states.values())
        assert gathering.state == self.state
        assert self.state == ("gathering" if "gathering" in states else "complete" if states else "new")
        assert self.nulls == self.completed
        assert gathering.transports == tuple(self.states)
        newest = {list(t.generations)[-1] for t in transports if t.generations and not t.dropped}
        assert gathering.announced == tuple(c for c in self.announced if c.usernameFragment in newest)
        for transport in transports:
            if transport.key in self.states:
                assert gathering.place(transport.key) == (transport.mid, transport.index)
            for ufrag, ended in transport.generations.items():
                found = [c.candidate for c in self.announced if c.usernameFragment == ufrag and c.candidate]
                assert gathering.known(transport.key, ufrag) == (([], False) if transport.dropped else (found, ended))


CHOICES = st.integers(0, 40).flatmap(lambda count: st.lists(st.integers(0, 99), min_size=count, max_size=count))


@more
@given(CHOICES)
def test_gathering_is_told_in_order_whatever_happens_when(choices):
    gathering, user = Gathering(), User()
    transports = [Reports(key, index) for index, key in enumerate("ABC")]

    def report(name, key, *arguments):
        transport = transports["ABC".index(key)]
        lost = transport.dropped
        transport.note(name, key, *arguments)
        steps = getattr(gathering, name)(key, *arguments)
        assert not (lost and steps), "nothing is told of a transport that is gone"
        user.see(steps, transports)
        user.check(gathering, transports)

    for choice in choices:
        possible = [r for t in transports for r in t.possible()]
        if choice < 5 or not possible:  # seldom, or else there is nothing to see
            report("dropped", "ABC"[choice % 3])
        else:
            report(*possible[choice % len(possible)])

    # In the end, all that was begun is ended, and then it is complete.
    for transport in transports:
        for ufrag in [ufrag for ufrag, ended in transport.generations.items() if not ended]:
            report("ended", transport.key, ufrag)
        for _ in range(transport.unsettled):
            report("settled", transport.key)
    assert user.state == ("complete" if user.states else "new")
    assert set(user.states.values()) <= {"complete"}


# The ranking of host addresses

HOSTS = st.lists(st.ip_addresses().map(str), max_size=30)


@given(HOSTS)
def test_a_ranking_has_all_addresses_each_family_in_its_order(addresses):
    ranking = ranked(addresses)
    assert len(ranking) == len(addresses)
    for version in (4, 6):
        family, before = ([a for a in x if ipaddress.ip_address(a).version == version] for x in (ranking, addresses))
        assert family == before


@given(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.booleans())
def test_of_one_address_of_each_family_ipv6_is_the_first(ipv4, ipv6, swapped):
    assert ranked([ipv4, ipv6] if swapped else [ipv6, ipv4]) == [ipv6, ipv4]


@given(HOSTS)
def test_a_ranking_begins_with_ipv6_and_holds_no_family_up(addresses):
    """Between two IPv4 addresses there are as many IPv6 addresses as there are of them for each, or one fewer."""
    ranking = ranked(addresses)
    ipv4, ipv6 = (sum((":" in address) == six for address in addresses) for six in (False, True))
    assume(ipv4 and ipv6)
    assert ":" in ranking[0]
    runs = [len(run) for run in "".join("6" if ":" in address else "4" for address in ranking).split("4")]
    assert {*runs[:-1]} <= {ipv6 // ipv4, math.ceil(ipv6 / ipv4)}
    assert runs[-1] == 0
