import re

import pytest

from peer._bundle import accept, bundle_only, bundled, regroup, reject, shared
from peer._description import Description

GROUP = "a=group:BUNDLE 0 1 x\r\n"
UNGROUPED = "v=0\r\na=msid-semantic:WMS *\r\n"
SESSION = UNGROUPED.replace("v=0\r\n", "v=0\r\n" + GROUP)
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
        (["0", "1", "x"], SESSION.replace(GROUP, "") + rejected(AUDIO) + rejected(VIDEO) + rejected(DATA)),
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


NOBODY = (
    "a=ice-ufrag:none\r\na=ice-pwd:nonenonenonenonenonenone\r\n"
    f"a=fingerprint:sha-256 {':'.join(['00'] * 32)}\r\na=setup:active\r\n"
)


def inactive(mid, parameters=PARAMETERS):
    media, attributes = INACTIVE[mid]
    return f"{media}c=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{mid}\r\n{attributes}{parameters}"


# Browsers say next to nothing of an m-line that they reject.
BARE = {
    "0": "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n",
    "1": "m=video 0 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:1\r\n",
    "x": "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:x\r\n",
}


def group(words):
    return SESSION.replace(" 0 1 x", words)


@pytest.mark.parametrize(
    ("given", "mids", "sections", "sharing"),
    [
        (OFFER, [], AUDIO + VIDEO + DATA, ["0", "1", "x"]),
        (group(" 0 x") + AUDIO + BARE["1"] + DATA, ["1"], AUDIO + inactive("1") + DATA, ["0", "x"]),
        (group(" 1 x") + BARE["0"] + VIDEO + DATA, ["0"], inactive("0") + VIDEO + DATA, ["1", "x"]),
        (group(" 0 1") + AUDIO + VIDEO + BARE["x"], ["x"], AUDIO + VIDEO + inactive("x"), ["0", "1"]),
        (group(" 1") + BARE["0"] + VIDEO + BARE["x"], ["0", "x"], inactive("0") + VIDEO + inactive("x"), ["1"]),
        # some bundle what they reject
        (OFFER.replace(AUDIO, BARE["0"]), ["0"], inactive("0") + VIDEO + DATA, ["1", "x"]),
        # not all are bundled
        (group(" x 0") + AUDIO + VIDEO + DATA, [], AUDIO + VIDEO + DATA, ["x", "0"]),
        (group(" 1") + AUDIO + VIDEO + DATA, [], AUDIO + VIDEO + DATA, ["1"]),
        # nothing that is accepted is bundled
        (group("") + AUDIO + BARE["1"], ["1"], AUDIO + inactive("1"), ["0"]),
        (group(" 1") + AUDIO + BARE["1"], ["1"], AUDIO + inactive("1"), ["0"]),
        (UNGROUPED + AUDIO + BARE["1"], ["1"], AUDIO + inactive("1"), ["0"]),
        # there is no group
        (UNGROUPED + AUDIO + VIDEO, [], AUDIO + VIDEO, ["0"]),
        # there is nothing to share
        (group("") + BARE["0"] + BARE["x"], ["0", "x"], inactive("0", NOBODY) + inactive("x", NOBODY), []),
        (UNGROUPED + BARE["0"], ["0"], inactive("0", NOBODY), []),
        (UNGROUPED, [], "", []),
    ],
)
def test_a_rejected_m_line_is_shown_as_an_inactive_one_with_the_parameters_of_another(given, mids, sections, sharing):
    assert Description("answer", given).rejected == mids
    assert accept(given, mids) == UNGROUPED + sections
    assert shared(given, mids) == sharing


def test_what_a_rejected_m_line_says_of_itself_is_left_out():
    noisy = BARE["1"] + "a=ice-ufrag:mine\r\na=sendrecv\r\na=rtpmap:120 H264/90000\r\na=candidate:garbage\r\n"
    assert accept(group(" 0") + AUDIO + noisy, ["1"]) == UNGROUPED + AUDIO + inactive("1")


def test_an_accepted_m_line_without_parameters_is_no_host():
    without = re.sub("a=ice-ufrag:u\r\n", "", AUDIO)
    other = PARAMETERS.replace("-pwd:p", "-pwd:other")
    given = group(" 0 x") + without + BARE["1"] + DATA.replace(PARAMETERS, other)
    assert inactive("1", other) in accept(given, ["1"])


@pytest.mark.parametrize("protocol", ["X", "RTP/AVP"])
def test_a_rejected_m_line_of_an_unknown_kind_keeps_its_kind(protocol):
    text = accept(f"v=0\r\n{AUDIO}m=text 0 {protocol} 98\r\na=mid:t\r\n", ["t"])
    assert text.endswith(f"m=text 9 {protocol} 0\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:t\r\n{PARAMETERS}")


