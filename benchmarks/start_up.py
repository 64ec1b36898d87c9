"""Measures what starting each function costs, in CPU time, beside the SDK alone: floor (a)."""

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.fleet import Fleet
from benchmarks.results import Figure, ratio, spread

ROUNDS: Final = 21
FLOOR: Final = "sdk alone"
MEASURED: Final = (FLOOR, "naive", "powertools", "api", "worker", "authorizer")
_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "api": (1.15, 1.0),
    "worker": (1.05, 0.95),
    "authorizer": (0.6, 0.4),
}


def measure(fleet: Fleet, *, rounds: int = ROUNDS) -> list[Figure]:
    """Start the functions in turn, and return their CPU times until they are ready and the ratios to the floor."""
    seconds: dict[str, list[float]] = {name: [] for name in MEASURED}
    # The first start reads the files from the disk.
    for _ in range(rounds + 1):
        for name, taken in seconds.items():
            with fleet.start(name) as environment:
                taken.append(environment.start_cpu)
    return _figures({name: taken[1:] for name, taken in seconds.items()})


def _figures(seconds: Mapping[str, Sequence[float]]) -> list[Figure]:
    floor = seconds[FLOOR]
    ratios = []
    for name, taken in seconds.items():
        if name != FLOOR:
            must, aim = _BOUNDS.get(name, (None, None))
            # Without a bound it is another floor, and nothing of ours becomes worse with it.
            how = {"must": must, "aim": aim, "compared": must is not None}
            ratios.append(ratio(f"start-up of {name} / SDK alone", taken, floor, **how))
    times = [
        spread(f"start-up of {name}", [1000 * each for each in taken], unit="ms CPU", compared=False)
        for name, taken in seconds.items()
    ]
    return [*ratios, *times]
