"""Remote descriptions that nobody should send: they are refused with the W3C's errors, and the connection lives on."""

from __future__ import annotations

import asyncio
import random

import aiortc
import pytest
from peers import Tone, open_peers, opened, send_candidates

from peer import DOMException, InvalidAccessError, OperationError


async def offer_of(peer):
    peer.addTrack(Tone())
    channel = peer.createDataChannel("chat")
    await peer.setLocalDescription()
    return channel, peer.localDescription.sdp


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("BUNDLE 0", "BUNDLE 7 0", InvalidAccessError),
        ("m=audio", "m=text", OperationError),
        ("a=mid:1", "a=mid:0", InvalidAccessError),
        ("a=ice-pwd:", "a=ice-pwx:", InvalidAccessError),
        ("a=rtcp-mux\r\n", "", InvalidAccessError),
        ("m=audio 9", "m=audio nine", OperationError),
    ],
)
async def test_what_does_not_fit_is_refused_and_a_good_offer_is_taken_afterwards(old, new, error):
    async with open_peers(None, None) as (offerer, answerer):
        channel, sdp = await offer_of(offerer)
        open_ = opened(channel)
        with pytest.raises(error):
            await answerer.setRemoteDescription(type="offer", sdp=sdp.replace(old, new))
        assert answerer.remoteDescription is None
        assert answerer.signalingState == "stable"
        await answerer.setRemoteDescription(type="offer", sdp=sdp)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_


async def test_blanks_at_the_end_of_a_line_do_no_harm():
    async with open_peers(None, None) as (offerer, answerer):
        _, sdp = await offer_of(offerer)
        await answerer.setRemoteDescription(type="offer", sdp=sdp.replace("a=mid:0", "a=mid:0  "))
        await answerer.setLocalDescription()
        assert "a=mid:0\r\n" in answerer.localDescription.sdp


def mutated(text, chance):
    """*text* with a few lines lost, doubled, swapped or damaged."""
    lines = text.split("\r\n")
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                del lines[place]
            case 1:
                lines.insert(place, lines[place])
            case 2:
                other = chance.randrange(len(lines))
                lines[place], lines[other] = lines[other], lines[place]
            case 3 if lines[place]:
                cut = chance.randrange(len(lines[place]))
                lines[place] = lines[place][:cut] + chance.choice("0 :/=xZé") + lines[place][cut + 1 :]
    return "\r\n".join(lines)


async def test_damaged_offers_are_taken_or_refused_by_name_and_leave_nothing_behind(loop_errors):
    async with open_peers(None) as (offerer,):
        _, sdp = await offer_of(offerer)
        chance = random.Random(2018)
        for _ in range(150):
            async with open_peers(None) as (answerer,):
                try:
                    await answerer.setRemoteDescription(type="offer", sdp=mutated(sdp, chance))
                    await answerer.setLocalDescription()
                except DOMException:
                    pass
        # For want of a fingerprint, for one.
        assert {context["message"] for context in loop_errors} <= {"a transport could not be started"}
        loop_errors.clear()


# Listeners on aiortc's own objects


async def test_raising_listeners_on_transports_break_nothing(loop_errors):
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))

        def broken():
            raise RuntimeError("mine")

        dtls = offerer.sctp.transport
        for emitter in (dtls, dtls.transport, dtls.transport.iceGatherer):
            emitter.on("statechange", broken)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        await offerer.close()
        assert {str(report["exception"]) for report in loop_errors} == {"mine"}
        loop_errors.clear()


async def test_a_peer_without_trickling_is_understood():
    async with open_peers(None) as (ours,):
        raw = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        raw.createDataChannel("chat")
        await raw.setLocalDescription(await raw.createOffer())
        await ours.setRemoteDescription(raw.localDescription)
        await ours.setLocalDescription()
        assert ours.canTrickleIceCandidates is False
        await raw.close()
