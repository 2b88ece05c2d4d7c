"""Networks that move: two hosts in network namespaces of their own, and links between them that can be cut and mended.

Two hosts, "a" and "b", and nodes with other names on the way between them, if there are any (internet.py). A link is a
pair of virtual Ethernet interfaces and a subnet of its own. Takes root, iproute2 and nftables; nothing outside the
namespaces changes, and with them all is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Self

ROOT = Path(__file__).parents[1]
COMMANDS = ("ip", "nft")
SIDES = ("a", "b")
NAMESPACES = Path("/run/netns")  # where ip keeps them, by name


def obstacle() -> str | None:
    """Why there can be no network here, if that is so; but for missing commands."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    try:
        with Network() as network:
            network.link("probe")
            network.cut("probe")
    except subprocess.CalledProcessError as error:
        return f"no network namespaces here: {error.stderr.strip()}"
    return None


class Network:
    """Two hosts; their links come with :meth:`link`. A context manager: at its end all is removed."""

    def __init__(self) -> None:
        self._namespaces: dict[str, str] = {}  # of each node; grows

    def __enter__(self) -> Self:
        _sweep()
        try:
            for side in SIDES:
                self.node(side)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for namespace in self._namespaces.values():
            if (NAMESPACES / namespace).exists():
                _run("ip", "netns", "delete", namespace)

    def node(self, name: str) -> None:
        """Add a node, to which no link leads yet."""
        self._namespaces[name] = f"peer-{os.getpid()}-{id(self):x}-{name}"
        _run("ip", "netns", "add", self._namespaces[name])

    def link(self, link: str, *subnets: str) -> None:
        """Add a link between the hosts. In each of the *subnets*, such as "10.0.1.{}/24", a is 1 and b is 2."""
        self.wire("a", link, "b", link)
        for number, side in enumerate(SIDES, 1):
            for subnet in subnets:
                self.add(side, link, subnet.format(number))

    def wire(self, one: str, link: str, other: str, its_link: str) -> None:
        """Add a link between two nodes, by its name at either. There are no addresses yet."""
        ours, theirs = self._namespaces[one], self._namespaces[other]
        _run("ip", "link", "add", link, "netns", ours, "type", "veth", "peer", "name", its_link, "netns", theirs)
        self.up(one, link)
        self.up(other, its_link)

    def add(self, side: str, link: str, address: str, *, at_once: bool = True) -> None:
        """Give the host an address, with the length of its prefix, to be used *at_once*, which in IPv6 is unusual."""
        flags = ["nodad"] if ":" in address and at_once else []
        self.ip(side, "address", "add", address, "dev", link, *flags)

    def remove(self, side: str, link: str, address: str) -> None:
        """Take an address from the host."""
        self.ip(side, "address", "del", address, "dev", link)

    def route(self, side: str, link: str, destination: str) -> None:
        """Let the host reach *destination* over the link."""
        self.ip(side, "route", "add", destination, "dev", link)

    def down(self, side: str, link: str) -> None:
        """Take the host's interface down, of which it knows at once."""
        self.ip(side, "link", "set", "dev", link, "down")

    def up(self, side: str, link: str) -> None:
        """Bring the host's interface up."""
        self.ip(side, "link", "set", "dev", link, "up")

    def cut(self, link: str) -> None:
        """Drop all that is sent over the link, of which the hosts know nothing."""
        self._drop(link, "")

    def lose(self, link: str, every: int) -> None:
        """Drop one of so many packets in each direction."""
        self._drop(link, f"numgen inc mod {every} 0")

    def mend(self, link: str) -> None:
        """Undo :meth:`cut` or :meth:`lose`."""
        for side in SIDES:
            self.nft(side, f"delete table netdev {link}")

    def _drop(self, link: str, condition: str) -> None:
        for side in SIDES:
            chain = f"chain arriving {{ type filter hook ingress device {link} priority 0; {condition} drop; }};"
            self.nft(side, f"table netdev {link} {{ {chain} }}")

    def nft(self, node: str, rules: str) -> str:
        """Run nft's command on a node; returns what it says."""
        return self.run(node, "nft", "--json", rules)

    def ip(self, node: str, *arguments: str) -> None:
        """Run ip's command on a node."""
        _run("ip", "-n", self._namespaces[node], *arguments)

    def run(self, node: str, *command: str) -> str:
        """Run a command on a node; returns what it says."""
        return _run(*self.inside(node, *command))

    def inside(self, node: str, *command: str) -> list[str]:
        """The command that runs this one on a node."""
        return ["ip", "netns", "exec", self._namespaces[node], *command]

    @contextlib.asynccontextmanager
    async def hosts(
        self,
        *,
        configurations: Mapping[str, Any] = MappingProxyType({}),
        fronted: Collection[str] = (),
        hidden: bool = False,
        raw: bool = False,
        trust: Path | None = None,
        **seconds: float,
    ) -> AsyncIterator[tuple[Host, Host]]:
        """Run a peer on both hosts, or *raw* aiortc's. They signal to each other whatever the links do.

        The sides that are *fronted* take TCP connections, too. If *hidden*, both hide their addresses.

        *configurations* has those of a and b, *trust* names the file of the only CA that they trust, and *seconds* are
        other durations of ICE.
        """
        environment = {**os.environ, "SSL_CERT_FILE": str(trust)} if trust else None
        with contextlib.ExitStack() as processes:
            hosts = []
            for side in SIDES:
                options = {
                    "seconds": seconds,
                    "configuration": configurations.get(side),
                    "fronted": side in fronted,
                    "hidden": hidden,
                    "raw": raw,
                }
                process = processes.enter_context(_process(self.inside(side), options, environment))
                hosts.append(Host(side, process))
            a, b = hosts
            tasks = [asyncio.create_task(one.listen(other)) for one, other in ((a, b), (b, a))]
            try:
                await asyncio.gather(a.tells("ready"), b.tells("ready"))
                yield a, b
            finally:
                for host in hosts:
                    await host.leave()
                await asyncio.gather(*tasks)
        assert [host.of("error") for host in hosts] == [[], []]


