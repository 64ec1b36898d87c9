"""Tables of several sizes, filled with what the service itself writes, for `benchmarks/growth.py`."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from benchmarks.contenders import KEY_ID, SETTINGS
from benchmarks.table_stand_in import Table
from imagegen.adapters.dynamodb import DynamoDbGenerations
from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations.generation import Bill, Generation, StoredImage
from imagegen.http.identity import owner_of
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT: Final = timedelta(days=int(SETTINGS["RECORD_RETENTION_DAYS"]))
_BEGUN: Final = timedelta(days=2)
"""The age of the oldest generation in each history. It is the same in all, so that the last pages are equal."""
_PRICE: Final = 40_000
_IMAGE: Final = StoredImage(
    model="stability.stable-image-core-v1:1",
    seed=3407,
    width=1024,
    height=1024,
    bytes=1_800_000,
    sha256="0123456789abcdef" * 4,
    content_type="image/png",
)
METADATA: Final = {
    f"x-amz-meta-{name}": str(getattr(_IMAGE, name))
    for name in ("model", "seed", "width", "height", "sha256")
}
"""The headers with which the bucket replies that an image is there."""

OWNER: Final = owner_of({"authorizer": {"keyId": KEY_ID}}, salt=SETTINGS["OWNER_SALT"])
"""The owner of the generations: the caller of `contenders.event`."""


def history(size: int, *, now: datetime) -> Table:
    """Return a table with this many ended generations of one caller, made a second apart."""
    return _filled(size, lambda number: _ended(number, now=now))


def jobs(size: int, *, now: datetime) -> Table:
    """Return a table with this many queued jobs of one caller, all of them due."""
    return _filled(size, lambda number: _queued(number, now=now))


def keys(size: int, *, now: datetime) -> Table:
    """Return a table with this many API keys."""
    table = Table()
    for number in range(size):
        add_key(table, number, now=now)
    return table


def add_key(table: Table, number: int, *, now: datetime) -> None:
    """Add the API key with this number to a table."""
    store = DynamoDbKeys(client=_client(table), table=SETTINGS["KEY_TABLE_NAME"])
    store.add(StoredKey.of(key(number), name=f"caller {number}", now=now))


def key(number: int) -> ApiKey:
    """Return the API key with this number."""
    return ApiKey.create(lambda count: _spread(number)[:count])


def id_of(number: int) -> str:
    """Return the id of the generation or job with this number; like real ids, they follow no order."""
    return f"gen_{b32encode(_spread(number)).decode().lower()[:26]}"


def message_of(number: int) -> dict[str, Any]:
    """Return the event in which the worker receives the message of the job with this number."""
    attributes = {"claim": {"stringValue": "first", "dataType": "String"}}
    record = {
        "messageId": "m",
        "receiptHandle": "r",
        "body": id_of(number),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:jobs",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}


def _filled(size: int, generation: Callable[[int], Generation]) -> Table:
    table = Table()
    store = DynamoDbGenerations(client=_client(table), table=SETTINGS["TABLE_NAME"])
    for number in range(size):
        store.write(generation(number), replacing=None)
    return table


def _ended(number: int, *, now: datetime) -> Generation:
    ended = _record(number, created_at=now - _BEGUN + timedelta(seconds=number))
    return replace(
        ended,
        state="succeeded",
        image=_IMAGE,
        paid_attempts=1,
        ended_at=ended.created_at + timedelta(seconds=5),
        bill=replace(ended.bill, spent=_PRICE, model=_IMAGE.model),
    )


def _queued(number: int, *, now: datetime) -> Generation:
    queued = _record(number, created_at=now - timedelta(minutes=10))
    return replace(queued, asynchronous=True, due_at=now - timedelta(minutes=1))


def _record(number: int, *, created_at: datetime) -> Generation:
    task = TextToImage(
        text_prompts=(Prompt(text=f"Sri lanka tea plantation, number {number}."),), seed=number + 1
    )
    return Generation(
        id=id_of(number),
        owner=OWNER,
        fingerprint="0123456789abcdef" * 4,
        request=GenerationRequest(task=task),
        asynchronous=False,
        created_at=created_at,
        expires_at=created_at + _KEPT,
        state="queued",
        version="first",
        claim="first",
        quota_day=f"{created_at.astimezone(UTC):%Y-%m-%d}",
        bill=Bill(each=_PRICE, calls=1, key_id=KEY_ID),
    )


def _spread(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


class _Client:
    """The part of a client that the adapters need for writing, without a connection."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put_item(self, **request: Any) -> Mapping[str, Any]:
        status, answer = self._table.answer("PutItem", request)
        if status != HTTPStatus.OK:
            raise ValueError(f"Two of them have one id: {request['Item']['id']}")
        return answer


def _client(table: Table) -> DynamoDBClient:
    return cast("DynamoDBClient", _Client(table))
