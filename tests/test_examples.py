"""The examples as a user runs them: each program is a process, and its page is in a real browser."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
from pathlib import Path

import aiohttp
import av
import pytest
from peers import heard
from served import Served, served, started

from peer import RTCPeerConnection

ROOT = Path(__file__).parents[1]


def command(name, *arguments, inside=()):
    """How to start the example, with another command around it, such as one for a network."""
    return *inside, sys.executable, "-W", "error", "-m", f"examples.{name}", *arguments


def running(name, page=None, *arguments, inside=()):
    """Run the server of the example."""
    return served(page, *command(name, "--port", "0", *arguments, inside=inside), cwd=ROOT)


def starting(name, *arguments, inside=()):
    """Start the example."""
    return started(*command(name, *arguments, inside=inside), cwd=ROOT)


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


async def test_one_shot(page):
    async with running("one_shot", page) as example:
        for name in ("one", "other"):
            await example.open(name)
            await example.until(name, "!page.getElementById('ping').disabled")
            for _ in range(2):
                await example.do(name, "page.getElementById('ping').click()")
            await example.until(name, "page.body.textContent.includes('Ping 2 has come back')")
        await example.do("one", "page.getElementById('leave').click()")
        await example.line("closed; 1 open")


async def test_one_shot_answers_with_all_its_candidates():
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
            await heard(channel, "open")
            channel.send("hello")
            assert (await heard(channel, "message")).data == "hello"
        finally:
            await pc.close()
        await example.line("closed; 0 open")


async def test_one_shot_refuses_what_is_no_offer():
    async with running("one_shot") as example, aiohttp.ClientSession() as session:
        for body in ("", "[]", "{}", '{"type": "answer", "sdp": ""}', '{"type": "offer", "sdp": "v=1"}'):
            async with session.post(f"{example.url}offer", data=body) as response:
                assert response.status == 400
                assert await response.text()
            await example.line("closed; 0 open")


# The colours of a page's video, at eight places from left to right, of red, green and blue.
LOOK = """
    const video = state[args[0]].contentDocument.querySelector("video");
    const {videoWidth: width, videoHeight: height} = video;
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.drawImage(video, 0, 0);
    return [...Array(8).keys()].map((place) => {
        const pixel = canvas.getImageData((place + 0.5) * width / 8, height / 10, 1, 1).data;
        return ["red", "green", "blue"].filter((_, index) => pixel[index] > 127).join(" ");
    });
"""


async def watch(example, page, name):
    """Wait until the page has pictures and hears something; return the colours that it sees."""
    await example.do(name, "page.querySelector('video').muted = false")
    await example.until(name, "page.querySelector('video').currentTime > 0")
    await example.until(name, "parseInt(page.getElementById('video').textContent) > 5")
    await example.until(name, "/[^0.]/.test(page.getElementById('audio').textContent.match(/[0-9.]+$|$/)[0])")
    return await page.evaluate(LOOK, name)


async def test_media_without_arguments_is_a_test_picture_and_a_tone(page):
    async with running("media", page) as example:
        await example.open("it")
        stripes = ["", "green blue", "red blue", "blue", "red green", "green", "red", "red green blue"]
        assert await watch(example, page, "it") == stripes


def film(path):
    """Make a file with a red picture and a tone, half a minute of both."""
    source = "color=red:size=320x240:rate=30:duration=30[out0];sine=frequency=440:sample_rate=48000:duration=30[out1]"
    with av.open(source, format="lavfi") as made, av.open(path, "w") as file:
        picture, sound = file.add_stream("mpeg4", rate=30), file.add_stream("pcm_s16le", rate=48000)
        picture.width, picture.height, picture.pix_fmt = 320, 240, "yuv420p"
        for frame in made.decode(*made.streams):
            file.mux((picture if isinstance(frame, av.VideoFrame) else sound).encode(frame))
        file.mux(picture.encode())


async def test_media_from_a_file(page, tmp_path):
    film(tmp_path / "red.mkv")
    async with running("media", page, str(tmp_path / "red.mkv")) as example:
        await example.open("it")
        assert await watch(example, page, "it") == ["red"] * 8


async def test_media_from_a_device_is_for_all_pages(page):
    device = "color=blue:size=320x240[out0];sine=frequency=440[out1]"
    async with running("media", page, "--webcam", device, "--format", "lavfi") as example:
        for name in ("one", "other"):
            await example.open(name)
        for name in ("one", "other"):
            assert await watch(example, page, name) == ["blue"] * 8


@pytest.mark.parametrize("arguments", [["no-such-file"], ["--webcam", "/dev/no-such-device"]], ids=" ".join)
async def test_media_says_what_cannot_be_shown(arguments):
    async with starting("media", *arguments) as process:
        _, complaints = await process.communicate()
    assert process.returncode == 2
    assert f"error: [Errno 2] No such file or directory: '{arguments[-1]}'" in complaints.decode()


async def call(url, *arguments, inside=()):
    """Call who listens; return the status, the lines, and the complaints."""
    async with starting("two_machines", url, *arguments, inside=inside) as process:
        output, complaints = await process.communicate()
    return process.returncode, output.decode().splitlines(), complaints.decode()


@pytest.mark.parametrize("subnet", ["10.0.1.{}/24", "fd00:1::{}/64"], ids=["IPv4", "IPv6"])
async def test_two_machines(network, subnet):
    network.link("one", subnet)
    addresses = [subnet.format(number).split("/")[0] for number in (1, 2)]
    async with running("two_machines", None, "--host", addresses[1], inside=network.inside("b")) as listener:
        for _ in range(2):
            status, lines, complaints = await call(f"{listener.url}signaling", inside=network.inside("a"))
            assert (status, complaints) == (0, "")
            assert lines[:2] == ["connecting", "connected"]
            assert lines[2].startswith(f"{addresses[0]} (host) to ")
            assert [line.split(" is ")[0] for line in lines[3:-1]] == [f"ping {number}" for number in range(1, 6)]
            assert lines[-1] == "closed"
            await listener.line("closed")


async def test_two_machines_of_which_one_leaves(network):
    network.link("one", "10.0.1.{}/24")
    async with contextlib.AsyncExitStack() as stack:
        listening = running("two_machines", None, "--host", "10.0.1.2", inside=network.inside("b"))
        async with listening as listener:
            url = f"{listener.url}signaling"
            arguments = ("two_machines", url, "--times", "1000000")
            caller = await stack.enter_async_context(starting(*arguments, inside=network.inside("a")))
            await Served(caller, None).line("ping 1 is back")
        output, complaints = await caller.communicate()
    assert (caller.returncode, complaints.decode()) == (1, f"{url}: the other side has left\n")
    assert output.decode().endswith("closed\n")


async def test_two_machines_of_which_one_does_not_listen():
    status, lines, complaints = await call("ws://127.0.0.1:9/signaling")
    assert (status, lines) == (1, [])
    assert complaints.startswith("ws://127.0.0.1:9/signaling: Cannot connect")


# Choose a file of so many bytes, none like the other, in the page; return its digest.
CHOOSE = """
    const [name, size] = args;
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    const { contentDocument: page, contentWindow: realm } = state[name];
    const chosen = new realm.DataTransfer();
    chosen.items.add(new realm.File([bytes], "up.bin"));
    const input = page.querySelector("input");
    input.files = chosen.files;
    input.dispatchEvent(new realm.Event("change"));
    return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))];
