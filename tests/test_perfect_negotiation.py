"""Perfect negotiation, as examples/perfect_negotiation has it: both sides change what they like, when they like.

What is tested is the example itself, in both languages, and peer.signaling, over signalling that takes a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
from pathlib import Path

import pytest
from peers import Tone, emitted, open_peers, reached

from examples.perfect_negotiation.negotiation import Negotiation
from peer.signaling import negotiate

SCRIPT = (Path(__file__).parents[1] / "examples/perfect_negotiation/negotiation.js").read_text()
LATE = 0.01  # seconds that a message takes at most
TRACKS = 3  # that a side adds at most
CHANGES = ("add_channel", "add_track", "add_transceiver", "restart")
REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class Wire:
    """Signalling in one direction: keeps the order, and brings each message at random a little late.

    With *together*, a message does not wait until the one before is dealt with, as in a page.
    """

    def __init__(self, chance, *, together):
        self._chance, self._together = chance, together
        self._messages = asyncio.Queue()
        self._under_way = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def send(self, message):
        self._under_way += 1
        self.idle.clear()
        self._messages.put_nowait(json.loads(json.dumps(message)))

    async def carry(self, receive, group):
        """Give what was sent to *receive*, for ever."""
        while True:
            message = await self._messages.get()
            await asyncio.sleep(self._chance.uniform(0, LATE))
            receipt = group.create_task(self._deliver(receive, message))
            if not self._together:
                await receipt

    async def _deliver(self, receive, message):
        await receive(message)
        self._under_way -= 1
        if not self._under_way:
            self.idle.set()


class Loop:
    """What peer.signaling does, with the face of the example."""

    def __init__(self, pc, send, *, polite, group):
        self._pc, self._send = pc, send
        self._messages = asyncio.Queue()
        group.create_task(negotiate(pc, self, polite=polite))

    @property
    def making_offer(self):
        return self._pc._session.negotiation_needed

    async def receive(self, message):
        self._messages.put_nowait(message)
        await self._messages.join()

    async def send(self, message):
        await self._send({name: value.toJSON() for name, value in message.items()})

    async def __aiter__(self):
        while True:
            yield await self._messages.get()
            self._messages.task_done()


def example(pc, send, *, polite, group):
    return Negotiation(pc, send, polite=polite)


class PythonSide:
    """A connection of ours that negotiates, and what came over it."""

    def __init__(self, pc, wire, group, *, polite, negotiation):
        self.pc, self.wire, self._group = pc, wire, group
        self._negotiation = negotiation(pc, wire.send, polite=polite, group=group)
        self.receive = self._negotiation.receive
        self._channels = {}  # by label, each with the answers that came over it
        self._played = {}  # by track; set when there was something to hear
        self._news = asyncio.Event()  # set when there is a new channel or track
        pc.ondatachannel = lambda event: self._keep(event.channel)
        pc.ontrack = lambda event: self._play(event.track)

    async def add_channel(self, label):
        self._keep(self.pc.createDataChannel(label))

    async def add_track(self, _):
        self.pc.addTrack(Tone(every=0.1))

    async def add_transceiver(self, _):
        self.pc.addTransceiver("video", direction="recvonly")

    async def restart(self, _):
        self.pc.restartIce()

    def _keep(self, channel):
        answers = asyncio.Queue()
        self._channels[channel.label] = channel, answers
        channel.on("message", lambda text: answers.put_nowait(text) if text == "here" else channel.send("here"))
        self._news.set()

    def _play(self, track):
        self._played[track] = asyncio.Event()
        self._group.create_task(self._listen(track))
        self._news.set()

    async def _listen(self, track):
        while True:
            await track.recv()
            self._played[track].set()

    async def _new(self, things, count):
        while len(things) < count:
            self._news.clear()
            await self._news.wait()

    async def rests(self):
        """Whether no negotiation is under way on this side."""
        for _ in range(5):  # the turns in which negotiationneeded may be fired
            await asyncio.sleep(0)
        return self.pc.signalingState == "stable" and not self._negotiation.making_offer

    async def connects(self):
        """Wait until it is connected."""
        await reached(self.pc, "connectionState", "connected")

    async def restarts(self):
        """Wait until it is connected over a pair of the credentials that were negotiated last."""
        (ice,) = {carrier.transport.iceTransport for carrier in (*self.pc.getReceivers(), self.pc.sctp)}
        wanted = ice.getLocalParameters().usernameFragment, ice.getRemoteParameters().usernameFragment
        changed = asyncio.Event()
        ice.onselectedcandidatepairchange = lambda _: changed.set()
        while _ufrags(ice.getSelectedCandidatePair()) != wanted:
            changed.clear()
            await changed.wait()

    async def carries(self, channels, tracks):
        """Wait until each of so many channels has carried a message and its answer, and each track something new."""
        await self._new(self._channels, channels)
        await asyncio.gather(*(self._echo(*known) for known in self._channels.values()))
        await self._new(self._played, tracks)
        for played in self._played.values():
            played.clear()
        for played in self._played.values():
            await played.wait()
        return [len(self._channels), len(self._played)]

    async def _echo(self, channel, answers):
        if channel.readyState != "open":
            await emitted(channel, "open")
        channel.send("are you there?")
        await answers.get()

    async def describes(self):
        """The local description, and the directions that were negotiated, by mid."""
        return self.pc.localDescription.sdp, {t.mid: t.currentDirection for t in self.pc.getTransceivers()}


class PageSide:
    """The same, in a page."""

    PREPARE = f"""
        {SCRIPT}
        const pc = state.pc = new RTCPeerConnection();
        state.negotiation = new Negotiation(pc, send, {{polite: args[0]}});
        state.channels = [];
        state.keep = (channel) => {{
            state.channels.push(channel);
            channel.answered = () => new Promise((resolve) => {{ channel.answer = resolve; }});
            channel.onmessage = ({{data}}) => data === "here" ? channel.answer() : channel.send("here");
        }};
        pc.ondatachannel = ({{channel}}) => state.keep(channel);
        state.tracks = 0;
        pc.ontrack = () => {{ state.tracks += 1; }};
        [state.sound] = (await navigator.mediaDevices.getUserMedia({{audio: true}})).getTracks();
        state.until = async (condition) => {{
            while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 10));
        }};
    """
    RESTS = 'return state.pc.signalingState === "stable" && !state.negotiation.makingOffer'
    # A page is not told of packets that come: it has to look.
    CARRIES = """
        const [channels, tracks] = args;
        await state.until(() => state.channels.length >= channels);
        await Promise.all(state.channels.map(async (channel) => {
            if (channel.readyState !== "open") await new Promise((resolve) => { channel.onopen = resolve; });
            const answered = channel.answered();
            channel.send("are you there?");
            await answered;
        }));
        const received = () => Promise.all(state.pc.getReceivers().map(async (receiver) => {
            const entries = [...(await receiver.getStats()).values()];
            return entries.find(({type}) => type === "inbound-rtp")?.packetsReceived ?? 0;
        }));
        const before = await received();
        await state.until(async () => {
            const more = (await received()).filter((count, index) => count > (before[index] ?? 0));
            return more.length >= tracks;
        });
        return [state.channels.length, state.tracks];
    """
    DESCRIBES = """
        const negotiated = state.pc.getTransceivers().map(({mid, currentDirection}) => [mid, currentDirection]);
        return [state.pc.localDescription.sdp, Object.fromEntries(negotiated)];
    """

    def __init__(self, page, wire):
        self._page, self.wire = page, wire

    async def start(self, *, polite, group):
        await self._page.evaluate(self.PREPARE, polite)
        group.create_task(self._send())

    async def _send(self):
        while True:
            await self.wire.send(await self._page.messages.get())

    async def receive(self, message):
        await self._page.evaluate("await state.negotiation.receive(args[0])", message)

    async def add_channel(self, label):
        await self._page.evaluate("state.keep(state.pc.createDataChannel(args[0]))", label)

    async def add_track(self, _):
        await self._page.evaluate("state.pc.addTrack(state.sound.clone())")

    async def add_transceiver(self, _):
        await self._page.evaluate("state.pc.addTransceiver('video', {direction: 'recvonly'})")

    async def restart(self, _):
        await self._page.evaluate("state.pc.restartIce()")

    async def rests(self):
        return await self._page.evaluate(self.RESTS)

    async def connects(self):
        await self._page.evaluate("await state.until(() => state.pc.connectionState === 'connected')")

    async def carries(self, channels, tracks):
        return await self._page.evaluate(self.CARRIES, channels, tracks)

    async def describes(self):
        return await self._page.evaluate(self.DESCRIBES)


class Rounds:
    """Rounds in which both sides change things at random moments; after each all must be well."""

    def __init__(self, chance, one, other, changes=(CHANGES, CHANGES)):
        self._chances = {side: random.Random(chance.random()) for side in (one, other)}
        self._changes = dict(zip((one, other), changes, strict=True))
        self._channels = 0
        self._tracks = dict.fromkeys((one, other), 0)

    async def play(self, count):
        one, other = self._tracks
        for number in range(count):
            await asyncio.gather(self._change(one, number), self._change(other, number))
            await _settle(one, other)
            await asyncio.gather(one.connects(), other.connects())
            if isinstance(other, PythonSide):  # Chromium prefers the old pair, as long as we answer there
                await asyncio.gather(one.restarts(), other.restarts())
            carried = await asyncio.gather(
                one.carries(self._channels, self._tracks[other]), other.carries(self._channels, self._tracks[one])
            )
            assert carried == [[self._channels, self._tracks[other]], [self._channels, self._tracks[one]]]
            await _settle(one, other)
            (text, directions), (their_text, their_directions) = await asyncio.gather(
                one.describes(), other.describes()
            )
            assert _m_lines(text) == _m_lines(their_text)
            assert directions == {mid: REVERSED[direction] for mid, direction in their_directions.items()}

    async def _change(self, side, number):
        chance = self._chances[side]
        for change in chance.choices(self._changes[side], k=2) if number else ["add_channel", "add_track"]:
            if change == "add_track":
                if self._tracks[side] == TRACKS:
                    continue
                self._tracks[side] += 1
            self._channels += change == "add_channel"
            await getattr(side, change)(str(self._channels))
            await asyncio.sleep(chance.uniform(0, LATE))


async def _settle(*sides):
    """Wait until nothing is under way between the two sides."""
    while True:
        for side in sides:
            await side.wire.idle.wait()
        resting = [await side.rests() for side in sides]
        if all(resting) and all(side.wire.idle.is_set() for side in sides):
            return


def _ufrags(pair):
    return pair and (pair.local.usernameFragment, pair.remote.usernameFragment)


def _m_lines(sdp):
    return [
        (re.match(r"m=(\S+)", section)[1], re.search(r"(?m)^a=mid:(\S+)", section)[1])
        for section in re.split(r"(?m)^(?=m=)", sdp)[1:]
    ]


@contextlib.asynccontextmanager
async def working():
    """A group for tasks that never end by themselves: they do at the end. Raises what they raise."""
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            yield group
            raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("negotiation", "together"),
    [(example, True), (example, False), (Loop, True)],
    ids=["together", "in turn", "peer.signaling"],
)
@pytest.mark.parametrize("seed", range(2))
async def test_two_python_peers_change_things_in_fifty_rounds(seed, negotiation, together):
    chance = random.Random(seed)
    async with open_peers(None, None) as (polite, impolite), working() as group:
        there, back = (Wire(chance, together=together) for _ in range(2))
        one = PythonSide(polite, there, group, polite=True, negotiation=negotiation)
        other = PythonSide(impolite, back, group, polite=False, negotiation=negotiation)
        group.create_task(there.carry(other.receive, group))
        group.create_task(back.carry(one.receive, group))
        await Rounds(chance, one, other).play(10)


@pytest.mark.parametrize("negotiation", [example, Loop], ids=["the example", "peer.signaling"])
@pytest.mark.parametrize("polite", ["Python", "page"])
async def test_a_page_and_a_python_peer_change_things_in_five_rounds(browser, page, polite, negotiation):
    chance = random.Random(polite)
    async with open_peers(None) as (pc,), working() as group:
        there, back = (Wire(chance, together=True) for _ in range(2))
        one = PythonSide(pc, there, group, polite=polite == "Python", negotiation=negotiation)
        other = PageSide(page, back)
        await other.start(polite=polite == "page", group=group)
        group.create_task(there.carry(other.receive, group))
        group.create_task(back.carry(one.receive, group))
        # Firefox cannot take an offer that restarts ICE while it has one that does not.
        ours = CHANGES[:3] if (browser.name, polite) == ("firefox", "page") else CHANGES
        await Rounds(chance, one, other, (ours, CHANGES)).play(5)
