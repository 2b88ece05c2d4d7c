"""Perfect negotiation: the buttons of the page, and negotiation.py between two Python peers."""

import asyncio

import pytest

from examples.perfect_negotiation.negotiation import Negotiation
from examples.served import running
from peer import RTCPeerConnection


@pytest.mark.parametrize("query", ["", "?polite"], ids=["Python is polite", "the page is polite"])
async def test_both_sides_change_things(open_page, query):
    async with open_page() as page, running("perfect_negotiation", page) as example:
        await example.open("it", query)
        await example.until("it", "page.getElementById('connection').textContent === 'connected'")
        await example.until("it", "page.getElementById('python').textContent.includes('stable1')")
        lines = 1
        for button, more in {"here": 1, "there": 1, "both": 2}.items():
            for _ in range(3):
                await example.do("it", "page.getElementById(args[1]).click()", button)
                lines += more
            for side in ("page", "python"):
                await example.until("it", f"page.getElementById('{side}').textContent.includes('stable{lines}')")
        await example.do("it", "page.getElementById('restart').click()")
        await example.line("Python peer: have-remote-offer, 13 m-lines")
        await example.line("Python peer: stable, 13 m-lines")
        await example.do("it", "page.getElementById('there').click()")  # which goes over the connection
        await example.until("it", "page.getElementById('page').textContent.includes('stable14')")


async def test_two_python_peers_offer_at_once():
    polite, impolite = RTCPeerConnection(), RTCPeerConnection()
    sides = [
        Negotiation(polite, lambda message: sides[1].receive(message), polite=True),
        Negotiation(impolite, lambda message: sides[0].receive(message), polite=False),
    ]
    try:
        found = [asyncio.get_running_loop().create_future() for _ in sides]
        for side, future in zip(sides, found, strict=True):
            side.pc.ondatachannel = lambda event, future=future: future.set_result(event.channel.label)
            side.pc.createDataChannel("from the polite one" if side.polite else "from the impolite one")
        assert await asyncio.gather(*found) == ["from the impolite one", "from the polite one"]
    finally:
        await polite.close()
        await impolite.close()
