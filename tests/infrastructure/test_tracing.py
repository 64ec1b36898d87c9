"""Tracing is the platform's own: gateway and functions record times, and no library could record anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.synthesis import ROOT, STAGES, as_list, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

X_RAY = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
FUNCTIONS = ("Api", "Worker", "HttpAuthorizer")


def rights(stage: Synthesized, function: str) -> set[str]:
    """Return the rights of X-Ray that a function has."""
    statements = stage.statements(function)
    return {action for each in statements for action in as_list(each["Action"]) if action.startswith("xray:")}


def test_with_tracing_the_gateway_and_every_function_record_times(
    synthesized: Callable[..., Synthesized],
) -> None:
    """A function may send traces, and read none."""
    stage = synthesized("dev", "tracing=true")
    assert stage.one("AWS::ApiGateway::Stage")["TracingEnabled"] is True
    for function in stage.resources("AWS::Lambda::Function"):
        assert function["Properties"]["TracingConfig"] == {"Mode": "Active"}
    assert [rights(stage, function) for function in FUNCTIONS] == [X_RAY] * 3


def test_without_tracing_nothing_is_traced(dev: Synthesized) -> None:
    """No function has a right of X-Ray's then."""
    assert not dev.one("AWS::ApiGateway::Stage").get("TracingEnabled", False)
    assert not [
        each for each in dev.resources("AWS::Lambda::Function") if "TracingConfig" in each["Properties"]
    ]
    assert [rights(dev, function) for function in FUNCTIONS] == [set()] * 3


@pytest.mark.parametrize("stage", STAGES)
def test_tracing_is_off_unless_the_operator_wants_it(stage: str) -> None:
    """The log lines and the metric `ModelTime` split an image's time as well."""
    assert not stage_config(stage).tracing


def test_no_code_and_no_package_of_the_functions_records_a_trace() -> None:
    """The Tracer of Powertools would put presigned URLs and errors' texts into traces."""
    sources = "".join(path.read_text() for path in (ROOT / "lambda" / "imagegen").rglob("*.py"))
    assert not [
        word for word in ("Tracer", "aws_xray_sdk", "opentelemetry", "capture_method") if word in sources
    ]
    packages = (ROOT / "lambda" / "requirements.txt").read_text()
    assert "xray" not in packages
    assert "opentelemetry" not in packages
