"""peer.testing: peers that are connected, pages, recordings, and trouble with the signalling."""

from __future__ import annotations

import asyncio
import json

import pytest
from peers import heard, next_event, open_peers

from peer.signaling import MessageError, decode, encode, negotiate, pair
from peer.testing import BrowserProcess, Fate, PageError, Trouble
from peer.testing import connected_page as connect_page
from peer.testing import recorded as recorded_to
from peer.tools import as_text

CANDIDATES = [decode(json.dumps({"candidate": {"candidate": "", "sdpMid": str(mid)}})) for mid in range(4)]


def mids(messages):
    return [int(message["candidate"].sdpMid) for message in messages]


async def first(count, signaling):
    """The first so many messages that come."""
    messages = aiter(signaling)
    return [await anext(messages) for _ in range(count)]


# Python peers


async def test_a_pair_is_connected_and_goes_on_negotiating(connected_pair):
    async with connected_pair() as (a, b):
        assert (a.connectionState, b.connectionState) == ("connected", "connected")
        channel = b.createDataChannel("chat")
        assert (await next_event(a, "datachannel")).channel.label == "chat"
        assert channel.readyState == "open"
        a.addTransceiver("audio")
        b.addTransceiver("video")
        assert {(await next_event(b, "track")).track.kind, (await next_event(a, "track")).track.kind} == {
            "audio",
            "video",
        }
    assert (a.connectionState, b.connectionState) == ("closed", "closed")


async def test_a_pair_can_be_recorded_under_other_names(connected_pair, recording):
    async with connected_pair(names=("alice", "bob")):
        pass
    text = as_text(recording)
    assert {entry["peer"] for entry in recording} == {"alice", "bob"}
    for name in ("alice", "bob"):
        assert f"{name:5}  connection  connected" in text


async def test_a_pair_that_cannot_connect_says_so(connected_pair):
    with pytest.raises(TimeoutError, match="not connected after 0\\.2 s: new, new"):
        async with connected_pair(trouble=Trouble(drop=1), timeout=0.2):
            pass


async def test_what_ends_negotiation_is_raised(connected_pair):
    def broken(sender, number, message):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with connected_pair(trouble=broken, timeout=0.2):
            pass


@pytest.mark.parametrize("seed", range(5))
async def test_a_pair_connects_whatever_becomes_of_candidates(connected_pair, recording, loop_errors, seed):
    trouble = Trouble(seed, delay=0.02, reorder=0.4, drop=0.2, duplicate=0.3, kinds=["candidate"])
    async with connected_pair(trouble=trouble) as (a, _):
        assert a.connectionState == "connected"
    assert [entry for entry in recording if entry["event"] == "trouble"]
    loop_errors.clear()  # candidates whose description is gone are reported


@pytest.mark.parametrize("seed", range(5))
async def test_a_pair_connects_though_candidates_overtake_their_description(connected_pair, seed):
    async with connected_pair(trouble=Trouble(seed, reorder=0.7, delay=0.01)) as (_, b):
        b.createDataChannel("chat")


# Trouble


async def test_trouble_reorders_drops_and_duplicates_what_is_sent_and_what_comes(troubled, recording):
    fates = [Fate(passed_by=1), Fate((0, 0)), Fate(()), Fate()]
    here, there = pair()
    async with troubled(here, lambda sender, number, message: fates[number], names=("us", "them")) as end:
        for message in CANDIDATES:
            await end.send(message)
            await there.send(message)
        assert mids(await first(4, there)) == [1, 0, 1, 3]
        assert mids(await first(4, end)) == [1, 0, 1, 3]
    assert {entry["event"] for entry in recording} == {"trouble"}
    told = [(entry["peer"], entry["value"]) for entry in recording]
    words = ["candidate passed by 1", "candidate comes 2 times", "candidate dropped"]
    assert [what for peer, what in told if peer == "us"] == words
    assert [what for peer, what in told if peer == "them"] == words


async def test_who_is_delayed_delays_those_behind(troubled):
    here, there = pair()
    async with troubled(here, lambda sender, number, message: Fate((0.05 if number == 0 else 0,))) as end:
        for message in CANDIDATES:
            await end.send(message)
        assert mids(await first(4, there)) == [0, 1, 2, 3]


