"""What a stage costs in a month in which nobody uses it: the sum over the resources of its templates.

Each type of resource that costs something by merely being there has a rule in `_RULES`; each type that costs nothing
is in `FREE`. Any other type is an error, so a new resource cannot be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from estimates.prices import DAYS, MINUTES, SECONDS, each
from imagegen.adapters.dynamodb import DUE_SHARDS
from tools.failures import LocalError

POLLERS: Final = 5
"""Lambda's pollers of a queue whose event source has a maximum concurrency: AWS Lambda developer guide, "Configuring
scaling behavior for SQS event source mappings"."""
POLLS_A_MINUTE: Final = 3
"""Of one poller of an empty queue: a long poll lasts 20 seconds at most (Amazon SQS developer guide, "quotas")."""
RUN_SECONDS: Final = 0.1
"""An assumption: how long a sweep runs that finds nothing due, with its eight queries one after the other."""
RUN_LOG_BYTES: Final = 500
"""An assumption: what Lambda itself writes about one invocation, the lines START, END and REPORT."""
EMPTY_QUERY: Final = 0.5
"""Read units of an eventually consistent query that finds nothing."""

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the bill: whose it is, what it is for, and dollars a month."""

    service: str
    what: str
    usd: float
    resource: str = ""
    """The logical id of the resource in the template."""


class UnpricedResource(LocalError):
    """A template has a resource of a type that nobody has looked up."""


def _polling(_: Properties, __: int) -> Iterator[Line]:
    usd = POLLERS * POLLS_A_MINUTE * MINUTES * each("queue_request")
    yield Line(service="SQS", what="polling of a queue", usd=usd)


def _schedule(properties: Properties, memory_mb: int) -> Iterator[Line]:
    schedule = properties.get("ScheduleExpression")
    if schedule is None:
        return  # a rule for events is paid by the event
    runs = _runs(schedule)
    sweeps = runs == MINUTES
    gb_seconds = RUN_SECONDS * memory_mb / 1024
    run = runs * (each("invocation") + gb_seconds * each("gb_second"))
    name = "the sweep, once a minute" if sweeps else f"a function, by {schedule}"
    yield Line(service="Lambda", what=name, usd=run)
    if sweeps:
        queries = runs * DUE_SHARDS * EMPTY_QUERY * each("read")
        yield Line(service="DynamoDB", what="the queries of the sweep", usd=queries)
    logs = runs * RUN_LOG_BYTES * each("log_byte")
    yield Line(
        service="CloudWatch", what="the log of the sweep" if sweeps else f"its log, by {schedule}", usd=logs
    )


def _runs(schedule: str) -> float:
    """Return how often a schedule runs in a month."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if rate:
        return MINUTES / (int(rate[1]) * {"minute": 1, "hour": 60, "day": 1440}[rate[2]])
    if re.fullmatch(r"cron\(\d+ \d+ .*\)", schedule):
        return DAYS  # once a day at most
    raise UnpricedResource(f"The schedule {schedule} is none of those that can be counted here.")


def _secret(_: Properties, __: int) -> Iterator[Line]:
    yield Line(service="Secrets Manager", what="the secret of the call-backs", usd=each("secret"))


def snapshot(memory_mb: int) -> float:
    """Return what a month costs in which one snapshot of a function's version is kept, by the function's memory."""
    return memory_mb / 1024 * SECONDS * each("snapshot_gb_second")


def _function(properties: Properties, memory_mb: int) -> Iterator[Line]:
    if properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
        yield Line(
            service="Lambda",
            what="the snapshot of a function, kept",
            usd=snapshot(properties.get("MemorySize", memory_mb)),
        )


def _alarm(properties: Properties, _: int) -> Iterator[Line]:
    metrics = sum("MetricStat" in metric for metric in properties.get("Metrics", ())) or 1
    yield Line(service="CloudWatch", what="an alarm", usd=metrics * each("alarm"))


def _web_acl(properties: Properties, _: int) -> Iterator[Line]:
    usd = each("web_acl") + len(properties.get("Rules", ())) * each("waf_rule")
    yield Line(service="WAF", what="a web ACL with its rules", usd=usd)


def _month(service: str, what: str, name: str) -> Callable[[Properties, int], Iterator[Line]]:
    def rule(_: Properties, __: int) -> Iterator[Line]:
        yield Line(service=service, what=what, usd=each(name))

    return rule


_RULES: Final[Mapping[str, Callable[[Properties, int], Iterator[Line]]]] = {
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::EventSourceMapping": _polling,
    "AWS::Events::Rule": _schedule,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _month("CloudWatch", "a composite alarm", "composite_alarm"),
    "AWS::CloudWatch::Dashboard": _month("CloudWatch", "a dashboard", "dashboard"),
    "AWS::KMS::Key": _month("KMS", "a key of your own", "kms_key"),
    "AWS::Route53::HostedZone": _month("Route 53", "a hosted zone", "hosted_zone"),
    "AWS::WAFv2::WebACL": _web_acl,
}

FREE: Final = (
    "AWS::ApiGateway::",  # paid by the request; a cache would be paid by the hour, and the stack makes none
    "AWS::CDK::Metadata",
    "AWS::CE::",
    "AWS::Budgets::Budget",  # unless it acts by itself
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFront::",
    "AWS::CodeDeploy::",
    "AWS::DynamoDB::Table",
    "AWS::IAM::",
    "AWS::KMS::Alias",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::",
    "AWS::Route53::RecordSet",
    "AWS::S3::Bucket",
    "AWS::Scheduler::",
    "AWS::SNS::",
    "AWS::SQS::Queue",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
    "Custom::",
)
"""Types, and beginnings of types, of what costs nothing until it is used or holds something."""


def idle(templates: Mapping[str, Any] | list[Mapping[str, Any]], *, memory_mb: int) -> list[Line]:
    """Return the lines of a month without a request, for all resources of one or several templates.

    Raises:
        UnpricedResource: a resource is of a type that has no rule and is not known to be free.
    """
    several = templates if isinstance(templates, list) else [templates]
    return [line for template in several for line in _lines(template, memory_mb)]


def _lines(template: Mapping[str, Any], memory_mb: int) -> Iterator[Line]:
    for name, resource in template["Resources"].items():
        type_ = resource["Type"]
        rule = _RULES.get(type_)
        if rule is not None:
            for line in rule(resource.get("Properties", {}), memory_mb):
                yield Line(service=line.service, what=line.what, usd=line.usd, resource=name)
        elif not type_.startswith(FREE):
            raise UnpricedResource(
                f"{name} is a resource of type {type_}, of which nobody knows here what it costs: add it to "
                "_RULES or FREE in estimates/idle.py."
            )
