"""The table of a stage: percentiles, and what an image costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from benchmarks.account.costs import Cost
from benchmarks.account.evidence import Evidence
from benchmarks.account.lines import MILLISECONDS, Invocation
from benchmarks.figures import percentile

PERCENTS: Final = (50, 95, 99)
_COLUMNS: Final = ("", "unit", "n", "p50", "p95", "p99", "max")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was measured, in which unit, and every value of it."""

    name: str
    unit: str
    values: Sequence[float]

    def percentile(self, percent: int) -> float:
        """Return a percentile of all values, interpolated linearly between the two nearest ones."""
        return percentile(self.values, percent)

    def as_json(self) -> dict[str, Any]:
        """Return the row for programs; without values the percentiles are null."""
        known = bool(self.values)
        percentiles = {f"p{each}": self.percentile(each) if known else None for each in PERCENTS}
        last = max(self.values) if known else None
        return {"name": self.name, "unit": self.unit, "n": len(self.values), **percentiles, "max": last}


def figures(evidence: Evidence) -> Sequence[Figure]:
    """Return every figure but the costs."""
    return [
        *(row for name, each in evidence.invocations.items() for row in _of_function(name, each)),
        *_of_gateway(evidence),
        *_of_images(evidence),
    ]


def _of_function(name: str, invocations: Sequence[Invocation]) -> Iterator[Figure]:
    restored = [each.restore_ms for each in invocations if each.restore_ms is not None]
    yield Figure(
        name=f"{name}: init",
        unit="ms",
        values=[each.init_ms for each in invocations if each.init_ms is not None],
    )
    if restored:
        yield Figure(name=f"{name}: restore", unit="ms", values=restored)
    yield Figure(name=f"{name}: billed duration", unit="ms", values=[each.billed_ms for each in invocations])
    yield Figure(name=f"{name}: max memory used", unit="MB", values=[each.used_mb for each in invocations])


def _of_gateway(evidence: Evidence) -> Iterator[Figure]:
    requests = evidence.requests
    own = [each.latency_ms - each.integration_ms for each in requests if each.integration_ms is not None]
    asked = [each.authorizer_ms for each in requests if each.authorizer_ms is not None]
    yield Figure(name="gateway: latency - integration latency", unit="ms", values=own)
    yield Figure(name="gateway: of that, the authorizer", unit="ms", values=asked)


def _of_images(evidence: Evidence) -> Iterator[Figure]:
    by_model: dict[tuple[str, str], list[float]] = {}
    for image in evidence.all_images:
        by_model.setdefault((image.model, evidence.size(image)), []).append(image.model_seconds)
    for (model, size), seconds in sorted(by_model.items()):
        yield Figure(name=f"{model}, {size}", unit="s", values=seconds)
    ours = [(image.seconds - image.model_seconds, image.seconds) for image in evidence.all_images]
    yield Figure(name="generation: our part", unit="ms", values=[part * MILLISECONDS for part, _ in ours])
    yield Figure(
        name="generation: our share",
        unit="%",
        values=[100 * part / whole for part, whole in ours if whole > 0],
    )


def as_json(
    stage: str, evidence: Evidence, rows: Sequence[Figure], costs: Sequence[Cost], notes: Sequence[str]
) -> dict[str, Any]:
    """Return the whole table for programs, with the names that the terminal shows."""
    return {
        "stage": stage,
        "from": _time(evidence.span.begin),
        "until": _time(evidence.span.end),
        "figures": [row.as_json() for row in rows],
        "costs": [cost.as_json() for cost in costs],
        "notes": list(notes),
    }


def lines(written: Mapping[str, Any]) -> Iterator[str]:
    """Lay the table out for a terminal, from its form for programs."""
    yield f"Stage {written['stage']}, from {written['from']} until {written['until']}."
    yield ""
    rows = [_COLUMNS, *(_cells(row) for row in written["figures"])]
    yield from _aligned(rows)
    for cost in written["costs"]:
        yield ""
        yield f"One image, {cost['way']}, the mean of {cost['images']:,}:"
        parts = [*cost["usd"].items(), ("together", cost["together"])]
        yield from _aligned([(name, f"${usd:.6f}") for name, usd in parts])
    if written["notes"]:
        yield ""
        yield from written["notes"]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = [row[name] for name in _COLUMNS[3:]]
    return (row["name"], row["unit"], f"{row['n']:,}", *(_shown(each, unit=row["unit"]) for each in numbers))


def _shown(number: float | None, *, unit: str) -> str:
    if number is None:
        return "-"
    return f"{number:,.0f}" if unit == "MB" else f"{number:,.1f}" if unit == "ms" else f"{number:,.2f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        right = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *right])


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"
