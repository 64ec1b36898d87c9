"""Lambda entry point of the authorizer: takes API Gateway's questions about requests, returns policies.

It loads neither the HTTP API nor Powertools, because every request of a cold deployment waits for it.
"""

from __future__ import annotations

import os
from typing import Any

import boto3

from imagegen.adapters import clients
from imagegen.adapters.key_table import DynamoDbKeys
from imagegen.adapters.system import SystemClock
from imagegen.keys.authorizer import Authorizer
from imagegen.settings import AuthorizerSettings

settings = AuthorizerSettings.from_environment(os.environ)  # noqa: TID251 - a handler passes the environment on
authorizer = Authorizer(
    keys=DynamoDbKeys(client=clients.dynamodb(boto3.session.Session()), table=settings.key_table_name),
    clock=SystemClock(),
)


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Decide about one request."""
    return authorizer.decide(event)
