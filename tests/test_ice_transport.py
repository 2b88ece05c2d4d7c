"""RTCIceTransport, and icecandidateerror: what users see of ICE beside the connection."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager

import pytest
from peers import Log, Tone, connect, negotiate, next_event, open_peers, opened, reached, send_candidates

from peer import Event, RTCIceCandidate, RTCIceTransport, RTCPeerConnection, RTCPeerConnectionIceErrorEvent


def ice(peer):
    return peer.sctp.transport.iceTransport


class Order:
    """The events of a connection and of one of its transports, in order, with the states they find."""

    CONNECTION = ("icegatheringstatechange", "iceconnectionstatechange", "connectionstatechange", "icecandidate")
    TRANSPORT = ("gatheringstatechange", "statechange", "selectedcandidatepairchange")

    def __init__(self, peer, transport):
        self.seen = []

        def note(event):
            states = (transport.gatheringState, peer.iceGatheringState, transport.state, peer.iceConnectionState)
            self.seen.append((event.type, *states))

        for type in self.CONNECTION:
            peer.addEventListener(type, note)
        for type in self.TRANSPORT:
            transport.addEventListener(type, note)

    def without_candidates(self):
        return [entry for entry in self.seen if entry[0] != "icecandidate"]


async def test_a_transport_before_anything_is_negotiated():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        transport = ice(peer)
        assert isinstance(transport, RTCIceTransport)
        assert ice(peer) is transport
        assert (transport.role, transport.component, transport.state) == ("unknown", "rtp", "new")
        assert transport.gatheringState == "new"
        assert transport.getLocalCandidates() == transport.getRemoteCandidates() == []
        assert transport.getSelectedCandidatePair() is None
        assert transport.getLocalParameters() is None
        assert transport.getRemoteParameters() is None


async def test_roles_and_parameters_are_known_with_the_descriptions():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        assert ice(offerer).role == "controlling"
        local = ice(offerer).getLocalParameters()
        assert f"a=ice-ufrag:{local.usernameFragment}\r\n" in offerer.localDescription.sdp
        assert f"a=ice-pwd:{local.password}\r\n" in offerer.localDescription.sdp
        await answerer.setRemoteDescription(offerer.localDescription)
        assert ice(answerer).role == "controlled"
        assert ice(answerer).getRemoteParameters() == local
        assert ice(answerer).getLocalParameters() is None
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        assert ice(offerer).getRemoteParameters() == ice(answerer).getLocalParameters()


async def test_a_role_stays_as_it_is_whoever_offers_next():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        await negotiate(answerer, offerer)
        assert (ice(offerer).role, ice(answerer).role) == ("controlling", "controlled")


async def test_who_is_offered_ice_lite_controls_and_a_conflict_of_roles_is_settled():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        lite = offerer.localDescription.sdp.replace("m=", "a=ice-lite\r\nm=")
        await answerer.setRemoteDescription(type="offer", sdp=lite)
        assert (ice(offerer).role, ice(answerer).role) == ("controlling", "controlling")
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        assert {ice(offerer).role, ice(answerer).role} == {"controlling", "controlled"}


async def test_events_come_at_the_transport_first_and_find_all_states_changed():
    async with open_peers(None, None) as (offerer, answerer):
        channel = offerer.createDataChannel("chat")
        open_ = opened(channel)
        order = Order(offerer, ice(offerer))
        await negotiate(offerer, answerer)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        await reached(offerer, "connectionState", "connected")
        assert order.without_candidates() == [
            ("gatheringstatechange", "gathering", "gathering", "new", "new"),
            ("icegatheringstatechange", "gathering", "gathering", "new", "new"),
            ("gatheringstatechange", "complete", "complete", "new", "new"),
            ("icegatheringstatechange", "complete", "complete", "new", "new"),
            ("statechange", "complete", "complete", "checking", "checking"),
            ("iceconnectionstatechange", "complete", "complete", "checking", "checking"),
            ("connectionstatechange", "complete", "complete", "checking", "checking"),
            ("selectedcandidatepairchange", "complete", "complete", "connected", "connected"),
            ("statechange", "complete", "complete", "connected", "connected"),
            ("iceconnectionstatechange", "complete", "complete", "connected", "connected"),
            ("connectionstatechange", "complete", "complete", "connected", "connected"),
        ]


async def test_candidates_and_the_selected_pair():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        await asyncio.gather(offerer.gathering_complete(), answerer.gathering_complete())
        announced = [c async for c in offerer.ice_candidates() if c.candidate]
        assert ice(offerer).getLocalCandidates() == announced
        remote = ice(answerer).getRemoteCandidates()
        assert [c.toJSON() for c in remote] == [c.toJSON() for c in announced]
        pair = ice(offerer).getSelectedCandidatePair()
        assert pair.local in announced
        assert pair is ice(offerer).getSelectedCandidatePair()
        other = ice(answerer).getSelectedCandidatePair()
        assert (pair.local.protocol, pair.local.port) == (other.remote.protocol, other.remote.port)


async def test_a_remote_candidate_that_was_only_learned_hides_its_address():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        log = Log(answerer)
        await negotiate(offerer, answerer)
        await send_candidates(answerer, offerer)  # and none of the offerer's to the answerer
        await open_
        assert log.of("iceconnectionstatechange") == ["checking", "connected"]
        remote = ice(answerer).getSelectedCandidatePair().remote
        assert (remote.type, remote.address, remote.candidate) == ("prflx", None, "")
        assert remote.port == ice(offerer).getSelectedCandidatePair().local.port
        assert ice(answerer).getRemoteCandidates() == []
        assert "prflx" in repr(remote)
        changed = []
        ice(answerer).onselectedcandidatepairchange = lambda event: changed.append(
            ice(answerer).getSelectedCandidatePair()
        )
        await send_candidates(offerer, answerer)  # now it is signalled after all
        assert changed == [ice(answerer).getSelectedCandidatePair()]
        remote = ice(answerer).getSelectedCandidatePair().remote
        assert remote in ice(answerer).getRemoteCandidates()
        assert remote.address is not None


class Door(asyncio.DatagramProtocol):
    """One of the two sockets of a NAT: what comes to it is sent to *inside* from the other one.

    At first it is closed: what comes is dropped, as it is not known yet to be an answer.
    """

    def __init__(self) -> None:
        self.inside: tuple[str, int] | None = None  # set when it is known
        self.other: Door | None = None  # set when there is one
        self.is_open = False
        self.dropped = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data, addr):
        if not self.is_open:
            self.dropped.set()
            return
        self.other.is_open = True  # what comes there, now comes as an answer
        self.other.transport.sendto(data, self.inside)


@asynccontextmanager
async def two_doors():
    """The way to either peer, which the other one sees as where that one's packets come from."""
    loop = asyncio.get_running_loop()
    doors = [(await loop.create_datagram_endpoint(Door, local_addr=("127.0.0.1", 0)))[1] for _ in range(2)]
    for door, other in zip(doors, reversed(doors), strict=True):
        door.other = other
    try:
        yield doors
    finally:
        for door in doors:
            door.transport.close()


