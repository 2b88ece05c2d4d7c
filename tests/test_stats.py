"""getStats: the entries of ICE, tied together by their identifiers."""

from __future__ import annotations

import asyncio

from peers import Tone, connect, emitted, negotiate, next_event, open_peers, opened, reached, send_candidates, trickle
from servers import mapping_server


def of_type(report, type):
    return [entry for entry in report.values() if entry.type == type]


async def selected(peer):
    """The entries of a connection's only transport and of its selected pair."""
    report = await peer.getStats()
    (transport,) = of_type(report, "transport")
    return transport, report[transport.selectedCandidatePairId]


async def test_a_connection_reports_its_transport_candidates_and_pairs():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        await open_
        await offerer.gathering_complete()
        await reached(offerer, "connectionState", "connected")
        report = await offerer.getStats()
        assert all(key == entry.id for key, entry in report.items())

        (transport,) = of_type(report, "transport")
        assert (transport.iceRole, transport.iceState, transport.dtlsState) == ("controlling", "connected", "connected")
        assert f"a=ice-ufrag:{transport.iceLocalUsernameFragment}\r\n" in offerer.localDescription.sdp
        assert min(transport.bytesSent, transport.bytesReceived) > 0

        ice = offerer.sctp.transport.iceTransport
        local = of_type(report, "local-candidate")
        assert [(c.address, c.port, c.candidateType) for c in local] == [
            (c.address, c.port, c.type) for c in ice.getLocalCandidates()
        ]
        pair = report[transport.selectedCandidatePairId]
        assert (pair.type, pair.state, pair.nominated) == ("candidate-pair", "succeeded", True)
        selected = ice.getSelectedCandidatePair()
        assert report[pair.localCandidateId].port == selected.local.port
        assert report[pair.remoteCandidateId].port == selected.remote.port
        assert {entry.transportId for entry in [*local, pair, *of_type(report, "remote-candidate")]} == {transport.id}
        assert of_type(report, "outbound-rtp")[0].transportId == transport.id
        assert list(await offerer.getStats()) == list(report)


async def test_a_learned_candidate_keeps_its_identifier_when_another_one_is_added():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        await send_candidates(answerer, offerer)  # and none of the offerer's to the answerer
        await open_
        before = {entry.id for entry in of_type(await answerer.getStats(), "remote-candidate")}
        await answerer.addIceCandidate({"candidate": "candidate:1 1 udp 1 192.0.2.9 5000 typ host", "sdpMid": "0"})
        after = of_type(await answerer.getStats(), "remote-candidate")
        (added,) = (entry for entry in after if entry.id not in before)
        assert (added.address, added.port, added.protocol, added.candidateType) == ("192.0.2.9", 5000, "udp", "host")
        assert before < {entry.id for entry in after}
        pairs = [p for p in of_type(await answerer.getStats(), "candidate-pair") if p.remoteCandidateId == added.id]
        assert pairs
        for pair in pairs:  # none is checked any more
            assert (pair.nominated, pair.requestsSent, pair.responsesReceived, pair.packetsSent) == (False, 0, 0, 0)
            assert (pair.currentRoundTripTime, pair.totalRoundTripTime) == (None, 0.0)


async def test_a_pair_counts_what_goes_over_it():
    async with open_peers(None, None) as (offerer, answerer):
        announced = asyncio.ensure_future(next_event(answerer, "datachannel"))
        channel = await connect(offerer, answerer)
        theirs = (await announced).channel
        before = [await selected(peer) for peer in (offerer, answerer)]
        for _ in range(3):
            arrived = asyncio.ensure_future(emitted(theirs, "message"))
            channel.send("x" * 1000)
            await arrived
        for (_, old), peer in zip(before, (offerer, answerer), strict=True):
            transport, pair = await selected(peer)
            pairs = of_type(await peer.getStats(), "candidate-pair")
            assert pair.id == old.id
            assert sum(p.bytesSent for p in pairs) == transport.bytesSent
            assert sum(p.packetsSent for p in pairs) == transport.packetsSent
            assert sum(p.bytesReceived for p in pairs) >= transport.bytesReceived > 0
            assert sum(p.packetsReceived for p in pairs) >= transport.packetsReceived > 0
            if peer is offerer:
                assert pair.bytesSent - old.bytesSent > 3000
                assert pair.packetsSent - old.packetsSent >= 3
            else:
                assert pair.bytesReceived - old.bytesReceived > 3000
                assert pair.packetsReceived - old.packetsReceived >= 3


async def test_a_pair_counts_its_checks_and_their_round_trips():
    async with open_peers(None, None, consent_interval=0.01) as (offerer, answerer):
        announced = asyncio.ensure_future(next_event(answerer, "datachannel"))
        channel = await connect(offerer, answerer)
        theirs = (await announced).channel
        (_, pair), enough = await selected(offerer), 3
        assert pair.requestsSent >= 1
        while pair.responsesReceived < enough + pair.requestsSent:
            arrived = asyncio.ensure_future(emitted(theirs, "message"))
            channel.send("")
            await arrived
            _, pair = await selected(offerer)
        assert pair.consentRequestsSent >= enough
        assert 0 < pair.currentRoundTripTime < pair.totalRoundTripTime


async def test_a_transport_counts_the_changes_of_its_pair():
    async with open_peers(None, None) as peers:
        changes = dict.fromkeys(peers, 0)

        def watch(peer):
            def changed(_):
                changes[peer] += 1

            peer.sctp.transport.iceTransport.onselectedcandidatepairchange = changed

        peers[0].createDataChannel("chat")
        watch(peers[0])
        trickle(*peers)
        connected = [reached(peer, "connectionState", "connected") for peer in peers]
        await negotiate(*peers)
        watch(peers[1])
        for each in connected:
            await each
        for peer in peers:
            transport, _ = await selected(peer)
            assert transport.selectedCandidatePairChanges == changes[peer] >= 1
        again = asyncio.ensure_future(next_event(peers[0].sctp.transport.iceTransport, "selectedcandidatepairchange"))
        peers[0].restartIce()
        await negotiate(*peers)
        await again
        transport, pair = await selected(peers[0])
        assert transport.selectedCandidatePairChanges == changes[peers[0]] >= 2
        assert pair.nominated


async def test_a_reflexive_candidate_is_reported_with_the_server_it_came_from():
    async with (
        mapping_server(("203.0.113.5", 40000)) as (url,),
        open_peers({"iceServers": [{"urls": url}]}) as (peer,),
    ):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        local = of_type(await peer.getStats(), "local-candidate")
        assert {(c.candidateType, c.protocol, c.url) for c in local} == {
            ("host", "udp", None),
            ("host", "tcp", None),
            ("srflx", "udp", url),
        }


async def test_a_transport_reports_how_long_servers_took_to_tell_an_address_though_it_is_known(turn):
    stun, relay, refused = turn["urls"]
    servers = [{"urls": stun}, {**turn, "urls": relay}, {**turn, "urls": refused, "credential": "wrong"}]
    async with open_peers({"iceServers": servers}) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        (transport,) = of_type(await peer.getStats(), "transport")
        assert transport.server_times.keys() == {stun, relay}
        assert min(transport.server_times.values()) > 0


async def test_a_connection_without_negotiation_reports_no_transport():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        assert of_type(await peer.getStats(), "local-candidate") == []
