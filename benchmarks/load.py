"""A load in a process of its own: ``python -m benchmarks.load NAME KIND NUMBER...``, which prints what it measured.

Loads run on a host of their own, with one address, so that nothing of this machine is in their way or in their reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from tests.networks import Network, missing_commands
from tests.networks import obstacle as no_network

from . import many, memory, throughput
from .samples import Measured

LOADS: dict[str, Callable[..., Coroutine[Any, Any, dict[str, float]]]] = {
    "data": throughput.data,
    "rtp": throughput.rtp,
    "idle": memory.idle,
    "cycles": memory.cycles,
    "many": many.pairs,
}
LIMIT = 300.0  # seconds
Run = Callable[..., Awaitable[Measured]]


def obstacle() -> str | None:
    """Why loads cannot run here, if that is so."""
    if missing := missing_commands():
        return f"no {' and no '.join(missing)} on PATH"
    return no_network()


@contextlib.contextmanager
def host() -> Iterator[Run]:
    """A host for loads; gives the function that runs one: it takes the arguments of this module."""
    with Network() as network:
        network.up("a", "lo")
        network.add("a", "lo", "10.0.0.1/32")  # 127.0.0.1 is nobody's candidate
        yield partial(_run, network)


async def _run(network: Network, *arguments: Any) -> Measured:
    command = network.inside("a", sys.executable, "-m", "benchmarks.load", *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(LIMIT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the load {' '.join(map(str, arguments))} has failed")
    measured: Measured = json.loads(output)
    return measured


def main() -> None:
    """Run the load that the arguments name."""
    name, kind, *numbers = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(json.dumps(asyncio.run(LOADS[name](kind, *map(json.loads, numbers)))))


if __name__ == "__main__":
    main()
