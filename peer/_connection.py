"""RTCPeerConnection: what users see (webrtc-pc 4.4.2). What it does is in _session.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import aiortc
import aiortc.sdp

from . import _remote
from ._candidate import RTCIceCandidate
from ._channel import channel_options, check_channel, utf8
from ._configuration import configuration
from ._data_channel import RTCDataChannel
from ._description import Description, RTCSessionDescription, description_init
from ._errors import ArgumentTypeError, InvalidAccessError, InvalidStateError, NotSupportedError, translated
from ._events import EventTarget, event_handler
from ._hiding import Names
from ._media_stream import MediaStream, stream_ids
from ._promise import Promise, promised, rejected, resolved
from ._session import Session
from ._timing import timing
from ._transceiver import Sender, Transceiver
from ._transports import Transports
from ._webidl import members as _members

if TYPE_CHECKING:
    from ._aiortc import Association, Receiver

T = TypeVar("T")

_TRANSCEIVER_MEMBERS = ("direction", "sendEncodings", "streams")


class RTCPeerConnection(EventTarget):
    """A connection to another peer, as a browser has it (webrtc-pc 4.4).

    *configuration* is the browser's dictionary, an :class:`RTCConfiguration`, or nothing; its members can also be given
    as keywords. There is no default ICE server. Raises an error named SyntaxError for a URL that is none,
    NotSupportedError for one that cannot be used, InvalidAccessError for a TURN server without credentials and for a
    certificate that has expired, and TypeError for what is no configuration.

    With *hide_host_addresses*, which is not the W3C's, signalling does not tell the addresses of this host, as it does
    not tell those of a browser's users (draft-ietf-mmusic-mdns-ice-candidates): host candidates carry names that end in
    .local, other ones for each connection, and only those on the same link can look them up, by mDNS, until the
    connection is closed. Others need candidates of servers. Where there can be no mDNS, host candidates are used, but
    not announced. Whom we connect to learns the address that it gets packets from.

    With *server_timeout*, which is not the W3C's either, STUN and TURN servers have so many seconds to answer, in place
    of 5: gathering is complete no later. Raises ValueError unless it is more than 0.

    createOffer, createAnswer, setLocalDescription, setRemoteDescription and addIceCandidate take their turn on the
    operations chain when they are called, whether or not what they return is awaited. It can be awaited more than once,
    and a failure that nobody awaits is reported to the loop's exception handler. When the connection is closed while a
    call is under way, who awaits it is cancelled: in a browser the code behind that await never runs either.

    You must close() a connection; until then it has sockets and tasks.
    """

    onconnectionstatechange = event_handler("connectionstatechange")
    ondatachannel = event_handler("datachannel")
    onicecandidate = event_handler("icecandidate")
    onicecandidateerror = event_handler("icecandidateerror")
    oniceconnectionstatechange = event_handler("iceconnectionstatechange")
    onicegatheringstatechange = event_handler("icegatheringstatechange")
    onnegotiationneeded = event_handler("negotiationneeded")
    onsignalingstatechange = event_handler("signalingstatechange")
    ontrack = event_handler("track")

    def __init__(
        self,
        configuration: Any = None,
        *,
        hide_host_addresses: bool = False,
        server_timeout: float | None = None,
        **members: Any,
    ) -> None:
        super().__init__()
        names = Names() if hide_host_addresses else None
        self._session = Session(
            _configuration(configuration, **members), names, timing(servers=server_timeout), self._fire
        )
        # One queue for each ice_candidates() under way; None ends it.
        self._iterations: list[asyncio.Queue[RTCIceCandidate | None]] = []

    # States

    @property
    def connectionState(self) -> str:
        """new, connecting, connected, disconnected, failed or closed (webrtc-pc 4.3.3).

        Fires connectionstatechange when it changes, except to closed.
        """
        return self._session.transports.connection_state

    @property
    def iceConnectionState(self) -> str:
        """new, checking, connected, disconnected, failed or closed (webrtc-pc 4.3.4); completed is never entered.

        Fires iceconnectionstatechange when it changes, except to closed.
        """
        return self._session.transports.ice_connection_state

    @property
    def iceGatheringState(self) -> str:
        """new, gathering or complete (webrtc-pc 4.3.2). Fires icegatheringstatechange when it changes."""
        return self._session.transports.gathering.state

    @property
    def signalingState(self) -> str:
        """stable, have-local-offer, have-remote-offer, have-local-pranswer, have-remote-pranswer or closed.

        See webrtc-pc 4.3.1.

        Fires signalingstatechange when it changes, except to closed.
        """
        return self._session.signaling_state

    @property
    def canTrickleIceCandidates(self) -> bool | None:
        """Whether the remote side takes candidates one by one; None without a remote description (webrtc-pc 4.4.2)."""
        remote = self._session.pending_remote or self._session.current_remote
        return remote.trickle if remote else None

    # Configuration

    def getConfiguration(self) -> dict[str, Any]:
        """The configuration, as the W3C's dictionary with all members (webrtc-pc 4.4.2)."""
        return self._session.transports.configuration.to_dict()

    def setConfiguration(self, configuration: Any = None, /, **members: Any) -> None:
        """Change the ICE servers or the transport policy, for all gathering that begins later (webrtc-pc 4.4.2).

        What is not given takes its default. Raises InvalidStateError once closed, InvalidModificationError for a change
        of bundlePolicy, rtcpMuxPolicy or certificates, or, after setLocalDescription, of iceCandidatePoolSize, and what
        the constructor raises.
        """
        self._assert_open()
        self._session.set_configuration(configuration, **members)

    # Descriptions

    @property
    def localDescription(self) -> RTCSessionDescription | None:
        """The pending local description, else the current one, with the candidates found so far (webrtc-pc 4.4.2)."""
        return self.pendingLocalDescription or self.currentLocalDescription

    @property
    def currentLocalDescription(self) -> RTCSessionDescription | None:
        """The local description of the last complete negotiation, with the candidates found since (webrtc-pc 4.4.2)."""
        return _value(self._session.current_local)

    @property
    def pendingLocalDescription(self) -> RTCSessionDescription | None:
        """The local description of a negotiation under way, with the candidates found since (webrtc-pc 4.4.2)."""
        return _value(self._session.pending_local)

    @property
    def remoteDescription(self) -> RTCSessionDescription | None:
        """The pending remote description, else the current one, with the candidates added so far (webrtc-pc 4.4.2)."""
        return self.pendingRemoteDescription or self.currentRemoteDescription

    @property
    def currentRemoteDescription(self) -> RTCSessionDescription | None:
        """The remote description of the last complete negotiation, with candidates added since (webrtc-pc 4.4.2)."""
        return _value(self._session.current_remote)

    @property
    def pendingRemoteDescription(self) -> RTCSessionDescription | None:
        """The remote description of a negotiation under way, with the candidates added since (webrtc-pc 4.4.2)."""
        return _value(self._session.pending_remote)

    @promised
    def createOffer(
        self, options: Mapping[str, Any] | None = None, /, **members: Any
    ) -> Promise[RTCSessionDescription]:
        """Create an offer (webrtc-pc 4.4.2).

        It carries the candidates that are known, and may be set with :meth:`setLocalDescription` as it is. With
        ``{"iceRestart": True}``, or after :meth:`restartIce`, it restarts ICE. Rejects with InvalidStateError unless
        the signaling state is stable or have-local-offer, and with TypeError for options that are none.
        """
        try:
            init = {**_members(options, ("iceRestart",), "options"), **members}
        except TypeError as error:
            return rejected("createOffer", error)
        restart = bool(init.get("iceRestart"))
        return self._chain("createOffer", lambda: self._session.create_offer(restart))

    @promised
    def createAnswer(self) -> Promise[RTCSessionDescription]:
        """Create an answer (webrtc-pc 4.4.2). Rejects with InvalidStateError unless there is a remote offer."""
        return self._chain("createAnswer", self._session.create_answer)

    @promised
    def setLocalDescription(
        self, description: Any = None, *, type: str | None = None, sdp: str | None = None
    ) -> Promise[None]:
        """Set an offer or answer that was just created, or create and set it when called without (webrtc-pc 4.4.2).

        Begins to gather candidates and does not wait for any: they come with icecandidate events. Send the description
        before them. Rejects with InvalidStateError if there can be no such description now, with
        InvalidModificationError if it is not the one that was created last, and with TypeError if it is none.

        The type "rollback" takes an offer back. A "pranswer" is an answer that is not final: candidates are gathered,
        and the connection is made when the final one is set.
        """
        try:
            init = description_init(description, type, sdp)
        except TypeError as error:
            return rejected("setLocalDescription", error)
        return self._chain("setLocalDescription", lambda: self._session.set_local(init))

    @promised
    def setRemoteDescription(
        self, description: Any = None, *, type: str | None = None, sdp: str | None = None
    ) -> Promise[None]:
        """Set the offer or answer of the remote side (webrtc-pc 4.4.2): a dictionary or an RTCSessionDescription.

        Rejects with InvalidStateError if there can be no such description now, with OperationError if it does not
        parse (an RTCError, which has the number of the line), with InvalidAccessError if it does not fit, and with
        TypeError if it is none.
        """
        try:
            init = description_init(description, type, sdp)
            if "type" not in init:
                raise ArgumentTypeError("a session description needs a type")
        except TypeError as error:
            return rejected("setRemoteDescription", error)
        return self._chain("setRemoteDescription", lambda: self._session.set_remote(init))

    def restartIce(self) -> None:
        """Let the next offer restart ICE (webrtc-pc 4.4.2): with new credentials and candidates, over any network.

        Fires negotiationneeded. Does nothing once closed.

        What the connection carries goes on over the old pair of candidates, as long as that works, until a new one is
        found. Restart when connectionState is failed, or before, when the network has changed.
        """
        self._session.restart_ice()

    # Candidates

    @promised
    def addIceCandidate(
        self,
        candidate: Any = None,
        successCallback: Callable[[], object] | None = None,
        failureCallback: Callable[[Exception], object] | None = None,
    ) -> Promise[None]:
        """Add a candidate of the remote side, or its end of candidates (webrtc-pc 4.4.2).

        *candidate* is what the remote side's icecandidate event gave: an :class:`RTCIceCandidate`, the dictionary its
        JSON makes, or aiortc's RTCIceCandidate. An empty text ends the candidates of the m-line it names; with no
        m-line, and with None, those of all m-lines.

        Rejects with TypeError if a candidate names no m-line, InvalidStateError while there is no remote description
        and once closed, and OperationError if no m-line or ICE generation fits, or the text does not parse. A candidate
        that cannot be used is accepted.

        The callbacks are the deprecated form: one of them is called, and what is returned is fulfilled at once.
        """
        promise = self._add_ice_candidate(candidate)
        if successCallback is None and failureCallback is None:
            return promise
        promise.react(lambda settled: self._call_back(settled, successCallback, failureCallback))
        return resolved("addIceCandidate", None)

    def _add_ice_candidate(self, candidate: Any) -> Promise[None]:
        if isinstance(candidate, aiortc.RTCIceCandidate):
            candidate = {
                "candidate": f"candidate:{aiortc.sdp.candidate_to_sdp(candidate)}",
                "sdpMid": candidate.sdpMid,
                "sdpMLineIndex": candidate.sdpMLineIndex,
            }
        try:
            init = _remote.candidate_init(candidate)
        except TypeError as error:
            return rejected("addIceCandidate", error)
        return self._chain("addIceCandidate", lambda: self._session.add_candidate(init))

    def _call_back(self, settled: Promise[None], success: Any, failure: Any) -> None:
        try:
            settled.result()
        except Exception as error:
            if not callable(failure):  # nobody would hear of it
                self._report(error, "a call of addIceCandidate")
            self._call_soon(failure, error)
        else:
            self._call_soon(success)

    def _call_soon(self, callback: Any, *arguments: Any) -> None:
        if callable(callback):  # in a turn of its own, as a promise's reaction: never from inside the call
            loop = asyncio.get_running_loop()
            loop.call_soon(self._call, callback, arguments, "a callback of addIceCandidate")

    @promised
    def gathering_complete(self) -> Promise[None]:
        """Wait until iceGatheringState is complete, for signalling that cannot trickle.

        Then :attr:`localDescription` has all candidates. A server that does not answer makes that last 5 seconds, or
        *server_timeout*: send candidates as they come where you can. Who awaits this is cancelled when the connection
        is closed.

        Not in the W3C's text: a page listens to icegatheringstatechange (webrtc-pc 4.3.2).
        """
        return self._session.when_complete()

    async def ice_candidates(self) -> AsyncIterator[RTCIceCandidate]:
        """Iterate over our candidates and markers: those announced so far, then the others as they come.

        Each is to be sent to the remote side. The iteration ends when gathering is complete, or the connection is
        closed.

        Not in the W3C's text: a page listens to icecandidate (webrtc-pc 4.8.2).
        """
        queue: asyncio.Queue[RTCIceCandidate | None] = asyncio.Queue()

        def announce(event: Any) -> None:
            queue.put_nowait(event.candidate)

        def begin() -> None:
            for candidate in self._session.transports.gathering.announced:
                queue.put_nowait(candidate)
            if self._session.transports.gathering.state == "complete":
                queue.put_nowait(None)
            self.addEventListener("icecandidate", announce)

        self._iterations.append(queue)
        if self._session.closed:
            queue.put_nowait(None)
        self._session.in_turn(begin)
        try:
            while (found := await queue.get()) is not None:
                yield found
        finally:
            self._iterations.remove(queue)
            self.removeEventListener("icecandidate", announce)

    # Media and data: aiortc's own objects

    def createDataChannel(
        self, label: str, dataChannelDict: Mapping[str, Any] | None = None, **init: Any
    ) -> RTCDataChannel:
        """Create a data channel (webrtc-pc 6.1); the dictionary's members can be given as keywords.

        They are ordered, maxPacketLifeTime (0 to 65535 milliseconds), maxRetransmits (0 to 65535), protocol, negotiated
        and id (0 to 65534). An id counts only for a channel that is negotiated. Label and protocol have at most 65535
        bytes each.

        Raises InvalidStateError once closed, TypeError for options that are out of range or contradict each other, and
        OperationError for an id that is taken.
        """
        options = channel_options(dataChannelDict, init)
        self._assert_open()
        if "protocol" in options:
            options["protocol"] = utf8(options["protocol"])
        check_channel(text := utf8(label), options)
        if not options.get("negotiated"):
            options.pop("id", None)
        with translated():
            channel = self._session.engine.createDataChannel(text, **options)
        self._session.update_negotiation_needed()
        return channel

    def addTrack(self, track: aiortc.MediaStreamTrack, *streams: MediaStream) -> Sender:
        """Send *track* (webrtc-pc 5.1), which on the other side will be in *streams*; in none if there are none.

        The sender that is returned can change them: ``sender.setStreams(...)``.

        Raises TypeError for what is no track or no stream, InvalidStateError once closed, and InvalidAccessError if the
        track is being sent already.
        """
        if not isinstance(track, aiortc.MediaStreamTrack):
            raise ArgumentTypeError(f"{track!r} is no track")
        ids = stream_ids(streams)
        self._assert_open()
        with translated(ArgumentTypeError):
            sender = self._session.engine.addTrack(track, ids)
        self._session.update_negotiation_needed()
        return sender

    def removeTrack(self, sender: aiortc.RTCRtpSender) -> None:
        """Send nothing any more over *sender* (webrtc-pc 5.1); its transceiver stays, to receive if it did.

        A sender that a rollback has removed is left alone. Raises InvalidStateError once closed, and InvalidAccessError
        for the sender of another connection.
        """
        self._assert_open()
        if not self._session.engine.has_made(sender):
            raise InvalidAccessError("this sender belongs to another connection")
        self._session.engine.remove_track(sender)

    def addTransceiver(
        self, trackOrKind: str | aiortc.MediaStreamTrack, init: Any = None, **members: Any
    ) -> Transceiver:
        """Add a transceiver (webrtc-pc 5.1): ``{"direction": ..., "streams": [...]}`` or keywords.

        The direction alone, as aiortc takes it, works too. Raises InvalidStateError once closed, TypeError for a kind,
        a direction or a stream that is none, and NotSupportedError for sendEncodings.
        """
        self._assert_open()
        given = {"direction": init} if isinstance(init, str) else _members(init, _TRANSCEIVER_MEMBERS, "init")
        given |= members
        for unknown in given.keys() - set(_TRANSCEIVER_MEMBERS):
            raise ArgumentTypeError(f"a transceiver has no option {unknown}")
        if given.get("sendEncodings"):
            raise NotSupportedError("sendEncodings are not supported")
        direction, streams = str(given.get("direction", "sendrecv")), stream_ids(given.get("streams", ()))
        with translated(ArgumentTypeError):
            transceiver = self._session.engine.addTransceiver(trackOrKind, direction, streams)
        self._session.update_negotiation_needed()
        return transceiver

    def getSenders(self) -> list[Sender]:
        """The senders of all transceivers that are not stopped (webrtc-pc 5.1)."""
        return [transceiver.sender for transceiver in self.getTransceivers() if not transceiver.stopped]

    def getReceivers(self) -> list[Receiver]:
        """The receivers of all transceivers that are not stopped (webrtc-pc 5.1)."""
        return [transceiver.receiver for transceiver in self.getTransceivers() if not transceiver.stopped]

    def getTransceivers(self) -> list[Transceiver]:
        """All transceivers, but for those that were stopped, and whose m-lines an answer rejects (webrtc-pc 5.1)."""
        return self._session.engine.transceivers

    @property
    def sctp(self) -> Association | None:
        """The SCTP transport of the data channels; None while there is no data channel (webrtc-pc 6.1)."""
        return self._session.engine.sctp  # type: ignore[return-value]  # it was made one

    async def getStats(self) -> aiortc.RTCStatsReport:
        """What aiortc reports of its senders and receivers, and the entries of ICE (webrtc-pc 8.2).

        The latter are those of type transport, local-candidate, remote-candidate and candidate-pair, with those
        members of the W3C's webrtc-stats that are known here. A timestamp is a datetime; round trip times are in
        seconds.

        Two members of a transport are not the W3C's: server_times, how many seconds each STUN and TURN server took to
        tell an address, by its URL, without those that have not told one; and datagrams_discarded, the number of those
        that had no effect, as they were malformed, forged, from somebody else, or late.
        """
        report = await self._session.engine.getStats()
        for entry in self._session.transports.stats(self._session.engine.transport_stats()):
            report.add(entry)
        return report

    # The end

    @promised
    def close(self) -> Promise[None]:
        """Close the connection at once; fires nothing (webrtc-pc 4.4.2).

        What is returned is fulfilled when no task and no socket of the connection is left. May be called at any time,
        and again.
        """
        ended = self._session.close()
        for queue in self._iterations:
            queue.put_nowait(None)
        return ended

    def _assert_open(self) -> None:
        if self._session.closed:
            raise InvalidStateError("the connection is closed")

    def _chain(self, what: str, operation: Callable[[], Promise[T]]) -> Promise[T]:
        if self._session.closed:
            return rejected(what, InvalidStateError("the connection is closed"))
        return self._session.chain.chain(what, operation)


_configuration = configuration  # the constructor's argument has the same name


def transports_of(pc: RTCPeerConnection) -> Transports:
    """What is behind *pc*, for other modules of this package."""
    return pc._session.transports  # noqa: SLF001 - for this module it is no secret


def needs_negotiation(pc: RTCPeerConnection) -> bool:
    """Whether negotiationneeded was fired at *pc*, and no negotiation has been completed since."""
    return pc._session.negotiation_needed  # noqa: SLF001


def _value(description: Description | None) -> RTCSessionDescription | None:
    return description.value if description else None