async def test_a_check_that_a_nat_has_dropped_is_sent_again_when_theirs_comes_through(monkeypatch):
    monkeypatch.setattr("aioice.stun.RETRY_RTO", 3600)  # nothing is repeated for its own sake
    monkeypatch.setattr("peer._host.host_addresses", lambda: ["127.0.0.1"])
    async with open_peers(None, None) as peers, two_doors() as doors:
        offerer, answerer = peers
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        hosts = []
        for peer, door in zip(peers, doors, strict=True):
            host, *_ = [candidate async for candidate in peer.ice_candidates()]
            hosts.append(host)
            door.inside = host.address, host.port
        to_offerer, to_answerer = doors
        to_offerer.is_open = True
        signalled = [
            {**host.toJSON(), "candidate": f"candidate:1 1 udp 5 127.0.0.1 {door.address[1]} typ srflx"}
            for host, door in zip(hosts, doors, strict=True)
        ]
        await offerer.addIceCandidate(signalled[1])
        await to_answerer.dropped.wait()
        await answerer.addIceCandidate(signalled[0])
        await open_
        for peer, host, door, other in zip(peers, hosts, doors, reversed(doors), strict=True):
            pair = ice(peer).getSelectedCandidatePair()
            assert (pair.local.type, pair.local.address, pair.local.port) == ("prflx", *door.address)
            assert (pair.local.relatedAddress, pair.local.relatedPort) == (host.address, host.port)
            assert pair.local.usernameFragment == host.usernameFragment
            assert pair.local not in ice(peer).getLocalCandidates()
            assert pair.local == RTCIceCandidate(pair.local.toJSON())
            assert (pair.remote.type, pair.remote.port) == ("srflx", other.address[1])


async def test_bundling_closes_the_transports_it_makes_needless():
    async with open_peers(None, None) as (offerer, answerer):
        sender = offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        kept, lost = sender.transport.iceTransport, ice(offerer)
        closed = asyncio.get_running_loop().create_future()
        lost.onstatechange = lambda event: closed.set_result((event.target, lost.state))
        await negotiate(offerer, answerer)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        assert await closed == (lost, "closed")
        assert ice(offerer) is kept


async def test_close_closes_the_transport_and_fires_nothing():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        transport = ice(offerer)
        order = Order(offerer, transport)
        await offerer.close()
        assert transport.state == "closed"
        assert transport.getSelectedCandidatePair() is None
        assert order.seen == []


# icecandidateerror


async def failures(configuration, count=1, **seconds):
    """The icecandidateerror events of one gathering, which must complete all the same."""
    async with open_peers(configuration, **seconds) as (peer,):
        peer.createDataChannel("chat")
        events = []
        peer.onicecandidateerror = lambda event: events.append((event, peer.iceGatheringState))
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert [state for _, state in events] == ["gathering"] * count
        known = {(candidate.address, candidate.port) async for candidate in peer.ice_candidates()}
        assert {(event.address, event.port) for event, _ in events} <= known | {(None, None)}
        return [event for event, _ in events]


