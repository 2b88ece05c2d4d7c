"""What ends the association of the data channels, and what they fire then (webrtc-pc 6.2, RFC 9260)."""

from __future__ import annotations

import asyncio
import itertools
import re

import aiortc
import pytest
from aiortc.rtcsctptransport import AbortChunk, ErrorChunk, InitAckChunk, ShutdownChunk, ShutdownCompleteChunk
from peers import agent, heard, logging, negotiate, open_peers, opened_by, trickle, two_channels

from peer import OperationError, RTCError, RTCErrorEvent
from peer._aiortc import Association

FAILED = ["error closed", "close closed"]
AT_ONCE = 0.0001  # seconds, until what is not answered is sent again for the first time


async def send(peer, chunk):
    """Send a chunk as it is: with no cause that we would add."""
    await aiortc.RTCSctpTransport._send_chunk(peer.sctp, chunk)


async def complain(peer):
    """Say that there was a chunk which *peer* does not know, which nobody has to care about."""
    chunk = ErrorChunk()
    chunk.params.append((6, b"unknown"))
    await send(peer, chunk)


def hush(peer):
    """Let nothing through to *peer* any more."""
    for protocol in agent(peer).newest._protocols:
        protocol.transport.pause_reading()


async def all_is_acknowledged(ours, theirs):
    """What *ours* has sent; an acknowledgement comes before the answer."""
    theirs.addEventListener("message", lambda _: theirs.send("answer"), once=True)
    answer = heard(ours, "message")
    ours.send("question")
    await answer


# The remote side ends it


async def test_close_at_the_other_side_is_an_error_that_says_who_wished_it():
    async with two_channels() as (ours, theirs, offerer, answerer):
        log, theirs_log, of_aiortc = [], [], []
        logging(ours, log)
        logging(theirs, theirs_log)
        theirs.on("error", of_aiortc.append)
        failed = asyncio.get_running_loop().create_future()
        theirs.onerror = failed.set_result
        closed = heard(theirs, "close")
        await offerer.close()
        await closed
        assert (log, theirs_log) == (["close closed"], FAILED)
        event = await failed
        assert isinstance(event, RTCErrorEvent)
        assert isinstance(event.error, RTCError)
        assert event.target is theirs
        assert (event.error.errorDetail, event.error.sctpCauseCode) == ("sctp-failure", 12)
        assert "the connection was closed" in event.error.message
        with pytest.raises(OperationError):
            raise event.error
        assert of_aiortc == []
        assert (answerer.signalingState, answerer.sctp.state) == ("stable", "closed")


@pytest.mark.parametrize(
    ("causes", "code", "said"),
    [
        ([], None, ""),
        ([(12, b"enough")], 12, "enough"),
        ([(13, b"who are you?"), (12, b"")], 13, "who are you?"),
        ([(1, b"\0\7\0\0")], 1, "00 07 00 00"),
    ],
    ids=["none", "one", "two", "no text"],
)
async def test_an_abort_is_an_error_with_the_first_cause_it_names(causes, code, said):
    async with two_channels() as (_, theirs, offerer, _):
        log, failed, closed = [], heard(theirs, "error"), heard(theirs, "close")
        logging(theirs, log)
        chunk = AbortChunk()
        chunk.params += causes
        await send(offerer, chunk)
        error = (await failed).error
        await closed
        assert (error.errorDetail, error.sctpCauseCode) == ("sctp-failure", code)
        assert error.message.partition(": ")[2] == said
        assert log == FAILED


async def test_aiortc_at_the_other_end_names_no_cause_when_it_is_closed():
    async with open_peers(None) as (ours,):
        raw = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        channel, log = ours.createDataChannel("chat"), []
        open_, failed, closed = (heard(channel, type) for type in ("open", "error", "close"))
        await ours.setLocalDescription()
        await ours.gathering_complete()
        await raw.setRemoteDescription(aiortc.RTCSessionDescription(ours.localDescription.sdp, "offer"))
        await raw.setLocalDescription(await raw.createAnswer())
        await ours.setRemoteDescription(raw.localDescription)
        await open_
        logging(channel, log)
        await raw.close()
        assert (await failed).error.sctpCauseCode is None
        await closed
        assert log == FAILED


async def test_a_shutdown_is_no_error():
    async with two_channels() as (_, theirs, offerer, answerer):
        log, closed = [], heard(theirs, "close")
        logging(theirs, log)
        shutdown = ShutdownChunk()
        shutdown.cumulative_tsn = offerer.sctp._last_received_tsn
        await send(offerer, shutdown)
        await send(offerer, ShutdownCompleteChunk())
        await closed
        assert log == ["close closed"]
        assert answerer.sctp.state == "closed"


async def test_the_end_of_dtls_is_no_error():
    async with two_channels() as (_, theirs, offerer, answerer):
        log, closed = [], heard(theirs, "close")
        logging(theirs, log)
        await offerer.sctp.transport.stop()
        await closed
        assert log == ["close closed"]
        assert (answerer.sctp.transport.state, answerer.sctp.state) == ("closed", "closed")


async def test_the_rejection_of_the_m_line_is_no_error():
    async with two_channels() as (ours, theirs, offerer, answerer):
        log, closed = [], [heard(channel, "close") for channel in (ours, theirs)]
        logging(ours, log)
        logging(theirs, log)
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        lines = answerer.localDescription.sdp.split("\r\n")
        rejected = [re.sub(r"^m=application \d+", "m=application 0", line) for line in lines if "a=group" not in line]
        await offerer.setRemoteDescription(type="answer", sdp="\r\n".join(rejected))
        await asyncio.gather(*closed)
        assert log == ["close closed"] * 2


