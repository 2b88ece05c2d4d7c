"""A server that shows pictures to whoever offers to receive them, with the codec it wants."""

import asyncio

from aiortc import RTCConfiguration, RTCRtpSender, RTCSessionDescription

# isort: split
from aiortc import RTCPeerConnection

pcs = set()


def force_codec(pc, sender, forced_codec):
    kind = forced_codec.split("/")[0]
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    transceiver = next(t for t in pc.getTransceivers() if t.sender == sender)
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == forced_codec])


async def offer(params, video):
    offer = RTCSessionDescription(sdp=params["sdp"], type=params["type"])
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pcs.add(pc)

    @pc.on("connectionstatechange")
    async def on_connectionstatechange():
        if pc.connectionState == "failed":
            await pc.close()
            pcs.discard(pc)

    sender = pc.addTrack(video)
    force_codec(pc, sender, "video/H264")
    await pc.setRemoteDescription(offer)
    answer = await pc.createAnswer()
    await pc.setLocalDescription(answer)
    return {"sdp": pc.localDescription.sdp, "type": pc.localDescription.type}


async def on_shutdown():
    await asyncio.gather(*(pc.close() for pc in pcs))
    pcs.clear()
