"""The counters in the table; `docs/data.md` describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from imagegen.adapters.dynamodb.table_errors import refusing_item, translated
from imagegen.errors import ImagegenError, InternalError, QuotaExceeded
from imagegen.generations.charges import (
    NOTHING,
    Ceiling,
    Charge,
    OwnLimits,
    QuotaLimits,
    Remaining,
    seconds_to_midnight,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from imagegen.generations.ports import Clock, Observer, Randomness

# The usage of a month is shown; a unit may be given back on the day after its own.
_COUNTER_KEPT: Final = timedelta(days=40)
_MINUTE_KEPT: Final = timedelta(hours=1)
_AMOUNTS: Final = ("images", "micro_usd", "jobs")
_DEPLOYMENT: Final = ""


class _Outcome(NamedTuple):
    """What an update of a counter left there; `written` says whether it was the update's own doing.

    The amounts are empty where the table does not send them.
    """

    written: bool
    amounts: Charge


class DynamoDbQuotas:
    """Counters in the table of generations: one item for a caller and day, one for the deployment and day.

    Each update is one conditional write, so that a limit holds however many requests come at once. A lost response may
    count an image twice, so the error is on the side of fewer images. `once` returns the client that gives units back;
    it sends each request a single time, on a connection that is not idle.
    """

    def __init__(
        self,
        *,
        client: DynamoDBClient,
        once: Callable[[], DynamoDBClient],
        table: str,
        limits: QuotaLimits,
        clock: Clock,
        randomness: Randomness,
        observer: Observer,
    ) -> None:
        self._client = client
        self._once = once
        self._table = table
        self._limits = limits
        self._clock = clock
        self._randomness = randomness
        self._observer = observer

    def limits(self, own: OwnLimits) -> QuotaLimits:
        """Return the limits that hold for a caller."""
        return self._limits.overridden(own)

    def take(self, owner: str, day: str, charge: Charge, *, own: OwnLimits) -> None:
        """Take an amount. If the counter does not respond, refuse: an unbounded bill is worse than an error.

        Raises:
            QuotaExceeded, RateLimited: a limit is reached; nothing stays counted, except in the minute's counter, and
                in the caller's if the table fails when it is given back.
        """
        limits = self.limits(own)
        if self.stopped():
            raise _switched_off(self._clock.now())
        self._take_in_this_minute(owner, limits)
        # The caller's limit comes first, because a caller who has reached it must not use up the deployment's.
        self._take(owner, day, charge, limits.caller, "caller")
        if limits.deployment.limits:
            shared = replace(charge, jobs=0)
            try:
                self._take(_DEPLOYMENT, day, shared, limits.deployment, "deployment")
            except ImagegenError:
                # The refusal is the reply, also if this fails: a unit too many is better than an image too many.
                try:
                    self._change(owner, day, NOTHING - charge)
                except ImagegenError as exc:
                    self._observer.warned("a refused unit was not given back", error=exc)
                raise

    def correct(self, owner: str, day: str, change: Charge) -> None:
        """Change what is counted by an amount, which is negative where something is given back.

        No amount falls below zero: one of which less is counted than is given back stays as it is, and the others
        change. A counter that is gone stays gone. If the caller's counter fails, the deployment's is changed all the
        same.
        """
        shared = replace(change, jobs=0)
        try:
            self._change(owner, day, change)
        finally:
            if self._limits.deployment.limits and shared:
                self._change(_DEPLOYMENT, day, shared)

    def left(self, owner: str, day: str, *, own: OwnLimits) -> Remaining:
        """Return what the caller's and the deployment's counters leave."""
        limits = self.limits(own)
        return Remaining.of(
            limits,
            caller=self._counted(_counter(owner, day)),
            deployment=self._counted(_counter(_DEPLOYMENT, day)) if limits.deployment.limits else NOTHING,
        )

    def usage(self, owner: str, days: Sequence[str]) -> Sequence[Charge]:
        """Return what was counted for a caller on each of these days."""
        return [self._counted(_counter(owner, day)) for day in days]

    def stopped(self) -> bool:
        """Say whether a limit of the deployment is 0, which switches it off."""
        return self._limits.deployment.stops

    def _take_in_this_minute(self, owner: str, limits: QuotaLimits) -> None:
        limit = limits.images_per_minute_per_caller
        if limit is None:
            return
        now = self._clock.now()
        key = {"id": {"S": f"minute#{owner}#{now:%Y-%m-%dT%H:%M}"}}
        ceiling = Ceiling(images=limit)
        if limit and self._add(self._client, key, Charge(images=1), ceiling, kept=_MINUTE_KEPT).written:
            return
        raise limits.minute_refusal(limit, now=now) or _busy("minute")

    def _take(self, owner: str, day: str, charge: Charge, ceiling: Ceiling, whose: str) -> None:
        key, now = _counter(owner, day), self._clock.now()
        # Without a write, if not even the first one of the day fits.
        refused = ceiling.refusal(charge, counted=NOTHING, whose=whose, now=now)
        if refused is not None:
            raise refused
        outcome = self._add(self._client, key, charge, ceiling, kept=_COUNTER_KEPT)
        # The table need not send the item that refused.
        counted = outcome.amounts if outcome.written else outcome.amounts or self._counted(key)
        if owner == _DEPLOYMENT and counted:
            self._observer.budget_used(ceiling.used(counted))
        if not outcome.written:
            raise ceiling.refusal(charge, counted=counted, whose=whose, now=now) or _busy(whose)

    def _counted(self, key: dict[str, Any]) -> Charge:
        with translated():
            response = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _charge(response.get("Item", {}))

    def _add(
        self,
        client: DynamoDBClient,
        key: dict[str, Any],
        charge: Charge,
        ceiling: Ceiling,
        *,
        kept: timedelta,
    ) -> _Outcome:
        """Add an amount if it fits, and return what is counted."""
        limits = {name: getattr(ceiling, name) for name in _AMOUNTS if getattr(charge, name)}
        bounds = {name: limit - getattr(charge, name) for name, limit in limits.items() if limit is not None}
        conditions = [f"(attribute_not_exists({name}) OR {name} <= :{name}_bound)" for name in bounds]
        return self._update(client, key, charge, conditions, bounds, kept=kept)

    def _change(self, owner: str, day: str, change: Charge) -> None:
        outcome = self._change_all(owner, day, change)
        if outcome.written:
            return
        # The refusal is proof that nothing was written, so what fits may be sent without the rest. If something was
        # given back since, this is refused as well, and too much stays counted.
        fitting = Charge(
            **{
                name: getattr(change, name)
                for name in _AMOUNTS
                if getattr(outcome.amounts, name) + getattr(change, name) >= 0
            }
        )
        if fitting:
            self._change_all(owner, day, fitting)

    def _change_all(self, owner: str, day: str, change: Charge) -> _Outcome:
        """Change each amount, or none, and return what is counted."""
        bounds = {name: -getattr(change, name) for name in _AMOUNTS if getattr(change, name) < 0}
        conditions = ["attribute_exists(stamp)", *(f"{name} >= :{name}_bound" for name in bounds)]
        # A second request for one change could give too much back, and allow an image too many: it is sent only once.
        return self._update(
            self._once(), _counter(owner, day), change, conditions, bounds, kept=_COUNTER_KEPT
        )

    def _update(
        self,
        client: DynamoDBClient,
        key: dict[str, Any],
        amounts: Charge,
        conditions: Sequence[str],
        bounds: Mapping[str, int],
        *,
        kept: timedelta,
    ) -> _Outcome:
        # Like a record, a counter carries the version of its last write. So a write that is sent again
        # recognises itself and counts once, unless another write came in between.
        version = self._randomness.token()
        numbers = {
            ":expires": int((self._clock.now() + kept).timestamp()),
            **{f":{name}": getattr(amounts, name) for name in _AMOUNTS},
            **{f":{name}_bound": bound for name, bound in bounds.items()},
        }
        unless_ours = "(attribute_not_exists(stamp) OR stamp <> :stamp)"
        with translated():
            try:
                response = client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression=f"ADD {', '.join(f'{name} :{name}' for name in _AMOUNTS)} "
                    "SET expires_at = if_not_exists(expires_at, :expires), stamp = :stamp",
                    ConditionExpression=" AND ".join([*conditions, unless_ours]),
                    ExpressionAttributeValues={
                        ":stamp": {"S": version},
                        **{name: {"N": str(value)} for name, value in numbers.items()},
                    },
                    # Without a read: how much of the day's budget is used.
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as exc:
                item = refusing_item(exc)
                return _Outcome(written=item.get("stamp", {}).get("S") == version, amounts=_charge(item))
        return _Outcome(written=True, amounts=_charge(response.get("Attributes", {})))


def _counter(owner: str, day: str) -> dict[str, Any]:
    return {"id": {"S": f"quota#{owner}#{day}"}}


def _busy(whose: str) -> InternalError:
    # Something was given back since the counter refused: whoever repeats the request may get it.
    return InternalError(f"Other requests changed the counter of the {whose} at the same time.")


def _switched_off(now: datetime) -> QuotaExceeded:
    return QuotaExceeded(
        "The deployment is switched off until its operator raises its limit of 0.",
        retry_after=seconds_to_midnight(now),
    )


def _charge(item: Mapping[str, Any]) -> Charge:
    return Charge(**{name: int(item[name]["N"]) for name in _AMOUNTS if name in item})
