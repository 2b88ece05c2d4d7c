import copy
import dataclasses
import pickle
from types import SimpleNamespace

import aiortc
import pytest

from peer._description import (
    SDP_TYPES,
    Description,
    RTCSessionDescription,
    associated,
    description_init,
    restarting,
    sdp_type,
    trickling,
    ufrags,
    without_candidates,
)
from peer._errors import OperationError

# The value


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (({"type": "offer", "sdp": "v=0\r\n"},), {}),
        (({"type": "answer", "sdp": "v=0\r\n"},), {"type": "offer"}),
        (({"type": "offer", "sdp": "v=1\r\n"},), {"sdp": "v=0\r\n"}),
        (({"type": "offer", "sdp": "v=0\r\n", "more": 1},), {}),
        ((SimpleNamespace(type="offer", sdp="v=0\r\n"),), {}),
        ((aiortc.RTCSessionDescription("v=0\r\n", "offer"),), {}),
        ((None,), {"type": "offer", "sdp": "v=0\r\n"}),
        ((), {"type": "offer", "sdp": "v=0\r\n"}),
        (("v=0\r\n", "offer"), {}),
        (("v=0\r\n",), {"type": "offer"}),
    ],
)
def test_a_session_description_is_made_from_a_dictionary_or_keywords_or_as_in_aiortc(arguments, keywords):
    description = RTCSessionDescription(*arguments, **keywords)
    assert (description.type, description.sdp) == ("offer", "v=0\r\n")


def test_a_session_description_without_a_text_has_the_empty_text():
    assert RTCSessionDescription({"type": "rollback"}).sdp == ""


@pytest.mark.parametrize(
    ("arguments", "keywords", "sentence"),
    [
        ((), {}, "needs a type"),
        ((None,), {}, "needs a type"),
        (({},), {}, "needs a type"),
        (("v=0\r\n",), {}, "needs a type"),
        (({"sdp": "v=0\r\n"},), {}, "needs a type"),
        (({"type": "Offer"},), {}, "'Offer' is not the type"),
        (({"type": ""},), {}, "'' is not the type"),
        (({"type": None},), {}, "'null' is not the type"),
        ((), {"type": None}, "'null' is not the type"),
        (("offer", "v=0\r\n"), {}, "is not the type"),
        ((5,), {}, "must be a dictionary"),
        ((b"v=0\r\n", "offer"), {}, "must be a dictionary"),
    ],
)
def test_a_session_description_that_makes_no_sense_is_a_type_error(arguments, keywords, sentence):
    with pytest.raises(TypeError, match=sentence):
        RTCSessionDescription(*arguments, **keywords)


@pytest.mark.parametrize("word", SDP_TYPES)
def test_the_w3c_has_four_types_of_description(word):
    assert sdp_type(word) == word
    assert RTCSessionDescription(type=word).toJSON() == {"type": word, "sdp": ""}


def test_an_except_clause_written_for_aiortc_catches_a_wrong_type():
    with pytest.raises(ValueError, match="is not the type"):
        RTCSessionDescription("v=0\r\n", "bogus")


def test_a_session_description_goes_over_the_wire_and_back():
    description = RTCSessionDescription(type="answer", sdp="v=0\r\na=x:ü\r\n")
    assert RTCSessionDescription(description.toJSON()) == description


@pytest.mark.parametrize("name", ["sdp", "type", "more"])
def test_a_session_description_cannot_be_changed(name):
    description = RTCSessionDescription(type="offer", sdp="v=0\r\n")
    with pytest.raises(AttributeError, match=name):
        setattr(description, name, "answer")
    with pytest.raises(AttributeError, match=name):
        delattr(description, name)
    assert description.toJSON() == {"type": "offer", "sdp": "v=0\r\n"}


def test_session_descriptions_are_values():
    one = RTCSessionDescription(type="offer", sdp="v=0\r\n")
    same = RTCSessionDescription("v=0\r\n", "offer")
    theirs = aiortc.RTCSessionDescription("v=0\r\n", "offer")
    assert one == same
    assert hash(one) == hash(same)
    assert one == theirs
    assert theirs == one
    assert one != RTCSessionDescription(type="answer", sdp="v=0\r\n")
    assert one != RTCSessionDescription(type="offer", sdp="v=0\n")
    assert one != aiortc.RTCSessionDescription("v=0\r\n", "answer")
    assert one != one.toJSON()
    assert one != "v=0\r\n"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_a_session_description_can_be_copied_and_pickled(duplicate):
    description = RTCSessionDescription(type="offer", sdp="v=0\r\n")
    assert duplicate(description) == description
    assert type(duplicate(description)) is RTCSessionDescription


