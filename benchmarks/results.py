"""Figures with their spread and their bounds: the table of `make bench`, its JSON, and what became worse."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, Literal

from benchmarks.figures import listed
from tools.failures import LocalError

TOLERATED: Final = 1.15
"""A figure that is worse than the committed one by more than this factor is reported."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure: the median, the quartiles around it, its bound (`must`) and its `aim`.

    `compared` says whether it means the same on another machine, as a ratio does and a time does not.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str = "×"
    must: float | None = None
    aim: float | None = None
    better: Literal["lower", "higher"] = "lower"
    compared: bool = True

    def is_within(self, bound: float | None) -> bool:
        """Say whether the value keeps a bound; no bound is always kept."""
        if bound is None:
            return True
        return self.value <= bound if self.better == "lower" else self.value >= bound

    @property
    def verdict(self) -> str:
        """Whether the aim is reached, only the bound is kept, or the bound is missed; empty without a bound."""
        if self.must is None:
            return ""
        if not self.is_within(self.must):
            return "MISSED"
        return "aim reached" if self.aim is not None and self.is_within(self.aim) else "held"

    def worse_than(self, before: float) -> bool:
        """Say whether the value is worse than an earlier one by more than is tolerated."""
        if not self.compared:
            return False
        if before <= 0:
            # No factor is more than nothing.
            return self.better == "lower" and self.value > 0
        grown = self.value / before if self.better == "lower" else before / max(self.value, 1e-12)
        return grown > TOLERATED


def single(name: str, value: float, **how: Any) -> Figure:
    """Return a figure that was counted, or measured once."""
    return Figure(name=name, value=value, low=value, high=value, **how)


def spread(name: str, values: Sequence[float], **how: Any) -> Figure:
    """Return the median of several values, with their quartiles."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return Figure(name=name, value=median(values), low=low, high=high, **how)


def ratio(name: str, values: Sequence[float], floor: Sequence[float], **how: Any) -> Figure:
    """Return the ratio of two series that were measured in turn: the median of the rounds' ratios."""
    return spread(name, [value / below for value, below in zip(values, floor, strict=True)], **how)


def table(figures: Iterable[Figure]) -> str:
    """Lay figures out for a terminal, each with its spread, its bounds and the verdict."""
    rows = [("", "value", "quartiles", "must", "aim", "")]
    rows += [
        (
            figure.name,
            shown(figure.value, figure.unit),
            "" if figure.low == figure.high else f"{_bare(figure.low)}–{_bare(figure.high)}",
            _bound(figure, figure.must),
            _bound(figure, figure.aim),
            figure.verdict,
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            (
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            )
        ).rstrip()
        for row in rows
    )


def to_json(parts: Mapping[str, Sequence[Figure]], *, about: Mapping[str, str]) -> str:
    """Return the figures of each part as JSON, with what they were measured on."""
    members = {
        figure.name: {
            "part": part,
            "value": _rounded(figure.value),
            "low": _rounded(figure.low),
            "high": _rounded(figure.high),
            "unit": figure.unit,
            "better": figure.better,
            "compared": figure.compared,
            **({"must": figure.must} if figure.must is not None else {}),
            **({"aim": figure.aim} if figure.aim is not None else {}),
            **({"verdict": figure.verdict} if figure.verdict else {}),
        }
        for part, figures in parts.items()
        for figure in figures
    }
    return json.dumps({"about": dict(about), "figures": members}, indent=1, ensure_ascii=False) + "\n"


def committed(path: Path) -> Mapping[str, float]:
    """Return the values of a file of figures by their names; nothing if there is no such file.

    Raises:
        LocalError: the file is not one that `make bench` wrote.
    """
    if not path.is_file():
        return {}
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        return {name: float(members["value"]) for name, members in figures.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise LocalError(
            f"{path.name} is not a file of figures; `make bench SAVE=1` writes it anew."
        ) from exc


def worse(figures: Iterable[Figure], before: Mapping[str, float]) -> str:
    """Return a line for each figure that became worse by more than is tolerated; empty without such figures."""
    found = [
        (figure.name, f"{shown(before[figure.name], figure.unit)} → {shown(figure.value, figure.unit)}")
        for figure in figures
        if figure.name in before and figure.worse_than(before[figure.name])
    ]
    if not found:
        return ""
    return f"Worse than the committed figures by more than {TOLERATED - 1:.0%}:\n{listed(found)}"


def _bound(figure: Figure, bound: float | None) -> str:
    if bound is None:
        return ""
    return f"{'≤' if figure.better == 'lower' else '≥'} {_bare(bound)}"


def shown(value: float, unit: str) -> str:
    """Return a value as people read it, with its unit."""
    return f"{_bare(value)} {unit}".rstrip()


def _bare(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - as people write numbers


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
