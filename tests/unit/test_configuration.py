import dataclasses
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import aiortc
import pytest

from peer._configuration import Configuration, IceServer, changed_configuration, configuration
from peer._errors import (
    ArgumentTypeError,
    DOMException,
    InvalidAccessError,
    InvalidModificationError,
    NotSupportedError,
    URLSyntaxError,
)

STUN = {"urls": "stun:stun.example.org"}
TURN = {"urls": "turn:turn.example.org", "username": "user", "credential": "secret"}


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        aiortc.RTCConfiguration(),
        {"iceServers": []},
        *({name: None} for name in Configuration().to_dict()),
    ],
    ids=str,
)
def test_by_default_there_is_no_server_and_everything_is_allowed(given):
    assert configuration(given) == Configuration((), "all", "balanced", "require", (), 0, ())


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
        ("rtcpMuxPolicy", "negotiate"),
        ("rtcpMuxPolicy", "Require"),
        ("rtcpMuxPolicy", False),
    ],
)
def test_a_policy_that_does_not_exist_is_a_type_error_that_names_those_that_do(member, value):
    known = "(all, relay|balanced, max-compat, max-bundle|require)$"
    with pytest.raises(ArgumentTypeError, match=f"{member} is .*, which is none of {known}"):
        configuration({member: value})


def test_the_w3c_knows_one_policy_for_rtcp():
    for checked in (configuration({"rtcpMuxPolicy": "require"}), configuration(None, rtcpMuxPolicy="require")):
        assert checked == Configuration()


@pytest.mark.parametrize(
    ("given", "size"),
    [(0, 0), (1, 1), (255, 255), (0.5, 0), (-0.5, 0), (2.9, 2), (255.9, 255), (True, 1), (False, 0), ("5", 5), ([], 0)],
    ids=repr,
)
def test_the_size_of_the_pool_is_a_whole_number_from_0_to_255(given, size):
    for checked in (configuration({"iceCandidatePoolSize": given}), configuration(None, iceCandidatePoolSize=given)):
        assert checked.ice_candidate_pool_size == size
        assert type(checked.ice_candidate_pool_size) is int


@pytest.mark.parametrize(
    "size",
    [-1, 256, 10**400, math.nan, math.inf, -math.inf, "x", [1, 2], {}, pytest.param(object(), id="object")],
    ids=str,
)
def test_the_size_of_a_pool_does_not_wrap_around(size):
    with pytest.raises(ArgumentTypeError, match=r"iceCandidatePoolSize is .*, which is not 0 to 255"):
        configuration({"iceCandidatePoolSize": size})


def test_a_keyword_outranks_the_dictionary():
    given = {"iceTransportPolicy": "relay", "bundlePolicy": "max-compat", "iceServers": [STUN]}
    checked = configuration(given, iceTransportPolicy="all", iceServers=[])
    assert checked == Configuration((), "all", "max-compat")
    assert configuration({"iceCandidatePoolSize": 2}, iceCandidatePoolSize=None) == Configuration()


def test_a_member_of_the_dictionary_that_nobody_knows_is_ignored_as_in_a_browser():
    assert configuration({"sdpSemantics": "unified-plan", "encodedInsertableStreams": True}) == Configuration()


def test_a_keyword_that_nobody_knows_is_a_type_error():
    with pytest.raises(ArgumentTypeError, match="no member iceTransportPolice"):
        configuration(None, iceTransportPolice="relay")


