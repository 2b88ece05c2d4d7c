import itertools
import re

import pytest

from peer._priorities import Foundations, local_preference, priority, ranked, tcp_preference

KIND = {"type": "srflx", "base": "192.0.2.9", "protocol": "udp", "server": "stun.example.org"}


def test_candidates_of_one_kind_have_one_foundation():
    foundations = Foundations()
    first = foundations.of(**KIND)
    foundations.of("host", "192.0.2.9")
    assert foundations.of(**KIND) == first


@pytest.mark.parametrize(
    "difference",
    [
        {"type": "relay"},
        {"base": "192.0.2.8"},
        {"base": "2001:db8::9"},
        {"protocol": "tcp"},
        {"server": "stun.example.com"},
        {"server": None},
    ],
    ids=str,
)
def test_candidates_that_differ_in_anything_have_different_foundations(difference):
    foundations = Foundations()
    assert foundations.of(**KIND) != foundations.of(**KIND | difference)


def test_what_is_not_said_of_a_candidate_is_that_it_is_udp_and_from_no_server():
    foundations = Foundations()
    assert foundations.of("host", "192.0.2.9") == foundations.of("host", "192.0.2.9", "udp", None)


def test_foundations_are_texts_that_the_grammar_allows():
    foundations = Foundations()
    texts = {foundations.of("host", f"192.0.2.{number}") for number in range(256)}
    assert len(texts) == 256
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{1,32}", text) for text in texts)


def test_every_connection_has_foundations_of_its_own():
    one, other = Foundations(), Foundations()
    one.of("host", "192.0.2.8")
    assert other.of("host", "192.0.2.9") == Foundations().of("host", "192.0.2.9")


# Host addresses, written as 4a, 4b, ... and 6a, 6b, ...


def addresses(text):
    return [f"192.0.2.{word[1]}" if word[0] == "4" else f"2001:db8::{word[1]}" for word in text.split()]


@pytest.mark.parametrize(
    ("found", "ranking"),
    [
        ("", ""),
        ("4a", "4a"),
        ("6a", "6a"),
        ("4b 4a 4c", "4b 4a 4c"),
        ("6b 6a 6c", "6b 6a 6c"),
        # one of each
        ("4a 6a", "6a 4a"),
        ("6a 4a", "6a 4a"),
        # as many of each: in turn
        ("4a 4b 6a 6b", "6a 4a 6b 4b"),
        ("4b 6b 4a 6a", "6b 4b 6a 4a"),
        # more of one than of the other
        ("4a 6a 6b", "6a 6b 4a"),
        ("4a 6a 6b 6c", "6a 6b 6c 4a"),
        ("4a 4b 6a 6b 6c", "6a 6b 4a 6c 4b"),
        ("4a 4b 6a 6b 6c 6d 6e 6f", "6a 6b 6c 4a 6d 6e 6f 4b"),
        ("4a 4b 6a", "6a 4a 4b"),
        ("4a 4b 4c 4d 6a", "6a 4a 4b 4c 4d"),
        ("4a 4b 4c 4d 6a 6b", "6a 4a 4b 6b 4c 4d"),
    ],
)
def test_host_addresses_are_ranked_with_ipv6_first_and_the_families_interleaved(found, ranking):
    given = tuple(addresses(found))
    assert ranked(given) == addresses(ranking)


def test_the_first_address_of_the_only_server_has_the_highest_preference():
    assert local_preference(0) == 65535
    assert local_preference(0, 3, 0) == 65535


def test_no_two_candidates_of_one_type_have_the_same_preference():
    """The better address counts before the better server."""
    for servers in (1, 2, 7):
        pairs = itertools.product(range(100), range(servers))
        preferences = [local_preference(rank, servers, server) for rank, server in pairs]
        assert preferences == sorted(set(preferences), reverse=True)


@pytest.mark.parametrize("arguments", [(65535,), (65536,), (10**6,), (40000, 2, 1), (0, 10**6, 10**6 - 1)])
def test_the_lowest_preference_is_0(arguments):
    assert local_preference(*arguments) == 0


@pytest.mark.parametrize(
    ("type", "preference", "expected"),
    [("host", 65535, 2130706431), ("srflx", 65535, 1694498815), ("relay", 65535, 16777215), ("host", 0, 2113929471)],
)
def test_priorities_are_those_of_the_formula(type, preference, expected):
    assert priority(type, preference) == expected


def test_tcp_comes_after_udp_that_is_not_relayed_and_before_what_is():
    tcp = [priority("host", tcp_preference(rank), "tcp") for rank in range(3)]
    assert tcp == sorted(tcp, reverse=True)
    assert len(set(tcp)) == len(tcp)
    assert priority("srflx", 0) > tcp[0]
    assert tcp[-1] > priority("prflx", tcp_preference(0), "tcp") > priority("relay", 65535)


def test_the_preference_of_an_active_candidate_has_its_direction_in_the_higher_bits():
    assert {tcp_preference(rank) >> 13 for rank in (0, 1, 8191, 10_000)} == {6}
