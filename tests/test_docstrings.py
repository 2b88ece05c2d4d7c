"""What the docstrings of public names show to be run, is run here.

A program in a docstring is a paragraph that is Python, or several, one after the other. It finds the names of its
module, and what its reader has made before: connections, say. What Python would print behind ``>>>`` is a doctest.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import importlib
import inspect
import re

from aiohttp import web
from peers import connect, open_peers
from servers import running

import peer
from peer import RTCPeerConnection, signaling
from peer.testing import find_browser
from pytest_aiortc_peer import lacking

MODULES = [importlib.import_module(name) for name in ("peer", "peer.signaling", "peer.testing", "peer.tools")]
PLUGIN = importlib.import_module("pytest_aiortc_peer")


def public():
    """All that is public and of this package, by its full name: modules, functions, classes, and their members."""
    yield PLUGIN.__name__, PLUGIN
    for module in MODULES:
        yield module.__name__, module
        for name in module.__all__:
            value = getattr(module, name)
            if getattr(value, "__module__", "").startswith("peer."):
                yield f"{module.__name__}.{name}", value
                yield from (
                    (f"{module.__name__}.{name}.{member}", own)
                    for member, own in (vars(value) if inspect.isclass(value) else {}).items()
                    if not member.startswith("_") and (callable(own) or isinstance(own, property))
                )


def programs(value):
    """The programs in a docstring. An indented paragraph that is no Python fails, as nobody would run it."""
    found, behind = [], False
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(value.__doc__ or "")):
        if is_python(text := inspect.cleandoc("\n" + paragraph)):
            if behind:
                found[-1] += f"\n{text}"
            else:
                found.append(text)
            behind = True
        else:
            assert ">>>" in paragraph or not re.match(r" {4}", paragraph), paragraph
            behind = False
    return found


def is_python(text):
    try:
        return bool(ast.parse(text).body)
    except SyntaxError:
        return False


FOUND = {name: programs(value) for name, value in public() if programs(value)}


async def run(name, instead=("", ""), **names):
    """Run the programs in the docstring of *name*, with these *names*, and another word *instead* of one."""
    for program in FOUND[name]:
        code = compile(program.replace(*instead), name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        module = next(module for module in reversed([PLUGIN, *MODULES]) if name.startswith(module.__name__))
        names |= {public: getattr(module, public) for public in getattr(module, "__all__", ())}
        if inspect.iscoroutine(running := eval(code, names)):
            await running
    return names


def closing(pc):
    """The connection, which is closed when its channel is open."""
    channel = pc.createDataChannel("chat")
    channel.onopen = lambda event: asyncio.create_task(pc.close())
    return pc


async def test_the_package():
    assert (await run("peer"))["RTCPeerConnection"] is RTCPeerConnection


@contextlib.asynccontextmanager
async def signalling_server():
    """The URL of a server that negotiates with who comes."""

    impolite = ("polite=True", "polite=False")
    names = await run("peer.signaling.add_signaling", impolite, RTCPeerConnection=RTCPeerConnection)
    app = web.Application()
    signaling.add_signaling(app, "/signaling", names["meet"])
    async with running(app, shutdown_timeout=1) as url:
        yield f"{url.replace('http', 'ws', 1)}signaling"


async def test_signalling():
    async with signalling_server() as url, open_peers(None) as (pc,):
        await run("peer.signaling", ("wss://example.org/signaling", url), pc=closing(pc))
        assert pc.signalingState == "closed"


async def test_what_tests_need(request):
    if find_browser("firefox") is None:
        lacking(request, "Firefox", "no firefox on PATH")
    assert (await run("peer.testing"))["pc"].connectionState == "closed"


async def test_signalling_to_a_page(open_page):
    async with open_page() as page, open_peers(None) as (pc,):
        await run("peer.testing.page_signaling", pc=closing(pc), page=page, negotiate=signaling.negotiate)
        assert pc.signalingState == "closed"


async def test_scripts(open_page):
    async with open_page() as page:
        await run("peer.testing.Page.evaluate", page=page)


async def test_the_plugin(connected_page):
    tests = await run("pytest_aiortc_peer")
    await tests["test_a_page_says_hello"](connected_page)


async def test_recordings(capsys):
    async with open_peers(None, None) as (alice, bob):
        await run("peer.tools", ("\n...\n", "\nawait connect(alice, bob)\n"), alice=alice, bob=bob, connect=connect)
    assert re.search(r"(?m)^ *\d+\.\d  alice  connection +connected$", capsys.readouterr().out)


def test_each_program_has_a_test():
    tests = inspect.getsource(inspect.getmodule(run))
    assert all(f'run("{name}"' in tests for name in FOUND)


def test_what_python_would_print():
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for name, value in public():
        for test in finder.find(value, name, module=False, globs=vars(peer).copy()):
            runner.run(test)
    assert runner.tries > 0
    assert runner.failures == 0
