"""How many schedules of faults the suite explores, and how long each scenario takes."""

from benchmarks.fleet import Fleet
from benchmarks.results import Figure, single
from tests.support.schedules import SCENARIOS, Explorer


def measure(_: Fleet) -> list[Figure]:
    """Explore every scenario of the suite.

    Raises:
        AssertionError: a schedule breaks a promise; the suite would have said so.
    """
    figures = []
    for name, scenario in SCENARIOS.items():
        explorer = Explorer(scenario)
        seconds = explorer.explore()
        figures += [
            single(f"schedules of {name}", explorer.schedules, unit="", compared=False),
            single(f"exploring {name}", seconds, unit="s", compared=False),
        ]
    return figures
