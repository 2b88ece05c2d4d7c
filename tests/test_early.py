"""What is sent on a pair that works, before one is nominated."""

from __future__ import annotations

import asyncio

import pytest
from peers import agent, heard, negotiate, open_peers, reached, trickle

from peer._aioice import Generation
from peer._aioice._sockets import Socket, parsed
from peer._stun import CARRIED


@pytest.fixture
def nominations(monkeypatch):
    """Checks that nominate are held back until this is set."""
    allowed = asyncio.Event()
    send_stun = Socket.send_stun

    def send(socket, message, addr):
        if allowed.is_set() or "USE-CANDIDATE" not in message.attributes:
            send_stun(socket, message, addr)

    monkeypatch.setattr(Socket, "send_stun", send)
    return allowed


async def test_dtls_and_sctp_do_not_wait_until_a_pair_is_nominated(nominations):
    async with open_peers(None, None) as (offerer, answerer):
        opened = heard(offerer.createDataChannel("chat"), "open")
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        await opened
        for peer in (offerer, answerer):
            assert peer.sctp.transport.state == "connected"
            assert peer.iceConnectionState == "checking"
            assert peer.connectionState == "connecting"
            assert peer.sctp.transport.iceTransport.getSelectedCandidatePair() is None
        connected = [
            asyncio.ensure_future(reached(peer, "connectionState", "connected")) for peer in (offerer, answerer)
        ]
        nominations.set()
        await asyncio.gather(*connected)


async def test_what_came_too_early_is_sent_again_once_a_pair_is_nominated(nominations, monkeypatch):
    # As Firefox does it, which offers here: until its pair is nominated it takes nothing but checks.
    lost, taken = [], []
    receive = Socket.datagram_received

    def received(socket, data, addr):
        if socket.generation is not agent(offerer).newest or data[:1] not in CARRIED:
            receive(socket, data, addr)
        elif socket.generation.pair is None:
            lost.append(data)
            nominations.set()
        else:
            taken.append(data)
            receive(socket, data, addr)

    monkeypatch.setattr(Socket, "datagram_received", received)
    async with open_peers(None, None) as (offerer, answerer):
        opened = heard(offerer.createDataChannel("chat"), "open")
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        await opened
        assert lost == taken[: len(lost)] != []  # and nothing that DTLS has repeated, which would be numbered anew


async def test_nothing_is_sent_once_consent_has_expired_and_no_pair_was_nominated(nominations, monkeypatch):
    expired = asyncio.Queue()
    forget = Generation._stop_sending

    def forget_and_tell(generation):
        forget(generation)
        expired.put_nowait(generation)

    monkeypatch.setattr(Generation, "_stop_sending", forget_and_tell)
    async with open_peers(None, None, consent_expires=0.01) as (offerer, answerer):
        offerer.createDataChannel("chat")
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        generation = await expired.get()
        sent = [pair.traffic.packets_sent for pair in generation.checked_pairs()]
        assert sent
        generation.transmit(b"\x80")
        assert [pair.traffic.packets_sent for pair in generation.checked_pairs()] == sent


async def test_an_answer_that_comes_after_the_end_selects_nothing(monkeypatch):
    stopped = asyncio.get_running_loop().create_future()
    receive = Socket._message_received

    def stop_and_receive(socket, data, addr, unknown):
        asked = socket.transactions.get(parsed(data).transaction_id)
        if not stopped.done() and asked is not None and "USE-CANDIDATE" in asked._request.attributes:
            socket.generation.stop_checks()
            stopped.set_result(socket.generation)
        return receive(socket, data, addr, unknown)

    monkeypatch.setattr(Socket, "_message_received", stop_and_receive)
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        generation = await stopped
        await asyncio.gather(*[pair.task for pair in generation._check_list if pair.task])
        assert generation.pair is None
        assert not generation.sends
