from collections.abc import Mapping
from types import MappingProxyType

import aiortc
import pytest

from peer._configuration import Configuration, IceServer, configuration
from peer._errors import ArgumentTypeError, DOMException, InvalidAccessError, NotSupportedError, URLSyntaxError

STUN = {"urls": "stun:stun.example.org"}
TURN = {"urls": "turn:turn.example.org", "username": "user", "credential": "secret"}


@pytest.mark.parametrize(
    "given",
    [None, {}, aiortc.RTCConfiguration(), {"iceServers": []}, {"iceServers": None}, {"iceTransportPolicy": None}],
    ids=str,
)
def test_by_default_there_is_no_server_and_everything_is_allowed(given):
    assert configuration(given) == Configuration((), "all", "balanced")


POLICIES = [
    ("iceTransportPolicy", "ice_transport_policy", aiortc.RTCIceTransportPolicy, ("all", "relay")),
    ("bundlePolicy", "bundle_policy", aiortc.RTCBundlePolicy, ("balanced", "max-compat", "max-bundle")),
]


@pytest.mark.parametrize(
    ("member", "field", "enum", "word"),
    [(member, field, enum, word) for member, field, enum, words in POLICIES for word in words],
)
def test_a_policy_is_one_of_the_w3cs_words_or_aiortcs_enumeration(member, field, enum, word):
    for checked in (
        configuration({member: word}),
        configuration({member: enum(word)}),
        configuration(None, **{member: word}),
        configuration(aiortc.RTCConfiguration(**{member: enum(word)})),
    ):
        assert getattr(checked, field) == word


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("iceTransportPolicy", "none"),
        ("iceTransportPolicy", "ALL"),
        ("iceTransportPolicy", ""),
        ("iceTransportPolicy", 0),
        ("iceTransportPolicy", aiortc.RTCBundlePolicy.BALANCED),
        ("bundlePolicy", "all"),
        ("bundlePolicy", "max_bundle"),
    ],
)
def test_a_policy_that_does_not_exist_is_a_type_error_that_names_those_that_do(member, value):
    with pytest.raises(ArgumentTypeError, match=f"{member} is .*, which is none of (all, relay|balanced, max-compat)"):
        configuration({member: value})


def test_a_keyword_outranks_the_dictionary():
    given = {"iceTransportPolicy": "relay", "bundlePolicy": "max-compat", "iceServers": [STUN]}
    checked = configuration(given, iceTransportPolicy="all", iceServers=[])
    assert checked == Configuration((), "all", "max-compat")


def test_a_member_of_the_dictionary_that_nobody_knows_is_ignored_as_in_a_browser():
    assert configuration({"iceCandidatePoolSize": 3, "sdpSemantics": "unified-plan"}) == Configuration()


def test_a_keyword_that_nobody_knows_is_a_type_error():
    with pytest.raises(ArgumentTypeError, match="no member iceTransportPolice"):
        configuration(None, iceTransportPolice="relay")


@pytest.mark.parametrize("given", ["stun:x", 5, [STUN], aiortc.RTCConfiguration, object()], ids=repr)
def test_what_is_no_configuration_is_a_type_error(given):
    with pytest.raises(TypeError, match="a configuration must be a dictionary"):
        configuration(given)


# Servers


