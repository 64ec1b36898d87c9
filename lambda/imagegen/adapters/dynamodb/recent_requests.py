"""The newest requests without an idempotency key in the table; `docs/data.md` describes them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from imagegen.adapters.dynamodb.table_errors import refusing_item, translated
from imagegen.errors import InternalError
from imagegen.generations.ports import RecentList, RecentRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT: Final = timedelta(hours=1)


class DynamoDbRecentRequests:
    """One item for each caller and fingerprint; the table removes it an hour after its newest request began."""

    def __init__(self, *, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, name: str) -> RecentList | None:
        """Return the list, read consistently."""
        with translated():
            response = self._client.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True)
        item = response.get("Item")
        return _list(name, item) if item else None

    def put(self, new: RecentList, *, replacing: RecentList | None) -> RecentList:
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
                    # As in `records.py`: a write that is sent again recognises its own item.
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as exc:
                item = refusing_item(exc)
            else:
                return new
        stands = _list(new.name, item) if item else self.get(new.name)
        if stands is None:
            raise InternalError("A recent request vanished while it was written.")
        return stands


def _key(name: str) -> dict[str, Any]:
    return {"id": {"S": f"recent#{name}"}}


def _item(recent: RecentList) -> dict[str, Any]:
    expires = recent.requests[0].begun_at + _KEPT
    return {
        **_key(recent.name),
        "stamp": {"S": recent.version},
        "requests": {"S": json.dumps([_to_json(one) for one in recent.requests])},
        "expires_at": {"N": str(int(expires.timestamp()))},
    }


def _list(name: str, item: Mapping[str, Any]) -> RecentList:
    requests = tuple(_from_json(one) for one in json.loads(item["requests"]["S"]))
    return RecentList(name=name, version=item["stamp"]["S"], requests=requests)


def _to_json(recent: RecentRequest) -> dict[str, Any]:
    return {
        "key": recent.key,
        "begun_at": recent.begun_at.isoformat(),
        "connection": recent.connection,
        "gives_up": recent.gives_up,
        "by_repeat": recent.by_repeat,
        "repeated": recent.repeated,
        "handed_at": recent.handed_at.isoformat() if recent.handed_at else None,
    }


def _from_json(members: Mapping[str, Any]) -> RecentRequest:
    handed_at = members["handed_at"]
    return RecentRequest(
        key=members["key"],
        begun_at=datetime.fromisoformat(members["begun_at"]),
        connection=members["connection"],
        gives_up=members["gives_up"],
        by_repeat=members["by_repeat"],
        repeated=members["repeated"],
        handed_at=datetime.fromisoformat(handed_at) if handed_at else None,
    )
