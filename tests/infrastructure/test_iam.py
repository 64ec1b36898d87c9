"""The tests' own judge of policies decides as IAM documents it, and refuses what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.iam import Call, decide

CALL = Call(
    action="s3:GetObject", resource="arn:aws:s3:::b/images/a.png", context={"aws:SecureTransport": "true"}
)
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/images/*"}
DENY = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"}


def allows(**changes: Any) -> bool:
    """Say whether the statement with these changes allows the call."""
    return decide(CALL, role=[{**ALLOW, **changes}]).allowed


def test_nothing_is_allowed_without_a_statement() -> None:
    """That is where every decision starts."""
    assert not decide(CALL, role=[]).allowed


@pytest.mark.parametrize(
    "case",
    [
        ({}, True),
        ({"Action": "S3:getobject"}, True),
        ({"Action": ["s3:PutObject", "s3:Get*"]}, True),
        ({"Action": "s3:GetObjectAcl"}, False),
        ({"Resource": "arn:aws:s3:::b/IMAGES/*"}, False),
        ({"Resource": "arn:aws:s3:::b/images/?.png"}, True),
        ({"Resource": "arn:aws:s3:::b/images/??.png"}, False),
        ({"Resource": "arn:aws:s3:::b/image[s]/*"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        ({"Condition": {"StringEquals": {"kms:ViaService": ["s3", "sqs"]}}}, False),
        ({"Condition": {"NumericGreaterThan": {"s3:signatureAge": "1"}}}, False),
    ],
)
def test_a_statement_is_about_actions_resources_and_conditions(case: tuple[dict[str, Any], bool]) -> None:
    """The case of an action does not matter, that of a resource does; a key that is missing fits no condition."""
    changes, allowed = case
    assert allows(**changes) is allowed


def test_a_denial_wins_whoever_allows() -> None:
    """Also one in the resource's own policy, if it is about everybody; a grant there is none of a role."""
    assert decide(CALL, role=[ALLOW], resource=[]).allowed
    assert not decide(CALL, role=[ALLOW], resource=[DENY]).allowed
    assert not decide(CALL, role=[ALLOW, {**ALLOW, "Effect": "Deny"}]).allowed
    assert not decide(CALL, role=[], resource=[{**DENY, "Effect": "Allow"}]).allowed


@pytest.mark.parametrize(
    "changes",
    [{"NotAction": "s3:*"}, {"NotResource": "*"}, {"Condition": {"DateLessThan": {"aws:CurrentTime": "x"}}}],
)
def test_what_the_judge_does_not_know_is_an_error(changes: dict[str, Any]) -> None:
    """It would otherwise be passed over."""
    with pytest.raises(ValueError, match="not known here"):
        allows(**changes)
