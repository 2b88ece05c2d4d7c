"""peer.signaling: what carries messages, and negotiation over it, in memory, over WebSockets and with both browsers."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web
from peers import Tone, heard, next_event, open_peers, opened, reached, without_candidates
from servers import running

from peer import DOMException, OperationError, RTCIceCandidate
from peer._connection import transports_of
from peer.signaling import MessageError, add_signaling, connect, decode, encode, negotiate, pair

NULL = {"candidate": None}


@contextlib.asynccontextmanager
async def served(meet):
    """A server that calls *meet* with each signalling, and its request; gives its URL."""
    app = web.Application()
    add_signaling(app, "/", meet)
    async with running(app) as url:
        yield url


@contextlib.asynccontextmanager
async def in_memory():
    one, other = pair()
    yield one, other
    await one.close()


@contextlib.asynccontextmanager
async def over_a_websocket(**options):
    """The ends of a client and of the server; both are closed in the end."""
    arrived = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def meet(signaling, request):
        arrived.set_result(signaling)
        await over.wait()

    async with served(meet) as url, connect(url, **options) as client:
        yield client, await arrived
        over.set()


WAYS = pytest.mark.parametrize("way", [in_memory, over_a_websocket])


@contextlib.asynccontextmanager
async def negotiating(*sides):
    """Negotiate each side: a connection, its end of the signalling, and whether it is polite. Ends it in the end."""
    tasks = [asyncio.create_task(negotiate(pc, end, polite=polite)) for pc, end, polite in sides]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(pc, condition):
    """Wait until *condition* holds; it is looked at whenever the signaling state has changed."""
    changed = asyncio.Event()
    pc.addEventListener("signalingstatechange", lambda _: changed.set())
    while not condition():
        changed.clear()
        await changed.wait()


def negotiated(pc):
    """The transceivers of *pc* that have been negotiated."""
    return [each for each in pc.getTransceivers() if each.currentDirection is not None]


def states(pc):
    """The signaling states of *pc*, as they come."""
    seen = []
    pc.addEventListener("signalingstatechange", lambda _: seen.append(pc.signalingState))
    return seen


def reports(loop_errors):
    """What was reported to the loop, which is no failure of the test then."""
    found = [(context["message"], type(context["exception"])) for context in loop_errors]
    loop_errors.clear()
    return found


async def reported(loop_errors):
    """Wait for the next report; return what it says."""
    happened = asyncio.Event()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop, context):
        before(loop, context)
        happened.set()

    loop.set_exception_handler(handle)
    try:
        while not loop_errors:
            await happened.wait()
    finally:
        loop.set_exception_handler(before)
    (report,) = reports(loop_errors)
    return report


# What carries messages


@WAYS
async def test_what_one_side_sends_the_other_gets_in_order(way):
    async with way() as (one, other), open_peers(None) as (pc,):
        pc.createDataChannel("chat")
        await pc.setLocalDescription()
        messages = [{"description": pc.localDescription}]
        messages += [{"candidate": candidate} async for candidate in pc.ice_candidates()]
        messages.append(NULL)
        for sender, receiver in ((one, other), (other, one)):
            for message in messages:
                await sender.send(message)
            assert [await anext(aiter(receiver)) for _ in messages] == messages


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages_that_are_sent_at_once_keep_their_order(compress):
    texts = [f"v=0\r\ns={number}\r\n" + "a=x\r\n" * (number % 3) * 5000 for number in range(30)]
    async with over_a_websocket(compress=compress) as (one, other):
        sends = [one.send({"description": {"type": "offer", "sdp": text}}) for text in texts]
        sending = asyncio.gather(*sends)
        assert [(await anext(aiter(other)))["description"].sdp for _ in texts] == texts
        await sending


@WAYS
@pytest.mark.parametrize("closes", [0, 1], ids=["one closes", "the other closes"])
async def test_when_either_side_closes_both_come_to_the_end(way, closes):
    async with way() as ends:
        await ends[0].send(NULL)
        await ends[1].send(NULL)
        assert await anext(aiter(ends[1 - closes])) == NULL
        closing = asyncio.create_task(ends[closes].close())
        assert [message async for message in ends[1 - closes]] == []
        await closing
        assert [message async for message in ends[1 - closes]] == [], "and again"
        for end in ends:
            with pytest.raises(ConnectionError):
                await end.send(NULL)
            await end.close()


async def test_what_came_before_the_end_in_memory_is_not_lost():
    one, other = pair()
    await one.send(NULL)
    await one.close()
    assert [message async for message in other] == [NULL]


@WAYS
async def test_what_is_no_message_is_not_sent(way):
    async with way() as (one, other):
        with pytest.raises(MessageError):
            await one.send({"hello": "you"})
        await one.send(NULL)
        assert await anext(aiter(other)) == NULL


async def test_what_is_no_message_is_an_error_and_the_next_one_comes():
    async def meet(signaling, request):
        socket = signaling._socket
        await socket.send_str("hello")
        await socket.send_bytes(b"\xff")
        await socket.send_json(NULL)

    async with served(meet) as url, connect(url) as signaling:
        for _ in range(2):
            with pytest.raises(MessageError):
                await anext(aiter(signaling))
        assert [message async for message in signaling] == [NULL]


async def test_a_server_that_is_gone_without_a_word_is_the_end():
    async def meet(signaling, request):
        signaling._socket._req.transport.abort()

    async with served(meet) as url, connect(url) as signaling:
        assert [message async for message in signaling] == []


async def test_a_server_that_joins_those_of_a_room_is_written_in_a_few_lines():
    rooms = collections.defaultdict(list)
    came = asyncio.Queue()

    async def meet(signaling, request):
        room = rooms[request.query["room"]]
        room.append(signaling)
        came.put_nowait(None)
        async for message in signaling:
            for other in room:
                if other is not signaling:
                    await other.send(message)

    async with (
        served(meet) as url,
        open_peers(None, None) as (one, other),
        connect(f"{url}?room=1") as here,
        connect(f"{url}?room=2"),
        connect(f"{url}?room=1") as there,
    ):
        for _ in range(3):
            await came.get()
        async with negotiating((one, here, True), (other, there, False)):
            await opened(one.createDataChannel("chat"))
    assert {name: len(room) for name, room in rooms.items()} == {"1": 2, "2": 1}


async def test_a_server_that_shuts_down_closes_all_and_waits_for_those_who_met_them():
    met = []

    async def meet(signaling, request):
        assert [message async for message in signaling] == []
        met.append(request.remote)

    async with contextlib.AsyncExitStack() as stack:
        async with served(meet) as url:
            ends = [await stack.enter_async_context(connect(url)) for _ in range(3)]
            waiting = [asyncio.ensure_future(anext(aiter(end), "the end")) for end in ends]
        assert await asyncio.gather(*waiting) == ["the end"] * 3
    assert met == ["127.0.0.1"] * 3


async def test_what_meeting_one_raises_ends_its_own_signalling_and_no_other(caplog):
    async def meet(signaling, request):
        async for message in signaling:
            if message["candidate"] is not None:
                raise ZeroDivisionError
            await signaling.send(message)

    async with served(meet) as url, connect(url) as one, connect(url) as other:
        await one.send({"candidate": RTCIceCandidate({"candidate": "", "sdpMid": "0"})})
        assert [message async for message in one] == []
        await other.send(NULL)
        assert await anext(aiter(other)) == NULL
    assert "ZeroDivisionError" in caplog.text


async def test_who_wants_no_websocket_is_refused():
    async with served(None) as url, aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 400


def test_without_aiohttp_all_but_websockets_works():
    program = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "import asyncio, peer.signaling\n"
        "async def main():\n"
        "    one, other = peer.signaling.pair()\n"
        "    await one.send({'candidate': None})\n"
        "    print(await anext(aiter(other)))\n"
        "    async with peer.signaling.connect('http://127.0.0.1/'): pass\n"
        "asyncio.run(main())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.stdout == "{'candidate': None}\n"
    assert ran.stderr.endswith("ImportError: WebSockets need aiohttp: pip install aiortc-peer[signaling]\n")


# Negotiation


@WAYS
async def test_two_peers_connect_and_go_on_negotiating(way):
    async with open_peers(None, None) as (one, other), way() as (here, there):
        channel = one.createDataChannel("chat")
        arrived = asyncio.ensure_future(next_event(other, "datachannel"))
        async with negotiating((one, here, True), (other, there, False)):
            await opened(channel)
            (await arrived).channel.send("hello")
            assert (await heard(channel, "message")).data == "hello"
            track = asyncio.ensure_future(next_event(one, "track"))
            other.addTrack(Tone())
            assert (await track).track.kind == "audio"


@WAYS
async def test_when_both_offer_at_once_the_polite_one_takes_its_offer_back(way):
    async with open_peers(None, None) as (polite, impolite), way() as (here, there):
        needed = [heard(pc, "negotiationneeded") for pc in (polite, impolite)]
        polite.addTransceiver("audio")
        impolite.addTransceiver("video")
        await asyncio.gather(*needed)
        seen, theirs = states(polite), states(impolite)
        async with negotiating((polite, here, True), (impolite, there, False)):
            for pc in (polite, impolite):
                await until(pc, lambda pc=pc: pc.signalingState == "stable" and len(negotiated(pc)) == 2)
            await asyncio.gather(*(reached(pc, "connectionState", "connected") for pc in (polite, impolite)))
        assert seen == ["have-local-offer", "stable", "have-remote-offer", "stable", "have-local-offer", "stable"]
        assert theirs == ["have-local-offer", "stable", "have-remote-offer", "stable"]
        assert [each.kind for each in polite.getTransceivers()] == ["audio", "video"]
        assert [each.kind for each in impolite.getTransceivers()] == ["video", "audio"]


async def test_the_impolite_side_ignores_an_offer_that_comes_while_its_own_is_being_made(loop_errors):
    async with open_peers(None, None) as (impolite, other), in_memory() as (here, there):
        other.createDataChannel("theirs")
        await other.setLocalDescription()
        seen = states(impolite)

        @impolite.on("negotiationneeded")
        async def interrupt():
            await there.send({"description": other.localDescription})

        async with negotiating((impolite, here, False)):
            await there.send({"candidate": {"candidate": "hello", "sdpMid": "0"}})
            await reported(loop_errors)  # now it listens
            impolite.createDataChannel("ours")
            offer = await anext(aiter(there))
            await other.setRemoteDescription(offer["description"])
            await other.setLocalDescription()
            await there.send({"description": other.localDescription})
            await until(impolite, lambda: len(seen) > 1)
        assert seen == ["have-local-offer", "stable"]


# Where a negotiation begins


async def connected(*peers):
    await asyncio.gather(*(reached(pc, "connectionState", "connected") for pc in peers))


async def test_it_may_begin_when_an_offer_has_been_set_already():
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        await one.setLocalDescription()
        await one.gathering_complete()
        async with negotiating((one, here, False), (other, there, True)):
            await connected(one, other)


@pytest.mark.parametrize("polite", [True, False])
async def test_it_may_begin_when_an_offer_of_the_other_side_has_been_set_already(polite):
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        await one.setLocalDescription()
        await other.setRemoteDescription(one.localDescription)
        async with negotiating((other, there, polite), (one, here, not polite)):
            await connected(one, other)


@pytest.mark.parametrize("lost", ["the offer", "the answer", "the candidates"])
async def test_what_was_lost_with_the_signalling_is_made_up_for_over_the_next_one(lost):
    async with open_peers(None, None) as (one, other):
        one.createDataChannel("chat")
        here, there = pair()
        async with negotiating((one, here, False)):
            offer = await anext(aiter(there))
            await one.gathering_complete()
        if lost != "the offer":
            await other.setRemoteDescription(offer["description"])
            await other.setLocalDescription()
            await other.gathering_complete()
        if lost == "the candidates":
            await one.setRemoteDescription(without_candidates(other.localDescription.toJSON()))
        async with in_memory() as (here, there), negotiating((one, here, False), (other, there, True)):
            await connected(one, other)


async def test_a_connection_goes_on_when_its_websocket_is_lost_and_negotiates_over_the_next_one():
    async with open_peers(None, None) as (one, other):
        channel = one.createDataChannel("chat")
        open_ = opened(channel)
        async with over_a_websocket() as (here, there), negotiating((one, here, False), (other, there, True)) as tasks:
            await open_
            here._socket._response.connection.transport.abort()
            assert await asyncio.gather(*tasks) == [None, None]
        assert channel.readyState == "open"
        one.addTransceiver("audio")  # while there is no signalling
        async with over_a_websocket() as (here, there), negotiating((one, here, False), (other, there, True)):
            await until(other, lambda: other.signalingState == "stable" and negotiated(other))


# What comes


async def answerer(pc, end):
    """Answer the first offer that comes; return its candidates until the last one."""
    messages = aiter(end)
    offer = (await anext(messages))["description"]
    await pc.setRemoteDescription(offer)
    await pc.setLocalDescription()
    return [candidate async for candidate in pc.ice_candidates()]


async def test_candidates_that_come_before_their_description_wait_for_it():
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        async with negotiating((one, here, True)):
            candidates = await answerer(other, there)
            for candidate in candidates:
                await there.send({"candidate": candidate})
            await there.send({"description": without_candidates(other.localDescription.toJSON())})
            await connected(one)
        assert one.remoteDescription.sdp.count("a=candidate:") == len(candidates) - 1
        assert "a=end-of-candidates" in one.remoteDescription.sdp


async def test_candidates_that_come_late_are_added():
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        async with negotiating((one, here, True)):
            candidates = await answerer(other, there)
            stable = heard(one, "signalingstatechange")
            await there.send({"description": without_candidates(other.localDescription.toJSON())})
            await stable
            for candidate in candidates:
                await there.send({"candidate": candidate})
                await there.send(NULL)  # which says nothing
            await connected(one)


async def test_a_candidate_for_which_no_description_comes_is_reported(loop_errors):
    stray = {"candidate": "candidate:1 1 udp 1 192.0.2.9 5 typ host", "sdpMid": "0", "usernameFragment": "nobody"}
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        async with negotiating((one, here, True), (other, there, False)):
            await there.send({"candidate": stray})
            await connected(one, other)
            other.addTransceiver("audio")
            what, error = await reported(loop_errors)
    assert what == f"negotiation: no description has come for {RTCIceCandidate(stray)!r}"
    assert error is OperationError


@pytest.mark.parametrize(
    ("text", "sentence", "error"),
    [
        ('{"hello": "you"}', "something came that is no message", MessageError),
        ("hello", "something came that is no message", MessageError),
        ('{"description": {"type": "answer", "sdp": "v=0"}}', "the answer of the other side is refused", DOMException),
        ('{"description": {"type": "offer", "sdp": "hello"}}', "the offer of the other side is refused", DOMException),
        ('{"candidate": {"candidate": "hello", "sdpMid": "0"}}', "no description has come for", DOMException),
    ],
)
async def test_what_the_other_side_sends_in_vain_is_reported_and_breaks_nothing(text, sentence, error, loop_errors):
    pc_there = asyncio.get_running_loop().create_future()

    async def meet(signaling, request):
        await signaling._socket.send_str(text)
        async with open_peers(None) as (pc,):
            pc_there.set_result(pc)
            await negotiate(pc, signaling, polite=True)

    async with (
        open_peers(None) as (pc,),
        served(meet) as url,
        connect(url) as signaling,
        negotiating((pc, signaling, False)),
    ):
        what, kind = await reported(loop_errors)
        assert what.startswith(f"negotiation: {sentence}")
        assert issubclass(kind, error)
        await opened(pc.createDataChannel("chat"))
        assert (await pc_there).connectionState == "connected"


class Lists:
    """Signalling of one's own, which knows nothing of the messages but that they are JSON."""

    def __init__(self, inbox, outbox):
        self._inbox, self._outbox = inbox, outbox

    async def send(self, message):
        self._outbox.put_nowait(json.dumps({name: value.toJSON() for name, value in message.items()}))

    async def __aiter__(self):
        while True:
            yield json.loads(await self._inbox.get())


