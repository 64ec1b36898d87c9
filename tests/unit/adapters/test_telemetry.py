"""Logs and metrics: ids, codes and places in ASCII, one line each, and no text from outside."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagegen import errors
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.errors import ImagegenError, VendorRefusal
from imagegen.models.lifecycle_check import Finding, Reported
from tests.support.fakes import CORE

LOGGED = ("level", "message", "generation", "model", "seconds", "model_seconds", "bytes")


@pytest.fixture
def create(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[], PowertoolsObserver]:
    """Return a function that makes the observer as it is configured in the deployed functions."""

    def create() -> PowertoolsObserver:
        # a logger keeps the standard output of the test that made it, so each test needs its own
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", request.node.name)
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "imagegen")
        monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "DEBUG")
        metrics = create_metrics(stage="dev")
        metrics.clear_metrics()
        return PowertoolsObserver(logger=create_logger(), metrics=metrics)

    return create


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines that were written: one JSON object each, in ASCII."""
    written = capsys.readouterr()
    assert written.out.isascii()
    assert written.err == ""
    return [json.loads(line) for line in written.out.splitlines()]


def raised(error: Exception, *, cause: Exception | None = None) -> Exception:
    """Return an error that was raised, so that its traceback has a place."""
    try:
        raise error from cause
    except type(error) as exc:
        return exc


def of_aws(code: str) -> ClientError:
    """Return an error of AWS with a message that must not be logged."""
    return ClientError({"Error": {"Code": code, "Message": "my-secret-prompt"}}, "InvokeModel")


def test_an_image_is_logged_and_counted(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """The log line has id, model, times and size; the metrics are written when the invocation ends."""
    observer = create()
    with observer.publishing():
        observer.succeeded("gen_1", model=CORE, seconds=1.23456, model_seconds=1.0004, bytes_=1_800_000)
    log, metrics = lines(capsys)
    assert {name: log[name] for name in LOGGED} == {
        "level": "INFO",
        "message": "image generated",
        "generation": "gen_1",
        "model": CORE,
        "seconds": 1.235,
        "model_seconds": 1.0,
        "bytes": 1_800_000,
    }
    assert (metrics["ImagesGenerated"], metrics["GenerationTime"]) == ([1.0], [1.23456])
    assert metrics["ModelTime"] == [1.0004]
    assert metrics["service"] == log["service"] == "test_an_image_is_logged_and_counted"
    (published,) = metrics["_aws"]["CloudWatchMetrics"]
    assert published["Namespace"] == "imagegen"


def test_every_metric_tells_its_stage(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """All stages of an account share a namespace; each invocation of a process has both dimensions."""
    observer = create()
    for _ in range(2):
        with observer.publishing():
            observer.model_retried(CORE, "model_throttled")
    observer.charged("gen_1", model=CORE, key_id="", micro_usd=1)
    published = [line for line in lines(capsys) if "_aws" in line]
    assert [line["stage"] for line in published] == ["dev"] * 3
    dimensions = [line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for line in published]
    assert [[sorted(one) for one in each] for each in dimensions] == [
        [["service", "stage"]],
        [["service", "stage"]],
        [["model", "service", "stage"]],
    ]


def test_what_was_spent_is_counted_by_model_and_by_key(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two metrics in dollars, each with one dimension more than the others; a correction is negative."""
    observer = create()
    observer.charged("gen_1", model=CORE, key_id="alicealice22", micro_usd=40_000)
    observer.charged("gen_2", model="", key_id="", micro_usd=-80_000)
    by_model, by_key, log, unknown, _ = lines(capsys)
    assert (by_model["Spend"], by_model["model"]) == ([0.04], CORE)
    assert (by_key["Spend"], by_key["key"]) == ([0.04], "alicealice22")
    dimensions = by_model["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert [sorted(one) for one in dimensions] == [["model", "service", "stage"]]
    assert (log["message"], log["micro_usd"], log["key"]) == ("charged", 40_000, "alicealice22")
    assert (unknown["Spend"], unknown["model"]) == ([-0.08], "unknown")


@pytest.mark.parametrize(
    ("error", "level", "counted"),
    [
        (errors.InvalidParameter("steps must be 10–150."), "WARNING", {"GenerationsFailed"}),
        (errors.ModelThrottled("busy"), "WARNING", {"GenerationsFailed"}),
        (errors.ModelRetired("gone"), "ERROR", {"GenerationsFailed", "Faults"}),
        (errors.OutcomeUnknown("lost"), "ERROR", {"GenerationsFailed", "Faults"}),
    ],
    ids=["caller", "wait", "operator", "service"],
)
def test_a_failure_is_an_error_where_an_operator_has_to_act(
    create: Callable[[], PowertoolsObserver],
    capsys: pytest.CaptureFixture[str],
    error: ImagegenError,
    level: str,
    counted: set[str],
) -> None:
    """A caller's mistake or a busy model must not raise an alarm."""
    observer = create()
    with observer.publishing():
        observer.failed("gen_1", error)
    log, metrics = lines(capsys)
    assert (log["level"], log["generation"], log["code"]) == (level, "gen_1", error.kind.code)
    assert (log["detail"], log["paid"], log.get("cause")) == (error.detail, error.kind.paid, None)
    assert {name for name in metrics if name in {"GenerationsFailed", "Faults"}} == counted


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        (of_aws("AccessDeniedException"), "ClientError AccessDeniedException"),
        (of_aws("my secret prompt"), "ClientError"),
        (of_aws("x" * 100), "ClientError"),
        (ValueError("my-secret-prompt"), "ValueError"),
    ],
    ids=["a code", "no code", "too long for one", "not AWS's"],
)
def test_a_cause_is_shown_by_its_class_and_the_code_of_aws(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str], cause: Exception, shown: str
) -> None:
    """The message of a cause can quote a prompt, so it is left out."""
    observer = create()
    error = raised(errors.StoreFailed("The image could not be stored."), cause=cause)
    assert isinstance(error, ImagegenError)
    observer.failed("gen_1", error)
    observer.fault("a webhook could not be called", id_="gen_1", error=error)
    observer.warned("a due record is swept again later", id_="gen_1", error=error)
    observer.defect(raised(KeyError("my-secret-prompt"), cause=cause))
    written = lines(capsys)
    assert [line["cause"] for line in written] == [shown] * 4
    assert [line.get("error") for line in written] == [None, None, "StoreFailed", "KeyError"]
    assert "secret" not in json.dumps(written)


