"""The table against numbers that were computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.account import lines, table
from benchmarks.account.costs import costs
from benchmarks.account.evidence import Evidence
from benchmarks.account.lines import Image, Invocation, Request
from benchmarks.account.logs import Span
from benchmarks.account.table import Figure, figures
from estimates import bill
from estimates.usage import api_requests
from tests.support.account_lines import image, report
from tests.support.fakes import CORE, ULTRA
from tests.support.synthesis import stage_config

SPAN = Span(begin=datetime(2026, 11, 28, 1, tzinfo=UTC), end=datetime(2026, 11, 29, 1, tzinfo=UTC))
DEV = stage_config("dev")


def invocations(*texts: str) -> Sequence[Invocation]:
    """Read reports."""
    return [read for text in texts if (read := lines.invocation(text))]


def images(*texts: str) -> Sequence[Image]:
    """Read lines about images."""
    return [read for text in texts if (read := lines.image(text))]


def evidence(**changes: Any) -> Evidence:
    """Return what an idle stage has logged, with changes."""
    members: dict[str, Any] = {"span": SPAN, "invocations": {"api": [], "worker": []}, **changes}
    return Evidence(**members)


FULL = evidence(
    invocations={
        "api": invocations(
            report("1", billed=5_000, used=90, more="Init Duration: 400 ms\t"),
            report("2", billed=7_000, used=92, more="Init Duration: 500 ms\t"),
            report("3", billed=50),
        ),
        "worker": invocations(report("4", billed=6_000, more="Restore Duration: 200 ms\t")),
        "authorizer": invocations(report("5", billed=10, memory=256), report("6", billed=30, memory=256)),
    },
    images={
        "api": images(
            image("a", seconds=4, model_seconds=3.9, invocation="1"),
            image("b", seconds=6, model_seconds=5.7, invocation="2"),
        ),
        "worker": images(image("c", seconds=5, model_seconds=4.9, invocation="4", model=ULTRA)),
    },
    charged={"a": 40_000, "b": 80_000},
    requests=[
        Request(latency_ms=120, integration_ms=100, authorizer_ms=15),
        Request(latency_ms=60, integration_ms=50, authorizer_ms=None),
        Request(latency_ms=3, integration_ms=None, authorizer_ms=None),
    ],
    sizes={"a": "1024x1024", "b": "1024x1024"},
)


def test_percentiles_are_those_of_all_values() -> None:
    """Of 1 to 101 the median is 51, and the 95th percentile 96: a straight line between the values."""
    figure = Figure(name="x", unit="ms", values=[float(number) for number in range(101, 0, -1)])
    assert figure.as_json() == {
        "name": "x",
        "unit": "ms",
        "n": 101,
        "p50": 51,
        "p95": 96,
        "p99": 100,
        "max": 101,
    }


def test_one_value_is_every_percentile_and_none_is_null() -> None:
    """A figure without values is shown as one without values."""
    one = Figure(name="x", unit="ms", values=[2.5]).as_json()
    none = Figure(name="x", unit="ms", values=[]).as_json()
    assert (one["n"], one["p50"], one["p99"], one["max"]) == (1, 2.5, 2.5, 2.5)
    assert (none["n"], none["p50"], none["p99"], none["max"]) == (0, None, None, None)


def test_every_figure_is_there() -> None:
    """Starts, restorings, the gateway's own time, models by size, and our part of a generation."""
    found = {each.name: list(each.values) for each in figures(FULL)}
    assert found == {
        "api: init": [400, 500],
        "api: billed duration": [5_000, 7_000, 50],
        "api: max memory used": [90, 92, 80],
        "worker: init": [],
        "worker: restore": [200],
        "worker: billed duration": [6_000],
        "worker: max memory used": [80],
        "authorizer: init": [],
        "authorizer: billed duration": [10, 30],
        "authorizer: max memory used": [80, 80],
        "gateway: latency - integration latency": [20, 10],
        "gateway: of that, the authorizer": [15],
        f"{CORE}, 1024x1024": [3.9, 5.7],
        f"{ULTRA}, size unknown": [4.9],
        "generation: our part": pytest.approx([100, 300, 100]),
        "generation: our share": pytest.approx([2.5, 5, 2]),
    }


