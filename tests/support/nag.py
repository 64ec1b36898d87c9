"""Runs the rule packs of cdk-nag over a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdk_nag import AwsSolutionsChecks, ServerlessChecks

if TYPE_CHECKING:
    import aws_cdk as cdk

Finding = tuple[str, str]
"""The path of a construct inside its stack, and the exact id of a rule."""


def nag_findings(stack: cdk.Stack) -> set[Finding]:
    """Return the findings of the packs in a stack that are not acknowledged."""
    found: set[Finding] = set()
    for pack in (AwsSolutionsChecks(stack), ServerlessChecks(stack)):
        for violation in pack.validate_scope(stack).violations:
            for resource in violation.violating_resources:
                path = str(resource.construct_path).removeprefix(f"{stack.node.path}/")
                found.add((path, violation.rule_name))
    return found
