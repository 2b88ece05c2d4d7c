"""Descriptions: made, handed over, held back and taken back.

A description is applied in the turn in which it is handed over. aiortc's coroutines wait in the middle, but for nothing
that they need: see at_once().
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiortc
from aiortc import codecs as codec_tables
from aiortc import rtcpeerconnection, sdp

from peer._agent import Agent
from peer._data_channel import RTCDataChannel
from peer._numbers import Numbers, identifiers, number_codecs, number_extensions, payload_types
from peer._tasks import TaskQueue
from peer._transceiver import Sender, Transceiver
from peer._upstream import require

from ._carriers import Carrier, CarryingConnection, move, transport_of
from ._turns import at_once, now

# Not underscored, but in modules that aiortc does not document.
_UNLISTED = {codec_tables: ("CODECS",), rtcpeerconnection: ("filter_preferred_codecs", "find_common_codecs")}
require("aiortc", _UNLISTED)
require(
    "aiortc",
    {
        aiortc.RTCPeerConnection: (
            "_RTCPeerConnection__createDtlsTransport",
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
        aiortc.RTCSctpTransport: ("mid",),
    },
)


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


class Engine(CarryingConnection):
    """A connection of which the local offer can be held back, and offers be taken back."""

    __slots__ = ("_last_read", "_made", "_offered", "_stable")

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
        super().__init__(
            make_agent,
            bundle_policy=bundle_policy,
            certificates=certificates,
            tasks=tasks,
            dtls_changed=dtls_changed,
            channel_opened=channel_opened,
            transceiver_changed=transceiver_changed,
        )
        self._stable: _Moment | None = None  # when there was no pending offer; None while there is none
        self._made: list[Carrier] = []  # what was made for the pending offer; emptied with it
        self._offered: list[Carrier] = []  # what carries the m-lines of the offer that was created last
        self._last_read: tuple[str, sdp.SessionDescription] | None = None  # a remote one; None when it was applied

    def create_offer(self) -> str:
        """The text of an offer."""
        negotiated = {t: (t._codecs, t._headerExtensions) for t in self.getTransceivers()}
        for transceiver in negotiated:
            if transceiver.mid is None:  # one that was stopped would keep the m-line of an offer that was never set
                transceiver._set_mline_index(None)  # type: ignore[arg-type]
        live = [carrier for carrier in self._carriers if not getattr(carrier, "stopped", False)]
        self._leave([c for c in live if c.mid is not None], [c for c in live if c.mid is None])
        text = now(super().createOffer()).sdp
        if not negotiated:  # there are no numbers to choose
            self._offered = self._carriers
            return text
        offer = sdp.SessionDescription.parse(text)
        types: Numbers = {}
        extensions: Numbers = {}
        for transceiver, (codecs, headers) in negotiated.items():
            transceiver._codecs, transceiver._headerExtensions = codecs, headers  # aiortc goes by those it would like
            types = payload_types(codecs) | types
            extensions = identifiers(headers) | extensions
        carriers = self._offered = self._described(offer)
        agents = [self._agents[transport_of(carrier)] for carrier in carriers]
        going_on = [agent for agent, carrier in zip(agents, carriers, strict=True) if carrier in live]
        known = next((agent for agent in going_on if agent.negotiated), None)
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
            preferred = rtcpeerconnection.filter_preferred_codecs(codecs, transceiver._preferred_codecs)
            transceiver._codecs = preferred or codecs
        try:
            return now(super().createAnswer()).sdp
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
                first.setdefault(transport_of(carrier), index)
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
        at_once(super().setLocalDescription(aiortc.RTCSessionDescription(text, type)))
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
            at_once(super().setRemoteDescription(aiortc.RTCSessionDescription(text, type)))
        finally:
            self._last_read = None
            for transceiver, codecs in preferred.items():
                transceiver._preferred_codecs = codecs
            transceivers.sort(key=lambda transceiver: order.get(transceiver, len(order)))
            self._configuration.bundlePolicy = self._bundle_policy
        if type == "offer":
            self._made += [carrier for carrier in self._carriers if carrier not in before.lines]
            known = [carrier for carrier, line in before.lines.items() if line.mid is not None]
            staying = [carrier for carrier in known if carrier.mid not in unused]
            self._leave(staying, [carrier for carrier in self._carriers if carrier not in known])
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
        left = {transport_of(carrier) for carrier in described if carrier.mid is None}
        for carrier in self._made:
            self._remove(carrier)
        self._stable, self._made = None, []
        left -= {transport_of(carrier) for carrier in self._carriers if carrier.mid is not None}
        self._renew([carrier for carrier in self._carriers if transport_of(carrier) in left])
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
            if carrier.mid is None and transport_of(carrier) in taken:
                move(carrier, self._RTCPeerConnection__createDtlsTransport())
            taken.add(transport_of(carrier))

    def _leave(self, staying: Collection[Carrier], new: Collection[Carrier]) -> None:
        """Give what is *new* in an offer another transport, unless some that use its transport are *staying*.

        For browsers, a transport ends with the last m-line that uses it, though another one comes with the same offer.
        """
        used = {transport_of(carrier) for carrier in staying}
        self._renew([c for c in new if transport_of(c).state != "new" and transport_of(c) not in used])

    def _renew(self, carriers: Collection[Carrier]) -> None:
        """Let these use new transports. Those that have shared one share the next."""
        fresh: dict[aiortc.RTCDtlsTransport, aiortc.RTCDtlsTransport] = {}
        for carrier in carriers:
            old = transport_of(carrier)
            fresh[old] = fresh.get(old) or self._RTCPeerConnection__createDtlsTransport()
            move(carrier, fresh[old])

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
        shared = next((t for t in map(transport_of, bundled) if t.state != "new"), transport_of(bundled[0]))
        # Those that carry something already end where they are.
        dropped = [by_mid[mid] for mid in unused if mid in by_mid and transport_of(by_mid[mid]).state == "new"]
        left = dict.fromkeys(transport_of(c) for c in (*bundled, *dropped))
        for carrier in carriers:
            if carrier in bundled or carrier in dropped or (carrier.mid is None and transport_of(carrier) in left):
                move(carrier, shared)
        self._stop_unused()

    def addTrack(self, track: aiortc.MediaStreamTrack, streams: tuple[str, ...] = ()) -> Sender:
        """Send *track*, which is in *streams*.

        Remember the transceiver that does, if it has no m-line or need not have kept it.
        """
        transceivers = self.getTransceivers()
        known = [transceiver for transceiver in transceivers if transceiver not in self._made]
        # aiortc may take one that is stopped, or one that has sent already (webrtc-pc 5.1).
        unfit = [transceiver for transceiver in transceivers if transceiver.stopped or transceiver.has_sent]
        with self._hiding(unfit):
            sender = super().addTrack(track)
        assert isinstance(sender, Sender)
        sender.stream_ids = streams
        for transceiver in self.getTransceivers():
            if transceiver.sender is sender and transceiver not in known:
                transceiver.of_track = True
        return sender


def _understands(media: sdp.MediaDescription, preferred: list[aiortc.RTCRtpCodecCapability]) -> bool:
    """Whether aiortc knows a codec of the m-line that is among the *preferred* ones, if there are such."""
    if media.kind == "application":
        return True
    known = rtcpeerconnection.find_common_codecs(codec_tables.CODECS[media.kind], media.rtp.codecs)
    return bool(rtcpeerconnection.filter_preferred_codecs(known, preferred))
