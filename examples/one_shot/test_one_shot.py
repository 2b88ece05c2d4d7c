"""Signalling in one shot: with pages, and with a Python peer."""

import asyncio

import aiohttp

from examples.served import running
from peer import RTCPeerConnection


async def test_pings_come_back(open_page):
    closed = "page.getElementById('ping').disabled && page.body.textContent.includes('closed: load the page again')"
    async with open_page() as page:
        async with running("one_shot", page) as example:
            for name in ("one", "other"):
                await example.open(name)
                await example.until(name, "!page.getElementById('ping').disabled")
                for _ in range(2):
                    await example.do(name, "page.getElementById('ping').click()")
                await example.until(name, "page.body.textContent.includes('Ping 2 has come back')")
            await example.do("one", "page.getElementById('leave').click()")
            await example.line("closed; 1 open")
            await example.until("one", closed)
        await example.until("other", closed)  # the server has ended


async def test_an_answer_has_all_its_candidates():
    async with running("one_shot") as example, aiohttp.ClientSession() as session:
        pc = RTCPeerConnection()
        try:
            channel = pc.createDataChannel("echo")
            await pc.setLocalDescription()
            await pc.gathering_complete()
            async with session.post(f"{example.url}offer", json=pc.localDescription.toJSON()) as response:
                await pc.setRemoteDescription(await response.json())
            assert "a=candidate:" in pc.remoteDescription.sdp
            assert "a=end-of-candidates" in pc.remoteDescription.sdp
            echo = asyncio.get_running_loop().create_future()
            channel.onopen = lambda event: channel.send("hello")
            channel.onmessage = lambda event: echo.set_result(event.data)
            assert await echo == "hello"
        finally:
            await pc.close()
        await example.line("closed; 0 open")


async def test_what_is_no_offer_is_refused():
    async with running("one_shot") as example, aiohttp.ClientSession() as session:
        for body in ("", "[]", "{}", '{"type": "answer", "sdp": ""}', '{"type": "offer", "sdp": "v=1"}'):
            async with session.post(f"{example.url}offer", data=body) as response:
                assert response.status == 400
                assert await response.text()
        pc = RTCPeerConnection()
        try:
            pc.createDataChannel("echo")
            await pc.setLocalDescription()
            await pc.gathering_complete()
            async with session.post(f"{example.url}offer", json=pc.localDescription.toJSON()) as response:
                assert response.status == 200
            said = await example.line("; . open")  # the first one, for nothing is said of what was refused
            assert said.string == "connecting; 1 open\n"
        finally:
            await pc.close()