def test_aiortc_takes_a_session_description_for_one_of_its_own():
    description = RTCSessionDescription(type="offer", sdp="v=0\r\n")
    assert isinstance(description, aiortc.RTCSessionDescription)
    assert dataclasses.asdict(description) == {"sdp": "v=0\r\n", "type": "offer"}


def test_a_session_description_prints_in_one_short_line():
    text = "v=0\r\nm=audio 9 RTP/AVP 0\r\na=secret:1\r\nm=video 9 RTP/AVP 1\r\n"
    assert repr(RTCSessionDescription(type="offer", sdp=text)) == (
        f"RTCSessionDescription(offer, 2 m= lines, {len(text)} characters)"
    )


def test_a_printed_session_description_counts_lines_that_begin_with_m():
    text = "v=0\r\nm=audio 9 RTP/AVP 0\r\na=fmtp:0 param=1;stream=2\r\n"
    assert "1 m= lines" in repr(RTCSessionDescription(type="offer", sdp=text))


@pytest.mark.parametrize(
    ("given", "converted"),
    [
        (None, {}),
        ({}, {}),
        ({"type": "offer"}, {"type": "offer"}),
        ({"sdp": "v=0"}, {"sdp": "v=0"}),
        ({"sdp": None}, {"sdp": "null"}),
        ({"sdp": 5, "type": "answer", "other": 1}, {"type": "answer", "sdp": "5"}),
        (aiortc.RTCSessionDescription("v=0", "pranswer"), {"type": "pranswer", "sdp": "v=0"}),
    ],
    ids=str,
)
def test_what_a_user_passes_as_a_description_is_converted_as_in_a_browser(given, converted):
    assert description_init(given) == converted


@pytest.mark.parametrize(
    ("arguments", "converted"),
    [
        (({"type": "offer", "sdp": "v=0"}, None, None), {"type": "offer", "sdp": "v=0"}),
        (({"type": "offer", "sdp": "v=0"}, "answer"), {"type": "answer", "sdp": "v=0"}),
        (({"type": "offer", "sdp": "v=0"}, None, "v=1"), {"type": "offer", "sdp": "v=1"}),
        ((None, "offer", "v=0"), {"type": "offer", "sdp": "v=0"}),
        (({}, "rollback"), {"type": "rollback"}),
        ((None, None, 5), {"sdp": "5"}),
        (({"type": "not looked at"}, "offer"), {"type": "offer"}),
    ],
    ids=str,
)
def test_a_keyword_outranks_what_a_user_passed_as_a_description(arguments, converted):
    assert description_init(*arguments) == converted


def test_a_keyword_is_converted_like_a_member():
    with pytest.raises(TypeError, match="'Offer' is not the type"):
        description_init({"type": "offer"}, "Offer")


# The text. Everything in it that nobody understands must stay as it is.

CRLF = (
    "v=0\r\n"
    "o=- 1 1 IN IP4 0.0.0.0\r\n"
    "s=-\r\n"
    "t=0 0\r\n"
    "a=group:BUNDLE 0 1\r\n"
    "a=x-unknown:  spaces \t and \u20ac\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "b=AS:30\r\n"
    "a=mid:0\r\n"
    "a=ice-ufrag:aaaa\r\n"
    "a=x-new-in-2030\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "a=mid:1\r\n"
    "a=ice-ufrag:bbbb\r\n"
    "a=ice-options:trickle renomination\r\n"
)
LF = CRLF.replace("\r\n", "\n")
FIREFOX_LIKE = (  # candidates and their end stand in the middle of the section, and the options at the top
    "v=0\r\n"
    "a=ice-options:trickle\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    "c=IN IP4 0.0.0.0\r\n"
    "a=candidate:0 1 UDP 1 192.0.2.1 5000 typ host\r\n"
    "a=end-of-candidates\r\n"
    "a=ice-ufrag:aaaa\r\n"
    "a=mid:0\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CRLF, id="CR LF"),
        pytest.param(LF, id="LF"),
        pytest.param(CRLF.removesuffix("\r\n"), id="CR LF, not at the end"),
        pytest.param(LF.removesuffix("\n"), id="LF, not at the end"),
        pytest.param(CRLF.replace("\r\n", "\n", 3), id="mixed"),
        pytest.param(CRLF.removesuffix("\n"), id="CR at the end"),
        pytest.param(CRLF + "\r\n", id="empty line at the end"),
        pytest.param(FIREFOX_LIKE, id="end of candidates in the middle"),
        pytest.param("v=0", id="one line, no end"),
        pytest.param("v=0\r\n", id="one line"),
        pytest.param("v=0\r\nm=audio 9 RTP/AVP 0", id="an m= line without an end"),
        pytest.param(CRLF.replace("a=mid:0\r\n", "a=mid:0 \r\n"), id="a space at the end of a line"),
        pytest.param(
            CRLF.replace("new-in-2030", "new:\u2028a=mid:7\x85\x0b\x0c"), id="separators that are no line ends"
        ),
    ],
)
def test_a_text_comes_back_byte_for_byte(text):
    value = Description("offer", text).value
    assert value.sdp == text
    assert value.type == "offer"