async def test_signalling_of_ones_own_may_yield_what_the_json_makes():
    there, back = asyncio.Queue(), asyncio.Queue()
    async with (
        open_peers(None, None) as (one, other),
        negotiating((one, Lists(back, there), True), (other, Lists(there, back), False)),
    ):
        one.createDataChannel("chat")
        await connected(one, other)


# The end


async def test_it_ends_with_the_signalling_when_what_came_before_is_dealt_with():
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        negotiation = asyncio.create_task(negotiate(one, here, polite=True))
        await answerer(other, there)
        await there.send({"description": other.localDescription})
        await there.close()
        await negotiation
        assert one.signalingState == "stable"
        await connected(other)
        one.restartIce()
        await heard(one, "negotiationneeded")  # and nobody offers any more
        assert one.signalingState == "stable"


@WAYS
async def test_it_ends_when_the_connection_is_closed_and_leaves_the_signalling_open(way):
    async with open_peers(None, None) as (one, other), way() as (here, there):
        one.createDataChannel("chat")
        async with negotiating((one, here, True), (other, there, False)) as tasks:
            await connected(one, other)
            await one.close()
            await tasks[0]
            await other.close()
            await tasks[1]
        await here.send(NULL)
        await anext(aiter(there))


async def test_what_came_before_the_end_is_dealt_with_also_when_there_is_nobody_left_to_answer():
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        await one.setLocalDescription()
        await here.send({"description": one.localDescription})
        async for candidate in one.ice_candidates():
            await here.send({"candidate": candidate})
        await here.close()
        await negotiate(other, there, polite=True)
        assert other.signalingState == "stable"
        assert other.remoteDescription.sdp.count("a=candidate:") == one.localDescription.sdp.count("a=candidate:") > 0


