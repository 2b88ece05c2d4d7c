"""Names of mDNS: those of remote candidates, and our own. With real sockets, on a port that nobody else uses."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from peers import (
    Log,
    agent,
    answering,
    connect,
    connect_once,
    negotiate,
    next_event,
    open_peers,
    opened,
    reached,
    send_candidates,
    without_candidates,
)

from peer import RTCPeerConnection, _mdns
from peer._aioice import MAX_PAIRS, host_addresses
from peer._connection import transports_of
from peer._dns import answer, is_name, question, read
from peer._mdns import GROUP, GROUP6, Answering, resolve
from peer._multicast import GroupSocket

BOGUS = "deadbeef-0000-4000-8000-000000000000.local"
NAME = "11111111-2222-4333-8444-555555555555.local"
FOR_EVER = 3600  # seconds until a name is asked for again
AT_ONCE = 0.01


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port that stands for that of mDNS: other programs on this host and its link do not disturb."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = int(probe.getsockname()[1])
    monkeypatch.setattr(_mdns, "PORT", port)
    return port


@pytest.fixture(params=["no group", "no port"])
def no_multicast(request, monkeypatch, port):
    """The host has no multicast, or another program keeps the port to itself."""
    if request.param == "no group":
        monkeypatch.setattr(_mdns, "GROUP", "192.0.2.77")
        monkeypatch.setattr(_mdns, "GROUP6", "2001:db8::77")
        yield
    else:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as greedy:  # which is for both families
            greedy.bind(("", port))
            yield


class Neighbour:
    """Another host of the *group*: hears all that is sent, and answers what it is told to."""

    def __init__(self, group):
        self.asked: list[str] = []  # the names, once for each message
        self.told: list[tuple[str, str]] = []
        self.answers: dict[str, bytes] = {}  # by name: what to send when it is asked for
        self._heard = asyncio.Event()
        self.socket = GroupSocket(group, _mdns.PORT, self._received)
        self.send = self.socket.send

    def _received(self, data, port):
        message = read(data)
        self.asked += message.asked
        self.told += message.told
        for name in message.asked:
            if name in self.answers:
                self.send(self.answers[name])
        self._heard.set()

    async def hears(self, condition):
        while not condition():
            self._heard.clear()
            await self._heard.wait()


@asynccontextmanager
async def neighbour(group=GROUP):
    other = Neighbour(group)
    await other.socket.open()
    try:
        yield other
    finally:
        other.socket.close()
        await other.socket.closed


def line(number, host, port=5000):
    return {"candidate": f"candidate:{number} 1 udp {number} {host} {port} typ host", "sdpMid": "0"}


# Names of others


@pytest.mark.parametrize("group", [GROUP, GROUP6], ids=["IPv4", "IPv6"])
async def test_both_families_are_asked_for_over_both(group):
    async with neighbour(group) as other:
        for address in ("192.0.2.9", "fd00::9"):
            other.answers[NAME] = answer(NAME, address)
            assert await resolve(NAME, FOR_EVER) == address
        assert other.asked == [NAME] * 4


async def test_a_name_is_asked_for_three_times_and_then_nobody_knows_it():
    async with neighbour() as other:
        assert await resolve(BOGUS, AT_ONCE) is None
        await other.hears(lambda: other.asked == [BOGUS] * 6)


async def test_a_name_is_the_same_in_upper_case():
    async with neighbour() as other:
        other.answers[NAME] = answer(NAME, "192.0.2.9")
        assert await resolve(NAME.upper(), FOR_EVER) == "192.0.2.9"


async def test_those_who_want_the_same_name_share_the_question_and_the_answer():
    async with neighbour() as other:
        lookups = [asyncio.create_task(resolve(NAME, FOR_EVER)) for _ in range(50)]
        await other.hears(lambda: len(other.asked) == 2)
        lookups[0].cancel()  # who gives up first takes nothing from the others
        other.send(answer(NAME, "192.0.2.9"))
        outcomes = await asyncio.gather(*lookups, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert outcomes[1:] == ["192.0.2.9"] * 49
        assert other.asked == [NAME] * 2


async def test_without_multicast_no_name_is_known_and_that_is_logged(no_multicast, caplog):
    caplog.set_level("INFO", "peer._mdns")
    assert await asyncio.gather(resolve(NAME, FOR_EVER), resolve(BOGUS, FOR_EVER)) == [None, None]
    assert f"{NAME} cannot be looked up" in caplog.text


async def test_who_gives_up_while_the_socket_opens_leaves_nothing():
    lookups = [asyncio.create_task(resolve(NAME, FOR_EVER)) for _ in range(3)]
    await asyncio.sleep(0)  # so they have begun
    assert _mdns._links
    for lookup in lookups:
        lookup.cancel()
    await asyncio.wait(lookups)
    assert not _mdns._links


async def test_who_gives_up_while_the_socket_opens_ends_it_for_nobody_else():
    async with neighbour() as other:
        other.answers[NAME] = answer(NAME, "192.0.2.9")
        first, second = (asyncio.create_task(resolve(NAME, FOR_EVER)) for _ in range(2))
        await asyncio.sleep(0)  # so they have begun
        first.cancel()
        assert await second == "192.0.2.9"


async def test_a_network_that_is_gone_is_logged(caplog, monkeypatch):
    caplog.set_level("INFO", "peer._multicast")
    monkeypatch.setattr(_mdns, "question", lambda name: [bytes(70_000)])  # what cannot be sent
    assert await resolve(NAME, AT_ONCE) is None
    assert "multicast: " in caplog.text


def noise(chance):
    """What a neighbour may send: answers nobody asked for, truncated or damaged ones, loops, and anything."""
    samples = [
        answer(BOGUS, "192.0.2.66"),
        answer(NAME, "127.0.0.1"),
        answer(NAME, "224.0.0.251"),
        answer(NAME, "0.0.0.0"),
        answer(NAME, "fe80::1"),
        answer(NAME, "192.0.2.66").replace(b"\x00\x01\x80\x01", b"\x00\x1c\x80\x01"),
        struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c" + bytes(10),
        struct.pack("!6H", 0, 0, 2, 0, 0, 0) + b"\xc0\x12\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01",
        *question(BOGUS),
    ]
    yield from samples
    for _ in range(500):
        data = bytearray(chance.choice(samples))
        data[chance.randrange(12)] ^= 1 << chance.randrange(8)
        yield bytes(data[: chance.randrange(len(data))])
        yield chance.randbytes(chance.randrange(300))


async def test_whatever_neighbours_send_has_no_effect(loop_errors):
    async with neighbour() as other:
        answering_ = Answering()
        await answering_.add(NAME.replace("1", "2"), "192.0.2.2")
        lookup = asyncio.create_task(resolve(NAME, FOR_EVER))
        await other.hears(lambda: other.asked.count(NAME) == 2)
        for number, data in enumerate(noise(random.Random(5353))):
            other.send(data)
            if number % 20 == 0:  # sockets keep only so many
                marker = f"{number}.local"
                other.send(question(marker)[0])
                await other.hears(lambda marker=marker: marker in other.asked)
        assert not lookup.done()
        assert {name for name, _ in other.told} <= {BOGUS, NAME}
        assert _mdns._link()._lookups.keys() == {NAME}
        other.send(answer(NAME, "192.0.2.9"))
        assert await lookup == "192.0.2.9"
        await answering_.end()
    assert loop_errors == []


async def test_who_does_not_use_the_port_of_mdns_is_not_heard():
    async with neighbour() as other:
        loop = asyncio.get_running_loop()
        stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("0.0.0.0", 0))
        lookup = asyncio.create_task(resolve(NAME, FOR_EVER))
        await other.hears(lambda: len(other.asked) == 2)
        stranger.sendto(answer(NAME, "192.0.2.66"), (GROUP, _mdns.PORT))
        await other.hears(lambda: other.told)
        other.send(answer(NAME, "192.0.2.9"))
        assert await lookup == "192.0.2.9"
        stranger.close()
        await asyncio.sleep(0)


# Names of remote candidates


async def test_a_connection_is_made_though_names_that_nobody_knows_come_first():
    async with neighbour() as other, open_peers(None, None, names=FOR_EVER) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await answering(offerer, answerer)
        for number in range(MAX_PAIRS + 50):
            await answerer.addIceCandidate(line(number + 1, f"{number}.local"))
        await answerer.addIceCandidate(line(1, "0.local", 5001))
        assert len(agent(answerer).newest._lookups) == MAX_PAIRS
        await offerer.setRemoteDescription(without_candidates(answerer.localDescription.toJSON()))
        await send_candidates(offerer, answerer)  # and none the other way: only these can be checked
        await open_
        assert len(set(other.asked)) == MAX_PAIRS


async def test_only_names_that_nobody_knows_fail_as_addresses_do_that_nobody_has():
    async with open_peers(None, None, names=AT_ONCE, patience=0.2) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        log = Log(answerer)
        await answerer.addIceCandidate(line(1, BOGUS))
        await answerer.addIceCandidate()
        await reached(answerer, "connectionState", "failed")
        assert log.of("iceconnectionstatechange") == ["checking", "failed"]


async def test_without_a_candidate_of_our_own_a_name_delays_no_failure(monkeypatch):
    monkeypatch.setattr("peer._host.host_addresses", list)
    async with open_peers(None, None, names=FOR_EVER) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        failed = asyncio.create_task(reached(answerer, "connectionState", "failed"))
        await answerer.addIceCandidate(line(1, BOGUS))
        await answerer.addIceCandidate()
        await failed


async def test_closing_ends_the_lookups():
    async with neighbour() as other, open_peers(None, None, names=FOR_EVER) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        for number in range(50):
            await answerer.addIceCandidate(line(number + 1, f"{number}.local"))
        await other.hears(lambda: len(other.asked) == 100)
        await answerer.close()
        assert not _mdns._links


async def test_a_name_of_a_provisional_answer_is_forgotten_with_it():
    async with neighbour() as other, open_peers(None, None, None, names=FOR_EVER) as (offerer, first, second):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        for answerer, type in ((first, "pranswer"), (second, "answer")):
            await answerer.setRemoteDescription(offerer.localDescription)
            await answerer.setLocalDescription()
            await offerer.setRemoteDescription(without_candidates(answerer.localDescription.toJSON()) | {"type": type})
            if type == "pranswer":
                await offerer.addIceCandidate(line(1, NAME))
                await other.hears(lambda: NAME in other.asked)
        await offerer.gathering_complete()
        assert not agent(offerer).newest._lookups
        assert {candidate.type for candidate in agent(offerer).newest.remote_candidates} <= {"prflx"}


# Our own


ADDRESSES = frozenset(host_addresses())


def shown(text):
    """The addresses of this host that *text* tells."""
    return {address for address in ADDRESSES if address in text}


def announced(peer):
    return [candidate for candidate in transports_of(peer).gathering.announced if candidate.candidate]


@pytest.mark.parametrize("group", [GROUP, GROUP6], ids=["IPv4", "IPv6"])
async def test_a_name_is_told_by_the_way_it_was_asked_for(group):
    async with neighbour(group) as other:
        ours = Answering()
        await ours.add(NAME, "192.0.2.2")
        assert ours.can
        other.send(question(NAME)[0])
        await other.hears(lambda: other.told == [(NAME, "192.0.2.2")])
        await ours.end()


async def test_names_stand_for_our_addresses_while_the_connection_lives():
    async with neighbour() as other, open_peers(None, None, hide_host_addresses=True) as (offerer, answerer):
        await connect_once(offerer, answerer)
        ours = {candidate.address for candidate in announced(offerer)}
        found = {await resolve(name, FOR_EVER) for name in ours}
        assert found == ADDRESSES
        assert len(ours) == len(ADDRESSES)
        assert not ours & {candidate.address for candidate in announced(answerer)}
        await offerer.close()
        others = next(candidate.address for candidate in announced(answerer))
        other.told.clear()
        for name in ours:
            for query in question(name):
                other.send(query)
        other.send(question(others)[0])
        await other.hears(lambda: other.told)
        assert {name for name, _ in other.told} == {others}


async def test_no_description_candidate_or_statistic_tells_an_address():
    async with open_peers(None, None, hide_host_addresses=True) as (offerer, answerer):
        await connect_once(offerer, answerer)
        for peer in (offerer, answerer):
            await peer.createOffer()  # engines write candidates and addresses of their own
            texts = [peer.localDescription.sdp, (await peer.createOffer()).sdp, peer.remoteDescription.sdp]
            texts += [repr(candidate.toJSON()) for candidate in announced(peer)]
            texts += [repr(peer.sctp.transport.iceTransport.getSelectedCandidatePair())]
            texts += [repr(entry) for entry in (await peer.getStats()).values()]
            assert set().union(*map(shown, texts)) == set()
            assert {candidate.protocol for candidate in announced(peer)} == {"udp", "tcp"}
            assert "c=IN IP4 0.0.0.0\r\n" in peer.localDescription.sdp
            assert "m=application 9 " in peer.localDescription.sdp


async def test_the_selected_pair_shows_names_and_statistics_show_no_address_of_ours():
    async with open_peers(None, None, hide_host_addresses=True) as (offerer, answerer):
        await connect_once(offerer, answerer)
        ice = offerer.sctp.transport.iceTransport
        while ice.getSelectedCandidatePair().remote.address is None:  # its name is looked up
            await ice_event(ice, "selectedcandidatepairchange")
        pair = ice.getSelectedCandidatePair()
        assert pair.local in announced(offerer)
        assert pair.remote.candidate in {candidate.candidate for candidate in announced(answerer)}
        entries = (await offerer.getStats()).values()
        assert {entry.address for entry in entries if entry.type == "local-candidate"} == {None}
        theirs = {entry.address for entry in entries if entry.type == "remote-candidate"}
        assert theirs == {candidate.address for candidate in announced(answerer)}


async def ice_event(ice, type):
    happened = asyncio.get_running_loop().create_future()
    ice.addEventListener(type, happened.set_result, once=True)
    await happened


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("hidden", ["offerer", "answerer"])
async def test_one_name_is_enough_to_connect(hidden, family):
    async with open_peers(None) as (one,), open_peers(None, hide_host_addresses=True) as (other,):
        offerer, answerer = (other, one) if hidden == "offerer" else (one, other)
        open_ = opened(offerer.createDataChannel("chat"))
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(without_candidates(offerer.localDescription.toJSON()))
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(without_candidates(answerer.localDescription.toJSON()))
        async for candidate in other.ice_candidates():
            address = await resolve(candidate.address, FOR_EVER) if candidate.protocol == "udp" else None
            if address and ip_address(address).version == family:
                await one.addIceCandidate(candidate)
        await open_
        (sending,) = transports_of(other).sending_addresses()
        assert ip_address(sending).version == family


async def test_a_restart_and_another_transport_have_the_same_names():
    async with open_peers({"bundlePolicy": "max-compat"}, None, hide_host_addresses=True) as (offerer, answerer):
        offerer.addTransceiver("audio")
        await connect(offerer, answerer)
        await offerer.gathering_complete()
        names = {candidate.address for candidate in announced(offerer)}
        ufrags = {candidate.usernameFragment for candidate in announced(offerer)}
        offerer.restartIce()
        await negotiate(offerer, answerer)
        await offerer.gathering_complete()
        assert {candidate.address for candidate in announced(offerer)} == names
        assert not {candidate.usernameFragment for candidate in announced(offerer)} & ufrags
        assert len(names) == len(ADDRESSES)


@pytest.mark.parametrize("policy", ["all", "relay"])
async def test_what_servers_tell_does_not_say_from_where_they_were_asked(turn, policy):
    configuration = {"iceServers": [turn], "iceTransportPolicy": policy}
    async with open_peers(configuration, hide_host_addresses=True) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        relayed = [candidate for candidate in announced(peer) if candidate.type == "relay"]
        assert relayed
        assert {(c.relatedAddress, c.relatedPort) for c in relayed} == {("0.0.0.0", 0)}
        assert {c.type for c in announced(peer)} == ({"host", "relay"} if policy == "all" else {"relay"})


async def test_the_error_of_a_server_does_not_say_from_where_it_was_asked(silent_server):
    configuration = {"iceServers": [{"urls": silent_server}]}
    async with open_peers(configuration, hide_host_addresses=True, servers=0.1) as (peer,):
        peer.createDataChannel("chat")
        failed = asyncio.create_task(next_event(peer, "icecandidateerror"))
        await peer.setLocalDescription()
        error = await failed
        assert (error.address, error.port) == (None, None)


async def test_without_multicast_nothing_is_announced_and_the_other_side_can_be_reached(no_multicast, caplog):
    caplog.set_level("INFO", "peer._mdns")
    async with open_peers(None) as (one,), open_peers(None, hide_host_addresses=True) as (other,):
        await connect(other, one)
        await other.gathering_complete()
        assert announced(other) == []
        assert is_name(other.sctp.transport.iceTransport.getSelectedCandidatePair().local.address)
        assert "nobody can look up" in caplog.text


async def test_nothing_is_hidden_unless_it_is_asked_for():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert {candidate.address for candidate in announced(peer)} == ADDRESSES
        assert not _mdns._links


async def test_a_connection_that_is_closed_while_it_names_its_addresses_leaves_nothing():
    async with open_peers(None, hide_host_addresses=True) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
    assert not _mdns._links


def test_a_loop_that_ends_while_a_connection_is_open_leaves_nothing():
    async def main():
        peer = RTCPeerConnection(hide_host_addresses=True)
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        _ = peer.close()

    asyncio.run(main())
