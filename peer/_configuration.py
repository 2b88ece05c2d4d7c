"""The configuration of a connection (webrtc-pc 4.2): what users write, and what ICE needs to know of it."""

from __future__ import annotations

import copy
import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal
from urllib.parse import unquote

from aiortc import RTCCertificate

from ._candidate import RTCIceServerTransportProtocol
from ._errors import (
    ArgumentTypeError,
    InvalidAccessError,
    InvalidModificationError,
    NotSupportedError,
    URLSyntaxError,
)
from ._webidl import dom_string, enforced, members, usv_string

_MEMBERS = (
    "bundlePolicy",
    "certificates",
    "iceCandidatePoolSize",
    "iceServers",
    "iceTransportPolicy",
    "rtcpMuxPolicy",
)
_SERVER_MEMBERS = ("urls", "username", "credential")
_POLICIES = {  # the first one is the default
    "bundlePolicy": ("balanced", "max-compat", "max-bundle"),
    "iceTransportPolicy": ("all", "relay"),
    "rtcpMuxPolicy": ("require",),
}
# RFC 7064, section 3.1, and RFC 7065, section 3.1; a port may be empty (the URL standard, "port state").
_URL = re.compile(
    r"(?P<scheme>(?i:stuns?|turns?)):(?P<host>\[[0-9a-fA-F:.]+\]|[^:/?#@\[\]\\]+)(?::(?P<port>[0-9]*))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
# What the URL standard takes from a URL before it reads it: at its ends, and anywhere.
_AROUND = "".join(map(chr, range(0x21)))
_WITHIN = str.maketrans("", "", "\t\n\r")
# Forbidden domain code points; quotes, as in both browsers; and what IDNA knows to be none of a name's.
_FORBIDDEN = re.compile(r"[\x00-\x20\"#%/:<>?@\[\\\]^|\x7f-\x9f\ufffd]")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
MAX_USERNAME = 509  # bytes; RFC 8489, section 14.3, wants fewer than that, but both browsers take as many


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
    rtcp_mux_policy: str = "require"
    certificates: tuple[RTCCertificate, ...] = ()
    ice_candidate_pool_size: int = 0
    given_servers: tuple[Mapping[str, Any], ...] = ()  # iceServers as they were given

    def to_dict(self) -> dict[str, Any]:
        """The W3C's dictionary, with all members (webrtc-pc 4.2.1)."""
        return {
            "iceServers": [copy.deepcopy(server) for server in self.given_servers],
            "iceTransportPolicy": self.ice_transport_policy,
            "bundlePolicy": self.bundle_policy,
            "rtcpMuxPolicy": self.rtcp_mux_policy,
            "certificates": list(self.certificates),
            "iceCandidatePoolSize": self.ice_candidate_pool_size,
        }


def configuration(given: Any, /, **keywords: Any) -> Configuration:
    """Check a configuration: the browser's dictionary, an RTCConfiguration, or None (webrtc-pc 4.4.1.6).

    There is no default ICE server, as in a browser. Raises an error named SyntaxError for a URL that is none,
    NotSupportedError for "stuns:", InvalidAccessError for a TURN server without credentials and for a certificate that
    has expired, and TypeError for a policy that does not exist and for a pool size that is not 0 to 255.
    """
    init = _members(given, keywords)
    for certificate in init["certificates"]:
        if certificate.expires < datetime.now(UTC):
            raise InvalidAccessError("the certificate has expired")
    return _checked(init)


def changed_configuration(old: Configuration, described: bool, given: Any, /, **keywords: Any) -> Configuration:
    """Check a configuration that is to replace *old*; *described* tells whether a local description was set already.

    Raises what :func:`configuration` raises, and InvalidModificationError for a change of certificates, of bundlePolicy
    or rtcpMuxPolicy, or, once described, of iceCandidatePoolSize. What is missing counts as its default.
    """
    init = _members(given, keywords)
    certificates = init["certificates"]
    if len(certificates) != len(old.certificates) or any(
        new is not known for new, known in zip(certificates, old.certificates, strict=True)
    ):
        raise InvalidModificationError("the certificates of a connection cannot be changed")
    for name, value in (("bundlePolicy", old.bundle_policy), ("rtcpMuxPolicy", old.rtcp_mux_policy)):
        if init[name] != value:
            raise InvalidModificationError(f"the {name} of a connection cannot be changed")
    if described and init["iceCandidatePoolSize"] != old.ice_candidate_pool_size:
        raise InvalidModificationError("the iceCandidatePoolSize cannot be changed after setLocalDescription")
    return _checked(init)


def _members(given: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """All members of a configuration, converted as far as WebIDL does it."""
    init: dict[str, Any] = {**members(given, _MEMBERS, "a configuration"), **keywords}
    for unknown in init.keys() - set(_MEMBERS):
        raise ArgumentTypeError(f"a configuration has no member {unknown}")
    init = {name: init.get(name) for name in _MEMBERS}
    init |= {name: _policy(name, init[name]) for name in _POLICIES}
    for name in ("iceServers", "certificates"):
        init[name] = () if init[name] is None else init[name]
        if isinstance(init[name], str | Mapping) or not isinstance(init[name], Iterable):
            raise ArgumentTypeError(f"{name} is not a list")
    init["iceServers"] = [_converted_server(server) for server in init["iceServers"]]
    init["certificates"] = tuple(init["certificates"])
    for certificate in init["certificates"]:
        if not isinstance(certificate, RTCCertificate):
            raise ArgumentTypeError(f"{certificate!r} is not an RTCCertificate")
    size = enforced(init["iceCandidatePoolSize"], 255)
    if size is None:
        raise ArgumentTypeError(f"iceCandidatePoolSize is {init['iceCandidatePoolSize']!r}, which is not 0 to 255")
    init["iceCandidatePoolSize"] = size
    return init


def _converted_server(server: Any) -> dict[str, Any]:
    """An RTCIceServer with its members as text."""
    init = {
        name: value for name, value in members(server, _SERVER_MEMBERS, "an ICE server").items() if value is not None
    }
    urls: Any = init.get("urls")
    if urls is None:
        raise ArgumentTypeError("an ICE server needs urls")
    converted: dict[str, Any] = {name: dom_string(value) for name, value in init.items() if name != "urls"}
    return {"urls": usv_string(urls) if isinstance(urls, str) else [usv_string(url) for url in urls], **converted}


def _checked(init: Mapping[str, Any]) -> Configuration:
    return Configuration(
        ice_servers=tuple(url for server in init["iceServers"] for url in _ice_servers(server)),
        ice_transport_policy=init["iceTransportPolicy"],
        bundle_policy=init["bundlePolicy"],
        rtcp_mux_policy=init["rtcpMuxPolicy"],
        certificates=init["certificates"],
        ice_candidate_pool_size=init["iceCandidatePoolSize"],
        given_servers=tuple(init["iceServers"]),
    )


def _policy(name: str, value: Any) -> str:
    if value is None:
        return _POLICIES[name][0]
    policy = dom_string(value.value if isinstance(value, Enum) else value)
    if policy not in _POLICIES[name]:
        raise ArgumentTypeError(f"{name} is {policy!r}, which is none of {', '.join(_POLICIES[name])}")
    return policy


def _ice_servers(server: Mapping[str, Any]) -> list[IceServer]:
    urls = [server["urls"]] if isinstance(server["urls"], str) else server["urls"]
    if not urls:
        raise URLSyntaxError("an ICE server needs at least one URL")
    return [_ice_server(url, server.get("username"), server.get("credential")) for url in urls]


def _ice_server(url: str, username: str | None, credential: str | None) -> IceServer:
    match = _URL.fullmatch(url.strip(_AROUND).translate(_WITHIN))
    if match is None:
        raise URLSyntaxError(f"{url!r} is not the URL of a STUN or TURN server")
    scheme = match["scheme"].lower()
    transport: Any = match["transport"]  # "udp", "tcp" or None
    if scheme.startswith("stun") and transport:
        raise URLSyntaxError(f"{url!r}: the URL of a STUN server has no transport")
    if scheme == "stuns":
        raise NotSupportedError(f"{url!r}: STUN over TLS is not supported")
    host, port = _host(match["host"]), _port(match["port"], 5349 if scheme == "turns" else 3478)
    if host is None or port is None:
        raise URLSyntaxError(f"{url!r} does not name a {'host' if host is None else 'port'}")
    if scheme != "stun":
        if not (username and credential):  # nor may they be empty (RFC 8265, section 4.1)
            raise InvalidAccessError(f"{url!r}: a TURN server needs a username and a credential")
        username, credential = usv_string(username), usv_string(credential)
        if len(username.encode()) > MAX_USERNAME:
            raise InvalidAccessError(f"{url!r}: the username does not fit in {MAX_USERNAME} bytes")
    return IceServer(
        url, scheme, host, port, transport or ("tcp" if scheme == "turns" else "udp"), username, credential
    )


def _host(text: str) -> str | None:
    """The name or the address that *text* is, or None (the URL standard, "host parsing").

    Of IDNA there is what Python knows: names are normalized here, and encoded when they are looked up.
    """
    if text.startswith("["):
        try:
            ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            return None
        return text[1:-1]
    name = unicodedata.normalize("NFKC", unquote(text))
    if _FORBIDDEN.search(name):
        return None
    if not _NUMERIC.fullmatch(name):
        return name
    try:
        return socket.inet_ntoa(socket.inet_aton(name.removesuffix(".")))  # which takes fewer parts, and octal ones
    except OSError:
        return None


def _port(text: str | None, default: int) -> int | None:
    """The port that *text* is, or None. It is not 0: so say both browsers."""
    if not text:
        return default
    digits = text.lstrip("0")
    return int(digits) if 1 <= len(digits) <= 5 and int(digits) <= 65535 else None
