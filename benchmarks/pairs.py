"""Two peers of one kind in this process, and how they connect. Ours trickle; raw aiortc's signal whole descriptions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiortc

from peer import RTCPeerConnection

KINDS = ("peer", "aiortc")
SETTLE = 0.1  # seconds, in which a new connection comes to rest: no pair is selected after that


@dataclass
class Pair:
    """Two peers, and how long they took."""

    offerer: Any
    answerer: Any
    channel: Any
    """The offerer's; it is open."""
    made: float
    """How many ms it took to make them."""
    opened: float
    """How many ms the channel took to open, since the offerer was told to describe itself."""

    async def close(self) -> None:
        """Close both."""
        await asyncio.gather(self.offerer.close(), self.answerer.close())


def milliseconds() -> float:
    """The time."""
    return time.perf_counter() * 1e3


def make(kind: str, server: str | None = None) -> Any:
    """A peer, with this STUN server or none."""
    if kind == "peer":
        return RTCPeerConnection({"iceServers": [{"urls": server}] if server else []})
    servers = [aiortc.RTCIceServer(urls=server)] if server else []
    return aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=servers))


async def connect(kind: str, server: str | None = None, prepare: Callable[[Any, Any], None] | None = None) -> Pair:
    """Connect two peers; *prepare* is given both before they negotiate."""
    begin = milliseconds()
    offerer, answerer = make(kind, server), make(kind, server)
    if prepare is not None:
        prepare(offerer, answerer)
    channel = offerer.createDataChannel("benchmark")
    opened: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    start = milliseconds()
    if kind == "peer":
        channel.onopen = partial(_note, opened)
        offerer.onicecandidate = lambda event: answerer.addIceCandidate(event.candidate)
        answerer.onicecandidate = lambda event: offerer.addIceCandidate(event.candidate)
        await negotiate(offerer, answerer)
    else:
        channel.on("open", partial(_note, opened))
        await _signal_whole(offerer, answerer)
    return Pair(offerer, answerer, channel, made=start - begin, opened=await opened - start)


async def open_channel(kind: str, server: str | None = None) -> dict[str, float]:
    """Connect and close; returns how long that took until the channel was open."""
    pair = await connect(kind, server)
    await pair.close()
    return {"open": pair.opened, "whole": pair.made + pair.opened}


async def find_candidate(kind: str, server: str | None = None) -> dict[str, float]:
    """Let a peer describe itself, and nobody do anything else; returns how long its first candidate takes."""
    peer = make(kind, server)
    peer.createDataChannel("benchmark")
    found: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    start = milliseconds()
    if kind == "peer":
        peer.onicecandidate = partial(_note, found)
        await peer.setLocalDescription()
    else:  # it tells when it has them all
        await peer.setLocalDescription(await peer.createOffer())
        found.set_result(milliseconds())
    took = await found - start
    await peer.close()
    return {"first": took}


async def restart() -> dict[str, float]:
    """Restart ICE on a pair of ours; returns how long it takes until both sides have selected another pair."""
    pair = await connect("peer")
    peers = pair.offerer, pair.answerer
    await asyncio.gather(*[peer.gathering_complete() for peer in peers])
    await asyncio.sleep(SETTLE)
    changed = [_next_selection(peer) for peer in peers]
    start = milliseconds()
    pair.offerer.restartIce()
    await negotiate(*peers)
    end = max(await asyncio.gather(*changed))
    await pair.close()
    return {"restart": end - start}


def _next_selection(peer: Any) -> asyncio.Future[float]:
    selected: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    peer.sctp.transport.iceTransport.addEventListener("selectedcandidatepairchange", partial(_note, selected))
    return selected


def _note(moment: asyncio.Future[float], *_: Any) -> None:
    """The first event sets it."""
    if not moment.done():
        moment.set_result(milliseconds())


async def negotiate(offerer: Any, answerer: Any) -> None:
    """Offer and answer: two of ours."""
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(answerer.localDescription)


async def _signal_whole(offerer: Any, answerer: Any) -> None:
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription(await answerer.createAnswer())
    await offerer.setRemoteDescription(answerer.localDescription)
