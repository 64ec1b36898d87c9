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
        return self._percentile(50)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return self._percentile(95)

    def _percentile(self, percent: int) -> float:
        # `quantiles` needs at least two values.
        if len(self.seconds) == 1:
            return self.seconds[0]
        return quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


def listed(rows: Sequence[tuple[str, str]]) -> str:
    """Lay figures out for a terminal, each with its name."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}} {value:>10}" for name, value in rows)
