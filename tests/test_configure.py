"""A configuration, at a connection: read back, changed, and what a pool of candidates does."""

from __future__ import annotations

import asyncio

import aiortc
import pytest
from peers import Log, Tone, negotiate, open_peers, opened, send_candidates
from servers import mapping_server

from peer import InvalidModificationError, InvalidStateError, RTCPeerConnection


async def test_the_configuration_can_be_read_back_with_its_defaults():
    async with open_peers(None) as (peer,):
        assert peer.getConfiguration() == {
            "iceServers": [],
            "iceTransportPolicy": "all",
            "bundlePolicy": "balanced",
            "rtcpMuxPolicy": "require",
            "certificates": [],
            "iceCandidatePoolSize": 0,
        }
    servers = [{"urls": ["stun:192.0.2.1"]}, {"urls": "turn:192.0.2.1", "username": "u", "credential": "c"}]
    async with open_peers({"iceServers": servers, "bundlePolicy": "max-bundle"}) as (peer,):
        given = peer.getConfiguration()
        assert given["iceServers"] == servers
        assert given["bundlePolicy"] == "max-bundle"
        peer.setConfiguration(given)
        assert peer.getConfiguration() == given


async def test_what_may_not_change_is_refused_and_nothing_changes():
    async with open_peers({"bundlePolicy": "max-compat"}) as (peer,):
        before = peer.getConfiguration()
        for wrong in ({}, {"bundlePolicy": "balanced"}, {**before, "certificates": [certificate()]}):
            with pytest.raises(InvalidModificationError):
                peer.setConfiguration(wrong)
        with pytest.raises(ValueError, match="URL"):
            peer.setConfiguration({**before, "iceServers": [{"urls": "nonsense"}]})
        with pytest.raises(TypeError):
            peer.setConfiguration({**before, "iceTransportPolicy": "none"})
        assert peer.getConfiguration() == before
        peer.createDataChannel("chat")
        peer.setConfiguration(before, iceCandidatePoolSize=1)
        await peer.setLocalDescription()
        with pytest.raises(InvalidModificationError):
            peer.setConfiguration(before, iceCandidatePoolSize=2)
        await peer.close()
        with pytest.raises(InvalidStateError):
            peer.setConfiguration(before)


async def test_a_change_counts_for_the_gathering_that_begins_afterwards():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        peer.setConfiguration({"iceTransportPolicy": "relay"})
        log = Log(peer)
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert log.kinds() == ["gathering", "end", "complete", "null"]


async def test_new_servers_are_asked_by_the_gathering_that_begins_next():
    async with mapping_server(("203.0.113.5", 40000)) as urls, open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        peer.setConfiguration({"iceServers": [{"urls": urls}]})
        await peer.setLocalDescription()
        peer.setConfiguration({})
        await peer.gathering_complete()
        assert "srflx" in [candidate.type async for candidate in peer.ice_candidates()]


async def test_a_change_leaves_the_gathering_that_is_under_way_alone():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        log = Log(peer)
        await peer.setLocalDescription()
        peer.setConfiguration({"iceTransportPolicy": "relay"})
        await peer.gathering_complete()
        assert "candidate" in log.kinds()


def certificate():
    return aiortc.RTCCertificate.generateCertificate()


async def test_certificates_are_those_of_the_description():
    chosen = certificate()
    async with open_peers({"certificates": [chosen]}) as (peer,):
        peer.createDataChannel("chat")
        offer = await peer.createOffer()
        (value,) = [each.value for each in chosen.getFingerprints() if each.algorithm == "sha-256"]
        assert f"a=fingerprint:sha-256 {value}\r\n" in offer.sdp
        assert offer.sdp.count("a=fingerprint:") == 1
        assert peer.getConfiguration()["certificates"] == [chosen]


# The pool


async def gathered_early(peer):
    """Wait until the first agent of the pool has gathered, which no event tells."""
    agent = peer._session.transports._pool[0]
    while not agent.newest.gathered:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)