"""
# The digest of the file that the page has received.
RECEIVED = """
    const file = await fetch(state[args[0]].contentDocument.querySelector("a").href);
    return [...new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()))];
"""
SIZE = 6_000_000  # bytes, which take seconds


async def interrupt(example, name, how):
    """Restart ICE while the file *name* is under way, then end the server with the signal *how*; return its port."""
    await example.line(f"{name}: from byte 0 on")
    await example.until("it", "page.querySelector('progress')?.position > 0.2")
    await example.do("it", "page.getElementById('restart').click()")
    found = await example.line(rf"{name}: 100 %|there is a new pair of candidates")
    assert found[0] == "there is a new pair of candidates"
    await example.until("it", "page.querySelector('progress').position > 0.5")
    example.process.send_signal(how)
    _, complaints = await example.process.communicate()
    assert complaints.decode() == ""
    return example.url.rstrip("/").rsplit(":", 1)[1]


async def resumed(example, name):
    """Wait until the file goes on from where it was."""
    (start,) = (await example.line(rf"{name}: from byte (\d+) on")).groups()
    assert 0 < int(start) < SIZE


async def test_file_transfer_from_the_page(page, tmp_path):
    arguments = ("file_transfer", "--folder", str(tmp_path), "--port")
    async with starting(*arguments, "0") as process:
        example = Served(process, page)
        await example.begin()
        await example.open("it")
        digest = bytes(await page.evaluate(CHOOSE, "it", SIZE)).hex()
        port = await interrupt(example, "up.bin", signal.SIGKILL)
    async with running(*arguments[:1], page, *arguments[1:], port) as example:
        await resumed(example, "up.bin")
        await example.line("up.bin is complete")
        await example.until("it", "page.body.textContent.includes('has arrived')")
    (received,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert received == tmp_path / digest / "up.bin"
    assert hashlib.sha256(received.read_bytes()).hexdigest() == digest


async def test_file_transfer_from_python(page, tmp_path):
    down = tmp_path / "down.bin"
    down.write_bytes(os.urandom(SIZE))
    arguments = ("file_transfer", str(down), "--port")
    async with starting(*arguments, "0") as process:
        example = Served(process, page)
        await example.begin()
        await example.open("it")
        port = await interrupt(example, "down.bin", signal.SIGINT)
    async with running(*arguments[:1], page, *arguments[1:], port) as example:
        await resumed(example, "down.bin")
        await example.line("down.bin has arrived")
        await example.until("it", "page.querySelector('a')")
        assert bytes(await page.evaluate(RECEIVED, "it")) == hashlib.sha256(down.read_bytes()).digest()
