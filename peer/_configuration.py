"""The configuration of a connection (webrtc-pc 4.2): what users write, and what ICE needs to know of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from ._candidate import RTCIceServerTransportProtocol
from ._errors import ArgumentTypeError, InvalidAccessError, NotSupportedError, URLSyntaxError
from ._webidl import dom_string, members

_MEMBERS = (
    "bundlePolicy",
    "certificates",
    "iceCandidatePoolSize",
    "iceServers",
    "iceTransportPolicy",
    "rtcpMuxPolicy",
)
_POLICIES = {  # the first one is the default
    "bundlePolicy": ("balanced", "max-compat", "max-bundle"),
    "iceTransportPolicy": ("all", "relay"),
    "rtcpMuxPolicy": ("require",),
}
# RFC 7064, section 3.1, and RFC 7065, section 3.1.
_URL = re.compile(
    r"(?P<scheme>(?i:stuns?|turns?)):(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)


@dataclass(frozen=True)
class IceServer:
    """One URL of a STUN or TURN server, with what it takes to ask it."""

    url: str
    scheme: str  # "stun", "turn" or "turns"
    host: str
    port: int
    transport: Literal["udp", "tcp"]  # how to reach it
    username: str | None = None
    credential: str | None = None

    @property
    def relay_protocol(self) -> RTCIceServerTransportProtocol:
        """RTCIceServerTransportProtocol: "udp", "tcp" or "tls"."""
        return "tls" if self.scheme == "turns" else self.transport


@dataclass(frozen=True)
class Configuration:
    """A configuration that was checked."""

    ice_servers: tuple[IceServer, ...] = ()
    ice_transport_policy: str = "all"
    bundle_policy: str = "balanced"


def configuration(given: Any, **keywords: Any) -> Configuration:
    """Check a configuration: the browser's dictionary, an RTCConfiguration, or None for the defaults.

    There is no default ICE server, as in a browser. iceCandidatePoolSize has no effect yet. Raises an error named
    SyntaxError for a URL that is none, NotSupportedError for "stuns:" and for certificates, InvalidAccessError for a
    TURN server without credentials, and TypeError for a policy that does not exist.
    """
    init = {**members(given, _MEMBERS, "a configuration"), **keywords}
    for unknown in init.keys() - set(_MEMBERS):
        raise ArgumentTypeError(f"a configuration has no member {unknown}")
    if init.get("certificates"):
        raise NotSupportedError("certificates cannot be chosen")
    policies = {name: _policy(name, init.get(name)) for name in _POLICIES}
    servers = init.get("iceServers")
    if servers is None:
        servers = ()
    if isinstance(servers, str | Mapping) or not isinstance(servers, Iterable):
        raise ArgumentTypeError("iceServers is not a list")
    return Configuration(
        tuple(url for server in servers for url in _ice_servers(server)),
        policies["iceTransportPolicy"],
        policies["bundlePolicy"],
    )


def _policy(name: str, value: Any) -> str:
    if value is None:
        return _POLICIES[name][0]
    policy = dom_string(value.value if isinstance(value, Enum) else value)
    if policy not in _POLICIES[name]:
        raise ArgumentTypeError(f"{name} is {policy!r}, which is none of {', '.join(_POLICIES[name])}")
    return policy


def _ice_servers(server: Any) -> list[IceServer]:
    init: dict[str, Any] = members(server, ("urls", "username", "credential"), "an ICE server")
    if init.get("urls") is None:
        raise ArgumentTypeError("an ICE server needs urls")
    urls = [init["urls"]] if isinstance(init["urls"], str) else list(init["urls"])
    if not urls:
        raise URLSyntaxError("an ICE server needs at least one URL")
    return [_ice_server(dom_string(url), init.get("username"), init.get("credential")) for url in urls]


def _ice_server(url: str, username: Any, credential: Any) -> IceServer:
    match = _URL.fullmatch(url)
    if match is None or not 0 <= int(match["port"] or 0) <= 65535:
        raise URLSyntaxError(f"{url!r} is not the URL of a STUN or TURN server")
    scheme = match["scheme"].lower()
    transport: Any = match["transport"]  # "udp", "tcp" or None
    if scheme.startswith("stun") and transport:
        raise URLSyntaxError(f"{url!r}: the URL of a STUN server has no transport")
    if scheme == "stuns" or (scheme == "turns" and transport == "udp"):
        raise NotSupportedError(f"{url!r}: STUN over TLS and TURN over DTLS are not supported")
    if scheme.startswith("turn") and (username is None or credential is None):
        raise InvalidAccessError(f"{url!r}: a TURN server needs a username and a credential")
    return IceServer(
        url,
        scheme,
        match["host"].strip("[]"),
        int(match["port"] or (5349 if scheme == "turns" else 3478)),
        transport or ("tcp" if scheme == "turns" else "udp"),
        None if username is None else dom_string(username),
        None if credential is None else dom_string(credential),
    )
