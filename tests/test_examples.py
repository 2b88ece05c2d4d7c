"""All examples alike: what they say when they cannot start, and that a folder is a start for somebody else's program.

What each does is tested in its folder.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from examples.served import starting

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/__main__.py"))
SERVERS = [name for name in NAMES if name != "demo"]  # which takes any port that is free
each_server = pytest.mark.parametrize("name", SERVERS)


def test_each_example_is_a_folder_with_all_that_belongs_to_it():
    for name in NAMES:
        files = {path.name for path in (EXAMPLES / name).iterdir()}
        assert {"README.md", "__init__.py", "__main__.py", f"test_{name}.py"} <= files
        assert ("page.html" in files) == (name != "two_machines")
    listed = re.findall(r"(?m)^\| \[(\w+)\]\(\1\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == NAMES


async def complaint(name, *arguments):
    """What the example complains about, and its exit status; it must print nothing else."""
    async with starting(name, *arguments) as process:
        output, complaints = await process.communicate()
    assert output == b""
    return process.returncode, complaints.decode()


@each_server
async def test_a_port_that_is_taken_is_told_in_a_sentence(name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = f"Cannot listen at 127.0.0.1, port {port}: Address already in use\n"
        assert await complaint(name, "--port", str(port)) == (1, said)


async def test_an_address_that_is_not_ours_is_told_in_a_sentence():
    said = "Cannot listen at 192.0.2.1, port 0: Cannot assign requested address\n"
    assert await complaint("chat", "--host", "192.0.2.1", "--port", "0") == (1, said)
    status, said = await complaint("chat", "--host", "a" * 64)
    assert status == 1
    assert said.startswith(f"Cannot listen at {'a' * 64}, port 8080: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
async def test_what_is_no_port_is_told_in_a_sentence(port):
    status, said = await complaint("chat", f"--port={port}")
    assert status == 2
    assert said.endswith(f"error: argument --port: invalid port value: '{port}'\n")


@each_server
async def test_a_server_ends_when_it_is_told_to(name):  # and at Ctrl-C: its own test ends so
    async with starting(name, "--port", "0") as process:
        await anext(aiter(process.stdout))
        process.send_signal(signal.SIGTERM)
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")


def test_a_copy_of_a_folder_has_a_test_that_passes(browser, tmp_path):
    """A user's project: a copy of the chat, under another name, what it shares with other examples, and the plugin."""
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES / "chat", copy / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "server.py", "served.py"):
        shutil.copy(EXAMPLES / name, copy)
    test = copy / "mine" / "test_chat.py"
    test.write_text(test.read_text().replace('"chat"', '"mine"'))
    options = ["-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--rootdir", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--browser", browser.name, str(copy)],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)},  # where the package is
        check=False,
    )
    assert "1 passed" in ran.stdout, ran.stdout
