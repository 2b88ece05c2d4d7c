"""A page and a Python peer that change things at once: ``python -m examples.perfect_negotiation``."""

import json
from pathlib import Path

from aiohttp import web

from examples.server import say, serve
from peer import MessageEvent, RTCPeerConnection
from peer.signaling import Signaling, negotiate


async def meet(signaling: Signaling, request: web.Request) -> None:
    """Be the other side of a page, do what it asks for, and tell it what happens here."""
    polite = "polite" not in request.query  # one of the two is
    pc = RTCPeerConnection()
    # Both sides make this channel, so both need to negotiate, and both offer at once: it begins with a collision.
    control = pc.createDataChannel("control", negotiated=True, id=0)

    def tell() -> None:
        description = pc.currentLocalDescription
        lines = description.sdp.count("\nm=") if description else 0
        say(f"{'polite' if polite else 'impolite'} Python peer: {pc.signalingState}, {lines} m-lines")
        if control.readyState == "open":
            control.send(json.dumps({"state": pc.signalingState, "lines": lines}))

    def do(event: MessageEvent) -> None:
        if event.data == "add":
            pc.addTransceiver("audio", direction="recvonly")

    pc.onsignalingstatechange = lambda event: tell()
    control.onopen = lambda event: tell()
    control.onmessage = do
    try:
        await negotiate(pc, signaling, polite=polite)
    finally:
        await pc.close()


if __name__ == "__main__":
    serve(Path(__file__).parent, meet, __doc__)
