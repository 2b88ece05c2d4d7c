"""Bundles: m-lines share a transport if both sides want it, and those that do not share connect on their own."""

from __future__ import annotations

import asyncio
import re

import pytest
from peers import Tone, connect, negotiate, next_event, open_peers, opened, reached, trickle


def groups(description):
    return re.findall(r"a=group:BUNDLE ([^\r\n]*)", description.sdp)


def ports(description):
    return [int(port) for port in re.findall(r"(?m)^m=\S+ (\d+)", description.sdp)]


def transports(peer):
    """The ICE transports of the m-lines: transceivers first, then data."""
    carriers = [t.receiver for t in peer.getTransceivers() if t.mid is not None]
    carriers += [peer.sctp] if peer.sctp else []
    return [carrier.transport.iceTransport for carrier in carriers]


async def negotiate_with_group(offerer, answerer, group):
    """Offer and answer; the answerer is shown this group of mids only, or none."""
    await offerer.setLocalDescription()
    offer = offerer.localDescription.sdp
    line = f"a=group:BUNDLE {group}\r\n" if group else ""
    await answerer.setRemoteDescription(type="offer", sdp=re.sub("a=group:BUNDLE [^\r\n]*\r\n", line, offer))
    await answerer.setLocalDescription()
    await offerer.setRemoteDescription(answerer.localDescription)


async def echo(channel, other):
    """A message each way; *other* is the future event of the channel's other end."""
    answer = asyncio.get_running_loop().create_future()
    channel.once("message", answer.set_result)
    theirs = (await other).channel
    theirs.once("message", theirs.send)
    channel.send("hello")
    assert await answer == "hello"


@pytest.mark.parametrize("policy", ["balanced", "max-compat", "max-bundle"])
@pytest.mark.parametrize("group", ["", "1", "0 1", "2 1", "2 1 0"])
async def test_what_the_offer_does_not_bundle_connects_on_its_own(policy, group):
    async with open_peers({"bundlePolicy": "max-compat"}, {"bundlePolicy": policy}) as (offerer, answerer):
        trickle(offerer, answerer)
        for _ in range(2):
            offerer.addTrack(Tone())
            answerer.addTrack(Tone())
        channel = offerer.createDataChannel("chat")
        open_, other = opened(channel), asyncio.ensure_future(next_event(answerer, "datachannel"))
        await negotiate_with_group(offerer, answerer, group)
        assert groups(answerer.localDescription) == ([group] if group else [])
        await asyncio.gather(*(reached(peer, "connectionState", "connected") for peer in (offerer, answerer)), open_)
        await echo(channel, other)
        for peer in (offerer, answerer):
            assert len({*transports(peer)}) == 4 - max(1, len(group.split()))
            assert {transport.state for transport in transports(peer)} == {"connected"}
            await peer.gathering_complete()
        for transport in (*transports(offerer), *transports(answerer)):
            # Candidates go to the transport that the first of a group speaks for: none had to be learned from a check.
            assert transport.getRemoteCandidates()
            assert transport.getSelectedCandidatePair().remote in transport.getRemoteCandidates()
        for peer in (offerer, answerer):
            for transceiver in peer.getTransceivers():
                assert (await transceiver.receiver.track.recv()).samples > 0


async def test_what_was_negotiated_apart_stays_apart():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.addTransceiver("audio")
        channel = offerer.createDataChannel("chat")
        open_, other = opened(channel), asyncio.ensure_future(next_event(answerer, "datachannel"))
        await negotiate_with_group(offerer, answerer, "")
        await open_
        before = transports(offerer), transports(answerer)
        for one, two in ((offerer, answerer), (answerer, offerer)):
            one.addTransceiver("video")
            await negotiate(one, two)
            assert not {*groups(one.localDescription)[0].split()} >= {"0", "1"}
            assert groups(one.localDescription) == groups(two.localDescription)
        assert [transports(peer)[0] for peer in (offerer, answerer)] == [first for first, _ in before]
        assert [transports(peer)[-1] for peer in (offerer, answerer)] == [last for _, last in before]
        await echo(channel, other)


async def test_an_offer_that_bundles_everything_leaves_apart_what_is_apart():
    async with open_peers(None, None) as (offerer, answerer):
        trickle(offerer, answerer)
        offerer.addTransceiver("audio")
        channel = offerer.createDataChannel("chat")
        open_, other = opened(channel), asyncio.ensure_future(next_event(answerer, "datachannel"))
        await negotiate_with_group(offerer, answerer, "")
        await open_
        await negotiate_with_group(offerer, answerer, "0 1")
        assert groups(answerer.localDescription) == ["0"]
        await echo(channel, other)