async def test_it_ends_at_once_when_the_connection_is_closed_already():
    async with open_peers(None) as (pc,), in_memory() as (here, there):
        await pc.close()
        await there.send({"description": {"type": "answer", "sdp": "v=0"}})
        await negotiate(pc, here, polite=True)


async def test_it_ends_when_the_connection_is_closed_in_the_middle_of_a_description(loop_errors):
    async with open_peers(None, None) as (one, other), in_memory() as (here, there):
        one.createDataChannel("chat")
        await one.setLocalDescription()
        other.addEventListener("signalingstatechange", lambda _: other.close())
        await here.send({"description": one.localDescription})
        await here.send({"candidate": {"candidate": "", "sdpMid": "0"}})
        await negotiate(other, there, polite=True)
        assert other.signalingState == "closed"


async def test_what_the_signalling_raises_is_raised():
    class Broken:
        async def send(self, message):
            raise ZeroDivisionError

        async def __aiter__(self):
            await asyncio.Event().wait()
            yield

    async with open_peers(None) as (pc,):
        pc.createDataChannel("chat")
        with pytest.raises(ZeroDivisionError):
            await negotiate(pc, Broken(), polite=True)


async def test_cancelling_it_ends_all_of_it():
    async with open_peers(None) as (pc,), in_memory() as (here, _):
        async with negotiating((pc, here, True)) as (task,):
            pc.createDataChannel("chat")
            await heard(pc, "signalingstatechange")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert pc.listeners("negotiationneeded") == pc.listeners("icecandidate") == []


