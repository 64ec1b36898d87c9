"""The newest requests without an idempotency key in the table; `docs/data.md` describes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from imagegen.adapters.dynamodb.table_errors import refusing_item, translated
from imagegen.errors import InternalError
from imagegen.generations.ports import RecentRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT: Final = timedelta(hours=1)


class DynamoDbRecentRequests:
    """One item for each caller and fingerprint; the table removes it an hour after the request began."""

    def __init__(self, *, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, name: str) -> RecentRequest | None:
        """Return the newest request, read consistently."""
        with translated():
            response = self._client.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True)
        item = response.get("Item")
        return _recent(name, item) if item else None

    def put(self, new: RecentRequest, *, replacing: RecentRequest | None) -> RecentRequest:
        """Write `new` if `replacing` is still current (None: if there is none), and return what is current."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if replacing is not None:
            # The table may have removed the old one since it was read.
            condition = {
                "ConditionExpression": "attribute_not_exists(id) OR stamp = :stamp",
                "ExpressionAttributeValues": {":stamp": {"S": replacing.version}},
            }
        with translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(new),
                    # As in `records.py`: a write that botocore sends again recognises its own item.
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as exc:
                item = refusing_item(exc)
            else:
                return new
        stands = _recent(new.name, item) if item else self.get(new.name)
        if stands is None:
            raise InternalError("A recent request vanished while it was written.")
        return stands


def _key(name: str) -> dict[str, Any]:
    return {"id": {"S": f"recent#{name}"}}


def _item(recent: RecentRequest) -> dict[str, Any]:
    item: dict[str, Any] = {
        **_key(recent.name),
        "key": {"S": recent.key},
        "stamp": {"S": recent.version},
        "begun_at": {"S": recent.begun_at.isoformat()},
        "connection": {"N": str(recent.connection)},
        "gives_up": {"N": str(recent.gives_up)},
        "by_repeat": {"BOOL": recent.by_repeat},
        "repeated": {"BOOL": recent.repeated},
        "expires_at": {"N": str(int((recent.begun_at + _KEPT).timestamp()))},
    }
    if recent.handed_at is not None:
        item["handed_at"] = {"S": recent.handed_at.isoformat()}
    return item


def _recent(name: str, item: Mapping[str, Any]) -> RecentRequest:
    handed_at = item.get("handed_at", {}).get("S")
    return RecentRequest(
        name=name,
        key=item["key"]["S"],
        version=item["stamp"]["S"],
        begun_at=datetime.fromisoformat(item["begun_at"]["S"]),
        connection=float(item["connection"]["N"]),
        gives_up=float(item["gives_up"]["N"]),
        by_repeat=item["by_repeat"]["BOOL"],
        repeated=item["repeated"]["BOOL"],
        handed_at=datetime.fromisoformat(handed_at) if handed_at else None,
    )
