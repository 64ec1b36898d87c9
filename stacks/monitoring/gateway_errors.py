"""Counts the replies of 5xx that the gateway made by itself, out of its access log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_logs as logs

from stacks.monitoring.alarms import GATEWAY_ERRORS, gateway_errors_namespace

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.stage import StageConfig

PATTERN: Final = '{ ($.status = "5*") && ($.error_type != "-") }'
"""The gateway writes a hyphen for what a request does not have; a reply of the function has no `error_type`."""


def count_gateway_errors(scope: Construct, *, config: StageConfig, access_logs: logs.ILogGroup) -> None:
    """Make the filter. CloudWatch charges for its metric only in hours in which it counts something."""
    logs.MetricFilter(
        scope,
        GATEWAY_ERRORS,
        log_group=access_logs,
        filter_pattern=logs.FilterPattern.literal(PATTERN),
        metric_namespace=gateway_errors_namespace(config),
        metric_name=GATEWAY_ERRORS,
        metric_value="1",
    )
