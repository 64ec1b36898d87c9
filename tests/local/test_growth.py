"""The measurement of growth runs the built functions, and none calls AWS more often where there is more."""

from __future__ import annotations

import pytest

from benchmarks import growth

pytestmark = pytest.mark.slow


def test_nothing_takes_more_calls_where_there_is_more() -> None:
    """A history, a look-up, a request, a job and a key take equal calls at each size; a sweep's calls are divided."""
    measured = growth.measure(history=(10, 40), jobs=(1, 20), keys=(1, 20), rounds=1)
    swept = measured.samples["sweep, for each of its jobs"]
    others = {name: by_size for name, by_size in measured.samples.items() if by_size is not swept}
    assert {name: by_size[max(by_size)].calls for name, by_size in others.items()} == {
        name: by_size[min(by_size)].calls for name, by_size in others.items()
    }
    assert all(sum(one.calls.values()) > 0 for by_size in others.values() for one in by_size.values())
    assert swept[1].calls["dynamodb Query"] == 8
    assert swept[20].calls["dynamodb Query"] == 8 / 20
    assert len(measured.samples["look-up"][40].wall.seconds) == growth.BLOCK
