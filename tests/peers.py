"""Two Python peers, and what tests watch of them."""

from __future__ import annotations

import asyncio
import fractions
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiortc
import av

from peer import Event, RTCDataChannel, RTCPeerConnection
from peer._timing import shortened

BRISK = {"consent_interval": 0.02, "consent_answer": 0.01}  # what is lost is noticed at once
DESCRIPTIONS = ("currentLocal", "pendingLocal", "currentRemote", "pendingRemote")
STATES = ("signalingState", "iceGatheringState", "iceConnectionState", "connectionState")


@asynccontextmanager
async def open_peers(
    *configurations: Any, hide_host_addresses: bool = False, **seconds: float
) -> AsyncIterator[tuple[RTCPeerConnection, ...]]:
    """A connection for each configuration, closed afterwards; *seconds* shorten what ICE takes, see peer/_timing.py."""
    with shortened(**seconds):
        peers = tuple(
            RTCPeerConnection(configuration, hide_host_addresses=hide_host_addresses)
            for configuration in configurations
        )
    try:
        yield peers
    finally:
        for peer in peers:
            await peer.close()


def trickle(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """Send what either's icecandidate events give to the other, as JSON, and nothing else."""

    def send(event: Any, receiver: RTCPeerConnection) -> Any:
        if event.candidate is not None:
            return receiver.addIceCandidate(json.loads(json.dumps(event.candidate.toJSON())))
        return None

    one.addEventListener("icecandidate", lambda event: send(event, other))
    other.addEventListener("icecandidate", lambda event: send(event, one))


async def send_candidates(sender: RTCPeerConnection, receiver: RTCPeerConnection) -> None:
    """Send all candidates and markers of *sender*, those that were announced already, too."""
    async for candidate in sender.ice_candidates():
        await receiver.addIceCandidate(candidate)


async def negotiate(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Offer and answer, as JSON."""
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(json.loads(json.dumps(offerer.localDescription.toJSON())))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(json.loads(json.dumps(answerer.localDescription.toJSON())))


async def answering(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Offer, and let the answerer begin; what it answers is not sent."""
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription()


def without_candidates(description: dict[str, str]) -> dict[str, str]:
    """A *description*, as JSON, without candidates, and without a word that there are no more."""
    return description | {"sdp": re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", description["sdp"])}


async def reached(peer: RTCPeerConnection, attribute: str, value: str) -> None:
    """Wait for the event after which *attribute* is *value*."""
    changed = asyncio.Event()
    peer.addEventListener(attribute.lower() + "change", lambda _: changed.set())
    while getattr(peer, attribute) != value:
        changed.clear()
        await changed.wait()


async def next_event(peer: RTCPeerConnection, type: str) -> Any:
    """Wait for the next event of *type*."""
    happened = asyncio.get_running_loop().create_future()
    peer.addEventListener(type, lambda event: happened.done() or happened.set_result(event))
    return await happened


async def emitted(emitter: Any, event: str) -> Any:
    """Wait for the next event of one of aiortc's objects; returns what it hands over."""
    happened = asyncio.get_running_loop().create_future()
    emitter.once(event, lambda *given: happened.done() or happened.set_result(given[0] if given else None))
    return await happened


def opened(channel: aiortc.RTCDataChannel) -> asyncio.Future[Any]:
    """Done when *channel* is open. Call it before the channel can be."""
    return asyncio.ensure_future(emitted(channel, "open"))


async def connect(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> aiortc.RTCDataChannel:
    """Trickle and negotiate until a channel of the offerer is open on both sides; returns the channel."""
    trickle(offerer, answerer)
    channel = offerer.createDataChannel("chat")
    open_ = opened(channel)
    theirs = asyncio.get_running_loop().create_future()
    answerer.addEventListener("datachannel", lambda event: theirs.set_result(opened(event.channel)), once=True)
    await negotiate(offerer, answerer)
    await open_
    await (await theirs)
    return channel


async def connect_once(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> aiortc.RTCDataChannel:
    """Connect; candidates of later generations are not sent by themselves. Returns the channel of the offerer."""
    channel = await connect(offerer, answerer)
    for peer in (offerer, answerer):
        await peer.gathering_complete()
        peer.remove_all_listeners("icecandidate")
    return channel


def heard(channel: RTCDataChannel, type: str) -> asyncio.Future[Any]:
    """Done with the next event of *type* at *channel*."""
    happened = asyncio.get_running_loop().create_future()
    channel.addEventListener(type, happened.set_result, once=True)
    return happened


def echoing(peer: RTCPeerConnection) -> None:
    """Let *peer* send back whatever comes over the channels that the other side will open."""
    peer.addEventListener("datachannel", lambda event: setattr(event.channel, "onmessage", _send_back))


def _send_back(event: Any) -> None:
    event.target.send(event.data)


async def echo(channel: RTCDataChannel) -> None:
    """Send something over *channel*, and wait until it has come back."""
    arrived = heard(channel, "message")
    channel.send("are you there?")
    assert (await arrived).data == "are you there?"


async def discarded(peer: RTCPeerConnection) -> int:
    """How many datagrams the only transport of *peer* has discarded."""
    (transport,) = (entry for entry in (await peer.getStats()).values() if entry.type == "transport")
    return transport.datagrams_discarded


@asynccontextmanager
async def two_channels(
    **options: Any,
) -> AsyncIterator[tuple[RTCDataChannel, RTCDataChannel, RTCPeerConnection, RTCPeerConnection]]:
    """A channel, open on both sides, and their connections."""
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        opened = asyncio.get_running_loop().create_future()

        def found(event: Any) -> None:
            if event.channel.label == "second":
                event.channel.onopen = lambda open_: opened.set_result(open_.target)

        answerer.addEventListener("datachannel", found)
        ours = offerer.createDataChannel("second", **options)
        await heard(ours, "open")
        theirs = await opened
        theirs.onopen = None
        yield ours, theirs, offerer, answerer


def logging(channel: RTCDataChannel, log: list[str], name: str = "") -> None:
    """Log all events of *channel*, with its state."""
    for type in ("open", "message", "bufferedamountlow", "closing", "close", "error"):
        channel.addEventListener(type, lambda event: log.append(f"{name}{event.type} {channel.readyState}"))


def opened_by(peer: RTCPeerConnection) -> Any:
    """The channel of *peer* that the other side has opened."""
    return next(iter(peer.sctp._data_channels.values()))


def agent(peer: RTCPeerConnection) -> Any:
    """The ICE agent of a connection's only transport, to look into."""
    (found,) = {media.agent for media in peer._session.engine.media().values()}
    return found


def visible(peer: RTCPeerConnection) -> dict[str, Any]:
    """What setting a description changes, as users see it; of descriptions, what is not candidates."""
    transports = {carrier.transport for carrier in (*peer.getSenders(), *peer.getReceivers())}
    transports |= {peer.sctp.transport} if peer.sctp else set()
    descriptions = {name: getattr(peer, f"{name}Description") for name in DESCRIPTIONS}
    return {
        "signalingState": peer.signalingState,
        "canTrickleIceCandidates": peer.canTrickleIceCandidates,
        **{name: value and (value.type, _before_gathering(value.sdp)) for name, value in descriptions.items()},
        "transceivers": [
            (t, t.mid, t.direction, t.currentDirection, t.stopped, t.sender, t.receiver) for t in peer.getTransceivers()
        ],
        "senders": [(sender, sender.track, sender.transport) for sender in peer.getSenders()],
        "receivers": [(receiver, receiver.track, receiver.transport) for receiver in peer.getReceivers()],
        "sctp": peer.sctp and (peer.sctp, peer.sctp.transport),
        "transports": {
            dtls: (ice.role, ice.getLocalParameters(), ice.getRemoteParameters())
            for dtls, ice in ((dtls, dtls.iceTransport) for dtls in transports)
        },
    }


def _before_gathering(sdp: str) -> str:
    """*sdp* without candidates, and without the address and the port to use where there is no ICE."""
    return re.sub(r"(?m)^(?:a=candidate:|a=end-of-candidates|c=).*\n|(?<=^m=)(\w+) [1-9]\d*", r"\1", sdp)


class Log:
    """Everything that happens at a connection, with what is visible when it happens."""

    TYPES = (
        "signalingstatechange",
        "icegatheringstatechange",
        "iceconnectionstatechange",
        "connectionstatechange",
        "icecandidate",
        "datachannel",
        "track",
    )

    def __init__(self, peer: RTCPeerConnection) -> None:
        self.peer = peer
        self.entries: list[tuple[str, Any]] = []
        for type in self.TYPES:
            peer.addEventListener(type, self._note)

    def _note(self, event: Event) -> None:
        if event.type == "icecandidate":
            self.entries.append(("icecandidate", self._candidate(event)))
        elif event.type.endswith("statechange"):
            attribute = next(name for name in STATES if name.lower() + "change" == event.type)
            self.entries.append((event.type, getattr(self.peer, attribute)))
        else:
            self.entries.append((event.type, None))

    def _candidate(self, event: Any) -> dict[str, Any]:
        sdp = self.peer.localDescription.sdp
        return {
            "candidate": event.candidate,
            "gathering": self.peer.iceGatheringState,
            "lines": sdp.count("a=candidate:"),
            "ends": sdp.count("a=end-of-candidates"),
        }

    def of(self, *types: str) -> list[Any]:
        """What was noted of these types of events."""
        return [value for type, value in self.entries if type in types]

    def kinds(self) -> list[str]:
        """The gathering events, in order: states, "candidate", "end" and "null"."""
        kinds = []
        for type, value in self.entries:
            if type == "icegatheringstatechange":
                kinds.append(value)
            elif type == "icecandidate":
                candidate = value["candidate"]
                kinds.append("null" if candidate is None else "candidate" if candidate.candidate else "end")
        return kinds


class Tone(aiortc.MediaStreamTrack):
    """An audio track: silence, as fast as it is asked for, at most a frame of 20 ms *every* so many seconds."""

    kind = "audio"

    def __init__(self, every: float = 0.02) -> None:
        super().__init__()
        self._every = every
        self._samples = 0
        self._due: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._due = loop.time() if self._due is None else self._due + self._every
        await asyncio.sleep(max(0, self._due - loop.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._samples, fractions.Fraction(1, 48000)
        self._samples += 960
        return frame
