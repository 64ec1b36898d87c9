"""The machine's clock and randomness keep the promises of their ports."""

from __future__ import annotations

import re
from datetime import UTC

from imagegen.adapters.system import SystemClock, SystemRandomness


def test_the_time_of_day_is_in_utc() -> None:
    """The machine's time zone makes no difference."""
    assert SystemClock().now().tzinfo is UTC


def test_sleeping_takes_the_time() -> None:
    """The same clock measures the sleep."""
    clock = SystemClock()
    began = clock.now()
    clock.sleep(0.01)
    assert (clock.now() - began).total_seconds() >= 0.01


def test_chance_stays_within_its_bounds() -> None:
    """Every model accepts the seeds, fractions are in 0–1, and tokens do not repeat."""
    chance = SystemRandomness()
    assert all(1 <= chance.seed() <= 4_294_967_294 for _ in range(1000))
    assert all(0 <= chance.fraction() < 1 for _ in range(1000))
    tokens = {chance.token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch("[a-z2-7]{26}", token) for token in tokens)
