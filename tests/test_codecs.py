"""What users prefer counts when a description is created (webrtc-pc 5.4, setCodecPreferences), and at no other time."""

from __future__ import annotations

import asyncio
import re

from aiortc import RTCRtpSender, VideoStreamTrack
from peers import negotiate, next_event, open_peers, send_candidates

ROLLBACK = {"type": "rollback"}
CODECS = RTCRtpSender.getCapabilities("video").codecs
H264, VP8 = ([codec for codec in CODECS if codec.mimeType == name] for name in ("video/H264", "video/VP8"))


def codecs(description):
    """The codecs of each m-line; a rejected one has none."""
    sections = description.sdp.split("\r\nm=")[1:]
    rejected = [" 0 " in text[:10] and "a=bundle-only" not in text for text in sections]
    found = [set(re.findall(r"a=rtpmap:\d+ (\w+)/", text)) for text in sections]
    return [set() if unused else names for unused, names in zip(rejected, found, strict=True)]


def likes(peer, preferred):
    """A transceiver for video that uses nothing else."""
    transceiver = peer.addTransceiver("video")
    transceiver.setCodecPreferences(preferred)
    return transceiver


async def test_preferences_last_when_an_offer_is_taken_back():
    async with open_peers(None) as (peer,):
        transceiver = peer.addTransceiver("video")
        await peer.setLocalDescription()
        assert codecs(peer.localDescription) == [{"VP8", "H264", "rtx"}]
        transceiver.setCodecPreferences(H264)
        later = likes(peer, VP8)
        await peer.setLocalDescription(ROLLBACK)
        assert codecs(await peer.createOffer()) == [{"H264"}, {"VP8"}]
        assert later.mid is None


async def test_who_prefers_what_is_not_offered_gets_another_transceiver_when_offers_meet():
    async with open_peers(None, None) as (polite, impolite):
        ours, theirs = likes(polite, H264), likes(impolite, VP8)
        await asyncio.gather(polite.setLocalDescription(), impolite.setLocalDescription())
        await polite.setRemoteDescription(impolite.localDescription)
        await polite.setLocalDescription()
        assert codecs(polite.localDescription) == [{"VP8"}]
        await impolite.setRemoteDescription(polite.localDescription)
        assert not theirs.stopped
        assert ours.mid is None
        await negotiate(polite, impolite)
        assert codecs(polite.localDescription)[1:] == [{"H264"}]


async def test_an_m_line_is_rejected_for_a_track_with_other_preferences_when_offers_meet():
    async with open_peers(None, None) as (polite, impolite):
        polite.addTransceiver("audio")
        polite.addTrack(VideoStreamTrack())
        polite.getTransceivers()[1].setCodecPreferences(H264)
        likes(impolite, VP8)
        await asyncio.gather(polite.setLocalDescription(), impolite.setLocalDescription())
        await polite.setRemoteDescription(impolite.localDescription)
        await polite.setLocalDescription()
        assert codecs(polite.localDescription) == [set()]
        await impolite.setRemoteDescription(polite.localDescription)
        assert impolite.getTransceivers() == []


async def test_what_is_added_before_a_remote_offer_has_its_turn_counts():
    async with open_peers(None, None) as (answerer, offerer):
        likes(offerer, VP8)
        await offerer.setLocalDescription()
        under_way = answerer.setRemoteDescription(offerer.localDescription)
        answerer.addTrack(VideoStreamTrack())
        answerer.getTransceivers()[0].setCodecPreferences(H264)
        await under_way
        await answerer.setLocalDescription()
        assert codecs(answerer.localDescription) == [set()]


async def test_preferences_for_the_next_offer_do_not_count_for_the_answer_to_the_last():
    async with open_peers(None, None) as (offerer, answerer):
        transceiver = offerer.addTransceiver("video")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        answerer.getTransceivers()[0].setCodecPreferences(VP8)
        await answerer.setLocalDescription()
        transceiver.setCodecPreferences(H264)
        await offerer.setRemoteDescription(answerer.localDescription)
        assert codecs(offerer.remoteDescription) == [{"VP8"}]
        assert codecs(await offerer.createOffer()) == [{"H264"}]


async def test_who_hears_of_a_track_can_choose_with_what_it_is_answered():
    async with open_peers(None, None) as (offerer, answerer):
        answerer.ontrack = lambda event: event.transceiver.setCodecPreferences(H264)
        offerer.addTrack(VideoStreamTrack())
        track = asyncio.ensure_future(next_event(answerer, "track"))
        await negotiate(offerer, answerer)
        assert codecs(answerer.localDescription) == [{"H264"}]
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        assert (await (await track).track.recv()).width == 640
