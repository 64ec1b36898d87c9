"""The table of keys for the operator's commands, which use the SDK's client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from imagegen.adapters.key_table.items import item_of, limits_of, stored_key
from imagegen.keys.stored_key import StoredKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
        return stored_key(item) if item else None

    def add(self, key: StoredKey) -> None:
        """Store a new key.

        Raises:
            ClientError: AWS refused the request, or the id is taken, which practically cannot happen.
        """
        self._client.put_item(
            TableName=self._table, Item=item_of(key), ConditionExpression="attribute_not_exists(id)"
        )

    def replace(self, old: StoredKey, new: StoredKey) -> bool:
        """Store a key anew; return False if somebody changed it since `old` was read."""
        # A command changes nothing else in a key.
        condition = {
            "ConditionExpression": "digest = :digest AND limits = :limits AND "
            + ("attribute_exists(revoked_at)" if old.revoked_at else "attribute_not_exists(revoked_at)"),
            "ExpressionAttributeValues": {":digest": {"S": old.digest}, ":limits": limits_of(old)},
        }
        try:
            self._client.put_item(TableName=self._table, Item=item_of(new), **condition)  # type: ignore[arg-type]
        except ClientError as exc:
            if exc.response.get("Error", {}).get("Code") == _CONDITION_FAILED:
                return False
            raise
        return True

    def all(self) -> Iterator[StoredKey]:
        """Yield every key, in no order. Only an operator's command asks for this."""
        for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            yield from map(stored_key, page["Items"])
