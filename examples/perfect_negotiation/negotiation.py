"""Perfect negotiation (webrtc-pc 10.7): the part to copy. It fits any signalling that keeps messages in order.

Both sides may add channels and tracks and restart ICE whenever they like. When two offers meet, the impolite side
ignores the other one's, and the polite side takes its own back, answers, and offers again. Who is polite is agreed
beforehand: one side is, the other is not.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from peer import DOMException, Event, RTCPeerConnection, RTCPeerConnectionIceEvent

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Negotiation:
    """Negotiates *pc* whenever that is needed. Call :meth:`receive` with what the other side has sent."""

    def __init__(self, pc: RTCPeerConnection, send: Send, *, polite: bool) -> None:
        self.pc, self.send, self.polite = pc, send, polite
        self.making_offer = False  # an offer of ours is being made; the signaling state will say so when it is set
        self.setting_answer = False  # an answer is being set: what comes now finds a stable connection
        self.ignoring_offer = False  # the last description was an offer that we ignore, and so are its candidates
        pc.onnegotiationneeded = self.negotiate
        pc.onicecandidate = self.send_candidate

    async def negotiate(self, _: Event) -> None:
        """Offer. As in a browser, this begins when the event is fired: nothing comes in between."""
        try:
            self.making_offer = True
            await self.pc.setLocalDescription()
        finally:
            self.making_offer = False
        await self.send_description()

    async def send_description(self) -> None:
        description = self.pc.localDescription
        await self.send({"description": description.toJSON()})

    async def send_candidate(self, event: RTCPeerConnectionIceEvent) -> None:
        if event.candidate is not None:
            await self.send({"candidate": event.candidate.toJSON()})

    async def receive(self, message: dict[str, Any]) -> None:
        """Take one *message*. The next may be given at once, or when this one is done."""
        match message:
            case {"description": description}:
                await self.receive_description(description)
            case {"candidate": candidate}:
                try:
                    await self.pc.addIceCandidate(candidate)
                except DOMException as error:  # such as one of an offer that was taken back, which came late
                    if not self.ignoring_offer:
                        logger.warning("a candidate was refused: %s", error)

    async def receive_description(self, description: dict[str, str]) -> None:
        is_offer = description["type"] == "offer"
        stable = self.pc.signalingState == "stable" or self.setting_answer
        self.ignoring_offer = is_offer and not self.polite and (self.making_offer or not stable)
        if self.ignoring_offer:
            return
        self.setting_answer = not is_offer
        try:
            await self.pc.setRemoteDescription(description)  # takes our own offer back if there is one
        finally:
            self.setting_answer = False
        if is_offer:
            await self.pc.setLocalDescription()
            await self.send_description()
