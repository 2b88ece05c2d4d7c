"""Programs written for aiortc, in the style of its examples, run with one import changed, as docs/from-aiortc.md says.

They are in aiortc_programs/, as they are with aiortc. Each runs with either import, on either side.
"""

from __future__ import annotations

import asyncio
import types
from pathlib import Path

import aiortc
import pytest
from aiortc.contrib.signaling import BYE, object_from_string, object_to_string
from peers import Tone

PROGRAMS = Path(__file__).parent / "aiortc_programs"
LINE = "\nfrom {} import RTCPeerConnection\n"

either = pytest.mark.parametrize("package", ["aiortc", "peer"])
each_pair = pytest.mark.parametrize(
    "packages", [("aiortc", "aiortc"), ("aiortc", "peer"), ("peer", "aiortc"), ("peer", "peer")], ids=" and ".join
)


def program(name, package):
    """The program, with its connection from *package*."""
    path = PROGRAMS / f"{name}.py"
    text = path.read_text()
    assert LINE.format("aiortc") in text
    module = types.ModuleType(f"{name} with {package}")
    exec(compile(text.replace(LINE.format("aiortc"), LINE.format(package)), path, "exec"), vars(module))
    return module


class Signaling:
    """One end of a line, with the methods of aiortc's; what travels is text."""

    def __init__(self, inbox, outbox):
        self._inbox, self._outbox = inbox, outbox

    async def send(self, obj):
        self._outbox.put_nowait(object_to_string(obj))

    async def receive(self):
        return object_from_string(await self._inbox.get())

    async def close(self):
        await self.send(BYE)


def line():
    """Both ends of a line."""
    one, other = asyncio.Queue(), asyncio.Queue()
    return Signaling(one, other), Signaling(other, one)


@each_pair
async def test_ping_pong_over_a_data_channel(packages):
    logs = [], []
    await asyncio.gather(
        *(
            program("data_channel", package).run(role, end, log)
            for package, role, end, log in zip(packages, ("offer", "answer"), line(), logs, strict=True)
        )
    )
    assert logs[0] == ["created by local party: chat", "pong 0", "pong 1", "pong 2"]
    assert logs[1] == ["created by remote party: chat", "ping 0", "ping 1", "ping 2"]


class Recorder:
    """Takes a few pictures of the track it is given."""

    def __init__(self):
        self.sizes = []
        self._tracks = []

    def addTrack(self, track):
        self._tracks.append(track)

    async def record(self):
        (track,) = self._tracks
        while len(self.sizes) < 3:
            frame = await track.recv()
            self.sizes.append((frame.width, frame.height))


@each_pair
async def test_moving_pictures_in_both_directions(packages):
    recorders = Recorder(), Recorder()
    await asyncio.gather(
        *(
            program("video_stream", package).run(role, end, recorder)
            for package, role, end, recorder in zip(packages, ("offer", "answer"), line(), recorders, strict=True)
        )
    )
    assert [recorder.sizes for recorder in recorders] == [[(64, 48)] * 3] * 2


# Servers answer at once. With this package their answers have no candidates: who has offered learns our address from
# the checks, if these reach it. aiortc's own connection does not wait for them.

client_and_server = pytest.mark.parametrize(
    "packages", [("aiortc", "aiortc"), ("peer", "aiortc"), ("peer", "peer")], ids=" and ".join
)


async def call(package, prepare, offer):
    """A connection from *package* that *offer*, a server's, has answered. It does not trickle."""
    like = program("data_channel", package)
    client = like.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    prepare(client)
    await client.setLocalDescription(await client.createOffer())
    await like.gathered(client)
    answer = await offer({"sdp": client.localDescription.sdp, "type": client.localDescription.type})
    await client.setRemoteDescription(aiortc.RTCSessionDescription(**answer))
    return client, answer["sdp"]


@client_and_server
async def test_a_server_echoes_what_a_client_sends(packages):
    server = program("server", packages[1])
    pong = asyncio.get_running_loop().create_future()

    def prepare(client):
        client.addTrack(Tone())
        client.addTrack(program("video_stream", "aiortc").Pictures())
        channel = client.createDataChannel("chat")
        channel.on("open", lambda: channel.send("ping 1"))
        channel.on("message", pong.set_result)

    client, _ = await call(packages[0], prepare, server.offer)
    assert await pong == "pong 1"
    (video,) = [t.receiver.track for t in client.getTransceivers() if t.kind == "video"]
    assert (await video.recv()).width == 64
    await server.on_shutdown()
    await client.close()
    assert server.log[:2] == ["audio", "video"]
    assert server.log.count("ended") == 2
    assert "connected" in server.log


PAGE = """
const pc = state.pc = new RTCPeerConnection();
const channel = pc.createDataChannel("chat");
state.pong = new Promise((resolve) => { channel.onmessage = ({data}) => resolve(data); });
channel.onopen = () => channel.send("ping 1");
await pc.setLocalDescription();
await new Promise((resolve) => {
  pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
  pc.onicegatheringstatechange();
});
return pc.localDescription.toJSON();
"""


@either
async def test_a_page_that_does_not_trickle_talks_to_a_server(package, page):
    server = program("server", package)
    answer = await server.offer(await page.evaluate(PAGE))
    await page.evaluate("await state.pc.setRemoteDescription(args[0]);", answer)
    assert await page.evaluate("return await state.pong;") == "pong 1"
    await page.evaluate("state.pc.close();")
    await server.on_shutdown()


@client_and_server
async def test_a_webcam_shows_pictures_with_the_codec_it_wants(packages):
    webcam = program("webcam", packages[1])
    video = program("video_stream", "aiortc").Pictures()

    def prepare(client):
        client.addTransceiver("video", direction="recvonly")
        client.addTransceiver("audio", direction="recvonly")

    client, answer = await call(packages[0], prepare, lambda params: webcam.offer(params, video))
    assert "H264" in answer
    assert "VP8" not in answer
    assert (await client.getReceivers()[0].track.recv()).height == 48
    await webcam.on_shutdown()
    await client.close()


# What must change


async def test_descriptions_have_no_candidates_yet_when_they_are_set():
    pc = program("server", "peer").RTCPeerConnection()
    pc.createDataChannel("chat")
    await pc.setLocalDescription(await pc.createOffer())
    assert "a=candidate:" not in pc.localDescription.sdp
    await program("data_channel", "peer").gathered(pc)
    assert "a=candidate:" in pc.localDescription.sdp
    await pc.close()