def gb_seconds(seconds: float, *, gb: float = 0.5) -> float:
    """Return the dollars of one invocation."""
    return seconds * gb * 0.0000133334 + 0.0000002


def test_a_synchronous_image_costs_its_own_invocation_and_one_check_of_a_key() -> None:
    """Two images took 5 and 7 seconds at half a gigabyte, and cost 4 and 8 cents."""
    synchronous, _ = costs(FULL, config=DEV)
    parts = {part.name: part.usd for part in synchronous.parts}
    assert (synchronous.way, synchronous.images) == ("synchronous", 2)
    assert parts["Bedrock, charged by the model's price"] == pytest.approx(0.06)
    assert parts["Lambda, billed"] == pytest.approx(gb_seconds(6) + gb_seconds(0.02, gb=0.25))


def test_an_asynchronous_image_also_costs_the_requests_about_it() -> None:
    """Its charge is not in the span, so it has the model's price. What asks about it made no image itself."""
    _, asynchronous = costs(FULL, config=DEV)
    parts = {part.name: part.usd for part in asynchronous.parts}
    requests = api_requests("asynchronous")
    assert parts["Bedrock, charged by the model's price"] == pytest.approx(0.14)
    assert parts["Lambda, billed"] == pytest.approx(
        gb_seconds(6) + requests * (gb_seconds(0.05) + gb_seconds(0.02, gb=0.25))
    )


def test_what_is_not_measured_is_what_make_cost_computes() -> None:
    """Neither Bedrock nor Lambda is counted twice."""
    synchronous, _ = costs(FULL, config=DEV)
    computed = {part.name: part.usd for part in synchronous.parts if part.name.endswith(", computed")}
    whole = bill.by_service(bill.image(DEV, "synchronous", today=SPAN.end.date()))
    assert computed == {
        f"{service}, computed": usd for service, usd in whole.items() if service not in {"Bedrock", "Lambda"}
    }
    assert synchronous.together == pytest.approx(sum(part.usd for part in synchronous.parts))


def test_an_idle_stage_has_no_costs_and_rows_without_values() -> None:
    """The terminal shows dashes."""
    idle = evidence(invocations={"api": invocations(report("1")), "worker": []})
    written = table.as_json("dev", idle, figures(idle), costs(idle, config=DEV), ["A note."])
    shown = list(table.lines(written))
    assert written["costs"] == []
    assert shown[0] == "Stage dev, from 2026-11-28T01:00Z until 2026-11-29T01:00Z."
    assert [line.split() for line in shown[2:6]] == [
        ["unit", "n", "p50", "p95", "p99", "max"],
        ["api:", "init", "ms", "0", "-", "-", "-", "-"],
        ["api:", "billed", "duration", "ms", "1", "100.0", "100.0", "100.0", "100.0"],
        ["api:", "max", "memory", "used", "MB", "1", "80", "80", "80", "80"],
    ]
    assert shown[-2:] == ["", "A note."]


def test_the_terminal_shows_every_part_of_the_price() -> None:
    """The sum stands below the parts."""
    written = table.as_json("dev", FULL, figures(FULL), costs(FULL, config=DEV), [])
    shown = list(table.lines(written))
    first = shown.index("One image, synchronous, the mean of 2:")
    assert shown[first + 1].split() == ["Bedrock,", "charged", "by", "the", "model's", "price", "$0.060000"]
    together = next(line for line in shown[first:] if line.startswith("together"))
    assert float(together.split("$")[1]) == pytest.approx(written["costs"][0]["together"], abs=1e-6)
