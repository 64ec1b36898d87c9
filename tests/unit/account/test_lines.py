"""How one line of a log is read, with the members that Lambda sometimes adds or leaves out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from benchmarks.account import lines
from benchmarks.account.lines import Charge, Image, Invocation, Request
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from stacks.http_api import ACCESS_LOG_FIELDS
from tests.support import account_lines
from tests.support.fakes import CORE

if TYPE_CHECKING:
    from collections.abc import Callable

WARM = Invocation(request_id="1", run_ms=99.5, billed_ms=100, memory_mb=512, used_mb=80)


@pytest.mark.parametrize(
    ("more", "init", "restore", "billed"),
    [
        ("", None, None, 100),
        ("Init Duration: 412.34 ms\t", 412.34, None, 100),
        ("Restore Duration: 300.5 ms\tBilled Restore Duration: 40 ms\t", None, 300.5, 140),
        ("Status: timeout\t", None, None, 100),
        ("\nXRAY TraceId: 1-5\tSegmentId: 1\tSampled: true\t", None, None, 100),
    ],
)
def test_a_report_has_its_numbers(
    more: str, init: float | None, restore: float | None, billed: float
) -> None:
    """A start is reported with the first invocation: as `Init Duration`, or with SnapStart as a restoring."""
    read = lines.invocation(account_lines.report("1", more=more))
    assert read == Invocation(
        request_id="1",
        run_ms=99.5,
        billed_ms=billed,
        memory_mb=512,
        used_mb=80,
        init_ms=init,
        restore_ms=restore,
    )


def test_an_invocation_costs_its_gigabyte_seconds_and_its_request() -> None:
    """A tenth of a second at half a gigabyte is a twentieth of a GB-second."""
    assert WARM.gb_seconds == pytest.approx(0.05)
    assert WARM.usd == pytest.approx(0.05 * 0.0000133334 + 0.0000002)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "REPORT RequestId: 1",
        "REPORT RequestId: 1\tDuration: x ms\tBilled Duration: 1 ms\tMemory Size: 1 MB\tMax Memory Used: 1 MB",
        "START RequestId: 1 Version: $LATEST",
        "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout",
        '{"message": "a line that quotes REPORT RequestId: 1"}',
        "[1]",
        "null",
        '"image generated"',
        '{"message": "image generated", "generation": 1, "model": "m", "seconds": 1, "model_seconds": 1}',
        '{"message": "image generated", "generation": "g", "model": "m", "seconds": 1}',
        '{"message": "charged", "generation": "g", "micro_usd": null}',
        '{"message": "charged", "generation": "g", "micro_usd": NaN}',
        '{"latency_ms": "-"}',
        '{"latency_ms": {}}',
    ],
)
def test_any_other_line_is_left_out(line: str) -> None:
    """A log also has lines of others, and lines that were cut off."""
    read: tuple[Callable[[str], object], ...] = (lines.invocation, lines.image, lines.charge, lines.request)
    assert [parse(line) for parse in read] == [None] * 4


def test_the_lines_of_the_functions_are_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines come from the observer itself, so renaming a member fails here."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "the_lines_of_the_functions")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "imagegen")
    metrics = create_metrics(stage="dev")
    metrics.clear_metrics()
    observer = PowertoolsObserver(logger=create_logger(), metrics=metrics)
    with observer.publishing():
        observer.succeeded("gen_1", model=CORE, seconds=5.25, model_seconds=5.0, bytes_=9)
        observer.charged("gen_1", model=CORE, key_id="", micro_usd=40_000)
    written = capsys.readouterr().out.splitlines()
    images = [read for line in written if (read := lines.image(line))]
    charges = [charge for line in written if (charge := lines.charge(line))]
    (image,) = images
    assert image == Image(
        generation="gen_1",
        model=CORE,
        seconds=5.25,
        model_seconds=5.0,
        request_id="",
        logged_at=image.logged_at,
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}[+-]\d{4}", image.logged_at)
    assert charges == [Charge(generation="gen_1", micro_usd=40_000)]


def test_the_gateways_line_is_understood() -> None:
    """The names are those that the stack gives the gateway, and a dash is nothing."""
    assert lines.request(account_lines.access(120, 100, 15)) == Request(
        latency_ms=120, integration_ms=100, authorizer_ms=15
    )
    assert lines.request(account_lines.access(3, "-", "-")) == Request(
        latency_ms=3, integration_ms=None, authorizer_ms=None
    )
    assert set(json.loads(account_lines.access(1, 1, 1))) <= set(ACCESS_LOG_FIELDS)
