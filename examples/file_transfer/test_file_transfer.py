"""The file transfer, in both directions, through a restart of ICE and the end of the server."""

import hashlib
import os
import signal

from examples.served import Served, running, starting

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


async def interrupt(example, browser, name, how):
    """Restart ICE while the file *name* is under way, then end the server with the signal *how*; return its port."""
    await example.line(f"{name}: from byte 0 on")
    await example.until("it", "page.querySelector('progress')?.position > 0")
    await example.do("it", "page.getElementById('restart').click()")
    if browser.name == "firefox":  # Chromium controls here, and may stay with the old pair for as long as that works
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


async def test_a_file_from_the_page(peer_browser, open_page, tmp_path):
    arguments = ("--folder", str(tmp_path), "--port")
    async with open_page() as page:
        async with starting("file_transfer", *arguments, "0") as process:
            example = Served(process, page)
            await example.begin()
            await example.open("it")
            digest = bytes(await page.evaluate(CHOOSE, "it", SIZE)).hex()
            port = await interrupt(example, peer_browser, "up.bin", signal.SIGKILL)
        async with running("file_transfer", page, *arguments, port) as example:
            await resumed(example, "up.bin")
            await example.line("up.bin is complete")
            await example.until("it", "page.body.textContent.includes('has arrived')")
    (received,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert received == tmp_path / digest / "up.bin"
    assert hashlib.sha256(received.read_bytes()).hexdigest() == digest


async def test_a_file_from_python(peer_browser, open_page, tmp_path):
    down = tmp_path / "down.bin"
    down.write_bytes(os.urandom(SIZE))
    arguments = (str(down), "--port")
    async with open_page() as page:
        async with starting("file_transfer", *arguments, "0") as process:
            example = Served(process, page)
            await example.begin()
            await example.open("it")
            port = await interrupt(example, peer_browser, "down.bin", signal.SIGINT)
        async with running("file_transfer", page, *arguments, port) as example:
            await resumed(example, "down.bin")
            await example.line("down.bin has arrived")
            await example.until("it", "page.querySelector('a')")
            assert bytes(await page.evaluate(RECEIVED, "it")) == hashlib.sha256(down.read_bytes()).digest()