@pytest.mark.parametrize(
    "given", ["stun:x", 5, [STUN], aiortc.RTCConfiguration, pytest.param(object(), id="object")], ids=repr
)
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
        ("stun:h:", ("stun", "h", 3478, "udp", "udp")),
        ("stun:h:00000000005", ("stun", "h", 5, "udp", "udp")),
        ("stun:h:65535", ("stun", "h", 65535, "udp", "udp")),
        ("turn:turn.example.org", ("turn", "turn.example.org", 3478, "udp", "udp")),
        ("turn:turn.example.org?transport=udp", ("turn", "turn.example.org", 3478, "udp", "udp")),
        ("turn:turn.example.org?transport=tcp", ("turn", "turn.example.org", 3478, "tcp", "tcp")),
        ("turn:turn.example.org:80?transport=tcp", ("turn", "turn.example.org", 80, "tcp", "tcp")),
        ("turns:turn.example.org", ("turns", "turn.example.org", 5349, "tcp", "tls")),
        ("turns:turn.example.org:443?transport=tcp", ("turns", "turn.example.org", 443, "tcp", "tls")),
        ("turns:turn.example.org?transport=udp", ("turns", "turn.example.org", 5349, "udp", "tls")),
        ("turns:[2001:db8::1]:443", ("turns", "2001:db8::1", 443, "tcp", "tls")),
        ("turns:[2001:db8::1]:?transport=tcp", ("turns", "2001:db8::1", 5349, "tcp", "tls")),
        (" \x00stun:h:5 \x1f", ("stun", "h", 5, "udp", "udp")),
        ("\nst\tun:\r\nh:\t5\n0", ("stun", "h", 50, "udp", "udp")),
        ("turn:h?transport=\ntcp ", ("turn", "h", 3478, "tcp", "tcp")),
        ("stun:a%2Db%2eorg", ("stun", "a-b.org", 3478, "udp", "udp")),
        ("stun:\uff28\uff0eorg", ("stun", "H.org", 3478, "udp", "udp")),
        ("stun:a..b_c.", ("stun", "a..b_c.", 3478, "udp", "udp")),
        ("stun:1.2.3.4a", ("stun", "1.2.3.4a", 3478, "udp", "udp")),
        ("stun:192.0.2.1.", ("stun", "192.0.2.1", 3478, "udp", "udp")),
        ("stun:127.1", ("stun", "127.0.0.1", 3478, "udp", "udp")),
        ("stun:0x7F.010.3", ("stun", "127.8.0.3", 3478, "udp", "udp")),
        ("stun:4294967295", ("stun", "255.255.255.255", 3478, "udp", "udp")),
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
        pytest.param(
            "stun:stun.example.org:\u0661",
            id="a digit of another script",
        ),
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
        "5",
        # What no host of https could be, or no port.
        "stun:h:0",
        "stun:h:000",
        "stun:h:065536",
        "stun:h:5x",
        "stun: h",
        "stun:h :5",
        *(f"stun:a{character}b" for character in '|<>^\\"%'),
        *(f"stun:a%{code}b" for code in ("00", "1f", "20", "2F", "3a", "40", "7f", "ff", "zz")),
        pytest.param("stun:a\x0bb", id="a control character"),
        pytest.param("stun:a\x85b", id="another one"),
        pytest.param("stun:a\xa0", id="a blank of another kind"),
        pytest.param("stun:a\u2100b", id="a character that means another one with a slash"),
        pytest.param("stun:\ud800", id="half a character"),
        "stun:\\h",
        "stun:1.2.3.4.5",
        "stun:256.1.2.3",
        "stun:1.2.3.256",
        "stun:1.2.3.08",
        "stun:1..2",
        "stun:h.1",
        "stun:h.0xf.",
        "stun:4294967296",
        "stun:[]",
        "stun:[:::]",
        "stun:[1.2.3.4]",
        "stun:[::12345]",
        "stun:[::1%25lo]",
        "stun:[::1]h",
    ],
)
def test_a_url_that_is_none_is_a_syntax_error_that_shows_it(url):
    with pytest.raises(URLSyntaxError) as caught:
        servers({**TURN, "urls": url})
    assert caught.value.name == "SyntaxError"
    assert repr(url.replace("\ud800", "\ufffd")) in str(caught.value)


@pytest.mark.parametrize("scheme", ["stun", "turn", "turns"])
def test_the_scheme_of_a_url_is_case_insensitive(scheme):
    for spelling in (scheme.upper(), scheme.title()):
        (server,) = servers({**TURN, "urls": f"{spelling}:Turn.example.org"})
        assert (server.scheme, server.host) == (scheme, "Turn.example.org")
        assert server.url == f"{spelling}:Turn.example.org"
    with pytest.raises(InvalidAccessError):
        servers({"urls": "TURN:turn.example.org"})


