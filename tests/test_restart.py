"""ICE restarts: new generations beside the old one, of which what the connection carries notices nothing."""

from __future__ import annotations

import asyncio
import os
import re

import pytest
from peers import (
    BRISK,
    Log,
    Tone,
    agent,
    connect,
    connect_once,
    negotiate,
    next_event,
    open_peers,
    opened,
    opened_by,
    reached,
    send_candidates,
    trickle,
)

from peer import InvalidAccessError, OperationError, RTCIceTransport
from peer._agent import MAX_GENERATIONS
from peer._aioice import Socket

ROLLBACK = {"type": "rollback"}


def ice(peer) -> RTCIceTransport:
    return peer.sctp.transport.iceTransport


def ufrags(description) -> list[str]:
    """The ufrags of a description's m-lines."""
    return re.findall("a=ice-ufrag:(.*)\r\n", description.sdp)


def selection(peer) -> asyncio.Future:
    """Done with the next selected pair. Call it before it can be selected."""
    return asyncio.ensure_future(next_event(ice(peer), "selectedcandidatepairchange"))


async def restarted(offerer, answerer) -> None:
    """Negotiate a restart that was asked for; wait until both sides have selected a new pair."""
    selections = [selection(offerer), selection(answerer)]
    await negotiate(offerer, answerer)
    await asyncio.gather(*selections)


def echoed(channel) -> list[str]:
    """What *channel* receives, from now on."""
    received: list[str] = []
    channel.on("message", received.append)
    return received


async def received(messages: list[str], count: int, channel) -> None:
    """Wait until there are so many messages."""
    while len(messages) < count:
        arrived = asyncio.get_running_loop().create_future()
        channel.once("message", lambda _, arrived=arrived: arrived.done() or arrived.set_result(None))
        await arrived


@pytest.mark.parametrize("side", ["offerer", "answerer"])
@pytest.mark.parametrize("way", ["restartIce", "iceRestart"])
async def test_a_restart_from_either_side_gives_everything_new_credentials(side, way):
    async with open_peers(None, None) as peers:
        channel = await connect(*peers)
        first, second = peers if side == "offerer" else reversed(peers)
        log = Log(first)
        old = ufrags(first.localDescription), ufrags(second.localDescription)
        transport, pair, parameters = ice(first), ice(first).getSelectedCandidatePair(), ice(first).getLocalParameters()
        if way == "restartIce":
            first.restartIce()
        else:
            await first.setLocalDescription(await first.createOffer({"iceRestart": True}))
            assert first.iceGatheringState == "complete"  # until the next task
        await restarted(first, second)
        await first.gathering_complete()
        new = ufrags(first.localDescription), ufrags(second.localDescription)
        assert not {*old[0], *old[1]} & {*new[0], *new[1]}
        announced = [entry["candidate"] for entry in log.of("icecandidate") if entry["candidate"]]
        assert {candidate.usernameFragment for candidate in announced} == set(new[0])
        assert all(f"ufrag {new[0][0]}" in candidate.candidate for candidate in announced if candidate.candidate)
        assert log.kinds() == ["gathering", *["candidate"] * (len(announced) - 1), "end", "complete", "null"]
        assert log.of("iceconnectionstatechange", "connectionstatechange") == []
        assert ice(first) is transport
        assert transport.getSelectedCandidatePair() != pair
        assert transport.getLocalParameters() != parameters
        assert transport.getLocalParameters().usernameFragment == new[0][0]
        assert transport.getRemoteParameters().usernameFragment == new[1][0]
        assert transport.getLocalParameters().password != parameters.password
        assert f"a=ice-pwd:{transport.getLocalParameters().password}\r\n" in first.localDescription.sdp
        theirs = opened_by(peers[1])
        messages = echoed(theirs)
        channel.send("still there")
        await received(messages, 1, theirs)


async def test_an_offer_without_a_restart_keeps_the_credentials_and_restartIce_counts_once():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        before = ufrags(offerer.localDescription)
        await negotiate(offerer, answerer)
        assert ufrags(offerer.localDescription) == before
        offerer.restartIce()
        assert ufrags(await offerer.createOffer()) != before
        await restarted(offerer, answerer)
        after = ufrags(offerer.localDescription)
        assert after != before
        assert ufrags(await offerer.createOffer()) == after
        await negotiate(offerer, answerer)
        assert ufrags(offerer.localDescription) == after


async def test_restartIce_before_anything_is_described_changes_nothing():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.restartIce()
        await connect(offerer, answerer)
        assert offerer.signalingState == "stable"


