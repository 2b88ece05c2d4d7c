"""With real browsers: descriptions travel as they were created, and all candidates by trickling.

Everything that icecandidate events give travels: candidates, markers, and the null, which addIceCandidate takes, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from ipaddress import ip_address

import pytest
from peers import Log, Tone, heard, logging, next_event, open_peers, without_candidates

from peer import RTCDataChannelEvent
from peer._connection import transports_of
from peer._mdns import resolve

PREPARE = """
    const pc = state.pc = new RTCPeerConnection();
    pc.onicecandidate = ({candidate}) => send({candidate, gathering: pc.iceGatheringState});
    state.log = [];
    state.connected = new Promise((resolve, reject) => {
        pc.onconnectionstatechange = () => {
            if (pc.connectionState === "connected") resolve("connected");
            if (pc.connectionState === "failed") reject(new Error("failed"));
        };
    });
    const keep = (channel) => {
        state.channel = channel;
        channel.onmessage = ({data}) => channel.send(`page got ${data}`);
    };
    pc.ondatachannel = ({channel}) => keep(channel);
    state.heard = new Promise((resolve) => {
        pc.ontrack = ({track}) => { track.muted ? track.onunmute = () => resolve(track.kind) : resolve(track.kind); };
    });
    const {offers, audio} = args[0];
    if (audio) {
        const stream = await navigator.mediaDevices.getUserMedia({audio: true});
        stream.getTracks().forEach((track) => pc.addTrack(track, stream));
    }
    if (offers) keep(pc.createDataChannel("from the page"));
"""
OFFER = "const offer = await state.pc.createOffer(); await state.pc.setLocalDescription(offer); return offer;"
ANSWER = """
    await state.pc.setRemoteDescription(args[0]);
    const answer = await state.pc.createAnswer();
    await state.pc.setLocalDescription(answer);
    return answer;
