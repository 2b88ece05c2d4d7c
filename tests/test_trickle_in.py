"""addIceCandidate, at a connection: when it takes its turn, what it changes, and what it leaves alone."""

from __future__ import annotations

import asyncio
import json

import aiortc
import pytest
from peers import negotiate, open_peers, opened, send_candidates, trickle

from peer import InvalidStateError, OperationError, RTCIceCandidate

HOST = "candidate:1 1 udp 2122260223 192.0.2.9 50000 typ host"


@pytest.fixture
async def answerer():
    """A connection with a remote offer of one m-line, mid 0."""
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        yield answerer


def added(peer):
    """The candidate lines of the remote description."""
    return [line for line in peer.remoteDescription.sdp.split("\r\n") if "candidate" in line]


@pytest.mark.parametrize(
    "argument",
    [
        {"candidate": HOST, "sdpMid": "0"},
        {"candidate": HOST, "sdpMLineIndex": 0},
        {"candidate": HOST, "sdpMid": "0", "sdpMLineIndex": 9},
        {"candidate": f"a={HOST}", "sdpMid": "0"},
        RTCIceCandidate(candidate=HOST, sdpMid="0"),
    ],
    ids=["mid", "index", "a good mid beats a wrong index", "a= prefix", "object"],
)
async def test_an_accepted_candidate_appears_in_the_remote_description(answerer, argument):
    await answerer.addIceCandidate(argument)
    assert added(answerer) == [f"a={HOST}"]


async def test_a_candidate_of_aiortc_is_accepted(answerer):
    candidate = aiortc.sdp.candidate_from_sdp(HOST.removeprefix("candidate:"))
    candidate.sdpMid = "0"
    await answerer.addIceCandidate(candidate)
    assert added(answerer) == [f"a={HOST}"]


@pytest.mark.parametrize(
    "arguments",
    [(), (None,), ({},), ({"candidate": ""},), ({"candidate": "", "sdpMid": "0"},), ({"sdpMLineIndex": 0},)],
    ids=str,
)
async def test_the_end_of_candidates_appears_in_the_remote_description_once(answerer, arguments):
    await answerer.addIceCandidate(*arguments)
    await answerer.addIceCandidate(*arguments)
    assert added(answerer) == ["a=end-of-candidates"]


async def test_candidates_after_the_end_are_accepted_and_written_before_it(answerer):
    await answerer.addIceCandidate()
    await answerer.addIceCandidate({"candidate": HOST, "sdpMid": "0"})
    assert added(answerer) == [f"a={HOST}", "a=end-of-candidates"]


@pytest.mark.parametrize(
    "text",
    [
        "candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active",
        "candidate:1 2 udp 1 192.0.2.9 5 typ host",
        "candidate:1 1 udp 1 deadbeef-0000-0000-0000-000000000000.local 5 typ host",
        "candidate:1 1 udp 1 nosuch.invalid 5 typ host",
        "candidate:1 1 udp 1 192.0.2.9 0 typ host",
    ],
)
async def test_a_candidate_that_cannot_be_used_is_accepted_and_disturbs_nothing(text):
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
        assert f"a={text}" in added(answerer)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await open_


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        ({"candidate": HOST}, TypeError),
        (5, TypeError),
        (HOST, TypeError),
        ({"candidate": HOST, "sdpMid": "9"}, OperationError),
        ({"candidate": HOST, "sdpMLineIndex": 9}, OperationError),
        ({"candidate": HOST, "sdpMid": "0", "usernameFragment": "nope"}, OperationError),
        ({"candidate": "garbage", "sdpMid": "0"}, OperationError),
        ({"candidate": f"{HOST}\r\na=ice-pwd:mine", "sdpMid": "0"}, OperationError),
    ],
    ids=str,
)
async def test_a_wrong_candidate_is_rejected_at_once_and_the_connection_goes_on(candidate, error):
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        before = answerer.remoteDescription
        promise = answerer.addIceCandidate(candidate)
        assert promise.done()
        with pytest.raises(error):
            await promise
        assert answerer.remoteDescription == before
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_


async def test_errors_are_those_that_code_for_aiortc_catches(answerer):
    with pytest.raises(ValueError, match="sdpMid"):
        await answerer.addIceCandidate({"candidate": HOST})
    with pytest.raises(aiortc.exceptions.OperationError):
        await answerer.addIceCandidate({"candidate": "garbage", "sdpMid": "0"})
    async with open_peers(None) as (fresh,):
        with pytest.raises(aiortc.InvalidStateError) as caught:
            await fresh.addIceCandidate({"candidate": HOST, "sdpMid": "0"})
        assert caught.value.name == "InvalidStateError"


async def test_a_call_takes_its_turn_when_it_is_made():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        applied = answerer.setRemoteDescription(offerer.localDescription)
        candidate = answerer.addIceCandidate({"candidate": HOST, "sdpMid": "0"})
        end = answerer.addIceCandidate()
        await end
        assert applied.done()
        assert candidate.done()
        assert added(answerer) == [f"a={HOST}", "a=end-of-candidates"]


async def test_the_outcome_can_be_awaited_more_than_once(answerer):
    wrong = answerer.addIceCandidate({"candidate": "garbage", "sdpMid": "0"})
    for _ in range(2):
        with pytest.raises(OperationError):
            await wrong
    right = answerer.addIceCandidate({"candidate": HOST, "sdpMid": "0"})
    assert await asyncio.gather(right, right) == [None, None]