def sections(text):
    return Description("offer", text).sections


def test_a_text_is_cut_at_its_m_lines():
    audio, data = sections(CRLF)
    assert (audio.kind, audio.mid, audio.ufrag, audio.trickle) == ("audio", "0", "aaaa", False)
    assert (data.kind, data.mid, data.ufrag, data.trickle) == ("application", "1", "bbbb", True)


def test_a_section_is_read_past_its_end_of_candidates():
    (section,) = sections(FIREFOX_LIKE)
    assert (section.mid, section.ufrag, section.trickle, section.ended) == ("0", "aaaa", True, True)
    assert section.candidates == ["candidate:0 1 UDP 1 192.0.2.1 5000 typ host"]


def test_what_stands_before_the_first_m_line_speaks_for_the_sections_without_their_own():
    text = (
        "v=0\r\na=ice-ufrag:session\r\na=ice-options:ice2 trickle\r\n"
        "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        "m=video 9 RTP/AVP 0\r\na=mid:1\r\na=ice-ufrag:own\r\na=ice-options:ice2\r\n"
    )
    assert [(s.mid, s.ufrag, s.trickle) for s in sections(text)] == [("0", "session", True), ("1", "own", True)]


def test_a_section_may_say_nothing_of_itself():
    (section,) = sections("v=0\r\nm=audio 9 RTP/AVP 0\r\n")
    assert (section.mid, section.ufrag, section.trickle, section.ended) == (None, None, False, False)
    assert section.candidates == []


@pytest.mark.parametrize(
    ("media", "rejected"),
    [
        ("m=audio 9 RTP/AVP 0", False),
        ("m=audio 0 RTP/AVP 0", True),
        ("m=audio 00 RTP/AVP 0", True),
        ("m=audio 0/2 RTP/AVP 0", True),
        ("m=audio 50000/2 RTP/AVP 0", False),
        ("m=audio 0 RTP/AVP 0\r\na=bundle-only", False),
        ("m=audio 0 RTP/AVP 0\r\na=bundle-only:not", False),
        ("m=application 0 UDP/DTLS/SCTP webrtc-datachannel", True),
        ("m=audio 9 RTP/AVP", False),
        ("m=audio 9 RTP/AVP 0 8 101 ", False),
    ],
)
def test_a_section_with_port_zero_is_rejected_unless_it_waits_for_a_bundle(media, rejected):
    (section,) = sections(f"v=0\r\n{media}\r\n")
    assert section.rejected is rejected


@pytest.mark.parametrize(
    ("text", "trickle"),
    [
        (CRLF, False),  # one section of two
        (FIREFOX_LIKE, True),
        (CRLF.replace("a=mid:0\r\n", "a=mid:0\r\na=ice-options:trickle\r\n"), True),
        (CRLF.replace("trickle renomination", "trickled"), False),
        ("v=0\r\na=ice-options:trickle\r\n", True),
        ("v=0\r\n", False),
        ("v=0\r\nm=audio 0 X 0\r\nm=video 9 X 0\r\na=ice-options:trickle\r\n", True),  # rejected ones do not count
    ],
)
def test_a_description_trickles_if_all_of_its_sections_do(text, trickle):
    assert Description("offer", text).trickle is trickle


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("\r\n", 1),
        ("v=1\r\n", 1),
        ("\r\nv=0\r\n", 1),
        ("m=audio 9 RTP/AVP 0\r\n", 1),
        ("v=0\rm=audio 9 RTP/AVP 0\r", 1),
        ("v=0\r\nhello\r\n", 2),
        ("v=0\r\ns=-\r\n a=indented\r\n", 3),
        ("v=0\r\ns=-\r\nA=b\r\n", 3),
        ("v=0\r\ns=-\r\na\r\n", 3),
        ("v=0\n\n\n=\n", 4),
    ],
)
def test_what_is_no_description_is_refused_with_the_number_of_the_line(text, number):
    with pytest.raises(OperationError, match=rf"line {number}\b"):
        Description("offer", text)


@pytest.mark.parametrize(
    "line", ["m=", "m=audio", "m=audio 9", "m=audio x RTP/AVP 0", "m=audio  9 RTP/AVP 0", "m=a -1 b"]
)
def test_an_m_line_that_is_none_is_refused(line):
    with pytest.raises(OperationError, match="not an m= line"):
        Description("offer", f"v=0\r\n{line}\r\n")


