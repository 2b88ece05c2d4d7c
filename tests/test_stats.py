"""getStats: the entries of ICE, tied together by their identifiers."""

from __future__ import annotations

from peers import Tone, negotiate, open_peers, opened, reached, send_candidates, trickle
from servers import mapping_server


def of_type(report, type):
    return [entry for entry in report.values() if entry.type == type]


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


async def test_a_reflexive_candidate_is_reported_with_the_server_it_came_from():
    async with (
        mapping_server(("203.0.113.5", 40000)) as (url,),
        open_peers({"iceServers": [{"urls": url}]}) as (peer,),
    ):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        local = of_type(await peer.getStats(), "local-candidate")
        assert {(c.candidateType, c.protocol, c.url) for c in local} == {("host", "udp", None), ("srflx", "udp", url)}


async def test_a_connection_without_negotiation_reports_no_transport():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        assert of_type(await peer.getStats(), "local-candidate") == []
