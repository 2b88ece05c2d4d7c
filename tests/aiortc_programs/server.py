"""A server that answers offers: it echoes pings and pictures, and listens to sound."""

import asyncio

from aiortc import MediaStreamTrack, RTCConfiguration, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole, MediaRelay

# isort: split
from aiortc import RTCPeerConnection

pcs = set()
relay = MediaRelay()
log = []


class Echo(MediaStreamTrack):
    """The pictures of another track."""

    kind = "video"

    def __init__(self, track):
        super().__init__()
        self.track = track

    async def recv(self):
        return await self.track.recv()


async def offer(params):
    offer = RTCSessionDescription(sdp=params["sdp"], type=params["type"])
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pcs.add(pc)
    recorder = MediaBlackhole()

    @pc.on("datachannel")
    def on_datachannel(channel):
        @channel.on("message")
        def on_message(message):
            if isinstance(message, str) and message.startswith("ping"):
                channel.send("pong" + message[4:])

    @pc.on("connectionstatechange")
    async def on_connectionstatechange():
        log.append(pc.connectionState)
        if pc.connectionState == "failed":
            await pc.close()
            pcs.discard(pc)

    @pc.on("track")
    def on_track(track):
        log.append(track.kind)
        if track.kind == "audio":
            recorder.addTrack(track)
        elif track.kind == "video":
            pc.addTrack(Echo(relay.subscribe(track)))

        @track.on("ended")
        async def on_ended():
            log.append("ended")
            await recorder.stop()

    await pc.setRemoteDescription(offer)
    await recorder.start()
    answer = await pc.createAnswer()
    await pc.setLocalDescription(answer)
    return {"sdp": pc.localDescription.sdp, "type": pc.localDescription.type}


async def on_shutdown():
    await asyncio.gather(*(pc.close() for pc in pcs))
    pcs.clear()