@pytest.mark.parametrize(
    ("own", "known", "mids"),
    [
        pytest.param([], [], [], id="no m-line"),
        pytest.param(["a", "1"], ["0", "1"], ["a", "1"], id="all have one"),
        pytest.param([None, None], [], ["0", "1"], id="none has one"),
        pytest.param([None, "0", None], [], ["1", "0", "2"], id="a number that another has"),
        pytest.param([None, None], ["x", "y"], ["x", "y"], id="those they had before"),
        pytest.param(["a", None], ["x", "y"], ["a", "y"], id="the one it had before"),
        pytest.param([None, None, None], ["1", "0"], ["1", "0", "2"], id="a number that another had before"),
        pytest.param([None, "x"], ["x", "y"], ["0", "x"], id="the one it had before is another's now"),
        pytest.param([""], ["x"], [""], id="an empty one is one"),
    ],
)
def test_an_m_line_without_a_mid_gets_one_that_only_the_engine_sees(own, known, mids):
    lines = ["" if mid is None else f"a=mid:{mid}\r\n" for mid in own]
    text = "v=0\r\n" + "".join(f"m=audio 9 X {n}\r\n{line}a=x\r\n" for n, line in enumerate(lines))
    description = Description("offer", text)
    description.name(known)
    assert [section.mid for section in description.sections] == mids
    assert description.value.sdp == text
    named = "".join(f"m=audio 9 X {n}\r\na=mid:{mid}\r\na=x\r\n" for n, mid in enumerate(mids))
    assert description.named == f"v=0\r\n{named}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("v=0\nm=audio 9 X 0\n", "v=0\nm=audio 9 X 0\na=mid:0\n"),
        ("v=0\r\nm=audio 9 X 0", "v=0\r\nm=audio 9 X 0\r\na=mid:0\r\n"),
        ("v=0\r\nm=audio 9 X 0\r", "v=0\r\nm=audio 9 X 0\r\na=mid:0\r\n"),
    ],
    ids=ascii,
)
def test_the_mid_that_the_engine_sees_has_a_line_of_its_own(text, named):
    description = Description("offer", text)
    description.name([])
    assert description.named == named
    description.add_candidate(0, ONE)
    end = "\r\n" if "\r" in text else "\n"
    assert description.named == f"{named}a={ONE}{end}"


def test_a_description_knows_what_its_m_lines_say_of_their_transport():
    session = "v=0\r\na=fingerprint:SHA-256 AA\r\na=setup:actpass\r\n"
    own = "a=setup:active\r\na=rtcp-mux\r\na=fingerprint:sha-512 AA\r\n"
    first, second = Description("offer", f"{session}m=audio 9 X 0\r\nm=audio 9 X 0\r\n{own}").sections
    assert (first.setup, first.hashes, first.multiplexed) == ("actpass", ["sha-256"], False)
    assert (second.setup, second.hashes, second.multiplexed) == ("active", ["sha-256", "sha-512"], True)
    (bare,) = Description("offer", "v=0\r\nm=audio 9 X 0\r\n").sections
    assert (bare.setup, bare.hashes, bare.multiplexed) == (None, [], False)


def test_a_description_knows_all_its_groups_and_uses_the_first():
    description = Description("offer", "v=0\r\na=group:BUNDLE 1 0\r\na=group:BUNDLE 2\r\na=group:LS 1\r\n")
    assert (description.groups, description.group) == ([["1", "0"], ["2"]], ["1", "0"])
    assert Description("offer", "v=0\r\n").groups == []


def test_a_description_knows_the_mids_of_its_rejected_m_lines():
    media = ("m=audio 0 X 0\r\na=mid:c", "m=audio 9 X 0\r\na=mid:b", "m=audio 0 X 0", "m=audio 0 X 0\r\na=mid:a")
    bundled = "m=audio 0 X 0\r\na=mid:d\r\na=bundle-only"
    assert Description("offer", "\r\n".join(("v=0", *media, bundled, ""))).rejected == ["c", "a"]
    assert Description("offer", CRLF).rejected == []


def test_what_an_answer_will_reject_is_not_used_either():
    description = Description("offer", CRLF.replace("m=audio 9", "m=audio 0"))
    description.refused = {"1"}
    assert (description.rejected, description.unused) == (["0"], ["0", "1"])


# Adding candidates

ONE = "candidate:1 1 udp 1 192.0.2.1 5 typ host"
TWO = "candidate:2 1 udp 1 192.0.2.1 6 typ host"
END = ""  # stands for the end of candidates in the tables

HEAD = "v=0\r\n"
MEDIA = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"


