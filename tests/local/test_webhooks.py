"""Webhooks on the deployed stack."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import boto3
import pytest

from stacks.webhook_secret import LENGTH
from tests.support.stack_callers import outputs_of

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack


@pytest.fixture(scope="module")
def secret(stack: Stack) -> str:
    """Return the secret as an operator reads it, by the ARN in the stack's output."""
    client = boto3.client("secretsmanager", **stack.aws())
    text: str = client.get_secret_value(SecretId=outputs_of(stack)["WebhookSecretArn"])["SecretString"]
    return text


def test_the_secret_is_what_secrets_manager_would_generate(secret: str) -> None:
    """Letters and digits only, so that every library reads it as base64, strict ones as well."""
    assert re.fullmatch(rf"[A-Za-z0-9]{{{LENGTH}}}", secret)
    assert len(base64.b64decode(secret, validate=True)) == LENGTH * 6 // 8
