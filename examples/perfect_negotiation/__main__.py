"""A page and a Python peer that change things at once: ``python -m examples.perfect_negotiation``."""

import json
from pathlib import Path

from aiohttp import web

from examples.server import arguments, say, serve
from peer import MessageEvent, RTCDataChannel, RTCDataChannelEvent, RTCPeerConnection
from peer.signaling import Signaling, negotiate

HERE = Path(__file__).parent


async def meet(signaling: Signaling, request: web.Request) -> None:
    """Be the other side of a page, do what it asks for, and tell it what happens here."""
    polite = "polite" not in request.query  # one of the two is
    pc = RTCPeerConnection()
    channels: list[RTCDataChannel] = []  # the page's, when it has come

    def found(event: RTCDataChannelEvent) -> None:
        event.channel.onmessage = do
        channels.append(event.channel)
        tell()

    def do(event: MessageEvent) -> None:
        if event.data == "add":
            pc.addTransceiver("audio", direction="recvonly")

    def tell() -> None:
        description = pc.currentLocalDescription
        lines = description.sdp.count("\nm=") if description else 0
        say(f"{'polite' if polite else 'impolite'} Python peer: {pc.signalingState}, {lines} m-lines")
        for channel in channels:
            if channel.readyState == "open":  # else the page is being closed
                channel.send(json.dumps({"state": pc.signalingState, "lines": lines}))

    pc.ondatachannel = found
    pc.onsignalingstatechange = lambda event: tell()
    try:
        await negotiate(pc, signaling, polite=polite)
    finally:
        await pc.close()


if __name__ == "__main__":
    serve(HERE, meet, arguments(HERE, __doc__).parse_args())
