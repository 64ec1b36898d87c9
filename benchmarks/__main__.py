"""`make bench` measures the built functions against the floors, and prints the table. It touches no running service.

`ONLY` names parts, separated by spaces; `SAVE=1` writes the figures into `benchmarks/figures.json`.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks import (
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
from benchmarks.fleet import Fleet, fleet
from benchmarks.installed import BUILT, install
from benchmarks.results import Figure, committed, single, spread, table, to_json, worse
from tools.checkout import CHECKOUT
from tools.failures import LocalError

COMMITTED: Final = CHECKOUT / "benchmarks" / "figures.json"
MEASURED: Final = BUILT / "figures.json"


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
    "routes": lambda _: [
        spread(series.name, [1000 * each for each in series.seconds], unit="ms", compared=False)
        for series in warm_requests.measure()
    ],
    "drain": lambda _: [
        single(
            "drain rate / model quota", drain.measure().used, unit="", must=0.97, aim=0.99, better="higher"
        )
    ],
    "demo": fresh_checkout.measure,
    "neighbour": neighbour.measure,
    "schedules": schedules.measure,
}
"""Each part by the name that `ONLY` knows it by."""


def main(environment: Mapping[str, str]) -> int:
    """Measure, print, and compare; a failure is a sentence and exit status 1, and so is a figure that became worse."""
    try:
        figures = _measured(_chosen(environment.get("ONLY", "")))
        before = committed(COMMITTED)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(figures))
    target = COMMITTED if environment.get("SAVE") == "1" else MEASURED
    _write(target, figures)
    print(f"The figures are in {target.relative_to(CHECKOUT)}.")
    found = worse(figures, before)
    print(found or "No figure is worse than the committed one by more than 15 %.")
    return 1 if found else 0


def _chosen(only: str) -> list[str]:
    names = only.split() or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise LocalError(f"ONLY names {', '.join(unknown)}; the parts are {', '.join(PARTS)}.")
    return names


def _measured(names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    with fleet(install()) as running:
        for name in names:
            began = time.monotonic()
            figures += PARTS[name](running)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return figures


def _write(target: Path, figures: list[Figure]) -> None:
    about = {
        "python": install().version,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "system": platform.system(),
    }
    target.write_text(to_json(figures, about=about), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(os.environ))
