"""`docs/performance.md` shows the committed figures, all of them and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from benchmarks.page import PAGE, tables
from estimates.page_tables import shown
from tools.checkout import CHECKOUT
from tools.failures import LocalError

FIGURES: Final[dict[str, Any]] = json.loads(
    (CHECKOUT / "benchmarks" / "figures.json").read_text(encoding="utf-8")
)
CHARTS: Final = {
    "performance-start-up.svg": r"start-up of [a-z ]+",
    "performance-warm.svg": "warm request, (by hand|naive|powertools|api)",
    "performance-memory.svg": "peak memory of .*",
    "performance-growth.svg": ".*: p95 of CPU time, .*",
}


def test_the_tables_are_those_of_the_figures() -> None:
    """`make bench SAVE=1` writes both."""
    assert shown(PAGE.read_text(encoding="utf-8")) == tables(FIGURES)


def test_a_figure_without_a_table_is_refused() -> None:
    """Otherwise nobody would see it."""
    with pytest.raises(LocalError, match=r"^These figures are in no table of the page: speed of light\.$"):
        tables(
            {
                **FIGURES,
                "figures": {"speed of light": {"part": "light", "value": 1, "low": 1, "high": 1, "unit": ""}},
            }
        )


def test_no_figure_of_a_floor_is_compared() -> None:
    """It may change with the machine, and nothing of ours would be worse."""
    floor = re.compile(r"(start-up of |peak memory of )?(naive|powertools|by hand|sdk alone)\b")
    of_floors = {name: members for name, members in FIGURES["figures"].items() if floor.match(name)}
    assert len(of_floors) == 14
    assert [name for name, members in of_floors.items() if members["compared"]] == []


@pytest.mark.parametrize(("chart", "names"), CHARTS.items())
def test_each_chart_shows_the_values_of_its_figures(chart: str, names: str) -> None:
    """The numbers stand in it as text."""
    drawn = (PAGE.parent / chart).read_text(encoding="utf-8")
    written = set(re.findall(r">\s*([\d.]+)\s*</text>", drawn))
    own = [members["value"] for name, members in FIGURES["figures"].items() if re.fullmatch(names, name)]
    assert len(own) > 3
    missing = [value for value in own if not {f"{value:.3g}", f"{value:.0f}", f"{value:.2f}"} & written]
    assert missing == []


def names_listed_after(heading: str) -> set[str]:
    """Return what the first list behind a line names between backticks."""
    _, found, behind = PAGE.read_text(encoding="utf-8").partition(f"{heading}\n\n")
    assert found
    return set(re.findall(r"`([^`]+)`", behind.partition("\n\n")[0]))


def bounded(verdict: str) -> set[str]:
    """Return the names of the figures that have an aim, and this verdict."""
    return {
        name
        for name, members in FIGURES["figures"].items()
        if members.get("verdict") == verdict and "aim" in members
    }


def test_every_bound_is_kept() -> None:
    """A release that got too slow is mended, or says here and on the page what stands in the way."""
    assert len(bounded("aim reached")) > 10
    assert [name for name, members in FIGURES["figures"].items() if members.get("verdict") == "MISSED"] == []


def test_an_aim_that_is_not_reached_is_explained() -> None:
    """Each is on the list below the table, and no other."""
    assert bounded("held") == names_listed_after("These aims are not reached:")