@pytest.mark.parametrize(
    ("text", "added", "result"),
    [
        pytest.param(HEAD + MEDIA, [ONE], HEAD + MEDIA + f"a={ONE}\r\n", id="at the end"),
        pytest.param(HEAD + MEDIA, [ONE, TWO], HEAD + MEDIA + f"a={ONE}\r\na={TWO}\r\n", id="in the order of adding"),
        pytest.param(HEAD + MEDIA, [ONE, ONE], HEAD + MEDIA + f"a={ONE}\r\na={ONE}\r\n", id="twice when added twice"),
        pytest.param(HEAD + MEDIA, [END], HEAD + MEDIA + "a=end-of-candidates\r\n", id="the end alone"),
        pytest.param(HEAD + MEDIA, [END, END], HEAD + MEDIA + "a=end-of-candidates\r\n", id="the end once"),
        pytest.param(
            HEAD + MEDIA,
            [ONE, END, TWO],
            HEAD + MEDIA + f"a={ONE}\r\na={TWO}\r\na=end-of-candidates\r\n",
            id="late ones before an end that was added",
        ),
        pytest.param(
            HEAD + MEDIA,
            [END, ONE, TWO, END],
            HEAD + MEDIA + f"a={ONE}\r\na={TWO}\r\na=end-of-candidates\r\n",
            id="all of them late",
        ),
        pytest.param(
            FIREFOX_LIKE,
            [ONE, TWO, END],
            FIREFOX_LIKE.replace("a=end-of", f"a={ONE}\r\na={TWO}\r\na=end-of"),
            id="before an end that the text came with",
        ),
        pytest.param(
            HEAD + MEDIA + "m=video 9 RTP/AVP 0\r\n",
            [ONE, END],
            HEAD + MEDIA + f"a={ONE}\r\na=end-of-candidates\r\nm=video 9 RTP/AVP 0\r\n",
            id="before the next m= line",
        ),
        pytest.param(
            HEAD + MEDIA + "a=end-of-candidates\r\na=x\r\nm=video 9 RTP/AVP 0\r\n",
            [ONE],
            HEAD + MEDIA + f"a={ONE}\r\na=end-of-candidates\r\na=x\r\nm=video 9 RTP/AVP 0\r\n",
            id="before an end, before the next m= line",
        ),
        pytest.param(
            "v=0\nm=audio 9 RTP/AVP 0\n",
            [ONE, END],
            f"v=0\nm=audio 9 RTP/AVP 0\na={ONE}\na=end-of-candidates\n",
            id="LF",
        ),
        pytest.param(
            "v=0\nm=audio 9 RTP/AVP 0",
            [ONE, END],
            f"v=0\nm=audio 9 RTP/AVP 0\na={ONE}\na=end-of-candidates\n",
            id="LF, not at the end",
        ),
        pytest.param(
            "v=0\r\nm=audio 9 RTP/AVP 0",
            [ONE],
            f"v=0\r\nm=audio 9 RTP/AVP 0\r\na={ONE}\r\n",
            id="CR LF, not at the end",
        ),
        pytest.param(
            "v=0\r\nm=audio 9 RTP/AVP 0\r",
            [ONE, END],
            f"v=0\r\nm=audio 9 RTP/AVP 0\r\na={ONE}\r\na=end-of-candidates\r\n",
            id="CR LF, cut off after the CR",
        ),
        pytest.param(
            "v=0\nm=audio 9 RTP/AVP 0\r",
            [ONE],
            f"v=0\nm=audio 9 RTP/AVP 0\r\na={ONE}\n",
            id="LF, cut off after a CR",
        ),
        pytest.param(
            "v=0\r\nm=audio 9 RTP/AVP 0\r\na=end-of-candidates",
            [ONE],
            f"v=0\r\nm=audio 9 RTP/AVP 0\r\na={ONE}\r\na=end-of-candidates",
            id="before an end without a line end",
        ),
        pytest.param(
            "v=0\nm=audio 9 RTP/AVP 0\r\n",
            [ONE],
            f"v=0\nm=audio 9 RTP/AVP 0\r\na={ONE}\r\n",
            id="mixed line ends",
        ),
    ],
)
def test_candidates_are_added_in_their_place_and_nothing_else_changes(text, added, result):
    description = Description("offer", text)
    for line in added:
        if line == END:
            description.end_candidates(0)
        else:
            description.add_candidate(0, line)
    assert description.value.sdp == result


def test_each_section_has_its_own_candidates():
    description = Description("offer", CRLF)
    description.add_candidate(1, TWO)
    description.add_candidate(0, ONE)
    description.end_candidates(1)
    first, second = description.value.sdp.split("m=application")
    assert first.endswith(f"a=x-new-in-2030\r\na={ONE}\r\n")
    assert second.endswith(f"renomination\r\na={TWO}\r\na=end-of-candidates\r\n")
    assert [section.ended for section in description.sections] == [False, True]


def test_what_was_added_is_not_taken_for_what_the_text_came_with():
    description = Description("offer", CRLF)
    description.add_candidate(0, ONE)
    assert description.sections[0].candidates == []


