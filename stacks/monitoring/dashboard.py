"""The dashboard and the alarms, by cdk-monitoring-constructs.

A dashboard of at most fifty metrics is free, as one of three of an account; a larger one costs $3 a month (CloudWatch's
list prices). So this one has graphs of its own, and not all that the library would show of each function and queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cdk_monitoring_constructs as monitoring
from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.functions import SERVICE
from stacks.monitoring.alarms import FIVE_MINUTES, Watch, gateway_metric, own_metric
from stacks.monitoring.queries import log_groups, query_named
from stacks.stage import StageConfig, stack_name

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns

    from stacks.imagegen_stack import ImagegenStack

DAY: Final = Duration.days(1)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A part of the dashboard: its graphs by their titles."""

    name: str
    graphs: Mapping[str, Sequence[cloudwatch.Metric | cloudwatch.MathExpression]]


def watch(
    stack: Stack,
    *,
    config: StageConfig,
    service: ImagegenStack,
    topic: sns.ITopic,
    subjects: Mapping[str, Sequence[Watch]],
) -> None:
    """Make one alarm of each watch, and one dashboard that shows all of them with what is around them."""
    facade = monitoring.MonitoringFacade(
        stack,
        "Monitoring",
        alarm_factory_defaults=monitoring.AlarmFactoryDefaults(
            alarm_name_prefix=stack_name(config.name),
            actions_enabled=True,
            # Also when it is over, so that nobody has to look.
            action=monitoring.SnsAlarmActionStrategy(on_alarm_topic=topic, on_ok_topic=topic),
        ),
        dashboard_factory=monitoring.DefaultDashboardFactory(
            stack,
            "Dashboards",
            dashboard_name_prefix=stack_name(config.name),
            # Three dashboards of an account are free, so a stage has one.
            create_summary_dashboard=False,
            create_alarm_dashboard=False,
            detail_dashboard_range=Duration.days(1),
        ),
    )
    for subject, watches in subjects.items():
        if watches:
            _alarms(facade, config, subject, watches)
    for panel in (_requests(config), _functions(service), _images(config), _jobs(service), _money(config)):
        facade.monitor_custom(
            human_readable_name=panel.name,
            alarm_friendly_name=panel.name,
            metric_groups=[
                monitoring.CustomMetricGroup(title=title, metrics=list(metrics))
                for title, metrics in panel.graphs.items()
            ],
        )
    _codes(facade, service)


def _alarms(
    facade: monitoring.MonitoringFacade, config: StageConfig, subject: str, watches: Sequence[Watch]
) -> None:
    facade.monitor_custom(
        human_readable_name=f"Alarms: {subject.lower()}",
        alarm_friendly_name=subject,
        metric_groups=[
            monitoring.CustomMetricGroup(
                title=each.name,
                metrics=[
                    monitoring.CustomMetricWithAlarm(
                        metric=each.metric,
                        alarm_friendly_name=each.name,
                        add_alarm={"Watch": _threshold(each, config)},
                    )
                ],
            )
            for each in watches
        ],
    )


def _threshold(watch: Watch, config: StageConfig) -> monitoring.CustomThreshold:
    return monitoring.CustomThreshold(
        threshold=watch.threshold,
        comparison_operator=watch.comparison,
        evaluation_periods=watch.of or watch.periods,
        datapoints_to_alarm=watch.periods,
        treat_missing_data_override=watch.missing,
        alarm_name_override=f"{stack_name(config.name)}-{watch.name}",
        alarm_description_override=watch.means,
        runbook_link=watch.runbook,
    )


def _requests(config: StageConfig) -> Panel:
    def metric(name: str, statistic: str, label: str) -> cloudwatch.Metric:
        return gateway_metric(config, name, statistic, label=label)

    return Panel(
        name="Requests",
        graphs={
            "Requests": [
                metric("Count", "Sum", "all"),
                metric("4XXError", "Sum", "ended with 4xx"),
                metric("5XXError", "Sum", "ended with 5xx"),
            ],
            "Milliseconds of a request": [
                metric("Latency", "p50", "in all, median"),
                metric("Latency", "p90", "in all, p90"),
                metric("IntegrationLatency", "p50", "the function, median"),
            ],
        },
    )


