"""Transceivers, channels and transports: what m-lines describe, from its making to its end.

What has to end, such as a transport, ends behind the turn in which that was decided, in tasks of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import ref

import aiortc
from aiortc import rtcdtlstransport
from aiortc.stats import RTCTransportStats

from peer._agent import Agent
from peer._data_channel import RTCDataChannel, announce, begin, end, lose, tell
from peer._emitters import guard
from peer._errors import RTCError
from peer._ice_transport import RTCIceTransport
from peer._negotiation import TransceiverState
from peer._tasks import TaskQueue
from peer._transceiver import RECEIVING, Sender, Transceiver
from peer._upstream import require

from ._parts import Association, Channel, DtlsTransport, LastingSender, Receiver
from ._turns import now

Carrier = Transceiver | aiortc.RTCSctpTransport  # what an m-line describes

# Not underscored, but in modules that aiortc does not document.
_UNLISTED = {rtcdtlstransport: ("SRTP_PROFILES",)}
require("aiortc", _UNLISTED)
require(
    "aiortc",
    {
        aiortc.RTCPeerConnection: (
            "_RTCPeerConnection__certificates",
            "_RTCPeerConnection__connect",
            "_RTCPeerConnection__createDtlsTransport",
            "_RTCPeerConnection__createSctpTransport",
            "_RTCPeerConnection__createTransceiver",
            "_RTCPeerConnection__localRtp",
            "_RTCPeerConnection__remoteDtls",
            "_RTCPeerConnection__remoteIce",
            "_RTCPeerConnection__remoteRtp",
            "_RTCPeerConnection__sctp",
            "_RTCPeerConnection__sctpRemoteCaps",
            "_RTCPeerConnection__sctpRemotePort",
            "_RTCPeerConnection__transceivers",
            "_RTCPeerConnection__updateConnectionState",
        ),
        aiortc.RTCCertificate: ("_create_ssl_context",),
        aiortc.RTCDataChannel: ("_setReadyState",),
        aiortc.RTCDtlsTransport: ("_get_stats",),
        aiortc.RTCIceGatherer: ("_connection",),
        aiortc.RTCIceTransport: ("_connection", "_recv", "_send"),
        # Some are not underscored, but not documented either.
        aiortc.RTCRtpReceiver: ("setTransport",),
        aiortc.RTCRtpSender: ("setTransport",),
        aiortc.RTCRtpTransceiver: ("_get_mline_index",),
        aiortc.RTCSctpTransport: ("mid", "setTransport"),
    },
)


class Media(NamedTuple):
    """An m-line that the engine knows, and the transport it uses."""

    mid: str
    agent: Agent
    dtls: aiortc.RTCDtlsTransport
    closed: bool  # whether the transport was stopped
    stopped: bool  # whether its transceiver is

    @property
    def dtls_state(self) -> str:
        """An RTCDtlsTransportState."""
        # aiortc calls a transport failed that was stopped while it was started.
        return "closed" if self.closed else self.dtls.state


class CarryingConnection(aiortc.RTCPeerConnection):
    """An aiortc connection over our agents. The only class made of it is :class:`Engine`, which knows descriptions."""

    # Beside aiortc's in one dictionary they would double its size.
    __slots__ = (
        "_agents",
        "_bundle_policy",
        "_channel_opened",
        "_channels",
        "_configuration",
        "_connecting",
        "_dtls_changed",
        "_ending",
        "_make_agent",
        "_tasks",
        "_transceiver_changed",
        "created_channels",
        "stopped",
    )

    def __init__(
        self,
        make_agent: Callable[[str, str], Agent],
        *,
        bundle_policy: str,
        certificates: Sequence[aiortc.RTCCertificate],
        tasks: TaskQueue,
        dtls_changed: Callable[[], None],
        channel_opened: Callable[[RTCDataChannel], None],
        transceiver_changed: Callable[[], None],
    ) -> None:
        self._bundle_policy = aiortc.RTCBundlePolicy(bundle_policy)  # never changes
        # Which transports are shared from the start; the policy differs while apply_remote() runs.
        self._configuration = aiortc.RTCConfiguration(iceServers=[], bundlePolicy=self._bundle_policy)
        super().__init__(self._configuration)
        if certificates:
            self._RTCPeerConnection__certificates = list(certificates[:1])  # aiortc takes one
        else:
            for made in self._RTCPeerConnection__certificates:
                _prepare(made)
        self._make_agent = make_agent
        self._tasks = tasks
        self._channel_opened = channel_opened
        self._dtls_changed = dtls_changed
        self._transceiver_changed = transceiver_changed
        self._agents: dict[aiortc.RTCDtlsTransport, Agent] = {}  # grows with each transport
        self.created_channels = False  # whether there was ever one of ours
        self._channels: list[ref[Channel]] = []  # those that somebody has; in order
        self._connecting: dict[asyncio.Task[None], None] = {}  # aiortc's connect tasks under way
        self._ending: list[asyncio.Task[None]] = []  # what is being stopped
        self.stopped: list[Agent] = []  # those whose transports were stopped; grows
        self.on("datachannel", self._found_channel)

    @property
    def _carriers(self) -> list[Carrier]:
        return [*self.getTransceivers(), *([self.sctp] if self.sctp is not None else [])]

    def reject(self, mids: Collection[str]) -> None:
        """Stop the transceivers of these m-lines, which were rejected."""
        for transceiver in self.getTransceivers():
            if transceiver.mid in mids and not transceiver.stopped:
                transceiver.stop()

    def close_rejected(self, mids: Collection[str]) -> None:
        """Both sides have rejected these m-lines: their transceivers are gone, and transports that nobody else uses."""
        for transceiver in self.getTransceivers():
            transceiver.gone = transceiver.gone or transceiver.mid in mids
        self._stop_unused(mids)

    def _stop_unused(self, rejected: Collection[str] = ()) -> None:
        """Stop the transports that nobody uses, whose m-line was not *rejected*."""
        left = [carrier for carrier in self._carriers if not getattr(carrier, "gone", False)]
        used = {transport_of(carrier) for carrier in left if carrier.mid is None or carrier.mid not in rejected}
        for transport in self._agents.keys() - used:
            if not self._is_closed(transport):
                self.stopped.append(self._agents[transport])
                self._end(_stop(transport))

    def _end(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something end behind this turn."""
        task = asyncio.get_running_loop().create_task(work)
        self._ending.append(task)
        task.add_done_callback(self._ending.remove)

    def _is_closed(self, transport: aiortc.RTCDtlsTransport) -> bool:
        return self._agents[transport] in self.stopped

    @property
    def transceivers(self) -> list[Transceiver]:
        """Those that users see. aiortc needs the others for its m-lines."""
        return [transceiver for transceiver in self.getTransceivers() if not transceiver.gone]

    def media(self) -> dict[str, Media]:
        """The m-lines that have a mid, by mid."""
        found: dict[str, Media] = {}
        for carrier in self._carriers:
            if carrier.mid is not None:
                dtls, stopped = transport_of(carrier), getattr(carrier, "stopped", False)
                found[carrier.mid] = Media(carrier.mid, self._agents[dtls], dtls, self._is_closed(dtls), stopped)
        return found

    def getTransceivers(self) -> list[Transceiver]:  # type: ignore[override]
        """All transceivers."""
        return super().getTransceivers()  # type: ignore[return-value]  # they were made transceivers of ours

    def receiving(self) -> dict[str | None, Transceiver]:
        """The transceivers that have a remote track, by mid."""
        return {t.mid: t for t in self.getTransceivers() if t.mid is not None and t.receiver.track}

    def streams(self) -> dict[int, tuple[str, ...]]:
        """The ids of the streams of the tracks that we want to send.

        By the index of the m-line in the description that was created last.
        """
        wanted = [t for t in self.getTransceivers() if not t.stopped and t.direction in ("sendrecv", "sendonly")]
        found = [(t._get_mline_index(), t.sender.stream_ids) for t in wanted]
        return {index: ids for index, ids in found if index is not None and index >= 0}

    def transceiver_states(self) -> list[TransceiverState]:
        """What counts for negotiation of each transceiver."""
        return [TransceiverState(t.mid, t.stopped, t.direction, t.sender.stream_ids) for t in self.getTransceivers()]

    def transport_stats(self) -> list[tuple[Agent, RTCTransportStats]]:
        """What aiortc reports of each transport that an m-line uses."""
        used = dict.fromkeys(map(transport_of, self._carriers))
        return [(self._agents[dtls], stats) for dtls in used for stats in dtls._get_stats().values()]

    def addTransceiver(
        self,
        trackOrKind: str | aiortc.MediaStreamTrack,
        direction: str = "sendrecv",
        streams: tuple[str, ...] = (),
    ) -> Transceiver:
        """Add a transceiver whose track is in *streams*."""
        transceiver = super().addTransceiver(trackOrKind, direction)
        assert isinstance(transceiver, Transceiver)
        transceiver.sender.stream_ids = streams
        return transceiver

    def has_made(self, sender: aiortc.RTCRtpSender) -> bool:
        """Whether *sender* is one of ours, also if it was taken back."""
        return isinstance(sender, Sender) and sender.tasks is self._tasks

    def remove_track(self, sender: aiortc.RTCRtpSender) -> None:
        """Send nothing any more over *sender*, which is one of ours."""
        transceiver = next((t for t in self.getTransceivers() if t.sender is sender), None)
        if transceiver is not None and not transceiver.stopped and sender.track is not None:
            sender.replaceTrack(None)
            transceiver.direction = RECEIVING[transceiver.direction]

    def createDataChannel(self, *args: Any, **options: Any) -> RTCDataChannel:
        """Make a channel, which is connecting."""
        made = super().createDataChannel(*args, **options)
        self.created_channels = True
        is_open = made.readyState == "open"  # aiortc opens one that is negotiated before anybody can listen
        if is_open:
            made._setReadyState("connecting")
        channel = self._adopt(made)
        if is_open:
            tell(channel, "open")
        return channel

    def _found_channel(self, made: aiortc.RTCDataChannel) -> None:
        channel = self._adopt(made)
        self._channel_opened(channel)
        announce(channel)

    def _adopt(self, made: Any) -> Channel:
        made.__class__ = Channel  # aiortc makes its own, and knows no other way
        channel: Channel = made
        begin(channel, self._tasks)
        self._channels.append(ref(channel, self._channels.remove))
        return channel

    def _living(self) -> list[Channel]:
        return [channel for known in self._channels if (channel := known()) is not None]

    def _association_ended(self, failure: RTCError | None) -> None:
        for channel in self._living():
            lose(channel, failure)

    def _RTCPeerConnection__createSctpTransport(self) -> None:
        with self._hiding(self._unshareable()):
            super()._RTCPeerConnection__createSctpTransport()  # type: ignore[misc]
        made: Any = self.sctp
        made.__class__ = Association  # aiortc makes its own, and knows no other way
        made.begin(self._association_ended)

    def _RTCPeerConnection__createTransceiver(self, **options: Any) -> Transceiver:
        with self._hiding(self._unshareable()):
            made = super()._RTCPeerConnection__createTransceiver(**options)  # type: ignore[misc]
        # aiortc makes its own, and knows no other way.
        made.__class__, made.sender.__class__, made.receiver.__class__ = Transceiver, LastingSender, Receiver
        transceiver: Transceiver = made
        sender = transceiver.sender
        transceiver.changed = sender.changed = self._transceiver_changed
        transceiver.behind = self._end
        sender.tasks, sender.stream_ids = self._tasks, ()
        return transceiver

    def _unshareable(self) -> list[Carrier]:
        """Those whose transport nobody else can share any more: it is closed, or their m-line ends."""
        return [carrier for carrier in self._carriers if getattr(carrier, "stopped", False) or self._is_dead(carrier)]

    def _is_dead(self, carrier: Carrier) -> bool:
        transport = transport_of(carrier)
        return transport.state == "closed" or self._is_closed(transport)

    @contextlib.contextmanager
    def _hiding(self, hidden: Collection[Carrier]) -> Iterator[None]:
        """Hide these from aiortc, which is to make something. They are there again afterwards, before what was made."""
        shown: list[Transceiver] = self._RTCPeerConnection__transceivers  # type: ignore[attr-defined]
        before, sctp = list(shown), self.sctp
        shown[:] = [transceiver for transceiver in before if transceiver not in hidden]
        if sctp in hidden:
            self._RTCPeerConnection__sctp = None
        try:
            yield
        finally:
            shown[:] = [*before, *(transceiver for transceiver in shown if transceiver not in before)]
            self._RTCPeerConnection__sctp = self.sctp or sctp

    def _RTCPeerConnection__createDtlsTransport(self) -> aiortc.RTCDtlsTransport:
        made = super()._RTCPeerConnection__createDtlsTransport()  # type: ignore[misc]
        made.__class__ = DtlsTransport  # aiortc makes its own, and knows no other way
        dtls: DtlsTransport = made
        transport = dtls.transport
        # The aioice connection that aiortc made has no sockets yet. It is dropped for an agent with its credentials,
        # which are those of the connection's other transports: one ufrag for all m-lines, as in browsers.
        unused = transport.iceGatherer._connection
        agent: Any = self._make_agent(unused.local_username, unused.local_password)
        transport.iceGatherer._connection = agent
        transport._connection = agent
        transport._recv, transport._send = agent.recv, agent.send
        self._agents[dtls] = agent
        for emitter in (transport.iceGatherer, transport, dtls):
            guard(emitter)
        dtls.on("statechange", partial(self._dtls_state_changed, dtls))
        dtls.iceTransport = RTCIceTransport(agent.slots)
        return dtls

    def _dtls_state_changed(self, dtls: aiortc.RTCDtlsTransport) -> None:
        self._dtls_changed()
        if dtls.state == "closed" and self.sctp is not None and self.sctp.transport is dtls:
            now(self.sctp.stop())  # the association has nobody left to tell
        if dtls.state == "connected":  # aiortc lets pass what was negotiated during the handshake
            task = asyncio.ensure_future(self._RTCPeerConnection__connect())
            self._connecting[task] = None
            task.add_done_callback(self._left)

    async def _RTCPeerConnection__connect(self) -> None:
        """Start the transports, and what they carry; aiortc runs this as a task of its own after each description.

        aiortc's own starts them one after the other, so one that is not reached would keep the others waiting. And it
        does not see that a carrier was stopped, or moved to another transport, while it waited.
        """
        task = asyncio.current_task()
        assert task is not None
        self._connecting[task] = None
        try:
            if self._tasks.closed:  # before this has begun, or DTLS was connected only now
                return
            work = [self._start(transport) for transport in {transport_of(c): None for c in self._negotiated()}]
            if len(work) == 1:  # mostly; it needs no task of its own
                await work[0]
            else:
                await asyncio.gather(*work)
        finally:
            self._left(task)

    def _negotiated(self) -> list[Carrier]:
        """What was negotiated, and can be started."""
        negotiated = self._RTCPeerConnection__remoteIce  # type: ignore[attr-defined]
        return [c for c in self._carriers if c in negotiated and not self._is_closed(transport_of(c))]

    async def _start(self, transport: aiortc.RTCDtlsTransport) -> None:
        """Start a transport, unless it has begun, and what it carries when it is connected."""
        try:
            if carried := self._carried(transport):
                await transport.transport.start(self._RTCPeerConnection__remoteIce[carried[0]])  # type: ignore[attr-defined]
            if transport.state == "new" and (carried := self._carried(transport)):
                await transport.start(self._RTCPeerConnection__remoteDtls[carried[0]])  # type: ignore[attr-defined]
            if transport.state == "connected":
                for carrier in self._carried(transport):
                    await self._begin(carrier)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a transport could not be started", "exception": error}
            )

    def _carried(self, transport: aiortc.RTCDtlsTransport) -> list[Carrier]:
        return [carrier for carrier in self._negotiated() if transport_of(carrier) is transport]

    async def _begin(self, carrier: Carrier) -> None:
        """Begin to send and receive, unless that has begun. This does not wait: nothing changes meanwhile."""
        if isinstance(carrier, aiortc.RTCSctpTransport):
            capabilities, port = self._RTCPeerConnection__sctpRemoteCaps, self._RTCPeerConnection__sctpRemotePort  # type: ignore[attr-defined]
            await carrier.start(capabilities, port)
        elif not carrier.stopped:
            if carrier.currentDirection in ("sendrecv", "sendonly"):
                await carrier.sender.send(self._RTCPeerConnection__localRtp(carrier))  # type: ignore[attr-defined]
            if carrier.currentDirection in ("sendrecv", "recvonly"):
                await carrier.receiver.receive(self._RTCPeerConnection__remoteRtp(carrier))  # type: ignore[attr-defined]

    def _left(self, task: asyncio.Task[None]) -> None:
        self._connecting.pop(task, None)

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
            if self._ending:
                await asyncio.wait(self._ending)
            channels = self._living()  # aiortc forgets them
            try:
                await super().close()
            except asyncio.CancelledError:
                # aiortc awaits tasks of its own, which a loop that ends has cancelled. Are we?
                current = asyncio.current_task()
                if current is None or current.cancelling():
                    raise
            finally:
                for transport in self._agents:  # aiortc forgets some when it is interrupted, or fails
                    await transport.transport.stop()
                for channel in channels:
                    end(channel)
        finally:
            for agent in self._agents.values():
                agent.abort()


def transport_of(carrier: Carrier) -> aiortc.RTCDtlsTransport:
    """The transport that *carrier* uses."""
    return carrier.transport if isinstance(carrier, aiortc.RTCSctpTransport) else carrier.receiver.transport


def _prepare(certificate: aiortc.RTCCertificate) -> None:
    """Have ready what takes a while: what each description says of it, and what each handshake begins with."""
    fingerprints = certificate.getFingerprints()
    context = certificate._create_ssl_context(rtcdtlstransport.SRTP_PROFILES)
    certificate.getFingerprints = lambda: fingerprints  # type: ignore[method-assign]
    certificate._create_ssl_context = lambda srtp_profiles: context  # type: ignore[method-assign]


async def _stop(transport: aiortc.RTCDtlsTransport) -> None:
    await transport.stop()
    await transport.transport.stop()


def move(carrier: Carrier, transport: aiortc.RTCDtlsTransport) -> None:
    """Let *carrier* use *transport*."""
    if isinstance(carrier, aiortc.RTCSctpTransport):
        carrier.setTransport(transport)
    else:
        carrier.receiver.setTransport(transport)
        carrier.sender.setTransport(transport)
