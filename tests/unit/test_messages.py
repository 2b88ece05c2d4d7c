import json

import pytest

from peer import RTCIceCandidate, RTCSessionDescription
from peer.signaling import MessageError, decode, encode

UDP = "candidate:1 1 udp 1 192.0.2.9 5 typ host"
SDP = "v=0\r\ns=\N{SNOWMAN}\r\n"
CANDIDATE = {"candidate": UDP, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "good"}

# What JSON.stringify makes of the objects of both browsers: the members' order differs, and Chromium's can have more.
FROM_BROWSERS = {
    "a description": (
        '{"description":{"type":"offer","sdp":"v=0\\r\\ns=☃\\r\\n"}}',
        {"description": RTCSessionDescription(type="offer", sdp=SDP)},
    ),
    "a rollback": (
        '{"description":{"type":"rollback","sdp":""}}',
        {"description": RTCSessionDescription(type="rollback", sdp="")},
    ),
    "a rollback without a text": (
        '{"description":{"type":"rollback"}}',
        {"description": RTCSessionDescription(type="rollback", sdp="")},
    ),
    "a candidate of Chromium": (
        f'{{"candidate":{{"candidate":"{UDP}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"good"}}}}',
        {"candidate": RTCIceCandidate(CANDIDATE)},
    ),
    "a candidate of Firefox": (
        f'{{"candidate":{{"candidate":"{UDP}","sdpMLineIndex":0,"sdpMid":"0","usernameFragment":"good"}}}}',
        {"candidate": RTCIceCandidate(CANDIDATE)},
    ),
    "an end of candidates": (
        '{"candidate":{"candidate":"","sdpMLineIndex":0,"sdpMid":"0","usernameFragment":"good"}}',
        {"candidate": RTCIceCandidate({**CANDIDATE, "candidate": ""})},
    ),
    "a candidate that knows its mid only": (
        f'{{"candidate":{{"candidate":"{UDP}","sdpMid":"0"}}}}',
        {"candidate": RTCIceCandidate(UDP, sdpMid="0")},
    ),
    "no candidate": ('{"candidate":null}', {"candidate": None}),
    "a description, and a candidate that is null": (
        '{"description":{"type":"answer","sdp":"v=0"},"candidate":null}',
        {"description": RTCSessionDescription(type="answer", sdp="v=0")},
    ),
    "a candidate, a description that is null, and something else": (
        f'{{"description":null,"candidate":{{"candidate":"{UDP}","sdpMLineIndex":0}},"from":"me"}}',
        {"candidate": RTCIceCandidate(UDP, sdpMLineIndex=0)},
    ),
}


@pytest.mark.parametrize(("text", "message"), FROM_BROWSERS.values(), ids=FROM_BROWSERS)
def test_what_a_browser_writes_is_understood(text, message):
    assert decode(text) == message
    assert decode(text.encode()) == message
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", [message for _, message in FROM_BROWSERS.values()], ids=FROM_BROWSERS)
def test_dictionaries_may_stand_for_what_they_are_made_of(message):
    plain = {name: value and value.toJSON() for name, value in message.items()}
    assert encode(plain) == encode(message)
    assert json.loads(encode(message)) == plain
    assert encode(message).isascii()


NESTED = "[" * 100_000

REFUSED = {
    "no JSON": ("hello", "it is not JSON: 'hello'"),
    "no text": (b"\xff", r"it is not JSON: b'\xff'"),
    "too deep": (NESTED, "it is not JSON: '[[[[[[[[[[[[...[[[[[[[[[[[[['"),
    "a list": ("[]", "it is not an object: []"),
    "a text": ('"offer"', "it is not an object: 'offer'"),
    "nothing": ("{}", "it has neither a description nor a candidate: {}"),
    "something else": ('{"hello": "you"}', "it has neither a description nor a candidate: {'hello': 'you'}"),
    "a bare description": ('{"type": "offer", "sdp": "v=0"}', "it has neither a description nor a candidate"),
    "null": ('{"description": null}', "it has neither a description nor a candidate"),
    "both": (
        json.dumps({"description": {"type": "offer", "sdp": "v=0"}, "candidate": CANDIDATE}),
        "it has both a description and a candidate",
    ),
    "a text for a description": ('{"description": "v=0"}', "its description is not an object"),
    "no type": ('{"description": {"sdp": "v=0"}}', "its description needs a type and an sdp"),
    "no sdp": ('{"description": {"type": "offer"}}', "its description needs a type and an sdp"),
    "an empty sdp": ('{"description": {"type": "offer", "sdp": ""}}', "its description needs a type and an sdp"),
    "an sdp of another kind": ('{"description": {"type": "offer", "sdp": 1}}', "its description needs a type"),
    "a type of another kind": ('{"description": {"type": 1, "sdp": "v=0"}}', "its description needs a type"),
    "an unknown type without an sdp": ('{"description": {"type": "bogus", "sdp": ""}}', "'bogus' is not the type of a"),
    "an unknown type": ('{"description": {"type": "call", "sdp": "v=0"}}', "'call' is not the type of a session"),
    "a text for a candidate": (json.dumps({"candidate": UDP}), "its candidate is neither an object nor null"),
    "false": ('{"candidate": false}', "its candidate is neither an object nor null"),
    "a candidate without a text": ('{"candidate": {"sdpMid": "0"}}', "its candidate's candidate is not a text"),
    "a candidate without an m-line": (json.dumps({"candidate": {"candidate": UDP}}), "sdpM"),
    "a mid that is no text": (
        json.dumps({"candidate": {**CANDIDATE, "sdpMid": 0}}),
        "its candidate's sdpMid is not a text or null",
    ),
    "an index that is no number": (
        json.dumps({"candidate": {**CANDIDATE, "sdpMLineIndex": "0"}}),
        "its candidate's sdpMLineIndex is not a number or null",
    ),
    "a ufrag that is no text": (
        json.dumps({"candidate": {**CANDIDATE, "usernameFragment": [[]]}}),
        "its candidate's usernameFragment is not a text or null",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(MessageError) as refused:
        decode(text)
    assert str(refused.value).startswith("not a signalling message: ")
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("message", [None, "offer", {}, {"candidate": UDP}, {"description": {"type": "offer"}}])
def test_what_is_no_message_is_not_sent_either(message):
    with pytest.raises(MessageError):
        encode(message)
