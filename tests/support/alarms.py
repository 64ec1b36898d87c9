"""Alarms of a template as CloudWatch evaluates them: metrics, statistics, expressions, thresholds, missing data.

See the Amazon CloudWatch user guide, "Using Amazon CloudWatch alarms" and "Using metric math". One thing is left out:
where the last periods have no data, CloudWatch looks further back, so an alarm may end later than here.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

Samples = Mapping[str, Sequence[float]]
"""What was measured in one period, by the id of the series; a series that is not there has no data."""

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}
STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "Sum": sum,
    "Average": fmean,
    "Maximum": max,
    "p90": lambda samples: sorted(samples)[math.ceil(0.9 * len(samples)) - 1],
}
TERM: Final = re.compile(r"(?P<sign>[+-]?)\s*(?:FILL\((?P<filled>\w+), (?P<fill>\d+)\)|(?P<id>\w+))\s*")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of an alarm, with the statistic that is made of its samples."""

    namespace: str
    name: str
    dimensions: Mapping[str, Any]
    statistic: str
    period: int

    @classmethod
    def of(cls, stat: Mapping[str, Any]) -> Series:
        """Return the series of a `MetricStat`."""
        metric = stat["Metric"]
        return cls(
            namespace=metric["Namespace"],
            name=metric["MetricName"],
            dimensions={each["Name"]: each["Value"] for each in metric.get("Dimensions", [])},
            statistic=stat["Stat"],
            period=stat["Period"],
        )

    def value(self, samples: Sequence[float] | None) -> float | None:
        """Return the statistic of a period, or None without data."""
        return STATISTICS[self.statistic](samples) if samples else None


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm of a template."""

    name: str
    description: str
    series: Mapping[str, Series]
    expression: str | None
    threshold: float
    comparison: str
    periods: int
    datapoints: int
    missing: str
    actions: Sequence[Any]
    ok_actions: Sequence[Any]

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Alarm:
        """Return the alarm of a resource's properties."""
        metrics = properties["Metrics"]
        (returned,) = [each for each in metrics if each.get("ReturnData", True)]
        return cls(
            name=properties["AlarmName"],
            description=properties["AlarmDescription"],
            series={each["Id"]: Series.of(each["MetricStat"]) for each in metrics if "MetricStat" in each},
            expression=returned.get("Expression"),
            threshold=properties["Threshold"],
            comparison=properties["ComparisonOperator"],
            periods=properties["EvaluationPeriods"],
            datapoints=properties["DatapointsToAlarm"],
            missing=properties["TreatMissingData"],
            actions=properties["AlarmActions"],
            ok_actions=properties["OKActions"],
        )

    def goes_off(self, measured: Sequence[Samples], *, before: bool = False) -> bool:
        """Say whether the alarm is on after these periods, of which the last ones count; `before` is its state then."""
        values = [self._value(samples) for samples in measured[-self.periods :]]
        if self.missing == "ignore":
            values = [value for value in values if value is not None]
            if not values:
                return before
        compare = COMPARISONS[self.comparison]
        missing = self.missing == "breaching"
        breaches = [missing if value is None else compare(value, self.threshold) for value in values]
        return sum(breaches) >= self.datapoints

    def _value(self, samples: Samples) -> float | None:
        values = {id_: series.value(samples.get(id_)) for id_, series in self.series.items()}
        if self.expression is None:
            (value,) = values.values()
            return value
        terms = list(TERM.finditer(self.expression))
        assert "".join(term[0] for term in terms) == self.expression, (
            "the evaluator does not know this expression"
        )
        total = 0.0
        for term in terms:
            value = values[term["filled"] or term["id"]]
            if value is None:
                if term["fill"] is None:
                    return None
                value = float(term["fill"])
            total += -value if term["sign"] == "-" else value
        return total


def matches(pattern: str, line: Mapping[str, str]) -> bool:
    """Say whether a filter pattern for JSON matches a line of a log; only `&&`, `=` and `!=` are known here.

    See the Amazon CloudWatch Logs user guide, "Filter pattern syntax for metric filters".
    """
    conditions = re.findall(r'\(\$\.(\w+) (!?=) "([^"]*)"\)', pattern)
    assert pattern == "{ " + " && ".join(f'($.{name} {op} "{text}")' for name, op, text in conditions) + " }"
    return all(
        (re.fullmatch(re.escape(text).replace(r"\*", ".*"), line[name]) is not None) == (op == "=")
        for name, op, text in conditions
    )