async def test_a_server_meets_those_who_come_again():
    """A page that is loaded again is a new connection over a new WebSocket; that of the old one ends."""
    met = asyncio.Queue()

    async def meet(signaling, request):
        async with open_peers(None) as (pc,):
            met.put_nowait(pc)
            await negotiate(pc, signaling, polite=True)

    async with served(meet) as url:
        for _ in range(2):
            async with open_peers(None) as (pc,), connect(url) as signaling, negotiating((pc, signaling, False)):
                await opened(pc.createDataChannel("chat"))
                last = await met.get()
            await transports_of(last).closed


# Browsers


class Noting:
    """Signalling that notes what came over another one: as JSON, and as the message that it is."""

    def __init__(self, signaling):
        self._signaling = signaling
        self.send = signaling.send
        self.came = []
        self.ended = asyncio.Event()  # set when the last candidate has come

    async def __aiter__(self):
        async for message in self._signaling:
            self.came.append((message, decode(json.dumps(message))))
            if self.came[-1][1] == NULL:
                self.ended.set()
            yield message


@pytest.mark.parametrize("offers", ["page", "Python"])
async def test_what_a_browser_writes_is_decoded_and_what_we_write_it_takes(browser, page, page_signaling, offers):
    async with (
        page_signaling(page) as joined,
        open_peers(None) as (pc,),
        negotiating((pc, signaling := Noting(joined), True)),
    ):
        if offers == "page":
            await page.evaluate("state.channel = state.pc.createDataChannel('chat')")
            await next_event(pc, "datachannel")
        else:
            await opened(pc.createDataChannel("chat"))
        await signaling.ended.wait()
    (description,) = [message["description"] for _, message in signaling.came if "description" in message]
    assert description.type == ("offer" if offers == "page" else "answer")
    candidates = [message["candidate"] for _, message in signaling.came if "candidate" in message]
    assert candidates[0].type == "host"
    assert candidates[-1] is None
    assert (candidates[-2].candidate == "") == (browser.name == "firefox"), "the end, which Chromium does not tell"
    for value, message in signaling.came:
        assert json.loads(encode(message)) == value
