"""Data channels in the browser's shape (webrtc-pc 6.2), on both sides; what aiortc offers works beside it."""

from __future__ import annotations

import array
import asyncio

import aiortc
import pytest
from peers import heard, logging, negotiate, open_peers, reached, trickle, two_channels

from peer import Event, InvalidStateError, MessageEvent, NotSupportedError, RTCDataChannel

# Events


async def test_a_channel_has_the_events_of_a_browser_on_both_sides():
    async with open_peers(None, None) as (offerer, answerer):
        log = []
        closed = {name: asyncio.get_running_loop().create_future() for name in "AB"}

        def shape(channel, name, answer):
            assert isinstance(channel, RTCDataChannel)
            assert isinstance(channel, aiortc.RTCDataChannel)
            channel.onopen = lambda event: log.append(f"{name} {event.type} {event.target is channel}")

            async def reply(event):
                log.append(f"{name} {event.data!r}")
                answer(channel)

            channel.onmessage = reply
            channel.onclosing = lambda event: log.append(f"{name} {event.type}")
            channel.onclose = closed[name].set_result

        answerer.ondatachannel = lambda event: shape(event.channel, "B", lambda channel: channel.send(b"pong"))
        channel = offerer.createDataChannel("chat")
        shape(channel, "A", RTCDataChannel.close)
        channel.addEventListener("open", lambda _: channel.send("ping"))
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        await asyncio.gather(*closed.values())
        assert [line for line in log if line.startswith("A")] == ["A open True", "A b'pong'"]
        assert [line for line in log if line.startswith("B")] == ["B open True", "B 'ping'", "B closing"]


async def test_listeners_of_aiortc_and_of_the_browser_hear_the_same():
    async with two_channels() as (ours, theirs, *_):
        log, last = [], asyncio.get_running_loop().create_future()
        theirs.onmessage = lambda event: log.append(event.data)
        theirs.on("message", lambda data: log.append(f"aiortc {data!r}"))
        theirs.once("message", lambda data: log.append(f"aiortc once {data!r}"))
        theirs.addEventListener("message", lambda event: log.append(f"once {event.data}"), once=True)
        theirs.addEventListener("message", lambda event: event.data == b"2" and last.set_result(event))
        ours.send("1")
        ours.send(b"2")
        event = await last
        assert isinstance(event, MessageEvent)
        assert log == ["aiortc '1'", "aiortc once '1'", "1", "once 1", "aiortc b'2'", b"2"]


async def test_a_listener_that_was_removed_hears_nothing():
    async with two_channels() as (ours, theirs, *_):
        log = []
        theirs.onmessage = theirs.onopen = log.append
        theirs.addEventListener("message", log.append)
        theirs.removeEventListener("message", log.append)
        theirs.onmessage = None
        theirs.on("message", log.append)
        theirs.remove_listener("message", log.append)
        message = heard(theirs, "message")
        ours.send("1")
        await message
        assert log == []
        assert theirs.dispatchEvent(event := Event("open"))
        assert log == [event]


async def test_what_listeners_raise_is_reported_and_breaks_nothing(loop_errors):
    async with two_channels() as (ours, theirs, *_):

        def fails(*_):
            raise RuntimeError("mine")

        async def fails_later(*_):
            raise RuntimeError("mine, later")

        theirs.remove_all_listeners()
        heard = []
        theirs.on("error", heard.append)
        for listener in (fails, fails_later):
            theirs.on("message", listener)
            theirs.addEventListener("message", listener)
        last = asyncio.get_running_loop().create_future()
        theirs.addEventListener("message", lambda event: event.data == "2" and last.set_result(None))
        ours.send("1")
        ours.send("2")
        await last
        await theirs.wait_for_complete()
        assert sorted(str(report["exception"]) for report in loop_errors) == ["mine"] * 4 + ["mine, later"] * 4
        assert sorted(map(str, heard)) == ["mine"] * 2 + ["mine, later"] * 2  # as aiortc has it
        loop_errors.clear()