def test_a_description_with_additions_reads_like_the_text_it_has_become():
    description = Description("offer", CRLF)
    description.add_candidate(0, ONE)
    description.end_candidates(0)
    again = Description("offer", description.value.sdp)
    assert again.sections[0].candidates == [ONE]
    assert again.sections[0].ended
    again.add_candidate(0, TWO)
    description.add_candidate(0, TWO)
    assert again.value == description.value


def test_the_value_is_the_same_object_until_something_is_added():
    description = Description("answer", CRLF)
    before = description.value
    assert description.value is before
    description.add_candidate(0, ONE)
    between = description.value
    assert between is not before
    assert description.value is between
    description.end_candidates(0)
    assert description.value is not between
    assert before.sdp == CRLF
    assert {before.type, between.type, description.value.type} == {"answer"}


# Candidates of our own. The best one so far is the default destination, in m= and c=.

PARTS = ("v=0\r\nc=IN IP4 198.51.100.1\r\nm=audio ", "/2 RTP/AVP 0\r\ni=50 IN IP4\r\nc=IN ", "\r\na=mid:0\r\n")


def local(*kinds):
    """A candidate for each of *kinds*: its type, the family, and its number, which is its port, too."""
    texts = []
    for kind in kinds:
        type, family, number = kind.split()
        address = f"192.0.2.{number}" if family == "4" else f"2001:db8::{number}"
        texts.append(f"candidate:{number} 1 udp 1 {address} {number} typ {type}")
    return texts


@pytest.mark.parametrize(
    ("kinds", "default"),
    [
        pytest.param([], "9 IP4 0.0.0.0", id="none yet"),
        pytest.param(["host 4 1"], "1 IP4 192.0.2.1", id="the only one"),
        pytest.param(["host 6 1"], "1 IP6 2001:db8::1", id="IPv6, if there is nothing else"),
        pytest.param(["host 4 1", "host 4 2"], "1 IP4 192.0.2.1", id="the first of equals"),
        pytest.param(["host 6 1", "host 6 2"], "1 IP6 2001:db8::1", id="the first of equals, IPv6"),
        pytest.param(["host 6 1", "host 4 2", "host 6 3"], "2 IP4 192.0.2.2", id="IPv4 before IPv6"),
        pytest.param(["host 4 1", "srflx 4 2", "host 4 3"], "2 IP4 192.0.2.2", id="srflx before host"),
        pytest.param(["host 4 1", "srflx 6 2"], "2 IP6 2001:db8::2", id="the type before the family"),
        pytest.param(["srflx 4 1", "relay 4 2", "srflx 4 3"], "2 IP4 192.0.2.2", id="relay before srflx"),
        pytest.param(["relay 6 1", "relay 4 2", "relay 4 3"], "2 IP4 192.0.2.2", id="the best one of the best type"),
        pytest.param(["prflx 4 1", "host 6 2", "prflx 4 3"], "2 IP6 2001:db8::2", id="prflx comes last"),
        pytest.param(["host 4 50000", "relay 6 7"], "7 IP6 2001:db8::7", id="of different length"),
    ],
)
def test_the_best_candidate_of_our_own_is_the_default_destination(kinds, default):
    description = Description("offer", f"{PARTS[0]}9{PARTS[1]}IP4 0.0.0.0{PARTS[2]}")
    for text in local(*kinds):
        description.add_local_candidate(0, text)
    port, destination = default.split(" ", 1)
    added = "".join(f"a={text}\r\n" for text in local(*kinds))
    assert description.value.sdp == f"{PARTS[0]}{port}{PARTS[1]}{destination}{PARTS[2]}{added}"


def test_each_section_has_its_own_default_destination():
    media = "m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n"
    description = Description("offer", f"v=0\r\n{media}{media}")
    (text,) = local("host 4 5")
    description.add_local_candidate(1, text)
    changed = media.replace(" 9 ", " 5 ").replace("0.0.0.0", "192.0.2.5")
    assert description.value.sdp == f"v=0\r\n{media}{changed}a={text}\r\n"


def test_every_address_of_a_section_becomes_the_default_destination_and_every_line_keeps_its_end():
    section = "m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0/127\r\nc=IN IP6 :: \nb=c=IN IP4 0.0.0.0"
    description = Description("offer", f"v=0\n{section}")
    (text,) = local("host 4 5")
    description.add_local_candidate(0, text)
    assert description.value.sdp == (
        f"v=0\nm=audio 5 RTP/AVP 0\nc=IN IP4 192.0.2.5\r\nc=IN IP4 192.0.2.5\nb=c=IN IP4 0.0.0.0\r\na={text}\r\n"
    )


def test_what_cannot_be_read_is_added_and_is_no_destination():
    description = Description("offer", HEAD + MEDIA)
    description.add_local_candidate(0, "candidate:garbage")
    assert description.value.sdp == HEAD + MEDIA + "a=candidate:garbage\r\n"


