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


@pytest.mark.parametrize(("chart", "names"), CHARTS.items())
def test_each_chart_shows_the_values_of_its_figures(chart: str, names: str) -> None:
    """The numbers stand in it as text."""
    drawn = (PAGE.parent / chart).read_text(encoding="utf-8")
    written = set(re.findall(r">\s*([\d.]+)\s*</text>", drawn))
    own = [members["value"] for name, members in FIGURES["figures"].items() if re.fullmatch(names, name)]
    assert len(own) > 3
    missing = [value for value in own if not {f"{value:.3g}", f"{value:.0f}", f"{value:.2f}"} & written]
    assert missing == []


def test_a_missed_bound_is_explained() -> None:
    """The page names every missed bound and explains it, and it names no bound that is kept."""
    bounded = {name: members for name, members in FIGURES["figures"].items() if "must" in members}
    assert len(bounded) > 10
    missed = {name for name, members in bounded.items() if members["verdict"] == "MISSED"}
    _, heading, explained = PAGE.read_text(encoding="utf-8").partition("### What stands in the way\n")
    named = set(re.findall(r"^- `([^`]+)`", explained.partition("\n## ")[0], flags=re.MULTILINE))
    assert heading
    assert missed == named
