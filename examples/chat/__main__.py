"""A chat: who opens the page talks to all the others, over data channels: ``python -m examples.chat``."""

from pathlib import Path

from aiohttp import web

from examples.server import arguments, say, serve
from peer import RTCDataChannel, RTCPeerConnection
from peer.signaling import Signaling, negotiate

HERE = Path(__file__).parent


class Room:
    """Those who are in the chat. What one says, all get."""

    def __init__(self) -> None:
        self._channels: set[RTCDataChannel] = set()  # one for each who is in; changes as they come and go
        self._guests = 0  # that have come so far

    async def meet(self, signaling: Signaling, _: web.Request) -> None:
        """Be the other side of a page, until it is closed, or loaded again: then it calls again."""
        pc = RTCPeerConnection()
        pc.ondatachannel = lambda event: self._enter(event.channel)
        try:
            await negotiate(pc, signaling, polite=True)
        finally:
            await pc.close()

    def _enter(self, channel: RTCDataChannel) -> None:
        self._guests += 1
        name = f"Guest {self._guests}"

        def leave() -> None:
            self._channels.discard(channel)
            self._tell(f"{name} has left")

        channel.onmessage = lambda event: self._tell(f"{name}: {event.data}")
        channel.onclose = lambda event: leave()
        self._channels.add(channel)
        self._tell(f"{name} has come")

    def _tell(self, words: str) -> None:
        say(words)
        for channel in self._channels:
            if channel.readyState == "open":  # one that closes has not left yet
                channel.send(words)


if __name__ == "__main__":
    serve(HERE, Room().meet, arguments(HERE, __doc__).parse_args())
