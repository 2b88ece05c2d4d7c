"""A description that is set changes everything that users see in one turn, before the first event about it."""

from __future__ import annotations

import asyncio
import re

import pytest
from peers import Tone, connect_once, negotiate, open_peers, visible

ROLLBACK = {"type": "rollback"}


class Watch:
    """Looks at a connection after each callback that the loop runs, and in each event; see :meth:`noted`."""

    def __init__(self, peer):
        self._peer = peer
        self._seen = visible(peer)
        self._noted = []  # of the callback that runs
        self.callbacks = []  # what was noted, by callback
        for type in ("signalingstatechange", "track"):
            peer.addEventListener(type, lambda event: self._look(event.type))

    def _look(self, *label):
        seen, before = visible(self._peer), self._seen
        self._seen = seen
        self._noted += ["change"] * (seen != before) + [*label]

    def _run(self, callback, *args):
        try:
            callback(*args)
        finally:
            self._look()
            if self._noted:
                self.callbacks.append(self._noted)
                self._noted = []

    async def noted(self, call):
        """Make the call, and wait for it; what was noted, by callback: "change", events, and "settled"."""
        loop = asyncio.get_running_loop()
        self.callbacks = []
        call_soon = loop.call_soon
        loop.call_soon = lambda callback, *args, context=None: call_soon(self._run, callback, *args, context=context)
        try:
            promise = call()
            promise.react(lambda _: self._look("settled"))
            self._look()
            assert self._noted == []  # nothing inside the call
            await promise
            for _ in range(20):  # nothing about it comes later
                await asyncio.sleep(0)
        finally:
            del loop.call_soon
        return self.callbacks


STATE = ["change", "signalingstatechange", "settled"]
TRACK = ["change", "signalingstatechange", "track", "settled"]


def media(offerer, answerer):
    """Something of each kind."""
    offerer.addTrack(Tone())
    offerer.addTransceiver("video")
    offerer.createDataChannel("chat")
    answerer.addTrack(Tone())


async def negotiated(offerer, answerer, **expected):
    """Negotiate, and compare what was noted of each of the four calls with what is *expected*, where not STATE."""
    ours, theirs = Watch(offerer), Watch(answerer)
    noted = {
        "offer": await ours.noted(offerer.setLocalDescription),
        "offered": await theirs.noted(lambda: answerer.setRemoteDescription(offerer.localDescription)),
        "answer": await theirs.noted(answerer.setLocalDescription),
        "answered": await ours.noted(lambda: offerer.setRemoteDescription(answerer.localDescription)),
    }
    assert noted == {call: [expected.get(call, STATE)] for call in noted}


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
async def test_an_offer_and_an_answer(policy):
    async with open_peers({"bundlePolicy": policy}, {"bundlePolicy": policy}) as (offerer, answerer):
        media(offerer, answerer)
        await negotiated(offerer, answerer, offered=[*STATE[:-1], "track", "track", "settled"], answered=TRACK)


async def test_what_is_not_bundled():
    async with open_peers(None, None) as (offerer, answerer):
        media(offerer, answerer)
        ours, theirs = Watch(offerer), Watch(answerer)
        await offerer.setLocalDescription()
        offer = re.sub("a=group:BUNDLE.*\r\n", "a=group:BUNDLE 0 2\r\n", offerer.localDescription.sdp)
        tracks = [*STATE[:-1], "track", "track", "settled"]
        assert await theirs.noted(lambda: answerer.setRemoteDescription(type="offer", sdp=offer)) == [tracks]
        assert await theirs.noted(answerer.setLocalDescription) == [STATE]
        ours = Watch(offerer)
        assert await ours.noted(lambda: offerer.setRemoteDescription(answerer.localDescription)) == [TRACK]


async def test_what_is_negotiated_again_while_it_flows():
    async with open_peers(None, None) as (offerer, answerer):
        await connect_once(offerer, answerer)
        media(offerer, answerer)
        await negotiated(offerer, answerer, offered=[*STATE[:-1], "track", "track", "settled"], answered=TRACK)
        offerer.getTransceivers()[0].direction = "inactive"
        answerer.restartIce()
        await negotiated(answerer, offerer)


async def test_what_the_answerer_has_stopped():
    async with open_peers(None, None) as (offerer, answerer):
        media(offerer, answerer)
        offerer.setLocalDescription()
        await answerer.setRemoteDescription(await offerer.createOffer())
        ours, theirs = Watch(offerer), Watch(answerer)
        await answerer.getTransceivers()[1].stop()
        theirs = Watch(answerer)
        assert await theirs.noted(answerer.setLocalDescription) == [STATE]
        assert await ours.noted(lambda: offerer.setRemoteDescription(answerer.localDescription)) == [TRACK]


@pytest.mark.parametrize("connected", [False, True])
async def test_what_the_offerer_has_stopped(connected):
    async with open_peers({"bundlePolicy": "max-compat"}, None) as (offerer, answerer):
        media(offerer, answerer)
        await (connect_once if connected else negotiate)(offerer, answerer)
        await offerer.getTransceivers()[1].stop()
        await negotiated(offerer, answerer)


async def test_a_replaced_offer():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        ours, theirs = Watch(offerer), Watch(answerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        offerer.addTrack(Tone())
        ours, theirs = Watch(offerer), Watch(answerer)
        assert await ours.noted(offerer.setLocalDescription) == [["change", "settled"]]
        noted = await theirs.noted(lambda: answerer.setRemoteDescription(offerer.localDescription))
        assert noted == [["change", "track", "settled"]]


@pytest.mark.parametrize("connected", [False, True])
async def test_an_offer_that_is_taken_back(connected):
    async with open_peers(None, None) as (offerer, answerer):
        if connected:
            await connect_once(offerer, answerer)
        media(offerer, answerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        ours, theirs = Watch(offerer), Watch(answerer)
        assert await ours.noted(lambda: offerer.setLocalDescription(ROLLBACK)) == [STATE]
        assert await theirs.noted(lambda: answerer.setRemoteDescription(ROLLBACK)) == [STATE]


async def test_offers_of_both_sides_at_once_are_two_changes():
    async with open_peers(None, None) as (polite, impolite):
        media(polite, impolite)
        impolite.createDataChannel("chat")
        for peer in (polite, impolite):
            await peer.setLocalDescription()
        yielding = Watch(polite)
        noted = await yielding.noted(lambda: polite.setRemoteDescription(impolite.localDescription))
        assert noted == [STATE[:-1], TRACK]


async def test_provisional_answers():
    async with open_peers(None, None) as (offerer, answerer):
        media(offerer, answerer)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        ours, theirs = Watch(offerer), Watch(answerer)
        for last in ([STATE], [["change", "settled"]]):
            assert await theirs.noted(lambda: answerer.setLocalDescription({"type": "pranswer"})) == last
            assert await ours.noted(lambda: offerer.setRemoteDescription(answerer.localDescription)) == last
            answerer.getTransceivers()[0].direction = "inactive"
            theirs = Watch(answerer)
        assert await theirs.noted(answerer.setLocalDescription) == [STATE]
        assert await ours.noted(lambda: offerer.setRemoteDescription(answerer.localDescription)) == [STATE]


async def test_calls_in_a_row_are_one_change_each():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        offer = await offerer.createOffer()
        watch = Watch(answerer)
        answerer.setRemoteDescription(offer)
        noted = await watch.noted(answerer.setLocalDescription)
        assert noted == [STATE[:-1], STATE]
