"""The seam to aiortc: the engine that does DTLS, SRTP and SCTP. The only module that knows aiortc's private names.

aiortc's connection believes that it owns its ICE. :class:`Engine` is that connection with our agents in place of
aioice's connections, in the one method through which all transports are made, and with a local offer that can be held
back: aiortc cannot take back a description, and needs a local offer no sooner than its answer.

The engine never calls user code, and no event of its own reaches users: it calls the functions it was made with. It is
given descriptions without candidates, and an empty list of ICE servers, for its default is a public STUN server.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakSet

import aiortc
from aiortc import sdp
from aiortc.events import RTCTrackEvent
from aiortc.stats import RTCTransportStats

from ._agent import Agent
from ._ice_transport import RTCIceTransport
from ._upstream import require
from ._webidl import dom_string

T = TypeVar("T")

require(
    "aiortc",
    {
        aiortc.RTCPeerConnection: (
            "_RTCPeerConnection__certificates",
            "_RTCPeerConnection__connect",
            "_RTCPeerConnection__createDtlsTransport",
            "_RTCPeerConnection__pendingLocalDescription",
            "_RTCPeerConnection__seenMids",
            "_RTCPeerConnection__updateConnectionState",
        ),
        aiortc.RTCDataChannel: ("_setReadyState",),
        aiortc.RTCDtlsTransport: ("_get_stats",),
        aiortc.RTCIceGatherer: ("_connection",),
        aiortc.RTCIceTransport: ("_connection", "_recv", "_send"),
        aiortc.RTCSctpTransport: ("_bundled", "mid"),
        aiortc.RTCRtpTransceiver: ("_bundled", "_get_mline_index", "_offerDirection", "_set_mid"),
    },
)


@dataclass(frozen=True)
class Media:
    """An m-line that the engine knows, and the transport it uses."""

    mid: str
    agent: Agent
    dtls_state: str
    stopped: bool  # whether its transceiver is


class Engine(aiortc.RTCPeerConnection):
    """An aiortc connection over our agents."""

    def __init__(
        self,
        make_agent: Callable[[str, str], Agent],
        *,
        bundle_policy: str,
        certificates: Sequence[aiortc.RTCCertificate],
        dtls_changed: Callable[[], None],
        channel_opened: Callable[[aiortc.RTCDataChannel], None],
    ) -> None:
        super().__init__(aiortc.RTCConfiguration(iceServers=[], bundlePolicy=aiortc.RTCBundlePolicy(bundle_policy)))
        if certificates:
            self._RTCPeerConnection__certificates = list(certificates[:1])  # aiortc takes one
        self._make_agent = make_agent
        self._dtls_changed = dtls_changed
        self._agents: dict[aiortc.RTCIceTransport, Agent] = {}  # grows with each transport
        self._channels: WeakSet[aiortc.RTCDataChannel] = WeakSet()  # those of ours that somebody still has
        self._connecting: set[asyncio.Task[None]] = set()  # aiortc's connect tasks under way
        self._tracks: list[aiortc.MediaStreamTrack] = []  # found by the description being applied
        self.on("track", self._tracks.append)
        self.on("datachannel", channel_opened)

    # Descriptions

    def create_offer(self) -> str:
        """The text of an offer."""
        return _now(super().createOffer()).sdp

    def create_answer(self) -> str:
        """The text of an answer."""
        return _now(super().createAnswer()).sdp

    def hold_offer(self, text: str) -> None:
        """Give m-lines their mids as the local offer *text* names them, and keep it for the next offer to build on.

        aiortc goes on believing that no offer was made, until :meth:`apply_local` hands it over with its answer.
        """
        offer = sdp.SessionDescription.parse(text)
        offer.type = "offer"
        by_index = {t._get_mline_index(): t for t in self.getTransceivers()}
        for index, media in enumerate(offer.media):
            mid = media.rtp.muxId
            self._RTCPeerConnection__seenMids.add(mid)  # type: ignore[attr-defined]
            if media.kind != "application":
                by_index[index]._set_mid(mid)
            elif self.sctp is not None:
                self.sctp.mid = mid
        self._RTCPeerConnection__pendingLocalDescription = offer

    async def apply_local(self, type: str, text: str) -> None:
        """Hand over the local description *text*, which has no candidates."""
        if type == "answer":
            for transceiver in self.getTransceivers():
                # One that the remote side has not offered stays out of this negotiation; aiortc would raise.
                transceiver._offerDirection = transceiver._offerDirection or "inactive"
        await super().setLocalDescription(aiortc.RTCSessionDescription(text, type))

    async def apply_remote(self, type: str, text: str) -> list[RTCTrackEvent]:
        """Hand over the remote description *text*, which has no candidates; return the tracks that came with it."""
        self._keep_shared_transports()
        self._tracks.clear()
        await super().setRemoteDescription(aiortc.RTCSessionDescription(text, type))
        return [
            RTCTrackEvent(receiver=t.receiver, track=track, transceiver=t)
            for track in self._tracks
            for t in self.getTransceivers()
            if t.receiver.track is track
        ]

    def _keep_shared_transports(self) -> None:
        # aiortc stops the transport of whatever joins a group, unless it counts as bundled. When another m-line than
        # before comes first in a group, that would be the transport that all of them share.
        users: list[Any] = [(t, t.receiver.transport) for t in self.getTransceivers()]
        users += [(self.sctp, self.sctp.transport)] if self.sctp is not None else []
        shared = Counter(transport for _, transport in users)
        for user, transport in users:
            user._bundled = user._bundled or shared[transport] > 1

    async def stop(self, mids: Collection[str]) -> None:
        """Stop the transceivers of these m-lines, which were rejected."""
        for transceiver in self.getTransceivers():
            if transceiver.mid in mids:
                await transceiver.stop()

    @staticmethod
    def parses(text: str) -> bool:
        """Whether aiortc can read *text*. It asserts where it should answer, so any exception is a no."""
        try:
            sdp.SessionDescription.parse(text)
        except Exception:
            return False
        return True

    # Transports

    def media(self) -> dict[str, Media]:
        """The m-lines that have a mid, by mid."""
        found = [(t.mid, t.receiver.transport, t.stopped) for t in self.getTransceivers()]
        if self.sctp is not None:
            found.append((self.sctp.mid, self.sctp.transport, False))
        return {
            mid: Media(mid, self._agents[dtls.transport], dtls.state, stopped)
            for mid, dtls, stopped in found
            # There is no transport where aiortc bundled with an m-line that does not exist.
            if mid is not None
            and dtls is not None
            and dtls is not None  # aiortc leaves none where it bundled with an m-line that is not there
        }

    def transport_stats(self) -> list[tuple[Agent, RTCTransportStats]]:
        """What aiortc reports of each transport that an m-line uses."""
        used = [t.receiver.transport for t in self.getTransceivers()] + ([self.sctp.transport] if self.sctp else [])
        return [
            (self._agents[dtls.transport], stats)
            for dtls in dict.fromkeys(used)
            for stats in dtls._get_stats().values()
        ]

    def createDataChannel(self, *args: Any, **options: Any) -> aiortc.RTCDataChannel:
        """Make a channel whose listeners can break nothing, and which is closed with the connection."""
        channel = super().createDataChannel(*args, **options)
        self._channels.add(channel)
        guard(channel)
        return channel

    def _RTCPeerConnection__createDtlsTransport(self) -> aiortc.RTCDtlsTransport:
        dtls: aiortc.RTCDtlsTransport = super()._RTCPeerConnection__createDtlsTransport()  # type: ignore[misc]
        transport = dtls.transport
        # The aioice connection that aiortc made has no sockets yet. It is dropped for an agent with its credentials,
        # which are those of the connection's other transports: one ufrag for all m-lines, as in browsers.
        unused = transport.iceGatherer._connection
        agent: Any = self._make_agent(unused.local_username, unused.local_password)
        transport.iceGatherer._connection = agent
        transport._connection = agent
        transport._recv, transport._send = agent.recv, agent.send
        self._agents[transport] = agent
        for emitter in (transport.iceGatherer, transport, dtls):
            guard(emitter)
        dtls.on("statechange", self._dtls_changed)
        dtls.iceTransport = RTCIceTransport(agent.slots)  # type: ignore[attr-defined]
        return dtls

    async def _RTCPeerConnection__connect(self) -> None:
        """Start the transports; aiortc runs this as a task of its own after each description."""
        task = asyncio.current_task()
        assert task is not None
        self._connecting.add(task)
        try:
            await super()._RTCPeerConnection__connect()  # type: ignore[misc]
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a transport could not be started", "exception": error}
            )
        finally:
            self._connecting.discard(task)

    def _RTCPeerConnection__updateConnectionState(self) -> None:
        # aiortc would derive its own states, and close the connection when the remote side ends DTLS. A browser's
        # connection is closed by close() only.
        pass

    # The end

    async def shut_down(self) -> None:
        """Close everything. When this is cancelled, because the loop ends, close at least the sockets."""
        try:
            while self._connecting:
                # More than once: asyncio.wait_for, in which aiortc receives, may lose a cancellation in Python 3.11.
                for task in self._connecting:
                    task.cancel()
                await asyncio.wait(self._connecting, timeout=0)
            try:
                await super().close()
            finally:
                for transport in self._agents:  # aiortc forgets some when it is interrupted, or fails
                    await transport.stop()
                for channel in self._channels:  # and those that never got an identifier
                    channel._setReadyState("closed")
        finally:
            for agent in self._agents.values():
                agent.abort()


def guard(emitter: Any) -> None:
    """Report what a user's listener on one of aiortc's objects raises, instead of letting it end aiortc's own work.

    An emitter of aiortc hands such an exception to its listeners for "error", and raises it if there are none.
    """

    def report(error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a listener of {type(emitter).__name__} failed", "exception": error}
        )

    emitter.on("error", report)


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of aiortc's that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("aiortc waits where it did not wait before; this version of it is not supported")


class _CountedInBytes(str):
    """A text whose length is that of its UTF-8."""

    def __len__(self) -> int:
        return len(self.encode())


def utf8(text: Any) -> str:
    """*text* for a data channel's label or protocol, whose length aiortc sends in characters where bytes are meant."""
    text = dom_string(text)
    return text if text.isascii() else _CountedInBytes(text)