"""
DESCRIBED = "return state.pc.remoteDescription.sdp.split('\\r\\n').filter((line) => line.includes('candidate'));"


class Signaling:
    """Carries what the events of both sides give to the other side, in order; notes what it carried."""

    def __init__(self, peer, page):
        self.peer, self.page = peer, page
        self.from_page = []
        self.to_page = []
        self._ready = asyncio.Event()
        self._outgoing = asyncio.Queue()
        peer.onicecandidate = lambda event: self._outgoing.put_nowait(event.candidate)
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._send())]

    def descriptions_are_exchanged(self):
        self._ready.set()

    async def _receive(self):
        await self._ready.wait()
        while True:
            message = await self.page.next_message()
            await self.peer.addIceCandidate(message["candidate"])
            self.from_page.append(message)
            if message["candidate"] is None:
                return

    async def _send(self):
        await self._ready.wait()
        while True:
            candidate = await self._outgoing.get()
            await self.page.evaluate("await state.pc.addIceCandidate(args[0])", candidate and candidate.toJSON())
            self.to_page.append(candidate)
            if candidate is None:
                return

    async def complete(self):
        """Both sides have sent their null; raises what either side rejected."""
        await asyncio.gather(*self._tasks)

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks)


async def connect(peer, page, *, page_offers, audio):
    """Negotiate; returns the signalling, our end of the data channel, and our track event, if any."""
    await page.evaluate(PREPARE, {"offers": page_offers, "audio": audio})
    signaling = Signaling(peer, page)
    track = asyncio.create_task(next_event(peer, "track")) if audio else None
    if audio:
        peer.addTrack(Tone())
    if page_offers:
        channel = asyncio.create_task(next_event(peer, "datachannel"))
        await peer.setRemoteDescription(await page.evaluate(OFFER))
        answer = await peer.createAnswer()
        await peer.setLocalDescription(answer)
        await page.evaluate("await state.pc.setRemoteDescription(args[0])", answer.toJSON())
        signaling.descriptions_are_exchanged()
        return signaling, (await channel).channel, track
    channel = peer.createDataChannel("from Python")
    open_ = asyncio.get_running_loop().create_future()
    channel.once("open", lambda: open_.set_result(None))
    offer = await peer.createOffer()
    await peer.setLocalDescription(offer)
    await peer.setRemoteDescription(await page.evaluate(ANSWER, offer.toJSON()))
    signaling.descriptions_are_exchanged()
    await open_
    return signaling, channel, track


async def exchange(channel):
    """A message each way."""
    answer = asyncio.get_running_loop().create_future()
    channel.once("message", answer.set_result)
    channel.send("grüße")
    assert await answer == "page got grüße"


@pytest.mark.parametrize("page_offers", [True, False], ids=["page offers", "Python offers"])
async def test_data_and_audio_connect_with_nothing_but_trickled_candidates(browser, page, page_offers):
    async with open_peers(None) as (peer,):
        log = Log(peer)
        signaling, channel, track = await connect(peer, page, page_offers=page_offers, audio=True)
        await exchange(channel)
        assert (await (await track).track.recv()).samples > 0
        assert await page.evaluate("return await state.heard") == "audio"
        assert await page.evaluate("return await state.connected") == "connected"
        await signaling.complete()

        # What the page's events gave was taken: candidates, markers (Chromium has none), and the null.
        theirs = [message["candidate"] for message in signaling.from_page]
        assert theirs[-1] is None
        assert any(candidate["candidate"] for candidate in theirs[:-1])
        markers = [candidate for candidate in theirs[:-1] if candidate["candidate"] == ""]
        assert bool(markers) == (browser.name == "firefox")
        described = [line for line in peer.remoteDescription.sdp.split("\r\n") if "candidate" in line]
        assert set(described) == {f"a={c['candidate'] or 'end-of-candidates'}" for c in theirs[:-1]} | {
            "a=end-of-candidates"  # that is what the null means to addIceCandidate
        }

        # What our events gave was taken by the page, in the browser's order.
        kinds = [kind for kind in log.kinds() if kind in ("candidate", "end", "null")]
        assert kinds[-2:] == ["end", "null"]
        assert [c and c.candidate for c in signaling.to_page][-2:] == ["", None]
        lines = await page.evaluate(DESCRIBED)
        if browser.name == "firefox":  # Chromium writes candidates anew, and no end
            assert "a=end-of-candidates" in lines
        sent = {c.address for c in signaling.to_page if c and c.candidate}
        assert sent <= {line.split(" ")[4] for line in lines if line.startswith("a=candidate")}


@pytest.mark.browser(mdns=True)
@pytest.mark.parametrize("page_offers", [True, False], ids=["page offers", "Python offers"])
async def test_a_browser_that_hides_its_addresses_connects(page, page_offers):
    async with open_peers(None) as (peer,):
        signaling, channel, _ = await connect(peer, page, page_offers=page_offers, audio=False)
        await exchange(channel)
        await signaling.complete()
        hosts = [
            message["candidate"]["candidate"].split(" ")[4]
            for message in signaling.from_page
            if message["candidate"] and message["candidate"]["candidate"]
        ]
        assert hosts
        assert all(host.endswith(".local") for host in hosts)


@contextlib.asynccontextmanager
async def negotiated(page, *, page_offers):
    """A peer that hides its addresses and a page, which know no candidates of each other; and the peer's channel."""
    async with open_peers(None, hide_host_addresses=True) as (peer,):
        await page.evaluate(PREPARE, {"offers": page_offers, "audio": False})
        if page_offers:
            found = asyncio.create_task(next_event(peer, "datachannel"))
            await peer.setRemoteDescription(without_candidates(await page.evaluate(OFFER)))
            await peer.setLocalDescription()
            answer = without_candidates(peer.localDescription.toJSON())
            await page.evaluate("await state.pc.setRemoteDescription(args[0])", answer)
            yield peer, found
        else:
            channel = peer.createDataChannel("from Python")
            found = asyncio.get_running_loop().create_future()
            channel.once("open", lambda: found.set_result(RTCDataChannelEvent("datachannel", channel=channel)))
            await peer.setLocalDescription()
            answer = await page.evaluate(ANSWER, without_candidates(peer.localDescription.toJSON()))
            await peer.setRemoteDescription(without_candidates(answer))
            yield peer, found


def selected(peer):
    return peer.sctp.transport.iceTransport.getSelectedCandidatePair()


