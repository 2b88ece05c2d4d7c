"""Consent to send, with checks that are answered or not as the test says."""

from __future__ import annotations

import asyncio

import pytest

from peer._consent import SILENCE, Consent
from peer._timing import Timing, shortened, timing


class Pair:
    """A pair on which consent is checked, and what happened to it: "check", "silent", "heard", "expired"."""

    def __init__(self, **seconds: float) -> None:
        self.happened: list[str] = []
        self.waiting: dict[str, asyncio.Future[None]] = {}
        self.consent = Consent(
            Timing(**{"consent_interval": 0.01, "consent_answer": 0.005} | seconds),
            check=lambda: self.note("check"),
            heard=lambda heard: self.note("heard" if heard else "silent"),
            expired=lambda: self.note("expired"),
        )
        self.consent.start()

    def note(self, what: str) -> None:
        self.happened.append(what)
        if what in self.waiting:
            self.waiting.pop(what).set_result(None)

    async def next(self, what: str) -> None:
        """Wait until that happens once more."""
        self.waiting[what] = asyncio.get_running_loop().create_future()
        await self.waiting[what]


async def test_a_remote_side_that_answers_is_checked_for_ever():
    pair = Pair()
    for _ in range(5):
        await pair.next("check")
        pair.consent.answered()
    pair.consent.stop()
    assert pair.happened == ["check"] * 5


async def test_silence_is_told_once_when_the_last_check_should_have_been_answered_and_so_is_its_end():
    pair = Pair()
    await pair.next("silent")
    await pair.next("check")
    await pair.next("check")
    pair.consent.answered()
    pair.consent.answered()
    pair.consent.stop()
    assert pair.happened[: SILENCE + 1] == [*["check"] * SILENCE, "silent"]
    assert pair.happened[-1] == "heard"
    assert pair.happened.count("silent") == pair.happened.count("heard") == 1


async def test_one_answer_that_is_missing_is_no_silence():
    pair = Pair()
    for _ in range(3):
        for _ in range(SILENCE):
            await pair.next("check")
        pair.consent.answered()  # the second one of two
    pair.consent.stop()
    assert set(pair.happened) == {"check"}


async def test_consent_that_is_given_anew_owes_no_answer():
    pair = Pair(consent_answer=0.02)
    for _ in range(SILENCE):
        await pair.next("check")
    pair.consent.start()  # on another pair
    for _ in range(5):
        await pair.next("check")
        pair.consent.answered()
    pair.consent.stop()
    assert set(pair.happened) == {"check"}


async def test_consent_expires_for_good():
    pair = Pair(consent_expires=0.05)
    await pair.next("expired")
    pair.consent.answered()
    assert pair.happened[-1] == "expired"
    assert pair.happened.count("heard") == 0
    assert "check" in pair.happened


async def test_each_answer_gives_consent_anew():
    pair = Pair(consent_expires=1.0)  # so long that a busy machine has checked in time
    for _ in range(10):
        await pair.next("check")
        pair.consent.answered()
    await pair.next("expired")
    assert pair.happened.count("check") > 10


async def test_a_pair_that_is_left_is_not_checked_any_more():
    pair = Pair(consent_expires=0.02)
    pair.consent.stop()
    other = Pair(consent_expires=0.04)
    await other.next("expired")
    assert pair.happened == []


def test_connections_have_the_numbers_of_the_context_they_are_made_in():
    with shortened(patience=1):
        with shortened(servers=2):
            assert (timing().patience, timing().servers) == (1, 2)
        assert (timing().patience, timing().servers) == (1, 5)
    assert timing() == Timing()
    with pytest.raises(TypeError), shortened(nonsense=1):
        pass