def _functions(service: ImagegenStack) -> Panel:
    named = {"api": service.api, "worker": service.worker, "authorizer": service.authorizer}
    functions = {name: each.function for name, each in named.items() if each}
    return Panel(
        name="Functions",
        graphs={
            "Invocations that failed": [
                each.metric_errors(period=FIVE_MINUTES, label=name) for name, each in functions.items()
            ],
            "Invocations that were throttled": [
                each.metric_throttles(period=FIVE_MINUTES, label=name) for name, each in functions.items()
            ],
            "Executions at once": [
                each.metric("ConcurrentExecutions", statistic="Maximum", period=FIVE_MINUTES, label=name)
                for name, each in functions.items()
            ],
        },
    )


def _images(config: StageConfig) -> Panel:
    def metric(name: str, statistic: str, label: str) -> cloudwatch.Metric:
        return own_metric(config, name, statistic, label=label)

    whole, model = "GenerationTime", "ModelTime"
    # Both have a value for each image, so the difference of the averages is the average of the differences.
    ours = cloudwatch.MathExpression(
        expression="whole - model",
        using_metrics={"whole": metric(whole, "Average", whole), "model": metric(model, "Average", model)},
        label="the service itself, average",
        period=FIVE_MINUTES,
    )
    return Panel(
        name="Images and models",
        graphs={
            "Images": [
                metric("ImagesGenerated", "Sum", "made"),
                metric("GenerationsFailed", "Sum", "failed"),
            ],
            "Seconds of an image": [metric(model, "Average", "the model, average"), ours],
            "Calls that the model did not take": [metric("ModelRetries", "Sum", "repeated")],
            "Refusals by reason": [_each(config, "ModelRefusals", "reason", "Sum", period=FIVE_MINUTES)],
        },
    )


def _jobs(service: ImagegenStack) -> Panel:
    queue = service.queue
    queues = {"jobs": queue.queue, **({"call-backs": queue.call_backs} if queue.call_backs else {})}
    return Panel(
        name="Queues",
        graphs={
            "Messages that wait": [
                each.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, label=name)
                for name, each in queues.items()
            ],
            "Seconds that the oldest message waits": [
                each.metric_approximate_age_of_oldest_message(period=FIVE_MINUTES, label=name)
                for name, each in queues.items()
            ],
        },
    )


def _money(config: StageConfig) -> Panel:
    # A value is written for each image that was charged, and one more if its cost was corrected.
    return Panel(
        name="Money",
        graphs={
            "Dollars a day by model": [_each(config, "Spend", "model", "Sum", period=DAY)],
            "Dollars a day by API key": [_each(config, "Spend", "key", "Sum", period=DAY)],
            "Charges a day by model": [_each(config, "Spend", "model", "SampleCount", period=DAY)],
            "Charges a day by API key": [_each(config, "Spend", "key", "SampleCount", period=DAY)],
        },
    )


def _codes(facade: monitoring.MonitoringFacade, service: ImagegenStack) -> None:
    """Show what no metric has, because each code would be one: the logs are read when somebody looks."""
    facade.add_large_header("Codes")
    for title in ("requests-by-status", "errors-by-code"):
        query = query_named(title)
        facade.add_widget(
            cloudwatch.LogQueryWidget(
                title=title,
                log_group_names=[group.log_group_name for group in log_groups(query, service=service)],
                query_lines=list(query.commands),
                width=12,
                height=8,
            )
        )


def _each(
    config: StageConfig, metric: str, dimension: str, statistic: str, *, period: Duration
) -> cloudwatch.MathExpression:
    """Return every series of a metric that has one dimension more than the others."""
    schema = f"{{{SERVICE},{dimension},service,stage}}"
    return cloudwatch.MathExpression(
        expression=f'SEARCH(\'{schema} MetricName="{metric}" service="{SERVICE}" stage="{config.name}"\', '
        f"'{statistic}', {period.to_seconds():.0f})",
        using_metrics={},
        # Each series has the value of the dimension for its name.
        label=f"${{PROP('Dim.{dimension}')}}",
        period=period,
    )
