"""What tests of WebRTC programs need: connected peers, real browsers, recordings, and trouble with the signalling.

    async with connected_pair() as (alice, bob):
        ...
    browser = Browser("firefox")
    async with connected_page(browser) as (pc, page):
        await page.evaluate("state.channel = state.pc.createDataChannel('chat')")
    browser.stop()

All of it runs in any event loop of asyncio. For pytest there is a plugin, pytest_aiortc_peer, whose fixtures are these.
It needs aiohttp: ``pip install aiortc-peer[test]``, and Chromium or Firefox if you want pages.
"""

from ._browser import Browser, Page, PageError
from ._fixtures import ConnectedPage, ConnectedPair, OpenPage, PageSignaling, Recorded, Troubled
from ._joined import page_signaling, recorded
from ._launch import PROGRAMS, BrowserProcess, find_browser
from ._pairs import connected_page, connected_pair
from ._trouble import Fate, Fates, Trouble
from ._troubled import troubled

__all__ = [
    "PROGRAMS",
    "Browser",
    "BrowserProcess",
    "ConnectedPage",
    "ConnectedPair",
    "Fate",
    "Fates",
    "OpenPage",
    "Page",
    "PageError",
    "PageSignaling",
    "Recorded",
    "Trouble",
    "Troubled",
    "connected_page",
    "connected_pair",
    "find_browser",
    "page_signaling",
    "recorded",
    "troubled",
]
