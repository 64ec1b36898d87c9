"""The permissions boundary of a stage: a managed policy that limits every role of its stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks.stage import StageConfig

if TYPE_CHECKING:
    from constructs import Construct


def limit_roles(scope: Construct, *, config: StageConfig) -> None:
    """Give every role below `scope` the boundary that the stage names, if it names one."""
    if config.permissions_boundary:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(
            scope, "PermissionsBoundary", config.permissions_boundary
        )
        iam.PermissionsBoundary.of(scope).apply(boundary)
