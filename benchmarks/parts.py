"""The parts of `make bench`, by the names that `ONLY` knows them by."""

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks import (
    bundle,
    concurrency,
    drain,
    fresh_checkout,
    growth,
    memory,
    neighbour,
    routes,
    schedules,
    share,
    start_up,
    warm,
    warm_requests,
)
from benchmarks.fleet import Fleet
from benchmarks.results import Figure, spread


def _up(_: Fleet) -> list[Figure]:
    return [
        spread(series.name, [1000 * each for each in series.seconds], unit="ms", compared=False)
        for series in warm_requests.measure()
    ]


PARTS: Final[Mapping[str, Callable[[Fleet], list[Figure]]]] = {
    "start-up": start_up.measure,
    "warm": warm.measure,
    "authorizer": warm.measure_authorizer,
    "calls": warm.count_round_trips,
    "memory": memory.measure_peak,
    "leak": memory.measure_growth,
    "share": share.measure,
    "bundle": bundle.measure,
    "routes": lambda _: routes.measure().figures(),
    "environments": lambda running: concurrency.measure(running.installed).figures(),
    "growth": lambda running: growth.measure(running.installed).figures(),
    "drain": lambda _: drain.measure().figures(),
    "up": _up,
    "demo": fresh_checkout.measure,
    "neighbour": neighbour.measure,
    "schedules": schedules.measure,
}
"""Each takes the stand-ins and what can be started, and returns its figures."""