def test_the_end_of_candidates_changes_no_destination():
    description = Description("offer", HEAD + MEDIA)
    first, late = local("host 4 5", "relay 4 6")
    description.add_local_candidate(0, first)
    description.end_candidates(0)
    assert " 5 RTP/AVP" in description.value.sdp
    description.add_local_candidate(0, late)
    assert description.value.sdp == (
        HEAD + MEDIA.replace(" 9 ", " 6 ") + f"a={first}\r\na={late}\r\na=end-of-candidates\r\n"
    )


def test_the_value_has_the_default_destination_of_its_time():
    description = Description("offer", HEAD + MEDIA)
    values = []
    for text in local("host 4 5", "srflx 4 6"):
        description.add_local_candidate(0, text)
        values.append(description.value)
        assert description.value is values[-1]
    assert [value.sdp.split(" ")[1] for value in values] == ["5", "6"]


def test_a_remote_description_keeps_the_destination_it_came_with():
    description = Description("offer", HEAD + MEDIA)
    for text in local("host 4 5", "relay 4 6"):
        description.add_candidate(0, text)
    assert description.value.sdp.startswith(HEAD + MEDIA)


def test_a_section_is_found_by_its_mid():
    description = Description("offer", CRLF)
    assert [description.index(mid) for mid in ("0", "1", "2", "")] == [0, 1, None, None]


def test_a_section_without_a_mid_is_found_by_no_mid():
    assert Description("offer", "v=0\r\nm=audio 9 RTP/AVP 0\r\n").index("0") is None


@pytest.mark.parametrize(
    ("index", "ufrag", "carried"),
    [(0, "aaaa", True), (1, "bbbb", True), (0, "bbbb", False), (0, None, False), (2, "aaaa", False), (2, None, False)],
)
def test_a_section_carries_the_generation_whose_ufrag_it_names(index, ufrag, carried):
    assert Description("offer", CRLF).carries(index, ufrag) is carried


# The engine's texts


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        (HEAD + MEDIA, HEAD + MEDIA),
        (
            FIREFOX_LIKE,
            FIREFOX_LIKE.replace("a=candidate:0 1 UDP 1 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n", ""),
        ),
        (f"v=0\nm=audio 9 RTP/AVP 0\na={ONE}", "v=0\nm=audio 9 RTP/AVP 0\n"),
        (f"v=0\na=x:a={ONE}\n", f"v=0\na=x:a={ONE}\n"),
        # blanks at the ends of lines
        ("v=0 \r\na=x \t \r\na=y\t\na=z  ", "v=0\r\na=x\r\na=y\na=z"),
        ("v=0\r\na=x  y\r\n \r\n", "v=0\r\na=x  y\r\n\r\n"),
        ("v=0\r\na=x\xa0\r\n", "v=0\r\na=x\xa0\r\n"),
    ],
)
def test_candidates_can_be_taken_out_of_a_text_with_the_blanks_at_the_ends_of_lines(text, result):
    assert without_candidates(text) == result


def test_a_line_full_of_blanks_takes_no_longer_than_others():
    text = f"v=0\r\na={' ' * 1_000_000}x\r\n"  # for hours, if it were quadratic
    assert without_candidates(text) == text


def test_a_description_that_trickles_has_no_address_and_no_candidate_and_says_that_more_will_come():
    text = (
        "v=0\r\n"
        "o=- 1 1 IN IP4 192.0.2.7\r\n"
        "s=-\r\n"
        "m=audio 50001 UDP/TLS/RTP/SAVPF 96\r\n"
        "c=IN IP4 192.0.2.7\r\n"
        "a=rtcp:9 IN IP4 0.0.0.0\r\n"
        "a=candidate:1 1 udp 1 192.0.2.7 50001 typ host\r\n"
        "a=end-of-candidates\r\n"
        "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n"
        "c=IN IP4 0.0.0.0\r\n"
        "m=application 50002 DTLS/SCTP 5000\r\n"
        "c=IN IP6 2001:db8::7\r\n"
        "a=sctpmap:5000 c=IN IP4 192.0.2.7\r\n"
    )
    assert trickling(text) == (
        "v=0\r\n"
        "o=- 1 1 IN IP4 192.0.2.7\r\n"
        "s=-\r\n"
        "a=ice-options:trickle\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n"
        "c=IN IP4 0.0.0.0\r\n"
        "a=rtcp:9 IN IP4 0.0.0.0\r\n"
        "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n"
        "c=IN IP4 0.0.0.0\r\n"
        "m=application 9 DTLS/SCTP 5000\r\n"
        "c=IN IP4 0.0.0.0\r\n"
        "a=sctpmap:5000 c=IN IP4 192.0.2.7\r\n"
    )
    assert Description("offer", trickling(text)).trickle


