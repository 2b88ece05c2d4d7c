"""What is refused, by which name, and what is not."""

import re

import pytest
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS

from peer import _validation
from peer._description import Description
from peer._errors import InvalidAccessError, OperationError
from peer._validation import check, check_restart, check_syntax

SESSION = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
TRANSPORT = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=fingerprint:sha-256 AA:0b\r\na=setup:actpass\r\n"
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=rtcp-mux\r\n{TRANSPORT}"
DATA = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n{TRANSPORT}"
OFFER = SESSION + AUDIO + DATA
ANSWER = OFFER.replace("actpass", "active")


def edited(text, *edits):
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after)
    return text


def described(type, text, known=()):
    description = Description(type, text)
    description.name([section.mid for section in known])
    return description


def offered(text, *last):
    last = [described("offer", each) for each in last]
    check(described("offer", text, last[0].sections if last else ()), None, last)


def answered(text, offer=OFFER, type="answer"):
    offer = described("offer", offer)
    check(described(type, text, offer.sections), offer, [offer])


def rejecting(text, *mids):
    """*text* with these m-lines rejected, and not bundled."""
    for mid in mids:
        text = re.sub(rf"(m=\S+) 9 (.*\r\na=mid:{mid}\r\n)", r"\1 0 \2", text)
        text = re.sub(rf"(a=group:BUNDLE.*) {mid}\b", r"\1", text)
    return text


# Syntax


@pytest.mark.parametrize(
    "text",
    [
        OFFER,
        OFFER.replace("\r\n", "\n"),
        OFFER.replace("\r\n", " \t\r\r\n"),
        OFFER.removesuffix("\r\n"),
        OFFER + "\r\n\r\n",
        SESSION,
        edited(OFFER, ("t=0 0\r\n", "i=x\r\nt=0 0\r\n")),
        edited(OFFER, ("audio 9", "audio 65535/2")),
        edited(OFFER, ("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")),
        OFFER + "a=extmap:1/sendonly urn:x y\r\na=msid:a b\r\na=msid:-\r\na=mid:~{|}!#*+.-^_`'$%&\r\na=x\r\nx=\r\n",
    ],
    ids=ascii,
)
def test_what_is_sdp_passes(text):
    check_syntax(text)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "X=1",
        " a=x",
        "a=x:\0",
        "a=x\ry",
        "a=mid",
        "a=mid:",
        "a=mid:a b",
        "a=mid:(1)",
        "a=mid:é",
        "a=msid",
        "a=msid: x",
        "a=msid:x y z",
        "a=setup:both",
        "a=sctp-port:65536",
        "a=sctp-port:-1",
        "a=fingerprint:sha-256",
        "a=fingerprint:sha-256 AA:B",
        "a=extmap:0 urn:x",
        "a=extmap:1",
        "m=audio 65536 X 0",
        "m=audio nine X 0",
        "m=audio 9 X",
        "m=audio  9 X 0",
        "m=application 9 UDP/DTLS/SCTP 5000",
        "o=- 1 IN IP4 0.0.0.0",
    ],
    ids=ascii,
)
def test_a_line_that_is_no_sdp_is_an_operation_error_with_its_number(line):
    text = OFFER.replace("a=mid:1\r\n", f"a=mid:1\r\n{line}\r\n")
    number = OFFER[: OFFER.index("a=mid:1")].count("\n") + 2
    with pytest.raises(OperationError, match=f"line {number} is "):
        check_syntax(text)


@pytest.mark.parametrize(
    "begins", ["", "v=0\r\n", "v=0\r\ns=-\r\n", "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\n", "v=0\r\nv=0\r\n"]
)
def test_a_session_has_four_lines_at_least(begins):
    with pytest.raises(OperationError, match="it begins with the lines"):
        check_syntax(begins + "m=audio 9 X 0\r\nt=0 0\r\n")


def test_the_hashes_that_can_be_verified_are_those_of_aiortc():
    assert set(X509_DIGEST_ALGORITHMS) == _validation._HASHES


# What cannot be missing

