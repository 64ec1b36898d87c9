"""Log queries that are saved in the account, under `imagegen/STAGE/` in CloudWatch's Logs Insights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.imagegen_stack import ImagegenStack
    from stacks.stage import StageConfig

Source = Literal["functions", "gateway"]


@dataclass(frozen=True, kw_only=True)
class SavedQuery:
    """One query: in which logs it looks, and its commands."""

    name: str
    source: Source
    commands: Sequence[str]

    @property
    def text(self) -> str:
        """The query as Logs Insights reads it."""
        return "\n| ".join(self.commands)


QUERIES: Final = (
    SavedQuery(
        name="requests-by-status",
        source="gateway",
        commands=("stats count(*) as requests by status, error_type", "sort requests desc"),
    ),
    SavedQuery(
        name="gateway-errors",
        source="gateway",
        commands=(
            "filter status like /^5/ and error_type != '-'",
            "fields @timestamp, path, status, error_type, error_message, integration_error, authorizer_error",
            "sort @timestamp desc",
        ),
    ),
    SavedQuery(
        name="slow-requests",
        source="gateway",
        commands=(
            "fields @timestamp, method, path, status, latency_ms, integration_ms, authorizer_ms, request_id",
            "sort latency_ms desc",
            "limit 50",
        ),
    ),
    SavedQuery(
        name="errors-by-code",
        source="functions",
        commands=(
            "filter message = 'a request ended with a problem'",
            "stats count(*) as requests by code, status, route",
            "sort requests desc",
        ),
    ),
    SavedQuery(
        name="faults",
        source="functions",
        commands=(
            "filter level = 'ERROR'",
            "fields @timestamp, message, code, reason, model, detail, cause, error, generation, correlation_id",
            "sort @timestamp desc",
        ),
    ),
    SavedQuery(
        name="refusals",
        source="functions",
        commands=(
            'filter message = "the model\'s vendor refused a call"',
            "stats count(*) as calls, latest(vendor_request) as newest by model, reason, exception",
            "sort calls desc",
        ),
    ),
    SavedQuery(
        name="images-by-model",
        source="functions",
        commands=(
            "filter message = 'image generated'",
            "stats count(*) as images, avg(seconds) as in_all, avg(model_seconds) as by_model by model, bin(1d) as day",
            "sort day desc",
        ),
    ),
    SavedQuery(
        name="dollars-by-key",
        source="functions",
        commands=(
            "filter message = 'charged'",
            "stats sum(micro_usd) / 1000000 as dollars, count(*) as charges by key, model, bin(1d) as day",
            "sort day desc, dollars desc",
        ),
    ),
    SavedQuery(
        name="one-request",
        source="functions",
        commands=(
            "filter correlation_id = 'REQUEST_ID' or generation = 'GENERATION_ID'",
            "fields @timestamp, level, message, code, detail, generation, model, seconds, correlation_id",
            "sort @timestamp asc",
        ),
    ),
)


def query_named(name: str) -> SavedQuery:
    """Return one of the queries."""
    return next(query for query in QUERIES if query.name == name)


def log_groups(query: SavedQuery, *, service: ImagegenStack) -> Sequence[logs.ILogGroup]:
    """Return the log groups that a query looks in."""
    if query.source == "gateway":
        return [service.http_api.access_logs]
    return [service.api.log_group, service.worker.log_group]


def save_queries(scope: Construct, *, config: StageConfig, service: ImagegenStack) -> None:
    """Save every query; that costs nothing, and running one $0.005 for a GB that it reads."""
    for query in QUERIES:
        logs.CfnQueryDefinition(
            scope,
            f"Query-{query.name}",
            name=f"imagegen/{config.name}/{query.name}",
            query_string=query.text,
            log_group_names=[group.log_group_name for group in log_groups(query, service=service)],
        )