@pytest.mark.browser(mdns=True)
@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("page_offers", [True, False], ids=["page offers", "Python offers"])
async def test_the_name_that_a_browser_has_for_an_address_of_either_family_is_resolved(page, page_offers, family):
    async with negotiated(page, page_offers=page_offers) as (peer, found):
        theirs = None
        while (candidate := (await page.next_message())["candidate"]) is not None:
            if " udp " in candidate["candidate"].lower():
                address = await resolve(candidate["candidate"].split(" ")[4], 1.0)
                if ip_address(address).version == family:
                    theirs = candidate
        await peer.addIceCandidate(theirs)
        await exchange((await found).channel)
        assert selected(peer).remote.candidate == theirs["candidate"]
        assert ip_address(next(iter(transports_of(peer).sending_addresses()))).version == family


@pytest.mark.browser(mdns=True)
@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("page_offers", [True, False], ids=["page offers", "Python offers"])
async def test_a_browser_resolves_the_name_that_we_have_for_an_address_of_either_family(page, page_offers, family):
    async with negotiated(page, page_offers=page_offers) as (peer, found):
        ours = None
        async for candidate in peer.ice_candidates():
            if candidate.protocol == "udp":
                assert candidate.address.endswith(".local")
                if ip_address(await resolve(candidate.address, 1.0)).version == family:
                    ours = candidate
        await page.evaluate("await state.pc.addIceCandidate(args[0])", ours.toJSON())
        await exchange((await found).channel)
        assert selected(peer).local == ours
        assert ip_address(next(iter(transports_of(peer).sending_addresses()))).version == family


async def test_candidates_sent_before_the_answer_wait_for_nothing_but_their_turn(page):
    """The page's candidates are added while its description is still being applied."""
    async with open_peers(None) as (peer,):
        await page.evaluate(PREPARE, {"offers": True, "audio": False})
        channel = asyncio.create_task(next_event(peer, "datachannel"))
        offer = await page.evaluate(OFFER)
        calls = [peer.setRemoteDescription(offer)]
        while (candidate := (await page.next_message())["candidate"]) is not None:
            calls.append(peer.addIceCandidate(candidate))
        local = peer.setLocalDescription()
        await asyncio.gather(*calls, local)
        answer = peer.localDescription.toJSON()
        await page.evaluate("await state.pc.setRemoteDescription(args[0])", answer)
        async for candidate in peer.ice_candidates():
            await page.evaluate("await state.pc.addIceCandidate(args[0])", candidate.toJSON())
        await exchange((await channel).channel)


async def test_the_page_closes_and_we_notice(page):
    async with open_peers(None) as (peer,):
        signaling, channel, _ = await connect(peer, page, page_offers=False, audio=False)
        await signaling.complete()
        gone = asyncio.get_running_loop().create_future()
        channel.once("close", lambda: gone.set_result(None))
        await page.evaluate("state.channel.close(); state.pc.close();")
        await gone
        assert peer.signalingState == "stable"


LISTEN = """
    const ends = state.ends = [];
    state.channel.addEventListener("error", ({error}) => {
        ends.push(error.name, error.errorDetail, error.sctpCauseCode, error.message);
    });
    state.closed = new Promise((resolve) => state.channel.addEventListener("close", resolve));
    state.closed.then(() => ends.push("closed"));
"""


async def test_a_page_that_closes_its_connection_is_an_error_to_us(browser, page):
    async with open_peers(None) as (peer,):
        signaling, channel, _ = await connect(peer, page, page_offers=False, audio=False)
        await signaling.complete()
        log, failed, closed = [], heard(channel, "error"), heard(channel, "close")
        logging(channel, log)
        await page.evaluate("state.pc.close();")
        await closed
        error = (await failed).error
        assert (error.errorDetail, error.sctpCauseCode) == ("sctp-failure", 12)
        assert "Close called" in error.message
        first = ["closing closing"] if browser.name == "firefox" else []  # it resets the streams before it aborts
        assert log == [*first, "error closed", "close closed"]