MISSING = {
    "a ufrag": ("a=ice-ufrag:abcd\r\n", ""),
    "a password": (f"a=ice-pwd:{'p' * 22}\r\n", ""),
    "a ufrag of 3 characters": ("ufrag:abcd", "ufrag:abc"),
    "a ufrag of 257 characters": ("ufrag:abcd", f"ufrag:{'a' * 257}"),
    "a ufrag with a colon": ("ufrag:abcd", "ufrag:abc:"),
    "a password of 21 characters": ("p" * 22, "p" * 21),
    "a password of 257 characters": ("p" * 22, "p" * 257),
    "a fingerprint": ("a=fingerprint:sha-256 AA:0b\r\n", ""),
    "a fingerprint that can be verified": ("sha-256", "sha-1"),
    "a role that can be": ("setup:actpass", "setup:holdconn"),
    "rtcp-mux": ("a=rtcp-mux\r\n", ""),
}


@pytest.mark.parametrize("edit", MISSING.values(), ids=MISSING)
def test_what_lacks_something_is_an_invalid_access_error(edit):
    with pytest.raises(InvalidAccessError):
        offered(edited(OFFER, edit))
    with pytest.raises(InvalidAccessError):
        answered(edited(OFFER, edit).replace("actpass", "active"))
    offered(edited(rejecting(OFFER, "0", "1"), edit))


@pytest.mark.parametrize("edit", list(MISSING.values())[:2])
def test_an_m_line_of_an_offer_has_both_credentials_or_none(edit):
    text = SESSION + AUDIO + edited(DATA, edit)
    with pytest.raises(InvalidAccessError):
        offered(text)
    answered(text.replace("actpass", "active"))


def test_what_a_bundled_m_line_does_not_say_the_first_one_of_its_group_says():
    offered(SESSION + AUDIO + DATA.replace(TRANSPORT, ""))
    offered(SESSION.replace("0 1", "1 0") + AUDIO.replace(TRANSPORT, "") + DATA)
    answered((SESSION + AUDIO + DATA.replace(TRANSPORT, "")).replace("actpass", "passive"))
    more = AUDIO.replace("mid:0", "mid:2").replace("a=rtcp-mux\r\n", "").replace(TRANSPORT, "")
    offered(SESSION.replace("0 1", "0 2") + AUDIO + DATA + more)
    with pytest.raises(InvalidAccessError, match="the m-line 1 has no ICE credentials"):
        offered(SESSION.replace(" 1\r", "\r") + AUDIO + DATA.replace(TRANSPORT, ""))


def test_a_rejected_m_line_speaks_for_none():
    text = rejecting(SESSION + AUDIO.replace("abcd", "x") + DATA, "0")
    offered(text.replace("BUNDLE", "BUNDLE 0"))


def test_a_session_may_speak_for_all():
    offered(SESSION + TRANSPORT + AUDIO.replace(TRANSPORT, "") + DATA.replace(TRANSPORT, ""))


ROLES = ("actpass", "active", "passive", "holdconn", None)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("type", "allowed"),
    [("offer", ROLES[:3]), ("pranswer", ("active", "passive", None)), ("answer", ("active", "passive", None))],
)
def test_the_roles_that_can_be(type, allowed, role):
    text = OFFER.replace("a=setup:actpass\r\n", f"a=setup:{role}\r\n" if role else "")
    test = offered if type == "offer" else lambda text: answered(text, type=type)
    if role in allowed:
        test(text)
    else:
        with pytest.raises(
            InvalidAccessError, match=f"the m-line 0 has a DTLS role that an {type} cannot have: {role}"
        ):
            test(text)


# What contradicts itself


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([("mid:1", "mid:0"), ("0 1", "0")], "two m-lines have the same mid"),
        ([("0 1", "0 1 2")], "names an m-line that does not exist"),
        ([("0 1", "01")], "names an m-line that does not exist"),
        ([("0 1", "0 1 1")], "an m-line is in two BUNDLE groups"),
        ([("0 1", "0 1\r\na=group:BUNDLE 1")], "an m-line is in two BUNDLE groups"),
    ],
)
def test_what_contradicts_itself_is_an_invalid_access_error(edits, message):
    with pytest.raises(InvalidAccessError, match=message):
        offered(edited(OFFER, *edits))


def test_groups_of_another_kind_do_not_count():
    offered(OFFER.replace("t=0 0\r\n", "t=0 0\r\na=group:LS 0 0 5\r\n"))
    offered(OFFER.replace("BUNDLE 0 1", "BUNDLE 0\r\na=group:BUNDLE 1"))


# What does not fit


