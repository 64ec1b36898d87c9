"""The table of API keys; `docs/data.md` describes it. It holds digests and never a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from imagegen.keys.stored_key import StoredKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TIMES = ("created_at", "expires_at", "revoked_at", "previous_until")
_CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoDbKeys:
    """One item for each key."""

    def __init__(self, *, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, id_: str) -> StoredKey | None:
        """Return what is stored of a key, read consistently, so that a new key works at once."""
        response = self._client.get_item(TableName=self._table, Key={"id": {"S": id_}}, ConsistentRead=True)
        item = response.get("Item")
        return _stored(item) if item else None

    def add(self, key: StoredKey) -> None:
        """Store a new key.

        Raises:
            ClientError: also if the id is taken, which is as good as impossible.
        """
        self._client.put_item(
            TableName=self._table, Item=_item(key), ConditionExpression="attribute_not_exists(id)"
        )

    def replace(self, old: StoredKey, new: StoredKey) -> bool:
        """Store a key anew; return False if somebody changed it since `old` was read."""
        # These three are all that a command changes in a key.
        condition = {
            "ConditionExpression": "digest = :digest AND limits = :limits AND "
            + ("attribute_exists(revoked_at)" if old.revoked_at else "attribute_not_exists(revoked_at)"),
            "ExpressionAttributeValues": {":digest": {"S": old.digest}, ":limits": _limits(old)},
        }
        try:
            self._client.put_item(TableName=self._table, Item=_item(new), **condition)  # type: ignore[arg-type]
        except ClientError as exc:
            if exc.response["Error"]["Code"] == _CONDITION_FAILED:
                return False
            raise
        return True

    def all(self) -> Iterator[StoredKey]:
        """Yield every key, in no order. Only an operator's command asks for this."""
        for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            yield from map(_stored, page["Items"])


def _item(key: StoredKey) -> dict[str, Any]:
    texts = {"id": key.id, "name": key.name, "digest": key.digest, "previous_digest": key.previous_digest}
    times = {name: getattr(key, name) for name in _TIMES}
    return {
        **{name: {"S": text} for name, text in texts.items() if text},
        **{name: {"S": time.isoformat()} for name, time in times.items() if time is not None},
        "limits": _limits(key),
    }


def _limits(key: StoredKey) -> dict[str, Any]:
    return {
        "M": {
            # `str` alone would write 0.000001 with an exponent.
            name: {"NULL": True} if number is None else {"N": f"{Decimal(str(number)):f}"}
            for name, number in key.limits.items()
        }
    }


def _number(value: Mapping[str, Any]) -> float | None:
    if "NULL" in value:
        return None
    text = str(value["N"])
    return int(text) if text.isdecimal() else float(text)


def _stored(item: Mapping[str, Any]) -> StoredKey:
    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    def time(name: str) -> datetime | None:
        return datetime.fromisoformat(text(name)) if name in item else None

    created_at = time("created_at")
    if created_at is None:
        raise ValueError(f"The item of key {text('id')} has no created_at.")
    return StoredKey(
        id=text("id"),
        name=text("name"),
        digest=text("digest"),
        created_at=created_at,
        expires_at=time("expires_at"),
        revoked_at=time("revoked_at"),
        previous_digest=text("previous_digest"),
        previous_until=time("previous_until"),
        limits={name: _number(value) for name, value in item.get("limits", {}).get("M", {}).items()},
    )
