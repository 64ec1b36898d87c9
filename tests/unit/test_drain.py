"""What `make bench` says of a drained backlog."""

from __future__ import annotations

import pytest

from benchmarks.drain import Drain

DRAIN = Drain(
    jobs=300,
    ended={"succeeded": 299, "failed": 1},
    paid_attempts=300,
    calls=900,
    billed=300,
    seconds=37.5,
    busy_billed=290,
    busy_seconds=35.5,
)


def test_the_share_is_of_all_that_the_model_allowed() -> None:
    """In 37.5 s it allows 300 calls at 8/s, and 8 more at once in the beginning."""
    assert DRAIN.used == pytest.approx(300 / 308)
    assert DRAIN.used_while_busy == pytest.approx(290 / 292)


def test_the_figures_tell_what_the_drain_cost() -> None:
    """Refused calls are counted for each job; no job may fail, and none may be paid twice."""
    assert [(round(one.value, 3), one.verdict) for one in DRAIN.figures()] == [
        (0.974, "held"),
        (0.993, ""),
        (2.0, ""),
        (1, "MISSED"),
        (0, "held"),
    ]
