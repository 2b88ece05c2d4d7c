"""Two connections in one process: states, descriptions, media, data, and what happens when users misbehave."""

from __future__ import annotations

import asyncio

import aiortc
import pytest
from peers import (
    Log,
    Tone,
    connect,
    emitted,
    negotiate,
    next_event,
    open_peers,
    opened,
    reached,
    send_candidates,
    trickle,
)

from peer import (
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    OperationError,
    RTCConfiguration,
    RTCDataChannelEvent,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
    RTCTrackEvent,
)


async def connected(offerer, answerer):
    """Connect with a data channel; returns both ends of it."""
    arrived = asyncio.ensure_future(next_event(answerer, "datachannel"))
    return await connect(offerer, answerer), (await arrived).channel


# Data and media


@pytest.mark.parametrize("label", ["chat", "", "plauderei mit äöü und 🎈"])
async def test_a_data_channel_carries_messages_both_ways(label):
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        ours = offerer.createDataChannel(label, {"protocol": "prötocol", "ordered": False})
        open_ = opened(ours)
        arrived = asyncio.ensure_future(next_event(answerer, "datachannel"))
        await negotiate(offerer, answerer)
        await open_
        event = await arrived
        assert isinstance(event, RTCDataChannelEvent)
        theirs = event.channel
        assert (theirs.label, theirs.protocol, theirs.ordered) == (label, "prötocol", False)
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            for message in ("grüße", b"\x00\x01"):
                received = asyncio.ensure_future(emitted(receiver, "message"))
                await asyncio.sleep(0)
                sender.send(message)
                assert await received == message


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
async def test_audio_flows_both_ways_beside_a_data_channel(policy):
    configuration = {"bundlePolicy": policy}
    async with open_peers(configuration, configuration) as (offerer, answerer):
        tracks = {}
        for peer in (offerer, answerer):
            peer.addTrack(Tone())
            tracks[peer] = asyncio.ensure_future(next_event(peer, "track"))
        channel, _ = await connected(offerer, answerer)
        for event in [await tracks[peer] for peer in (offerer, answerer)]:
            assert isinstance(event, RTCTrackEvent)
            assert event.transceiver.receiver is event.receiver
            assert event.receiver.track is event.track
            assert (await event.track.recv()).sample_rate == 48000
        assert channel.readyState == "open"


async def test_media_can_be_added_to_a_connection_from_either_side():
    async with open_peers(None, None) as (one, other):
        channel, _ = await connected(one, other)
        for sender, receiver in ((one, other), (other, one)):
            sender.addTrack(Tone())
            track = asyncio.ensure_future(next_event(receiver, "track"))
            await negotiate(sender, receiver)
            assert await (await track).track.recv()
        assert channel.readyState == "open"


async def test_what_the_remote_side_does_not_offer_waits_for_an_offer_of_ours():
    async with open_peers(None, None) as (offerer, answerer):
        answerer.addTrack(Tone())
        track = asyncio.ensure_future(next_event(offerer, "track"))
        channel, _ = await connected(offerer, answerer)
        assert [t.mid for t in answerer.getTransceivers()] == [None]
        await negotiate(answerer, offerer)
        assert [t.mid for t in answerer.getTransceivers()] == ["1"]
        assert await (await track).track.recv()
        assert channel.readyState == "open"


async def test_aiortc_itself_can_be_the_other_side():
    async with open_peers(None) as (ours,):
        raw = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        channel = ours.createDataChannel("chat")
        open_ = opened(channel)
        await ours.setLocalDescription()
        await ours.gathering_complete()
        await raw.setRemoteDescription(ours.localDescription)
        await raw.setLocalDescription(await raw.createAnswer())
        await ours.setRemoteDescription(raw.localDescription)
        await open_
        assert await emitted_once_connected(ours)
        await raw.close()


async def emitted_once_connected(peer):
    await reached(peer, "connectionState", "connected")
    return True


