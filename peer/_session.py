"""What a connection does: the operations, and the tasks in which their effects, and ICE's, become visible.

This is the shell between the pure rules (_states, _gathering, _remote, _description), which decide, and the engine and
its agents, which do the work. Three laws hold here:

- What users can see (states, descriptions, events) changes in tasks only, one a turn of the loop; see _tasks.py. Agents
  and the engine tell their facts at any time; each fact becomes a task.
- A local offer does not reach the engine before its answer: until then it is kept here, so that it can be forgotten.
- After close() nothing happens any more: no task, no event, no promise that settles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

import aiortc
import aiortc.events

from . import _remote
from ._agent import Agent
from ._aioice import LocalCandidate
from ._aiortc import Engine, guard
from ._configuration import Configuration
from ._description import Description, RTCSessionDescription, trickling, without_candidates
from ._errors import InvalidAccessError, InvalidModificationError, NotSupportedError, OperationError, translated
from ._events import Event, RTCDataChannelEvent, RTCPeerConnectionIceEvent, RTCTrackEvent
from ._gathering import Announce, ConnectionState, Gathering, Step, TransportState, Write
from ._promise import Promise, resolved
from ._states import connection_state, ice_connection_state, implied_type, signaling_state
from ._tasks import OperationsChain, TaskQueue

T = TypeVar("T")
R = TypeVar("R")


class Session:
    """The state of one connection. *fire* is called with each event, in the task it belongs to."""

    def __init__(self, configuration: Configuration, fire: Callable[[Event], None]) -> None:
        self.closed = False  # changes once, in close()
        self.signaling_state = "stable"  # changes when a description is set, and in close()
        self.ice_connection_state = "new"  # changes with the states of the ICE transports, and in close()
        self.connection_state = "new"  # changes with the states of the ICE and DTLS transports, and in close()
        self.gathering = Gathering()  # changes with what the agents find
        self.chain = OperationsChain()  # changes with every call, and when calls settle
        # The four descriptions (webrtc-pc 4.7.1); replaced when descriptions are set, and added to with candidates.
        self.pending_local: Description | None = None
        self.current_local: Description | None = None
        self.pending_remote: Description | None = None
        self.current_remote: Description | None = None
        self._last_created = {"offer": "", "answer": ""}  # emptied when a negotiation is complete
        self._ice_states: dict[Agent, str] = {}  # as users see them; changes in tasks
        self._configuration = configuration
        self._fire_at_users = fire
        self._tasks = TaskQueue()
        self._work: set[asyncio.Task[None]] = set()  # what operations do in parallel
        self._complete: list[Promise[None]] = []  # who waits for gathering to be complete
        self._ended: Promise[None] | None = None  # set in close()
        self._closing: asyncio.Task[None] | None = None  # set in close()
        self.engine = Engine(self, self._make_agent, bundle_policy=configuration.bundle_policy)

    def _make_agent(self, username: str, password: str) -> Agent:
        return Agent(
            self,
            self._configuration.ice_servers,
            relay_only=self._configuration.ice_transport_policy == "relay",
            local_username=username,
            local_password=password,
        )

    # Operations. Each is called when its turn on the chain has come, and raises what rejects the call at once.

    def create_offer(self) -> Promise[RTCSessionDescription]:
        """Create an offer (webrtc-pc 4.4.2)."""
        signaling_state(self.signaling_state, "local", "offer")
        return self._tasks.run("createOffer", partial(self._create, "offer"))

    def create_answer(self) -> Promise[RTCSessionDescription]:
        """Create an answer (webrtc-pc 4.4.2)."""
        signaling_state(self.signaling_state, "local", "answer")
        return self._tasks.run("createAnswer", partial(self._create, "answer"))

    def set_local(self, init: Mapping[str, str]) -> Promise[None]:
        """Set a local description (webrtc-pc 4.4.2)."""
        type = _supported(init.get("type") or implied_type(self.signaling_state))
        sdp = init.get("sdp", "")
        if sdp and sdp != self._last_created[type]:
            raise InvalidModificationError(f"this is not the {type} that was created last")
        signaling_state(self.signaling_state, "local", type)
        if type == "offer":
            return self._tasks.run("setLocalDescription", partial(self._set_local_offer, sdp))
        answer = Description("answer", sdp or self._create("answer").sdp)
        return self._in_parallel(
            "setLocalDescription",
            self._apply_local_answer(answer),
            lambda _: self._set_local_answer(answer),
        )

    def set_remote(self, init: Mapping[str, str]) -> Promise[None]:
        """Set a remote description (webrtc-pc 4.4.2)."""
        type = _supported(init["type"])
        signaling_state(self.signaling_state, "remote", type)
        description = Description(type, init.get("sdp", ""))
        if not self.engine.parses(without_candidates(init.get("sdp", ""))):
            raise OperationError(f"the {type} has a line that does not parse")
        if _restarts(description, self.pending_remote or self.current_remote):
            raise NotSupportedError(f"the {type} restarts ICE, which this version cannot do")
        return self._in_parallel(
            "setRemoteDescription",
            self._apply_remote(description),
            partial(self._set_remote, description),
        )

    def add_candidate(self, init: _remote.CandidateInit) -> Promise[None]:
        """Add a remote candidate (webrtc-pc 4.4.2)."""
        additions = _remote.additions(init, self.current_remote, self.pending_remote)
        if not additions:
            return resolved("addIceCandidate", None)
        for addition in additions:
            self._heed(addition)
        return self._tasks.run("addIceCandidate", partial(self._write_remote, additions))

    def when_complete(self) -> Promise[None]:
        """Fulfilled when the ICE gathering state is complete. Abandoned by close()."""
        promise: Promise[None] = Promise("gathering_complete")
        if self.closed:
            promise.abandon()
        elif self.gathering.state == "complete":
            promise.resolve(None)
        else:
            self._complete.append(promise)
        return promise

    def _in_parallel(self, what: str, work: Coroutine[Any, Any, T], then: Callable[[T], R]) -> Promise[R]:
        """Run *work*; the promise settles in a task: with what *then* makes of the result, or with the error."""
        promise: Promise[R] = Promise(what)

        async def run() -> None:
            try:
                result = await work
            except Exception as error:
                self._tasks.post(partial(promise.reject, error))
            else:
                promise.follow(self._tasks.run(what, partial(then, result)))

        task = asyncio.get_running_loop().create_task(run())
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return promise

    def _fire(self, event: Event) -> None:
        if not self.closed:  # a listener may have closed the connection in the middle of a task
            self._fire_at_users(event)

    # Descriptions

    def _create(self, type: str) -> RTCSessionDescription:
        with translated():
            text = self.engine.create_offer() if type == "offer" else self.engine.create_answer()
        description = Description(type, trickling(text))
        media = self.engine.media()
        for index, section in enumerate(description.sections):
            known = media.get(section.mid or "")
            if known and known.owner and section.ufrag:
                lines, ended = self.gathering.known(known.agent, section.ufrag)
                for line in lines:
                    description.add_candidate(index, line)
                if ended:
                    description.end_candidates(index)
        self._last_created[type] = description.value.sdp
        return description.value

    def _set_local_offer(self, sdp: str) -> None:
        offer = Description("offer", sdp or self._create("offer").sdp)
        self.engine.hold_offer(_bare(offer))
        self.pending_local = offer
        self._negotiated("local", "offer")
        self._begin_gathering(offer)

    async def _apply_local_answer(self, answer: Description) -> None:
        with translated(InvalidAccessError):
            await self.engine.apply_local("answer", _bare(answer))

    def _set_local_answer(self, answer: Description) -> None:
        self.current_local, self.current_remote = answer, self.pending_remote
        self.pending_local = self.pending_remote = None
        self._negotiated("local", "answer")
        self._begin_gathering(answer)

    async def _apply_remote(self, description: Description) -> list[aiortc.events.RTCTrackEvent]:
        with translated(InvalidAccessError):
            if description.type == "answer":
                assert self.pending_local is not None
                await self.engine.apply_local("offer", _bare(self.pending_local))
            return await self.engine.apply_remote(description.type, _bare(description))

    def _set_remote(self, description: Description, tracks: list[aiortc.events.RTCTrackEvent]) -> None:
        if description.type == "offer":
            self.pending_remote = description
        else:
            self.current_remote, self.current_local = description, self.pending_local
            self.pending_local = self.pending_remote = None
        for addition in _remote.contained(description):
            self._heed(addition)
        self._drop_transports()
        self._negotiated("remote", description.type)
        for found in tracks:
            guard(found.track)
            self._fire(
                RTCTrackEvent("track", receiver=found.receiver, track=found.track, transceiver=found.transceiver)
            )

    def _negotiated(self, side: str, type: str) -> None:
        state = signaling_state(self.signaling_state, side, type)
        if state == "stable":
            self._last_created = {"offer": "", "answer": ""}
        if state != self.signaling_state:
            self.signaling_state = state
            self._fire(Event("signalingstatechange"))
        if state == "stable":
            for media in self.engine.media().values():
                media.agent.begin_checks()

    # Candidates

    def _begin_gathering(self, description: Description) -> None:
        media = self.engine.media()
        for index, section in enumerate(description.sections):
            known = media.get(section.mid or "")
            if known is None or not known.owner or section.rejected or self.closed:
                continue
            agent, ufrag = known.agent, section.ufrag
            if agent.gather() and section.mid and ufrag:
                if description.type == "offer":
                    agent.ice_controlling = True
                self._report(partial(self.gathering.began, agent, section.mid, index, ufrag))

    def candidate_found(self, agent: Agent, ufrag: str, candidate: LocalCandidate) -> None:
        """See AgentObserver."""
        self._report(
            partial(self.gathering.found, agent, ufrag, candidate.text, candidate.url, candidate.relay_protocol)
        )

    def gathering_ended(self, agent: Agent, ufrag: str) -> None:
        """See AgentObserver."""
        self._report(partial(self.gathering.ended, agent, ufrag))
        self._report(partial(self.gathering.settled, agent))

    def _report(self, decide: Callable[[], list[Step]]) -> None:
        """Queue a task that takes the steps *decide* will name."""
        self._tasks.post(lambda: self._take(decide()))

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Write(index, ufrag, line):
                    addition = _remote.Addition(index, ufrag, line, None)
                    _remote.write(addition, (self.pending_local, self.current_local))
                case Announce(candidate):
                    url = candidate.url if candidate else None
                    self._fire(RTCPeerConnectionIceEvent("icecandidate", candidate=candidate, url=url))
                case TransportState():
                    pass  # users do not see transports yet
                case ConnectionState(state):
                    self._fire(Event("icegatheringstatechange"))
                    if state == "complete":
                        self._tasks.post(self._completed)

    def _completed(self) -> None:
        waiting, self._complete = self._complete, []
        for promise in waiting:
            promise.resolve(None)

    def _heed(self, addition: _remote.Addition) -> None:
        """Hand a remote candidate to the agent that can use it.

        Where m-lines are bundled that is the agent of the first one; what comes for the others goes nowhere.
        """
        description = self.pending_remote or self.current_remote
        assert description is not None
        media = self.engine.media().get(description.sections[addition.index].mid or "")
        if media is None or not media.owner:
            return
        if addition.candidate is not None:
            media.agent.add_remote(addition.ufrag, addition.candidate)
        elif not addition.line:
            media.agent.end_remote(addition.ufrag)

    def _write_remote(self, additions: list[_remote.Addition]) -> None:
        for addition in additions:
            _remote.write(addition, (self.pending_remote, self.current_remote))

    # Transports

    def ice_state_changed(self, agent: Agent, state: str) -> None:
        """See AgentObserver."""
        self._tasks.post(partial(self._set_ice_state, agent, state))

    def dtls_changed(self) -> None:
        """See EngineObserver."""
        self._tasks.post(self._derive_states)

    def channel_opened(self, channel: aiortc.RTCDataChannel) -> None:
        """See EngineObserver. Fired at once: messages may follow in the same packet, and wait for nobody's listener."""
        guard(channel)
        self._fire(RTCDataChannelEvent("datachannel", channel=channel))

    def _set_ice_state(self, agent: Agent, state: str) -> None:
        self._ice_states[agent] = state
        self._derive_states()

    def _derive_states(self) -> None:
        media = self.engine.media().values()
        ice = ice_connection_state([self._ice_states.get(m.agent, "new") for m in media])
        connection = connection_state(ice, [m.dtls_state for m in media])
        ice_changed, self.ice_connection_state = ice != self.ice_connection_state, ice
        changed, self.connection_state = connection != self.connection_state, connection
        if ice_changed:
            self._fire(Event("iceconnectionstatechange"))
        if changed:
            self._fire(Event("connectionstatechange"))

    def _drop_transports(self) -> None:
        """Forget the transports that were lost to bundling; their agents are closed."""
        alive = {m.agent for m in self.engine.media().values()}
        dropped = [agent for agent in self.gathering.transports if agent not in alive]
        for agent in dropped:
            self._ice_states.pop(agent, None)
            self._report(partial(self.gathering.dropped, agent))
        if dropped:
            self._tasks.post(self._derive_states)

    # The end

    def close(self) -> Promise[None]:
        """Close at once (webrtc-pc 4.4.2); the promise is fulfilled when no task and no socket is left."""
        if self._ended is None:
            self.closed = True
            self.signaling_state = self.ice_connection_state = self.connection_state = "closed"
            self._tasks.close()
            self.chain.abandon()
            for promise in self._complete:
                promise.abandon()
            self._ended = Promise("close")
            self._closing = asyncio.get_running_loop().create_task(self._shut_down(self._ended))
        return self._ended

    async def _shut_down(self, ended: Promise[None]) -> None:
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)
        try:
            await self.engine.shut_down()
        except Exception as error:
            ended.reject(error)
        ended.resolve(None)


def _bare(description: Description) -> str:
    """The text for the engine, which learns of candidates otherwise."""
    return without_candidates(description.value.sdp)


def _supported(type: str) -> str:
    if type in ("rollback", "pranswer"):
        raise NotSupportedError(f"descriptions of type {type} are not supported")
    return type


def _restarts(description: Description, last: Description | None) -> bool:
    """Whether *description* names other credentials than the *last* remote description did for the same m-line."""
    return last is not None and any(
        old.ufrag != new.ufrag and not (old.rejected or new.rejected)
        for old, new in zip(last.sections, description.sections, strict=False)
        if old.mid == new.mid
    )
