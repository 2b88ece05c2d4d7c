"""Perfect negotiation (webrtc-pc 10.7): who ignores what when, and which candidates wait. Pure decisions.

Both sides may offer whenever they like. One is polite, the other one is not, and both know which. A message is looked
at when the one before it has been dealt with; so the W3C's flag for an answer that is being set is not needed.

    an offer, while one of ours is being made or has no answer
        and we are polite                                   -> set: that takes ours back; then answer
        and we are not                                      -> ignore: the other side takes it back
    any other offer, also after one that is not answered    -> set, then answer
    an answer, a provisional one, a rollback                -> set

    a null candidate                                        -> ignore: what ends is told by candidates without a text
    a candidate                                             -> add; if that is refused:
        its text does not parse                             -> give up: no description will change that
        its ufrag is that of an offer that was ignored,     -> forget: the other side knows that it comes in vain
            or of a description that was replaced since
        anything else                                       -> wait

Signalling may deliver a candidate before its description. So one that is refused waits, and is added again whenever a
description has been set, in the order in which they came. Between it and its description another one may come: an
answer, when both sides have offered. When it was refused after two, it belongs to neither, and is given up. So are the
oldest, when more wait than the room is for. What is given up is reported.

When a negotiation begins, something may have been missed or lost before:

    negotiation is needed already, as a listener was told   -> offer
    there is an offer of ours that has no answer            -> send it again: it, or its answer, may have been lost
    there is an offer that we have not answered             -> wait: it is sent again, and two answers are one too many
    nothing of that                                         -> send our candidates again: the descriptions that are
                                                               sent above carry them
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from ._candidate import RTCIceCandidate
from ._description import ufrags

_ROOM = 64 * 1024  # characters: several hundred candidates
_DESCRIPTIONS = 2  # that are set while a candidate waits
_OUTDATED = 100  # ufrags whose candidates come in vain: more than there are in the last few descriptions


def is_ignored(type: str, *, polite: bool, making_offer: bool, signaling_state: str) -> bool:
    """Whether a description of this *type* is ignored, and else set."""
    pending = signaling_state in ("have-local-offer", "have-remote-pranswer")
    return type == "offer" and not polite and (making_offer or pending)


def first_step(signaling_state: str, *, needed: bool) -> Literal["offer", "send description", "send candidates"] | None:
    """What to do when a negotiation begins; *needed* tells whether negotiationneeded was fired, and not followed."""
    if signaling_state == "stable":
        return "offer" if needed else "send candidates"
    return "send description" if signaling_state == "have-local-offer" else None


class Waiting:
    """The candidates that wait for their description."""

    def __init__(self) -> None:
        # Those that wait, in the order in which they came, with the number of descriptions that were set meanwhile.
        self._descriptions: dict[RTCIceCandidate, int] = {}
        self._room = _ROOM  # characters for which there is room; changes with what waits
        self._ufrags: list[str] = []  # of the description that was set last
        self._ignored: list[str] = []  # those of the offer that was ignored last; they may be the same
        self._outdated: deque[str] = deque(maxlen=_OUTDATED)  # those of what was set or ignored before; newest last

    def refused(self, candidate: RTCIceCandidate) -> list[RTCIceCandidate]:
        """The *candidate* was refused, the first time or again. Return those that are given up."""
        if candidate.candidate and candidate.protocol is None:
            return [candidate]
        if self._comes_in_vain(candidate.usernameFragment):
            self.forget(candidate)
            return []
        if candidate not in self._descriptions:
            self._descriptions[candidate] = 0
            self._room -= _size(candidate)
        given_up = []
        if self._descriptions[candidate] == _DESCRIPTIONS:
            given_up.append(candidate)
            self.forget(candidate)
        while self._room < 0:
            oldest = next(iter(self._descriptions))
            given_up.append(oldest)
            self.forget(oldest)
        return given_up

    def forget(self, candidate: RTCIceCandidate) -> None:
        """The *candidate* does not wait, or not any more: it was added."""
        if candidate in self._descriptions:
            del self._descriptions[candidate]
            self._room += _size(candidate)

    def described(self, sdp: str) -> list[RTCIceCandidate]:
        """A description with this text was set.

        Return the candidates that are to be added again; each is refused, or else to be forgotten.
        """
        self._outdated += self._ufrags
        self._ufrags = ufrags(sdp)
        for candidate in self._descriptions:
            self._descriptions[candidate] += 1
        return list(self._descriptions)

    def ignored(self, sdp: str) -> None:
        """An offer with this text was ignored, and so are its candidates."""
        self._outdated += self._ignored
        self._ignored = ufrags(sdp)
        for candidate in list(self._descriptions):
            if candidate.usernameFragment in self._ignored:
                self.forget(candidate)

    def _comes_in_vain(self, ufrag: str | None) -> bool:
        return ufrag in self._ignored or (ufrag in self._outdated and ufrag not in self._ufrags)


def _size(candidate: RTCIceCandidate) -> int:
    return len(repr(candidate.toJSON()))