@pytest.mark.parametrize("mid", ["\\q", "\\1", "\\n", "\\g<0>", "\\"], ids=ascii)
def test_the_other_side_may_call_an_m_line_what_it_likes(mid):
    given = group(f" 0 {mid}") + AUDIO + BARE["1"].replace("mid:1", f"mid:{mid}")
    assert accept(given, [mid]) == UNGROUPED + AUDIO + inactive("1").replace("mid:1", f"mid:{mid}")
    assert shared(given, []) == ["0", mid]
    assert regroup(OFFER, ["0", mid]) == group(f" 0 {mid}") + AUDIO + VIDEO + DATA


@pytest.mark.parametrize("mid", ["0", "1"])
def test_a_refused_m_line_has_a_codec_that_aiortc_knows_and_nothing_else_is_changed(mid):
    attributes = "a=rtpmap:98 x/1\r\na=fmtp:98 y\r\na=rtcp-fb:98 z\r\na=sendonly\r\n"
    media, codec = INACTIVE[mid]
    known = AUDIO if mid == "0" else VIDEO
    others = known.split("\r\n", 1)[1]
    unknown = media.replace(" 0\r", " 98 99\r").replace(" 96\r", " 98\r") + others + attributes
    assert accept(UNGROUPED + unknown + DATA, [], [mid]) == UNGROUPED + media + codec + others + "a=sendonly\r\n" + DATA
    assert accept(UNGROUPED + unknown + DATA, []) == UNGROUPED + unknown + DATA


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"], ids=ascii)
def test_groups_are_found_however_lines_end(end):
    text = f"v=0\r\na=group:BUNDLE 0{end}a=group:LS 0 1\r\na=group:BUNDLE 1 x{end}" + AUDIO + VIDEO + DATA
    assert bundled(text) == ["0"]
    assert accept(text, []) == "v=0\r\na=group:LS 0 1\r\n" + AUDIO + VIDEO + DATA


def test_a_mid_that_looks_like_a_group_is_none():
    text = UNGROUPED + AUDIO + "a=group:BUNDLE 0\r\n"
    assert bundled(text) == []
    assert accept(text, []) == text


# The group we write


@pytest.mark.parametrize("mids", [[], ["0"], ["x", "0"], ["0", "1", "x"]], ids=str)
def test_the_group_has_the_mids_that_are_meant(mids):
    session = UNGROUPED.replace("v=0\r\n", f"v=0\r\na=group:BUNDLE {' '.join(mids)}\r\n") if mids else UNGROUPED
    assert regroup(OFFER, mids) == session + AUDIO + VIDEO + DATA
    assert bundled(regroup(OFFER, mids)) == mids


def test_there_is_one_group_afterwards():
    assert regroup(OFFER.replace(GROUP, GROUP + GROUP), ["1"]) == group(" 1") + AUDIO + VIDEO + DATA


# What is bundled or nothing


def marked(section):
    return rejected(section) + "a=bundle-only\r\n"


AUDIO_2 = AUDIO.replace("mid:0", "mid:2")


@pytest.mark.parametrize(
    ("policy", "given", "apart", "result"),
    [
        ("max-compat", AUDIO + AUDIO_2 + DATA, [], AUDIO + AUDIO_2 + DATA),
        ("balanced", AUDIO + VIDEO + DATA, [], AUDIO + VIDEO + DATA),
        ("balanced", AUDIO + VIDEO + AUDIO_2, [], AUDIO + VIDEO + marked(AUDIO_2)),
        ("balanced", AUDIO + AUDIO_2, [0, 1], AUDIO + AUDIO_2),
        ("balanced", rejected(AUDIO) + AUDIO_2, [], rejected(AUDIO) + AUDIO_2),
        ("max-bundle", AUDIO + VIDEO + DATA, [], AUDIO + marked(VIDEO) + marked(DATA)),
        ("max-bundle", AUDIO + VIDEO + DATA, [0, 2], AUDIO + marked(VIDEO) + DATA),
        ("max-bundle", rejected(AUDIO) + VIDEO + DATA, [1], rejected(AUDIO) + VIDEO + marked(DATA)),
        ("max-bundle", AUDIO + rejected(VIDEO) + DATA, [0], AUDIO + rejected(VIDEO) + marked(DATA)),
        ("max-bundle", "", [], ""),
    ],
)
def test_m_lines_that_are_bundled_or_nothing_say_so(policy, given, apart, result):
    offer = bundle_only(SESSION + given, policy, apart)
    assert offer == SESSION + result
    assert Description("offer", offer).rejected == Description("offer", SESSION + given).rejected