async def test_what_the_other_side_says_of_a_single_chunk_ends_nothing():
    async with two_channels() as (ours, theirs, offerer, _):
        log = []
        logging(theirs, log)
        await complain(offerer)
        await all_is_acknowledged(ours, theirs)
        assert [entry for entry in log if entry != "bufferedamountlow open"] == ["message open"]


async def test_an_association_that_cannot_be_set_up_is_an_error():
    async with open_peers(None, None) as (offerer, answerer):
        log, channels = [], [peer.createDataChannel("chat") for peer in (offerer, answerer)]
        for peer in (offerer, answerer):  # a clock that goes backwards: each cookie is stale when it comes back
            peer.sctp._get_timestamp = itertools.count(2_000_000_000, -100).__next__
        logging(channels[0], log)
        failed = [heard(channel, "error") for channel in channels]
        closed = [heard(channel, "close") for channel in channels]
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        assert [event.error.sctpCauseCode for event in await asyncio.gather(*failed)] == [3, 3]
        await asyncio.gather(*closed)
        assert log == FAILED


# The remote side is silent


async def test_a_channel_whose_reset_nobody_answers_fails():
    async with two_channels() as (ours, theirs, offerer, answerer):
        await complain(answerer)
        await all_is_acknowledged(ours, theirs)
        log, failed, closed = [], heard(ours, "error"), heard(ours, "close")
        logging(ours, log)
        hush(offerer)
        offerer.sctp._rto = AT_ONCE
        ours.close()
        assert (await failed).error.sctpCauseCode is None
        await closed
        assert log == FAILED
        assert offerer.connectionState == "connected"


async def test_a_shutdown_that_is_not_completed_is_an_error():
    async with two_channels() as (ours, theirs, offerer, answerer):
        await all_is_acknowledged(theirs, ours)
        log, failed, closed = [], heard(theirs, "error"), heard(theirs, "close")
        logging(theirs, log)
        answerer.sctp._rto = AT_ONCE
        shutdown = ShutdownChunk()
        shutdown.cumulative_tsn = offerer.sctp._last_received_tsn
        await send(offerer, shutdown)
        assert (await failed).error.sctpCauseCode is None
        await closed
        assert log == FAILED


async def test_an_association_is_set_up_though_both_sides_lose_the_first_answer(monkeypatch):
    losers = set()
    send_chunk = Association._send_chunk

    def lose(association, chunk):
        if not isinstance(chunk, InitAckChunk) or association in losers:
            return send_chunk(association, chunk)
        losers.add(association)
        return asyncio.sleep(0)

    monkeypatch.setattr(Association, "_send_chunk", lose)
    async with open_peers(None, None) as (offerer, answerer):
        opened = heard(offerer.createDataChannel("chat"), "open")
        offerer.sctp._rto = 0.1  # by then it has heard of the answerer
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        await opened
        assert losers == {offerer.sctp, answerer.sctp}


async def test_channels_that_were_never_open_fail_when_nobody_answers():
    async with open_peers(None, None) as (offerer, answerer):
        log = []
        channels = [offerer.createDataChannel("chat"), offerer.createDataChannel("other", negotiated=True, id=5)]
        for channel in channels:
            logging(channel, log, f"{channel.label} ")
        closed = [heard(channel, "close") for channel in channels]
        offerer.sctp._rto = AT_ONCE
        dtls = offerer.sctp.transport
        dtls.on("statechange", lambda: dtls.state == "connected" and hush(offerer))
        trickle(offerer, answerer)
        await negotiate(offerer, answerer)
        await asyncio.gather(*closed)
        assert log == [f"{label} {entry}" for label in ("chat", "other") for entry in FAILED]


# One after the other


async def test_a_channel_that_was_closed_before_the_end_does_not_fail():
    async with two_channels() as (ours, theirs, offerer, answerer):
        first = opened_by(answerer)
        closed = heard(theirs, "close")
        ours.close()
        await closed
        log = []
        logging(theirs, log, "closed ")
        logging(first, log, "open ")
        closed = heard(first, "close")
        await offerer.close()
        await closed
        assert log == ["open error closed", "open close closed"]


async def test_a_channel_that_is_closing_fails_when_the_association_does():
    async with two_channels() as (_, theirs, _, answerer):
        log, closed = [], heard(theirs, "close")
        logging(theirs, log)
        hush(answerer)  # the reset is not answered before the abort comes
        theirs.close()
        await answerer.sctp._receive_chunk(AbortChunk())  # as if it had come
        await closed
        assert log == FAILED


async def test_what_was_sent_before_the_end_is_heard_before_the_error():
    async with two_channels() as (ours, theirs, offerer, _):
        log, closed = [], heard(theirs, "close")
        logging(theirs, log)
        ours.send("last")
        await offerer.close()
        await closed
        assert log == ["message open", *FAILED]


async def test_a_connection_that_is_closed_in_an_error_event_fires_no_other_error():
    async with two_channels() as (_, theirs, offerer, answerer):
        log = []
        first = opened_by(answerer)
        logging(first, log, "first ")
        logging(theirs, log, "second ")
        first.onerror = lambda _: answerer.close()
        closed = heard(theirs, "close")
        await offerer.close()
        await closed
        assert log == ["first error closed", "first close closed", "second close closed"]


async def test_what_a_listener_for_an_error_raises_is_reported_and_the_channel_is_closed(loop_errors):
    async with two_channels() as (_, theirs, offerer, _):

        def fails(_):
            raise RuntimeError("mine")

        theirs.onerror = fails
        closed = heard(theirs, "close")
        await offerer.close()
        await closed
        assert [str(report["exception"]) for report in loop_errors] == ["mine"]
        loop_errors.clear()
