"""Whether negotiation is needed: a table of connections and descriptions."""

from __future__ import annotations

import pytest

from peer._description import Description
from peer._negotiation import TransceiverState, negotiation_needed


def description(type, *sections):
    """A description with a section for each text: the kind, its direction, and perhaps "rejected".

    Behind that, the streams that it names; of those that send, one names none where nothing is said.
    """
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    for mid, section in enumerate(sections):
        kind, direction, *more = section.split()
        lines += [f"m={kind} {0 if 'rejected' in more else 9} UDP/X 1", f"a=mid:{mid}", f"a={direction}"]
        streams = [id for id in more if id != "rejected"] or (["-"] if direction in ("sendrecv", "sendonly") else [])
        lines += [f"a=msid:{id} track" for id in streams]
    return Description(type, "".join(f"{line}\r\n" for line in lines))


def offered(*sections):
    return description("offer", *sections)


def answered(*sections):
    return description("answer", *sections)


def transceiver(direction="sendrecv", mid="0", stopped=False, streams=()):
    return TransceiverState(mid, stopped, direction, streams)


NOTHING = {"restarts": False, "channels": False, "transceivers": []}


@pytest.mark.parametrize(
    ("local", "remote", "connection", "needed"),
    [
        (None, None, {}, False),
        (None, None, {"restarts": True}, True),
        # Data channels
        (None, None, {"channels": True}, True),
        (
            offered("audio sendrecv"),
            answered("audio sendrecv"),
            {"channels": True, "transceivers": [transceiver()]},
            True,
        ),
        (offered("application sendrecv"), answered("application sendrecv"), {"channels": True}, False),
        (answered("application sendrecv"), offered("application sendrecv"), {}, False),
        # Transceivers without an m-line
        (None, None, {"transceivers": [transceiver(mid=None)]}, True),
        (None, None, {"transceivers": [transceiver(mid=None, stopped=True)]}, False),
        (offered("audio sendrecv"), answered("audio sendrecv"), {"transceivers": [transceiver(mid="1")]}, True),
        # We offered: either side's direction will do
        (offered("audio sendrecv"), answered("audio sendrecv"), {"transceivers": [transceiver()]}, False),
        (offered("audio sendrecv"), answered("audio recvonly"), {"transceivers": [transceiver()]}, False),
        (offered("audio sendrecv"), answered("audio recvonly"), {"transceivers": [transceiver("sendonly")]}, False),
        (offered("audio sendrecv"), answered("audio sendrecv"), {"transceivers": [transceiver("sendonly")]}, True),
        (offered("audio sendonly"), answered("audio recvonly"), {"transceivers": [transceiver("sendrecv")]}, True),
        # We answered: what the offer leaves of the direction
        (answered("audio sendrecv"), offered("audio sendrecv"), {"transceivers": [transceiver()]}, False),
        (answered("audio recvonly -"), offered("audio sendonly"), {"transceivers": [transceiver()]}, False),
        (answered("audio inactive -"), offered("audio inactive"), {"transceivers": [transceiver()]}, False),
        (answered("audio recvonly"), offered("audio sendrecv"), {"transceivers": [transceiver("recvonly")]}, False),
        (answered("audio recvonly"), offered("audio sendrecv"), {"transceivers": [transceiver("sendrecv")]}, True),
        (answered("audio sendonly"), offered("audio recvonly"), {"transceivers": [transceiver("inactive")]}, True),
        (answered("audio sendrecv"), offered("video sendrecv"), {"transceivers": [transceiver(mid="0")]}, False),
        (answered("audio sendrecv"), offered(), {"transceivers": [transceiver(mid="0")]}, True),
        # Streams
        (
            offered("audio sendrecv a"),
            answered("audio recvonly"),
            {"transceivers": [transceiver(streams=("a",))]},
            False,
        ),
        (offered("audio sendrecv a"), answered("audio recvonly"), {"transceivers": [transceiver()]}, True),
        (offered("audio sendrecv"), answered("audio recvonly"), {"transceivers": [transceiver(streams=("a",))]}, True),
        (
            offered("audio sendrecv a"),
            answered("audio recvonly"),
            {"transceivers": [transceiver(streams=("b",))]},
            True,
        ),
        (offered("audio sendrecv a"), answered("audio inactive"), {"transceivers": [transceiver("recvonly")]}, True),
        (offered("audio recvonly a"), answered("audio sendonly"), {"transceivers": [transceiver("recvonly")]}, False),
        (
            offered("audio sendonly a b"),
            answered("audio recvonly"),
            {"transceivers": [transceiver("sendonly", streams=("b", "a"))]},
            False,
        ),
        (
            offered("audio sendonly a"),
            answered("audio recvonly"),
            {"transceivers": [transceiver("sendonly", streams=("a", "b"))]},
            True,
        ),
        (answered("audio sendrecv"), offered("audio sendrecv"), {"transceivers": [transceiver(streams=("a",))]}, True),
        # The answer could not say that we want to send; the streams tell that it was said
        (answered("audio recvonly"), offered("audio sendonly"), {"transceivers": [transceiver()]}, True),
        (
            answered("audio recvonly a"),
            offered("audio sendonly"),
            {"transceivers": [transceiver(streams=("a",))]},
            False,
        ),
        # Stopped
        (offered("audio sendrecv"), answered("audio sendrecv"), {"transceivers": [transceiver(stopped=True)]}, True),
        (offered("audio sendrecv"), None, {"transceivers": [transceiver(stopped=True)]}, True),
        (
            offered("audio sendrecv"),
            answered("audio inactive rejected"),
            {"transceivers": [transceiver(stopped=True)]},
            False,
        ),
        (
            answered("audio inactive rejected"),
            offered("audio sendrecv"),
            {"transceivers": [transceiver(stopped=True)]},
            False,
        ),
    ],
)
def test_negotiation_is_needed_when_the_descriptions_do_not_say_what_is_there(local, remote, connection, needed):
    assert negotiation_needed(local, remote, **{**NOTHING, **connection}) is needed