# States and descriptions


async def test_states_and_their_events_are_those_of_a_browser():
    async with open_peers(None, None) as (offerer, answerer):
        logs = Log(offerer), Log(answerer)
        await connected(offerer, answerer)
        for peer in (offerer, answerer):
            await reached(peer, "connectionState", "connected")
        signaling = [log.of("signalingstatechange") for log in logs]
        assert signaling == [["have-local-offer", "stable"], ["have-remote-offer", "stable"]]
        for log in logs:
            assert log.of("iceconnectionstatechange") == ["checking", "connected"]
            assert log.of("connectionstatechange") == ["connecting", "connected"]
            types = [type for type, _ in log.entries]
            assert types.index("signalingstatechange") == 0
            stable = log.entries.index(("signalingstatechange", "stable"))
            assert stable < log.entries.index(("iceconnectionstatechange", "checking"))


async def test_descriptions_are_pending_until_the_answer_and_current_afterwards():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        await answerer.setRemoteDescription(offerer.localDescription)
        assert offerer.localDescription == offerer.pendingLocalDescription
        assert offerer.currentLocalDescription is None
        assert answerer.remoteDescription == answerer.pendingRemoteDescription
        assert (offerer.remoteDescription, answerer.localDescription) == (None, None)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        for peer in (offerer, answerer):
            assert peer.pendingLocalDescription is None
            assert peer.pendingRemoteDescription is None
            assert peer.currentLocalDescription is peer.localDescription
            assert peer.currentRemoteDescription is peer.remoteDescription
        assert (offerer.localDescription.type, answerer.localDescription.type) == ("offer", "answer")


async def test_descriptions_have_changed_when_the_event_of_the_state_fires():
    async with open_peers(None, None) as (offerer, answerer):
        seen = []

        def note(event):
            peer = event.target
            descriptions = (
                *(peer.pendingLocalDescription, peer.currentLocalDescription),
                *(peer.pendingRemoteDescription, peer.currentRemoteDescription),
            )
            seen.append((peer.signalingState, *(each and each.type for each in descriptions)))

        for peer in (offerer, answerer):
            peer.onsignalingstatechange = note
        offerer.createDataChannel("chat")
        await negotiate(offerer, answerer)
        assert seen == [
            ("have-local-offer", "offer", None, None, None),
            ("have-remote-offer", None, None, "offer", None),
            ("stable", None, "answer", None, "offer"),
            ("stable", None, "offer", None, "answer"),
        ]


async def test_a_later_description_has_the_same_credentials():
    async with open_peers(None, None) as (offerer, answerer):
        await connected(offerer, answerer)
        described = [peer.localDescription.sdp for peer in (offerer, answerer)]
        await negotiate(answerer, offerer)
        for peer, sdp in zip((offerer, answerer), described, strict=True):
            lines = [line for line in sdp.split("\r\n") if line.startswith(("a=ice-ufrag:", "a=ice-pwd:"))]
            assert len(lines) == 2
            assert all(line in peer.localDescription.sdp for line in lines)


async def test_the_remote_description_is_the_text_that_was_set():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        text = offerer.localDescription.sdp + "a=x-unknown:kept as it is\r\n"
        await answerer.setRemoteDescription(type="offer", sdp=text)
        assert answerer.remoteDescription == RTCSessionDescription(type="offer", sdp=text)


async def test_an_offer_can_be_replaced_before_it_is_answered():
    async with open_peers(None, None) as (offerer, answerer):
        channel = offerer.createDataChannel("chat")
        open_ = opened(channel)
        await offerer.setLocalDescription()
        offerer.addTrack(Tone())
        await offerer.setLocalDescription()
        sdp = offerer.localDescription.sdp
        assert sdp.index("m=application") < sdp.index("m=audio")
        assert [t.mid for t in offerer.getTransceivers()] == ["1"]
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
        await offerer.setRemoteDescription(answerer.localDescription)
        await asyncio.gather(send_candidates(offerer, answerer), send_candidates(answerer, offerer))
        await open_