def servers(*given):
    return configuration({"iceServers": given}).ice_servers


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stun:stun.example.org", ("stun", "stun.example.org", 3478, "udp", "udp")),
        ("stun:stun.example.org:19302", ("stun", "stun.example.org", 19302, "udp", "udp")),
        ("stun:192.0.2.1", ("stun", "192.0.2.1", 3478, "udp", "udp")),
        ("stun:[2001:db8::1]", ("stun", "2001:db8::1", 3478, "udp", "udp")),
        ("stun:[::ffff:192.0.2.1]:5", ("stun", "::ffff:192.0.2.1", 5, "udp", "udp")),
        ("stun:h:0", ("stun", "h", 0, "udp", "udp")),
        ("stun:h:65535", ("stun", "h", 65535, "udp", "udp")),
        ("turn:turn.example.org", ("turn", "turn.example.org", 3478, "udp", "udp")),
        ("turn:turn.example.org?transport=udp", ("turn", "turn.example.org", 3478, "udp", "udp")),
        ("turn:turn.example.org?transport=tcp", ("turn", "turn.example.org", 3478, "tcp", "tcp")),
        ("turn:turn.example.org:80?transport=tcp", ("turn", "turn.example.org", 80, "tcp", "tcp")),
        ("turns:turn.example.org", ("turns", "turn.example.org", 5349, "tcp", "tls")),
        ("turns:turn.example.org:443?transport=tcp", ("turns", "turn.example.org", 443, "tcp", "tls")),
        ("turns:[2001:db8::1]:443", ("turns", "2001:db8::1", 443, "tcp", "tls")),
    ],
)
def test_the_url_of_a_server_says_how_to_reach_it(url, expected):
    (server,) = servers({**TURN, "urls": url})
    assert (server.scheme, server.host, server.port, server.transport, server.relay_protocol) == expected
    assert (server.url, server.username, server.credential) == (url, "user", "secret")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "stun",
        "stun:",
        "stun::3478",
        "stun://stun.example.org",
        "stun:stun.example.org/path",
        "stun:user@stun.example.org",
        "stun:stun.example.org#here",
        "stun:a b",
        "stun:stun.example.org:x",
        "stun:stun.example.org:-1",
        "stun:stun.example.org:65536",
        "stun:stun.example.org:123456",
        "stun:stun.example.org:1:2",
        "stun:2001:db8::1",
        "stun:[2001:db8::1",
        "stun:[stun.example.org]",
        "stun:stun.example.org?",
        "stun:stun.example.org?transport=udp",
        "stuns:stun.example.org?transport=tcp",
        "turn:turn.example.org?transport=sctp",
        "turn:turn.example.org?transport=UDP",
        "turn:turn.example.org?transport=udp&more=1",
        "turn:turn.example.org?more=1",
        "http://stun.example.org",
        "stun.example.org",
        "stun:stun.example.org\n",
        "5",
    ],
)
def test_a_url_that_is_none_is_a_syntax_error_that_shows_it(url):
    with pytest.raises(URLSyntaxError) as caught:
        servers({**TURN, "urls": url})
    assert caught.value.name == "SyntaxError"
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize("scheme", ["stun", "turn", "turns"])
def test_the_scheme_of_a_url_is_case_insensitive(scheme):
    for spelling in (scheme.upper(), scheme.title()):
        (server,) = servers({**TURN, "urls": f"{spelling}:Turn.example.org"})
        assert (server.scheme, server.host) == (scheme, "Turn.example.org")
        assert server.url == f"{spelling}:Turn.example.org"
    with pytest.raises(InvalidAccessError):
        servers({"urls": "TURN:turn.example.org"})


@pytest.mark.parametrize("url", ["stuns:stun.example.org", "turns:turn.example.org?transport=udp"])
def test_what_aioice_cannot_do_is_not_supported(url):
    with pytest.raises(NotSupportedError, match="not supported"):
        servers({**TURN, "urls": url})


@pytest.mark.parametrize("missing", [{"username"}, {"credential"}, {"username", "credential"}])
@pytest.mark.parametrize("scheme", ["turn", "turns"])
def test_a_turn_server_needs_credentials(scheme, missing):
    complete = {**TURN, "urls": f"{scheme}:turn.example.org"}
    for incomplete in (
        {name: value for name, value in complete.items() if name not in missing},
        {name: None if name in missing else value for name, value in complete.items()},
    ):
        with pytest.raises(InvalidAccessError, match="needs a username and a credential"):
            servers(incomplete)