async def test_a_failure_that_nobody_awaits_is_reported(answerer, loop_errors):
    answerer.addIceCandidate({"candidate": "garbage", "sdpMid": "0"})
    (report,) = loop_errors
    assert "addIceCandidate" in report["message"]
    assert isinstance(report["exception"], OperationError)
    loop_errors.clear()


async def test_the_callback_form_calls_one_callback_and_never_rejects(answerer):
    calls = asyncio.Queue()
    success, failure = (lambda: calls.put_nowait("success")), calls.put_nowait
    assert await answerer.addIceCandidate({"candidate": HOST, "sdpMid": "0"}, success, failure) is None
    assert await calls.get() == "success"
    assert await answerer.addIceCandidate({"candidate": "garbage", "sdpMid": "0"}, success, failure) is None
    assert isinstance(await calls.get(), OperationError)
    assert await answerer.addIceCandidate(5, success, failure) is None
    assert isinstance(await calls.get(), TypeError)
    assert calls.empty()


async def test_a_failure_is_reported_when_there_is_a_callback_for_success_only(answerer, loop_errors):
    answerer.addIceCandidate({"candidate": "garbage", "sdpMid": "0"}, lambda: None)
    assert [type(report["exception"]) for report in loop_errors] == [OperationError]
    loop_errors.clear()


async def test_a_callback_that_raises_is_reported(answerer, loop_errors):
    called = asyncio.Event()

    def callback():
        called.set()
        raise RuntimeError("mine")

    await answerer.addIceCandidate({"candidate": HOST, "sdpMid": "0"}, callback, None)
    await called.wait()
    assert [str(report["exception"]) for report in loop_errors] == ["mine"]
    loop_errors.clear()


async def test_after_close_every_call_is_rejected_with_invalid_state_error(answerer):
    closing = answerer.close()
    for argument in (None, {}, {"candidate": HOST, "sdpMid": "0"}):
        with pytest.raises(InvalidStateError):
            await answerer.addIceCandidate(argument)
    with pytest.raises(TypeError):  # the W3C checks the argument first, and so does Firefox
        await answerer.addIceCandidate({"candidate": HOST})
    await closing


async def test_whatever_the_event_gives_can_be_passed_to_the_other_side():
    async with open_peers(None, None) as (offerer, answerer):
        outcomes = []
        offerer.onicecandidate = lambda event: outcomes.append(answerer.addIceCandidate(event.candidate))
        open_ = opened(offerer.createDataChannel("chat"))
        applied = offerer.setLocalDescription()
        await applied
        remote = answerer.setRemoteDescription(offerer.localDescription)
        await offerer.gathering_complete()
        await remote
        assert await asyncio.gather(*outcomes) == [None] * len(outcomes)
        assert len(outcomes) >= 3  # a candidate, the marker, and None
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await open_


async def test_many_candidates_are_added_in_the_order_of_the_calls(answerer):
    texts = [f"candidate:{i} 1 udp {i} 192.0.2.9 {1000 + i} typ host" for i in range(200)]
    await asyncio.gather(*[answerer.addIceCandidate({"candidate": t, "sdpMLineIndex": 0}) for t in texts])
    assert added(answerer) == [f"a={text}" for text in texts]


async def test_candidates_of_a_bundled_m_line_are_accepted_and_go_nowhere():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        offerer.addTransceiver("audio")
        open_ = opened(offerer.createDataChannel("more"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        # The end of the other m-line's candidates must not end those of the one whose transport is used.
        await answerer.addIceCandidate({"candidate": HOST, "sdpMid": "1"})
        await answerer.addIceCandidate({"candidate": "", "sdpMid": "1"})
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(json.loads(json.dumps(answerer.localDescription.toJSON())))
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_


async def test_can_trickle_is_known_with_the_remote_description():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        assert answerer.canTrickleIceCandidates is None
        await negotiate(offerer, answerer)
        assert answerer.canTrickleIceCandidates is True
        assert offerer.canTrickleIceCandidates is True
        assert offerer.localDescription.sdp.count("a=ice-options:trickle\r\n") == 1
    async with open_peers(None) as (fresh,):
        raw = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        raw.createDataChannel("chat")
        await raw.setLocalDescription(await raw.createOffer())
        await fresh.setRemoteDescription(raw.localDescription)
        assert fresh.canTrickleIceCandidates is False
        await raw.close()


async def test_a_candidate_that_is_added_again_is_there_once():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await offerer.gathering_complete()
        for _ in range(2):
            await answerer.setRemoteDescription(offerer.localDescription)
            await answerer.addIceCandidate({"candidate": "candidate:1 1 udp 1 192.0.2.9 9999 typ host", "sdpMid": "0"})
        await answerer.setLocalDescription()
        remote = answerer.sctp.transport.iceTransport.getRemoteCandidates()
        assert len(remote) == len(set(remote)) == offerer.localDescription.sdp.count("a=candidate:") + 1


async def test_what_only_wants_to_be_relayed_looks_up_no_hidden_address():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        answerer.setConfiguration({"iceTransportPolicy": "relay"})
        await answerer.addIceCandidate({"candidate": "candidate:1 1 udp 1 a.local 50000 typ host", "sdpMid": "0"})
        assert "a.local" in answerer.remoteDescription.sdp
        (media,) = answerer._session.engine.media().values()
        assert not media.agent.newest._work


async def test_a_candidate_for_an_m_line_that_we_rejected_changes_nothing():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTransceiver("audio")
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.getTransceivers()[0].stop()
        await answerer.setLocalDescription()
        before = answerer.remoteDescription
        await answerer.addIceCandidate({"candidate": "candidate:1 1 udp 1 192.0.2.9 50000 typ host", "sdpMid": "0"})
        assert answerer.remoteDescription == before