async def test_a_page_hears_the_same_of_our_close_as_of_a_browsers(browser, page):
    async with open_peers(None) as (peer,):
        signaling, channel, _ = await connect(peer, page, page_offers=False, audio=False)
        await signaling.complete()
        await exchange(channel)  # until then the page may not know of the channel
        await page.evaluate(LISTEN)
        await peer.close()
        ends = await page.evaluate("await state.closed; return state.ends;")
        error = ["OperationError", "sctp-failure", 12, "User-Initiated Abort, reason=the connection was closed"]
        assert ends == [*(error if browser.name == "chromium" else []), "closed"]  # Firefox fires no error
        await page.evaluate("state.pc.close();")


async def test_a_channel_that_is_closed_is_no_error_on_either_side(page):
    async with open_peers(None) as (peer,):
        signaling, channel, _ = await connect(peer, page, page_offers=False, audio=False)
        await signaling.complete()
        await exchange(channel)
        log, closed = [], heard(channel, "close")
        logging(channel, log)
        await page.evaluate(LISTEN)
        channel.close()
        await closed
        assert log == ["close closed"]
        assert await page.evaluate("await state.closed; return state.ends;") == ["closed"]
        await page.evaluate("state.pc.close();")


@pytest.mark.parametrize("restarter", ["page", "Python"])
async def test_either_side_restarts_ice_and_what_flows_goes_on(page, restarter):
    async with open_peers(None) as (peer,):
        signaling, channel, track = await connect(peer, page, page_offers=False, audio=True)
        await exchange(channel)
        received = (await track).track
        await signaling.complete()
        log, ice = Log(peer), peer.sctp.transport.iceTransport
        seen = {ice.getLocalParameters().usernameFragment, ice.getRemoteParameters().usernameFragment}
        for turn in range(3):
            signaling = Signaling(peer, page)
            selected = asyncio.ensure_future(next_event(ice, "selectedcandidatepairchange"))
            if restarter == "page":
                await peer.setRemoteDescription(await page.evaluate(f"state.pc.restartIce(); {OFFER}"))
                await peer.setLocalDescription()
                answer = peer.localDescription.toJSON()
                await page.evaluate("await state.pc.setRemoteDescription(args[0])", answer)
            else:
                peer.restartIce()
                await peer.setLocalDescription()
                await peer.setRemoteDescription(await page.evaluate(ANSWER, peer.localDescription.toJSON()))
            signaling.descriptions_are_exchanged()
            await selected
            await exchange(channel)
            assert (await received.recv()).samples > 0
            await signaling.complete()
            seen |= {ice.getLocalParameters().usernameFragment, ice.getRemoteParameters().usernameFragment}
            assert len(seen) == 2 * (turn + 2)
        assert log.of("iceconnectionstatechange", "connectionstatechange") == []
        assert await page.evaluate("return state.pc.connectionState") == "connected"


async def test_a_page_that_gets_our_answer_after_our_checks_is_heard(browser, page):
    """Firefox answers checks that come before the answer, but forgets that one of them nominated the pair.

    Chromium takes the role of the one that controls when it offers a restart, and may stay with a pair that works.
    """
    async with open_peers(None, farewell=600, consent_interval=600, consent_expires=1200) as (peer,):
        signaling, channel, _ = await connect(peer, page, page_offers=False, audio=False)
        await exchange(channel)
        await signaling.complete()
        ice = peer.sctp.transport.iceTransport
        if we_control := browser.name == "firefox":
            selected = asyncio.ensure_future(next_event(ice, "selectedcandidatepairchange"))
        offer = await page.evaluate(f"""
            state.pc.restartIce();
            {OFFER.partition("return")[0]}
            const described = () => state.pc.localDescription.sdp.includes("a=candidate:");
            while (!described()) await new Promise((resolve) => setTimeout(resolve, 10));
            return state.pc.localDescription;
        """)
        await peer.setRemoteDescription(offer)
        await peer.setLocalDescription()
        if we_control:
            await selected
        await page.evaluate("await state.pc.setRemoteDescription(args[0])", peer.localDescription.toJSON())
        await exchange(channel)
        while we_control and not await packets_received(peer):
            await exchange(channel)


async def packets_received(peer):
    """How many have come over the selected pair."""
    entries = await peer.getStats()
    (transport,) = (entry for entry in entries.values() if entry.type == "transport")
    return entries[transport.selectedCandidatePairId].packetsReceived


