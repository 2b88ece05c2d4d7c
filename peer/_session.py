"""What a connection does: the operations, and the tasks in which their effects become visible.

This is the shell between the pure rules (_states, _gathering, _remote, _description), which decide, and the engine and
its agents, which do the work. Three laws hold here:

- What users can see (states, descriptions, events) changes in tasks only, one a turn of the loop; see _tasks.py. Agents
  and the engine tell their facts at any time; each fact becomes a task.
- A local offer does not reach the engine before its answer: until then it is kept here, so that it can be forgotten.
- After close() nothing happens any more: no task, no event, no promise that settles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from . import _remote
from ._agent import Agent, credentials
from ._aiortc import Engine, Media
from ._bundle import accept, bundle_only, bundled, regroup, reject, shared
from ._configuration import Configuration, changed_configuration
from ._data_channel import RTCDataChannel
from ._defaults import explicit
from ._description import (
    Description,
    RTCSessionDescription,
    associated,
    restarting,
    trickling,
    ufrags,
    without_candidates,
)
from ._errors import InvalidAccessError, InvalidModificationError, sdp_syntax_error, translated
from ._events import Event, RTCDataChannelEvent
from ._hiding import Names
from ._media_stream import RemoteTracks
from ._negotiation import negotiation_needed
from ._promise import Promise, resolved
from ._states import implied_type, signaling_state
from ._tasks import OperationsChain, TaskQueue
from ._timing import Timing
from ._transports import Transports
from ._validation import check, check_restart

_NONE: frozenset[str] = frozenset()


class Session:
    """The state of one connection. *fire* is called with each event, in the task it belongs to."""

    def __init__(
        self, configuration: Configuration, names: Names | None, timing: Timing, fire: Callable[[Event], None]
    ) -> None:
        self.closed = False  # changes once, in close()
        self.signaling_state = "stable"  # changes when a description is set, and in close()
        self.chain = OperationsChain(self._chain_emptied)  # changes with every call, and when calls settle
        # The four descriptions (webrtc-pc 4.7.1); replaced when descriptions are set, and added to with candidates.
        self.pending_local: Description | None = None
        self.current_local: Description | None = None
        self.pending_remote: Description | None = None
        self.current_remote: Description | None = None
        self._last_created = {"offer": "", "answer": ""}  # emptied when a negotiation is complete
        # The ufrags in [[LocalIceCredentialsToReplace]]; set by restart_ice(), emptied when no description has them.
        self._to_replace = _NONE
        self.negotiation_needed = False  # whether users were told so; changes in tasks
        self._check_when_empty = False  # whether that is to be looked at when the chain is empty
        self._was_described = False  # True once a local description was set
        self._fire_at_users = fire
        self._tasks = TaskQueue()
        self._remote_tracks = RemoteTracks(self._tasks, self._fire)  # changes when a description is set
        self._complete: list[Promise[None]] = []  # who waits for gathering to be complete
        self._ended: Promise[None] | None = None  # set in close()
        self._closing: asyncio.Task[None] | None = None  # set in close()
        self.transports = Transports(
            configuration,
            names,
            timing,
            self._tasks,
            self._fire,
            media=self._media,
            local=self._local,
            stopped=self._stopped_agents,
        )
        self.engine = Engine(
            self.transports.make_agent,
            bundle_policy=configuration.bundle_policy,
            certificates=configuration.certificates,
            tasks=self._tasks,
            dtls_changed=self.transports.dtls_changed,
            channel_opened=self._channel_opened,
            transceiver_changed=self.update_negotiation_needed,
        )
        self.transports.fill_pool()

    # Operations. Each is called when its turn on the chain has come, and raises what rejects the call at once.

    def create_offer(self, ice_restart: bool) -> Promise[RTCSessionDescription]:
        """Create an offer (webrtc-pc 4.4.2)."""
        signaling_state(self.signaling_state, "local", "offer")
        return self._tasks.run("createOffer", lambda: self._create("offer", ice_restart).value)

    def create_answer(self) -> Promise[RTCSessionDescription]:
        """Create an answer (webrtc-pc 4.4.2)."""
        signaling_state(self.signaling_state, "local", "answer")
        return self._tasks.run("createAnswer", lambda: self._create("answer").value)

    def set_local(self, init: Mapping[str, str]) -> Promise[None]:
        """Set a local description (webrtc-pc 4.4.2)."""
        type = init.get("type") or implied_type(self.signaling_state)
        sdp = "" if type == "rollback" else init.get("sdp", "")
        if sdp and sdp != self._last_created[_created_as(type)]:
            raise InvalidModificationError(f"this is not the {_created_as(type)} that was created last")
        signaling_state(self.signaling_state, "local", type)
        apply = partial(self._roll_back, "local") if type == "rollback" else partial(self._set_local, type, sdp)
        return self._tasks.run("setLocalDescription", apply)

    def set_remote(self, init: Mapping[str, str]) -> Promise[None]:
        """Set a remote description (webrtc-pc 4.4.2)."""
        type = init["type"]
        glare = type == "offer" and self.signaling_state == "have-local-offer"
        signaling_state("stable" if glare else self.signaling_state, "remote", type)
        if type == "rollback":
            return self._tasks.run("setRemoteDescription", partial(self._roll_back, "remote"))
        description = Description(type, init.get("sdp", ""))
        text = self._check_remote(description, self.pending_local)
        if glare:  # in a task of its own
            self._tasks.post(partial(self._roll_back, "local"))
        return self._tasks.run("setRemoteDescription", partial(self._set_remote, description, text))

    def _check_remote(self, description: Description, offer: Description | None) -> str:
        """Raise unless *description* can be applied; if it is an answer, to our *offer*. Return the engine's text."""
        answered = offer if description.type != "offer" else None
        known = [self.pending_remote] if self.pending_remote else [self.current_remote, self.current_local]
        last = [answered] if answered else [each for each in known if each is not None]
        description.name([section.mid or "" for section in last[0].sections] if last else [])
        check(description, answered, last)
        text = explicit(without_candidates(description.named), description.type)
        bare = accept(text, description.rejected)
        if not self.engine.parses(bare):
            raise sdp_syntax_error("it has a line that does not parse")
        if answered is not None:
            if self.engine.lacking(description.type, bare):
                raise InvalidAccessError("the answer has an m-line without a codec that we know")
            check_restart(description, answered, self.current_local, self.current_remote)
        return text

    def add_candidate(self, init: _remote.CandidateInit) -> Promise[None]:
        """Add a remote candidate (webrtc-pc 4.4.2)."""
        additions = _remote.additions(init, self.current_remote, self.pending_remote, self._stopped)
        if not additions:
            return resolved("addIceCandidate", None)
        for addition in additions:
            self.transports.heed(addition, self._remote)
        return self._tasks.run("addIceCandidate", partial(self._write_remote, additions))

    def restart_ice(self) -> None:
        """Let the next offer restart ICE (webrtc-pc 4.4.2)."""
        if self.closed:
            return
        described = (self.current_local, self.pending_local)
        self._to_replace = frozenset(name for each in described if each for name in ufrags(each.text))
        self.update_negotiation_needed()

    def update_negotiation_needed(self) -> None:
        """See whether negotiation is needed, when the chain is empty, and tell users once (webrtc-pc 4.7.3)."""
        if len(self.chain):
            self._check_when_empty = True
        else:
            self._tasks.post(self._check_negotiation)

    def _chain_emptied(self) -> None:
        if self._check_when_empty:
            self._check_when_empty = False
            self.update_negotiation_needed()

    def _check_negotiation(self) -> None:
        if len(self.chain):
            self._check_when_empty = True
        elif self.signaling_state == "stable":
            needed = negotiation_needed(
                self.current_local,
                self.current_remote,
                restarts=bool(self._to_replace),
                channels=self.engine.created_channels,
                transceivers=self.engine.transceiver_states(),
            )
            told, self.negotiation_needed = self.negotiation_needed, needed
            if needed and not told:
                self._fire(Event("negotiationneeded"))

    def set_configuration(self, given: Any, **keywords: Any) -> None:
        """Change the configuration; it counts from the next gathering on (webrtc-pc 4.4.1.6)."""
        self.transports.configuration = changed_configuration(
            self.transports.configuration, self._was_described, given, **keywords
        )
        if not self._was_described:
            self.transports.empty_pool()  # its candidates may be those of other servers
            self.transports.fill_pool()

    def when_complete(self) -> Promise[None]:
        """Fulfilled when the ICE gathering state is complete. Abandoned by close()."""
        promise: Promise[None] = Promise("gathering_complete")
        if self.closed:
            promise.abandon()
        self._complete.append(promise)
        promise.react(self._complete.remove)

        def wait() -> None:
            if self.transports.gathering.state == "complete":
                promise.resolve(None)
            else:
                self.transports.on_complete.append(partial(promise.resolve, None))

        self.in_turn(wait)
        return promise

    def in_turn(self, look: Callable[[], None]) -> None:
        """Call *look* when all calls made so far have settled, and gathering that they began has begun."""
        if not self.closed:
            self.chain.chain("looking", lambda: self._tasks.run("looking", look))

    def _fire(self, event: Event) -> None:
        if not self.closed:  # a listener may have closed the connection in the middle of a task
            self._fire_at_users(event)

    # What the transports ask

    def _media(self) -> dict[str, Media]:
        return self.engine.media()

    def _local(self) -> Sequence[Description | None]:
        return self.pending_local, self.current_local

    def _stopped_agents(self) -> Collection[Agent]:
        return self.engine.stopped

    # Descriptions

    def _create(self, type: str, ice_restart: bool = False) -> Description:
        is_offer = type == "offer"
        with translated():
            text = trickling(self.engine.create_offer() if is_offer else self.engine.create_answer())
        text = associated(text, self.engine.streams())
        if is_offer and (ice_restart or self._to_replace & set(ufrags(text))):
            text = restarting(text, *credentials())
        description = Description(type, self._bundled_offer(text) if is_offer else self._bundled_answer(text))
        for index, owner in self.transports.owners(description).items():
            lines, ended = self.transports.gathering.known(owner.agent, description.sections[index].ufrag or "")
            for line in lines:
                description.add_local_candidate(index, line)
            if ended:
                description.end_candidates(index)
        self._last_created[_created_as(type)] = description.value.sdp
        return description

    def _bundled_offer(self, text: str) -> str:
        text = reject(text, self._stopped)
        text = regroup(text, self.engine.together(bundled(text)))
        return bundle_only(text, self.transports.configuration.bundle_policy, self.engine.apart())

    def _bundled_answer(self, text: str) -> str:
        assert self.pending_remote is not None
        rejected = self._stopped | set(self.pending_remote.unused)
        offered = [mid for mid in self.pending_remote.group if mid not in rejected]
        return reject(regroup(text, self.engine.together(offered)), rejected)

    @property
    def _stopped(self) -> set[str]:
        return {mid for mid, known in self.engine.media().items() if known.stopped}

    def _set_local(self, type: str, sdp: str) -> None:
        description = Description(type, sdp) if sdp else self._create(type)
        if type == "offer":
            self.engine.hold_offer(_bare(description))
        if type == "answer":
            with translated(InvalidAccessError):
                self.engine.apply_local("answer", _bare(description))
            self.engine.reject(description.rejected)
            self.engine.close_rejected(description.rejected)
            self.current_local, self.current_remote = description, self.pending_remote
            self.pending_local = self.pending_remote = None
        else:
            self.pending_local = description
        self._was_described = True
        self.transports.described_locally(description)
        self._negotiated("local", description)

    def _set_remote(self, description: Description, text: str) -> None:
        if description.type != "pranswer":  # the engine gets the final one
            with translated(InvalidAccessError):
                self._apply_remote(description, text)
        if description.type != "answer":
            self.pending_remote = description
        else:
            self.current_remote, self.current_local = description, self.pending_local
            self.pending_local = self.pending_remote = None
        self.transports.described_remotely(description)
        for addition in _remote.contained(description):
            self.transports.heed(addition, description)
            self.transports.note_remote(addition, description)
        self._negotiated("remote", description)

    def _apply_remote(self, description: Description, text: str) -> None:
        if description.type == "answer":
            assert self.pending_local is not None
            self.engine.apply_local("offer", _bare(self.pending_local))
        else:  # not before: the transceivers may be others by now
            description.refused = self.engine.lacking("offer", accept(text, description.rejected))
        bundle = shared(description.named, description.unused)
        bare = accept(text, description.rejected, description.refused)
        self.engine.apply_remote(description.type, bare, bundle, description.unused)
        self.engine.reject(description.rejected)
        if description.type == "answer":
            self.engine.close_rejected(description.rejected)

    def _roll_back(self, side: str) -> None:
        self.engine.take_back()
        self.pending_local = self.pending_remote = None
        self.transports.withdraw(self.current_local, self.current_remote)
        self._negotiated(side, None)

    def _negotiated(self, side: str, description: Description | None) -> None:
        """*side* has set *description*, or has taken back an offer, if that is None."""
        state = signaling_state(self.signaling_state, side, description.type if description else "rollback")
        found = self._remote_tracks.describe(side, description, self.engine.receiving(), state)
        if state == "stable":
            if description is not None:
                self._last_created = {"offer": "", "answer": ""}
            if self._to_replace and self.current_local and not self._to_replace & set(ufrags(self.current_local.text)):
                self._to_replace = _NONE
        if state != self.signaling_state:
            self.signaling_state = state
            self._fire(Event("signalingstatechange"))
        if state == "stable":
            self.transports.begin_checks()
            self.transports.empty_pool()
            self.negotiation_needed = False
            self.update_negotiation_needed()
        self._remote_tracks.tell(found)

    def _write_remote(self, additions: list[_remote.Addition]) -> None:
        for addition in additions:
            _remote.write(addition, (self.pending_remote, self.current_remote))
            self.transports.note_remote(addition, self._remote)

    @property
    def _remote(self) -> Description:
        description = self.pending_remote or self.current_remote
        assert description is not None
        return description

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self._tasks.post(partial(self._fire, RTCDataChannelEvent("datachannel", channel=channel)))

    # The end

    def close(self) -> Promise[None]:
        """Close at once (webrtc-pc 4.4.2); the promise is fulfilled when no task and no socket is left."""
        if self._ended is None:
            self.closed = True
            self.signaling_state = "closed"
            self.transports.close()
            self._tasks.close()
            self.transports.empty_pool()
            self.chain.abandon()
            for promise in self._complete:
                promise.abandon()
            self._ended = Promise("close")
            self._closing = asyncio.get_running_loop().create_task(self._shut_down(self._ended))
        return self._ended

    async def _shut_down(self, ended: Promise[None]) -> None:
        try:
            try:
                await self.engine.shut_down()
            finally:
                await self.transports.shut_down()
        except Exception as error:
            ended.reject(error)
        finally:  # also when the loop ends, and this is cancelled
            ended.resolve(None)


def _bare(description: Description) -> str:
    """The text of one of ours for the engine, which learns of candidates and groups otherwise.

    It knows no m-lines that are rejected.
    """
    return accept(without_candidates(description.text), description.rejected)


def _created_as(type: str) -> str:
    """What was created to be set as *type*: a provisional answer is an answer that is not final."""
    return "answer" if type == "pranswer" else type
