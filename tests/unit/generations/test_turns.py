"""Turns bound what the receivers of one owner take of a process's time."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from imagegen.generations.turns import QUICK, REST, SECONDS_AHEAD, Turns
from tests.support.records import NOW
from tests.support.use_case import OTHER, OWNER


def held(turns: Turns, seconds: float, *, accepted: bool = False) -> None:
    """Note a call-back that ended now."""
    turns.took(OWNER, since=NOW - timedelta(seconds=seconds), now=NOW, accepted=accepted)


def test_an_owner_whose_receiver_held_the_process_rests() -> None:
    """Only that owner, and only for a while that grows with what its receiver took."""
    turns = Turns()
    held(turns, 5)
    rest = timedelta(seconds=REST * (5 - SECONDS_AHEAD))
    assert not turns.has(OWNER, NOW)
    assert not turns.has(OWNER, NOW + rest - timedelta(seconds=1))
    assert turns.has(OWNER, NOW + rest)
    assert turns.has(OTHER, NOW)


def test_a_receiver_that_accepts_slowly_holds_the_process_as_well() -> None:
    """Otherwise it would accept just before the call-back is given up."""
    turns = Turns()
    held(turns, 5, accepted=True)
    assert not turns.has(OWNER, NOW)


def test_a_receiver_that_accepts_quickly_never_rests() -> None:
    """However many call-backs it gets."""
    turns = Turns()
    for _ in range(1000):
        held(turns, QUICK / 2, accepted=True)
    assert turns.has(OWNER, NOW)


def test_a_receiver_that_was_slow_once_does_not_rest() -> None:
    """It may have been started for the call-back."""
    turns = Turns()
    held(turns, SECONDS_AHEAD, accepted=True)
    assert turns.has(OWNER, NOW)


def test_a_clock_that_was_set_back_counts_for_nothing() -> None:
    """A call-back takes no negative time."""
    turns = Turns()
    held(turns, 5)
    turns.took(OWNER, since=NOW, now=NOW - timedelta(hours=1), accepted=False)
    assert not turns.has(OWNER, NOW)


def test_an_owner_that_has_rested_is_forgotten() -> None:
    """A process that lives for days does not remember everybody."""
    turns = Turns()
    for number in range(100):
        turns.took(f"owner {number}", since=NOW - timedelta(seconds=5), now=NOW, accepted=False)
    later = NOW + timedelta(hours=1)
    turns.took(OWNER, since=later - timedelta(seconds=5), now=later, accepted=False)
    assert list(turns._rested_at) == [OWNER]


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 300), st.booleans()).map(
            lambda one: (one[0], one[1], one[2] and one[0] >= QUICK)
        ),
        max_size=60,
    )
)
def test_what_an_owner_takes_of_a_process_is_bounded(calls: list[tuple[float, float, bool]]) -> None:
    """From any time on: its share of the time since, what it may take ahead, and one last call-back."""
    turns, now = Turns(), NOW
    ends: list[tuple[float, float]] = []
    for seconds, pause, accepted in calls:
        now += timedelta(seconds=pause)
        if not turns.has(OWNER, now):
            continue
        since, now = now, now + timedelta(seconds=seconds)
        turns.took(OWNER, since=since, now=now, accepted=accepted)
        ends.append(((since - NOW).total_seconds(), seconds))
    for first in range(len(ends)):
        for last in range(first, len(ends)):
            before_last = sum(seconds for _, seconds in ends[first:last])
            passed = ends[last][0] - ends[first][0]
            assert before_last <= passed / REST + SECONDS_AHEAD + 0.001
