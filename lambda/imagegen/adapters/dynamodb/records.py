"""The records of generations in the table; `docs/data.md` describes them."""

from __future__ import annotations

import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from imagegen.adapters.dynamodb.table_errors import refusing_item, translated
from imagegen.errors import FieldError, InternalError, InvalidParameter
from imagegen.generations.generation import ID_PATTERN, Generation
from imagegen.generations.ports import Page
from imagegen.generations.stored_record import (
    RECORD_SCHEMA,
    UnreadableRecord,
    bill_to_json,
    from_json,
    to_json,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_SHARDS: Final = 8
"""The index of due records is spread over this many partitions, because DynamoDB bounds the rate of each."""

# The attribute in the condition of a write keeps its first name, `stamp`, because releases share the table:
# see docs/decisions/0033-a-stored-record-keeps-its-first-member-names.md.
_ID: Final = re.compile(ID_PATTERN)


class DynamoDbGenerations:
    """The records of generations: one item for each, with the record as JSON beside the attributes that are indexed."""

    def __init__(self, *, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, id_: str) -> Generation | None:
        """Return a record, read consistently. A counter is in the same table but is not a record.

        Raises:
            UnreadableRecord: this release cannot read it.
        """
        with translated():
            response = self._client.get_item(
                TableName=self._table, Key={"id": {"S": id_}}, ConsistentRead=True
            )
        item = response.get("Item")
        return _record(item) if item and "record" in item else None

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write if `replacing` is still current, and return the version that is current afterwards."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if replacing is not None:
            # The table may have removed a record that is past its retention since it was read; its key is free then.
            free = " OR attribute_not_exists(id)" if new.claim != replacing.claim else ""
            condition = {
                "ConditionExpression": f"stamp = :stamp{free}",
                "ExpressionAttributeValues": {":stamp": {"S": replacing.version}},
            }
        with translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(new),
                    # If the response of a write is lost, it is sent again, and fails its own condition. The
                    # item that comes back then carries the new version, which shows that the write was ours.
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as exc:
                item = refusing_item(exc)
            else:
                return new
        stands = _record(item) if item else self.get(new.id)
        if stands is None:
            raise InternalError("A record vanished while it was written.")
        return new if stands.version == new.version else stands

    def of_owner(self, owner: str, *, limit: int, cursor: str | None) -> Page:
        """Return one page of a caller's records, newest first.

        Raises:
            InvalidParameter: the cursor is not one that this service made.
        """
        start: dict[str, Any] = {}
        if cursor is not None:
            created_at, id_ = _opened(cursor)
            key = {"id": {"S": id_}, "owner": {"S": owner}, "created_at": {"S": created_at}}
            start = {"ExclusiveStartKey": key}
        with translated():
            response = self._client.query(
                TableName=self._table,
                IndexName="by_owner",
                KeyConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": {"S": owner}},
                ScanIndexForward=False,
                # One more than asked for, because DynamoDB returns a last key even if nothing follows.
                Limit=limit + 1,
                **start,
            )
            items, last = response["Items"], response.get("LastEvaluatedKey")
        if len(items) > limit:
            items, last = items[:limit], items[limit - 1]
        records, unreadable = _readable(items)
        return Page(
            generations=records,
            unreadable=unreadable,
            next_cursor=_sealed(last["created_at"]["S"], last["id"]["S"]) if last else None,
        )

    def due(self, now: datetime, *, limit: int) -> Sequence[str]:
        """Return the ids of records whose `due_at` has passed, the oldest `limit` of each shard."""
        found: list[str] = []
        for shard in range(DUE_SHARDS):
            with translated():
                response = self._client.query(
                    TableName=self._table,
                    IndexName="by_due",
                    KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                    ExpressionAttributeValues={":shard": {"S": str(shard)}, ":now": {"S": _text(now)}},
                    Limit=limit,
                )
                found.extend(item["id"]["S"] for item in response["Items"])
        return found


def _item(generation: Generation) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": {"S": generation.id},
        "stamp": {"S": generation.version},
        "state": {"S": generation.state},
        "record": {"S": to_json(generation)},
        "bill": {"S": bill_to_json(generation)},
        "schema": {"N": str(RECORD_SCHEMA)},
        "created_at": {"S": _text(generation.created_at)},
        "expires_at": {"N": str(int(generation.expires_at.timestamp()))},
    }
    if generation.state != "deleted":
        # Without an owner the index of the history does not hold the item, so a tombstone is in no history.
        item["owner"] = {"S": generation.owner}
    if generation.due_at is not None:
        item["due_at"] = {"S": _text(generation.due_at)}
        # Any even spread will do; CRC-32 is the same in every process, unlike `hash`.
        item["due_shard"] = {"S": str(zlib.crc32(generation.id.encode()) % DUE_SHARDS)}
    return item


def _readable(items: Sequence[Mapping[str, Any]]) -> tuple[tuple[Generation, ...], tuple[str, ...]]:
    """Return the records, and the ids of those that this release cannot read: one must not hide the others."""
    records: list[Generation] = []
    unreadable: list[str] = []
    for item in items:
        try:
            records.append(_record(item))
        except UnreadableRecord:
            unreadable.append(item["id"]["S"])
    return tuple(records), tuple(unreadable)


def _record(item: Mapping[str, Any]) -> Generation:
    return from_json(
        item["record"]["S"],
        schema=int(item.get("schema", {}).get("N", RECORD_SCHEMA)),
        bill=item.get("bill", {}).get("S"),
    )


def _text(moment: datetime) -> str:
    """Return a time as fixed-width ISO 8601, which sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


# Base64 keeps clients from building cursors of their own. It hides nothing, and need not: the owner is not in it.
def _sealed(created_at: str, id_: str) -> str:
    return urlsafe_b64encode(json.dumps([created_at, id_]).encode()).decode().rstrip("=")


def _opened(cursor: str) -> tuple[str, str]:
    try:
        created_at, id_ = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        # Only the exact text that `_text` writes: DynamoDB compares the sort key as text.
        ours = _text(datetime.fromisoformat(created_at)) == created_at and _ID.fullmatch(id_) is not None
    except (ValueError, TypeError, OverflowError, RecursionError):
        ours = False
    if not ours:
        message = "must be the next_cursor of an earlier reply"
        raise InvalidParameter(
            "The cursor is not valid.", errors=(FieldError(field="cursor", message=message),)
        )
    return created_at, id_