async def test_errors_of_descriptions_have_the_names_of_the_w3c():
    async with open_peers(None, None) as (offerer, answerer):
        with pytest.raises(InvalidStateError):
            await offerer.createAnswer()
        with pytest.raises(InvalidStateError):
            await offerer.setLocalDescription({"type": "answer"})
        with pytest.raises(InvalidStateError):
            await offerer.setRemoteDescription({"type": "answer", "sdp": "v=0\r\n"})
        with pytest.raises(TypeError):
            await offerer.setRemoteDescription({"sdp": "v=0\r\n"})
        with pytest.raises(TypeError):
            await offerer.setRemoteDescription("v=0\r\n")
        with pytest.raises(TypeError):
            await offerer.setLocalDescription({"type": "maybe"})
        with pytest.raises(OperationError):
            await offerer.setRemoteDescription({"type": "offer", "sdp": "nonsense"})
        with pytest.raises(OperationError):
            await offerer.setRemoteDescription({"type": "offer", "sdp": "v=0\r\nm=nonsense\r\n"})
        with pytest.raises(InvalidStateError):
            await offerer.setLocalDescription({"type": "rollback"})
        offerer.createDataChannel("chat")
        offer = await offerer.createOffer()
        with pytest.raises(InvalidModificationError):
            await offerer.setLocalDescription({"type": "offer", "sdp": offer.sdp + "a=mine\r\n"})
        await offerer.setLocalDescription(offer)
        assert offerer.signalingState == "have-local-offer"
        await answerer.setRemoteDescription(offer)
        answer = await answerer.createAnswer()
        with pytest.raises(InvalidAccessError):
            await offerer.setRemoteDescription({"type": "answer", "sdp": answer.sdp.replace("a=mid:0", "a=mid:7")})
        assert offerer.signalingState == "have-local-offer"
        await answerer.setLocalDescription(answer)
        await offerer.setRemoteDescription(answer)
        assert offerer.signalingState == "stable"


def without_mids(description):
    lines = description.sdp.splitlines(keepends=True)
    sdp = "".join(line for line in lines if not line.startswith(("a=mid:", "a=group:", "a=extmap:")))
    return {"type": description.type, "sdp": sdp}


async def negotiate_without_mids(offerer, answerer):
    await offerer.setLocalDescription()
    await answerer.setRemoteDescription(without_mids(offerer.localDescription))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(without_mids(answerer.localDescription))


async def test_where_descriptions_have_no_mids_their_m_lines_are_known_by_their_order():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.addTrack(Tone())
        open_ = opened(offerer.createDataChannel("chat"))
        await negotiate_without_mids(offerer, answerer)
        await open_
        await asyncio.gather(*(reached(peer, "connectionState", "connected") for peer in (offerer, answerer)))
        assert "a=mid:" not in answerer.remoteDescription.sdp
        assert "a=mid:" not in offerer.remoteDescription.sdp
        for peer in (offerer, answerer):
            assert ([t.mid for t in peer.getTransceivers()], peer.sctp.mid) == (["0"], "1")
            assert {c.sdpMid async for c in peer.ice_candidates()} == {"0", "1"}
        await negotiate_without_mids(answerer, offerer)
        assert (offerer.signalingState, offerer.connectionState) == ("stable", "connected")
        assert [t.mid for t in offerer.getTransceivers()] == ["0"]


async def test_calls_need_not_be_awaited_to_take_their_turn():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        open_ = opened(offerer.createDataChannel("chat"))
        offer = offerer.createOffer()
        set_ = offerer.setLocalDescription(await offer)
        remote = answerer.setRemoteDescription(await offer)
        answer = answerer.createAnswer()
        local = answerer.setLocalDescription(await answer)
        done = offerer.setRemoteDescription(await answer)
        await asyncio.gather(set_, remote, local, done)
        await open_