class Host:
    """A peer on a host: what it tells, and how it is told; see host.py."""

    def __init__(self, side: str, socket: socket.socket) -> None:
        self.side = side
        self.log: list[tuple[str, Any]] = []  # all that it told
        self.keeps: Callable[[Any], bool] = lambda signal: False  # whether what it signals is "kept", and for the test
        self._socket = socket
        self._connected = asyncio.Event()
        self._writer: asyncio.StreamWriter
        self._leaving = False  # True once it was asked to end
        self._ended = False
        self._told = asyncio.Event()  # set whenever it tells something

    async def listen(self, other: Host) -> None:
        """Note what it tells, and tell *other* what it signals, until it has ended."""
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        self._connected.set()
        async for line in reader:
            what, value = json.loads(line)
            if what == "signal" and not self.keeps(value):
                await other.tell("signal", value)
            else:
                what = "kept" if what == "signal" else what
                self.log.append((what, value))
                self._told.set()
        self._ended = True
        self._told.set()
        self._writer.close()

    async def tell(self, what: str, value: Any = None) -> None:
        await self._connected.wait()
        if not self._leaving:  # what the other side still signals is for nobody
            self._writer.write(json.dumps([what, value]).encode() + b"\n")

    async def leave(self) -> None:
        """Let it close its connection and end."""
        await self._connected.wait()
        self._leaving = True
        with contextlib.suppress(OSError):  # it has ended
            self._writer.write_eof()

    def of(self, what: str) -> list[Any]:
        """The values that it told of this kind."""
        return [value for kind, value in self.log if kind == what]

    async def until(self, what: str, condition: Callable[[list[Any]], bool]) -> list[Any]:
        """Wait until the values that it told of this kind fulfil *condition*; return them."""
        while not condition(self.of(what)):
            assert not self._ended, f"{self.side} has ended: {self.log}"
            self._told.clear()
            await self._told.wait()
        return self.of(what)

    async def tells(self, what: str, value: Any = None, times: int = 1) -> None:
        """Wait until it has told this so many times."""
        await self.until(what, lambda values: values.count(value) >= times)


@contextlib.contextmanager
def _process(inside: list[str], options: dict[str, Any], environment: dict[str, str] | None) -> Iterator[socket.socket]:
    """Run host.py; gives the socket to talk to it. It must end within seconds, and complain of nothing."""
    ours, theirs = socket.socketpair()
    complaints: IO[str]
    with tempfile.TemporaryFile("w+") as complaints, ours:
        with theirs:
            python = [sys.executable, "-W", "error", "-m", "tests.host", json.dumps(options)]
            process = subprocess.Popen(
                [*inside, *python],
                cwd=ROOT,
                env=environment,
                stdin=theirs.fileno(),
                stdout=complaints,
                stderr=complaints,
            )
        try:
            yield ours
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
            complaints.seek(0)
            said = complaints.read()
        assert said == ""


def _sweep() -> None:
    """Remove what processes have left that were killed in the middle: their namespaces, and who runs in them."""
    for namespace in NAMESPACES.glob("peer-*"):
        if not Path("/proc", namespace.name.split("-")[1]).exists():
            with contextlib.suppress(subprocess.CalledProcessError, ProcessLookupError):  # somebody else sweeps, too
                for process in _run("ip", "netns", "pids", namespace.name).split():
                    os.kill(int(process), signal.SIGKILL)
                _run("ip", "netns", "delete", namespace.name)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout


def missing_commands() -> list[str]:
    """The commands that are not installed."""
    return [command for command in COMMANDS if shutil.which(command) is None]