@pytest.mark.parametrize(
    "answer",
    [
        SESSION.replace("a=group:BUNDLE 0 1\r\n", ""),
        SESSION.replace("0 1", "0") + AUDIO,
        SESSION + DATA + AUDIO,
        SESSION + AUDIO.replace("mid:0", "mid:x").replace("mid:1", "mid:0") + DATA,
        OFFER.replace("m=audio", "m=video"),
        OFFER + AUDIO.replace("mid:0", "mid:2"),
    ],
)
def test_an_answer_has_the_m_lines_of_the_offer(answer):
    with pytest.raises(InvalidAccessError):
        answered(answer.replace("actpass", "active"))


def test_an_answer_bundles_only_what_was_offered_so_and_is_accepted():
    answered(ANSWER.replace("BUNDLE 0 1", "BUNDLE 1"))
    answered(rejecting(ANSWER, "0"))
    for offer, answer in [
        (OFFER.replace("BUNDLE 0 1", "BUNDLE 0"), ANSWER),
        (OFFER, rejecting(ANSWER, "0").replace("BUNDLE", "BUNDLE 0")),
    ]:
        with pytest.raises(InvalidAccessError, match="the answer bundles m-lines that"):
            answered(answer, offer)


def test_an_answer_without_mids_has_those_of_the_offer():
    answered(re.sub("a=(mid|group):.*\r\n", "", ANSWER))


def test_an_offer_keeps_what_was_negotiated_where_it_was():
    offered(OFFER, ANSWER)
    offered(re.sub("a=(mid|group):.*\r\n", "", OFFER), ANSWER)
    offered(OFFER + AUDIO.replace("mid:0", "mid:2"), ANSWER)
    offered(rejecting(OFFER, "0"), ANSWER)


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        (SESSION.replace("0 1", "0") + AUDIO, "fewer m-lines"),
        (SESSION + DATA + AUDIO, "the m-line 0 was negotiated where the offer has another"),
        (edited(OFFER, ("m=audio", "m=video")), "the m-line 0 was negotiated where"),
        (edited(OFFER, ("mid:0", "mid:2"), ("E 0 1", "E 2 1")), "the m-line 0 was negotiated where"),
        (edited(rejecting(OFFER, "0"), ("E 1", "E 0 1")), "bundles an m-line that it rejects"),
    ],
)
def test_an_offer_that_does_not_is_an_invalid_access_error(offer, message):
    with pytest.raises(InvalidAccessError, match=message):
        offered(offer, OFFER)


def test_what_was_rejected_by_either_side_may_be_put_to_another_use():
    other = edited(OFFER, ("m=audio", "m=video"), ("mid:0", "mid:2"), ("E 0 1", "E 2 1"))
    offered(other, rejecting(OFFER, "0"))
    offered(other, OFFER, rejecting(ANSWER, "0"))
    with pytest.raises(InvalidAccessError, match="the m-line 1 was negotiated elsewhere"):
        offered(SESSION + DATA + AUDIO, rejecting(OFFER, "0", "1"))


# What is more than we can do


@pytest.mark.parametrize("kind", ["text", "message", "image", "AUDIO"])
def test_an_m_line_of_a_kind_that_aiortc_does_not_know_is_an_operation_error(kind):
    with pytest.raises(OperationError, match=f"m-line of the kind {kind}, which is not supported"):
        offered(OFFER.replace("m=audio", f"m={kind}"))


def test_two_m_lines_for_data_are_an_operation_error():
    with pytest.raises(OperationError, match="two m-lines for data"):
        offered(OFFER + DATA.replace("mid:1", "mid:2"))


# Restarts

RESTARTED = ("abcd", "efgh")


@pytest.mark.parametrize(
    ("answer", "offer", "local", "remote", "fits"),
    [
        (ANSWER, OFFER, None, None, True),
        (ANSWER, OFFER, ("offer", OFFER), ("answer", ANSWER), True),
        (edited(ANSWER, RESTARTED), OFFER, ("offer", OFFER), ("answer", ANSWER), False),
        (edited(ANSWER, RESTARTED), edited(OFFER, RESTARTED), ("offer", OFFER), ("answer", ANSWER), True),
        (ANSWER, edited(OFFER, RESTARTED), ("answer", ANSWER), ("offer", OFFER), True),
        (edited(ANSWER, ("p" * 22, "q" * 22)), OFFER, ("answer", ANSWER), ("offer", OFFER), False),
    ],
)
def test_an_answer_restarts_ice_only_if_the_offer_does(answer, offer, local, remote, fits):
    local, remote = (Description(*each) if each else None for each in (local, remote))
    try:
        check_restart(Description("answer", answer), Description("offer", offer), local, remote)
    except InvalidAccessError:
        assert not fits
    else:
        assert fits
