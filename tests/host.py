"""A peer on a host of its own: the process that networks.py starts, on either side of a network.

It talks in lines of JSON, each with two items, what and a value, over the socket that is its standard input:

    told     offer          make a channel with these options, and offer
             restart        restart ICE, and offer
             watch          watch the interfaces, every so many seconds; when that restarts ICE, offer
             talk           send messages over the channel, each with the next number, one every so many seconds
             hush           stop to talk
             signal         what the other side has signalled: a description or a candidate
             pairs          tell which pairs there are, and again when there are others or their states change
    tells    ready          it can be told something
             signal         what the other side is to be told
             candidate      what an icecandidate event has: everything about the candidate, None for null; and when
             failure        what an icecandidateerror event has; and when
             gathering      iceGatheringState, whenever it changes
             ice            iceConnectionState, whenever it changes
             connection     connectionState, likewise
             pair           the addresses of the pair that was selected, ours and theirs
             selected       what users see of that pair, our candidate and theirs
             pairs          the pairs that there are: the types of our candidate and theirs, and the state of the check
             open           the channel is open
             took           so many ms after setLocalDescription() was called
             message        what came over the channel
             restarted      restartIce() was called
             said           so many messages were sent until it was told to hush
             error          what went wrong here
             raised         likewise, where that is aiortc's

When is told in ms since setLocalDescription() was called last.

The argument is JSON: the "configuration"; the durations of ICE in "seconds" (see peer/_timing.py); "fronted", if it
also takes TCP connections (fronts.py); "hidden", if it hides its addresses; and "raw", if the connection is to be
aiortc's own. That one is told "offer", "signal" and no more; it tells "ready", "signal", "connection", "selected",
"open", "took" and "raised". It ends when the socket is closed.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Coroutine
from typing import Any

import aiortc

from peer import RTCPeerConnection, watch_interfaces
from peer._timing import shortened
from tests.fronts import listening, passive, takes_tcp

ATTRIBUTES = (
    *("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment", "foundation", "component", "priority", "address"),
    *("protocol", "port", "type", "tcpType", "relatedAddress", "relatedPort", "relayProtocol", "url"),
)


class Peer(RTCPeerConnection):
    """A connection that tells when ICE is restarted."""

    def __init__(self, configuration: Any, host: Trickling, hidden: bool) -> None:
        super().__init__(configuration, hide_host_addresses=hidden)
        self._host = host

    def restartIce(self) -> None:
        super().restartIce()
        self._host.tell("restarted")
        self._host.spawn(self._host.offer())


class Host:
    """What all hosts do, whosever the connection is."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._peer: Any  # the connection
        self._writer = writer
        self._tasks: set[asyncio.Task[None]] = set()
        self._endless: list[asyncio.Task[None]] = []  # those of the tasks that do not end by themselves
        self._said = 0
        self._channel: Any = None
        self._began = 0.0  # when setLocalDescription() was called last

    def tell(self, what: str, value: Any = None) -> None:
        self._writer.write(json.dumps([what, value]).encode() + b"\n")

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def told(self, what: str, value: Any) -> None:
        match what:
            case "offer":
                self._use(self._peer.createDataChannel("chat", **(value or {})))
                await self.offer()
            case "talk":
                self._endless.append(self.spawn(self._say(value)))
            case "hush":
                self._endless.pop().cancel()
                self.tell("said", self._said)
            case "signal" if "candidate" in value:
                await self._peer.addIceCandidate(value)
            case "signal":
                await self._described(value)

    async def close(self) -> None:
        """Close the connection. What watches it must end then by itself."""
        for task in self._endless:
            task.cancel()
        await self._peer.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def complain(self, what: str) -> None:
        """Tell what went wrong."""
        self.tell("error", what)

    async def offer(self) -> None:
        """Offer, or answer."""
        raise NotImplementedError

    def since(self) -> float:
        """Milliseconds since setLocalDescription() was called last."""
        return round((time.monotonic() - self._began) * 1000, 3)

    async def _say(self, pause: float) -> None:
        while True:
            self._channel.send(str(self._said))
            self._said += 1
            await asyncio.sleep(pause)

    def _use(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", lambda message: self.tell("message", message))
        channel.on("open", self._opened)
        if channel.readyState == "open":
            self._opened()

    def _opened(self) -> None:
        self.tell("took", self.since())
        self.tell("open")


class Trickling(Host):
    """One with our connection."""

    def __init__(self, writer: asyncio.StreamWriter, configuration: Any, fronted: bool, hidden: bool) -> None:
        super().__init__(writer)
        self._fronted = fronted
        self._peer = peer = Peer(configuration, self, hidden)
        peer.onicecandidate = self._found
        peer.onicecandidateerror = self._failed
        peer.onicegatheringstatechange = lambda event: self.tell("gathering", peer.iceGatheringState)
        peer.oniceconnectionstatechange = lambda event: self.tell("ice", peer.iceConnectionState)
        peer.onconnectionstatechange = lambda event: self.tell("connection", peer.connectionState)
        peer.ondatachannel = lambda event: self._use(event.channel)

    async def told(self, what: str, value: Any) -> None:
        match what:
            case "restart":
                self._peer.restartIce()
            case "watch":
                self.spawn(watch_interfaces(self._peer, interval=value))
            case "pairs":
                self._endless.append(self.spawn(self._tell_pairs()))
            case _:
                await super().told(what, value)

    async def offer(self) -> None:
        self._began = time.monotonic()
        await self._peer.setLocalDescription()
        self.tell("signal", self._peer.localDescription.toJSON())
        self._peer.sctp.transport.iceTransport.onselectedcandidatepairchange = self._selected

    async def _described(self, description: dict[str, Any]) -> None:
        await self._peer.setRemoteDescription(description)
        if description["type"] == "offer":
            await self.offer()

    def _found(self, event: Any) -> None:
        candidate = event.candidate
        shown = candidate and {name: getattr(candidate, name) for name in ATTRIBUTES}
        self.tell("candidate", shown and {**shown, "event": event.url, "ms": self.since()})
        if candidate:
            self.tell("signal", candidate.toJSON())
        if candidate and self._fronted and (candidate.type, candidate.protocol) == ("host", "udp"):
            listener = listening(candidate.address)
            self.tell("signal", passive(*listener.getsockname()[:2]))
            self._endless.append(self.spawn(self._take_tcp(candidate, listener)))

    async def _take_tcp(self, candidate: Any, listener: socket.socket) -> None:
        async with takes_tcp(candidate.address, candidate.port, listener):
            await asyncio.Event().wait()

    def _failed(self, event: Any) -> None:
        names = ("url", "errorCode", "errorText", "address", "port")
        self.tell("failure", {**{name: getattr(event, name) for name in names}, "ms": self.since()})

    def _selected(self, event: Any) -> None:
        (media,) = self._peer._session.engine.media().values()
        pair = media.agent.selected_pair  # users do not see the address of a candidate that was not signalled yet
        self.tell("pair", [pair.local.address, pair.remote.address])
        shown = event.target.getSelectedCandidatePair()
        self.tell("selected", [{name: getattr(c, name) for name in ATTRIBUTES} for c in (shown.local, shown.remote)])

    async def _tell_pairs(self) -> None:
        told = None
        sides = "localCandidateId", "remoteCandidateId"
        while True:
            report = await self._peer.getStats()
            pairs = [
                [*[report[getattr(pair, side)].candidateType for side in sides], pair.state]
                for pair in report.values()
                if pair.type == "candidate-pair"
            ]
            if pairs != told:
                self.tell("pairs", pairs)
            told = pairs
            await asyncio.sleep(0.1)


class Raw(Host):
    """One with aiortc's connection, which does not trickle: descriptions are signalled when all is gathered."""

    def __init__(self, writer: asyncio.StreamWriter, configuration: Any) -> None:
        super().__init__(writer)
        settings = configuration or {}
        servers = [aiortc.RTCIceServer(**server) for server in settings.get("iceServers", ())]
        policy = aiortc.RTCIceTransportPolicy(settings.get("iceTransportPolicy", "all"))
        self._peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(servers, policy))
        self._peer.on("datachannel", self._use)
        self._peer.on("connectionstatechange", lambda: self.tell("connection", self._peer.connectionState))

    def complain(self, what: str) -> None:
        self.tell("raised", what)

    async def told(self, what: str, value: Any) -> None:
        try:
            await super().told(what, value)
        except Exception:
            self.tell("connection", "failed")  # there is no more to wait for
            raise

    async def offer(self) -> None:
        create = self._peer.createAnswer if self._peer.signalingState == "have-remote-offer" else self._peer.createOffer
        self._began = time.monotonic()
        await self._peer.setLocalDescription(await create())
        description = self._peer.localDescription
        self.tell("signal", {"type": description.type, "sdp": description.sdp})

    async def _described(self, description: dict[str, Any]) -> None:
        await self._peer.setRemoteDescription(aiortc.RTCSessionDescription(**description))
        if description["type"] == "offer":
            await self.offer()

    def _opened(self) -> None:
        pair = self._peer.sctp.transport.transport._connection._nominated[1]
        sides = pair.local_candidate, pair.remote_candidate
        self.tell("selected", [{"type": side.type, "address": side.host, "port": side.port} for side in sides])
        super()._opened()


async def main() -> None:
    options = json.loads(sys.argv[1])
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=0))
    with shortened(**options["seconds"]):
        configuration, fronted, hidden = options["configuration"], options["fronted"], options["hidden"]
        host = Raw(writer, configuration) if options["raw"] else Trickling(writer, configuration, fronted, hidden)

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        host.complain(f"{context['message']}: {context.get('exception')!r}")

    asyncio.get_running_loop().set_exception_handler(report)
    host.tell("ready")
    async for line in reader:
        try:
            await host.told(*json.loads(line))
        except Exception as error:
            host.complain(repr(error))
    await host.close()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main())