def test_stun_over_tls_is_not_supported():
    with pytest.raises(NotSupportedError, match="not supported"):
        servers({"urls": "stuns:stun.example.org"})


@pytest.mark.parametrize("missing", [{"username"}, {"credential"}, {"username", "credential"}])
@pytest.mark.parametrize("scheme", ["turn", "turns"])
def test_a_turn_server_needs_credentials(scheme, missing):
    complete = {**TURN, "urls": f"{scheme}:turn.example.org"}
    for incomplete in (
        {name: value for name, value in complete.items() if name not in missing},
        {name: None if name in missing else value for name, value in complete.items()},
        {name: "" if name in missing else value for name, value in complete.items()},
    ):
        with pytest.raises(InvalidAccessError, match="needs a username and a credential"):
            servers(incomplete)


def test_credentials_are_converted_to_text():
    (server,) = servers({"urls": "turn:turn.example.org", "username": 0, "credential": 12})
    assert (server.username, server.credential) == ("0", "12")


# RFC 8489, section 14.3, allows 508, but both browsers 509.
@pytest.mark.parametrize("username", ["u" * 509, "\u00fc" * 254 + "u", "\U0001f600" * 127 + "u"])
def test_a_username_has_at_most_509_bytes(username):
    (server,) = servers({**TURN, "username": username})
    assert server.username == username
    with pytest.raises(InvalidAccessError, match="in 509 bytes"):
        servers({**TURN, "username": username + "u"})


def test_the_username_of_a_stun_server_is_nobodys_business():
    (server,) = servers({**STUN, "username": "u" * 510})
    assert server.scheme == "stun"


@pytest.mark.parametrize("text", ["\0", "a\tb", "\x7f", "\u200d", "\ue000", " "])
def test_credentials_may_have_any_characters(text):
    (server,) = servers({**TURN, "username": text, "credential": text})
    assert (server.username, server.credential) == (text, text)


def test_credentials_that_have_no_utf_8_are_mended():
    (server,) = servers({**TURN, "username": "a\ud800", "credential": "\udc00b"})
    assert (server.username, server.credential) == ("a\ufffd", "\ufffdb")


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


def test_there_is_no_limit_to_the_number_of_servers():
    assert len(servers(*[STUN] * 100)) == 100


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


# Certificates


class Expiring(aiortc.RTCCertificate):
    """A certificate whose end can be set."""

    expires = None


@pytest.fixture
def certificate():
    return aiortc.RTCCertificate.generateCertificate()


def expiring(**difference):
    certificate = Expiring.generateCertificate()
    certificate.expires = datetime.now(UTC) + timedelta(**difference)
    return certificate


def test_certificates_are_kept_in_order(certificate):
    other = expiring(minutes=1)
    for given in ([certificate, other], (certificate, other), iter([certificate, other])):
        assert configuration({"certificates": given}).certificates == (certificate, other)
    assert configuration(None, certificates=[other]).certificates == (other,)


def test_a_certificate_that_has_expired_is_refused(certificate):
    with pytest.raises(InvalidAccessError, match="expired"):
        configuration({"certificates": [certificate, expiring(seconds=-1)]})


@pytest.mark.parametrize("given", [[None], ["PEM"], [5], [aiortc.RTCCertificate]], ids=str)
def test_what_is_no_certificate_is_a_type_error(given, certificate):
    for certificates in (given, [certificate, *given]):
        with pytest.raises(ArgumentTypeError, match="is not an RTCCertificate"):
            configuration({"certificates": certificates})


def test_one_certificate_alone_is_no_list(certificate):
    for given in (certificate, "PEM", 5, {}, False):
        with pytest.raises(ArgumentTypeError, match="certificates is not a list"):
            configuration({"certificates": given})


# The W3C's dictionary


def test_the_dictionary_of_nothing_has_all_members_with_their_defaults():
    assert configuration(None).to_dict() == {
        "iceServers": [],
        "iceTransportPolicy": "all",
        "bundlePolicy": "balanced",
        "rtcpMuxPolicy": "require",
        "certificates": [],
        "iceCandidatePoolSize": 0,
    }


