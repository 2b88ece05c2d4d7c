"""Media: a page sees and hears the test picture, a file, and a device."""

import av
import pytest

from examples.served import refusal, running

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


async def test_without_arguments_it_is_a_test_picture_and_a_tone(open_page):
    async with open_page() as page:
        async with running("media", page) as example:
            await example.open("it")
            stripes = ["", "green blue", "red blue", "blue", "red green", "green", "red", "red green blue"]
            assert await watch(example, page, "it") == stripes
        await example.until("it", "page.body.textContent.includes('closed: load the page again')")


def film(path):
    """Make a file with a red picture and a tone, half a minute of both."""
    source = "color=red:size=320x240:rate=30:duration=30[out0];sine=frequency=440:sample_rate=48000:duration=30[out1]"
    with av.open(source, format="lavfi") as made, av.open(path, "w") as file:
        picture, sound = file.add_stream("mpeg4", rate=30), file.add_stream("pcm_s16le", rate=48000)
        picture.width, picture.height, picture.pix_fmt = 320, 240, "yuv420p"
        for frame in made.decode(*made.streams):
            file.mux((picture if isinstance(frame, av.VideoFrame) else sound).encode(frame))
        file.mux(picture.encode())


async def test_a_file(open_page, tmp_path):
    film(tmp_path / "red.mkv")
    async with open_page() as page, running("media", page, str(tmp_path / "red.mkv")) as example:
        await example.open("it")
        assert await watch(example, page, "it") == ["red"] * 8


async def test_a_device_is_for_all_pages(open_page):
    device = "color=blue:size=320x240[out0];sine=frequency=440[out1]"
    async with open_page() as page, running("media", page, "--webcam", device, "--format", "lavfi") as example:
        for name in ("one", "other"):
            await example.open(name)
        for name in ("one", "other"):
            assert await watch(example, page, name) == ["blue"] * 8


FAILURES = {
    "no-such-file": "[Errno 2] No such file or directory: 'no-such-file'",
    "--webcam /dev/no-such-device": "[Errno 2] No such file or directory: '/dev/no-such-device'",
    "--webcam --format no-such-format": "no container format 'no-such-format'",
}


@pytest.mark.parametrize("arguments", FAILURES)
async def test_it_says_what_cannot_be_shown(arguments):
    assert (await refusal("media", *arguments.split())).endswith(f"error: {FAILURES[arguments]}\n")
