"""Two Python programs and no page: ``python -m examples.two_machines`` on one machine, and with a URL on another."""

import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from examples.server import arguments, run, say
from peer import DOMException, RTCDataChannelEvent, RTCIceCandidate, RTCPeerConnection
from peer.signaling import Signaling, add_signaling, connect, negotiate

HERE = Path(__file__).parent

Servers = list[dict[str, Any]]


async def talk(pc: RTCPeerConnection, signaling: Signaling, *, polite: bool) -> None:
    """Negotiate until the other side hangs up, or cannot be reached any more; then close."""

    async def changed(_: object) -> None:
        say(pc.connectionState)
        if pc.connectionState == "connected":
            pair = pc.sctp.transport.iceTransport.getSelectedCandidatePair()
            say(f"{words(pair.local)} to {words(pair.remote)}")
        elif pc.connectionState == "failed":
            await pc.close()  # which ends negotiate()

    pc.onconnectionstatechange = changed
    pc.onicecandidateerror = lambda event: say(f"{event.url} gives no candidate: {event.errorText}")
    try:
        await negotiate(pc, signaling, polite=polite)
    finally:
        await pc.close()
        say("closed")


def words(candidate: RTCIceCandidate) -> str:
    """Where it is. Of an address that was learned from a check, users do not hear."""
    return f"{candidate.address or 'an address'} ({candidate.type})"


# The one that listens: it answers, and sends back what comes.


async def answer(signaling: Signaling, servers: Servers) -> None:
    def found(event: RTCDataChannelEvent) -> None:
        event.channel.onmessage = lambda message: event.channel.send(message.data)

    pc = RTCPeerConnection(iceServers=servers)
    pc.ondatachannel = found
    await talk(pc, signaling, polite=True)


# The one that calls: it offers, because it has a channel, and hangs up when it is done.


async def call(url: str, servers: Servers, times: int) -> None:
    """Call who listens at *url*. Raises ConnectionError if that one leaves first."""
    this_task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):  # then this is cancelled, and hangs up
        asyncio.get_running_loop().add_signal_handler(number, this_task.cancel)
    pc = RTCPeerConnection(iceServers=servers)
    events: asyncio.Queue[Any] = asyncio.Queue()
    channel = pc.createDataChannel("ping")
    for type in ("open", "message", "close"):
        channel.addEventListener(type, events.put_nowait)
    async with connect(url) as signaling:
        talking = asyncio.create_task(talk(pc, signaling, polite=False))
        sent = 0.0
        try:
            for number in range(times + 1):
                event = await events.get()
                if event.type == "close":
                    raise ConnectionError("the other side has left")
                if event.type == "message":
                    say(f"{event.data} is back after {(time.perf_counter() - sent) * 1000:.1f} ms")
                if number < times:
                    sent = time.perf_counter()
                    channel.send(f"ping {number + 1}")
        finally:
            await signaling.close()
            await talking


async def check(servers: Servers) -> None:
    """Raises what a connection with such servers raises."""
    await RTCPeerConnection(iceServers=servers).close()


def main() -> None:
    parser = arguments(HERE, __doc__)
    parser.add_argument("url", nargs="?", help="where the other one listens: ws://its address:8080/signaling")
    parser.add_argument("--times", type=int, default=5, help="how many pings a caller sends (default: %(default)s)")
    parser.add_argument("--server", action="append", default=[], help="a STUN server, such as stun:stun.example.org")
    options = parser.parse_args()
    servers = [{"urls": options.server}] if options.server else []
    try:
        asyncio.run(check(servers))
    except DOMException as error:
        parser.error(f"argument --server: {error}")
    if options.url:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                asyncio.run(call(options.url, servers, options.times))
        except aiohttp.InvalidURL:
            parser.error(f"{options.url} is no URL such as ws://192.168.1.2:8080/signaling")
        except (aiohttp.ClientError, ConnectionError) as error:
            sys.exit(f"{options.url}: {error}")
    else:
        app = web.Application()
        add_signaling(app, "/signaling", lambda signaling, _: answer(signaling, servers))
        run(app, options)


if __name__ == "__main__":
    main()
