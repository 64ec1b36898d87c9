"""Helpers for the deployed stack: API keys of new callers, waiting for asynchronous work, and the functions' logs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from operating.keys import Keys
from operating.stage import functions as functions_of
from tests.support.deployed_stack import Stack
from tests.support.local_instances import ENVIRON

if TYPE_CHECKING:
    import httpx
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

PATIENCE: Final = 300.0
"""Seconds that asynchronous work may take. A passing test ends long before."""

_NUMBERS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def outputs_of(stack: Stack) -> dict[str, str]:
    """Return the outputs of the stack by name."""
    described = boto3.client("cloudformation", **stack.aws()).describe_stacks(StackName=stack.state.stack)
    return {each["OutputKey"]: each["OutputValue"] for each in described["Stacks"][0]["Outputs"]}


def keys_of(stack: Stack) -> Keys:
    """Return the API keys of the stack, as the operator's commands have them."""
    client = boto3.client("dynamodb", **stack.aws())
    return Keys(table=DynamoDbKeys(client=client, table=outputs_of(stack)["KeyTableName"]))


def start_anew(stack: Stack) -> None:
    """Let the functions start in new processes, of which none remembers that a model has ended."""
    environ = {**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(stack.folder)}
    functions_of("local", environ=environ).set("STARTED", secrets.token_hex(4))


def fresh_key(stack: Stack) -> str:
    """Make another API key, and return it."""
    return keys_of(stack).create(name=f"test-{secrets.token_hex(4)}").text


def id_of(key: str | None) -> str:
    """Return the id of an API key."""
    parsed = ApiKey.parse(key or "")
    assert parsed is not None
    return parsed.id


def awaited(look: Callable[[], T | None], what: str) -> T:
    """Call `look` again and again until it returns something, and return that."""
    ends_at = time.monotonic() + PATIENCE
    while (found := look()) is None:
        assert time.monotonic() < ends_at, f"{what} did not happen within {PATIENCE:.0f} s"
        time.sleep(0.1)
    return found


def polled(client: httpx.Client, id_: str) -> dict[str, Any]:
    """Look a generation up until it has ended, and return its last state."""

    def look() -> dict[str, Any] | None:
        generation: dict[str, Any] = client.get(f"/generations/{id_}").raise_for_status().json()
        return generation if generation["status"] in {"succeeded", "failed"} else None

    return awaited(look, f"the end of {id_}")


def await_empty(sqs: SQSClient, queue_url: str) -> None:
    """Wait until a queue holds no message, neither waiting nor received."""

    def look() -> bool | None:
        found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_NUMBERS))["Attributes"]
        return True if not any(int(found[name]) for name in _NUMBERS) else None

    awaited(look, "the end of the queue")


def logged(stack: Stack, group: str = "") -> list[str]:
    """Return the lines of the log groups whose names contain `group`."""
    logs = boto3.client("logs", **stack.aws())
    names = [found["logGroupName"] for found in logs.describe_log_groups()["logGroups"]]
    lines: list[str] = []
    for name in names:
        if group in name:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
            lines += [found["message"] for page in pages for found in page["events"]]
    return lines
