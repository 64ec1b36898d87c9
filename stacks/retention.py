"""What becomes of a stage's data when its stack is deleted."""

from __future__ import annotations

from aws_cdk import RemovalPolicy

from stacks.stage import StageConfig


def removal_policy(config: StageConfig) -> RemovalPolicy:
    """Return what `retain_data` means for a table or a bucket.

    Data that is kept is not kept from a first deployment that fails: what it made is empty, and would be in nobody's
    stack. See the AWS CloudFormation user guide, "DeletionPolicy attribute", and
    docs/decisions/0019-destroy-empties-the-bucket-itself.md.
    """
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if config.retain_data else RemovalPolicy.DESTROY
