"""The parts of `make bench`, by the names that `ONLY` takes."""

from collections.abc import Callable
from typing import Final

from benchmarks import (
    bundle,
    concurrency,
    drain,
    fresh_checkout,
    growth,
    local_stack,
    memory,
    neighbour,
    routes,
    schedules,
    share,
    start_up,
    warm,
)
from benchmarks.fleet import Fleet
from benchmarks.results import Figure

PARTS: Final[dict[str, Callable[[Fleet], list[Figure]]]] = {
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
    "up": local_stack.measure,
    "demo": fresh_checkout.measure,
    "neighbour": neighbour.measure,
    "schedules": schedules.measure,
}
"""Each part takes the fleet, and returns its figures."""