def test_the_dictionary_says_what_was_given(certificate):
    given = {
        "iceServers": [STUN, {**TURN, "urls": ["turn:a", "turns:b"]}],
        "iceTransportPolicy": "relay",
        "bundlePolicy": "max-compat",
        "rtcpMuxPolicy": "require",
        "certificates": [certificate],
        "iceCandidatePoolSize": 7,
    }
    assert configuration(given).to_dict() == given
    assert configuration(configuration(given).to_dict()) == configuration(given)


def test_the_dictionary_of_a_server_has_the_members_that_were_given():
    given = [{**STUN, "username": None, "other": 1}, aiortc.RTCIceServer("stun:a"), aiortc.RTCIceServer(**TURN)]
    assert configuration({"iceServers": given}).to_dict()["iceServers"] == [STUN, {"urls": "stun:a"}, TURN]


def test_every_dictionary_is_a_new_one():
    checked = configuration({"iceServers": [TURN]})
    changed = checked.to_dict()
    changed["iceServers"][0]["username"] = "other"
    changed["iceServers"].append(STUN)
    changed["certificates"].append(None)
    changed["bundlePolicy"] = "max-bundle"
    assert checked.to_dict() == Configuration(given_servers=(TURN,)).to_dict()


def test_a_list_of_urls_that_is_changed_later_changes_nothing():
    urls = ["stun:a"]
    checked = configuration({"iceServers": [{"urls": urls}]})
    urls.append("stun:b")
    checked.to_dict()["iceServers"][0]["urls"].append("stun:c")
    assert checked.to_dict()["iceServers"] == [{"urls": ["stun:a"]}]


def test_urls_that_can_be_read_only_once_are_read_once():
    checked = configuration({"iceServers": [{"urls": iter(["stun:a"])}]})
    assert configuration(checked.to_dict()).ice_servers == checked.ice_servers


# Changes. What may change, and when, is told in webrtc-pc 4.4.1.6.


@pytest.mark.parametrize("described", [False, True])
@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        aiortc.RTCConfiguration(iceServers=[aiortc.RTCIceServer(**TURN)]),
        {"iceServers": [STUN, TURN]},
        {"iceServers": [], "iceTransportPolicy": "relay"},
        {"bundlePolicy": "balanced", "rtcpMuxPolicy": "require", "certificates": [], "iceCandidatePoolSize": 0},
        {"sdpSemantics": "unified-plan"},
    ],
    ids=str,
)
def test_servers_and_the_transport_policy_can_be_changed_at_any_time(given, described):
    old = configuration({"iceServers": [STUN], "iceTransportPolicy": "relay"})
    assert changed_configuration(old, described, given) == configuration(given)


def test_a_keyword_changes_the_configuration_too():
    changed = changed_configuration(Configuration(), True, {"iceTransportPolicy": "all"}, iceTransportPolicy="relay")
    assert changed == Configuration(ice_transport_policy="relay")
    with pytest.raises(ArgumentTypeError, match="no member iceTransportPolice"):
        changed_configuration(Configuration(), False, None, iceTransportPolice="relay")


@pytest.mark.parametrize("described", [False, True])
@pytest.mark.parametrize(
    ("old", "given", "name"),
    [
        (Configuration(), {"bundlePolicy": "max-bundle"}, "bundlePolicy"),
        (Configuration(bundle_policy="max-compat"), {"bundlePolicy": "max-bundle"}, "bundlePolicy"),
        (Configuration(bundle_policy="max-bundle"), {}, "bundlePolicy"),
        (Configuration(bundle_policy="max-bundle"), None, "bundlePolicy"),
        (Configuration(rtcp_mux_policy="negotiate"), {"rtcpMuxPolicy": "require"}, "rtcpMuxPolicy"),
        (Configuration(rtcp_mux_policy="negotiate"), {}, "rtcpMuxPolicy"),
    ],
    ids=str,
)
def test_the_other_policies_cannot_be_changed_and_what_is_missing_is_the_default(old, given, name, described):
    with pytest.raises(InvalidModificationError, match=f"the {name} of a connection cannot be changed"):
        changed_configuration(old, described, given)


