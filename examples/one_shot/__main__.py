"""A page that sends one request, its offer, and gets one response, the answer: ``python -m examples.one_shot``."""

from pathlib import Path

from aiohttp import web

from examples.server import arguments, pages, run, say
from peer import DOMException, RTCDataChannelEvent, RTCPeerConnection

HERE = Path(__file__).parent
ANY_PAGE = {"Access-Control-Allow-Origin": "*"}  # also one that comes from another server may ask


class Answerer:
    """Answers offers, and has the connections that come of them."""

    def __init__(self) -> None:
        self._connections: set[RTCPeerConnection] = set()  # those that are open

    async def answer(self, request: web.Request) -> web.Response:
        """Answer the offer that is the body of *request*."""
        pc = self._open()
        try:
            await pc.setRemoteDescription(await request.json())
            await pc.setLocalDescription()
            await pc.gathering_complete()  # for there is no second response for candidates that come later
        except (DOMException, TypeError, ValueError) as error:
            self._connections.remove(pc)  # it never was one
            await pc.close()
            raise web.HTTPBadRequest(text=str(error), headers=ANY_PAGE) from None
        return web.json_response(pc.localDescription.toJSON(), headers=ANY_PAGE)

    async def close_all(self, _: web.Application) -> None:
        for pc in list(self._connections):
            await self._close(pc)

    def _open(self) -> RTCPeerConnection:
        pc = RTCPeerConnection()
        self._connections.add(pc)

        async def changed(_: object) -> None:
            say(f"{pc.connectionState}; {len(self._connections)} open")
            if pc.connectionState == "failed":  # nobody can bring it back: a restart needs signalling
                await self._close(pc)

        async def closed(_: object) -> None:  # the page has said that it leaves
            await self._close(pc)

        def found(event: RTCDataChannelEvent) -> None:
            channel = event.channel
            channel.onmessage = lambda message: channel.send(message.data)
            channel.onclose = closed

        pc.onconnectionstatechange = changed
        pc.ondatachannel = found
        return pc

    async def _close(self, pc: RTCPeerConnection) -> None:
        if pc in self._connections:
            self._connections.remove(pc)
            await pc.close()
            say(f"closed; {len(self._connections)} open")


if __name__ == "__main__":
    answerer = Answerer()
    app = pages(HERE)
    app.router.add_post("/offer", answerer.answer)
    app.on_shutdown.append(answerer.close_all)
    run(app, arguments(HERE, __doc__).parse_args())
