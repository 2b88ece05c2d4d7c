"""The seam to aiortc: the engine that does DTLS, SRTP and SCTP. The only module that knows aiortc's private names.

aiortc's connection believes that it owns its ICE. :class:`Engine` is that connection with our agents in place of
aioice's connections, in the one method through which all transports are made, and with a local offer that can be held
back: aiortc cannot take back a description, and needs a local offer no sooner than its answer.

A description is applied in the turn in which it is handed over. aiortc's coroutines wait in the middle, but for nothing
that they need: see _at_once(). What has to end, such as a transport, ends behind that turn, in tasks of the engine.

The engine never calls user code, and no event of its own reaches users: it calls the functions it was made with. It is
given descriptions without candidates, and an empty list of ICE servers, for its default is a public STUN server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar
from weakref import ref

import aiortc
from aiortc import sdp
from aiortc.codecs import CODECS
from aiortc.rtcdtlstransport import SRTP_PROFILES
from aiortc.rtcpeerconnection import filter_preferred_codecs, find_common_codecs
from aiortc.rtp import AnyRtcpPacket, RtcpByePacket
from aiortc.stats import RTCTransportStats

from ._agent import Agent
from ._association import ABORT, CLOSED_BY_USER, ERROR, INIT, SHUTDOWN_COMPLETE, ended_by, unanswered
from ._data_channel import RTCDataChannel, announce, begin, end, lose, tell
from ._emitters import guard
from ._errors import RTCError
from ._ice_transport import RTCIceTransport
from ._negotiation import TransceiverState
from ._numbers import Numbers, identifiers, number_codecs, number_extensions, payload_types
from ._tasks import TaskQueue
from ._transceiver import RECEIVING, DtlsTransport, Sender, Transceiver
from ._upstream import require

T = TypeVar("T")
Carrier = Transceiver | aiortc.RTCSctpTransport  # what an m-line describes

require(
    "aiortc",
    {
        aiortc.RTCPeerConnection: (
            "_RTCPeerConnection__certificates",
            "_RTCPeerConnection__connect",
            "_RTCPeerConnection__createDtlsTransport",
            "_RTCPeerConnection__createSctpTransport",
            "_RTCPeerConnection__createTransceiver",
            "_RTCPeerConnection__currentLocalDescription",
            "_RTCPeerConnection__currentRemoteDescription",
            "_RTCPeerConnection__pendingLocalDescription",
            "_RTCPeerConnection__pendingRemoteDescription",
            "_RTCPeerConnection__remoteDtls",
            "_RTCPeerConnection__remoteIce",
            "_RTCPeerConnection__sctp",
            "_RTCPeerConnection__sctp_mline_index",
            "_RTCPeerConnection__seenMids",
            "_RTCPeerConnection__setSignalingState",
            "_RTCPeerConnection__transceivers",
            "_RTCPeerConnection__updateConnectionState",
        ),
        aiortc.RTCCertificate: ("_create_ssl_context",),
        aiortc.RTCDataChannel: ("_setId", "_setReadyState"),
        aiortc.RTCDtlsTransport: ("_get_stats",),
        aiortc.RTCIceGatherer: ("_connection",),
        aiortc.RTCIceTransport: ("_connection", "_recv", "_send"),
        aiortc.RTCRtpReceiver: ("_handle_rtcp_packet",),
        aiortc.RTCSctpTransport: (
            "_receive_chunk",
            "_remote_verification_tag",
            "_send_chunk",
            "_set_state",
            "State",
            "mid",
        ),
        aiortc.RTCRtpTransceiver: (
            "_codecs",
            "_get_mline_index",
            "_headerExtensions",
            "_offerDirection",
            "_preferred_codecs",
            "_setCurrentDirection",
            "_set_mid",
            "_set_mline_index",
        ),
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


@dataclass(frozen=True)
class _Line:
    """What descriptions say of a carrier."""

    mid: str | None = None
    index: int | None = None  # of its m-line
    codecs: list[Any] = field(default_factory=list)
    extensions: list[Any] = field(default_factory=list)
    offered: str | None = None  # the direction


@dataclass(frozen=True)
class _Moment:
    """What descriptions say of all carriers at one moment."""

    lines: dict[Carrier, _Line]
    remote_ice: dict[Carrier, Any]
    remote_dtls: dict[Carrier, Any]


class Channel(RTCDataChannel):
    """A channel that aiortc has made. It sets the state at any time; users see that in a task."""

    def _setId(self, id: int) -> None:
        super()._setId(id)
        # The association is there, and aiortc is about to ask the other side to open the channel. What is sent in order
        # comes after that, so it need not wait for the answer, which is a round trip away (RFC 8832, section 6).
        if self.ordered:
            tell(self, "open")

    def _setReadyState(self, state: str) -> None:
        tell(self, state)

    def _change(self, state: str) -> None:
        super()._setReadyState(state)


class Association(aiortc.RTCSctpTransport):
    """aiortc's SCTP transport, which tells that its association has *ended*, and with what error; aiortc does not."""

    transport: DtlsTransport
    ended: Callable[[RTCError | None], None]
    _failure: RTCError | None  # with what it has ended, if it ends now

    async def stop(self) -> None:
        """End the association, if there is one, which is no error."""
        self._failure = None
        await super().stop()

    def _receive_chunk(self, chunk: Any) -> Coroutine[Any, Any, None]:  # not async: this is done for every datagram
        received = super()._receive_chunk(chunk)
        return self._end(chunk, received) if chunk.type in (ABORT, ERROR, SHUTDOWN_COMPLETE) else received

    async def _end(self, chunk: Any, received: Coroutine[Any, Any, None]) -> None:
        """Let a chunk be *received* that may end the association, or not."""
        otherwise, self._failure = self._failure, ended_by(chunk.type, getattr(chunk, "params", ()))
        await received
        self._failure = otherwise

    def _send_chunk(self, chunk: Any) -> Coroutine[Any, Any, None]:
        if chunk.type == ABORT:
            chunk.params.append(CLOSED_BY_USER)
        sent = super()._send_chunk(chunk)
        return self._initiate(sent) if chunk.type == INIT else sent

    async def _initiate(self, sent: Coroutine[Any, Any, None]) -> None:
        """Let an INIT be *sent*, which has no verification tag (RFC 9260, section 8.5.1).

        aiortc gives it that of the remote side's INIT, if that came first. So it would be repeated in vain, and nothing
        would ever be set up where the answers to both are lost.
        """
        tag, self._remote_verification_tag = self._remote_verification_tag, 0
        await sent
        if self._remote_verification_tag == 0:
            self._remote_verification_tag = tag

    def _set_state(self, state: aiortc.RTCSctpTransport.State) -> None:
        if state == self.State.CLOSED:
            self.ended(self._failure)
        super()._set_state(state)


