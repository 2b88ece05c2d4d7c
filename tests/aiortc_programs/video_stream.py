"""Two who show each other moving pictures, and exchange their descriptions as lines of text."""

import asyncio

from aiortc import RTCConfiguration, RTCSessionDescription, VideoStreamTrack
from aiortc.contrib.signaling import BYE
from av import VideoFrame

# isort: split
from aiortc import RTCPeerConnection


class Pictures(VideoStreamTrack):
    """Grey pictures, one brighter than the other."""

    def __init__(self):
        super().__init__()
        self.counter = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(width=64, height=48, format="yuv420p")
        for plane in frame.planes:
            plane.update(bytes([self.counter % 256]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        self.counter += 1
        return frame


async def gathered(pc):
    if pc.iceGatheringState != "complete":
        complete = asyncio.Event()
        pc.on("icegatheringstatechange", lambda: pc.iceGatheringState == "complete" and complete.set())
        await complete.wait()


async def run(role, signaling, recorder):
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    @pc.on("track")
    def on_track(track):
        recorder.addTrack(track)

    if role == "offer":
        pc.addTrack(Pictures())
        await pc.setLocalDescription(await pc.createOffer())
        await gathered(pc)
        await signaling.send(pc.localDescription)

    recording = None
    while True:
        obj = await signaling.receive()
        if isinstance(obj, RTCSessionDescription):
            await pc.setRemoteDescription(obj)
            recording = asyncio.ensure_future(recorder.record())
            if obj.type == "offer":
                pc.addTrack(Pictures())
                await pc.setLocalDescription(await pc.createAnswer())
                await gathered(pc)
                await signaling.send(pc.localDescription)
            else:
                await recording
                await signaling.send(BYE)
        elif obj is BYE:
            break
    await recording
    await signaling.close()
    await pc.close()
