import re

import pytest

from peer._description import Description
from peer._rejected import accept, reject

SESSION = "v=0\r\na=group:BUNDLE 0 1 x\r\na=msid-semantic:WMS *\r\n"
PARAMETERS = "a=ice-ufrag:u\r\na=ice-pwd:p\r\na=fingerprint:sha-256 A\r\na=fingerprint:sha-512 B\r\na=setup:active\r\n"
AUDIO = f"m=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n{PARAMETERS}"
VIDEO = f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n{PARAMETERS}"
DATA = f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:x\r\n{PARAMETERS}"
OFFER = SESSION + AUDIO + VIDEO + DATA


def rejected(section):
    return section.replace(" 9 ", " 0 ", 1)


# What we write


@pytest.mark.parametrize(
    ("mids", "result"),
    [
        ([], OFFER),
        (["nope"], OFFER),
        (["1"], SESSION.replace(" 1", "") + AUDIO + rejected(VIDEO) + DATA),
        (["x", "0"], SESSION.replace(" 0 1 x", " 1") + rejected(AUDIO) + VIDEO + rejected(DATA)),
        (["0", "1", "x"], SESSION.replace(" 0 1 x", "") + rejected(AUDIO) + rejected(VIDEO) + rejected(DATA)),
    ],
    ids=str,
)
def test_a_rejected_m_line_has_the_port_0_and_is_not_bundled(mids, result):
    assert reject(OFFER, mids) == result
    assert Description("offer", result).rejected == [mid for mid in "01x" if mid in mids]


def test_only_the_whole_mid_is_taken_out_of_the_bundle():
    text = "v=0\r\na=group:BUNDLE 1 10 01\r\nm=audio 9 X 0\r\na=mid:1\r\nm=audio 9 X 0\r\na=mid:10\r\n"
    assert reject(text, {"1"}) == text.replace("BUNDLE 1 ", "BUNDLE ").replace("audio 9", "audio 0", 1)


def test_an_m_line_is_rejected_where_nothing_is_bundled():
    text = "v=0\r\n" + AUDIO + VIDEO
    assert reject(text, ["0"]) == "v=0\r\n" + rejected(AUDIO) + VIDEO


# What we read

INACTIVE = {
    "0": ("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "a=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\n"),
    "1": ("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"),
    "x": ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", "a=sctp-port:5000\r\n"),
}


def inactive(mid, parameters=PARAMETERS):
    media, attributes = INACTIVE[mid]
    return f"{media}c=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{mid}\r\n{attributes}{parameters}"


# Browsers say next to nothing of an m-line that they reject.
BARE = {
    "0": "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n",
    "1": "m=video 0 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:1\r\n",
    "x": "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:x\r\n",
}


def bundled(words):
    return SESSION.replace(" 0 1 x", words)


@pytest.mark.parametrize(
    ("given", "mids", "result"),
    [
        (OFFER, [], OFFER),
        (bundled(" 0 x") + AUDIO + BARE["1"] + DATA, ["1"], bundled(" 0 x 1") + AUDIO + inactive("1") + DATA),
        (bundled(" 1 x") + BARE["0"] + VIDEO + DATA, ["0"], bundled(" 1 x 0") + inactive("0") + VIDEO + DATA),
        (bundled(" 0 1") + AUDIO + VIDEO + BARE["x"], ["x"], bundled(" 0 1 x") + AUDIO + VIDEO + inactive("x")),
        (
            bundled(" 1") + BARE["0"] + VIDEO + BARE["x"],
            ["0", "x"],
            bundled(" 1 0 x") + inactive("0") + VIDEO + inactive("x"),
        ),
        # some bundle what they reject
        (OFFER.replace(AUDIO, BARE["0"]), ["0"], bundled(" 1 x 0") + inactive("0") + VIDEO + DATA),
        # nothing that is accepted is bundled
        (bundled("") + AUDIO + BARE["1"], ["1"], bundled(" 0 1") + AUDIO + inactive("1")),
        (bundled(" 1") + AUDIO + BARE["1"], ["1"], bundled(" 0 1") + AUDIO + inactive("1")),
        ("v=0\r\n" + AUDIO + BARE["1"], ["1"], "v=0\r\na=group:BUNDLE 0 1\r\n" + AUDIO + inactive("1")),
        # nothing is rejected
        ("v=0\r\n" + AUDIO + VIDEO, [], "v=0\r\n" + AUDIO + VIDEO),
        # there is nothing to share
        (bundled("") + BARE["0"] + BARE["x"], ["0", "x"], bundled("") + BARE["0"] + BARE["x"]),
        ("v=0\r\n" + BARE["0"], ["0"], "v=0\r\n" + BARE["0"]),
        ("v=0\r\n", [], "v=0\r\n"),
    ],
)
def test_a_rejected_m_line_is_shown_as_an_inactive_one_that_shares_a_transport(given, mids, result):
    assert Description("answer", given).rejected == mids
    assert accept(given, mids) == result


def test_what_a_rejected_m_line_says_of_itself_is_left_out():
    noisy = BARE["1"] + "a=ice-ufrag:mine\r\na=sendrecv\r\na=rtpmap:120 H264/90000\r\na=candidate:garbage\r\n"
    assert accept(bundled(" 0") + AUDIO + noisy, ["1"]) == bundled(" 0 1") + AUDIO + inactive("1")


def test_an_accepted_m_line_without_parameters_is_no_host():
    without = re.sub("a=ice-ufrag:u\r\n", "", AUDIO)
    other = PARAMETERS.replace("-pwd:p", "-pwd:other")
    given = bundled(" 0 x") + without + BARE["1"] + DATA.replace(PARAMETERS, other)
    assert inactive("1", other) in accept(given, ["1"])


@pytest.mark.parametrize("protocol", ["X", "RTP/AVP"])
def test_a_rejected_m_line_of_an_unknown_kind_keeps_its_kind(protocol):
    text = accept(f"v=0\r\n{AUDIO}m=text 0 {protocol} 98\r\na=mid:t\r\n", ["t"])
    assert text.endswith(f"m=text 9 {protocol} 0\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:t\r\n{PARAMETERS}")


@pytest.mark.parametrize("mid", ["\\q", "\\1", "\\n", "\\g<0>", "\\"], ids=ascii)
def test_the_other_side_may_call_an_m_line_what_it_likes(mid):
    rejected = BARE["1"].replace("mid:1", f"mid:{mid}")
    expected = bundled(f" 0 {mid}") + AUDIO + inactive("1").replace("mid:1", f"mid:{mid}")
    assert accept(bundled(" 0") + AUDIO + rejected, [mid]) == expected
