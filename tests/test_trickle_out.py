"""icecandidate and icegatheringstatechange: which, in which order, and what is visible when they fire."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest
from peers import Log, Tone, negotiate, next_event, open_peers, opened, reached, send_candidates, trickle
from servers import MappingServer

from peer import RTCPeerConnectionIceEvent


@pytest.fixture
async def offerer():
    async with open_peers(None) as (peer,):
        yield peer


async def test_set_local_description_resolves_before_gathering_begins(offerer):
    offerer.createDataChannel("chat")
    log = Log(offerer)
    await offerer.setLocalDescription()
    assert offerer.iceGatheringState == "new"
    assert log.entries == [("signalingstatechange", "have-local-offer")]
    assert "a=candidate" not in offerer.localDescription.sdp


async def test_events_come_in_the_order_of_the_browsers(offerer):
    offerer.createDataChannel("chat")
    log = Log(offerer)
    await offerer.setLocalDescription()
    await offerer.gathering_complete()
    kinds = log.kinds()
    candidates = kinds.count("candidate")
    assert candidates >= 1
    assert kinds == ["gathering", *["candidate"] * candidates, "end", "complete", "null"]


async def test_each_candidate_is_in_the_description_when_its_event_fires(offerer):
    offerer.createDataChannel("chat")
    log = Log(offerer)
    await offerer.setLocalDescription()
    await offerer.gathering_complete()
    *found, end, null = log.of("icecandidate")
    for number, event in enumerate(found, 1):
        assert (event["gathering"], event["lines"], event["ends"]) == ("gathering", number, 0)
    assert (end["gathering"], end["lines"], end["ends"]) == ("gathering", len(found), 1)
    assert (null["gathering"], null["lines"], null["ends"]) == ("complete", len(found), 1)
    for event in found:
        assert f"a={event['candidate'].candidate}\r\n" in offerer.localDescription.sdp


async def test_candidates_and_the_marker_name_their_m_line_and_generation(offerer):
    offerer.createDataChannel("chat")
    log = Log(offerer)
    await offerer.setLocalDescription()
    await offerer.gathering_complete()
    ufrag = re.search("a=ice-ufrag:(.*)\r", offerer.localDescription.sdp)[1]
    for event in log.of("icecandidate")[:-1]:
        candidate = event["candidate"]
        assert (candidate.sdpMid, candidate.sdpMLineIndex, candidate.usernameFragment) == ("0", 0, ufrag)
    assert log.of("icecandidate")[-2]["candidate"].toJSON() == {
        "candidate": "",
        "sdpMid": "0",
        "sdpMLineIndex": 0,
        "usernameFragment": ufrag,
    }


async def test_a_late_candidate_is_written_into_each_description_that_carries_its_generation():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:  # answers when it is heeded, below
        server.bind(("127.0.0.1", 0))
        stun = {"urls": f"stun:127.0.0.1:{server.getsockname()[1]}"}
        async with open_peers({"iceServers": [stun]}, None) as (offerer, answerer):
            offerer.createDataChannel("chat")
            await negotiate(offerer, answerer)
            await offerer.setLocalDescription()
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                lambda: MappingServer(("203.0.113.5", 40000)), sock=server
            )
            await offerer.gathering_complete()
            for description in (offerer.pendingLocalDescription, offerer.currentLocalDescription):
                assert " typ srflx " in description.sdp
                assert description.sdp.count("a=end-of-candidates\r\n") == 1
            transport.close()


async def test_the_text_that_was_set_is_kept_and_only_candidates_are_added(offerer):
    offerer.createDataChannel("chat")
    offer = await offerer.createOffer()
    await offerer.setLocalDescription(offer)
    assert offerer.localDescription == offer
    await offerer.gathering_complete()
    lines = offerer.localDescription.sdp.splitlines(keepends=True)
    kept = "".join(line for line in lines if "candidate" not in line)
    assert lines[-1] == "a=end-of-candidates\r\n"
    # The default destination is that of a candidate, an IPv4 one if there is one, now that they are known.
    candidates = [c async for c in offerer.ice_candidates() if c.candidate]
    default = min(candidates, key=lambda c: ":" in c.address)
    family = "IP6" if ":" in default.address else "IP4"
    assert kept == offer.sdp.replace("m=application 9 ", f"m=application {default.port} ").replace(
        "c=IN IP4 0.0.0.0", f"c=IN {family} {default.address}"
    )


async def test_candidates_are_fired_as_ice_events_with_no_url_for_host_candidates(offerer):
    offerer.createDataChannel("chat")
    event = asyncio.ensure_future(next_event(offerer, "icecandidate"))
    await offerer.setLocalDescription()
    event = await event
    assert isinstance(event, RTCPeerConnectionIceEvent)
    assert event.url is None
    assert event.target is offerer
    assert event.candidate.type == "host"
    assert event.candidate.url is None
    assert event.candidate.relayProtocol is None


async def test_every_m_line_of_an_offer_announces_its_own_candidates_and_end(offerer):
    offerer.addTrack(Tone())
    offerer.addTransceiver("video")
    offerer.createDataChannel("chat")
    log = Log(offerer)
    await offerer.setLocalDescription()
    await offerer.gathering_complete()
    announced = [event["candidate"] for event in log.of("icecandidate")[:-1]]
    for mid in ("0", "1", "2"):
        own = [candidate for candidate in announced if candidate.sdpMid == mid]
        assert [c.candidate == "" for c in own] == [False] * (len(own) - 1) + [True]
        assert {c.sdpMLineIndex for c in own} == {int(mid)}
    assert [kind for kind in log.kinds() if kind not in ("candidate", "end")] == ["gathering", "complete", "null"]


async def test_an_answer_that_bundles_announces_for_the_first_m_line_only():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        offerer.createDataChannel("chat")
        log = Log(answerer)
        await negotiate(offerer, answerer)
        await answerer.gathering_complete()
        assert {event["candidate"].sdpMid for event in log.of("icecandidate")[:-1]} == {"0"}
        assert log.kinds()[-3:] == ["end", "complete", "null"]


async def test_what_loses_its_transport_to_bundling_is_never_announced_again(silent_server):
    async with open_peers({"iceServers": [{"urls": silent_server}]}, None, servers=0.5) as (offerer, answerer):
        offerer.addTrack(Tone())
        channel = offerer.createDataChannel("chat")
        log = Log(offerer)
        trickle(offerer, answerer)
        open_ = opened(channel)
        await negotiate(offerer, answerer)
        await open_
        announced = len(log.of("icecandidate"))
        await offerer.gathering_complete()
        late = [event["candidate"] for event in log.of("icecandidate")[announced:]]
        assert [(c.sdpMid, c.candidate) if c else None for c in late] == [("0", ""), None]


async def test_relay_only_without_a_turn_server_announces_no_candidate_and_fails():
    async with open_peers({"iceTransportPolicy": "relay"}, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        log = Log(offerer)
        trickle(offerer, answerer)
        failed = asyncio.ensure_future(reached(offerer, "connectionState", "failed"))
        await negotiate(offerer, answerer)
        await failed
        assert log.kinds() == ["gathering", "end", "complete", "null"]
        assert offerer.iceConnectionState == "failed"


async def test_an_offer_without_m_lines_gathers_nothing(offerer):
    log = Log(offerer)
    await offerer.setLocalDescription()
    async with open_peers(None) as (answerer,):
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
    assert log.entries == [("signalingstatechange", "have-local-offer"), ("signalingstatechange", "stable")]
    assert offerer.iceGatheringState == "new"


async def test_an_m_line_added_later_gathers_again():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        log = Log(offerer)
        offerer.addTrack(Tone())
        await offerer.setLocalDescription()
        assert offerer.iceGatheringState == "complete"
        before = offerer.localDescription.sdp.partition("m=audio")[0]
        assert "a=candidate:" in before
        assert before.count("a=end-of-candidates") == 1
        await reached(offerer, "iceGatheringState", "gathering")
        await offerer.gathering_complete()
        kinds = log.kinds()
        assert kinds == ["gathering", *["candidate"] * (len(kinds) - 4), "end", "complete", "null"]
        assert {event["candidate"].sdpMid for event in log.of("icecandidate")[:-1]} == {"1"}


async def test_the_iterator_gives_what_was_announced_and_what_follows(offerer):
    offerer.createDataChannel("chat")
    log = Log(offerer)
    await offerer.setLocalDescription()
    await next_event(offerer, "icecandidate")
    iterated = [candidate async for candidate in offerer.ice_candidates()]
    assert iterated == [event["candidate"] for event in log.of("icecandidate")[:-1]]
    assert [candidate async for candidate in offerer.ice_candidates()] == iterated


async def test_the_iterator_ends_when_the_connection_is_closed(offerer):
    offerer.createDataChannel("chat")
    iteration = asyncio.ensure_future(anext(offerer.ice_candidates(), "ended"))
    await asyncio.sleep(0)
    await offerer.close()
    assert await iteration == "ended"
    assert [candidate async for candidate in offerer.ice_candidates()] == []


async def test_gathering_complete_gives_a_description_for_signalling_that_cannot_trickle():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        await offerer.gathering_complete()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await answerer.gathering_complete()
        await offerer.setRemoteDescription(answerer.localDescription)
        await open_