def test_a_description_without_m_lines_can_say_that_it_trickles_too():
    assert trickling("v=0\r\ns=-\r\n") == "v=0\r\ns=-\r\na=ice-options:trickle\r\n"


def test_a_bundle_of_no_m_lines_is_left_out():
    assert trickling("v=0\r\na=group:BUNDLE \r\n") == "v=0\r\na=ice-options:trickle\r\n"
    assert "a=group:BUNDLE 0\r\n" in trickling("v=0\r\na=group:BUNDLE 0\r\nm=audio 9 RTP/AVP 0\r\n")


STREAMS = (
    "v=0\r\na=msid-semantic:WMS *\r\n",
    "m=audio 9 X 0\r\na=mid:0\r\na=msid:its audio\r\na=x\r\n",
    "m=application 9 X 0\r\na=mid:1\r\n",
    "m=video 9 X 0\r\na=mid:2\r\na=msid:its video\r\na=y\r\n",
)


@pytest.mark.parametrize(
    ("streams", "audio", "video"),
    [
        ({}, "", ""),
        ({0: (), 2: ("one",)}, "a=msid:- audio\r\n", "a=msid:one video\r\n"),
        ({2: ("one", "t\\2")}, "", "a=msid:one video\r\na=msid:t\\2 video\r\n"),
        ({0: ("one",), 1: ("one",), 2: ("one",)}, "a=msid:one audio\r\n", "a=msid:one video\r\n"),
    ],
)
def test_the_streams_of_our_tracks_take_the_place_of_the_one_that_the_engine_has_invented(streams, audio, video):
    expected = "".join(STREAMS).replace("a=msid:its audio\r\n", audio).replace("a=msid:its video\r\n", video)
    assert associated("".join(STREAMS), streams) == expected
    sections = Description("offer", expected).sections
    assert [section.streams for section in sections] == [
        [] if section.kind == "application" else list(streams.get(index, ())) for index, section in enumerate(sections)
    ]
    assert [section.has_msid for section in sections] == [bool(audio), False, bool(video)]


@pytest.mark.parametrize(
    ("lines", "streams"),
    [
        ("", []),
        ("a=msid:one\r\n", ["one"]),
        ("a=msid:one track\r\n", ["one"]),
        ("a=msid:two track\r\na=msid:one track\r\na=msid:two track\r\n", ["two", "one"]),
        ("a=msid:- track\r\n", []),
        ("a=msid: track\r\n", []),
        ("a=msid:\r\n", []),
        ("a=msid-semantic:WMS one\r\n", []),
    ],
)
def test_a_section_names_each_of_its_streams_once(lines, streams):
    (section,) = Description("offer", f"v=0\r\nm=audio 9 X 0\r\n{lines}").sections
    assert section.streams == streams
    assert section.has_msid == ("a=msid:" in lines)


@pytest.mark.parametrize(
    ("direction", "sends", "receives"),
    [
        ("", True, True),
        ("a=sendrecv", True, True),
        ("a=sendonly", True, False),
        ("a=recvonly", False, True),
        ("a=inactive", False, False),
    ],
)
def test_a_section_sends_and_receives_as_its_direction_says_unless_it_is_rejected(direction, sends, receives):
    for port, accepted in (("9", True), ("0", False)):
        (section,) = Description("offer", f"v=0\r\nm=audio {port} X 0\r\n{direction}\r\n").sections
        assert (section.sends, section.receives) == (sends and accepted, receives and accepted)


def test_an_end_of_candidates_of_the_session_is_that_of_every_section():
    text = "v=0\r\na=end-of-candidates\r\nm=audio 9 X 0\r\na=mid:0\r\n"
    description = Description("offer", text)
    assert description.sections[0].ended
    for line in ("candidate:one", "candidate:two"):
        description.add_candidate(0, line)
    description.end_candidates(0)
    assert description.value.sdp == f"{text}a=candidate:one\r\na=candidate:two\r\n"


def test_a_restart_gives_all_m_lines_the_same_new_credentials_and_changes_nothing_else():
    session = "v=0\r\na=ice-ufrag:old\r\na=ice-pwd:secret\r\n"
    text = f"{session}m=audio 9 X 0\r\na=ice-ufrag:old2\r\na=ice-pwd:secret2\r\na=x\r\n"
    changed = restarting(text, "n+w/", "ne\\1wer")
    assert ufrags(text) == ["old", "old2"]
    assert ufrags(changed) == ["n+w/", "n+w/"]
    assert changed.count("a=ice-pwd:ne\\1wer\r\n") == 2
    assert changed.replace("n+w/", "old").replace("ne\\1wer", "secret") == text.replace("old2", "old").replace(
        "secret2", "secret"
    )
