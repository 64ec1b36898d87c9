"""The measurement of several environments runs the built function in each."""

from __future__ import annotations

import pytest

from benchmarks import concurrency

pytestmark = pytest.mark.slow


def test_each_number_of_environments_is_measured_with_each_model() -> None:
    """No environment serves more than the model allows."""
    measured = concurrency.measure(environments=(1, 2), models=(0.0, 0.2), seconds=0.1)
    shown = [(one.environments, one.model_seconds) for one in measured.rates]
    assert shown == [(1, 0.0), (2, 0.0), (1, 0.2), (2, 0.2)]
    assert all(one.per_second > 0 for one in measured.rates)
    assert all(one.of_possible < 1 for one in measured.rates if one.of_possible is not None)