async def test_a_restart_while_the_first_generation_is_gathered(silent_server):
    servers = {"iceServers": [{"urls": silent_server}]}
    async with open_peers(servers, None, servers=0.5) as (offerer, answerer):
        log = Log(offerer)
        channel = await connect(offerer, answerer)
        assert offerer.iceGatheringState == "gathering"
        offerer.setConfiguration()
        offerer.restartIce()
        first, old = ufrags(offerer.localDescription)[0], agent(offerer).newest
        await restarted(offerer, answerer)
        assert old.gathering.done()
        second = ufrags(offerer.localDescription)[0]
        await offerer.gathering_complete()
        # The old generation is gathered no longer than it is described.
        assert log.of("icegatheringstatechange") == ["gathering", "complete"]
        candidates = [entry["candidate"] for entry in log.of("icecandidate") if entry["candidate"]]
        assert [c.usernameFragment for c in candidates if not c.candidate] == [second]
        assert {c.usernameFragment for c in candidates} == {first, second}
        assert log.kinds()[-2:] == ["complete", "null"]
        assert channel.readyState == "open"


async def test_a_restart_that_is_offered_twice_and_answered_late():
    async with open_peers(None, None) as (offerer, answerer):
        channel = await connect_once(offerer, answerer)
        remote = opened_by(answerer)
        seen = []
        for _ in range(2):
            await offerer.setLocalDescription(await offerer.createOffer({"iceRestart": True}))
            seen += ufrags(offerer.localDescription)
        messages = echoed(remote)
        channel.send("meanwhile")
        await received(messages, 1, remote)
        selections = [selection(offerer), selection(answerer)]
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        channel.send("in between")
        await received(messages, 2, remote)
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(*selections, send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        assert len(set(seen)) == 2
        assert ice(offerer).getSelectedCandidatePair().local.usernameFragment == seen[1]
        assert [generation.local_username for generation in agent(offerer)._generations] == [seen[1]]
        channel.send("after")
        await received(messages, 3, remote)
        assert messages == ["meanwhile", "in between", "after"]


async def test_a_restart_of_one_m_line_of_several():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        text = offerer.localDescription.sdp.replace("a=group:BUNDLE 0 1\r\n", "")
        await answerer.setRemoteDescription({"type": "offer", "sdp": text})
        await answerer.setLocalDescription()
        before = ufrags(answerer.localDescription)
        head, _, tail = text.rpartition("a=ice-ufrag:")
        await answerer.setRemoteDescription({"type": "offer", "sdp": f"{head}a=ice-ufrag:other{tail}"})
        await answerer.setLocalDescription()
        after = ufrags(answerer.localDescription)
        assert after[0] == before[0]
        assert after[1] != before[1]


async def test_candidates_belong_to_the_generation_they_name_and_to_the_newest_if_to_none():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        for one, other in ((offerer, answerer), (answerer, offerer)):
            async for candidate in one.ice_candidates():
                if candidate.candidate:  # more may come
                    await other.addIceCandidate(candidate)
        await open_
        old, before = ufrags(answerer.localDescription)[0], agent(offerer).newest
        offerer.restartIce()
        line = {"candidate": "candidate:1 1 udp 1 192.0.2.9 50000 typ host", "sdpMid": "0"}
        await offerer.setLocalDescription()
        # As long as it is described; and it is no candidate of the new generation.
        old_line = {**line, "candidate": "candidate:1 1 udp 1 192.0.2.9 49999 typ host"}
        await offerer.addIceCandidate({**old_line, "usernameFragment": old})
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        new = ufrags(answerer.localDescription)[0]
        with pytest.raises(OperationError, match=re.escape(new)):
            await offerer.addIceCandidate({**line, "usernameFragment": new})
        await offerer.setRemoteDescription(answerer.localDescription)
        with pytest.raises(OperationError, match=re.escape(old)):
            await offerer.addIceCandidate({**line, "usernameFragment": old})
        await offerer.addIceCandidate({**line, "usernameFragment": new})
        await offerer.addIceCandidate({**line, "candidate": "candidate:1 1 udp 1 192.0.2.9 50001 typ host"})
        ports = [candidate.port for candidate in agent(offerer).newest.remote_candidates]
        assert {50000, 50001} <= set(ports)
        assert 49999 not in ports
        assert 49999 in [candidate.port for candidate in before.remote_candidates]


async def test_an_end_of_candidates_of_the_old_generation_does_not_end_the_new_one():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        old = ufrags(offerer.localDescription)[0]
        offerer.restartIce()
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.addIceCandidate({"candidate": "", "sdpMid": "0", "usernameFragment": old})
        assert "a=end-of-candidates" not in answerer.pendingRemoteDescription.sdp.partition(old)[2]
        assert not agent(answerer).newest._remote_candidates_end


async def test_an_answer_cannot_restart_ice():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        answer = await answerer.createAnswer()
        sdp = answer.sdp.replace(ufrags(answer)[0], "another0")
        with pytest.raises(InvalidAccessError, match="restarts ICE"):
            await offerer.setRemoteDescription({"type": "answer", "sdp": sdp})
        assert offerer.signalingState == "have-local-offer"


async def test_nothing_is_lost_or_reordered_in_200_restarts_under_traffic():
    asyncio.get_running_loop().set_debug(False)  # which takes ten times as long
    async with open_peers(None, None, farewell=0.01) as (offerer, answerer):
        channel = await connect(offerer, answerer)
        theirs = opened_by(answerer)
        ways = [(channel, theirs, echoed(theirs)), (theirs, channel, echoed(channel))]
        sent, tasks, sockets = 0, len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        for turn in range(200):
            first, second = (offerer, answerer) if turn % 2 else (answerer, offerer)
            first.restartIce()
            under_way = asyncio.ensure_future(restarted(first, second))
            for _ in range(10):  # one in each of the turns in which the restart happens
                for sender, _, _ in ways:
                    sender.send(str(sent))
                sent += 1
                await asyncio.sleep(0)
            await under_way
        for _, receiver, messages in ways:
            await received(messages, sent, receiver)
            assert messages == [str(number) for number in range(sent)]
        for peer in (offerer, answerer):
            assert len(agent(peer)._generations) == 1
            while agent(peer)._lingering:
                await next(iter(agent(peer)._lingering)).get_event()  # when it is closed
        await negotiate(offerer, answerer)
        for peer in (offerer, answerer):
            assert {c.usernameFragment for c in ice(peer).getLocalCandidates()} == set(ufrags(peer.localDescription))
            assert len(ice(peer).getRemoteCandidates()) < 20
        assert len(os.listdir("/proc/self/fd")) == sockets
        assert len(asyncio.all_tasks()) <= tasks


async def test_audio_goes_on_without_a_gap():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        found = asyncio.ensure_future(next_event(answerer, "track"))
        await connect(offerer, answerer)
        track = (await found).track
        for _ in range(3):
            for _ in range(10):
                await track.recv()
            offerer.restartIce()
            await restarted(offerer, answerer)
        for _ in range(10):
            await track.recv()
        (inbound,) = [s for s in (await answerer.getStats()).values() if s.type == "inbound-rtp"]
        assert inbound.packetsReceived >= 40
        assert inbound.packetsLost == 0


async def test_a_failed_connection_comes_back_with_all_that_was_sent_meanwhile():
    async with open_peers(None, None, **BRISK, consent_expires=0.2) as (offerer, answerer):
        channel = await connect(offerer, answerer)
        remote = opened_by(answerer)
        messages = echoed(remote)
        log = Log(offerer)
        failures = [asyncio.ensure_future(reached(peer, "connectionState", "failed")) for peer in (offerer, answerer)]
        for peer in (offerer, answerer):
            for protocol in agent(peer).newest._protocols:
                protocol.transport.pause_reading()  # a network that drops everything
        channel.send("one")
        await asyncio.gather(*failures)
        channel.send("two")
        offerer.restartIce()
        await restarted(offerer, answerer)
        channel.send("three")
        await received(messages, 3, remote)
        assert messages == ["one", "two", "three"]
        assert log.of("iceconnectionstatechange") == ["disconnected", "failed", "checking", "connected"]
        assert log.of("connectionstatechange") == ["disconnected", "failed", "connecting", "connected"]
        assert channel.readyState == "open"


async def test_silence_is_disconnected_and_an_answer_connects_again():
    async with open_peers(None, None, **BRISK) as (offerer, answerer):
        await connect(offerer, answerer)
        silent = asyncio.ensure_future(reached(offerer, "iceConnectionState", "disconnected"))
        sockets = [protocol.transport for protocol in agent(answerer).newest._protocols]
        for transport in sockets:
            transport.pause_reading()
        await silent
        assert ice(offerer).state == "disconnected"
        heard = asyncio.ensure_future(reached(offerer, "connectionState", "connected"))
        for transport in sockets:
            transport.resume_reading()
        await heard
        assert ice(offerer).state == "connected"


async def test_a_restart_that_leads_nowhere_does_no_harm_while_the_old_pair_works():
    async with open_peers(None, None, patience=0.05) as (offerer, answerer):
        channel = await connect_once(offerer, answerer)
        log = Log(offerer)
        remote = opened_by(answerer)
        messages = echoed(remote)
        offerer.restartIce()
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        over = asyncio.get_running_loop().create_future()
        told = agent(offerer).over
        agent(offerer).over = lambda generation: (told(generation), over.done() or over.set_result(generation))
        await offerer.gathering_complete()
        await offerer.addIceCandidate()
        assert (await over).failed
        assert log.of("iceconnectionstatechange") == []
        channel.send("as if nothing had happened")
        await received(messages, 1, remote)
        # And another one finds a way.
        trickle(offerer, answerer)
        offerer.restartIce()
        await restarted(offerer, answerer)


async def test_a_connection_closes_in_the_middle_of_a_restart():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        offerer.restartIce()
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await offerer.close()
        await answerer.close()
        assert ice(offerer).state == "closed"


async def test_a_connection_closes_though_the_new_generation_finds_a_pair_meanwhile():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        offerer.restartIce()
        await negotiate(offerer, answerer)
        candidates = [candidate async for candidate in offerer.ice_candidates()]
        old, _ = agent(offerer)._generations
        found, shut_down, told = asyncio.Event(), old.shut_down, agent(offerer).selected
        agent(offerer).selected = lambda generation: (told(generation), found.set())

        async def shut_down_late():
            for candidate in candidates:
                await answerer.addIceCandidate(candidate)
            await found.wait()
            await shut_down()

        old.shut_down = shut_down_late
        await offerer.close()
        assert agent(offerer)._lingering == {}  # nothing is kept for later


async def test_a_role_that_was_lost_in_a_conflict_stays_lost():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate(offerer, answerer)
        for peer in (offerer, answerer):
            agent(peer).ice_controlling = True
            agent(peer).slots.role = "controlling"
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_
        trickle(offerer, answerer)
        roles = {ice(peer).role for peer in (offerer, answerer)}
        assert roles == {"controlling", "controlled"}
        offerer.restartIce()
        await restarted(offerer, answerer)
        assert {ice(peer).role for peer in (offerer, answerer)} == roles
        assert agent(offerer).newest.ice_controlling != agent(answerer).newest.ice_controlling


async def test_a_restart_without_trickling():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        for _ in range(3):
            selections = [selection(offerer), selection(answerer)]
            offerer.restartIce()
            await offerer.setLocalDescription()
            await offerer.gathering_complete()
            await answerer.setRemoteDescription(offerer.localDescription)
            answerer.setLocalDescription()  # not awaited: what comes next waits for it
            await answerer.gathering_complete()
            await offerer.setRemoteDescription(answerer.localDescription)
            await asyncio.gather(*selections)


async def test_candidates_are_those_of_the_restart_that_was_just_described():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        offerer.restartIce()
        await offerer.setLocalDescription()
        found = [candidate async for candidate in offerer.ice_candidates()]
        assert {candidate.usernameFragment for candidate in found} == set(ufrags(offerer.localDescription))
        assert found[-1].candidate == ""


async def test_another_password_alone_restarts_ice():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        before = ufrags(answerer.localDescription)
        await offerer.setLocalDescription()
        sdp = re.sub("a=ice-pwd:.*", f"a=ice-pwd:{'x' * 24}", offerer.localDescription.sdp)
        await answerer.setRemoteDescription({"type": "offer", "sdp": sdp})
        answer = await answerer.createAnswer()
        assert ufrags(answer) != before
        await answerer.setRemoteDescription(ROLLBACK)
        await answerer.setRemoteDescription(offerer.localDescription)
        assert ufrags(await answerer.createAnswer()) == before


async def test_a_restart_that_an_offer_without_one_replaces_is_none():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        before = ufrags(answerer.localDescription)
        offerer.restartIce()
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription({"type": "pranswer"})
        assert ufrags(answerer.localDescription) != before
        await offerer.setLocalDescription(ROLLBACK)
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        before = ufrags(answerer.localDescription)
        await offerer.setLocalDescription(await offerer.createOffer({"iceRestart": True}))
        await answerer.setRemoteDescription(offerer.localDescription)
        await offerer.setLocalDescription(ROLLBACK)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        assert ufrags(answerer.localDescription) == before
        assert len(agent(answerer)._generations) == 1


@pytest.fixture
def latency(monkeypatch):
    """Let every datagram be received 30 ms later."""
    receive = Socket.datagram_received

    def received_later(self, data, addr):
        asyncio.get_running_loop().call_later(0.03, receive, self, data, addr)

    monkeypatch.setattr(Socket, "datagram_received", received_later)


@pytest.mark.parametrize("restarter", ["offerer", "answerer"])
async def test_two_restarts_in_a_row_on_a_slow_path_lose_nothing(latency, restarter):
    async with open_peers(None, None) as peers:
        trickle(*peers)
        channel = peers[0].createDataChannel("lossy", {"ordered": False, "maxRetransmits": 0})
        open_ = opened(channel)
        await negotiate(*peers)
        await open_
        theirs = await opened_soon(peers[1])
        ways = [(channel, echoed(theirs), theirs), (theirs, echoed(channel), channel)]
        first, second = peers if restarter == "offerer" else reversed(peers)
        sent = 0

        async def send():
            nonlocal sent
            for sender, _, _ in ways:
                sender.send(str(sent))
            sent += 1
            await asyncio.sleep(0.003)

        for _ in range(2):  # the second one begins while the first is under way
            first.restartIce()
            await negotiate(first, second)
            for _ in range(20):
                await send()
        while not all(uses_newest_generation(peer) for peer in peers):
            await send()
        await send()
        for _, messages, receiver in ways:
            await received(messages, sent, receiver)
            assert sorted(messages, key=int) == [str(number) for number in range(sent)]


def uses_newest_generation(peer):
    ufrag = ice(peer).getLocalParameters().usernameFragment
    return ice(peer).getSelectedCandidatePair().local.usernameFragment == ufrag


async def opened_soon(peer):
    """The channel of *peer* that the other side has opened, as soon as it has."""
    if not peer.sctp._data_channels:
        return (await next_event(peer, "datachannel")).channel
    return opened_by(peer)


async def test_a_restarting_offer_that_another_one_replaces_before_it_is_answered():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        selections = [selection(offerer), selection(answerer)]
        answers = []
        for _ in range(2):
            await offerer.setLocalDescription(await offerer.createOffer({"iceRestart": True}))
            await answerer.setRemoteDescription(offerer.localDescription)
            answers.append(ufrags(await answerer.createAnswer()))
        assert answers[0] == answers[1]  # nobody has heard of them yet
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        assert [len(agent(peer)._generations) for peer in (offerer, answerer)] == [2, 2]
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer), *selections)


