"""Who answers for the m-lines of a remote offer (RFC 9429, section 5.10)."""

from __future__ import annotations

import pytest
from peers import Tone, connect, negotiate, open_peers, trickle


def seen(peer):
    return [(t.mid, t.direction, t.currentDirection) for t in peer.getTransceivers()]


@pytest.mark.parametrize(
    ("direction", "transceivers"),
    [
        ("sendrecv", [("0", "sendrecv", "sendrecv")]),
        ("recvonly", [("0", "sendrecv", "sendonly")]),
        ("sendonly", [(None, "sendrecv", None), ("0", "recvonly", "recvonly")]),
        ("inactive", [(None, "sendrecv", None), ("0", "recvonly", "inactive")]),
    ],
)
async def test_a_transceiver_of_add_track_answers_for_one_that_wants_to_receive(direction, transceivers):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTransceiver("audio", direction)
        answerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        assert seen(answerer) == transceivers


async def test_each_transceiver_of_add_track_answers_once():
    async with open_peers(None, None) as (offerer, answerer):
        for _ in range(3):
            offerer.addTransceiver("audio")
        offerer.addTransceiver("video")
        first, second = answerer.addTrack(Tone()), answerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        assert [t.mid for t in answerer.getTransceivers()] == ["0", "1", "2", "3"]
        assert [t.sender for t in answerer.getTransceivers()[:2]] == [first, second]


@pytest.mark.parametrize("channel", [False, True], ids=["alone", "beside a channel"])
@pytest.mark.parametrize("created", [False, True], ids=["", "in an offer that is not set"])
@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
async def test_a_transceiver_of_add_transceiver_waits_for_an_offer_of_ours(policy, created, channel):
    async with open_peers(None, {"bundlePolicy": policy}) as (offerer, answerer):
        if channel:
            await connect(offerer, answerer)
        else:
            trickle(offerer, answerer)
        mids = ["1", "2"] if channel else ["0", "1"]
        offerer.addTrack(Tone())
        own = answerer.addTransceiver(Tone())
        if created:
            await answerer.createOffer()
        await negotiate(offerer, answerer)
        await negotiate(offerer, answerer)
        assert answerer.getTransceivers()[0] is own
        assert seen(answerer) == [(None, "sendrecv", None), (mids[0], "recvonly", "recvonly")]
        assert seen(offerer) == [(mids[0], "sendrecv", "sendonly")]
        assert (await answerer.getTransceivers()[1].receiver.track.recv()).samples > 0
        await negotiate(answerer, offerer)
        assert seen(answerer) == [(mids[1], "sendrecv", "sendonly"), (mids[0], "recvonly", "recvonly")]
        assert (await offerer.getTransceivers()[1].receiver.track.recv()).samples > 0
        assert offerer.connectionState == answerer.connectionState == "connected"
        assert ("a=bundle-only" in answerer.localDescription.sdp) == (policy != "max-compat")
