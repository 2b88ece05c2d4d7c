"""Two who play ping-pong over a data channel, and exchange their descriptions as lines of text."""

import asyncio

from aiortc import RTCConfiguration, RTCIceCandidate, RTCSessionDescription
from aiortc.contrib.signaling import BYE

# isort: split
from aiortc import RTCPeerConnection


async def gathered(pc):
    if pc.iceGatheringState != "complete":
        complete = asyncio.Event()
        pc.on("icegatheringstatechange", lambda: pc.iceGatheringState == "complete" and complete.set())
        await complete.wait()


async def consume_signaling(pc, signaling):
    while True:
        obj = await signaling.receive()
        if isinstance(obj, RTCSessionDescription):
            await pc.setRemoteDescription(obj)
            if obj.type == "offer":
                await pc.setLocalDescription(await pc.createAnswer())
                await gathered(pc)
                await signaling.send(pc.localDescription)
        elif isinstance(obj, RTCIceCandidate):
            await pc.addIceCandidate(obj)
        elif obj is BYE:
            break


async def run_answer(pc, signaling, log):
    @pc.on("datachannel")
    def on_datachannel(channel):
        log.append(f"created by remote party: {channel.label}")

        @channel.on("message")
        def on_message(message):
            log.append(message)
            if isinstance(message, str) and message.startswith("ping"):
                channel.send("pong" + message[4:])

    await consume_signaling(pc, signaling)


async def run_offer(pc, signaling, log):
    channel = pc.createDataChannel("chat")
    log.append(f"created by local party: {channel.label}")
    tasks = []

    async def send_pings():
        for number in range(3):
            channel.send(f"ping {number}")
            await asyncio.sleep(0)

    @channel.on("open")
    def on_open():
        tasks.append(asyncio.ensure_future(send_pings()))

    @channel.on("message")
    async def on_message(message):
        log.append(message)
        if message == "pong 2":
            await signaling.send(BYE)

    await pc.setLocalDescription(await pc.createOffer())
    await gathered(pc)
    await signaling.send(pc.localDescription)
    await consume_signaling(pc, signaling)


async def run(role, signaling, log):
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await {"offer": run_offer, "answer": run_answer}[role](pc, signaling, log)
    finally:
        await signaling.close()
        await pc.close()