async def test_the_function_is_told_who_sends_which_message(troubled):
    here, there = pair()
    seen = []

    def look(sender, number, message):
        seen.append((sender, number, json.loads(encode(message))))
        return Fate()

    async with troubled(here, look) as end:
        await end.send(CANDIDATES[0])
        await end.send(CANDIDATES[1])
        await first(2, there)
        await there.send({"description": {"type": "offer", "sdp": "v=0"}})
        await first(1, end)
    given = [json.loads(encode(message)) for message in CANDIDATES]
    assert seen[:2] == [("here", 0, given[0]), ("here", 1, given[1])]
    assert seen[2] == ("there", 0, {"description": {"type": "offer", "sdp": "v=0"}})


async def test_the_end_of_the_signalling_is_the_end_of_the_troubled_one(troubled):
    for close in ("end", "there"):
        here, there = pair()
        async with troubled(here, Trouble()) as end:
            await {"end": end, "there": there}[close].close()
            assert [message async for message in end] == []
            assert [message async for message in end] == []
            with pytest.raises(ConnectionError):
                await end.send(CANDIDATES[0])


async def test_what_is_no_message_is_refused_in_both_directions(troubled):
    class Sloppy:
        def __init__(self):
            self.send = self.close = None

        async def __aiter__(self):
            yield {"nonsense": 1}
            await asyncio.Event().wait()

    async with troubled(Sloppy(), Trouble()) as end:
        with pytest.raises(MessageError):
            await end.send({"nonsense": 1})
        with pytest.raises(MessageError):
            await anext(aiter(end))


async def test_what_the_signalling_raises_is_raised(troubled):
    class Broken:
        async def __aiter__(self):
            raise ZeroDivisionError
            yield

    async with troubled(Broken(), Trouble()) as end:
        with pytest.raises(ZeroDivisionError):
            await anext(aiter(end))


# Pages


async def test_a_page_and_a_python_peer_are_connected(connected_page):
    async with connected_page() as (pc, page):
        assert await page.evaluate("return state.pc.connectionState") == "connected"
        found = asyncio.ensure_future(next_event(pc, "datachannel"))
        await page.evaluate("""
            const channel = state.pc.createDataChannel("from the page");
            channel.onmessage = ({data}) => send(data);
        """)
        (await found).channel.send("hello")
        assert await page.next_message() == "hello"


@pytest.mark.parametrize("polite", [True, False])
async def test_a_page_and_a_python_peer_go_on_negotiating(connected_page, polite):
    async with connected_page(polite=polite) as (pc, page):
        found = asyncio.ensure_future(next_event(pc, "track"))
        await page.evaluate("state.pc.addTransceiver('video')")
        assert (await found).track.kind == "video"
        await page.evaluate("state.pc.ontrack = ({track}) => send(track.kind)")
        pc.addTransceiver("audio")
        assert await page.next_message() == "audio"


@pytest.mark.parametrize("seed", range(3))
async def test_a_page_connects_though_candidates_overtake_their_description(connected_page, loop_errors, seed):
    trouble = Trouble(seed, reorder=0.5, duplicate=0.2, kinds=["candidate"], delay=0.01)
    async with connected_page(trouble=trouble) as (pc, _):
        assert pc.connectionState == "connected"
    loop_errors.clear()


async def test_both_sides_are_recorded_on_one_clock(connected_page, recording):
    async with connected_page(names=("python", "page")) as (pc, page):
        found = asyncio.ensure_future(next_event(pc, "datachannel"))
        await page.evaluate("state.pc.createDataChannel('x')")
        await found
    told = sorted(recording, key=lambda entry: entry["time"])
    events = [(entry["peer"], entry["event"], entry["value"]) for entry in told]
    assert events.index(("python", "signalingstatechange", "have-local-offer")) < events.index(
        ("page", "signalingstatechange", "have-remote-offer")
    )
    assert events.index(("page", "signalingstatechange", "stable")) < events.index(
        ("python", "signalingstatechange", "stable")
    )
    for peer in ("python", "page"):
        assert (peer, "connectionstatechange", "connected") in events
        assert (peer, "icecandidate", None) in events