async def test_tracks_of_one_kind_join_a_channel_that_is_open():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        for _ in range(2):
            offerer.addTrack(Tone())
            answerer.addTrack(Tone())
        await negotiate(offerer, answerer)
        for peer in (offerer, answerer):
            assert len({*transports(peer)}) == 1
            for transceiver in peer.getTransceivers():
                assert (await transceiver.receiver.track.recv()).samples > 0


async def test_bundle_only_m_lines_have_no_port_and_no_candidates():
    async with open_peers({"bundlePolicy": "max-bundle"}, None) as (offerer, answerer):
        offerer.addTransceiver("audio")
        await connect(offerer, answerer)
        await offerer.gathering_complete()
        first, second = offerer.localDescription.sdp.split("m=")[1:]
        assert ports(offerer.localDescription)[0] > 9
        assert "a=candidate:" in first
        assert "a=bundle-only" not in first
        assert second.startswith("application 0 ")
        assert "a=bundle-only" in second
        assert "a=candidate:" not in second
        assert 0 not in ports(answerer.localDescription)
        # It is so in later offers, and when the other side offers its own policy counts.
        offerer.addTransceiver("audio")
        await negotiate(offerer, answerer)
        assert [port == 0 for port in ports(offerer.localDescription)] == [False, True, True]
        await negotiate(answerer, offerer)
        assert [port == 0 for port in ports(answerer.localDescription)] == [False, False, True]
        assert "a=bundle-only" not in offerer.localDescription.sdp
        assert offerer.connectionState == answerer.connectionState == "connected"


# With browsers

PAGE = """
const pc = state.pc = new RTCPeerConnection({bundlePolicy: "max-compat"});
pc.onicecandidate = ({candidate}) => send(candidate);
pc.ondatachannel = ({channel}) => { channel.onmessage = ({data}) => channel.send(data); };
"""
OFFER = """
pc.addTransceiver("audio");
pc.addTransceiver("audio");
const channel = pc.createDataChannel("chat");
channel.onmessage = ({data}) => channel.send(data);
await pc.setLocalDescription();
return pc.localDescription;
"""
ANSWER = """
await pc.setRemoteDescription(args[0]);
await pc.setLocalDescription();
return pc.localDescription;
"""


async def exchange_candidates(peer, page):
    async for candidate in peer.ice_candidates():
        await page.evaluate("await state.pc.addIceCandidate(args[0])", candidate.toJSON())
    while (candidate := await page.next_message()) is not None:
        await peer.addIceCandidate(candidate)


async def echo_from(channel):
    echoed = asyncio.get_running_loop().create_future()
    channel.once("message", echoed.set_result)
    channel.send("hello")
    assert await echoed == "hello"


@pytest.mark.parametrize("group", ["", "0 2"])
async def test_a_browser_connects_without_a_bundle(page, group):
    async with open_peers(None) as (peer,):
        channel = asyncio.ensure_future(next_event(peer, "datachannel"))
        offer = await page.evaluate(PAGE + OFFER)
        line = f"a=group:BUNDLE {group}\r\n" if group else ""
        await peer.setRemoteDescription(type="offer", sdp=re.sub("a=group:BUNDLE [^\r\n]*\r\n", line, offer["sdp"]))
        await peer.setLocalDescription()
        await page.evaluate("await state.pc.setRemoteDescription(args[0])", peer.localDescription.toJSON())
        await exchange_candidates(peer, page)
        await echo_from((await channel).channel)
        await reached(peer, "connectionState", "connected")
        assert len({*transports(peer)}) == (2 if group else 3)


@pytest.mark.parametrize("policy", ["max-bundle", "balanced"])
async def test_a_browser_takes_bundle_only_m_lines(page, policy):
    async with open_peers({"bundlePolicy": policy}) as (peer,):
        peer.addTransceiver("audio")
        peer.addTransceiver("audio")
        channel = peer.createDataChannel("chat")
        open_ = opened(channel)
        await peer.setLocalDescription()
        assert peer.localDescription.sdp.count("a=bundle-only") == (2 if policy == "max-bundle" else 1)
        await peer.setRemoteDescription(await page.evaluate(PAGE + ANSWER, peer.localDescription.toJSON()))
        assert 0 not in ports(peer.remoteDescription)
        await exchange_candidates(peer, page)
        await open_
        await echo_from(channel)
        await reached(peer, "connectionState", "connected")
        assert len({*transports(peer)}) == 1
