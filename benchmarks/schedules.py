"""How many schedules of faults the suite explores, and how long each scenario takes."""

from tests.support.schedules import SCENARIOS, Explorer


def lines() -> str:
    """Explore every scenario of the suite, and lay the figures out for a terminal.

    Raises:
        AssertionError: a schedule breaks a promise; the suite would have said so.
    """
    width = max(map(len, SCENARIOS))
    rows = [
        f"{'fault schedules':{width}} {'schedules':>13} {'states':>8} {'runs':>9} {'answers':>8} {'time':>8}"
    ]
    for name, scenario in SCENARIOS.items():
        explorer = Explorer(scenario)
        seconds = explorer.explore()
        rows.append(
            f"{name:{width}} {explorer.schedules:>13,} {explorer.states:>8,} {explorer.steps:>9,}"
            f" {len(explorer.answers):>8} {seconds:>6.1f} s"
        )
    return "\n".join(rows)
