"""The deployed service in this process: its own settings and adapters over the emulator, and its ports to wrap."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from imagegen.settings import Settings
from imagegen.wiring import Wired, wire
from local.emulator import CREDENTIALS
from tests.local.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from imagegen.generations.ports import Observer

Wrap = Callable[[str, Any], Any]
"""Takes a port's name (store, images, runtime, queue, quotas or clock) and the port, and returns what to use."""

PROCESSED_BY_NOW = 600
"""Seconds that a received message stays invisible, longer than any test takes."""


def function_name(stack: Stack, part: str) -> str:
    """Return the name of the deployed function whose logical name contains `part`: Api or Worker."""
    functions = boto3.client("lambda", **stack.aws()).list_functions()["Functions"]
    names: list[str] = [function["FunctionName"] for function in functions]
    return next(name for name in names if f"-{part}" in name)


def environment(stack: Stack) -> dict[str, str]:
    """Return the environment of a deployed function, and where it would find AWS."""
    found = boto3.client("lambda", **stack.aws()).get_function_configuration(
        FunctionName=function_name(stack, "Api")
    )
    trust = {"AWS_CA_BUNDLE": str(stack.ca_bundle)} if stack.ca_bundle else {}
    return {
        **found["Environment"]["Variables"],
        **CREDENTIALS,
        **trust,
        "AWS_ENDPOINT_URL": stack.state.aws_endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
    }


def own_environment(stack: Stack) -> dict[str, str]:
    """Return the same, but with a table and a queue that no deployed function looks at."""
    name = f"own-{secrets.token_hex(4)}"
    dynamodb = boto3.client("dynamodb", **stack.aws())
    table = dynamodb.describe_table(TableName=stack.state.table)["Table"]
    indexes: Any = [
        {member: index[member] for member in ("IndexName", "KeySchema", "Projection")}
        for index in table["GlobalSecondaryIndexes"]
    ]
    dynamodb.create_table(
        TableName=name,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=table["AttributeDefinitions"],
        GlobalSecondaryIndexes=indexes,
        BillingMode="PAY_PER_REQUEST",
    )
    queue = boto3.client("sqs", **stack.aws()).create_queue(QueueName=name)
    return {**environment(stack), "TABLE_NAME": name, "QUEUE_URL": queue["QueueUrl"]}


@contextmanager
def entered(variables: Mapping[str, str]) -> Iterator[None]:
    """Let the SDK in this process find AWS where the functions do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def wired(
    variables: Mapping[str, str], *, observer: Observer, session: boto3.session.Session | None = None
) -> Wired:
    """Wire the service as its handlers do; a session that is used again has read the SDK's data already."""
    settings = Settings.from_environment(variables)
    return wire(settings, session=session or boto3.session.Session(), observer=observer)


def rewired(whole: Wired, wrap: Wrap) -> Wired:
    """Return the same service with its ports wrapped."""
    generator = whole.services.generator
    clock = wrap("clock", generator.ledger.clock)
    images, queue = wrap("images", generator.images), wrap("queue", generator.queue)
    quotas = wrap("quotas", generator.quotas)
    ledger = replace(generator.ledger, store=wrap("store", generator.ledger.store), clock=clock)
    caller = replace(
        generator.attempts.caller, runtime=wrap("runtime", generator.attempts.caller.runtime), clock=clock
    )
    attempts = replace(
        generator.attempts, caller=caller, images=images, ledger=ledger, quotas=quotas, clock=clock
    )
    generator = replace(
        generator, attempts=attempts, images=images, ledger=ledger, quotas=quotas, queue=queue
    )
    return Wired(
        services=replace(whole.services, generator=generator),
        worker=replace(whole.worker, generator=generator, queue=queue),
    )


@dataclass(frozen=True, kw_only=True)
class ShiftedClock:
    """The machine's clock, so much ahead (or, negative, behind); it sleeps no longer than others."""

    inner: Any
    ahead: timedelta

    def now(self) -> datetime:
        """Return another time of day in UTC."""
        return datetime.now(UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.inner.sleep(seconds)


def shifted(whole: Wired, *, seconds: float) -> Wired:
    """Return the same service at another time: leases are over and records are due that are not yet."""
    ahead = timedelta(seconds=seconds)

    def wrap(name: str, port: Any) -> Any:
        return ShiftedClock(inner=port, ahead=ahead) if name == "clock" else port

    return rewired(whole, wrap)


@dataclass(frozen=True, kw_only=True)
class Poller:
    """What Lambda is to a queue: takes messages, hands them on as records of an event, and acknowledges them."""

    client: SQSClient
    queue_url: str

    def receive(self) -> Sequence[dict[str, Any]]:
        """Return up to ten messages as records, none when there is none."""
        answer = self.client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=PROCESSED_BY_NOW,
            AttributeNames=["ApproximateReceiveCount"],
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {
                    "ApproximateReceiveCount": message["Attributes"]["ApproximateReceiveCount"],
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:own",
                "awsRegion": "us-east-1",
            }
            for message in answer.get("Messages", [])
        ]

    def drain(self) -> Iterator[dict[str, Any]]:
        """Yield records until the queue has no message to give."""
        while records := self.receive():
            yield from records

    def acknowledge(self, record: Mapping[str, Any]) -> None:
        """Delete a message."""
        self.client.delete_message(QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"])

    def give_back(self, record: Mapping[str, Any]) -> None:
        """Let a message be received again at once, as after its visibility time-out."""
        self.client.change_message_visibility(
            QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
        )


def poller(stack: Stack, queue_url: str) -> Poller:
    """Return a poller of a queue on the emulator."""
    return Poller(client=boto3.client("sqs", **stack.aws()), queue_url=queue_url)
