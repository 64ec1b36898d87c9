"""Every alarm of a stage: its metric, when it goes off, and what that means.

Each has a section of its name in `docs/operations.md`. All but two watch one metric, because CloudWatch charges for
each metric of an alarm: $0.10 a month, without its free tier of ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from imagegen.http import surface
from stacks.functions import SERVICE
from stacks.stage import StageConfig, stack_name

if TYPE_CHECKING:
    from stacks.imagegen_stack import ImagegenStack

RUNBOOK: Final = "docs/operations.md"
GATEWAY_ERRORS: Final = "GatewayErrors"
"""The metric of the replies that the gateway made by itself, with a status of 5xx; `gateway_errors.py` filters them."""
FIVE_MINUTES: Final = Duration.minutes(5)
BUDGET_PERCENT: Final = 80
SLOW_PART: Final = 0.8
"""The part of a connection that a model may take before its time is a warning."""
OLD_MESSAGE: Final = Duration.minutes(15)

ABOVE: Final = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
AT_LEAST: Final = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
BELOW: Final = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
MISSING_IS_GOOD: Final = cloudwatch.TreatMissingData.NOT_BREACHING
MISSING_IS_BAD: Final = cloudwatch.TreatMissingData.BREACHING
MISSING_IS_AS_BEFORE: Final = cloudwatch.TreatMissingData.IGNORE


@dataclass(frozen=True, kw_only=True)
class Watch:
    """One alarm. It goes off if `periods` of the last `of` values of the metric compare so to the threshold.

    Without `of`, all of the last `periods` values have to.
    """

    name: str
    means: str
    metric: cloudwatch.Metric | cloudwatch.MathExpression
    threshold: float
    comparison: cloudwatch.ComparisonOperator = AT_LEAST
    periods: int = 1
    of: int | None = None
    missing: cloudwatch.TreatMissingData = MISSING_IS_GOOD

    @property
    def runbook(self) -> str:
        """The section that says what to do."""
        return f"{RUNBOOK}#{self.name}"


def watches(config: StageConfig, *, service: ImagegenStack) -> Mapping[str, Sequence[Watch]]:
    """Return the alarms of a stage by their subject, in the order of the dashboard."""
    return {
        "Requests": _requests(config, service),
        "Jobs": _jobs(service),
        "Models": _models(config),
        "Money": _money(config),
    }


def own_metric(
    config: StageConfig,
    name: str,
    statistic: str = cloudwatch.Stats.SUM,
    *,
    period: Duration = FIVE_MINUTES,
    label: str | None = None,
) -> cloudwatch.Metric:
    """Return a metric that the functions write."""
    return cloudwatch.Metric(
        namespace=SERVICE,
        metric_name=name,
        dimensions_map={"service": SERVICE, "stage": config.name},
        statistic=statistic,
        period=period,
        label=label,
    )


def gateway_metric(config: StageConfig, name: str, statistic: str, *, label: str) -> cloudwatch.Metric:
    """Return a metric that API Gateway writes of the whole API, which costs nothing."""
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway",
        metric_name=name,
        dimensions_map={"ApiName": stack_name(config.name), "Stage": surface.STAGE_NAME},
        statistic=statistic,
        period=FIVE_MINUTES,
        label=label,
    )


def gateway_errors_namespace(config: StageConfig) -> str:
    """Return the namespace of the filter's metric: it has no dimensions, so the stage is a part of the namespace."""
    return f"{SERVICE}/{config.name}"


def _requests(config: StageConfig, service: ImagegenStack) -> Sequence[Watch]:
    throttles = {name: function.metric_throttles(period=FIVE_MINUTES) for name, function in _serving(service)}
    return (
        Watch(
            name="faults",
            means="Something went wrong that the operator or the service has to put right, and no caller can.",
            metric=own_metric(config, "Faults", label="faults"),
            threshold=1,
        ),
        Watch(
            name="server-errors",
            means="More than 5 % of all requests ended with a status of 5xx, for a quarter of an hour.",
            metric=gateway_metric(
                config, "5XXError", cloudwatch.Stats.AVERAGE, label="part of the requests that ended with 5xx"
            ),
            threshold=0.05,
            comparison=ABOVE,
            periods=3,
        ),
        Watch(
            name="gateway-errors",
            means="The gateway itself replied with a status of 5xx: the function crashed, was throttled or too slow.",
            metric=cloudwatch.Metric(
                namespace=gateway_errors_namespace(config),
                metric_name=GATEWAY_ERRORS,
                statistic=cloudwatch.Stats.SUM,
                period=FIVE_MINUTES,
                label="replies of the gateway's own with 5xx",
            ),
            threshold=3,
        ),
        Watch(
            name="throttled-functions",
            means="Lambda had no free execution for requests, again and again, so their callers were refused.",
            metric=cloudwatch.MathExpression(
                expression=" + ".join(f"FILL({name}, 0)" for name in throttles),
                using_metrics=dict(throttles),
                period=FIVE_MINUTES,
                label="throttled invocations",
            ),
            threshold=1,
            periods=2,
            # A value that comes late is filled with 0 at first: Amazon CloudWatch user guide, "Using metric math".
            of=3,
        ),
        Watch(
            name="slow-models",
            means="Of ten images one takes nearly as long as a connection lasts; slower ones end with 504.",
            metric=own_metric(config, "ModelTime", "p90", label="seconds of the model, p90"),
            threshold=round(SLOW_PART * min(config.gateway_timeout, config.function_timeout), 1),
            periods=3,
        ),
    )


