"""The ICE agent of one transport: what aiortc takes for an aioice connection, and the generations behind it.

aiortc uses a small part of ``aioice.Connection``; :class:`Agent` has exactly that face, and nothing of aiortc's or
aioice's is private to it. Behind the face lives a list of generations. The newest one gathers and checks; datagrams are
sent over the one that is selected, and received from all of them. aiortc, and with it DTLS and SCTP, never learns that
there is more than one.

aiortc is told two things that are not quite so:

- It starts a transport only when it has a local candidate, so as long as there is none it is shown one: the address
  0.0.0.0 and the port 9, which in a description mean "no address yet" (RFC 8840, section 4.1).
- Its gathering ends at once, and connect() returns when a pair works and raises only when the agent is closed:
  whether ICE has failed is for the connection to say, and does not end DTLS (webrtc-pc 5.6.2, "failed").

So DTLS begins while the pair that works is being nominated, and what answers the remote side is sent at once. Of what
does not, the remote side may drop what comes before the nomination (Firefox does), and DTLS would repeat it after a
second; so it waits a moment for the nomination, and is sent again with one that comes later.

aiortc calls connect() as soon as it has applied a remote description; checks begin with :meth:`Agent.begin_checks`,
when the connection has shown its users that both descriptions are set.

An ICE restart begins a generation. While it gathers and checks, the one before goes on: datagrams are sent over it
until the new one has nominated a pair, and received from it a little longer.

    described: announce(), expect_...() ──▶ negotiated: begin_checks() ──▶ selected ──▶ lingering ──▶ closed
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Sequence

import aioice

from ._aioice import Generation
from ._candidate import CandidateAttribute
from ._configuration import IceServer
from ._facts import AgentObserver, CheckedPair, LocalCandidate, SelectedPair, ServerError
from ._gatherer import Gatherer
from ._hiding import Names
from ._ice_transport import IceTransportSlots
from ._priorities import Foundations
from ._promise import Promise
from ._states import ice_transport_state
from ._timing import Timing

MAX_DATAGRAMS = 256  # that wait for recv(): nobody receives before a pair works; and that are held, see send()
MAX_GENERATIONS = 4  # that wait for a pair, and that linger, however fast one restart follows another
NO_ADDRESS_YET = aioice.Candidate("0", 1, "udp", 0, "0.0.0.0", 9, "host")


def credentials() -> tuple[str, str]:
    """A new ufrag and password (RFC 8445, section 5.3, wants 24 and 128 bits of them)."""
    ufrag, password = (base64.b64encode(secrets.token_bytes(size)).decode() for size in (6, 18))
    return ufrag, password


class Agent:
    """An ICE agent with one component, in the shape of an ``aioice.Connection``."""

    def __init__(
        self,
        observer: AgentObserver[Agent],
        *,
        foundations: Foundations,
        host_addresses: Callable[[], Sequence[str]],
        names: Names | None,
        timing: Timing,
        local_username: str | None,
        local_password: str | None,
    ) -> None:
        self.slots = IceTransportSlots()  # what users see; the connection's tasks change it
        self.state = "new"  # an RTCIceTransportState; changes with what the generations tell
        self.datagrams_discarded = 0  # grows; those of all generations
        # How many seconds servers took to tell the first address, by their URLs; grows while the newest one gathers.
        self.server_times: dict[str, float] = {}
        # aiortc sets these three, to no effect: credentials come from descriptions, see expect_offer().
        self.remote_username: str | None = None
        self.remote_password: str | None = None
        self.remote_is_lite = False
        self._observer = observer
        self._foundations = foundations
        self._host_addresses = host_addresses
        self._names = names  # which hide our host addresses, if they are to be hidden
        self._timing = timing
        self._tie_breaker = secrets.randbits(64)  # never changes
        # The one that is sent over, if there is one, up to the newest one.
        self._generations = [self._new_generation(local_username, local_password, controlling=False)]
        self._selected: Generation | None = None  # the one that is sent over; changes when a newer one has a pair
        # What was to be sent before a pair was nominated, and when it is sent even so; None once there is one, or
        # something has come, and on closing.
        self._held: list[tuple[bytes, asyncio.TimerHandle]] | None = []
        self._negotiated: Generation | None = None  # the one that checks; changes when a negotiation is complete
        self._heard = True  # whether the remote side answers on the selected pair
        # Those older than the selected one: they still receive, until their time is up. The first one is the oldest.
        self._lingering: dict[Generation, asyncio.TimerHandle] = {}
        self._leaving: dict[asyncio.Task[None], Generation] = {}  # those that are being closed
        self._datagrams: list[bytes] = []  # those that wait for recv()
        self._receivers: list[asyncio.Future[None]] = []  # those who wait in recv() for the next one; emptied with it
        self._connected: Promise[None] = Promise("connect")  # resolved when the first pair works, or on closing
        self._closed: Promise[None] = Promise("get_event")  # resolved on closing
        self._closing: asyncio.Task[None] | None = None  # set on closing; done when the sockets are closed

    def _new_generation(self, username: str | None, password: str | None, *, controlling: bool) -> Generation:
        return Generation(
            self,
            ice_controlling=controlling,
            tie_breaker=self._tie_breaker,
            local_username=username,
            local_password=password,
            names=self._names,
            timing=self._timing,
        )

    # What the connection calls

    @property
    def negotiated(self) -> bool:
        """Whether descriptions of both sides have it."""
        return self._negotiated is not None

    @property
    def unheard_of(self) -> bool:
        """Whether no description has it, and it has not begun to gather: its credentials can still be any."""
        return self._negotiated is None and self.newest.gathering is None

    @property
    def newest(self) -> Generation:
        """The generation that gathers, and that the next description names."""
        return self._generations[-1]

    def gather(self, servers: Sequence[IceServer], relay_only: bool) -> None:
        """Begin to gather, if the newest generation has not begun."""
        newest = self.newest
        if newest.gathering is None and not self._closed.done():
            newest.relay_only = relay_only
            self.server_times.clear()
            gatherer = Gatherer(newest, servers, self._foundations, self._host_addresses, self._timing)
            newest.gathering = newest.spawn(gatherer.run())

    def announce(self, ufrag: str, password: str) -> None:
        """A local description names these credentials of ours: where they are new, ICE restarts."""
        if (ufrag, password) != (self.newest.local_username, self.newest.local_password):
            self._restart(ufrag, password)

    def expect_offer(self, ufrag: str, password: str, local: tuple[str, str]) -> None:
        """A remote offer names these credentials of theirs: where they are new, ICE restarts.

        *local* are the ufrag and the password that we have then.
        """
        theirs, negotiated, newest = (ufrag, password), self._negotiated, self.newest
        if negotiated is not None and theirs == negotiated.talks_to:
            self.withdraw()  # an offer that restarted, and was replaced by this one
        elif newest is negotiated:
            self._restart(*local)
        elif newest.talks_to not in ((None, None), theirs):
            self._restart(newest.local_username, newest.local_password)
        self.newest.talks_to = theirs

    def expect_answer(self, ufrag: str, password: str) -> None:
        """A remote answer names these credentials of theirs."""
        newest = self.newest
        if newest is not self._negotiated:
            if newest.talks_to not in ((None, None), (ufrag, password)):
                newest.forget_remote()  # who has answered provisionally was somebody else
            newest.talks_to = ufrag, password

    def withdraw(self) -> None:
        """The offer that began the newest generation was taken back, or replaced."""
        if self._negotiated is not None:
            while self.newest is not self._negotiated:
                self._close_generation(self._generations.pop())

    def begin_checks(self) -> None:
        """The descriptions of both sides are set: let the newest generation check.

        Those before it go on until it has a pair, whether or not they have one themselves: the remote side may have
        selected one that we have not, and send over it.
        """
        newest = self.newest
        if newest is self._negotiated or newest.remote_password is None or self._closed.done():
            return
        self._negotiated = newest
        for generation in self._generations[:-1]:
            # No description has it any more, so nobody could take another candidate of it.
            generation.stop_gathering()
            self._observer.generation_ended(self, generation.local_username)
        for generation in self._generations[:-MAX_GENERATIONS]:
            if generation is not self._selected:
                self._generations.remove(generation)
                self._close_generation(generation)
        newest.start_checks()

    def add_remote(self, ufrag: str | None, candidate: CandidateAttribute) -> None:
        """Add a remote candidate to the generation that talks to *ufrag*."""
        self._talking_to(ufrag).add_remote(candidate)

    def add_silent(self, ufrag: str | None) -> None:
        """Add a remote candidate that must not be contacted to the generation that talks to *ufrag*."""
        self._talking_to(ufrag).add_silent()

    def end_remote(self, ufrag: str | None) -> None:
        """There will be no more remote candidates for the generation that talks to *ufrag*."""
        self._talking_to(ufrag).end_remote()

    def _talking_to(self, ufrag: str | None) -> Generation:
        matches = (g for g in reversed(self._generations) if g.remote_username == ufrag)
        return next(matches, self.newest)

    @property
    def selected_pair(self) -> SelectedPair | None:
        """The pair that was nominated, on which datagrams are sent."""
        return self._selected.selected_pair if self._selected else None

    @property
    def sending_address(self) -> str | None:
        """The address of this host that datagrams are sent from, once a pair was nominated."""
        return self._selected.sending_address if self._selected else None

    def checked_pairs(self) -> list[CheckedPair]:
        """The check lists of the generations there are."""
        return [pair for generation in self._generations for pair in generation.checked_pairs()]

    # Generations

    def _restart(self, username: str, password: str) -> None:
        last = self.newest
        if last is not self._negotiated:  # it is replaced
            self._close_generation(self._generations.pop())
        self._generations.append(self._new_generation(username, password, controlling=last.ice_controlling))

    def _linger(self, generation: Generation) -> None:
        """Close *generation* a little later: the remote side may still send to it.

        It does not answer any more. Chromium would go on with the old pair for as long as that works, whatever has been
        nominated; so it has left when the sockets close.
        """
        generation.stop_checks()
        farewell = asyncio.get_running_loop().call_later(self._timing.farewell, self._dismiss, generation)
        self._lingering[generation] = farewell
        if len(self._lingering) > MAX_GENERATIONS:
            self._dismiss(next(iter(self._lingering)))

    def _dismiss(self, generation: Generation) -> None:
        self._lingering.pop(generation).cancel()
        self._close_generation(generation)

    def _close_generation(self, generation: Generation) -> None:
        self._observer.generation_ended(self, generation.local_username)
        self._observer.generation_closed(self, generation.local_username, generation.remote_username)
        task = asyncio.get_running_loop().create_task(generation.shut_down())
        self._leaving[task] = generation
        task.add_done_callback(self._leaving.pop)

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
        """Return when a pair works. Raises ConnectionError when closed."""
        await self._connected
        if self._closed.done():
            raise ConnectionError("the ICE agent was closed")

    async def recv(self) -> bytes:
        """Return the next datagram, from whichever generation. Raises ConnectionError when closed."""
        while not self._datagrams:
            if self._closed.done():
                raise ConnectionError("the ICE agent was closed")
            arrival = asyncio.get_running_loop().create_future()
            self._receivers.append(arrival)
            await arrival
        return self._datagrams.pop(0)

    async def send(self, data: bytes) -> None:
        """Send a datagram over the selected generation; drop it while there is none that works.

        Before one is selected, one that does not answer the remote side may be held for a moment, and sent twice.
        """
        if self._closed.done():
            raise ConnectionError("the ICE agent was closed")
        if self._selected is not None or self._held is None:
            self._transmit(data)
        elif len(self._held) < MAX_DATAGRAMS:
            loop = asyncio.get_running_loop()
            self._held.append((data, loop.call_later(self._timing.pace, self._transmit, data)))

    def _transmit(self, data: bytes) -> None:
        """Send over the selected generation, or before that over the oldest that works."""
        if self._selected is not None:
            # Lost consent is to DTLS a network that loses packets, until another pair is nominated.
            self._selected.transmit(data)
        elif not self._closed.done():
            for generation in self._generations:
                if generation.sends:
                    generation.transmit(data)
                    break

    async def get_event(self) -> aioice.ConnectionClosed:
        """Return when the agent is closed."""
        await self._closed
        return aioice.ConnectionClosed()

    async def close(self) -> None:
        """Close all generations. Goes on when the caller is cancelled; every caller waits for the end."""
        if self._closing is None:
            self.state = "closed"
            self._closed.resolve(None)
            self._connected.resolve(None)
            for generation in list(self._lingering):
                self._dismiss(generation)
            self._wake_receivers()
            self._held = None
            self._closing = asyncio.get_running_loop().create_task(self._shut_down())
        await asyncio.shield(self._closing)

    async def _shut_down(self) -> None:
        for generation in self._generations:
            await generation.shut_down()
        if self._leaving:
            await asyncio.wait(self._leaving)

    def abort(self) -> None:
        """Close the sockets of all generations without waiting."""
        for generation in (*self._generations, *self._leaving.values()):
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

    def server_answered(self, generation: Generation, url: str, seconds: float) -> None:
        """See Observer."""
        self.server_times.setdefault(url, seconds)

    def checking(self, generation: Generation) -> None:
        """See Observer."""
        self._derive_state()

    def works(self, generation: Generation) -> None:
        """See Observer."""
        if generation in self._generations:
            self._connected.resolve(None)

    def selected(self, generation: Generation) -> None:
        """See Observer."""
        # It may still nominate while it lingers, or while the ones before it are closed.
        if generation not in self._generations or self._closed.done():
            return
        older = self._generations[: self._generations.index(generation)]
        self._selected, self._heard = generation, True
        held, self._held = self._held, None
        for data, early in held or ():
            early.cancel()
            generation.transmit(data)
        del self._generations[: len(older)]
        for each in older:
            self._linger(each)
        self._connected.resolve(None)
        self._derive_state(generation.selected_pair)

    def heard(self, generation: Generation, heard: bool) -> None:
        """See Observer."""
        if generation is self._selected:
            self._heard = heard
            self._derive_state()

    def role_changed(self, generation: Generation) -> None:
        """See Observer."""
        for other in self._generations:
            if other.ice_controlling != generation.ice_controlling:
                other.set_role(generation.ice_controlling)
        self._observer.role_changed(self, "controlling" if generation.ice_controlling else "controlled")

    def over(self, generation: Generation) -> None:
        """See Observer."""
        self._derive_state()

    def datagram_received(self, data: bytes) -> None:
        """See Observer."""
        if len(self._datagrams) >= MAX_DATAGRAMS:
            self.datagrams_discarded += 1
            return
        self._datagrams.append(data)
        self._held = None
        if self._receivers:
            self._wake_receivers()

    def datagram_discarded(self) -> None:
        """See Observer."""
        self.datagrams_discarded += 1

    def _wake_receivers(self) -> None:
        for arrival in self._receivers:
            if not arrival.done():  # else who waited was cancelled
                arrival.set_result(None)
        self._receivers.clear()

    def _derive_state(self, pair: SelectedPair | None = None) -> None:
        if self.state == "closed":
            return
        negotiated = self._negotiated
        state = ice_transport_state(
            usable=self._selected is not None and self._selected.usable,
            heard=self._heard,
            selected=self._selected is not None,
            checking=negotiated is not None and negotiated is not self._selected and negotiated.checking,
            failed=negotiated is not None and negotiated.failed,
        )
        if pair is not None or state != self.state:
            self.state = state
            self._observer.ice_changed(self, state, pair)
