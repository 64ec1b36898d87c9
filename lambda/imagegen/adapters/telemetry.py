"""Structured logs and metrics. The observer's methods take only ids and codes, so no prompt can reach a log.

Powertools writes both as JSON lines on standard output; CloudWatch reads the metrics out of them (EMF).
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from imagegen.errors import ImagegenError, ModelRetired, OperatorError, ServiceError
from imagegen.generations.charges import MICRO

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics.base import SingleMetric

    from imagegen.models.lifecycle_check import Finding, Reported

UNKNOWN_MODEL: Final = "unknown"
"""Stands for the model where an attempt was cut off, so that nobody knows which one was called."""

_FRAMES_KEPT: Final = 8
_TALKATIVE: Final = ("botocore", "urllib3")
_AWS_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,80}")


def create_logger() -> Logger:
    """Return a logger that writes only ASCII, because other characters could break or reorder a line."""
    # A handler that fails would otherwise print the exception that was being logged, with all that it says.
    logging.raiseExceptions = False
    # At DEBUG, which Lambda's own log level can switch on, the SDK would log every request with its prompt.
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return Logger(json_serializer=_ascii_json)


def _ascii_json(members: Mapping[str, Any]) -> str:
    return json.dumps(members, default=str, separators=(",", ":"))


def create_metrics(*, stage: str) -> Metrics:
    """Return the metrics of a stage. Without its dimension, all stages of an account would be one series."""
    metrics = Metrics()
    # All metrics of a process share their dimensions, and Powertools warns about one that gets another value.
    metrics.clear_default_dimensions()
    metrics.clear_metrics()
    metrics.set_default_dimensions(stage=stage)
    return metrics


class PowertoolsObserver:
    """The observer of the deployed functions."""

    def __init__(self, *, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish the metrics of one invocation, if there are any, however it ends."""
        try:
            yield
        finally:
            # An empty flush would make Powertools warn at every request that counts nothing.
            if self._metrics.provider.metric_set:
                self._metrics.flush_metrics()

    def succeeded(self, id_: str, *, model: str, seconds: float, model_seconds: float, bytes_: int) -> None:
        """Note a finished image, and which part of its time the model took."""
        self._metrics.add_metric(name="ImagesGenerated", unit=MetricUnit.Count, value=1)
        self._metrics.add_metric(name="GenerationTime", unit=MetricUnit.Seconds, value=seconds)
        # Always beside the other one, so that the difference of the two averages is the service's own time.
        self._metrics.add_metric(name="ModelTime", unit=MetricUnit.Seconds, value=model_seconds)
        self._logger.info(
            "image generated",
            generation=id_,
            model=model,
            seconds=round(seconds, 3),
            model_seconds=round(model_seconds, 3),
            bytes=bytes_,
        )

    def failed(self, id_: str, error: ImagegenError) -> None:
        """Note a failed generation; it is logged as an error if the operator or we have to act."""
        ours = isinstance(error, OperatorError | ServiceError)
        self._metrics.add_metric(name="GenerationsFailed", unit=MetricUnit.Count, value=1)
        if ours:
            self._metrics.add_metric(name="Faults", unit=MetricUnit.Count, value=1)
        write = self._logger.error if ours else self._logger.warning
        write(
            "generation failed",
            generation=id_,
            code=error.kind.code,
            detail=error.detail,
            paid=error.paid,
            cause=_named(error.__cause__),
        )

    def charged(self, id_: str, *, model: str, key_id: str, micro_usd: int) -> None:
        """Note what a generation was found to cost: in dollars by model, and in dollars by API key."""
        by = {"model": model or UNKNOWN_MODEL} | ({"key": key_id} if key_id else {})
        for dimension, value in by.items():
            with self._one("Spend", MetricUnit.NoUnit, micro_usd / MICRO) as metric:
                metric.add_dimension(dimension, value)
        self._logger.info("charged", generation=id_, model=model, key=key_id, micro_usd=micro_usd)

    def model_refused(self, model: str, error: ImagegenError) -> None:
        """Note a refusal by its reason; it is logged as an error if the operator has to act."""
        if error.refusal is None:
            return
        reason = error.refusal.reason
        with self._one("ModelRefusals", MetricUnit.Count, 1) as metric:
            metric.add_dimension("reason", reason)
        # Without the reason, because an alarm cannot watch all reasons together. What retires a model has its own.
        if isinstance(error, OperatorError) and not isinstance(error, ModelRetired):
            self._metrics.add_metric(name="RefusalsToMend", unit=MetricUnit.Count, value=1)
        write = self._logger.error if isinstance(error, OperatorError) else self._logger.warning
        write(
            "the model's vendor refused a call",
            model=model,
            reason=reason,
            code=error.kind.code,
            vendor_request=error.refusal.request_id,
            exception=_named(error.__cause__),
        )

    def model_retired(self, model: str, *, known: bool) -> None:
        """Note that Bedrock said of a model that it has ended; it is counted only if the registry does not know it."""
        # Every process learns it anew of a listed model that ended long ago. Counted, it would be a permanent alarm.
        if not known:
            self._metrics.add_metric(name="ModelRetired", unit=MetricUnit.Count, value=1)
        write = self._logger.info if known else self._logger.error
        write("model is retired or not available to this account", model=model, known=known)

    def lifecycles_checked(self, findings: Sequence[Finding], *, models: int) -> None:
        """Note what the daily check of the models' lifecycles has found; no finding is counted as 0."""
        self._metrics.add_metric(name="LifecycleChanges", unit=MetricUnit.Count, value=len(findings))
        for finding in findings:
            self._logger.error(
                "a model's lifecycle needs attention",
                model=finding.model,
                region=finding.region,
                reason=finding.reason,
                registry=_lifecycle(finding.registered),
                bedrock=_lifecycle(finding.reported),
            )
        self._logger.info("the models' lifecycles were checked", models=models, findings=len(findings))

    def model_retried(self, model: str, code: str) -> None:
        """Note an unbilled call that is repeated."""
        self._metrics.add_metric(name="ModelRetries", unit=MetricUnit.Count, value=1)
        self._logger.info("model call is tried again", model=model, code=code)

    def budget_used(self, part: float) -> None:
        """Note the part of the day's limits of the deployment that is used, in percent."""
        self._metrics.add_metric(name="BudgetUsed", unit=MetricUnit.Percent, value=100 * part)

    def problem(self, error: ImagegenError, *, route: str) -> None:
        """Note a request that ended with a problem by its code, which the gateway's access log does not know."""
        self._logger.info(
            "a request ended with a problem", code=error.kind.code, status=error.kind.status, route=route
        )

    def fault(self, what: str, *, id_: str, error: ImagegenError) -> None:
        """Note something that the operator or the service has to put right, though no generation failed by it."""
        self._metrics.add_metric(name="Faults", unit=MetricUnit.Count, value=1)
        self._logger.error(
            what, generation=id_, code=error.kind.code, detail=error.detail, cause=_named(error.__cause__)
        )

    def warned(self, what: str, *, id_: str = "", error: BaseException | None = None) -> None:
        """Note something unexpected that the code handled."""
        cause = _named(error.__cause__) if error else None
        self._logger.warning(what, generation=id_, error=_named(error), cause=cause)

    def defect(self, error: BaseException) -> None:
        """Note a defect by its place only, because an exception's text can quote a prompt."""
        self._metrics.add_metric(name="Faults", unit=MetricUnit.Count, value=1)
        # Places only, without the lines of code and without locals: both can quote a prompt.
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_KEPT:]
        self._logger.error(
            "defect",
            error=_named(error),
            cause=_named(error.__cause__),
            at=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        )

    @contextmanager
    def _one(self, name: str, unit: MetricUnit, value: float) -> Iterator[SingleMetric]:
        """Give one metric, to which a dimension beside those of every metric may be added."""
        with single_metric(
            name=name,
            unit=unit,
            value=value,
            namespace=self._metrics.namespace,
            default_dimensions={**self._metrics.default_dimensions, "service": self._metrics.service},
        ) as metric:
            yield metric


def _lifecycle(lifecycle: Reported | None) -> str:
    if lifecycle is None:
        return "unknown"
    end = f", ends {lifecycle.end_of_life_at}" if lifecycle.end_of_life_at else ""
    return f"{lifecycle.status}{end}"


def _named(error: BaseException | None) -> str | None:
    """Return an error's class, with AWS's code for an AWS error."""
    if error is None:
        return None
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    # AWS's codes are short words. Anything else could be text from elsewhere.
    known = isinstance(code, str) and _AWS_CODE.fullmatch(code)
    return f"{type(error).__name__} {code}" if known else type(error).__name__