def _jobs(service: ImagegenStack) -> Sequence[Watch]:
    queue, worker = service.queue, service.worker.function
    waiting = Watch(
        name="old-jobs",
        means=f"A job has waited for {OLD_MESSAGE.to_minutes():.0f} minutes and is not done.",
        metric=queue.queue.metric_approximate_age_of_oldest_message(
            period=FIVE_MINUTES, label="seconds that the oldest job waits"
        ),
        threshold=OLD_MESSAGE.to_seconds(),
    )
    dead = Watch(
        name="dead-letters",
        means="A job was given up after 50 deliveries; the worker ends it as failed.",
        # Received, because the worker takes dead letters at once: whoever counts the visible ones sees none.
        metric=queue.dead_letters.metric_number_of_messages_received(
            period=FIVE_MINUTES, label="dead letters that the worker took"
        ),
        threshold=1,
    )
    sweep = Watch(
        name="missing-sweep",
        means="The worker has not run for ten minutes, although it is invoked every minute.",
        metric=cloudwatch.MathExpression(
            expression="invocations - errors",
            using_metrics={
                "invocations": worker.metric_invocations(period=FIVE_MINUTES),
                "errors": worker.metric_errors(period=FIVE_MINUTES),
            },
            period=FIVE_MINUTES,
            label="invocations of the worker without an error",
        ),
        threshold=1,
        comparison=BELOW,
        periods=2,
        missing=MISSING_IS_BAD,
    )
    if not queue.dead_call_backs:
        return (waiting, dead, sweep)
    calls = Watch(
        name="dead-call-backs",
        means="The message of a call-back was given up, and stays in its dead-letter queue.",
        metric=queue.dead_call_backs.metric_approximate_number_of_messages_visible(
            period=FIVE_MINUTES, label="dead call-backs"
        ),
        threshold=1,
    )
    return (waiting, dead, calls, sweep)


def _models(config: StageConfig) -> Sequence[Watch]:
    return (
        Watch(
            name="model-retired",
            means="Bedrock says of a listed model that it has ended, and the dates of this release do not say so.",
            metric=own_metric(config, "ModelRetired", label="calls refused because the model is retired"),
            threshold=1,
        ),
        Watch(
            name="lifecycle-changed",
            means="The daily check found that a listed model ends, is about to end, or cannot be asked about.",
            metric=own_metric(
                config, "LifecycleChanges", "Maximum", period=Duration.days(1), label="models with a finding"
            ),
            threshold=1,
            # The check runs once a day, and a run may begin a few seconds later than the one before.
            missing=MISSING_IS_AS_BEFORE,
        ),
        Watch(
            name="refusals-to-mend",
            means="Bedrock refused calls because of the account, a right, a policy or the deployment.",
            metric=own_metric(config, "RefusalsToMend", label="refusals that the operator has to mend"),
            threshold=1,
        ),
    )


def _money(config: StageConfig) -> Sequence[Watch]:
    if config.daily_images is None and config.daily_usd is None:
        return ()
    return (
        Watch(
            name="budget-nearly-used",
            means=f"{BUDGET_PERCENT} % of the images or dollars of this day (UTC) are used; at 100 % all are refused.",
            metric=own_metric(config, "BudgetUsed", "Maximum", label="percent of the day's limits"),
            threshold=BUDGET_PERCENT,
            # It is written with images, so without any it stays as it was.
            missing=MISSING_IS_AS_BEFORE,
        ),
    )


def _serving(service: ImagegenStack) -> Sequence[tuple[str, lambda_.IFunction]]:
    """Return the functions that requests wait for, by names that an expression may have."""
    authorizer = service.authorizer
    return (
        ("api", service.api.function),
        *((("authorizer", authorizer.function),) if authorizer else ()),
    )