def test_a_fault_that_failed_no_generation_is_counted_and_told(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's alarm and log show it as those that failed one, but no failed generation is counted."""
    observer = create()
    with observer.publishing():
        observer.fault("a webhook could not be called", id_="gen_1", error=errors.Misconfigured("No secret."))
    told, counted = lines(capsys)
    assert (told["level"], told["message"]) == ("ERROR", "a webhook could not be called")
    assert (told["generation"], told["code"], told["detail"]) == ("gen_1", "misconfigured", "No secret.")
    assert counted["Faults"] == [1.0]
    assert "GenerationsFailed" not in counted


def test_a_defect_is_found_by_its_place(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """The log line has file, line and function of the last frames."""
    observer = create()
    with observer.publishing():
        observer.defect(raised(RuntimeError("my-secret-prompt")))
    log, metrics = lines(capsys)
    assert log["level"] == "ERROR"
    assert [place.rpartition("/")[2].split(":")[0] for place in log["at"]] == ["test_telemetry.py"]
    assert log["at"][0].endswith(" raised")
    assert metrics["Faults"] == [1.0]


@pytest.mark.parametrize(
    ("error", "level"),
    [(errors.Misconfigured("No."), "ERROR"), (errors.ModelThrottled("Busy."), "WARNING")],
)
def test_a_vendors_refusal_is_logged_with_its_reason_and_the_vendors_id(
    create: Callable[[], PowertoolsObserver],
    capsys: pytest.CaptureFixture[str],
    error: ImagegenError,
    level: str,
) -> None:
    """AWS's support asks for the id; the reason is a dimension, so that an alarm can name it."""
    observer = create()
    refused = raised(
        replace(error, refusal=VendorRefusal(reason="payment", request_id="4f1c-22")),
        cause=of_aws("AccessDeniedException"),
    )
    assert isinstance(refused, ImagegenError)
    observer.model_refused(CORE, refused)
    metric, log = lines(capsys)
    assert (metric["ModelRefusals"], metric["reason"]) == ([1.0], "payment")
    assert log["level"] == level
    assert (log["model"], log["reason"], log["code"]) == (CORE, "payment", error.kind.code)
    assert (log["vendor_request"], log["exception"]) == ("4f1c-22", "ClientError AccessDeniedException")


def test_what_happens_to_models_is_logged_and_counted(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each log line names the model by its id."""
    observer = create()
    with observer.publishing():
        observer.model_retired(CORE, known=False)
        observer.model_retried(CORE, "model_throttled")
        observer.model_retried(CORE, "model_throttled")
    retired, retried, _, metrics = lines(capsys)
    assert (retired["level"], retired["model"], retired["known"]) == ("ERROR", CORE, False)
    assert (retried["level"], retried["model"], retried["code"]) == ("INFO", CORE, "model_throttled")
    assert (metrics["ModelRetired"], metrics["ModelRetries"]) == ([1.0], [1.0, 1.0])


def test_a_model_whose_end_the_registry_knows_raises_no_alarm(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every process that starts learns it anew, for as long as the model is listed."""
    observer = create()
    with observer.publishing():
        observer.model_retired(CORE, known=True)
    (log,) = lines(capsys)
    assert (log["level"], log["model"], log["known"]) == ("INFO", CORE, True)


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (errors.Misconfigured("No."), True),
        (errors.ModelRetired("Gone."), False),
        (errors.ModelThrottled("Busy."), False),
        (errors.ContentFiltered("No."), False),
    ],
)
def test_a_refusal_that_the_operator_has_to_mend_is_counted_apart(
    create: Callable[[], PowertoolsObserver],
    capsys: pytest.CaptureFixture[str],
    error: ImagegenError,
    counted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """One metric for all reasons together, which an alarm can watch."""
    observer = create()
    with observer.publishing():
        observer.model_refused(CORE, replace(error, refusal=VendorRefusal(reason="any", request_id="")))
    written = [line["RefusalsToMend"] for line in lines(capsys) if "RefusalsToMend" in line]
    assert written == ([[1.0]] if counted else [])


def test_the_used_part_of_the_budget_is_a_percentage(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """An alarm names a number from 0 to 100."""
    observer = create()
    with observer.publishing():
        observer.budget_used(0.5)
        observer.budget_used(0.805)
    (metrics,) = lines(capsys)
    assert metrics["BudgetUsed"] == [50.0, 80.5]
    (unit,) = [
        each["Unit"]
        for each in metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        if each["Name"] == "BudgetUsed"
    ]
    assert unit == "Percent"


def test_a_problem_is_logged_by_code_and_route_alone(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its sentence is for the caller."""
    create().problem(errors.InvalidParameter("steps must be 10–150."), route="createGeneration")
    (log,) = lines(capsys)
    assert (log["level"], log["code"], log["status"], log["route"]) == (
        "INFO",
        "invalid_parameter",
        400,
        "createGeneration",
    )
    assert "steps" not in json.dumps(log)


def test_an_invocation_without_metrics_publishes_none(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """The observer does not warn either; the decorator of Powertools would warn each time."""
    observer = create()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with observer.publishing():
            observer.warned("nothing to count")
    assert [line["message"] for line in lines(capsys)] == ["nothing to count"]


def test_metrics_are_published_once_and_also_when_the_invocation_fails(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str]
) -> None:
    """The next invocation of the same process begins without metrics."""
    observer = create()

    def fail() -> None:
        with observer.publishing():
            observer.model_retired(CORE, known=False)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with observer.publishing():
        observer.model_retried(CORE, "model_throttled")
    _, first, _, second = lines(capsys)
    assert "ModelRetired" in first
    assert "ModelRetired" not in second


@pytest.mark.parametrize(
    "text",
    ["\u2028", "\u202e", "\ud800", "\n{}", "\N{HOT BEVERAGE}"],
    ids=lambda text: f"U+{ord(text[0]):04X}",
)
def test_a_line_of_the_log_cannot_be_broken_or_reordered(
    create: Callable[[], PowertoolsObserver], capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Special characters in a message or an id are escaped."""
    observer = create()
    observer.warned(f"a{text}b", id_=text)
    (line,) = lines(capsys)
    assert (line["message"], line["generation"]) == (f"a{text}b", text)


@pytest.mark.parametrize("name", ["botocore.endpoint", "urllib3.connectionpool"])
def test_the_sdk_does_not_log_requests(
    create: Callable[[], PowertoolsObserver], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Lambda's log level can switch the SDK's debug lines on, which hold prompts and signed URLs."""
    caplog.set_level(logging.DEBUG)
    create()
    assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)


class Unspeakable:
    """A value that cannot be converted to text; the error would quote a prompt."""

    def __str__(self) -> str:
        raise RuntimeError("my-secret-prompt")


def test_a_line_that_cannot_be_written_is_lost_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """By default, `logging` prints such an error and its arguments to standard error."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", request.node.name)
    create_logger().error("a line", value=Unspeakable())
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "")


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        (Reported(status="legacy", end_of_life_at=date(2027, 3, 1)), "legacy, ends 2027-03-01"),
        (Reported(status="legacy"), "legacy"),
        (None, "unknown"),
    ],
)
def test_a_finding_says_what_the_registry_and_bedrock_say(
    create: Callable[[], PowertoolsObserver],
    capsys: pytest.CaptureFixture[str],
    reported: Reported | None,
    said: str,
) -> None:
    """The line has the status, and the day on which the model ends if there is one."""
    finding = Finding(
        model=CORE,
        region="us-west-2",
        reason="changed",
        registered=Reported(status="active"),
        reported=reported,
    )
    create().lifecycles_checked([finding], models=2)
    told, summary = lines(capsys)
    assert (told["level"], told["registry"], told["bedrock"]) == ("ERROR", "active", said)
    assert (summary["models"], summary["findings"]) == (2, 1)
