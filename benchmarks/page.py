"""Writes the committed figures into `docs/performance.md`: its tables here, its charts by `benchmarks/charts.py`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.installed import packages
from benchmarks.results import shown
from estimates.page_tables import renewed
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

PAGE: Final = CHECKOUT / "docs" / "performance.md"
Members = Mapping[str, Mapping[str, Any]]

TABLES: Final[Mapping[str, Sequence[str]]] = {
    "start-up": ("start-up",),
    "requests": ("warm", "authorizer"),
    "calls": ("calls",),
    "memory": ("memory", "leak"),
    "zip": ("bundle",),
    "growth": ("growth",),
    "routes": ("routes", "environments"),
    "queue": ("drain", "neighbour"),
    "machine": ("share", "up", "demo", "schedules"),
}
"""The parts of `make bench` that each table shows. Figures with a bound are in the table `bounds` instead."""


def renew(figures: Path) -> None:
    """Write the tables and draw the charts.

    Raises:
        LocalError: a chart cannot be drawn, or the page lacks a table.
    """
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(renewed(page, tables(json.loads(figures.read_text(encoding="utf-8")))), encoding="utf-8")
    drawn = subprocess.run(
        [sys.executable, "-m", "benchmarks.charts", str(figures), str(PAGE.parent)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(packages("charts", Path(sys.executable)))},
        capture_output=True,
        text=True,
        check=False,
    )
    if drawn.returncode != 0:
        raise LocalError(f"The charts could not be drawn: {in_one_line(drawn.stderr)}")


def tables(read: Mapping[str, Any]) -> dict[str, str]:
    """Return the tables of the page from what a file of figures holds.

    Raises:
        LocalError: a figure belongs to no table, so the page would not show it.
    """
    figures: Members = read["figures"]
    known = {part for parts in TABLES.values() for part in parts}
    homeless = [name for name, members in figures.items() if members["part"] not in known]
    if homeless:
        raise LocalError(f"These figures are in no table of the page: {', '.join(homeless)}.")
    made = {"bounds": _bounds(figures)}
    for table, parts in TABLES.items():
        made[table] = _rows(
            {
                name: members
                for name, members in figures.items()
                if members["part"] in parts and "must" not in members
            }
        )
    about = read["about"]
    made["about"] = f"Python {about['python']} on {about['system']}, {about['machine']}."
    return made


def _bounds(figures: Members) -> str:
    rows = [
        (
            name,
            _value(members),
            _spread(members),
            _bound(members, "must"),
            _bound(members, "aim"),
            _verdict(members),
        )
        for name, members in figures.items()
        if "must" in members
    ]
    return _table(("figure", "measured", "quartiles", "must", "aim", ""), rows)


def _rows(figures: Members) -> str:
    return _table(
        ("figure", "measured", "quartiles"),
        [(name.strip(), _value(members), _spread(members)) for name, members in figures.items()],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _value(members: Mapping[str, Any]) -> str:
    return shown(members["value"], members["unit"])


def _spread(members: Mapping[str, Any]) -> str:
    low, high = members["low"], members["high"]
    return "" if low == high else f"{shown(low, '')}–{shown(high, '')}"


def _bound(members: Mapping[str, Any], which: str) -> str:
    if which not in members:
        return ""
    return f"{'≤' if members['better'] == 'lower' else '≥'} {shown(members[which], '')}"


def _verdict(members: Mapping[str, Any]) -> str:
    verdict: str = members["verdict"]
    return verdict.lower()
