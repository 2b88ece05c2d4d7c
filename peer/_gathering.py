"""Which events tell of local candidates, in which order, with which mid and ufrag. Pure decisions.

The shell reports facts; each report is one task of the W3C's (one turn of the loop, atomic to users), and is answered
with the steps to take in that task, in order. The rules, with the algorithms of webrtc-pc 5.6 they come from:

1. *began*: a transport has begun to gather a generation. The transport's state becomes "gathering" and the connection's
   is derived anew; the transport's event comes first, then the connection's if its state changed.
2. *found*: a candidate was found. It is written into every local description that carries its generation, then
   announced. ("surface a candidate")
3. *ended*: a generation has no more candidates. ``a=end-of-candidates`` is written into the descriptions that carry it,
   then the marker is announced: a candidate whose text is "", with the mid, index and ufrag it belongs to.
4. *settled*: reported one task after *ended*. If no other generation of the transport is being gathered, the
   transport's state becomes "complete", the connection's is derived anew, both events follow, and if that completed the
   connection, the null candidate. The null comes once for the connection, not once for each transport: the text of the
   W3C can be read either way; both browsers do this.
5. *discarded*: no description will have the generation any more: the one that began it was taken back, or a newer one
   has been negotiated. What is found for it is not announced any more, and as in 4, the others may now be complete.
6. *dropped*: a transport is gone, for bundling. Nothing of it is announced any more, and the connection's state is
   derived from the others. If that completes the connection, that is announced as in 4.

What is announced carries the mid and the index of the m-line that the transport was created for ("the values associated
with this RTCIceTransport"), and the ufrag of the generation. A transport may have several generations, by ufrag.

                 began            ended, settled: no other generation
    new ───────────────▶ gathering ───────────────▶ complete
                             ▲                          │ began (a new generation)
                             └──────────────────────────┘
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._candidate import RTCIceCandidate, RTCIceServerTransportProtocol
from ._states import ice_gathering_state

Key = Any  # names a transport; the shell says what it is. It must be hashable.


@dataclass(frozen=True)
class Write:
    """Write *line* ("candidate:..." or, at the end, "") into the descriptions whose section *index* carries *ufrag*."""

    index: int
    ufrag: str
    line: str


@dataclass(frozen=True)
class Announce:
    """Fire icecandidate with *candidate*; if it was found on a *transport*, it is one of that transport's now."""

    candidate: RTCIceCandidate | None
    transport: Key | None = None


@dataclass(frozen=True)
class TransportState:
    """Fire gatheringstatechange at *transport*, which is now in *state*."""

    transport: Key
    state: str


@dataclass(frozen=True)
class ConnectionState:
    """Set the connection's ICE gathering state and fire icegatheringstatechange."""

    state: str


Step = Write | Announce | TransportState | ConnectionState


@dataclass
class _Generation:
    candidates: list[RTCIceCandidate] = field(default_factory=list)  # announced so far; grows
    ended: bool = False  # True once the marker was announced


@dataclass
class _Transport:
    mid: str  # of the m-line the transport was created for; never changes
    index: int  # of that m-line; never changes
    state: str = "new"
    generations: dict[str, _Generation] = field(default_factory=dict)  # by ufrag, oldest first


