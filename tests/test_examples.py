"""The examples with a page, as a user runs them: the server is a process, and the page is in a real browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from served import served

ROOT = Path(__file__).parents[1]


def running(name, page):
    """Run the example."""
    return served(page, sys.executable, "-W", "error", "-m", f"examples.{name}", "--port", "0", cwd=ROOT)


async def test_chat(page):
    async with running("chat", page) as chat:
        await chat.open("one")
        await chat.until("one", "page.body.textContent.includes('Guest 1 has come')")
        await chat.open("other")
        for name in ("one", "other"):
            await chat.until(name, "page.body.textContent.includes('Guest 2 has come')")
        await chat.do("one", "page.querySelector('input').value = args[1]; page.querySelector('button').click()", "Hé!")
        await chat.line("Guest 1: Hé!")
        for name in ("one", "other"):
            await chat.until(name, "page.body.textContent.includes('Guest 1: Hé!')")
        await chat.close("other")
        await chat.until("one", "page.body.textContent.includes('Guest 2 has left')")
        await chat.open("other")
        await chat.until("one", "page.body.textContent.includes('Guest 3 has come')")


@pytest.mark.parametrize("query", ["", "?polite"], ids=["Python is polite", "the page is polite"])
async def test_perfect_negotiation(page, query):
    async with running("perfect_negotiation", page) as example:
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
