"""The deployed service in this process: its settings and adapters use the emulator, and tests can wrap its ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest

from imagegen.generations.ports import Ports
from imagegen.http.app import Services
from imagegen.settings import Settings
from imagegen.wiring import Service, assemble, wire
from imagegen.worker import Worker
from local.emulator import CREDENTIALS
from tests.support.bare_emulator import Emulator
from tests.support.deployed_stack import Stack
from tests.support.environment import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.session import Session
    from mypy_boto3_sqs import SQSClient

    from imagegen.generations.ports import Observer

Wrap = Callable[[str, Any], Any]
"""Takes a port's name (a field of `Ports`) and the port, and returns the port to use instead."""

PROCESSED_BY_NOW = 600
"""Seconds that a received message stays invisible. No test takes that long."""


def function_name(stack: Stack, part: str) -> str:
    """Return the name of the deployed function whose logical name contains `part`: Api or Worker."""
    functions = boto3.client("lambda", **stack.aws()).list_functions()["Functions"]
    names: list[str] = [function["FunctionName"] for function in functions]
    return next(name for name in names if f"-{part}" in name)


def environment(stack: Stack) -> dict[str, str]:
    """Return the environment of a deployed function, with the variables by which it finds the emulator."""
    found = boto3.client("lambda", **stack.aws()).get_function_configuration(
        FunctionName=function_name(stack, "Api")
    )
    return {**found["Environment"]["Variables"], **_where(stack.state.aws_endpoint_url, stack.ca_bundle)}


def own_environment(emulator: Emulator) -> dict[str, str]:
    """Return the environment of a function over a new table, bucket and queue."""
    return {
        **ENVIRONMENT,
        "BUCKET_NAME": emulator.create_bucket(),
        "TABLE_NAME": emulator.create_table(),
        "QUEUE_URL": emulator.create_queue(),
        "CALL_BACK_QUEUE_ARN": queue_arn(emulator.create_queue()),
        "S3_ADDRESSING_STYLE": "path",
        "POWERTOOLS_SERVICE_NAME": "imagegen",
        "POWERTOOLS_METRICS_NAMESPACE": "imagegen",
        **_where(emulator.endpoint_url, emulator.ca_bundle),
    }


def _where(endpoint_url: str, ca_bundle: Path | None) -> dict[str, str]:
    """Return the variables by which the SDK finds the emulator."""
    trust = {"AWS_CA_BUNDLE": str(ca_bundle)} if ca_bundle else {}
    return {
        **CREDENTIALS,
        **trust,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
    }


@contextmanager
def entered(variables: Mapping[str, str]) -> Iterator[None]:
    """Let the SDK in this process find AWS at the same place as the functions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@dataclass(frozen=True, kw_only=True)
class Wired:
    """The service as the handlers have it, and the settings that it was made from."""

    service: Service
    settings: Settings

    @property
    def services(self) -> Services:
        """The services that the routes of the api function call."""
        return Services(
            submitter=self.service.submitter,
            history=self.service.history,
            models=self.service.models,
            cors_origins=self.settings.cors_origins,
            webhooks=bool(self.settings.webhook_secret_arn),
            webhook_loopback=self.settings.webhook_loopback,
            owner_salt=self.settings.owner_salt,
            openai_model_aliases=self.settings.openai_model_aliases,
            observer=self.service.ports.observer,
            clock=self.service.ports.clock,
        )

    @property
    def worker(self) -> Worker:
        """The worker that the worker function calls."""
        return Worker(
            jobs=self.service.jobs,
            queue=self.service.ports.queue,
            randomness=self.service.ports.randomness,
            observer=self.service.ports.observer,
            dead_letter_queue_arn=self.settings.dead_letter_queue_arn,
            call_back_queue_arn=self.settings.call_back_queue_arn,
        )


def wired(variables: Mapping[str, str], *, observer: Observer, session: Session | None = None) -> Wired:
    """Wire the service as its handlers do. A shared session saves the time of reading the SDK's data again."""
    settings = Settings.from_environment(variables)
    service = wire(settings, session=session or botocore.session.get_session(), observer=observer)
    return Wired(service=service, settings=settings)


def rewired(whole: Wired, wrap: Wrap) -> Wired:
    """Return the same service with its ports wrapped."""
    ports = whole.service.ports
    wrapped = {port.name: wrap(port.name, getattr(ports, port.name)) for port in fields(ports)}
    service = assemble(Ports(**wrapped), whole.service.submitter.ledger.limits, models=whole.service.models)
    return replace(whole, service=service)


@dataclass(frozen=True, kw_only=True)
class ShiftedClock:
    """The machine's clock, moved ahead by a time, or back by a negative one; it sleeps as the inner clock does."""

    inner: Any
    ahead: timedelta

    def now(self) -> datetime:
        """Return the moved time of day in UTC."""
        return datetime.now(UTC) + self.ahead

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        self.inner.sleep(seconds)


def shifted(whole: Wired, *, seconds: float) -> Wired:
    """Return the same service with its clock moved ahead, so that leases are over and records are due."""
    ahead = timedelta(seconds=seconds)

    def wrap(name: str, port: Any) -> Any:
        return ShiftedClock(inner=port, ahead=ahead) if name == "clock" else port

    return rewired(whole, wrap)


@dataclass(frozen=True, kw_only=True)
class Poller:
    """Does what Lambda does with a queue: takes messages, returns them as records of an event, acknowledges them."""

    client: SQSClient
    queue_url: str

    def receive(self) -> Sequence[dict[str, Any]]:
        """Return up to ten messages as records, or an empty list."""
        answer = self.client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=PROCESSED_BY_NOW,
            AttributeNames=["ApproximateReceiveCount"],
            MessageAttributeNames=["All"],
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {
                    "ApproximateReceiveCount": message["Attributes"]["ApproximateReceiveCount"],
                },
                "messageAttributes": {
                    name: {"dataType": each["DataType"], "stringValue": each["StringValue"]}
                    for name, each in message.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn(self.queue_url),
                "awsRegion": "us-east-1",
            }
            for message in answer.get("Messages", [])
        ]

    def drain(self) -> Iterator[dict[str, Any]]:
        """Yield records until the queue returns no message."""
        while records := self.receive():
            yield from records

    def acknowledge(self, record: Mapping[str, Any]) -> None:
        """Delete the message of a record."""
        self.client.delete_message(QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"])

    def give_back(self, record: Mapping[str, Any]) -> None:
        """Make a message visible again at once, as its visibility time-out would."""
        self.client.change_message_visibility(
            QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
        )


def queue_arn(queue_url: str) -> str:
    """Return the ARN of a queue on the emulator."""
    return f"arn:aws:sqs:us-east-1:000000000000:{queue_url.rpartition('/')[2]}"


def poller(emulator: Emulator, queue_url: str) -> Poller:
    """Return a poller of a queue on the emulator."""
    return Poller(client=boto3.client("sqs", **emulator.aws()), queue_url=queue_url)
