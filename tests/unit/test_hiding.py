"""Names in place of addresses."""

from __future__ import annotations

import uuid

from peer._candidate import candidate_text, parse_candidate
from peer._dns import is_name
from peer._hiding import Names


def hidden(names, text):
    return candidate_text(names.hidden(parse_candidate(text)))


def test_an_address_has_one_name_in_a_connection_and_another_one_in_the_next():
    names = Names()
    assert names.of("192.0.2.1") == names.of("192.0.2.1")
    assert len({names.of("192.0.2.1"), names.of("fd00::1"), Names().of("192.0.2.1")}) == 3


def test_a_name_is_random():
    name = Names().of("192.0.2.1")
    assert is_name(name)
    assert uuid.UUID(name.removesuffix(".local")).version == 4


def test_a_host_candidate_has_the_name_over_udp_and_tcp():
    names = Names()
    name = names.of("192.0.2.1")
    udp = hidden(names, "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host")
    assert udp == f"candidate:1 1 udp 2130706431 {name} 5000 typ host"
    tcp = hidden(names, "candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active")
    assert tcp == f"candidate:2 1 tcp 1518280447 {name} 9 typ host tcptype active"


def test_what_a_server_told_of_does_not_say_where_it_was_asked_from():
    names = Names()
    srflx = hidden(names, "candidate:3 1 udp 1694498815 198.51.100.1 5000 typ srflx raddr 192.0.2.1 rport 5000")
    assert srflx == "candidate:3 1 udp 1694498815 198.51.100.1 5000 typ srflx raddr 0.0.0.0 rport 0"
    relay = hidden(names, "candidate:4 1 udp 16777215 2001:db8::5 5000 typ relay raddr 192.0.2.1 rport 5000")
    assert relay == "candidate:4 1 udp 16777215 2001:db8::5 5000 typ relay raddr :: rport 0"