class Receiver(aiortc.RTCRtpReceiver):
    """A receiver for which a BYE is not the end: who says it may send again (webrtc-pc 9.3).

    A track ends with its transceiver, or with its transport.
    """

    transport: DtlsTransport

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if not isinstance(packet, RtcpByePacket):
            await super()._handle_rtcp_packet(packet)


class Engine(aiortc.RTCPeerConnection):
    """An aiortc connection over our agents."""

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
        "_last_read",
        "_made",
        "_make_agent",
        "_offered",
        "_stable",
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
        self._stable: _Moment | None = None  # when there was no pending offer; None while there is none
        self._made: list[Carrier] = []  # what was made for the pending offer; emptied with it
        self._ending: list[asyncio.Task[None]] = []  # what is being stopped
        self._offered: list[Carrier] = []  # what carries the m-lines of the offer that was created last
        self._last_read: tuple[str, sdp.SessionDescription] | None = None  # a remote one; None when it was applied
        self.stopped: list[Agent] = []  # those whose transports were stopped; grows
        self.on("datachannel", self._found_channel)

    # Descriptions

    def create_offer(self) -> str:
        """The text of an offer."""
        negotiated = {t: (t._codecs, t._headerExtensions) for t in self.getTransceivers()}
        offer = sdp.SessionDescription.parse(_now(super().createOffer()).sdp)
        types: Numbers = {}
        extensions: Numbers = {}
        for transceiver, (codecs, headers) in negotiated.items():
            transceiver._codecs, transceiver._headerExtensions = codecs, headers  # aiortc goes by those it would like
            types = payload_types(codecs) | types
            extensions = identifiers(headers) | extensions
        carriers = self._offered = self._described(offer)
        agents = [self._agents[_transport(carrier)] for carrier in carriers]
        known = next((agent for agent in agents if agent.negotiated), None)
        for media, carrier, agent in zip(offer.media, carriers, agents, strict=True):
            if agent.unheard_of and known is not None and media.ice is not None:
                # The others may have been restarted since it was made.
                media.ice.usernameFragment, media.ice.password = known.local_username, known.local_password
            codecs, headers = negotiated[carrier] if isinstance(carrier, Transceiver) else ([], [])
            number_codecs(media.rtp.codecs, payload_types(codecs), types)
            number_extensions(media.rtp.headerExtensions, identifiers(headers), extensions)
            if media.kind != "application":
                media.fmt = [codec.payloadType for codec in media.rtp.codecs]
        return str(offer)

    def create_answer(self) -> str:
        """The text of an answer. It has, of the codecs that were offered and that we know, those that users prefer."""
        offered = {t: t._codecs for t in self.getTransceivers()}
        for transceiver, codecs in offered.items():
            transceiver._codecs = filter_preferred_codecs(codecs, transceiver._preferred_codecs) or codecs
        try:
            return _now(super().createAnswer()).sdp
        finally:
            for transceiver, codecs in offered.items():
                transceiver._codecs = codecs

    def hold_offer(self, text: str) -> None:
        """Give m-lines their mids as the local offer *text* names them, and keep it for the next offer to build on.

        aiortc goes on believing that no offer was made, until :meth:`apply_local` hands it over with its answer.
        """
        self._stable = self._stable or self._moment()
        offer = sdp.SessionDescription.parse(text)
        offer.type = "offer"
        for index, (media, carrier) in enumerate(zip(offer.media, self._offered, strict=True)):
            self._RTCPeerConnection__seenMids.add(media.rtp.muxId)  # type: ignore[attr-defined]
            self._associate(carrier, media.rtp.muxId, index)
        self._RTCPeerConnection__pendingLocalDescription = offer

    def apart(self) -> set[int]:
        """Which m-lines of the offer that was created last have a transport that none before them has: indices."""
        first: dict[aiortc.RTCDtlsTransport, int] = {}
        for index, carrier in enumerate(self._offered):
            if not getattr(carrier, "stopped", False):
                first.setdefault(_transport(carrier), index)
        return set(first.values())

    def _described(self, offer: sdp.SessionDescription) -> list[Carrier]:
        """What carries the m-lines of an *offer* of ours, some of which need not have their mid yet."""
        by_index = {t._get_mline_index(): t for t in self.getTransceivers()}
        return [
            self.sctp if media.kind == "application" and self.sctp is not None else by_index[index]
            for index, media in enumerate(offer.media)
        ]

    def parses(self, text: str) -> bool:
        """Whether aiortc can read the remote description *text*; its parser asserts where it should answer."""
        try:
            self._read(text)
        except Exception:
            return False
        return True

    def lacking(self, type: str, text: str) -> set[str]:
        """The mids of the m-lines in a remote description that name no codec that we know; in an offer, and prefer."""
        description = self._read(text)
        pairs = zip(description.media, self._partners(description), strict=True)
        return {
            media.rtp.muxId
            for media, partner in pairs
            if not _understands(media, partner._preferred_codecs if partner and type == "offer" else [])
        }

    def _read(self, text: str) -> sdp.SessionDescription:
        """What aiortc reads in *text*; the same object when that was read last. It is only looked at."""
        if self._last_read is None or self._last_read[0] != text:
            self._last_read = text, sdp.SessionDescription.parse(text)
        return self._last_read[1]

    def apply_local(self, type: str, text: str) -> None:
        """Hand over the local description *text*, which has no candidates."""
        left_out = [t for t in self.getTransceivers() if type == "answer" and t.mid is None]
        for transceiver in left_out:  # the remote side has not offered it; aiortc would raise
            transceiver._offerDirection = "inactive"
        _at_once(super().setLocalDescription(aiortc.RTCSessionDescription(text, type)))
        if type == "answer":  # aiortc goes by what we want now, and by all that was offered
            for media in self._RTCPeerConnection__currentLocalDescription.media:
                for transceiver in self.getTransceivers():
                    if transceiver.mid == media.rtp.muxId:
                        transceiver._setCurrentDirection(media.direction or "sendrecv")
                        offered = {codec.payloadType: codec for codec in transceiver._codecs}
                        transceiver._codecs = [offered[number] for number in media.fmt if number in offered]
            for transceiver in left_out:
                transceiver._setCurrentDirection(None)  # type: ignore[arg-type]
            self._conclude()

    def apply_remote(self, type: str, text: str, bundle: Sequence[str], unused: Collection[str]) -> None:
        """Hand over the remote description *text*, which has no candidates and no groups.

        The m-lines *bundle* are to share a transport; the *unused* ones need none.
        """
        before = self._moment()
        transceivers: list[Transceiver] = self._RTCPeerConnection__transceivers  # type: ignore[attr-defined]
        order: dict[Transceiver, int] = {}
        preferred: dict[Transceiver, list[aiortc.RTCRtpCodecCapability]] = {}
        try:
            if type == "offer":
                self._stable = self._stable or before
                self._expect(text, {*bundle, *unused})
            order.update((transceiver, number) for number, transceiver in enumerate(transceivers))
            transceivers.sort(key=lambda transceiver: transceiver.mid is None)  # aiortc may take one without a mid
            preferred.update((transceiver, transceiver._preferred_codecs) for transceiver in transceivers)
            for transceiver in transceivers:  # what users prefer counts when we create descriptions
                transceiver._preferred_codecs = []
            _at_once(super().setRemoteDescription(aiortc.RTCSessionDescription(text, type)))
        finally:
            self._last_read = None
            for transceiver, codecs in preferred.items():
                transceiver._preferred_codecs = codecs
            transceivers.sort(key=lambda transceiver: order.get(transceiver, len(order)))
            self._configuration.bundlePolicy = self._bundle_policy
        if type == "offer":
            self._made += [carrier for carrier in self._carriers if carrier not in before.lines]
        else:
            self._conclude()
        self._share(self.together(bundle), unused)

    def _conclude(self) -> None:
        """Make the offer current that was answered: aiortc leaves it pending, where it would be taken back."""
        if self._RTCPeerConnection__pendingLocalDescription is not None:
            self._RTCPeerConnection__currentLocalDescription = self._RTCPeerConnection__pendingLocalDescription
            self._RTCPeerConnection__pendingLocalDescription = None  # type: ignore[assignment]
        if self._RTCPeerConnection__pendingRemoteDescription is not None:  # type: ignore[has-type]
            self._RTCPeerConnection__currentRemoteDescription = self._RTCPeerConnection__pendingRemoteDescription  # type: ignore[has-type]
            self._RTCPeerConnection__pendingRemoteDescription = None
        self._stable, self._made = None, []
        for transceiver in self.getTransceivers():
            if transceiver.currentDirection in ("sendrecv", "sendonly"):
                transceiver.has_sent = True

    def take_back(self) -> None:
        """Forget the pending offer, ours or theirs: its new m-lines, and what was made for them.

        What has no m-line any more gets a transport of its own again, of which nobody has heard.
        """
        assert self._stable is not None
        if self.signalingState == "have-remote-offer":
            self._RTCPeerConnection__setSignalingState("stable")  # type: ignore[attr-defined]
        self._RTCPeerConnection__pendingLocalDescription = None  # type: ignore[assignment]
        self._RTCPeerConnection__pendingRemoteDescription = None
        self._RTCPeerConnection__remoteIce = dict(self._stable.remote_ice)
        self._RTCPeerConnection__remoteDtls = dict(self._stable.remote_dtls)
        described = {carrier for carrier in self._carriers if carrier.mid is not None}
        for carrier in self._carriers:
            self._restore(carrier, self._stable.lines.get(carrier, _Line()))
        left = {_transport(carrier) for carrier in described if carrier.mid is None}
        for carrier in self._made:
            self._remove(carrier)
        self._stable, self._made = None, []
        used = {_transport(carrier) for carrier in self._carriers if carrier.mid is not None}
        fresh: dict[aiortc.RTCDtlsTransport, aiortc.RTCDtlsTransport] = {}
        for carrier in self._carriers:
            old = _transport(carrier)
            if old in left - used:
                fresh[old] = fresh.get(old) or self._RTCPeerConnection__createDtlsTransport()
                _move(carrier, fresh[old])
        self._stop_unused()

    def _moment(self) -> _Moment:
        lines: dict[Carrier, _Line] = {}
        for carrier in self._carriers:
            if isinstance(carrier, aiortc.RTCSctpTransport):
                lines[carrier] = _Line(carrier.mid, self._RTCPeerConnection__sctp_mline_index)
            else:
                line = carrier._codecs, carrier._headerExtensions, carrier._offerDirection
                lines[carrier] = _Line(carrier.mid, carrier._get_mline_index(), *line)
        return _Moment(lines, dict(self._RTCPeerConnection__remoteIce), dict(self._RTCPeerConnection__remoteDtls))

    def _restore(self, carrier: Carrier, line: _Line) -> None:
        self._associate(carrier, line.mid, line.index)
        if isinstance(carrier, aiortc.RTCRtpTransceiver):
            carrier._codecs, carrier._headerExtensions = line.codecs, line.extensions
            carrier._offerDirection = line.offered

    def _associate(self, carrier: Carrier, mid: str | None, index: int | None) -> None:
        if isinstance(carrier, aiortc.RTCSctpTransport):
            carrier.mid, self._RTCPeerConnection__sctp_mline_index = mid, index
        else:
            carrier._set_mid(mid)  # type: ignore[arg-type]
            carrier._set_mline_index(index)  # type: ignore[arg-type]

    def _remove(self, carrier: Carrier) -> None:
        """Remove what was made for an m-line that was taken back, unless our user has a use for it by now."""
        if isinstance(carrier, aiortc.RTCSctpTransport):
            if not self.created_channels:
                self._end(carrier.stop())
                self._RTCPeerConnection__sctp = None
        elif not carrier.of_track:
            carrier.stop()
            self._RTCPeerConnection__transceivers.remove(carrier)  # type: ignore[attr-defined]

    def _expect(self, text: str, grouped: Collection[str]) -> None:
        """Prepare for the remote offer *text*, of whose m-lines only the *grouped* ones may share a transport."""
        offer = self._read(text)
        if any(media.rtp.muxId not in grouped for media in offer.media):
            self._configuration.bundlePolicy = aiortc.RTCBundlePolicy.MAX_COMPAT
            self._part()
        for transceiver in self.getTransceivers():
            if transceiver.mid is None:
                transceiver._set_mline_index(-1)  # it may have been given one for an offer that was never set
        for index, (media, partner) in enumerate(zip(offer.media, self._partners(offer), strict=True)):
            for carrier, line in self._moment().lines.items():
                if line.index == index and line.mid not in (None, media.rtp.muxId):
                    self._associate(carrier, None, None)  # it was rejected, and its m-line is put to another use
            if media.kind in ("audio", "video"):
                if partner is None:
                    partner = self._RTCPeerConnection__createTransceiver(direction="recvonly", kind=media.kind)
                if partner.mid is None:
                    self._associate(partner, media.rtp.muxId, index)

    def _partners(self, description: sdp.SessionDescription) -> list[Transceiver | None]:
        """The transceivers for the m-lines of a remote description; None where there is none (RFC 9429, section 5.10).

        aiortc takes any that has no m-line. It is to be one that addTrack() made, if the remote side wants to receive.
        """
        transceivers = self.getTransceivers()
        waiting = [t for t in transceivers if t.mid is None and t.of_track and not t.stopped]
        partners: list[Transceiver | None] = []
        for media in description.media:
            partner = next((t for t in transceivers if (t.kind, t.mid) == (media.kind, media.rtp.muxId)), None)
            if partner is None and media.direction in (None, "sendrecv", "recvonly"):
                partner = next((t for t in waiting if t.kind == media.kind), None)
                waiting = [transceiver for transceiver in waiting if transceiver is not partner]
            partners.append(partner)
        return partners

    def _part(self) -> None:
        """Give whatever has no m-line yet a transport of its own: the remote side does not bundle all it offers."""
        taken = set()
        for carrier in sorted(self._carriers, key=lambda carrier: carrier.mid is None):
            if carrier.mid is None and _transport(carrier) in taken:
                _move(carrier, self._RTCPeerConnection__createDtlsTransport())
            taken.add(_transport(carrier))

    def together(self, mids: Sequence[str]) -> list[str]:
        """Those of the *mids* that can share a transport: the one that is in use, else that of the first.

        aiortc cannot move what a transport carries already. So where m-lines were negotiated apart, they stay apart.
        """
        media = self.media()
        known = [media[mid] for mid in mids if mid in media]
        agent = next((m.agent for m in known if m.dtls_state != "new"), None)
        return [m for m in mids if m not in media or media[m].dtls_state == "new" or media[m].agent is agent]

    def _share(self, mids: Sequence[str], unused: Collection[str]) -> None:
        """Let all these m-lines use one transport; stop those that nobody uses any more.

        Who has no m-line yet, and shares a transport with one that leaves it, goes along.
        """
        carriers = self._carriers
        by_mid = {carrier.mid: carrier for carrier in carriers if carrier.mid is not None}
        bundled = [by_mid[mid] for mid in mids if mid in by_mid]
        if not bundled:
            return
        shared = next((t for t in map(_transport, bundled) if t.state != "new"), _transport(bundled[0]))
        dropped = [by_mid[mid] for mid in unused if mid in by_mid]
        left = dict.fromkeys(_transport(c) for c in (*bundled, *dropped))
        for carrier in carriers:
            if carrier in bundled or carrier in dropped or (carrier.mid is None and _transport(carrier) in left):
                _move(carrier, shared)
        self._stop_unused()

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
        self._forget_closed()

    def _stop_unused(self, rejected: Collection[str] = ()) -> None:
        """Stop the transports that nobody uses, whose m-line was not *rejected*."""
        left = [carrier for carrier in self._carriers if not getattr(carrier, "gone", False)]
        used = {_transport(carrier) for carrier in left if carrier.mid is None or carrier.mid not in rejected}
        for transport in self._agents.keys() - used:
            if not self._is_closed(transport):
                self.stopped.append(self._agents[transport])
                self._end(_stop(transport))

    def _end(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something end behind this turn."""
        task = asyncio.get_running_loop().create_task(work)
        self._ending.append(task)
        task.add_done_callback(self._ending.remove)

    def _forget_closed(self) -> None:
        """Keep aiortc from starting transports that were stopped, in which it would fail, and start no others."""
        for carrier in self._carriers:
            if self._is_closed(_transport(carrier)):
                self._RTCPeerConnection__remoteIce.pop(carrier, None)

    def _is_closed(self, transport: aiortc.RTCDtlsTransport) -> bool:
        return self._agents[transport] in self.stopped

    @property
    def transceivers(self) -> list[Transceiver]:
        """Those that users see. aiortc needs the others for its m-lines."""
        return [transceiver for transceiver in self.getTransceivers() if not transceiver.gone]

    # Transports

    def media(self) -> dict[str, Media]:
        """The m-lines that have a mid, by mid."""
        found: list[tuple[str | None, aiortc.RTCDtlsTransport, bool]]
        found = [(t.mid, t.receiver.transport, t.stopped) for t in self.getTransceivers()]
        if self.sctp is not None:
            found.append((self.sctp.mid, self.sctp.transport, False))
        return {
            mid: Media(mid, self._agents[dtls], dtls, self._is_closed(dtls), stopped)
            for mid, dtls, stopped in found
            if mid is not None
        }

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
        used = [t.receiver.transport for t in self.getTransceivers()] + ([self.sctp.transport] if self.sctp else [])
        return [(self._agents[dtls], stats) for dtls in dict.fromkeys(used) for stats in dtls._get_stats().values()]

    def addTrack(self, track: aiortc.MediaStreamTrack, streams: tuple[str, ...] = ()) -> Sender:
        """Send *track*, which is in *streams*.

        Remember the transceiver that does, if it has no m-line or need not have kept it.
        """
        transceivers = self.getTransceivers()
        known = [transceiver for transceiver in transceivers if transceiver not in self._made]
        # aiortc may take one that is stopped, or one that has sent already (webrtc-pc 5.1).
        unfit = [transceiver for transceiver in transceivers if transceiver.stopped or transceiver.has_sent]
        for transceiver in unfit:
            self._RTCPeerConnection__transceivers.remove(transceiver)  # type: ignore[attr-defined]
        try:
            sender = super().addTrack(track)
        finally:
            added = [transceiver for transceiver in self.getTransceivers() if transceiver not in transceivers]
            self._RTCPeerConnection__transceivers[:] = [*transceivers, *added]  # type: ignore[attr-defined]
        assert isinstance(sender, Sender)
        sender.stream_ids = streams
        for transceiver in self.getTransceivers():
            if transceiver.sender is sender and transceiver not in known:
                transceiver.of_track = True
        return sender

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
        super()._RTCPeerConnection__createSctpTransport()  # type: ignore[misc]
        made: Any = self.sctp
        made.__class__ = Association  # aiortc makes its own, and knows no other way
        made._failure, made.ended = unanswered(), self._association_ended

    def _RTCPeerConnection__createTransceiver(self, **options: Any) -> Transceiver:
        made = super()._RTCPeerConnection__createTransceiver(**options)  # type: ignore[misc]
        # aiortc makes its own, and knows no other way.
        made.__class__, made.sender.__class__, made.receiver.__class__ = Transceiver, Sender, Receiver
        transceiver: Transceiver = made
        sender = transceiver.sender
        transceiver.changed = sender.changed = self._transceiver_changed
        transceiver.behind = self._end
        sender.tasks, sender.stream_ids = self._tasks, ()
        if self._is_closed(_transport(transceiver)):  # aiortc lets it share one whose m-lines were all rejected
            _move(transceiver, self._RTCPeerConnection__createDtlsTransport())
        return transceiver

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
            _now(self.sctp.stop())  # the association has nobody left to tell
        if dtls.state == "connected":  # aiortc lets pass what was negotiated during the handshake
            task = asyncio.ensure_future(self._RTCPeerConnection__connect())
            self._connecting[task] = None
            task.add_done_callback(self._left)

    async def _RTCPeerConnection__connect(self) -> None:
        """Start the transports; aiortc runs this as a task of its own after each description."""
        task = asyncio.current_task()
        assert task is not None
        self._connecting[task] = None
        self._forget_closed()
        try:
            await super()._RTCPeerConnection__connect()  # type: ignore[misc]
        except KeyError:
            pass  # an SCTP transport that was taken back while its transport was started
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a transport could not be started", "exception": error}
            )
        finally:
            self._left(task)

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


def _understands(media: sdp.MediaDescription, preferred: list[aiortc.RTCRtpCodecCapability]) -> bool:
    """Whether aiortc knows a codec of the m-line that is among the *preferred* ones, if there are such."""
    if media.kind == "application":
        return True
    known = find_common_codecs(CODECS[media.kind], media.rtp.codecs)
    return bool(filter_preferred_codecs(known, preferred))


def _transport(carrier: Carrier) -> aiortc.RTCDtlsTransport:
    return carrier.transport if isinstance(carrier, aiortc.RTCSctpTransport) else carrier.receiver.transport


def _prepare(certificate: aiortc.RTCCertificate) -> None:
    """Have ready what takes a while: what each description says of it, and what each handshake begins with."""
    fingerprints, context = certificate.getFingerprints(), certificate._create_ssl_context(SRTP_PROFILES)
    certificate.getFingerprints = lambda: fingerprints  # type: ignore[method-assign]
    certificate._create_ssl_context = lambda srtp_profiles: context  # type: ignore[method-assign]


async def _stop(transport: aiortc.RTCDtlsTransport) -> None:
    await transport.stop()
    await transport.transport.stop()


def _move(carrier: Carrier, transport: aiortc.RTCDtlsTransport) -> None:
    if isinstance(carrier, aiortc.RTCSctpTransport):
        carrier.setTransport(transport)
    else:
        carrier.receiver.setTransport(transport)
        carrier.sender.setTransport(transport)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run in this turn a coroutine of aiortc's that waits only for tasks that it has no use for.

    They gather candidates and add remote ones, in one asyncio.gather() each. Our agents do neither when aiortc says so:
    the tasks do nothing, a turn later.
    """
    try:
        while True:
            coroutine.send(None).set_result([])
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of aiortc's that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("aiortc waits where it did not wait before; this version of it is not supported")