async def test_the_promises_work_where_coroutines_of_aiortc_did():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        offer = await asyncio.create_task(peer.createOffer())
        await asyncio.wait_for(peer.setLocalDescription(offer), 20)
        await asyncio.gather(peer.gathering_complete(), asyncio.create_task(peer.gathering_complete()))


async def test_giving_up_on_a_call_does_not_end_it():
    async with open_peers(None, None) as (offerer, answerer):
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription()
        call = answerer.setRemoteDescription(offerer.localDescription)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0)
        await call
        assert answerer.signalingState == "have-remote-offer"


async def test_a_constructor_takes_the_dictionary_the_classes_or_keywords():
    server = {"urls": ["stun:192.0.2.1", "stun:192.0.2.2:1"]}
    rtc = RTCConfiguration(iceServers=[RTCIceServer("turn:192.0.2.1", "user", "pass")])
    for arguments, keywords in [
        ((), {}),
        ((None,), {}),
        (({"iceServers": [server], "bundlePolicy": "max-bundle"},), {}),
        ((rtc,), {}),
        ((), {"configuration": rtc}),
        ((), {"iceServers": [server], "iceTransportPolicy": "relay"}),
    ]:
        await RTCPeerConnection(*arguments, **keywords).close()
    with pytest.raises(ValueError, match="URL") as caught:
        RTCPeerConnection({"iceServers": [{"urls": "http://example.org"}]})
    assert caught.value.name == "SyntaxError"
    with pytest.raises(InvalidAccessError):
        RTCPeerConnection({"iceServers": [{"urls": "turn:example.org"}]})
    with pytest.raises(TypeError):
        RTCPeerConnection(certificates=[object()])


async def test_there_is_no_default_ice_server():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert {candidate.type async for candidate in peer.ice_candidates()} <= {"host", None}


async def test_options_of_channels_and_transceivers_are_dictionaries_or_keywords():
    async with open_peers(None) as (peer,):
        channel = peer.createDataChannel("one", {"negotiated": True, "id": 7, "unknown": 1}, ordered=False)
        assert (channel.negotiated, channel.id, channel.ordered) == (True, 7, False)
        for wrong in (
            {"maxRetransmits": 1, "maxPacketLifeTime": 1},
            {"negotiated": True},
            {"negotiated": True, "id": 65535},
        ):
            with pytest.raises(TypeError):
                peer.createDataChannel("two", wrong)
        assert peer.addTransceiver("audio", {"direction": "recvonly"}).direction == "recvonly"
        assert peer.addTransceiver("video", direction="inactive").direction == "inactive"
        assert peer.addTransceiver("video", "sendonly").direction == "sendonly"
        with pytest.raises(TypeError):
            peer.addTransceiver("smell")
        with pytest.raises(TypeError):
            peer.addTransceiver("audio", {"direction": "up"})
        track = Tone()
        peer.addTrack(track)
        with pytest.raises(InvalidAccessError):
            peer.addTrack(track)


# A server that does not answer


async def test_a_silent_stun_server_holds_nothing_up(silent_server):
    silent = {"iceServers": [{"urls": silent_server}]}
    for configuration, state in ((None, "complete"), (silent, "gathering")):
        async with open_peers(configuration, configuration) as (offerer, answerer):
            await connect(offerer, answerer)
            assert offerer.iceGatheringState == answerer.iceGatheringState == state


async def test_gathering_ends_when_a_server_does_not_answer(silent_server):
    async with open_peers({"iceServers": [{"urls": [silent_server, "stun:[::1]:9"]}]}, servers=0.1) as (peer,):
        peer.createDataChannel("chat")
        log = Log(peer)
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert log.kinds()[-3:] == ["end", "complete", "null"]


# Users who misbehave


