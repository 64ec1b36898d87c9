"""The emulator in its strict mode, whose judge of policies nobody here wrote, denies what the tests' own one denies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError

from local.emulator import ACCOUNT
from tests.support import bare_emulator
from tests.support.aws_requests import REQUESTS
from tests.support.denied_calls import DENIED, Denied
from tests.support.hardened import KMS
from tests.support.template_values import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.local_instances import Instance
    from tests.support.synthesis import Synthesized

FUNCTIONS: Final = ("Api", "Worker", "HttpAuthorizer")
TRIED: Final = [each for each in DENIED if each.action in REQUESTS and not each.context]
"""The emulator has no Bedrock and no Marketplace, and cannot be asked in the name of another service."""
REFUSED: Final = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
ALLOWED: Final = [
    replace(
        DENIED[0],
        function=function,
        action=action,
        what=what,
        resource=next(each.resource for each in DENIED if each.what == what),
    )
    for function, action, what in (
        ("Api", "dynamodb:GetItem", "the records"),
        ("Api", "dynamodb:PutItem", "the records"),
        ("Api", "s3:GetObject", "an image"),
        ("Api", "s3:DeleteObject", "an image"),
        ("Api", "sqs:SendMessage", "the jobs"),
        ("Worker", "sqs:ReceiveMessage", "the jobs"),
        ("Worker", "secretsmanager:GetSecretValue", "the webhook secret"),
        ("Worker", "dynamodb:Query", "the due records"),
        ("HttpAuthorizer", "dynamodb:GetItem", "the keys"),
    )
]
"""What is allowed, which shows that the emulator does not deny everything."""


@pytest.fixture(scope="module")
def deployment(synthesized: Callable[..., Synthesized]) -> Deployment:
    """Return a stage with a key as it would be deployed to the emulator's account."""
    return Deployment(template=synthesized("dev", KMS).template, stack="imagegen-dev", account=ACCOUNT)


@pytest.fixture(scope="module")
def ask(
    create_instance: Callable[[str], Instance],
    synthesized: Callable[..., Synthesized],
    deployment: Deployment,
) -> Iterator[Callable[[Denied], str]]:
    """Return a function that makes a call with the rights of its function, and returns the error that it ends with."""
    stage = synthesized("dev", KMS)
    with bare_emulator.running(create_instance("judge"), strict=True) as emulator:
        iam = boto3.client("iam", **emulator.aws())
        # Only of buckets does it look first whether they are there.
        for bucket in sorted(_buckets(deployment)):
            boto3.client("s3", **emulator.aws()).create_bucket(Bucket=bucket)
        keys: dict[str, Any] = {}
        for function in FUNCTIONS:
            # A user has the policy of the role, because only Lambda may assume the role itself.
            iam.create_user(UserName=function)
            document = {"Version": "2012-10-17", "Statement": deployment.value(stage.statements(function))}
            iam.put_user_policy(UserName=function, PolicyName="role", PolicyDocument=json.dumps(document))
            made = iam.create_access_key(UserName=function)["AccessKey"]
            keys[function] = {
                "aws_access_key_id": made["AccessKeyId"],
                "aws_secret_access_key": made["SecretAccessKey"],
            }

        def answer(call: Denied) -> str:
            service, method, parameters = REQUESTS[call.action](call.resource(deployment))
            client: Any = boto3.client(service, **{**emulator.aws(), **keys[call.function]})
            try:
                getattr(client, method)(**parameters)
            except ClientError as error:
                return str(error.response["Error"]["Code"])
            return "it was done"

        yield answer


def _buckets(deployment: Deployment) -> set[str]:
    arns = [each.resource(deployment) for each in TRIED if each.action.startswith("s3:")]
    return {arn.rpartition(":")[2].partition("/")[0] for arn in arns}


@pytest.mark.parametrize("denied", TRIED, ids=str)
def test_the_strict_emulator_denies_it(ask: Callable[[Denied], str], denied: Denied) -> None:
    """With the policy of the function's role."""
    assert ask(denied) in REFUSED


@pytest.mark.parametrize("allowed", ALLOWED, ids=str)
def test_the_strict_emulator_denies_no_call_that_a_function_makes(
    ask: Callable[[Denied], str], allowed: Denied
) -> None:
    """Nothing is stored there, so it ends with another error, or well."""
    assert ask(allowed) not in REFUSED


def test_at_least_thirty_calls_are_tried_there() -> None:
    """The others need what the emulator does not have."""
    assert len(TRIED) >= 30
