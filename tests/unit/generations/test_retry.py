"""Repeated steps: how long the pauses are, and when the tries end."""

from __future__ import annotations

import pytest

from imagegen import errors
from imagegen.generations.retry import (
    DELIVERY_BACKOFF,
    MODEL_BACKOFF,
    STORE_BACKOFF,
    Backoff,
    InvocationDeadline,
    insist,
)
from tests.support.fakes import FakeClock, FakeDeadline, FakeRandomness

BACKOFF = Backoff(first=0.1, longest=2.0)


class Failing:
    """A step that fails a given number of times, and then returns how often it was called."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error

    def __call__(self) -> int:
        """Fail, or return the number of calls."""
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return self.calls


def insisted(step: Failing, clock: FakeClock, *, seconds: float = 80, tries: int | None = None) -> int:
    """Call a step until it succeeds, as far as the deadline allows."""
    deadline = FakeDeadline(clock, seconds)
    return insist(
        step, backoff=BACKOFF, deadline=deadline, clock=clock, randomness=FakeRandomness(), tries=tries
    )


@pytest.mark.parametrize(("tries", "pause"), [(1, 0.1), (2, 0.2), (5, 1.6), (6, 2.0), (10_000, 2.0)])
def test_a_pause_doubles_up_to_the_longest(tries: int, pause: float) -> None:
    """Ten thousand tries do not make the power of two overflow."""
    assert BACKOFF.pause(tries, fraction=1) == pytest.approx(pause)


@pytest.mark.parametrize(("jitter", "shortest"), [(0, 0.1), (0.5, 0.05), (1, 0)])
def test_jitter_is_the_share_of_a_pause_that_is_random(jitter: float, shortest: float) -> None:
    """A jitter of 0 leaves the pause as it is."""
    backoff = Backoff(first=0.1, longest=2.0, jitter=jitter)
    assert backoff.pause(1, fraction=0) == pytest.approx(shortest)
    assert backoff.pause(1, fraction=1) == pytest.approx(0.1)


def test_a_step_is_called_until_it_succeeds() -> None:
    """The back-off decides the pauses between the calls."""
    clock = FakeClock()
    assert insisted(Failing(3, errors.InternalError("Down.")), clock) == 4
    assert clock.slept == pytest.approx([0.075, 0.15, 0.3])


def test_the_last_try_raises_what_it_met() -> None:
    """The last error is raised at once; no pause follows it."""
    clock, step = FakeClock(), Failing(9, errors.InternalError("Down."))
    with pytest.raises(errors.InternalError):
        insisted(step, clock, tries=3)
    assert (step.calls, len(clock.slept)) == (3, 2)


def test_no_pause_is_begun_that_the_deadline_may_cut_off() -> None:
    """The tries end when the longest pause no longer fits before the deadline."""
    clock, step = FakeClock(), Failing(1000, errors.InternalError("Down."))
    with pytest.raises(errors.InternalError):
        insisted(step, clock, seconds=10)
    assert 8 < sum(clock.slept) < 10


def test_a_defect_is_not_tried_again() -> None:
    """Only the service's own errors are worth another try."""
    clock, step = FakeClock(), Failing(1, RuntimeError("unforeseen"))
    with pytest.raises(RuntimeError):
        insisted(step, clock)
    assert (step.calls, clock.slept) == (1, [])


def test_a_deadline_counts_lambdas_milliseconds_as_seconds() -> None:
    """Lambda's context counts milliseconds, and a deadline counts seconds."""
    assert InvocationDeadline(remaining_milliseconds=lambda: 1500).remaining() == 1.5


@pytest.mark.parametrize(
    ("backoff", "shortest", "longest"),
    [
        (MODEL_BACKOFF, [0, 0, 0, 0, 0], [0.2, 0.4, 0.8, 1.6, 2.0]),
        (STORE_BACKOFF, [0.05, 0.1, 0.2, 0.4, 0.8], [0.1, 0.2, 0.4, 0.8, 1.6]),
        (DELIVERY_BACKOFF, [1, 2, 4, 8, 16], [2, 4, 8, 16, 32]),
    ],
)
def test_the_pauses_are_these(backoff: Backoff, shortest: list[float], longest: list[float]) -> None:
    """Pauses are in seconds, after the first five tries; only a model may be called again at once."""
    tries = range(1, 6)
    assert [backoff.pause(number, fraction=0) for number in tries] == pytest.approx(shortest)
    assert [backoff.pause(number, fraction=1) for number in tries] == pytest.approx(longest)
