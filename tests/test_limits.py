"""A remote side that sends more candidates than anybody needs, and candidates that must not be contacted."""

from __future__ import annotations

import asyncio
import socket

import pytest
from peers import open_peers, opened, send_candidates

from peer._aioice import MAX_PAIRS


async def answering(offerer, answerer):
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription()


def generation(peer):
    """The ICE generation of a connection's only transport, to look into."""
    return next(iter(peer._session.engine.media().values())).agent.newest


async def test_ten_thousand_candidates_are_added_and_few_are_kept_for_checks():
    async with open_peers(None, None) as (offerer, answerer):
        open_ = opened(offerer.createDataChannel("chat"))
        await answering(offerer, answerer)
        asyncio.get_running_loop().set_debug(False)
        texts = [f"candidate:{i} 1 udp {i + 1} 127.0.0.1 {20000 + i} typ srflx" for i in range(10_000)]
        await asyncio.gather(*[answerer.addIceCandidate({"candidate": text, "sdpMid": "0"}) for text in texts])
        assert answerer.remoteDescription.sdp.count("a=candidate:") == 10_000
        assert len(generation(answerer).remote_candidates) == MAX_PAIRS
        assert len(generation(answerer)._check_list) <= MAX_PAIRS
        await offerer.setRemoteDescription(answerer.localDescription)
        await send_candidates(answerer, offerer)
        await open_


async def test_pairs_beyond_the_limit_are_those_of_lowest_priority():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        texts = [f"candidate:{i} 1 udp {i + 1} 127.0.0.{i + 1} 20000 typ srflx" for i in range(90)]
        for text in texts:
            await answerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
        checks = generation(answerer)
        assert checks._check_list == []  # nothing was gathered, so nothing was paired yet
        await answerer.setLocalDescription()
        await answerer.gathering_complete()
        assert len(checks._check_list) <= MAX_PAIRS


@pytest.mark.parametrize("port", [53, 5060, 6667, 9])
async def test_a_bad_port_is_accepted_and_never_contacted(port):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        text = f"candidate:1 1 udp 1 127.0.0.1 {port} typ host"
        await answerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
        assert f"a={text}" in answerer.remoteDescription.sdp
        assert generation(answerer).remote_candidates == []
        assert generation(answerer)._check_list == []


async def test_relay_only_never_looks_up_a_name(turn, monkeypatch):
    async def lookup(*_):
        pytest.fail("a name was looked up")

    monkeypatch.setattr("aioice.ice.get_or_create_mdns_protocol", lookup)
    monkeypatch.setattr(socket, "gethostbyname", lookup)
    relay = {"iceServers": [{**turn, "urls": turn["urls"][1]}], "iceTransportPolicy": "relay"}
    async with open_peers(None, relay) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await answering(offerer, answerer)
        for name in ("deadbeef-0000-0000-0000-000000000000.local", "nosuch.invalid"):
            text = f"candidate:1 1 udp 1 {name} 5000 typ host"
            await answerer.addIceCandidate({"candidate": text, "sdpMid": "0"})
            assert f"a={text}" in answerer.remoteDescription.sdp
        await answerer.gathering_complete()
        assert generation(answerer).remote_candidates == []