async def test_both_sides_offer_at_once_and_we_yield(page):
    async with open_peers(None) as (peer,):
        await page.evaluate(PREPARE, {"offers": True, "audio": False})
        theirs = asyncio.create_task(next_event(peer, "datachannel"))
        ours = peer.createDataChannel("from Python")
        open_ = asyncio.get_running_loop().create_future()
        ours.once("open", lambda: open_.set_result(None))
        offer = await page.evaluate(OFFER)
        await peer.setLocalDescription()
        await peer.gathering_complete()
        signaling = Signaling(peer, page)
        await peer.setRemoteDescription(offer)
        await peer.setLocalDescription()
        await page.evaluate("await state.pc.setRemoteDescription(args[0])", peer.localDescription.toJSON())
        signaling.descriptions_are_exchanged()
        await open_
        await exchange((await theirs).channel)
        await signaling.complete()


PLAYED = """
    const received = async () => {
        const reports = await Promise.all(state.pc.getReceivers().map((receiver) => receiver.getStats()));
        const entries = reports.flatMap((report) => [...report.values()]);
        return entries.filter(({type, kind}) => type === "inbound-rtp" && kind === "audio")[0]?.packetsReceived ?? 0;
    };
    const before = await received();
    while (await received() <= before) await new Promise((resolve) => setTimeout(resolve, 10));
"""


async def test_we_offer_after_the_page_has_and_media_goes_on(page):
    """Its codecs and header extensions keep the numbers that the page gave them."""
    async with open_peers(None) as (peer,):
        signaling, channel, track = await connect(peer, page, page_offers=True, audio=True)
        await exchange(channel)
        await signaling.complete()
        received = (await track).track
        for kind in ("audio", "video", "video"):
            peer.addTransceiver(kind)
            await peer.setLocalDescription()
            await peer.setRemoteDescription(await page.evaluate(ANSWER, peer.localDescription.toJSON()))
        numbers = {}
        for section in re.split("(?m)^(?=m=)", peer.localDescription.sdp)[1:]:
            for number, meaning in re.findall(r"(?m)^a=(?:rtpmap:)(.*?) (.*)", section):
                assert numbers.setdefault(f"payload type {number}", meaning) == meaning
            for number, meaning in re.findall(r"(?m)^a=(?:extmap:)(.*?) (.*)", section):
                assert numbers.setdefault(f"extension {number}", meaning) == meaning
        await page.evaluate(PLAYED)
        assert (await received.recv()).samples > 0


async def listen(track, frames):
    """Put the frames of *track* in the queue *frames* as they come."""
    while True:
        frames.put_nowait(await track.recv())


@pytest.mark.parametrize("who", ["page", "Python"])
async def test_a_track_that_is_sent_again_is_told_again_and_goes_on(page, who):
    async with open_peers(None) as (peer,):
        signaling, channel, track = await connect(peer, page, page_offers=True, audio=True)
        await exchange(channel)
        await signaling.complete()
        received = (await track).track
        told, frames = [], asyncio.Queue()
        peer.ontrack = lambda event: told.append(event.track)
        listening = asyncio.create_task(listen(received, frames))
        await frames.get()
        for direction in ("recvonly", "sendrecv") if who == "page" else ("sendonly", "sendrecv"):
            if who == "page":
                await page.evaluate("state.pc.getTransceivers()[0].direction = args[0];", direction)
                await peer.setRemoteDescription(await page.evaluate(OFFER))
                await peer.setLocalDescription()
                await page.evaluate("await state.pc.setRemoteDescription(args[0])", peer.localDescription.toJSON())
            else:
                peer.getTransceivers()[0].direction = direction
                await peer.setLocalDescription()
                await peer.setRemoteDescription(await page.evaluate(ANSWER, peer.localDescription.toJSON()))
        assert told == [received]
        await page.evaluate(PLAYED)
        while not frames.empty():
            frames.get_nowait()
        for _ in range(20):  # more than can have been on their way since it was sent no more
            assert (await frames.get()).samples > 0
        listening.cancel()
        await asyncio.wait([listening])
