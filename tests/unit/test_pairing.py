"""Which candidates can form pairs (RFC 8445, section 6.1.2.2)."""

from __future__ import annotations

import aioice
import pytest

from peer._aioice import OwnCandidate


def candidate(kind, component, transport, host):
    return kind("1", component, transport, 1, host, 5000, "host")


IPV4, IPV6 = (1, "udp", "192.0.2.1"), (1, "udp", "2001:db8::1")
TCP, SECOND = (1, "tcp", "192.0.2.1"), (2, "udp", "192.0.2.1")


@pytest.mark.parametrize("ours", [IPV4, IPV6, TCP, SECOND])
@pytest.mark.parametrize("theirs", [IPV4, IPV6, TCP, SECOND])
def test_a_candidate_forms_pairs_with_those_of_its_family_transport_and_component(ours, theirs):
    assert candidate(OwnCandidate, *ours).can_pair_with(candidate(aioice.Candidate, *theirs)) == (ours == theirs)


def test_the_address_counts_that_stands_behind_a_name():
    named = candidate(aioice.Candidate, 1, "udp", "name.local")
    named._network_host = "2001:db8::2"
    assert candidate(OwnCandidate, *IPV6).can_pair_with(named)
    assert not candidate(OwnCandidate, *IPV4).can_pair_with(named)