async def test_a_pool_is_gathered_before_and_announced_after_set_local_description():
    async with open_peers({"iceCandidatePoolSize": 1}, None) as (offerer, answerer):
        log = Log(offerer)
        await gathered_early(offerer)
        open_ = opened(offerer.createDataChannel("chat"))
        assert (offerer.iceGatheringState, log.entries) == ("new", [])
        await offerer.setLocalDescription()
        assert offerer.iceGatheringState == "new"
        await offerer.gathering_complete()
        kinds = log.kinds()
        assert kinds == ["gathering", *["candidate"] * (len(kinds) - 4), "end", "complete", "null"]
        assert [event["lines"] for event in log.of("icecandidate")][:-2] == list(range(1, len(kinds) - 3))
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(answerer, offerer), send_candidates(offerer, answerer))
        await open_


async def test_an_answerer_has_a_pool_too():
    async with open_peers(None, {"iceCandidatePoolSize": 1}) as (offerer, answerer):
        log = Log(answerer)
        await gathered_early(answerer)
        assert log.entries == []
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)
        await answerer.gathering_complete()
        kinds = log.kinds()
        assert kinds == ["gathering", *["candidate"] * (len(kinds) - 4), "end", "complete", "null"]
        assert "candidate" in kinds


async def test_a_pool_is_gathered_anew_when_the_servers_change():
    async with mapping_server(("203.0.113.5", 40000)) as urls, open_peers({"iceCandidatePoolSize": 1}) as (peer,):
        await gathered_early(peer)
        peer.setConfiguration({"iceServers": [{"urls": urls}], "iceCandidatePoolSize": 1})
        await gathered_early(peer)
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert "srflx" in [candidate.type async for candidate in peer.ice_candidates()]


@pytest.mark.parametrize("size", [1, 2, 5])
async def test_all_m_lines_have_the_same_credentials_whatever_the_pool(size):
    async with open_peers({"iceCandidatePoolSize": size}, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        ufrags = {line for line in offerer.localDescription.sdp.split("\r\n") if line.startswith("a=ice-ufrag")}
        assert len(ufrags) == 1
        await asyncio.gather(send_candidates(answerer, offerer), send_candidates(offerer, answerer))
        await open_


async def test_a_pool_that_nobody_needed_is_closed_with_the_connection():
    peer = RTCPeerConnection(iceCandidatePoolSize=3)
    await gathered_early(peer)
    for size in (4, 1):
        peer.setConfiguration(iceCandidatePoolSize=size)
        assert len(peer._session.transports._pool) == size
    await peer.close()
    peer = RTCPeerConnection(iceCandidatePoolSize=3)
    await peer.close()


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_a_pool_for_several_m_lines_is_complete_once(policy, size):
    async with open_peers({"iceCandidatePoolSize": size, "bundlePolicy": policy}) as (peer,):
        log = Log(peer)
        peer.addTrack(Tone())
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        found = {candidate.sdpMid async for candidate in peer.ice_candidates()}
        assert found == ({"0"} if policy == "max-bundle" else {"0", "1"})
        assert log.of("icegatheringstatechange") == ["gathering", "complete"]
        assert log.kinds().count("null") == 1
        assert log.kinds()[-2:] == ["complete", "null"]


async def test_what_is_left_of_a_pool_is_discarded_when_the_negotiation_is_complete():
    async with open_peers({"iceCandidatePoolSize": 3}, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)
        assert offerer._session.transports._pool == []


async def test_the_size_of_the_pool_stays_after_a_description_that_was_taken_back():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.setLocalDescription({"type": "rollback"})
        with pytest.raises(InvalidModificationError):
            peer.setConfiguration({"iceCandidatePoolSize": 1})


def test_where_no_loop_runs_there_is_no_pool_yet():
    peer = RTCPeerConnection({"iceCandidatePoolSize": 1})
    peer.setConfiguration({"iceCandidatePoolSize": 2})
    assert peer.getConfiguration()["iceCandidatePoolSize"] == 2
    asyncio.run(_closed(peer))


async def _closed(peer):
    await peer.close()
