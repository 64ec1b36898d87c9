"""The daily counters in the table; `docs/data.md` describes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from imagegen.adapters.dynamodb.table_errors import refusing_item, translated
from imagegen.errors import ImagegenError, QuotaExceeded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from imagegen.generations.ports import Clock, Randomness

# A counter counts for one day, and a unit may still be given back on the next.
_COUNTER_KEPT: Final = timedelta(days=3)


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
        with translated():
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
        with translated():
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
                written: str = refusing_item(exc).get("stamp", {}).get("S", "")
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