@pytest.mark.parametrize(("old", "new"), [(0, 1), (3, 2), (3, 0), (3, None)])
def test_the_size_of_the_pool_can_be_changed_until_there_is_a_local_description(old, new):
    before = Configuration(ice_candidate_pool_size=old)
    changed = changed_configuration(before, False, {"iceCandidatePoolSize": new})
    assert changed.ice_candidate_pool_size == (new or 0)
    with pytest.raises(InvalidModificationError, match="iceCandidatePoolSize cannot be changed after"):
        changed_configuration(before, True, {"iceCandidatePoolSize": new})


@pytest.mark.parametrize("size", [5, 5.5])
def test_the_size_of_the_pool_may_stay_as_it_is_at_any_time(size):
    before = Configuration(ice_candidate_pool_size=5)
    assert changed_configuration(before, True, {"iceCandidatePoolSize": size}) == before


@pytest.mark.parametrize("described", [False, True])
def test_certificates_cannot_be_changed(certificate, described):
    other = expiring(minutes=1)
    old = configuration({"certificates": [certificate, other]})
    assert changed_configuration(old, described, {"certificates": (certificate, other)}) == old
    for different in (None, [], [certificate], [other, certificate], [certificate] * 2, [certificate, other] * 2):
        with pytest.raises(InvalidModificationError, match="the certificates of a connection cannot be changed"):
            changed_configuration(old, described, {"certificates": different})
    with pytest.raises(InvalidModificationError, match="the certificates of a connection cannot be changed"):
        changed_configuration(Configuration(), described, {"certificates": [certificate]})


class Equal(aiortc.RTCCertificate):
    """A certificate that is equal to all others."""

    def __eq__(self, other):
        return True

    __hash__ = None


def test_a_certificate_that_is_equal_is_not_the_same():
    one, other = Equal.generateCertificate(), Equal.generateCertificate()
    with pytest.raises(InvalidModificationError):
        changed_configuration(Configuration(certificates=(one,)), False, {"certificates": [other]})


def test_certificates_that_can_be_read_only_once_are_read_once(certificate):
    old = configuration({"certificates": [certificate]})
    assert changed_configuration(old, False, {"certificates": iter([certificate])}) == old


def test_a_certificate_that_has_expired_since_it_was_given_is_no_reason_to_refuse_a_change():
    certificate = expiring(hours=1)
    old = configuration({"certificates": [certificate]})
    certificate.expires = datetime.now(UTC) - timedelta(hours=1)
    changed = changed_configuration(old, True, {"certificates": [certificate], "iceTransportPolicy": "relay"})
    assert changed == dataclasses.replace(old, ice_transport_policy="relay")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (5, TypeError),
        ({"iceTransportPolicy": "none"}, ArgumentTypeError),
        ({"iceCandidatePoolSize": 256}, ArgumentTypeError),
        ({"certificates": 5}, ArgumentTypeError),
        ({"iceServers": "stun:a"}, ArgumentTypeError),
        ({"iceServers": [{}]}, ArgumentTypeError),
        ({"iceServers": [{"urls": []}]}, URLSyntaxError),
        ({"iceServers": [{"urls": "bogus"}]}, URLSyntaxError),
        ({"iceServers": [{"urls": "stuns:a"}]}, NotSupportedError),
        ({"iceServers": [{"urls": "turn:a"}]}, InvalidAccessError),
    ],
    ids=str,
)
def test_a_change_is_checked_like_a_first_configuration(given, error):
    with pytest.raises(error):
        changed_configuration(Configuration(), False, given)


def test_what_must_not_change_is_looked_at_before_the_servers_are():
    with pytest.raises(InvalidModificationError):
        changed_configuration(Configuration(), False, {"bundlePolicy": "max-bundle", "iceServers": [{"urls": "bogus"}]})


@pytest.mark.parametrize(
    "wrong", [{"iceServers": [{}]}, {"iceServers": [5]}, {"certificates": ["PEM"]}, {"certificates": [5]}], ids=str
)
def test_what_is_of_the_wrong_type_is_a_type_error_whatever_else_has_changed(wrong):
    with pytest.raises(TypeError):
        changed_configuration(Configuration(), False, {"bundlePolicy": "max-bundle", **wrong})
