"""What `make bench` says of several environments at once."""

from __future__ import annotations

from benchmarks.concurrency import Concurrency, Rate

MEASURED = Concurrency(
    rates=[
        Rate(environments=2, model_seconds=0, per_second=50.0),
        Rate(environments=4, model_seconds=0.5, per_second=7.6),
    ]
)


def test_a_model_that_takes_time_says_what_is_possible() -> None:
    """Four environments, each of which waits half a second, could serve eight requests per second."""
    assert [(one.name, round(one.value, 2), one.unit) for one in MEASURED.figures()] == [
        ("requests per second, environments: 2, model: 0 s", 50, "/s"),
        ("requests per second, environments: 4, model: 0.5 s", 7.6, "/s"),
        ("requests per second, environments: 4, model: 0.5 s, of what is possible", 0.95, ""),
    ]
