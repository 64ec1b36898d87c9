"""Measures the memory of the api function: its peak by the size of the image, and its growth over many requests."""

from typing import Any, Final

from benchmarks.contenders import generation_event
from benchmarks.environments import Environment, served
from benchmarks.fleet import Fleet
from benchmarks.results import Figure, single

MEGABYTE: Final = 1e6
SIZES: Final = (0.5, 1.0, 1.8, 3.0, 4.0, 6.0, 8.0)
"""In megabytes."""
SETTLED: Final = 8
"""How many requests one environment serves until its peak no longer moves."""
WARM_UP: Final = 200
REQUESTS: Final = 1_000
_BOUND_AT: Final = 1.8


def measure_peak(fleet: Fleet) -> list[Figure]:
    """Return the peak memory of a new environment for each size of image, of ours and of the naive sample."""
    figures = []
    for size in SIZES:
        fleet.control(image_bytes=int(size * MEGABYTE), model_seconds=0.0)
        for name in ("api", "naive"):
            with fleet.start(name) as environment:
                _send(environment, SETTLED)
                peak = environment.peak_memory() / MEGABYTE
            bounds: dict[str, Any] = {"must": 80.0, "aim": 64.0} if (name, size) == ("api", _BOUND_AT) else {}
            how = {**bounds, "compared": name == "api"}
            figures.append(single(f"peak memory of {name}, image of {size} MB", peak, unit="MB", **how))
    return figures


def measure_growth(fleet: Fleet, *, requests: int = REQUESTS, warm_up: int = WARM_UP) -> list[Figure]:
    """Return by how much an environment's memory grows during many requests."""
    fleet.control(image_bytes=int(_BOUND_AT * MEGABYTE), model_seconds=0.0)
    with fleet.start("api") as environment:
        _send(environment, warm_up)
        before = (environment.peak_memory(), environment.memory())
        _send(environment, requests)
        peak, held = environment.peak_memory() - before[0], environment.memory() - before[1]
    over = f"over {requests:,} requests"
    # The peak hides what grows below it; what is held at one moment hides what comes and goes.
    return [
        single(f"growth of the peak {over}", peak / MEGABYTE, unit="MB", must=2.0, aim=0.5, compared=False),
        single(
            f"growth of what is held {over}", held / MEGABYTE, unit="MB", must=2.0, aim=0.5, compared=False
        ),
    ]


def _send(environment: Environment, requests: int) -> None:
    for _ in range(requests):
        served(environment, generation_event())
