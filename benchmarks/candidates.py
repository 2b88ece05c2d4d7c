"""Candidates that arrive: reading the text of one, and adding 1 to 10,000 of them to a connection that checks."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

import aiortc
import aiortc.sdp

from peer import RTCIceCandidate

from .machine import own_address
from .pairs import make, milliseconds
from .samples import TOO_LONG

CHECKING = 0.05  # seconds, after which checks have begun
BATCH = 500
MANY = 10_000  # candidates, which others than we are asked to add once only


def texts(count: int) -> list[dict[str, str]]:
    """So many candidates, all different, as JSON has them. Nobody answers there, on this machine.

    Not at 127.0.0.1, which Firefox does not check.
    """
    place = f"{own_address()} {{}} typ srflx raddr 127.0.0.2 rport 9"
    return [
        {"candidate": f"candidate:{i} 1 udp {i + 1} {place.format(20000 + i)}", "sdpMid": "0"} for i in range(count)
    ]


def _read(kind: str, init: dict[str, str]) -> Any:
    if kind == "peer":
        return RTCIceCandidate(init)
    candidate = aiortc.sdp.candidate_from_sdp(init["candidate"].removeprefix("candidate:"))
    candidate.sdpMid = init["sdpMid"]
    return candidate


def _without_candidates(description: Any) -> Any:
    """As a peer that trickles describes itself first."""
    sdp = re.sub("a=(candidate:|end-of-candidates).*\r\n", "", description.sdp)
    return aiortc.RTCSessionDescription(sdp, description.type)


def parse(kind: str, inits: list[dict[str, str]]) -> dict[str, float]:
    """Read these candidates; returns how many µs one takes."""
    start = milliseconds()
    for init in inits:
        _read(kind, init)
    return {"parse": (milliseconds() - start) / len(inits) * 1e3}


async def add(kind: str, inits: list[dict[str, str]]) -> dict[str, float]:
    """Add these to a connection that has answered; returns the ms until all are added, infinite if that is too long.

    They come in batches, as from a socket.
    """
    count = len(inits)
    offerer, answerer = make(kind), make(kind)
    offerer.createDataChannel("benchmark")
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(_without_candidates(offerer.localDescription))
    await answerer.setLocalDescription(await answerer.createAnswer())
    await asyncio.sleep(CHECKING)
    start = milliseconds()
    for number in range(0, count, BATCH):
        batch = inits[number : number + BATCH]
        given = batch if kind == "peer" else [_read(kind, init) for init in batch]
        await asyncio.gather(*[answerer.addIceCandidate(candidate) for candidate in given])
        if milliseconds() - start > TOO_LONG:
            break
    took = milliseconds() - start
    await asyncio.gather(offerer.close(), answerer.close())
    return {f"add-{count}": took if took < TOO_LONG else math.inf}