async def test_a_listener_that_raises_is_reported_and_stops_nothing(loop_errors):
    async with open_peers(None, None) as (offerer, answerer):

        def broken(event):
            raise RuntimeError(event.type)

        async def broken_too(event):
            raise RuntimeError(f"async {event.type}")

        for peer in (offerer, answerer):
            for type in Log.TYPES:
                peer.addEventListener(type, broken)
                peer.addEventListener(type, broken_too)
        log = Log(offerer)
        channel, theirs = await connected(offerer, answerer)
        received = asyncio.ensure_future(emitted(theirs, "message"))
        await asyncio.sleep(0)
        channel.send("still here")
        assert await received == "still here"
        assert log.kinds()[-1] == "null"
        await reached(offerer, "connectionState", "connected")
        reports = {(str(report["exception"]), report["message"]) for report in loop_errors}
        assert ("icecandidate", "a listener for icecandidate of RTCPeerConnection failed") in reports
        assert ("async datachannel", "a listener for datachannel of RTCPeerConnection failed") in reports
        loop_errors.clear()
    loop_errors.clear()


async def test_a_listener_of_a_channel_or_track_that_raises_breaks_nothing(loop_errors):
    async with open_peers(None, None) as (offerer, answerer):
        offerer.addTrack(Tone())
        track = asyncio.ensure_future(next_event(answerer, "track"))
        channel, theirs = await connected(offerer, answerer)
        received = asyncio.Queue()

        @theirs.on("message")
        def _(message):
            received.put_nowait(message)
            raise RuntimeError("mine")

        channel.send("one")
        channel.send("two")
        assert [await received.get(), await received.get()] == ["one", "two"]
        assert await (await track).track.recv()
        assert {str(report["exception"]) for report in loop_errors} == {"mine"}
        loop_errors.clear()


async def test_async_listeners_see_the_states_of_their_event():
    async with open_peers(None) as (peer,):
        seen = []

        async def note(event):
            seen.append((event.candidate is None, peer.iceGatheringState))

        peer.onicecandidate = note
        peer.createDataChannel("chat")
        await peer.setLocalDescription()
        await peer.gathering_complete()
        assert seen == [*[(False, "gathering")] * (len(seen) - 1), (True, "complete")]


async def test_listeners_of_aiortc_get_what_aiortc_hands_over():
    async with open_peers(None, None) as (offerer, answerer):
        got = {}
        done = asyncio.Event()

        @answerer.on("track")
        def _(track):
            got["track"] = track

        @answerer.on("datachannel")
        async def _(channel):
            got["datachannel"] = channel
            done.set()

        @answerer.on("iceconnectionstatechange")
        async def _():
            got["state"] = answerer.iceConnectionState

        offerer.addTrack(Tone())
        await connected(offerer, answerer)
        await done.wait()
        assert isinstance(got["track"], aiortc.MediaStreamTrack)
        assert isinstance(got["datachannel"], aiortc.RTCDataChannel)
        assert got["state"] == "connected"


async def test_labels_are_counted_in_bytes_of_utf8():
    async with open_peers(None) as (peer,):
        assert peer.createDataChannel("ä" * 32767).label == "ä" * 32767
        assert peer.createDataChannel("\ud800").label == "\ufffd"
        for arguments in (("ä" * 32768,), ("x", {"protocol": "ä" * 32768})):
            with pytest.raises(TypeError, match="bytes"):
                peer.createDataChannel(*arguments)


async def test_an_id_that_is_taken_is_an_operation_error():
    async with open_peers(None) as (peer,):
        peer.createDataChannel("one", negotiated=True, id=7)
        with pytest.raises(OperationError):
            peer.createDataChannel("two", negotiated=True, id=7)
        assert peer.createDataChannel("three", id=7).id is None


async def test_wrong_options_come_before_a_closed_connection():
    async with open_peers(None) as (peer,):
        await peer.close()
        with pytest.raises(TypeError):
            peer.createDataChannel("x", maxRetransmits=-1)
        with pytest.raises(InvalidStateError):
            peer.createDataChannel("x" * 65536)