async def test_a_page_is_recorded_until_it_is_lost(open_page, browser, recorded, recording):
    async with open_page() as page:
        await page.evaluate("state.pc = new RTCPeerConnection(); state.pc.createDataChannel('x')")
        async with recorded(page=page):
            await page.evaluate("await state.pc.setLocalDescription()")
            browser.stop()
            with pytest.raises(PageError, match="lost"):
                await page.evaluate("await new Promise(() => {})")
    assert [entry["value"] for entry in recording if entry["event"] == "signalingstatechange"] == ["have-local-offer"]


async def test_the_checks_of_a_page_are_recorded_as_ours_are(browser):
    pairs, succeeded = [], asyncio.Event()

    def told(entry):
        if (entry["peer"], entry["event"]) == ("page", "candidatepair"):
            pairs.append(entry["value"])
            if entry["value"]["state"] == "succeeded":
                succeeded.set()

    async with connect_page(browser, to=told, names=("python", "page")) as (pc, _):
        await succeeded.wait()
        ports = [int(line.split()[5]) for line in pc.localDescription.sdp.splitlines() if "candidate:" in line]
    assert {pair["state"] for pair in pairs} <= {"in-progress", "succeeded", "failed"}
    assert len(set(map(str, pairs))) == len(pairs)  # a state is told once
    (pair, *_) = [pair for pair in pairs if pair["state"] == "succeeded"]
    assert pair["local"]["type"] in ("host", "prflx")
    assert pair["local"]["protocol"] == pair["remote"]["protocol"] == "udp"
    assert pair["remote"]["port"] in ports
    assert not {None, ""} & {*pair["local"].values(), *pair["remote"].values()}


async def test_the_checks_of_a_page_that_is_closed_meanwhile_are_not_recorded(browser):
    entries = []
    close = """
        state.pc.dispatchEvent(new Event("connectionstatechange"));
        state.pc.close();
        await state.pc.getStats().catch(() => null);
    """
    async with connect_page(browser) as (_, page), recorded_to(entries.append, page=page):
        await page.evaluate(close)
    assert "connectionstatechange" in [entry["event"] for entry in entries]
    assert "candidatepair" not in [entry["event"] for entry in entries]


async def test_a_page_without_a_connection_is_not_recorded(open_page, recorded):
    async with open_page() as page:
        with pytest.raises(ValueError, match="the page has no state\\.pc yet"):
            async with recorded(it=page):
                pass


async def test_channels_are_recorded_by_name(connected_pair, recorded, recording):
    async with connected_pair() as (a, _):
        channel = a.createDataChannel("mine")
        async with recorded(chat=channel):
            await heard(channel, "open")
    assert ("chat", "open", "mine") in [
        (entry["peer"], entry["event"], entry["value"]["label"]) for entry in recording if entry["event"] == "open"
    ]


async def test_a_description_that_a_page_refuses_is_one_of_its_errors(open_page, page_signaling):
    async with open_page() as page, page_signaling(page) as signaling:
        await page.evaluate("void (state.fallen = new Promise((done) => addEventListener('unhandledrejection', done)))")
        await signaling.send({"description": {"type": "answer", "sdp": "v=0"}})
        await page.evaluate("await state.fallen")
        assert len(page.errors) == 1
        page.errors.clear()


async def test_signalling_with_a_page_ends_with_either(open_page, page_signaling, browser):
    async with open_page() as page, page_signaling(page) as signaling:
        await signaling.close()
        assert [message async for message in signaling] == []
        with pytest.raises(ConnectionError, match="closed"):
            await signaling.send(CANDIDATES[0])
    async with open_page() as page, page_signaling(page) as signaling, open_peers(None) as (pc,):
        task = asyncio.create_task(negotiate(pc, signaling, polite=True))
        browser.stop()
        await task
        with pytest.raises(ConnectionError, match="lost"):
            await signaling.send(CANDIDATES[0])


def test_a_browser_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError, match="none of firefox-esr, firefox is on PATH"):
        BrowserProcess("firefox", "about:blank")