async def test_an_async_listener_sees_the_state_of_its_event():
    async with two_channels() as (ours, theirs, *_):
        log, ended = [], asyncio.get_running_loop().create_future()

        async def note(event):
            log.append(f"{event.type} {theirs.readyState}")
            if event.type == "close":
                ended.set_result(None)

        theirs.onmessage = theirs.onclosing = theirs.onclose = note
        ours.send("last")
        ours.close()
        await ended
        assert log == ["message open", "closing closing", "close closed"]


async def test_a_channel_that_is_negotiated_opens_in_a_task_when_the_connection_is_there_already():
    async with two_channels() as (_, _, offerer, answerer):
        channels = [peer.createDataChannel("third", negotiated=True, id=40) for peer in (offerer, answerer)]
        assert [channel.readyState for channel in channels] == ["connecting"] * 2
        received = asyncio.gather(*(heard(channel, "message") for channel in channels))
        await asyncio.gather(*(heard(channel, "open") for channel in channels))
        for channel in channels:
            channel.send(str(channel.id))
        assert [event.data for event in await received] == ["40", "40"]


async def test_a_message_says_that_the_channel_is_open():
    async with open_peers(None) as (peer,):
        channel, log = peer.createDataChannel("chat", ordered=False), []
        logging(channel, log)
        message = heard(channel, "message")
        channel.emit("message", "faster than the acknowledgement")  # as aiortc does
        await message
        assert log == ["open open", "message open"]


# The end


@pytest.mark.parametrize("by", ["who made it", "the other side"])
async def test_close_is_closing_at_once_and_fires_closing_on_the_other_side(by):
    async with two_channels() as (ours, theirs, *_):
        one, other = (ours, theirs) if by == "who made it" else (theirs, ours)
        log = []
        logging(one, log, "one ")
        logging(other, log, "other ")
        ends = asyncio.gather(heard(one, "close"), heard(other, "close"))
        one.close()
        one.close()
        assert (one.readyState, log) == ("closing", [])
        with pytest.raises(InvalidStateError):
            one.send("late")
        await ends
        one.close()
        assert [entry for entry in log if entry.startswith("one")] == ["one close closed"]
        assert [entry for entry in log if entry.startswith("other")] == ["other closing closing", "other close closed"]


async def test_what_was_sent_before_close_arrives_and_what_comes_after_it_does_not():
    async with two_channels() as (ours, theirs, *_):
        got, lost = [], []
        theirs.onmessage = lambda event: got.append(event.data)
        ours.onmessage = lost.append
        ours.on("message", lost.append)
        ends = asyncio.gather(heard(ours, "close"), heard(theirs, "close"))
        for number in range(200):
            ours.send(str(number))
            theirs.send(str(number))
        ours.close()
        await ends
        assert got == [str(number) for number in range(200)]
        assert lost == []


async def test_both_sides_may_close_at_once():
    async with two_channels() as (ours, theirs, offerer, answerer):
        ends = asyncio.gather(heard(ours, "close"), heard(theirs, "close"))
        ours.close()
        theirs.close()
        await ends
        assert offerer.sctp.state == answerer.sctp.state == "connected"


async def test_close_may_come_between_the_remote_sides_and_its_event():
    async with two_channels() as (ours, theirs, *_):
        log = []
        logging(theirs, log)
        ended = asyncio.gather(heard(theirs, "close"), heard(ours, "close"))
        tell, told = theirs._setReadyState, asyncio.get_running_loop().create_future()

        def closing(state):
            tell(state)
            if state == "closing" and not told.done():
                theirs.send("to nobody")
                theirs.close()
                told.set_result(theirs.readyState)

        theirs._setReadyState = closing
        ours.close()
        assert await told == "closing"
        await ended
        assert log == ["close closed"]