async def test_a_server_that_does_not_answer_is_unreachable(silent_server):
    (event,) = await failures({"iceServers": [{"urls": silent_server}]}, servers=0.1)
    assert isinstance(event, RTCPeerConnectionIceErrorEvent)
    assert isinstance(event, Event)
    assert (event.errorCode, event.url) == (701, silent_server)
    assert "did not answer within 0.1 s" in event.errorText
    assert event.address is not None
    assert event.port > 0


async def test_users_say_how_long_servers_may_take(silent_server):
    peer = RTCPeerConnection({"iceServers": [{"urls": silent_server}]}, server_timeout=0.1)
    peer.createDataChannel("chat")
    failed = asyncio.ensure_future(next_event(peer, "icecandidateerror"))
    await peer.setLocalDescription()
    assert "did not answer within 0.1 s" in (await failed).errorText
    await peer.gathering_complete()
    await peer.close()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_servers_must_have_some_time(seconds):
    with pytest.raises(ValueError, match="more than 0 s"):
        RTCPeerConnection(server_timeout=seconds)


async def test_a_server_that_refuses_is_unreachable(unused_tcp_port):
    url = f"turn:127.0.0.1:{unused_tcp_port}?transport=tcp"
    (event,) = await failures({"iceServers": [{"urls": url, "username": "u", "credential": "p"}]})
    assert (event.errorCode, event.url, event.address, event.port) == (701, url, None, None)
    assert event.errorText


async def test_a_name_that_does_not_resolve_is_unreachable():
    (event,) = await failures({"iceServers": [{"urls": "stun:nosuch.invalid"}]})
    assert (event.errorCode, event.url) == (701, "stun:nosuch.invalid")
    assert (event.address, event.port) == (None, None)  # nobody was asked
    assert event.errorText


async def test_a_server_that_several_transports_cannot_reach_is_told_of_once_in_each_gathering(silent_server):
    servers = [{"urls": [silent_server, "stun:nosuch.invalid"]}]
    async with open_peers({"iceServers": servers}, servers=0.1) as (peer,):
        peer.addTrack(Tone())
        peer.createDataChannel("chat")
        urls = []
        peer.onicecandidateerror = lambda event: urls.append(event.url)
        for number in (1, 2):
            await peer.setLocalDescription(await peer.createOffer({"iceRestart": number == 2}))
            await reached(peer, "iceGatheringState", "gathering")
            await peer.gathering_complete()
            assert sorted(urls) == sorted(servers[0]["urls"] * number)


async def test_turn_over_dtls_is_left_unused_and_says_so():
    url = "turns:127.0.0.1?transport=udp"
    (event,) = await failures({"iceServers": [{"urls": url, "username": "u", "credential": "p"}]})
    assert (event.errorCode, event.url, event.address, event.port) == (701, url, None, None)
    assert event.errorText == "TURN over DTLS is not supported: the server is not asked"


async def test_wrong_credentials_are_the_servers_own_error(turn):
    wrong = {**turn, "credential": "wrong", "urls": [url for url in turn["urls"] if url.startswith("turn:")]}
    events = await failures({"iceServers": [wrong]}, count=2)
    assert {(event.errorCode, event.url) for event in events} == {(401, url) for url in wrong["urls"]}
    assert all(event.errorText for event in events)


@pytest.mark.parametrize("turn", ["user:0x" + hashlib.md5(b"user:another realm:secret").hexdigest()], indirect=True)
async def test_credentials_of_another_realm_are_the_servers_own_error(turn):
    urls = [url for url in turn["urls"] if url.startswith("turn:")]
    events = await failures({"iceServers": [{**turn, "urls": urls}]}, count=2)
    assert {(event.errorCode, event.url) for event in events} == {(401, url) for url in urls}


async def test_candidates_of_one_server_have_one_foundation_whatever_it_is_called(turn):
    url = next(url for url in turn["urls"] if url.startswith("turn:"))
    port = url.removeprefix("turn:127.0.0.1:").partition("?")[0]
    urls = [f"turn:127.0.0.1:{port}", f"turn:127.1:{port}"]  # which is another name of it
    async with open_peers({"iceServers": [{**turn, "urls": urls}], "iceTransportPolicy": "relay"}) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        first, second = ice(peer).getLocalCandidates()
        assert {first.url, second.url} == set(urls)
        assert first.foundation == second.foundation
        assert first.port != second.port


async def test_the_events_constructor_takes_what_the_browsers_does():
    event = RTCPeerConnectionIceErrorEvent("icecandidateerror", {"errorCode": 701, "url": "stun:x"}, errorText="no")
    assert (event.type, event.errorCode, event.url, event.errorText) == ("icecandidateerror", 701, "stun:x", "no")
    assert (event.address, event.port) == (None, None)
    with pytest.raises(TypeError):
        RTCPeerConnectionIceErrorEvent("icecandidateerror")


async def test_listeners_of_on_get_the_event(silent_server):
    async with open_peers({"iceServers": [{"urls": silent_server}]}, servers=0.1) as (peer,):
        peer.createDataChannel("chat")
        got = []
        peer.on("icecandidateerror", got.append)
        error = asyncio.ensure_future(next_event(peer, "icecandidateerror"))
        await peer.setLocalDescription()
        assert got == [await error]
