"""The ICE agent of one transport: what aiortc takes for an aioice connection, and the generations behind it.

aiortc uses a small part of ``aioice.Connection``; :class:`Agent` has exactly that face, and nothing of aiortc's or
aioice's is private to it. Behind the face lives a list of generations. The newest one gathers and checks; datagrams are
sent over the one that is selected, and received from all of them. aiortc, and with it DTLS and SCTP, never learns that
there is more than one.

aiortc is told two things that are not quite so:

- It starts a transport only when it has a local candidate, so as long as there is none it is shown one: the address
  0.0.0.0 and the port 9, which in a description mean "no address yet" (RFC 8840, section 4.1).
- Its gathering ends at once, and connect() returns when a pair is nominated and raises only when the agent is closed:
  whether ICE has failed is for the connection to say, and does not end DTLS (webrtc-pc 5.6.2, "failed").

aiortc calls connect() as soon as it has applied a remote description; checks begin with :meth:`Agent.begin_checks`,
when the connection has shown its users that both descriptions are set.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import aioice

from ._aioice import Generation
from ._candidate import CandidateAttribute
from ._configuration import IceServer
from ._facts import AgentObserver, LocalCandidate, SelectedPair, ServerError
from ._ice_transport import IceTransportSlots
from ._priorities import Foundations

NO_ADDRESS_YET = aioice.Candidate("0", 1, "udp", 0, "0.0.0.0", 9, "host")


class Agent:
    """An ICE agent with one component, in the shape of an ``aioice.Connection``."""

    def __init__(
        self,
        observer: AgentObserver[Agent],
        *,
        relay_only: bool,
        foundations: Foundations,
        local_username: str | None,
        local_password: str | None,
    ) -> None:
        self.slots = IceTransportSlots()  # what users see; the connection's tasks change it
        self.state = "new"  # an RTCIceTransportState; changes with what the newest generation tells
        self.remote_username: str | None = None  # set by aiortc before connect()
        self.remote_password: str | None = None  # set by aiortc before connect()
        self.remote_is_lite = False  # set by aiortc before connect(), which has chosen our role by then
        self._observer = observer
        self._generations = [  # oldest first; the last one is the newest
            Generation(
                self,
                ice_controlling=False,
                local_username=local_username,
                local_password=local_password,
                relay_only=relay_only,
                foundations=foundations,
            )
        ]
        self._selected: Generation | None = None  # the one that is sent over; set when a pair is nominated
        self._datagrams: asyncio.Queue[bytes | None] = asyncio.Queue()  # None: there will be no more
        self._gathering = False  # True once the first generation gathers
        self._negotiated = asyncio.Event()  # set when checks may begin, or on closing
        self._connected = asyncio.Event()  # set when the first pair is nominated, or on closing
        self._closed = asyncio.Event()  # set on closing
        self._closing: asyncio.Task[None] | None = None  # set on closing; done when the sockets are closed

    # What the connection calls

    @property
    def newest(self) -> Generation:
        """The generation that gathers and checks."""
        return self._generations[-1]

    def gather(self, servers: Sequence[IceServer], relay_only: bool) -> None:
        """Begin to gather, if the newest generation has not begun."""
        if not self._gathering and not self._closed.is_set():
            self._gathering = True
            self.newest.gather(servers, relay_only)

    def begin_checks(self) -> None:
        """Let connect() begin to check: the descriptions of both sides are set."""
        self._negotiated.set()

    def add_remote(self, ufrag: str | None, candidate: CandidateAttribute) -> None:
        """Add a remote candidate to the generation that talks to *ufrag*."""
        self._talking_to(ufrag).add_remote(candidate)

    def end_remote(self, ufrag: str | None) -> None:
        """There will be no more remote candidates for the generation that talks to *ufrag*."""
        self._talking_to(ufrag).end_remote()

    def _talking_to(self, ufrag: str | None) -> Generation:
        matches = (g for g in self._generations if g.remote_username == ufrag)
        return next(matches, self.newest)

    # What aiortc uses of an aioice.Connection

    @property
    def local_candidates(self) -> list[aioice.Candidate]:
        """The local candidates of the newest generation; never empty."""
        return self.newest.local_candidates or [NO_ADDRESS_YET]

    @property
    def remote_candidates(self) -> list[aioice.Candidate]:
        """The remote candidates of the newest generation."""
        return self.newest.remote_candidates

    @property
    def local_username(self) -> str:
        """The ufrag of the newest generation."""
        return self.newest.local_username

    @property
    def local_password(self) -> str:
        """The password of the newest generation."""
        return self.newest.local_password

    @property
    def ice_controlling(self) -> bool:
        """The role; a generation that learned it late would answer the first check with a role conflict."""
        return self.newest.ice_controlling

    @ice_controlling.setter
    def ice_controlling(self, controlling: bool) -> None:
        for generation in self._generations:
            generation.set_role(controlling)

    async def gather_candidates(self) -> None:
        """Return at once. Gathering begins with :meth:`gather`."""

    async def add_remote_candidate(self, candidate: aioice.Candidate | None) -> None:
        """Do nothing: descriptions reach aiortc without candidates."""

    async def connect(self) -> None:
        """Check as soon as that is allowed; return when a pair is nominated. Raises ConnectionError when closed."""
        await self._negotiated.wait()
        if not self._closed.is_set():
            assert self.remote_username is not None
            assert self.remote_password is not None
            self.newest.start_checks(self.remote_username, self.remote_password)
            await self._connected.wait()
        if self._closed.is_set():
            raise ConnectionError("the ICE agent was closed")

    async def recv(self) -> bytes:
        """Return the next datagram, from whichever generation. Raises ConnectionError when closed."""
        datagram = await self._datagrams.get()
        if datagram is None:
            self._datagrams.put_nowait(None)  # for the next caller
            raise ConnectionError("the ICE agent was closed")
        return datagram

    async def send(self, data: bytes) -> None:
        """Send a datagram over the selected generation; drop it while there is none that works."""
        if self._closed.is_set():
            raise ConnectionError("the ICE agent was closed")
        if self._selected is not None:
            # Lost consent is to DTLS a network that loses packets, until another pair is nominated.
            with contextlib.suppress(ConnectionError):
                await self._selected.send(data)

    async def get_event(self) -> aioice.ConnectionClosed:
        """Return when the agent is closed."""
        await self._closed.wait()
        return aioice.ConnectionClosed()

    async def close(self) -> None:
        """Close all generations. Goes on when the caller is cancelled; every caller waits for the end."""
        if self._closing is None:
            self.state = "closed"
            self._closed.set()
            self._connected.set()
            self._negotiated.set()
            self._datagrams.put_nowait(None)
            self._closing = asyncio.get_running_loop().create_task(self._shut_down())
        await asyncio.shield(self._closing)

    async def _shut_down(self) -> None:
        for generation in self._generations:
            await generation.shut_down()

    def abort(self) -> None:
        """Close the sockets of all generations without waiting."""
        for generation in self._generations:
            generation.abort()

    # What the generations tell

    def candidate_found(self, generation: Generation, candidate: LocalCandidate) -> None:
        """See Observer."""
        self._observer.candidate_found(self, generation.local_username, candidate)

    def gathering_ended(self, generation: Generation) -> None:
        """See Observer."""
        self._observer.gathering_ended(self, generation.local_username)

    def server_failed(self, generation: Generation, error: ServerError) -> None:
        """See Observer."""
        self._observer.server_failed(self, error)

    def checking(self, generation: Generation) -> None:
        """See Observer."""
        self._enter("checking")

    def selected(self, generation: Generation, pair: SelectedPair) -> None:
        """See Observer."""
        self._selected = generation
        self._connected.set()
        self._enter("connected", pair)

    def role_changed(self, generation: Generation) -> None:
        """See Observer."""
        self._observer.role_changed(self, "controlling" if generation.ice_controlling else "controlled")

    def failed(self, generation: Generation) -> None:
        """See Observer."""
        if generation is self.newest:
            self._enter("failed")

    def datagram_received(self, data: bytes) -> None:
        """See Observer."""
        self._datagrams.put_nowait(data)

    def _enter(self, state: str, pair: SelectedPair | None = None) -> None:
        if self.state != "closed" and (pair is not None or self.state != state):
            self.state = state
            self._observer.ice_changed(self, state, pair)