class Gathering:
    """What a connection has gathered and announced. Transports are named by any key the shell likes."""

    def __init__(self) -> None:
        self.state = "new"  # the connection's; changes with the reports
        self._transports: dict[Key, _Transport] = {}  # grows with began(), shrinks with dropped()
        self._announced: list[RTCIceCandidate] = []  # candidates and markers in order; see announced
        self._unreachable: list[str] = []  # see is_news(); emptied when the state changes

    @property
    def announced(self) -> tuple[RTCIceCandidate, ...]:
        """The candidates and markers of the newest generations, in the order they were announced."""
        newest = {
            (transport.mid, ufrag)
            for transport in self._transports.values()
            for ufrag in list(transport.generations)[-1:]
        }
        return tuple(c for c in self._announced if (c.sdpMid, c.usernameFragment) in newest)

    @property
    def transports(self) -> tuple[Key, ...]:
        """The transports that have begun to gather and were not dropped."""
        return tuple(self._transports)

    def place(self, transport: Key) -> tuple[str, int]:
        """The mid and the index of the m-line that *transport* was created for."""
        known = self._transports[transport]
        return known.mid, known.index

    def known(self, transport: Key, ufrag: str) -> tuple[list[str], bool]:
        """The lines of a generation's candidates so far, and whether it has ended: for a description made now."""
        known = self._transports.get(transport)
        generation = known.generations.get(ufrag) if known else None
        if generation is None:
            return [], False
        return [candidate.candidate for candidate in generation.candidates], generation.ended

    def began(self, transport: Key, mid: str, index: int, ufrag: str) -> list[Step]:
        """Gathering of the generation *ufrag* has begun on a transport created for the m-line *index*."""
        known = self._transports.setdefault(transport, _Transport(mid, index))
        known.generations[ufrag] = _Generation()
        return self._enter(transport, known, "gathering")

    def found(
        self,
        transport: Key,
        ufrag: str,
        text: str,
        url: str | None = None,
        relay_protocol: RTCIceServerTransportProtocol | None = None,
    ) -> list[Step]:
        """A candidate was found; *text* is its candidate-attribute."""
        known = self._gathering(transport, ufrag)
        if known is None:
            return []
        candidate = RTCIceCandidate(
            candidate=text,
            sdpMid=known.mid,
            sdpMLineIndex=known.index,
            usernameFragment=ufrag,
            url=url,
            relayProtocol=relay_protocol,
        )
        known.generations[ufrag].candidates.append(candidate)
        self._announced.append(candidate)
        return [Write(known.index, ufrag, text), Announce(candidate, transport)]

    def ended(self, transport: Key, ufrag: str) -> list[Step]:
        """The generation *ufrag* has no more candidates."""
        known = self._gathering(transport, ufrag)
        if known is None:
            return []
        known.generations[ufrag].ended = True
        marker = RTCIceCandidate(candidate="", sdpMid=known.mid, sdpMLineIndex=known.index, usernameFragment=ufrag)
        self._announced.append(marker)
        return [Write(known.index, ufrag, ""), Announce(marker)]

    def settled(self, transport: Key) -> list[Step]:
        """The task after :meth:`ended`."""
        known = self._transports.get(transport)
        if known is None or not known.generations or not all(g.ended for g in known.generations.values()):
            return []
        return self._enter(transport, known, "complete")

    def is_news(self, url: str) -> bool:
        """Whether to say that a server could not be reached: once for each URL while the state is "gathering".

        Several transports may have asked it (webrtc-pc 4.8.3, errorCode).
        """
        if self.state != "gathering" or url in self._unreachable:
            return False
        self._unreachable.append(url)
        return True

    def discarded(self, transport: Key, ufrag: str) -> list[Step]:
        """No description will have the generation *ufrag* any more."""
        known = self._transports.get(transport)
        if known is None or known.generations.pop(ufrag, None) is None:
            return []
        self._announced = [c for c in self._announced if (c.sdpMLineIndex, c.usernameFragment) != (known.index, ufrag)]
        return self.settled(transport)

    def dropped(self, transport: Key) -> list[Step]:
        """The transport is gone."""
        self._transports.pop(transport, None)
        return self._derive()

    def _gathering(self, transport: Key, ufrag: str) -> _Transport | None:
        known = self._transports.get(transport)
        return known if known is not None and ufrag in known.generations else None

    def _enter(self, key: Key, transport: _Transport, state: str) -> list[Step]:
        if transport.state == state:
            return []
        transport.state = state
        return [TransportState(key, state), *self._derive()]

    def _derive(self) -> list[Step]:
        state = ice_gathering_state([transport.state for transport in self._transports.values()])
        if state == self.state:
            return []
        self.state = state
        self._unreachable.clear()
        steps: list[Step] = [ConnectionState(state)]
        if state == "complete":
            steps.append(Announce(None))
        return steps
