"""A peer of ours whose partner is at the other end of a relay: what `meet` in page.js is, in Python."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from peer import RTCPeerConnection

from .pairs import milliseconds


async def meet(session: aiohttp.ClientSession, url: str, offers: bool) -> float:
    """Connect; whoever *offers* returns the ms until its channel was open, the other one nothing of use."""
    peer = RTCPeerConnection()
    start = opened = 0.0
    try:
        async with session.ws_connect(url) as socket:

            async def tell(**message: Any) -> None:
                await socket.send_str(json.dumps(message))

            async def tell_end(_: Any) -> None:
                nonlocal opened
                opened = milliseconds()
                await tell(over=True)

            async def tell_description() -> None:
                assert peer.localDescription
                await tell(description=peer.localDescription.toJSON())

            peer.onicecandidate = lambda event: tell(candidate=event.candidate and event.candidate.toJSON())
            if offers:
                peer.createDataChannel("benchmark").onopen = tell_end
            async for message in socket:
                match json.loads(message.data):
                    case {"begin": _} if offers:
                        start = milliseconds()
                        await peer.setLocalDescription()
                        await tell_description()
                    case {"description": description}:
                        await peer.setRemoteDescription(description)
                        if not offers:
                            await peer.setLocalDescription()
                            await tell_description()
                    case {"candidate": candidate}:
                        await peer.addIceCandidate(candidate)
    finally:
        await peer.close()
    return opened - start
