"""The transports of a connection: what their agents and the engine tell becomes tasks, states and events.

The other half of the shell (see _session.py), in the words of webrtc-pc 5.6: candidates found and ended become steps of
_gathering.py; states of ICE and DTLS transports become states of the connection. What belongs together changes in one
task, before the first event of that task is fired: first the transport's events, then the connection's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from aiortc import RTCIceParameters
from aiortc.stats import RTCStats, RTCTransportStats

from . import _remote
from ._agent import Agent, credentials
from ._aiortc import Media
from ._candidate import CandidateAttribute, RTCIceCandidate, candidate_text, peer_reflexive
from ._configuration import Configuration
from ._description import Description
from ._events import Event, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent
from ._facts import UNREACHABLE, LocalCandidate, SelectedPair, ServerError
from ._gathering import Announce, ConnectionState, Gathering, Step, TransportState, Write
from ._hiding import Names
from ._host import this_host
from ._ice_transport import IceTransportSlots, RTCIceCandidatePair, to_nobody
from ._priorities import Foundations
from ._promise import Promise
from ._states import connection_state, ice_connection_state
from ._stats import transport_entries
from ._tasks import TaskQueue
from ._timing import Timing


class Transports:
    """The transports of one connection.

    *media* gives the m-lines that the engine knows, *local* the local descriptions, pending and current, *stopped* the
    agents whose transports were stopped; *names* hide our host addresses, if they are to be hidden; *fire* fires an
    event at the connection, unless it is closed.
    """

    def __init__(
        self,
        configuration: Configuration,
        names: Names | None,
        timing: Timing,
        tasks: TaskQueue,
        fire: Callable[[Event], None],
        media: Callable[[], dict[str, Media]],
        local: Callable[[], Sequence[Description | None]],
        stopped: Callable[[], Collection[Agent]],
    ) -> None:
        self.gathering = Gathering()  # changes with what the agents find
        self.ice_connection_state = "new"  # changes with the states of the ICE transports, and in close()
        self.connection_state = "new"  # changes with the states of the ICE and DTLS transports, and in close()
        self.closed: Promise[None] = Promise("close")  # resolved in close()
        self.on_complete: list[Callable[[], None]] = []  # called, and emptied, when gathering is complete
        self.configuration = configuration  # changes with setConfiguration
        self._foundations = Foundations()
        # Present from the beginning or, if only relayed candidates are wanted, when first asked; until shut_down().
        self._host = None if self._relay_only else this_host()
        self._names = names
        self._timing = timing
        self._pool: list[Agent] = []  # agents that gather before there is a transport for them; see fill_pool()
        # What was found on agents that no local description has yet, in order; see described_locally().
        self._early: dict[Agent, list[Callable[[], None]]] = {}
        self._described: set[tuple[Agent, str]] = set()  # generations that a local description has
        self._discarded: list[asyncio.Task[None]] = []  # agents of the pool that are being closed
        self._tasks = tasks
        self._fire = fire
        self._media = media
        self._local = local
        self._stopped = stopped

    def make_agent(self, username: str, password: str) -> Agent:
        """An agent for a new transport: one of the pool, or else a new one with these credentials."""
        return self._pool.pop(0) if self._pool else self._new_agent(username, password)

    def fill_pool(self) -> None:
        """Make the pool as large as is configured, by gathering or by discarding (RFC 9429, section 3.5.4).

        All its agents have the same credentials, as all m-lines of an offer have. Where no loop runs there is no pool.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        size = self.configuration.ice_candidate_pool_size
        discarded, self._pool = self._pool[size:], self._pool[:size]
        for agent in discarded:
            self._discard(agent)
        while len(self._pool) < size:
            known = self._pool[0] if self._pool else None
            agent = self._new_agent(known.local_username if known else None, known.local_password if known else None)
            self._early[agent] = []
            self._pool.append(agent)
            agent.gather(self.configuration.ice_servers, self._relay_only)

    def empty_pool(self) -> None:
        """Discard what is left of the pool."""
        while self._pool:
            self._discard(self._pool.pop())

    async def shut_down(self) -> None:
        """Wait until the discarded agents are closed."""
        try:
            if self._discarded:
                await asyncio.wait(self._discarded)
        finally:
            self._host = None

    def _discard(self, agent: Agent) -> None:
        self._early.pop(agent, None)
        task = asyncio.get_running_loop().create_task(agent.close())
        self._discarded.append(task)
        task.add_done_callback(self._discarded.remove)

    @property
    def _relay_only(self) -> bool:
        return self.configuration.ice_transport_policy == "relay"

    def _host_addresses(self) -> Sequence[str]:
        if self._host is None:
            self._host = this_host()
        return self._host.addresses()

    def _new_agent(self, username: str | None, password: str | None) -> Agent:
        return Agent(
            self,
            foundations=self._foundations,
            host_addresses=self._host_addresses,
            names=self._names,
            timing=self._timing,
            local_username=username,
            local_password=password,
        )

    # What the session tells

    def described_locally(self, description: Description) -> None:
        """A local description was set: its transports have parameters and a role, and begin to gather."""
        early: list[Callable[[], None]] = []  # told when all have begun: else the first could be complete before
        for index, media in self.owners(description).items():
            slots, (ufrag, password) = media.agent.slots, _credentials(description, index)
            slots.local_parameters = RTCIceParameters(ufrag, password)
            media.agent.announce(ufrag, password)
            if slots.role == "unknown" and description.type == "offer":
                slots.role = "controlling"
                media.agent.ice_controlling = True
            if (media.agent, ufrag) not in self._described:
                self._described.add((media.agent, ufrag))
                media.agent.gather(self.configuration.ice_servers, self._relay_only)
                self._report(partial(self.gathering.began, media.agent, media.mid, index, ufrag))
                early += self._early.pop(media.agent, ())
        for fact in early:
            fact()
        self._drop_closed()

    def described_remotely(self, description: Description) -> None:
        """A remote description was set: its transports have parameters and a role."""
        restarted = credentials()  # the same for all m-lines, as in an offer of ours
        for index, media in self.owners(description).items():
            slots, (ufrag, password) = media.agent.slots, _credentials(description, index)
            slots.remote_parameters = RTCIceParameters(ufrag, password)
            if description.type == "offer":
                media.agent.expect_offer(ufrag, password, restarted)
            else:
                media.agent.expect_answer(ufrag, password)
            if slots.role == "unknown" and description.type == "offer":
                slots.role = "controlling" if media.agent.ice_controlling else "controlled"
        self._drop_closed()

    def withdraw(self, local: Description | None, remote: Description | None) -> None:
        """The pending offer was taken back; *local* and *remote* are the current descriptions."""
        for media in self._media().values():
            media.agent.withdraw()
        if local is not None and remote is not None:
            for index, media in self.owners(local).items():
                media.agent.slots.local_parameters = RTCIceParameters(*_credentials(local, index))
                media.agent.slots.remote_parameters = RTCIceParameters(*_credentials(remote, index))
        self._drop_closed()

    def begin_checks(self) -> None:
        """Both descriptions are set."""
        for media in self._media().values():
            media.agent.begin_checks()

    def heed(self, addition: _remote.Addition, description: Description) -> None:
        """Hand a candidate of the remote *description* to the agent that can use it.

        Where m-lines are bundled that is the agent of the first one; what comes for the others goes nowhere.
        """
        media = self.owners(description).get(addition.index)
        if media is None or (self._relay_only and addition.hidden):
            return
        if addition.prohibited:
            media.agent.add_silent(addition.ufrag)
        elif addition.candidate is not None:
            media.agent.add_remote(addition.ufrag, addition.candidate)
        elif not addition.line:
            media.agent.end_remote(addition.ufrag)

    def note_remote(self, addition: _remote.Addition, description: Description) -> None:
        """A candidate was added to the remote *description*, whether or not it can be used."""
        media = self.owners(description).get(addition.index) if addition.line else None
        if media is not None:
            slots = media.agent.slots
            candidate = RTCIceCandidate(
                candidate=addition.line,
                sdpMid=media.mid,
                sdpMLineIndex=addition.index,
                usernameFragment=addition.ufrag,
            )
            slots.remote_candidates[candidate] = None
            selected = media.agent.selected_pair
            if addition.candidate is not None and selected is not None and _place(selected.remote) == _place(candidate):
                self._signalled(media.agent, selected)

    def _signalled(self, agent: Agent, pair: SelectedPair) -> None:
        """The remote candidate of the selected pair, which may have been learned from a check, was signalled."""
        slots, known = agent.slots, self._pair(agent, pair)
        if slots.selected_pair is not None and known != slots.selected_pair:
            slots.selected_pair = known
            slots.pair_changes += 1
            slots.fire(Event("selectedcandidatepairchange"))

    def owners(self, description: Description) -> dict[int, Media]:
        """The m-lines that speak for a transport, by index.

        Of those that share one it is the first in the BUNDLE group (RFC 9143, section 7.3.2) that is not rejected.
        """
        media = self._media()
        order = {mid: place for place, mid in enumerate(description.group)}
        owners: dict[Agent, tuple[int, Media]] = {}
        for index, section in sorted(
            enumerate(description.sections), key=lambda s: order.get(s[1].mid or "", len(order))
        ):
            known = media.get(section.mid or "")
            if known is not None and section.ufrag and not section.rejected:
                owners.setdefault(known.agent, (index, known))
        return dict(owners.values())

    def sending_addresses(self) -> frozenset[str]:
        """The addresses of this host that the transports send from."""
        found = {m.agent.sending_address for m in self._media().values()}
        return frozenset(address for address in found if address is not None)

    def stats(self, reported: Iterable[tuple[Agent, RTCTransportStats]]) -> list[RTCStats]:
        """The entries of the transports that are negotiated; *reported* is what aiortc says of all."""
        return [
            entry
            for agent, transport in reported
            if agent in self.gathering.transports
            for entry in transport_entries(
                transport,
                agent.slots,
                agent.server_times,
                agent.checked_pairs(),
                partial(self._pair, agent),
                agent.datagrams_discarded,
            )
        ]

    def close(self) -> None:
        """Enter the last state; nothing is fired."""
        self.ice_connection_state = self.connection_state = "closed"
        self.closed.resolve(None)
        for media in self._media().values():
            media.agent.slots.state = "closed"
            media.agent.slots.fire = to_nobody

    # What the agents and the engine tell

    def candidate_found(self, agent: Agent, ufrag: str, candidate: LocalCandidate) -> None:
        """See AgentObserver."""
        found = partial(self.gathering.found, agent, ufrag, candidate.text, candidate.url, candidate.relay_protocol)
        self._tell(agent, partial(self._report_of, agent, ufrag, found))

    def gathering_ended(self, agent: Agent, ufrag: str) -> None:
        """See AgentObserver."""
        self._tell(agent, partial(self._report_of, agent, ufrag, partial(self.gathering.ended, agent, ufrag)))
        self._tell(agent, partial(self._report, partial(self.gathering.settled, agent)))

    def generation_ended(self, agent: Agent, ufrag: str) -> None:
        """See AgentObserver."""
        self._described.discard((agent, ufrag))
        self._report(partial(self.gathering.discarded, agent, ufrag))

    def generation_closed(self, agent: Agent, ufrag: str, remote_ufrag: str | None) -> None:
        """See AgentObserver."""
        self._tasks.post(partial(self._forget, agent.slots, ufrag, remote_ufrag))

    @staticmethod
    def _forget(slots: IceTransportSlots, ufrag: str, remote_ufrag: str | None) -> None:
        slots.local_candidates = [c for c in slots.local_candidates if c.usernameFragment != ufrag]
        if slots.remote_parameters is None or slots.remote_parameters.usernameFragment != remote_ufrag:
            theirs = (c for c in slots.remote_candidates if c.usernameFragment != remote_ufrag)
            slots.remote_candidates = dict.fromkeys(theirs)

    def server_failed(self, agent: Agent, error: ServerError) -> None:
        """See AgentObserver."""
        event = RTCPeerConnectionIceErrorEvent(
            "icecandidateerror",
            address=error.address,
            port=error.port,
            url=error.url,
            errorCode=error.code,
            errorText=error.text,
        )
        self._tell(agent, partial(self._tasks.post, partial(self._announce_failure, event)))

    def ice_changed(self, agent: Agent, state: str, pair: SelectedPair | None) -> None:
        """See AgentObserver."""
        self._tasks.post(partial(self._set_ice_state, agent, state, pair))

    def role_changed(self, agent: Agent, role: str) -> None:
        """See AgentObserver."""
        self._tasks.post(partial(setattr, agent.slots, "role", role))

    def dtls_changed(self) -> None:
        """The state of a DTLS transport has changed."""
        self._tasks.post(self._derive_states)

    def _tell(self, agent: Agent, fact: Callable[[], None]) -> None:
        """Let *fact* be known: now, or when a local description has the agent ("release early candidates")."""
        if agent in self._early:
            self._early[agent].append(fact)
        else:
            fact()

    def _report(self, decide: Callable[[], list[Step]]) -> None:
        """Queue a task that takes the steps *decide* will name."""
        self._tasks.post(lambda: self._take(decide()))

    def _report_of(self, agent: Agent, ufrag: str, decide: Callable[[], list[Step]]) -> None:
        """The same, of a generation: unless no description has it any more by then."""
        self._report(lambda: decide() if (agent, ufrag) in self._described else [])

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Write(index, ufrag, line):
                    self._write(index, ufrag, line)
                case Announce(candidate, transport):
                    if transport is not None:
                        transport.slots.local_candidates.append(candidate)
                    url = candidate.url if candidate else None
                    self._fire(RTCPeerConnectionIceEvent("icecandidate", candidate=candidate, url=url))
                case TransportState(transport, state):
                    transport.slots.gathering_state = state
                    transport.slots.fire(Event("gatheringstatechange"))
                case ConnectionState(state):
                    self._fire(Event("icegatheringstatechange"))
                    if state == "complete":
                        self._tasks.post(self._complete)

    def _announce_failure(self, event: RTCPeerConnectionIceErrorEvent) -> None:
        if event.errorCode != UNREACHABLE or self.gathering.is_news(event.url):
            self._fire(event)

    def _write(self, index: int, ufrag: str, line: str) -> None:
        for description in self._local():
            if description is not None and description.carries(index, ufrag):
                if line:
                    description.add_local_candidate(index, line)
                else:
                    description.end_candidates(index)

    def _complete(self) -> None:
        waiting, self.on_complete = self.on_complete, []
        for call in waiting:
            call()

    def _set_ice_state(self, agent: Agent, state: str, pair: SelectedPair | None) -> None:
        slots = agent.slots
        if slots.state == "closed":  # what was told before it was stopped
            return
        events = []
        if pair is not None:
            slots.selected_pair = self._pair(agent, pair)
            slots.pair_changes += 1
            events.append(Event("selectedcandidatepairchange"))
        if state != slots.state:
            slots.state = state
            events.append(Event("statechange"))
        self._derive_states(slots.fire, events)

    def _pair(self, agent: Agent, pair: SelectedPair) -> RTCIceCandidatePair:
        mid, index = self.gathering.place(agent)
        remote = _known(agent.slots.remote_candidates, pair.remote, pair.remote_ufrag)
        local = _known(agent.slots.local_candidates, pair.local, pair.local_ufrag)
        if local is None:  # ours to show, though it was not announced
            text = candidate_text(pair.local)
            local = RTCIceCandidate(text, sdpMid=mid, sdpMLineIndex=index, usernameFragment=pair.local_ufrag)
        return RTCIceCandidatePair(local, remote or peer_reflexive(pair.remote, mid, index, pair.remote_ufrag))

    def _derive_states(self, fire: Callable[[Event], None] = to_nobody, events: Sequence[Event] = ()) -> None:
        """Derive the connection's states. First *fire* a transport's *events*, then the connection's own.

        What is not negotiated yet may be bundled, or taken back: it counts from then on.
        """
        media = [m for m in self._media().values() if m.agent.negotiated]
        ice = ice_connection_state([m.agent.slots.state for m in media])
        connection = connection_state(ice, [m.dtls_state for m in media])
        ice_changed, self.ice_connection_state = ice != self.ice_connection_state, ice
        changed, self.connection_state = connection != self.connection_state, connection
        for event in events:
            fire(event)
        if ice_changed:
            self._fire(Event("iceconnectionstatechange"))
        if changed:
            self._fire(Event("connectionstatechange"))

    def _drop_closed(self) -> None:
        """Forget the transports that nobody uses any more, for m-lines were bundled or rejected: they are closed."""
        stopped = self._stopped()
        self._described = {(agent, ufrag) for agent, ufrag in self._described if agent not in stopped}
        for agent in stopped:
            if agent.slots.state != "closed":
                self._tasks.post(partial(self._set_ice_state, agent, "closed", None))
                self._report(partial(self.gathering.dropped, agent))


def _credentials(description: Description, index: int) -> tuple[str, str]:
    section = description.sections[index]
    return section.ufrag or "", section.password or ""


def _known(
    candidates: Iterable[RTCIceCandidate], wanted: CandidateAttribute, ufrag: str | None
) -> RTCIceCandidate | None:
    """The candidate users know of the generation *ufrag* at the address and port of *wanted*."""
    return next((c for c in candidates if _place(c) == _place(wanted) and c.usernameFragment == ufrag), None)


def _place(candidate: RTCIceCandidate | CandidateAttribute) -> tuple[str | None, int | None, str | None]:
    return candidate.address, candidate.port, candidate.protocol