async def test_a_channel_that_never_opened_closes_in_a_task():
    async with open_peers(None) as (peer,):
        channel, log = peer.createDataChannel("chat"), []
        logging(channel, log)
        with pytest.raises(InvalidStateError):
            channel.send("early")
        closed = heard(channel, "close")
        channel.close()
        assert (channel.readyState, log) == ("closing", [])
        await closed
        assert log == ["close closed"]


async def test_the_end_of_the_connection_closes_its_channels_as_in_browsers():
    async with two_channels() as (ours, theirs, offerer, answerer):
        log = []
        logging(ours, log, "ours ")
        logging(theirs, log, "theirs ")
        ended = heard(theirs, "close")
        await offerer.close()
        await ended
        assert [entry for entry in log if entry.startswith("ours")] == ["ours close closed"]
        assert [entry for entry in log if entry.startswith("theirs")] == ["theirs error closed", "theirs close closed"]
        assert answerer.signalingState == "stable"


async def test_a_connection_that_is_closed_while_a_message_is_handed_over_hands_over_no_more():
    async with two_channels() as (ours, theirs, _, answerer):
        got = []

        def close(event):
            got.append(event.data)
            answerer.close()

        theirs.onmessage = close
        ended = heard(ours, "close")
        for number in range(3):
            theirs.emit("message", number)  # as aiortc does when all come in one datagram
        await ended
        assert got == [0]


async def test_what_is_under_way_when_the_connection_is_closed_does_not_keep_a_channel_open():
    async with two_channels() as (ours, _, offerer, _):
        log = []
        logging(ours, log)
        ours._setReadyState("closed")  # as aiortc does; the task of it will not run
        await offerer.close()
        assert log == ["close closed"]


# Sending


async def test_texts_and_whatever_has_a_buffer_can_be_sent():
    async with two_channels() as (ours, theirs, *_):
        got, last = [], asyncio.get_running_loop().create_future()
        theirs.onmessage = lambda event: got.append(event.data) or (event.data == "last" and last.set_result(None))
        numbers = array.array("H", [1, 2])
        for data in ("", "ä", "\ud800", b"", b"1", bytearray(b"2"), memoryview(b"345")[1:], numbers, "last"):
            ours.send(data)
        await last
        assert got == ["", "ä", "\ufffd", b"", b"1", b"2", b"45", numbers.tobytes(), "last"]


@pytest.mark.parametrize("data", [None, 5, 1.5, ["text"], {}, object()])
async def test_what_is_neither_text_nor_bytes_is_a_type_error_and_a_value_error(data):
    async with open_peers(None) as (peer,):
        channel = peer.createDataChannel("chat")
        with pytest.raises(TypeError):
            channel.send(data)
        with pytest.raises(ValueError, match="neither"):  # aiortc's
            channel.send(data)


async def test_more_than_the_other_side_takes_is_a_type_error():
    async with two_channels() as (ours, *_):
        with pytest.raises(TypeError, match="only supports"):
            ours.send("x" * 262145)
        ours.send("x" * 262144)
        assert ours.bufferedAmount == 262144


async def test_bufferedamountlow_is_fired_when_it_is():
    async with two_channels() as (ours, *_):
        log, low = [], asyncio.get_running_loop().create_future()
        ours.bufferedAmountLowThreshold = "10"
        assert ours.bufferedAmountLowThreshold == 10
        ours.on("bufferedamountlow", lambda: log.append("aiortc"))
        ours.onbufferedamountlow = low.set_result
        ours.send("x" * 100)
        assert ours.bufferedAmount == 100
        assert (await low).type == "bufferedamountlow"
        assert log == ["aiortc"]
        assert ours.bufferedAmount == 0


@pytest.mark.parametrize("value", [-1, 2**32, "x", None.__class__])
async def test_a_threshold_out_of_range_is_a_type_error_and_a_value_error(value):
    async with open_peers(None) as (peer,):
        channel = peer.createDataChannel("chat")
        with pytest.raises(TypeError):
            channel.bufferedAmountLowThreshold = value
        with pytest.raises(ValueError, match="bufferedAmountLowThreshold"):  # aiortc's
            channel.bufferedAmountLowThreshold = value


