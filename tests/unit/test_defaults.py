"""What is left unsaid, and said for aiortc."""

import re

import pytest
from aiortc.sdp import SessionDescription

from peer._defaults import explicit

SESSION = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
TRANSPORT = (
    f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=rtcp-mux\r\n"
    "a=fingerprint:sha-256 AA\r\na=fingerprint:sha-512 BB\r\na=setup:passive\r\n"
)
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\na=mid:0\r\n{TRANSPORT}a=rtpmap:111 opus/48000/2\r\n"
VIDEO = AUDIO.replace("m=audio", "m=video").replace("mid:0", "mid:1")
DATA = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sendrecv\r\na=mid:1\r\na=sctp-port:5000\r\n{TRANSPORT}"


def bare(section):
    """The section with nothing about its transport."""
    return section.replace(TRANSPORT, "")


def of(sdp, index):
    """What aiortc understands of an m-line."""
    media = SessionDescription.parse(sdp).media[index]
    ice = media.ice.usernameFragment, media.ice.password
    return ice, [f.algorithm for f in media.dtls.fingerprints], media.dtls.role, media.rtcp_mux


@pytest.mark.parametrize("type", ["offer", "pranswer", "answer"])
def test_what_says_all_stays_as_it_is(type):
    for text in (
        SESSION,
        SESSION + AUDIO + DATA,
        SESSION + AUDIO + VIDEO,
        (SESSION + AUDIO + DATA).replace("\r\n", "\n"),
    ):
        assert explicit(text, type) == text


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r\r\n"], ids=ascii)
def test_the_first_of_a_bundle_speaks_for_the_others(end):
    text = (SESSION + AUDIO + bare(VIDEO)).replace("\r\n", end)
    assert of(explicit(text, "answer"), 1) == of(text, 0)
    swapped = (SESSION.replace("0 1", "1 0") + bare(AUDIO) + VIDEO).replace("\r\n", end)
    assert of(explicit(swapped, "offer"), 0) == of(text, 0)


def test_it_says_only_what_is_not_said():
    own = bare(VIDEO) + "a=ice-ufrag:mine\r\na=setup:active\r\n"
    ice, hashes, role, mux = of(explicit(SESSION + AUDIO + own, "answer"), 1)
    assert (ice, hashes, role, mux) == (("mine", "p" * 22), ["sha-256", "sha-512"], "client", True)
    general = SESSION + "a=ice-ufrag:ours\r\n"
    assert of(explicit(general + AUDIO + bare(VIDEO), "answer"), 1)[0] == ("ours", "p" * 22)


def test_nobody_speaks_for_what_is_not_bundled():
    text = SESSION.replace(" 1", "") + AUDIO + bare(VIDEO)
    assert explicit(text, "offer") == text


def test_a_rejected_m_line_speaks_for_none_unless_it_is_bundled_or_nothing():
    rejected = AUDIO.replace("audio 9", "audio 0").replace("abcd", "none")
    more = bare(VIDEO).replace("mid:1", "mid:2")
    session = SESSION.replace("0 1", "0 1 2")
    assert of(explicit(session + rejected + VIDEO + more, "answer"), 2)[0] == ("abcd", "p" * 22)
    marked = rejected + "a=bundle-only\r\n"
    assert of(explicit(session + marked + VIDEO + more, "answer"), 2)[0] == ("none", "p" * 22)
    everything = SESSION + rejected + bare(VIDEO).replace("video 9", "video 0")
    assert "a=ice-ufrag" not in explicit(everything, "offer").split("m=video")[1]


@pytest.mark.parametrize(("type", "lines"), [("offer", 0), ("pranswer", 1), ("answer", 1)])
def test_an_answer_without_a_role_is_active(type, lines):
    text = SESSION.replace("a=group:BUNDLE 0 1\r\n", "") + AUDIO.replace("a=setup:passive\r\n", "")
    assert explicit(text, type).count("a=setup:active\r\n") == lines
    said = text.replace("t=0 0\r\n", "t=0 0\r\na=setup:passive\r\n")
    assert explicit(said, type) == said


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r\r\n"], ids=ascii)
def test_a_direction_that_is_not_said_is_that_of_the_session_or_sendrecv(end):
    silent = AUDIO.replace("a=sendrecv\r\n", "")
    receiving = SESSION + "a=recvonly\r\n"
    told = {
        SESSION + silent: "sendrecv",
        receiving + silent: "recvonly",
        receiving + AUDIO.replace("sendrecv", "inactive"): "inactive",
    }
    for text, direction in told.items():
        (media,) = SessionDescription.parse(explicit(text.replace("\r\n", end), "offer")).media
        assert media.direction == direction


def test_payload_types_that_mean_something_by_themselves():
    text = SESSION + AUDIO.replace("111\r\n", "8 0 9 13 111\r\n").replace(
        "a=rtpmap:111", "a=rtpmap:0 PCMU/8000\r\na=rtpmap:111"
    )
    (media,) = SessionDescription.parse(explicit(text, "offer")).media
    assert {codec.payloadType: codec.name for codec in media.rtp.codecs} == {
        0: "PCMU",
        8: "PCMA",
        9: "G722",
        111: "opus",
    }
    video = SESSION + VIDEO.replace("111\r\n", "0 111\r\n")
    assert explicit(video, "offer") == video


def test_the_port_of_sctp():
    text = SESSION + AUDIO + DATA.replace("a=sctp-port:5000\r\n", "")
    assert SessionDescription.parse(explicit(text, "offer")).media[1].sctp_port == 5000
    legacy = text.replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000")
    assert explicit(legacy, "offer") == legacy


def test_what_aiortc_cannot_read_is_left_out():
    text = (
        SESSION
        + AUDIO
        + "a=rtcp:nine\r\na=rtcp-fb:111 nack\r\na=extmap:1/sendonly urn:x more of it\r\na=extmap:2 urn:y\r\n"
    )
    expected = SESSION + AUDIO + "a=rtcp-fb:111 nack\r\na=extmap:1/sendonly urn:x\r\na=extmap:2 urn:y\r\n"
    assert explicit(text, "offer") == expected
    SessionDescription.parse(expected)


def test_codecs_that_the_m_line_does_not_name_are_left_out():
    more = "a=rtpmap:96 x/8000\r\na=fmtp:96 y=1\r\na=rtcp-fb:96 nack\r\n"
    assert explicit(SESSION + AUDIO + more, "offer") == SESSION + AUDIO
    named = AUDIO.replace("SAVPF 111", "SAVPF 111 96")
    assert explicit(SESSION + named + more, "offer") == SESSION + named + more


@pytest.mark.parametrize("character", "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_lines_are_broken_where_sdp_breaks_them(character):
    text = explicit(f"{SESSION}{AUDIO}a=x:{character}m=video 9 X 0\r\n", "offer")
    assert len(SessionDescription.parse(text).media) == 1
    assert re.search(r"a=x:\?m=video", text)
