"""What aiortc makes for a connection, and what is done otherwise there.

aiortc makes its own, and knows no other way: these become what it has made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import aiortc
from aiortc import mediastreams, rtcrtpreceiver, rtp

from peer._association import ABORT, CLOSED_BY_USER, ERROR, INIT, SHUTDOWN_COMPLETE, ended_by, unanswered
from peer._data_channel import RTCDataChannel, tell
from peer._errors import RTCError
from peer._ice_transport import RTCIceTransport
from peer._transceiver import Sender
from peer._upstream import require

logger = logging.getLogger(__name__)

# Not underscored, but in modules that aiortc does not document.
_UNLISTED = {
    mediastreams: ("MediaStreamError",),
    rtcrtpreceiver: ("RemoteStreamTrack",),
    rtp: ("AnyRtcpPacket", "RtcpByePacket"),
}
require("aiortc", _UNLISTED)
require(
    "aiortc",
    {
        aiortc.RTCDataChannel: ("_setId", "_setReadyState"),
        aiortc.RTCDtlsTransport: (
            "_register_rtp_receiver",
            "_register_rtp_sender",
            "_setup_srtp",
            "_ssl",
            "_tx_srtp",
        ),
        aiortc.RTCRtpReceiver: ("_RTCRtpReceiver__started", "_handle_rtcp_packet", "_track"),
        rtcrtpreceiver.RemoteStreamTrack: ("_queue",),
        aiortc.RTCRtpSender: ("_next_encoded_frame",),
        aiortc.RTCSctpTransport: (
            "_receive_chunk",
            "_remote_verification_tag",
            "_send_chunk",
            "_set_state",
            "State",
        ),
    },
)


NO_TRACK = 0.02  # seconds between two looks for a track, as in aiortc


class _NoSession:
    """What protects packets where there is no SRTP: none can be sent."""

    def protect(self, packet: bytes) -> bytes:
        raise ConnectionError("the other side does not know SRTP")

    protect_rtcp = protect


class DtlsTransport(aiortc.RTCDtlsTransport):
    """A DTLS transport that knows its ICE transport, and needs no SRTP for data channels.

    aiortc sets SRTP up after each handshake, which takes a while, and fails where the other side does not know it. Here
    that is done when a sender or receiver begins, and where it is not known no media flows.
    """

    iceTransport: RTCIceTransport  # webrtc-pc 5.5.1; always the same

    def getLocalParameters(self) -> aiortc.RTCDtlsParameters:
        """What descriptions say of it: one fingerprint, as in browsers. The other side would verify all it gets."""
        parameters = super().getLocalParameters()
        parameters.fingerprints = [each for each in parameters.fingerprints if each.algorithm == "sha-256"]
        return parameters

    def _setup_srtp(self) -> None:
        """Do nothing: aiortc calls this after every handshake."""

    def _register_rtp_sender(self, *args: Any) -> None:
        self._need_srtp()
        super()._register_rtp_sender(*args)

    def _register_rtp_receiver(self, *args: Any) -> None:
        self._need_srtp()
        super()._register_rtp_receiver(*args)

    def _need_srtp(self) -> None:
        """Set SRTP up, unless it is."""
        if self._tx_srtp is not None:
            return
        if self._ssl.get_selected_srtp_profile():
            super()._setup_srtp()
        else:
            logger.warning("The other side does not know SRTP: no media is sent or received")
            self._tx_srtp = _NoSession()


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

    def begin(self, ended: Callable[[RTCError | None], None]) -> None:
        """Call *ended* at its end."""
        self._failure, self.ended = unanswered(), ended

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


class LastingSender(Sender):
    """A sender that outlasts its track: another one may replace it, before or after its end (webrtc-pc 5.2).

    aiortc's ends for good with the track that it waits for, and ends the one that has replaced that, too.
    """

    async def _next_encoded_frame(self, codec: aiortc.RTCRtpCodecParameters) -> Any:
        try:
            return await super()._next_encoded_frame(codec)
        except mediastreams.MediaStreamError:
            await asyncio.sleep(NO_TRACK)
            return None  # there is none to send now


class Receiver(aiortc.RTCRtpReceiver):
    """A receiver for which a BYE is not the end: who says it may send again (webrtc-pc 9.3).

    A track ends with its transceiver, or with its transport.
    """

    transport: DtlsTransport

    async def stop(self) -> None:
        """Stop for good, and end the track. aiortc does not end one that nothing could ever be received for."""
        await super().stop()
        track = self._track
        if track is not None and not self._RTCRtpReceiver__started:  # type: ignore[attr-defined]
            track._queue.put_nowait(None)  # for who waits there
            track.stop()

    async def _handle_rtcp_packet(self, packet: rtp.AnyRtcpPacket) -> None:
        if not isinstance(packet, rtp.RtcpByePacket):
            await super()._handle_rtcp_packet(packet)