async def test_binary_messages_are_bytes():
    async with open_peers(None) as (peer,):
        channel = peer.createDataChannel("chat")
        channel.binaryType = "arraybuffer"
        channel.binaryType = "nonsense"  # ignored, as in browsers
        assert channel.binaryType == "arraybuffer"
        with pytest.raises(NotSupportedError):
            channel.binaryType = "blob"


async def test_both_sides_show_what_was_asked_for():
    options = {"ordered": False, "maxRetransmits": 3, "protocol": "präsens"}
    async with two_channels(**options) as (ours, theirs, *_):
        for channel in (ours, theirs):
            assert {name: getattr(channel, name) for name in options} == options
            assert (channel.label, channel.maxPacketLifeTime, channel.negotiated) == ("second", None, False)
        assert ours.id == theirs.id


async def test_hundreds_of_messages_come_in_order_beside_what_else_happens():
    async with two_channels() as (ours, theirs, offerer, answerer):
        got, last = [], asyncio.get_running_loop().create_future()
        theirs.onmessage = lambda event: got.append(event.data) or (event.data == "499" and last.set_result(None))
        for number in range(500):
            ours.send(str(number))
        offerer.addTransceiver("audio")
        await negotiate(offerer, answerer)
        await last
        assert got == [str(number) for number in range(500)]
        await reached(answerer, "connectionState", "connected")


# Browsers

PAGE = """
const pc = state.pc = new RTCPeerConnection();
const channel = state.channel = pc.createDataChannel("chat");
const log = state.log = [];
for (const type of ["open", "closing", "close", "error"]) channel.addEventListener(type, () => log.push(type));
state.closed = new Promise((resolve) => { channel.onclose = resolve; });
state.heard = new Promise((resolve) => {
  channel.onmessage = ({data}) => {
    log.push(typeof data === "string" ? data : [...new Uint8Array(data)].join(" "));
    if (typeof data !== "string") resolve();
  };
});
channel.onopen = () => { channel.send("text"); channel.send(new Uint8Array([1, 2, 3])); };
await pc.setLocalDescription();
await new Promise((resolve) => {
  pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
  pc.onicegatheringstatechange();
});
return pc.localDescription.toJSON();
"""


@pytest.mark.parametrize("by", ["the page", "us"])
async def test_a_channel_of_a_browser(page, by):
    async with open_peers(None) as (peer,):
        log, channels, closed = [], [], asyncio.get_running_loop().create_future()

        def found(event):
            channels.append(event.channel)
            logging(event.channel, log)
            event.channel.addEventListener("message", lambda message: log.append(message.data))
            event.channel.addEventListener("message", lambda message: event.channel.send(message.data))
            event.channel.onclose = closed.set_result

        peer.ondatachannel = found
        await peer.setRemoteDescription(await page.evaluate(PAGE))
        await peer.setLocalDescription()
        await peer.gathering_complete()
        answer = peer.localDescription.toJSON()
        await page.evaluate("await state.pc.setRemoteDescription(args[0]); await state.heard;", answer)
        if by == "us":
            log.append("close()")
            channels[0].close()
        else:
            await page.evaluate("state.channel.close();")
        await closed
        await page.evaluate("await state.closed;")
        heard = ["open open", "message open", "text", "message open", b"\1\2\3"]
        assert [entry for entry in log if entry != "bufferedamountlow open"] == heard + (
            ["close()", "close closed"] if by == "us" else ["closing closing", "close closed"]
        )
        theirs = await page.evaluate("return state.log;")
        assert [entry for entry in theirs if entry != "closing"] == ["open", "text", "1 2 3", "close"]
        await page.evaluate("state.pc.close();")
