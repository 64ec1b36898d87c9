"""Computes figures of a series of measurements, and prints them as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True, kw_only=True)
class Series:
    """The seconds that the repetitions of one thing took."""

    name: str
    seconds: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median."""
        return percentile(self.seconds, 50)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return percentile(self.seconds, 95)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile of at least one value, interpolated linearly between the two nearest ones."""
    # `quantiles` needs at least two values.
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def listed(rows: Sequence[tuple[str, str]]) -> str:
    """Lay figures out for a terminal, each with its name."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}} {value:>10}" for name, value in rows)
