"""An internet: a public segment with a server, and hosts that are there, or in private networks behind routers.

            server 203.0.113.1, 2001:db8::1 (coturn; routes what is for the networks behind the routers)
                |
    ------------+--------------------+------------------------ public: 203.0.113.0/24, 2001:db8::/64
                |                    |
             na .11, ::11         nb .12, ::12                 routers, with a NAT, or a firewall, or both
                |                    |
             10.0.1.0/24          10.0.2.0/24                  private: the router is 1, a host is 2
             fd00:1::/64          fd00:2::/64                  where IPv6 is, both of these, too,
             2001:db8:0:1::/64    2001:db8:0:2::/64            which the world can reach
                |                    |
                a                    b

A host in public is 203.0.113.21 (a) or .22 (b), or with IPv6 2001:db8::21 or ::22. Both hosts may be behind na, in
networks that do not reach one another directly.

What a NAT does (RFC 4787, in the words of section 4 and 5), and how:

    EASY         endpoint-independent mapping: the port is kept, as long as nobody else has it, which here nobody has.
                 Address and port-dependent filtering: conntrack lets nothing in but answers.
    FULL_CONE    the same mapping, and endpoint-independent filtering: where a host has sent from is noted, and whatever
                 comes to that port is for the host.
    HAIRPIN      the same, also for what comes from inside, which then has the sender's public address.
    SYMMETRIC    address and port-dependent mapping: a random port for each flow.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Self

from tests.networks import SIDES, Network
from tests.servers import coturn

SERVER, SERVER6 = "203.0.113.1", "2001:db8::1"
SILENT = "203.0.113.99"  # an address of the server's where nothing answers, not even that it does not
ROUTERS = {"na": 11, "nb": 12}
NUMBERS = {"a": 1, "b": 2}

STUN, STUN6 = {"urls": f"stun:{SERVER}"}, {"urls": f"stun:[{SERVER6}]"}
SILENT_STUN = {"urls": f"stun:{SILENT}"}
USER = {"username": "user", "credential": "secret"}
TURN_UDP = {"urls": f"turn:{SERVER}", **USER}
TURN6_UDP = {"urls": f"turn:[{SERVER6}]", **USER}
TURN_TCP = {"urls": f"turn:{SERVER}?transport=tcp", **USER}
TURN_TLS = {"urls": f"turns:{SERVER}", **USER}
TURN_443 = {"urls": f"turns:{SERVER}:443", **USER}


class NAT(Enum):
    """What a router does to IPv4; see above."""

    EASY = "endpoint-independent mapping"
    FULL_CONE = "endpoint-independent mapping and filtering"
    HAIRPIN = "endpoint-independent mapping and filtering, with hairpinning"
    SYMMETRIC = "a random port for each flow"


class Firewall(Enum):
    """What a router lets out, as rules of nftables."""

    OPEN = ""
    NO_UDP = "meta l4proto udp drop;"
    ONLY_443 = "ct state established accept; tcp dport 443 accept; drop;"


class Internet(Network):
    """The public segment; hosts join it with :meth:`public` or :meth:`behind`, and the server with :meth:`server`."""

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._segment()
        except BaseException:
            self.__exit__()
            raise
        return self

    def node(self, name: str) -> None:
        super().node(name)
        # An interface whose own address is still to be proven unique asks for nobody's: routers would lose a second.
        self.run(name, "sysctl", "-w", "net.ipv6.conf.default.accept_dad=0")

    def _segment(self) -> None:
        self.node("server")
        self.ip("server", "link", "add", "public", "type", "bridge")
        self.up("server", "public")
        self.up("server", "lo")
        for address in (f"{SERVER}/24", f"{SILENT}/24", f"{SERVER6}/64"):
            self.add("server", "public", address)
        self._forward("server")
        # What is for nowhere vanishes on the way there. coturn ends allocations that send to where no route leads.
        self.ip("server", "link", "add", "elsewhere", "arp", "off", "type", "bridge")  # without ports
        self.up("server", "elsewhere")
        for family in ("-4", "-6"):
            self.ip("server", family, "route", "add", "default", "dev", "elsewhere")
        self.nft(
            "server",
            f"table ip silent {{ chain arriving {{ type filter hook input priority 0; ip daddr {SILENT} drop; }}; }}",
        )

    def public(self, side: str, *families: int) -> None:
        """Put a host into the public segment, with addresses of these *families*: 4, 6 or both."""
        self._attach(side, 20 + NUMBERS[side], families)

    def behind(
        self,
        side: str,
        router: str,
        nat: NAT | None,
        *,
        firewall: Firewall = Firewall.OPEN,
        families: Sequence[int] = (4,),
    ) -> None:
        """Put a host behind a *router*, which comes with the first host: then NAT and firewall count."""
        if router not in self._namespaces:
            self._router(router, nat, firewall, families)
        number, link = NUMBERS[side], f"lan-{side}"
        self.wire(side, "lan", router, link)
        if 4 in families:
            self.add(router, link, f"10.0.{number}.1/24")
            self.add(side, "lan", f"10.0.{number}.2/24")
            self.ip(side, "route", "add", "default", "via", f"10.0.{number}.1")
        if 6 in families:
            prefix = f"2001:db8:0:{number}::"
            for network in (prefix, f"fd00:{number}::"):
                self.add(router, link, f"{network}1/64")
                self.add(side, "lan", f"{network}2/64")
            self.ip(side, "-6", "route", "add", "default", "via", f"{prefix}1")
            self.ip("server", "-6", "route", "add", f"{prefix}/64", "via", f"2001:db8::{ROUTERS[router]}")

    def dead_end(self, side: str, number: int) -> None:
        """Give a host one more interface, with a network that seems to lead everywhere, and leads nowhere."""
        link, nowhere = f"dead-{number}", f"nowhere-{side}-{number}"
        self.node(nowhere)
        self.wire(side, link, nowhere, "in")
        self.nft(
            nowhere,
            "table netdev dead { chain arriving { type filter hook ingress device in priority 0; ether type ip drop;"
            " ether type ip6 drop; }; }",  # but not ARP: somebody seems to be there
        )
        address, gateway = f"172.16.{number}.2", f"172.16.{number}.1"
        self.add(side, link, f"{address}/24")
        self.add(nowhere, "in", f"{gateway}/24")
        # What is sent from this address goes this way, wherever it is for.
        table = str(100 + number)
        self.ip(side, "route", "add", "default", "via", gateway, "dev", link, "table", table)
        self.ip(side, "rule", "add", "from", address, "table", table)

    def lose_default_route(self, side: str) -> None:
        """Let a host behind a router reach the world from the address of its own there only; see :meth:`dead_end`."""
        number = NUMBERS[side]
        self.ip(side, "route", "add", "default", "via", f"10.0.{number}.1", "dev", "lan", "table", "50")
        self.ip(side, "rule", "add", "from", f"10.0.{number}.2", "table", "50")
        self.ip(side, "route", "replace", "default", "via", "172.16.1.1", "dev", "dead-1")

    @contextlib.contextmanager
    def names(self, side: str, **addresses: Sequence[str]) -> Iterator[None]:
        """Let processes that are started on a host know the *addresses* of names, in which "_" stands for "."."""
        directory = Path("/etc/netns", self._namespaces[side])  # which ip shows them in place of /etc
        directory.mkdir(parents=True)
        lines = [f"{each} {name.replace('_', '.')}\n" for name, all_ in addresses.items() for each in all_]
        (directory / "hosts").write_text("".join(lines))
        try:
            yield
        finally:
            shutil.rmtree(directory)

    @contextlib.contextmanager
    def server(self, certificate: Path | None = None) -> Iterator[None]:
        """Run coturn: at port 3478 of both addresses, and with a *certificate* TLS at 5349, and at 443 of IPv4."""
        with coturn(
            inside=self.inside("server"),
            addresses=(SERVER, SERVER6),
            port=3478,
            certificate=certificate,
            tls_port=5349 if certificate else None,
            options=[f"--aux-server={SERVER}:443"] if certificate else [],
        ):
            yield

    def count(self, node: str, name: str, hook: str, *conditions: str) -> None:
        """Count the packets of UDP and TCP on a node that come by this *hook* and fulfil one of the *conditions*."""
        rules = " ".join(f"meta l4proto {{ tcp, udp }} {condition} counter name seen;" for condition in conditions)
        chain = f"chain every {{ type filter hook {hook} priority -300; {rules} }};"
        self.nft(node, f"table inet {name} {{ counter seen {{}}; {chain} }}")

    def counted(self, node: str, name: str) -> int:
        """How many there were."""
        said: list[dict[str, Any]] = json.loads(self.nft(node, f"list counters table inet {name}"))["nftables"]
        (count,) = [entry["counter"]["packets"] for entry in said if "counter" in entry]
        return int(count)

    def _attach(self, node: str, number: int, families: Sequence[int]) -> None:
        """Lead a link from the public segment to a node, whose addresses there end with this number."""
        self.wire(node, "wan", "server", node)
        self.ip("server", "link", "set", "dev", node, "master", "public")
        if 4 in families:
            self.add(node, "wan", f"203.0.113.{number}/24")
            self.ip(node, "route", "add", "default", "via", SERVER)
        if 6 in families:
            self.add(node, "wan", f"2001:db8::{number}/64")
            self.ip(node, "-6", "route", "add", "default", "via", SERVER6)

    def _router(self, name: str, nat: NAT | None, firewall: Firewall, families: Sequence[int]) -> None:
        self.node(name)
        self._attach(name, ROUTERS[name], families)
        self._forward(name)
        # Unsolicited packets are not answered. Nor are they remembered, else they would take the ports of mappings.
        self.nft(
            name,
            "table inet filter {"
            " chain arriving { type filter hook input priority 0; ct state new meta l4proto { tcp, udp } drop; };"
            # One private network reaches the other through the NAT only.
            " chain passing { type filter hook forward priority 0;"
            f' iifname "lan-*" oifname "lan-*" ct status & dnat == 0 drop; {firewall.value} }}; }}',
        )
        if nat is not None:
            self.nft(name, _nat(nat, f"203.0.113.{ROUTERS[name]}"))

    def _forward(self, node: str) -> None:
        for key in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            self.run(node, "sysctl", "-w", key)


def _nat(nat: NAT, address: str) -> str:
    """The rules for a router with this public address."""
    random = "random,fully-random" if nat is NAT.SYMMETRIC else "persistent"
    note = 'oifname "wan" meta l4proto udp update @mapped { udp sport : ip saddr };'
    lead = f"ip daddr {address} dnat to udp dport map @mapped;"
    if nat in (NAT.EASY, NAT.SYMMETRIC):
        note = lead = ""
    elif nat is NAT.FULL_CONE:
        lead = f'iifname "wan" {lead}'
    return (
        "table ip nat {"
        " map mapped { type inet_service : ipv4_addr; flags dynamic, timeout; timeout 5m; };"
        f" chain before {{ type nat hook prerouting priority dstnat; {lead} }};"
        f' chain after {{ type nat hook postrouting priority srcnat; {note} oifname "wan" masquerade {random};'
        f' ip saddr 10.0.0.0/8 oifname "lan-*" snat to {address}; }}; }}'
    )


@dataclass(frozen=True)
class Situation:
    """Where two hosts are, and how they meet."""

    name: str
    build: Callable[[Internet], None]
    servers: Sequence[dict[str, str]]
    # There is a TURN server only where it is needed: with one, whichever pair answers first is selected.
    pair: str  # the types of the candidates that a selects, its own first; "relay": one or both are
    policy: str = "all"
    fronted: str = ""  # the side that also takes TCP connections, as a media server does

    @property
    def configuration(self) -> dict[str, Any]:
        """The RTCConfiguration of both hosts."""
        return {"iceServers": self.servers, "iceTransportPolicy": self.policy}


def _public(*families: int) -> Callable[[Internet], None]:
    def build(internet: Internet) -> None:
        for side in SIDES:
            internet.public(side, *families)

    return build


def _apart(a: NAT | None, b: NAT | None, **options: Any) -> Callable[[Internet], None]:
    """Each behind a router of its own; the *options* are those of a's, but for the families."""

    def build(internet: Internet) -> None:
        internet.behind("a", "na", a, **options)
        internet.behind("b", "nb", b, families=options.get("families", (4,)))

    return build