def test_credentials_may_be_empty_and_are_converted_to_text():
    (server,) = servers({"urls": "turn:turn.example.org", "username": "", "credential": 12})
    assert (server.username, server.credential) == ("", "12")


def test_a_stun_server_needs_no_credentials():
    (server,) = servers(STUN)
    assert server == IceServer("stun:stun.example.org", "stun", "stun.example.org", 3478, "udp", None, None)


class Listing(Mapping):
    """A mapping that is no dict."""

    def __init__(self, members):
        self.members = members

    def __getitem__(self, name):
        return self.members[name]

    def __iter__(self):
        return iter(self.members)

    def __len__(self):
        return len(self.members)


@pytest.mark.parametrize(
    "given",
    [
        [TURN],
        (TURN,),
        iter([TURN]),
        [{**TURN, "urls": ["turn:turn.example.org"]}],
        [{**TURN, "urls": ("turn:turn.example.org",)}],
        [{**TURN, "credentialType": "password", "other": None}],
        [MappingProxyType(TURN)],
        [Listing(TURN)],
        [aiortc.RTCIceServer(**TURN)],
    ],
    ids=lambda given: str(type(given).__name__),
)
def test_servers_are_lists_of_dictionaries_or_aiortcs_objects(given):
    expected = (IceServer("turn:turn.example.org", "turn", "turn.example.org", 3478, "udp", "user", "secret"),)
    assert configuration({"iceServers": given}).ice_servers == expected


def test_a_whole_configuration_of_aiortcs_is_understood():
    given = aiortc.RTCConfiguration(
        iceServers=[aiortc.RTCIceServer(**STUN), aiortc.RTCIceServer(**TURN)],
        iceTransportPolicy=aiortc.RTCIceTransportPolicy.RELAY,
        bundlePolicy=aiortc.RTCBundlePolicy.MAX_BUNDLE,
    )
    checked = configuration(given)
    assert [server.url for server in checked.ice_servers] == ["stun:stun.example.org", "turn:turn.example.org"]
    assert (checked.ice_transport_policy, checked.bundle_policy) == ("relay", "max-bundle")


def test_each_url_is_a_server_of_its_own_in_the_order_written():
    found = servers({**TURN, "urls": ["turn:b", "stun:a"]}, {"urls": "stun:c"})
    assert [(server.url, server.username) for server in found] == [
        ("turn:b", "user"),
        ("stun:a", "user"),
        ("stun:c", None),
    ]


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ("stun:stun.example.org", ArgumentTypeError, "not a list"),
        (STUN, ArgumentTypeError, "not a list"),
        (5, ArgumentTypeError, "not a list"),
        (["stun:stun.example.org"], TypeError, "an ICE server must be a dictionary"),
        ([5], TypeError, "an ICE server must be a dictionary"),
        ([{}], ArgumentTypeError, "needs urls"),
        ([None], ArgumentTypeError, "needs urls"),
        ([{"urls": None}], ArgumentTypeError, "needs urls"),
        ([{"url": "stun:stun.example.org"}], ArgumentTypeError, "needs urls"),
        ([{"urls": 5}], TypeError, "not iterable"),
        ([{"urls": []}], URLSyntaxError, "at least one URL"),
        ([STUN, {"urls": ["stun:a", "bogus"]}], URLSyntaxError, "'bogus'"),
    ],
    ids=str,
)
def test_servers_that_make_no_sense_are_refused(given, error, sentence):
    with pytest.raises(error, match=sentence):
        configuration({"iceServers": given})


@pytest.mark.parametrize("given", ["", 0, False, {}])
def test_what_is_false_is_no_list_of_servers_either(given):
    with pytest.raises(ArgumentTypeError, match="not a list"):
        configuration({"iceServers": given})


def test_a_url_error_is_a_value_error_as_in_aiortc_and_a_dom_exception_as_in_a_browser():
    for cls in (ValueError, DOMException):
        with pytest.raises(cls, match="bogus"):
            servers({"urls": "bogus"})
