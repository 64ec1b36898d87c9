"""The table of generations and the daily counters; `docs/data.md` describes both."""

from __future__ import annotations

import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from imagegen.errors import (
    FieldError,
    ImagegenError,
    InternalError,
    InvalidParameter,
    Misconfigured,
    QuotaExceeded,
)
from imagegen.generations.generation import ID_PATTERN, Generation
from imagegen.generations.ports import Page
from imagegen.generations.stored_record import RECORD_SCHEMA, UnreadableRecord, from_json, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from imagegen.generations.ports import Clock, Randomness

DUE_SHARDS: Final = 8
"""The index of due records is spread over this many partitions, because DynamoDB bounds the rate of each."""

# The attribute in the condition of a write keeps its first name, `stamp`, because releases share the table:
# see docs/decisions/0033-a-stored-record-keeps-its-first-member-names.md.
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_MISCONFIGURED: Final = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}
)
# A counter counts for one day, and a unit may still be given back on the next.
_COUNTER_KEPT: Final = timedelta(days=3)
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
        with _translated():
            response = self._client.get_item(
                TableName=self._table, Key={"id": {"S": id_}}, ConsistentRead=True
            )
        item = response.get("Item")
        return _record(item) if item and "record" in item else None

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write if `replacing` is still current, and return the version that is current afterwards."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if replacing is not None:
            condition = {
                "ConditionExpression": "stamp = :stamp",
                "ExpressionAttributeValues": {":stamp": {"S": replacing.version}},
            }
        with _translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item(new),
                    # If the response of a write is lost, botocore sends it again, and it fails its own condition. The
                    # item that comes back then carries the new version, which shows that the write was ours.
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as exc:
                item = _refusing_item(exc)
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
        with _translated():
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
            with _translated():
                response = self._client.query(
                    TableName=self._table,
                    IndexName="by_due",
                    KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                    ExpressionAttributeValues={":shard": {"S": str(shard)}, ":now": {"S": _text(now)}},
                    Limit=limit,
                )
                found.extend(item["id"]["S"] for item in response["Items"])
        return found


class DynamoDbQuotas:
    """Daily counters in the same table: one item for a caller and day, one for the deployment and day.

    A lost response may count an image twice, so the error is on the side of fewer images. `once` returns the client
    that gives units back; it sends each request a single time.
    """

    def __init__(
        self,
        *,
        client: DynamoDBClient,
        once: Callable[[], DynamoDBClient],
        table: str,
        per_caller: int | None,
        overall: int | None,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._client = client
        self._once = once
        self._table = table
        self._per_caller = per_caller
        self._overall = overall
        self._clock = clock
        self._randomness = randomness

    def take(self, owner: str, day: str, *, own_limit: int | None = None) -> None:
        """Take one quota unit. If the counter does not respond, refuse: an unbounded bill is worse than an error.

        `own_limit` takes the place of the limit for each caller.

        Raises:
            QuotaExceeded: the caller's or the deployment's limit is reached; nothing stays counted.
        """
        if self.stopped():
            raise self._exceeded("deployment", "It is switched off until its operator raises its limit of 0.")
        per_caller = self._per_caller if own_limit is None else own_limit
        # The caller's limit comes first, because a caller who has reached it must not use up the deployment's.
        if not self._count(owner, day, per_caller):
            raise self._exceeded("caller")
        try:
            counted = self._count("", day, self._overall)
        except ImagegenError:
            self._uncount(owner, day)
            raise
        if not counted:
            self._uncount(owner, day)
            raise self._exceeded("deployment")

    def give_back(self, owner: str, day: str) -> None:
        """Give one quota unit back; no counter falls below zero."""
        # Whether the caller's key had a limit of its own is not known any more. A counter that is absent refuses.
        self._uncount(owner, day)
        if self._overall is not None:
            self._uncount("", day)

    def left(self, owner: str, day: str, *, own_limit: int | None = None) -> int | None:
        """Return the fewer of what the caller's and the deployment's counters leave; None if neither has a limit."""
        if self.stopped():
            return 0
        per_caller = self._per_caller if own_limit is None else own_limit
        limits = ((owner, per_caller), ("", self._overall))
        rests = [limit and limit - self._counted(who, day) for who, limit in limits if limit is not None]
        # A limit that was lowered during the day may have been passed already.
        return max(0, min(rests)) if rests else None

    def stopped(self) -> bool:
        """Say whether the deployment's limit is 0, which switches it off."""
        return self._overall == 0

    def _counted(self, owner: str, day: str) -> int:
        with _translated():
            response = self._client.get_item(
                TableName=self._table, Key=_counter(owner, day), ConsistentRead=True
            )
        return int(response.get("Item", {}).get("images", {}).get("N", "0"))

    def _count(self, owner: str, day: str, limit: int | None) -> bool:
        if limit is None:
            return True
        if limit == 0:
            return False
        # Like a record, a counter carries the version of its last write. So a write that botocore sends again
        # recognises itself and counts once, unless another write came in between.
        condition = "attribute_not_exists(images) OR images < :bound"
        return self._add(self._client, owner, day, 1, condition, bound=limit)

    def _uncount(self, owner: str, day: str) -> None:
        # A second request for one unit could give two back, and allow an image too many. So it is sent only once.
        self._add(self._once(), owner, day, -1, "images > :bound", bound=0)

    def _add(
        self, client: DynamoDBClient, owner: str, day: str, number: int, condition: str, *, bound: int
    ) -> bool:
        expires = int((self._clock.now() + _COUNTER_KEPT).timestamp())
        numbers = {":number": number, ":bound": bound, ":expires": expires}
        version = self._randomness.token()
        with _translated():
            try:
                client.update_item(
                    TableName=self._table,
                    Key=_counter(owner, day),
                    UpdateExpression="ADD images :number "
                    "SET expires_at = if_not_exists(expires_at, :expires), stamp = :stamp",
                    ConditionExpression=f"({condition}) AND (attribute_not_exists(stamp) OR stamp <> :stamp)",
                    ExpressionAttributeValues={
                        ":stamp": {"S": version},
                        **{name: {"N": str(value)} for name, value in numbers.items()},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as exc:
                written: str = _refusing_item(exc).get("stamp", {}).get("S", "")
                return written == version
        return True

    def _exceeded(
        self, whose: str, until: str = "New ones are available from midnight UTC."
    ) -> QuotaExceeded:
        now = self._clock.now()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        seconds = int((midnight - now).total_seconds()) + 1
        return QuotaExceeded(f"The {whose}'s images of today are used up. {until}", retry_after=seconds)


def _counter(owner: str, day: str) -> dict[str, Any]:
    return {"id": {"S": f"quota#{owner}#{day}"}}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        code = exc.response.get("Error", {}).get("Code") if isinstance(exc, ClientError) else None
        if code in _MISCONFIGURED:
            raise Misconfigured("The table is missing, or the service has no right to use it.") from exc
        raise InternalError("The table did not respond.") from exc


def _refusing_item(exc: ClientError) -> Mapping[str, Any]:
    """Return the item on which the condition failed, empty if the table does not send it; re-raise other errors."""
    if exc.response.get("Error", {}).get("Code") != _CONDITION_FAILED:
        raise exc
    response: Mapping[str, Any] = exc.response
    return response.get("Item") or {}


def _item(generation: Generation) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": {"S": generation.id},
        "stamp": {"S": generation.version},
        "state": {"S": generation.state},
        "record": {"S": to_json(generation)},
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
    return from_json(item["record"]["S"], schema=int(item.get("schema", {}).get("N", RECORD_SCHEMA)))


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
