"""A peer on a host of its own: the process that networks.py starts, on either side of a network.

It talks in lines of JSON, each with two items, what and a value, over the socket that is its standard input:

    told     offer          make a channel with these options, and offer
             restart        restart ICE, and offer
             watch          watch the interfaces, every so many seconds; when that restarts ICE, offer
             talk           send messages over the channel, each with the next number, one every so many seconds
             hush           stop to talk
             signal         what the other side has signalled: a description or a candidate
    tells    signal         what the other side is to be told
             ice            iceConnectionState, whenever it changes
             connection     connectionState, likewise
             pair           the addresses of the pair that was selected, ours and theirs
             open           the channel is open
             message        what came over the channel
             restarted      restartIce() was called
             said           so many messages were sent until it was told to hush
             error          what went wrong here

The arguments are the durations of ICE, as JSON; see peer/_timing.py. It ends when the socket is closed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Coroutine
from typing import Any

from peer import RTCPeerConnection, watch_interfaces
from peer._timing import shortened


class Peer(RTCPeerConnection):
    """A connection that tells when ICE is restarted."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def restartIce(self) -> None:
        super().restartIce()
        self._host.tell("restarted")
        self._host.spawn(self._host.offer())


class Host:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._tasks: set[asyncio.Task[None]] = set()
        self._talk: asyncio.Task[None] | None = None
        self._said = 0
        self._channel: Any = None
        self._peer = peer = Peer(self)
        peer.onicecandidate = lambda event: event.candidate and self.tell("signal", event.candidate.toJSON())
        peer.oniceconnectionstatechange = lambda event: self.tell("ice", peer.iceConnectionState)
        peer.onconnectionstatechange = lambda event: self.tell("connection", peer.connectionState)
        peer.ondatachannel = lambda event: self._use(event.channel)

    def tell(self, what: str, value: Any = None) -> None:
        self._writer.write(json.dumps([what, value]).encode() + b"\n")

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def offer(self) -> None:
        await self._peer.setLocalDescription()
        self.tell("signal", self._peer.localDescription.toJSON())
        self._watch_pair()

    async def told(self, what: str, value: Any) -> None:
        match what:
            case "offer":
                self._use(self._peer.createDataChannel("chat", value))
                await self.offer()
            case "restart":
                self._peer.restartIce()
            case "watch":
                self.spawn(watch_interfaces(self._peer, interval=value))
            case "talk":
                self._talk = self.spawn(self._say(value))
            case "hush":
                self._talk.cancel()
                self.tell("said", self._said)
            case "signal":
                await self._signalled(value)

    async def close(self) -> None:
        """Close the connection. What watches it must end then by itself."""
        if self._talk is not None:
            self._talk.cancel()
        await self._peer.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _signalled(self, value: dict[str, Any]) -> None:
        if "candidate" in value:
            await self._peer.addIceCandidate(value)
            return
        await self._peer.setRemoteDescription(value)
        if value["type"] == "offer":
            await self.offer()  # or rather, answer

    async def _say(self, pause: float) -> None:
        while True:
            self._channel.send(str(self._said))
            self._said += 1
            await asyncio.sleep(pause)

    def _use(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", lambda message: self.tell("message", message))
        channel.on("open", lambda: self.tell("open"))
        if channel.readyState == "open":
            self.tell("open")

    def _watch_pair(self) -> None:
        self._peer.sctp.transport.iceTransport.onselectedcandidatepairchange = lambda event: self._tell_pair()

    def _tell_pair(self) -> None:
        (media,) = self._peer._session.engine.media().values()
        pair = media.agent.selected_pair  # users do not see the address of a candidate that was not signalled yet
        self.tell("pair", [pair.local.address, pair.remote.address])


async def main() -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=0))
    with shortened(**json.loads(sys.argv[1])):
        host = Host(writer)

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        host.tell("error", f"{context['message']}: {context.get('exception')!r}")

    asyncio.get_running_loop().set_exception_handler(report)
    async for line in reader:
        try:
            await host.told(*json.loads(line))
        except Exception as error:
            host.tell("error", repr(error))
    await host.close()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main())