async def test_restarts_that_lead_nowhere_do_not_pile_up():
    async with open_peers(None, None) as (offerer, answerer):
        channel = await connect_once(offerer, answerer)
        for _ in range(3 * MAX_GENERATIONS):
            offerer.restartIce()
            await negotiate(offerer, answerer)
        for peer in (offerer, answerer):
            generations = agent(peer)._generations
            assert len(generations) == MAX_GENERATIONS + 1  # the one in use is not counted
            assert generations[0].usable
        theirs = opened_by(answerer)
        messages = echoed(theirs)
        channel.send("over the first one")
        await received(messages, 1, theirs)


async def test_a_role_conflict_is_settled_in_the_same_way_by_all_generations():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        offerer.restartIce()
        await negotiate(offerer, answerer)
        for peer in (offerer, answerer):
            assert len({generation._tie_breaker for generation in agent(peer)._generations}) == 1
        assert agent(offerer).newest._tie_breaker != agent(answerer).newest._tie_breaker


async def test_what_was_added_before_a_restart_and_is_offered_after_it_has_the_new_credentials():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        answerer.addTransceiver("audio")
        before = ufrags(answerer.localDescription)
        offerer.restartIce()
        await restarted(offerer, answerer)
        offered = ufrags(await answerer.createOffer())
        assert offered == [ufrags(answerer.localDescription)[0]] * 2
        assert not {*before} & {*offered}


async def test_the_credentials_of_an_m_line_that_joins_a_bundle_do_not_count():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        answerer.addTransceiver("audio", direction="inactive")
        offer = await answerer.createOffer()
        await answerer.setLocalDescription(offer)
        session, data, audio = re.split("(?m)^(?=m=)", offer.sdp)
        audio = audio.replace(ufrags(offer)[1], "another")
        await offerer.setRemoteDescription({"type": "offer", "sdp": session + data + audio})
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await negotiate(offerer, answerer)  # where they are those of the bundle
        assert (offerer.signalingState, answerer.signalingState) == ("stable", "stable")
