"""close(): at any moment, twice, silently, leaving nothing behind (every test of this suite checks the last)."""

from __future__ import annotations

import asyncio
import gc

import aiortc
import pytest
from peers import Log, Tone, connect, negotiate, open_peers, reached, trickle

from peer import InvalidStateError, RTCPeerConnection


async def test_close_fires_nothing_and_sets_every_state():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        log = Log(offerer)
        closing = offerer.close()
        assert offerer.signalingState == "closed"
        assert offerer.iceConnectionState == "closed"
        assert offerer.connectionState == "closed"
        await closing
        assert log.entries == []


async def test_close_may_be_called_twice_and_without_awaiting():
    peer = RTCPeerConnection()
    peer.createDataChannel("chat")
    await peer.setLocalDescription()
    first = peer.close()
    await asyncio.gather(peer.close(), first, peer.close())
    await peer.close()


async def test_a_connection_that_was_never_used_can_be_closed():
    await RTCPeerConnection().close()


async def test_everything_is_rejected_after_close():
    peer = RTCPeerConnection()
    await peer.close()
    for call in (peer.createOffer, peer.createAnswer, peer.setLocalDescription):
        promise = call()
        assert promise.done()
        with pytest.raises(InvalidStateError):
            await promise
    with pytest.raises(InvalidStateError):
        await peer.setRemoteDescription(type="offer", sdp="v=0\r\n")
    for call in (
        lambda: peer.createDataChannel("x"),
        lambda: peer.addTransceiver("audio"),
        lambda: peer.addTrack(Tone()),
    ):
        with pytest.raises(InvalidStateError):
            call()


@pytest.mark.parametrize("turns", range(12))
async def test_close_while_an_offer_is_set_and_gathered(turns):
    peer = RTCPeerConnection()
    peer.createDataChannel("chat")
    log = Log(peer)
    peer.setLocalDescription()
    for _ in range(turns):
        await asyncio.sleep(0)
    closing = peer.close()
    entries = list(log.entries)
    await closing
    assert log.entries == entries


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_close_both_sides_while_they_connect(turns):
    offerer, answerer = RTCPeerConnection(), RTCPeerConnection()
    offerer.addTrack(Tone())
    offerer.createDataChannel("chat")
    trickle(offerer, answerer)
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription()
    offerer.setRemoteDescription(answerer.localDescription)
    for _ in range(turns):
        await asyncio.sleep(0)
    logs = Log(offerer), Log(answerer)
    closing = [offerer.close(), answerer.close()]
    entries = [list(log.entries) for log in logs]
    await asyncio.gather(*closing)
    assert [log.entries for log in logs] == entries


async def test_who_awaits_a_call_that_close_ends_is_cancelled():
    peer = RTCPeerConnection()
    peer.createDataChannel("chat")
    reached_the_end = []

    async def user():
        await peer.setLocalDescription()
        reached_the_end.append(True)

    task = asyncio.create_task(user())
    await asyncio.sleep(0)
    await peer.close()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError)
    assert reached_the_end == []


async def test_calls_that_nobody_awaited_are_not_reported_when_close_ends_them(loop_errors):
    peer = RTCPeerConnection()
    peer.createDataChannel("chat")
    peer.setLocalDescription()
    peer.addIceCandidate({"candidate": "garbage", "sdpMid": "0"})
    await peer.close()
    gc.collect()
    assert loop_errors == []


@pytest.mark.parametrize("type", ["signalingstatechange", "icegatheringstatechange", "icecandidate"])
async def test_a_listener_may_close_the_connection(type):
    peer = RTCPeerConnection()
    peer.createDataChannel("chat")
    log = Log(peer)
    closed = asyncio.Event()
    peer.addEventListener(type, lambda _: (peer.close(), closed.set()), once=True)
    peer.setLocalDescription()
    await closed.wait()
    await peer.close()
    assert log.entries[-1][0] == type


async def test_nothing_is_fired_behind_a_listener_that_closes():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        offerer.addTransceiver("video")
        await offerer.setLocalDescription()
        closed = asyncio.Event()
        answerer.ontrack = lambda _: (answerer.close(), closed.set())
        log = Log(answerer)
        answerer.setRemoteDescription(offerer.localDescription)
        await closed.wait()
        await answerer.close()
        assert [type for type, _ in log.entries] == ["signalingstatechange", "track"]