def _together(nat: NAT) -> Callable[[Internet], None]:
    def build(internet: Internet) -> None:
        for side in SIDES:
            internet.behind(side, "na", nat)

    return build


def _to_public(*families: int) -> Callable[[Internet], None]:
    """One in public, and one behind a firewall that drops UDP."""

    def build(internet: Internet) -> None:
        internet.behind("a", "na", NAT.EASY, firewall=Firewall.NO_UDP, families=families)
        internet.public("b", *families)
        internet.up("b", "lo")  # on which the front talks to its host

    return build


def _strangers(internet: Internet) -> None:
    internet.public("a", 6)
    internet.public("b", 4)


def _three_interfaces(internet: Internet) -> None:
    internet.behind("a", "na", NAT.EASY)
    internet.behind("b", "nb", NAT.EASY)
    for number in (1, 2):
        internet.dead_end("a", number)


TO_FRONT = "host host or prflx prflx"  # on the other side both are the front, which it has learned from checks

SITUATIONS = [
    Situation("both in public", _public(4), [STUN], "host host"),
    Situation("both in public, IPv6 only", _public(6), [STUN6], "host host"),
    Situation(
        "NATs for IPv4, and IPv6", _apart(NAT.EASY, NAT.EASY, families=(4, 6)), [STUN], "host host or srflx srflx"
    ),
    Situation("easy NATs", _apart(NAT.EASY, NAT.EASY), [STUN], "srflx srflx"),
    Situation("full-cone NATs", _apart(NAT.FULL_CONE, NAT.FULL_CONE), [STUN], "srflx srflx"),
    Situation("a symmetric and a full-cone NAT", _apart(NAT.SYMMETRIC, NAT.FULL_CONE), [STUN], "prflx srflx"),
    Situation("a symmetric and an easy NAT", _apart(NAT.SYMMETRIC, NAT.EASY), [STUN, TURN_UDP], "relay"),
    Situation("symmetric NATs", _apart(NAT.SYMMETRIC, NAT.SYMMETRIC), [STUN, TURN_UDP], "relay"),
    Situation("symmetric NATs, TURN over TCP", _apart(NAT.SYMMETRIC, NAT.SYMMETRIC), [STUN, TURN_TCP], "relay"),
    Situation("symmetric NATs, TURN over TLS", _apart(NAT.SYMMETRIC, NAT.SYMMETRIC), [STUN, TURN_TLS], "relay"),
    Situation("one NAT with hairpinning", _together(NAT.HAIRPIN), [STUN], "srflx srflx"),
    Situation("one NAT without hairpinning", _together(NAT.FULL_CONE), [STUN, TURN_UDP], "relay"),
    Situation(
        "a firewall that drops UDP, TURN over TCP",
        _apart(NAT.EASY, NAT.EASY, firewall=Firewall.NO_UDP),
        [STUN, TURN_TCP],
        "relay",
    ),
    Situation(
        "a firewall that passes TCP port 443 only, TURN over TLS",
        _apart(NAT.EASY, NAT.EASY, firewall=Firewall.ONLY_443),
        [STUN, TURN_443],
        "relay",
    ),
    *[
        Situation(f"a firewall that drops UDP, ICE over TCP{suffix}", _to_public(*families), [], TO_FRONT, fronted="b")
        for families, suffix in [((4,), ""), ((6,), ", IPv6 only"), ((4, 6), ", both families")]
    ],
    Situation("three interfaces, two lead nowhere", _three_interfaces, [STUN], "srflx srflx"),
    Situation(
        "a silent STUN server beside one that answers",
        _apart(NAT.EASY, NAT.EASY),
        [SILENT_STUN, STUN],
        "srflx srflx",
    ),
    Situation("one with IPv6 only, one with IPv4 only", _strangers, [TURN6_UDP], "relay host"),
    Situation("both in public, relay only", _public(4), [TURN_UDP], "relay relay", "relay"),
]
