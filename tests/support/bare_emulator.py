"""The emulator of AWS without the stack: tests of the adapters make the table, bucket and queue that they need."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3

from local import certificates, emulator, life_cycle
from local.aws import client_options
from local.variables import Variables
from tests.support.local_instances import STRICT, Instance

if TYPE_CHECKING:
    from pathlib import Path

ATTRIBUTES: Final = ("id", "owner", "created_at", "due_shard", "due_at")
INDEXES: Final = (("by_owner", "owner", "created_at", "ALL"), ("by_due", "due_shard", "due_at", "KEYS_ONLY"))
"""What the table has in the template, too (`tests/infrastructure/test_units.py`)."""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """An emulator of AWS on this machine, and what signs its certificate in strict mode."""

    endpoint_url: str
    ca_bundle: Path | None

    def aws(self) -> dict[str, Any]:
        """Return the keyword arguments of `boto3.client(service, **emulator.aws())`, with the operator's rights."""
        return client_options(endpoint_url=self.endpoint_url, ca_bundle=self.ca_bundle)

    def create_table(self) -> str:
        """Make a table as the stack has it, and return its name."""
        name = f"own-{secrets.token_hex(4)}"
        boto3.client("dynamodb", **self.aws()).create_table(
            TableName=name,
            KeySchema=_keys("id"),
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ATTRIBUTES],
            GlobalSecondaryIndexes=[
                {"IndexName": index, "KeySchema": _keys(*keys), "Projection": {"ProjectionType": projection}}
                for index, *keys, projection in INDEXES
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def create_bucket(self) -> str:
        """Make a bucket, and return its name."""
        name = f"own-{secrets.token_hex(4)}"
        boto3.client("s3", **self.aws()).create_bucket(Bucket=name)
        return name

    def create_queue(self) -> str:
        """Make a queue, and return its URL."""
        name = f"own-{secrets.token_hex(4)}"
        url: str = boto3.client("sqs", **self.aws()).create_queue(QueueName=name)["QueueUrl"]
        return url


@contextmanager
def running(instance: Instance, *, strict: bool = STRICT) -> Iterator[Emulator]:
    """Start the emulator of an instance that has nothing else, and stop it at the end."""
    variables = Variables(folder=instance.folder, port_offset=instance.port_offset, strict=strict)
    instance.folder.mkdir(parents=True)
    # So that a run after one that was killed stops it: `local_instances.remove_abandoned`.
    (instance.folder / life_cycle.MARK).write_text("Made by a test.\n", encoding="utf-8")
    files = certificates.ensure(instance.folder / "tls", now=dt.datetime.now(tz=dt.UTC)) if strict else None
    process = emulator.start(emulator.service(variables, files), variables, files)
    try:
        yield Emulator(endpoint_url=variables.aws_endpoint_url, ca_bundle=files.authority if files else None)
    finally:
        life_cycle.down(instance.folder)
        process.wait(timeout=120)


def _keys(*names: str) -> Any:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]