@pytest.mark.parametrize("turns", range(0, 10, 2))
def test_a_loop_may_end_while_a_connection_is_being_closed(turns):
    reports = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        async with open_peers(None) as (answerer,):
            offerer = RTCPeerConnection()
            offerer.createDataChannel("chat")
            await negotiate(offerer, answerer)
            text = "candidate:1 1 udp 1 deadbeef-0000-0000-0000-000000000000.local 5 typ host"
            await offerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
            offerer.close()
            for _ in range(turns):
                await asyncio.sleep(0)

    asyncio.run(main())
    gc.collect()
    assert reports == []


async def test_close_in_the_turn_in_which_an_offer_yields():
    async with open_peers(None, None) as (offerer, answerer):
        for peer in (offerer, answerer):
            peer.createDataChannel("chat")
            await peer.setLocalDescription()
        yielding = asyncio.ensure_future(answerer.setRemoteDescription(offerer.localDescription))
        await asyncio.sleep(0)
        await answerer.close()
        await asyncio.wait([yielding])
        assert yielding.cancelled()


def test_a_program_with_open_connections_can_be_interrupted():
    def interrupt():
        raise KeyboardInterrupt

    async def main():
        async with open_peers(None, None) as (offerer, answerer):
            await connect(offerer, answerer)
            asyncio.get_running_loop().call_soon(interrupt)
            await asyncio.get_running_loop().create_future()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


async def test_a_connection_stays_open_when_the_other_side_closes():
    async with open_peers(None, None) as (offerer, answerer):
        channel = await connect(offerer, answerer)
        await reached(offerer, "connectionState", "connected")
        gone = asyncio.get_running_loop().create_future()
        channel.on("close", lambda: gone.set_result(None))
        await answerer.close()
        await gone
        assert offerer.signalingState == "stable"
        assert offerer.connectionState != "closed"


async def test_raw_aiortc_at_the_other_end_may_vanish():
    async with open_peers(None) as (ours,):
        raw = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        ours.addTrack(Tone())
        await ours.setLocalDescription()
        await ours.gathering_complete()
        await raw.setRemoteDescription(ours.localDescription)
        await raw.setLocalDescription(await raw.createAnswer())
        await raw.close()
        await ours.setRemoteDescription(raw.localDescription)


@pytest.mark.parametrize("kind", ["stun", "turn"])
@pytest.mark.parametrize("turns", range(8))
async def test_close_while_servers_are_asked(kind, turns, silent_server):
    url = silent_server if kind == "stun" else silent_server.replace("stun:", "turn:")
    peer = RTCPeerConnection({"iceServers": [{"urls": url, "username": "u", "credential": "c"}]})
    peer.createDataChannel("chat")
    await peer.setLocalDescription()
    for _ in range(turns):
        await asyncio.sleep(0)
    await peer.close()


async def test_channels_that_never_opened_are_closed_with_the_connection():
    peer = RTCPeerConnection()
    channel = peer.createDataChannel("chat")
    closed = asyncio.get_running_loop().create_future()
    channel.on("close", lambda: closed.set_result(None))
    await peer.close()
    await closed
    assert channel.readyState == "closed"


def test_calls_may_be_made_where_no_loop_runs():
    loop = asyncio.new_event_loop()
    peer = RTCPeerConnection()
    peer.addTransceiver("audio")
    offer = loop.run_until_complete(peer.createOffer())
    loop.run_until_complete(peer.setLocalDescription(offer))
    with pytest.raises(InvalidStateError):
        loop.run_until_complete(peer.addIceCandidate(None))
    loop.run_until_complete(peer.close())
    loop.run_until_complete(peer.close())
    loop.close()


async def test_calls_may_be_made_in_another_thread():
    peer = RTCPeerConnection()
    peer.addTransceiver("audio")
    loop = asyncio.get_running_loop()

    def elsewhere():
        return asyncio.run_coroutine_threadsafe(peer.createOffer(), loop).result(10)

    offer = await asyncio.to_thread(elsewhere)
    assert offer.type == "offer"
    await peer.close()


async def test_a_handshake_that_ends_while_the_connection_closes_begins_nothing(loop_errors):
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        await offerer.close()
        await offerer._session.engine._RTCPeerConnection__connect()  # as when DTLS is connected
        assert loop_errors == []
