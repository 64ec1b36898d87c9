"""The parts of `make bench`, by the names that `ONLY` knows them by."""

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks import (
    bundle,
    drain,
    fresh_checkout,
    memory,
    neighbour,
    schedules,
    share,
    start_up,
    warm,
    warm_requests,
)
from benchmarks.fleet import Fleet
from benchmarks.results import Figure, single, spread


def _routes(_: Fleet) -> list[Figure]:
    return [
        spread(series.name, [1000 * each for each in series.seconds], unit="ms", compared=False)
        for series in warm_requests.measure()
    ]


def _drain(_: Fleet) -> list[Figure]:
    used = drain.measure().used
    return [single("drain rate / model quota", used, unit="", must=0.97, aim=0.99, better="higher")]


PARTS: Final[Mapping[str, Callable[[Fleet], list[Figure]]]] = {
    "start-up": start_up.measure,
    "warm": warm.measure,
    "authorizer": warm.measure_authorizer,
    "calls": warm.count_round_trips,
    "memory": memory.measure_peak,
    "leak": memory.measure_growth,
    "share": share.measure,
    "bundle": bundle.measure,
    "routes": _routes,
    "drain": _drain,
    "demo": fresh_checkout.measure,
    "neighbour": neighbour.measure,
    "schedules": schedules.measure,
}
"""Each takes the stand-ins and what can be started, and returns its figures."""
