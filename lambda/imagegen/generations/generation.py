"""The record of a generation and its legal transitions. The functions are pure: no clock, no store, no randomness.

    queued ──start──▶ running ──succeed──▶ succeeded ──delete──▶ deleted
      │ ▲                │ │                   ▲                    ▲
      │ └─release────────┤ │                   │ heal               │
      │   requeue        ▼ ▼                   │ (a late image)     │
      ├──fail────────▶ failed ─────────────────┴────────delete──────┤
      └──delete (a job without a payable call is cancelled)─────────┘

A failure that cost nothing may be replaced by a new record under the same id (`restartable`).

Every write gives the record a new, random `version`. A transition is written only if the version that it was computed
from is still current, so of two that race exactly one is written. `paid_attempts` counts calls that may have been paid.
It grows *before* the call, in the write that grants the call, and never above the number of calls that the bill
reserved. It shrinks only when the call was certainly unbilled:

    worker A   start (version a, paid 1) ── call model ── put image ──✕ killed
    worker B        message again: a's lease is live, so B does not acknowledge it
    worker C                               lease over: C looks, the image is there ── succeed

    worker A   start (version a, paid 1) ── call model ───── slow, not dead ───── put image ── succeed: a is gone,
    worker B                               lease over: B looks, no image ── fail (version b)    so again, replacing b

B ends as `outcome_unknown`. Where another paid attempt is allowed, B queues the generation again instead. Whoever
holds the image, or finds it, may end any version that is not deleted with it: an image in the bucket is the proof. So
no model is called more often than allowed, and no stored image is lost. A deleted record stays as a tombstone without
its request; an attempt that meets it removes its own image.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Self

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.generations.charges import NOTHING, Charge

State = Literal["queued", "running", "succeeded", "failed", "deleted"]
WebhookState = Literal["pending", "delivered", "failed"]

RESEND_AFTER: Final = timedelta(seconds=120)
"""After this time a message that may never have been sent is sent again."""

RETURNS_WITHIN: Final = timedelta(minutes=15)
"""A message that was not acknowledged comes back within this time; otherwise it is sent again."""

LONGEST_WAIT: Final = timedelta(hours=1)
"""The longest pause between two messages for one record."""

# However many messages there are: see docs/decisions/0032-call-backs-are-counted-in-the-record.md.
MAX_WEBHOOK_TRIES: Final = 8
FREE_WEBHOOK_TRIES: Final = 1
"""How often a receiver is told of a failure that cost nothing: what is free may be asked for without end."""

FREE_WEBHOOK_WAIT: Final = timedelta(minutes=15)
"""How long the call-back of a failure that cost nothing waits for its turn, before it is given up without a try."""

# After these the image may be in the bucket, or still on its way there.
_HEALABLE: Final = frozenset({"outcome_unknown", "store_failed"})


class IllegalTransition(Exception):
    """The record is not in a state that allows the transition; always a defect of our code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a transition is given: the time, and the token of the version that it makes."""

    now: datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """What an image's object key derives from, so that the image is found even if no record says that it was stored."""

    owner: str
    id: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """What the service knows of an image in the bucket: sides in pixels, length in bytes, `sha256` in hex."""

    model: str
    seed: int
    width: int
    height: int
    bytes: int
    sha256: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a generation costs, in micro-dollars by the registry's prices.

    While it is open, `calls` calls at `each` are reserved: the price of the dearest model that may serve. `spent` is
    the price of the calls that have ended and may have been paid. `model` is the one that made the last of them, empty
    if it is not known. `key_id` is the caller's API key.
    """

    each: int = 0
    calls: int = 0
    spent: int = 0
    model: str = ""
    key_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a generation failed: a code of `imagegen.errors`, its sentence and fields, and whether it may be paid."""

    code: str
    detail: str
    paid: bool
    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, error: errors.ImagegenError) -> Self:
        """Return what is recorded of an error."""
        return cls(
            code=error.kind.code,
            detail=error.detail,
            paid=error.paid != "no",
            fields=tuple((item.field, item.message) for item in error.errors),
        )

    def error(self, *, generation_id: str | None = None, replayed: bool = False) -> errors.ImagegenError:
        """Return the error that was recorded."""
        # Another release may know codes that this one does not: it is told what the failure means for the bill.
        unknown = errors.OutcomeUnknown if self.paid else errors.InternalError
        kinds = {kind.kind.code: kind for kind in errors.error_types()}
        found = tuple(errors.FieldError(field=name, message=message) for name, message in self.fields)
        return kinds.get(self.code, unknown)(
            self.detail, errors=found, generation_id=generation_id, replayed=replayed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation as it is stored. `request` has its seed chosen; `fingerprint` is that of the request as sent.

    Each transition returns the next version of the record, or raises `IllegalTransition`.
    """

    id: str
    owner: str
    fingerprint: str
    request: GenerationRequest
    asynchronous: bool
    created_at: datetime
    expires_at: datetime
    state: State
    version: str
    claim: str
    """The first version since the idempotency key was claimed. It says whose claim this record comes from."""
    quota_day: str
    content_type: str = "image/png"
    """The media type that the image will have; it is part of where the image is stored."""
    due_at: datetime | None = None
    paid_attempts: int = 0
    lease_until: datetime | None = None
    image: StoredImage | None = None
    ignored: tuple[str, ...] = ()
    failure: Failure | None = None
    ended_at: datetime | None = None
    webhook: WebhookState | None = None
    webhook_tries: int = 0
    bill: Bill = field(default_factory=Bill)
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """Members that another release wrote into the record; they are kept as they are."""

    # -- what is true of it ----------------------------------------------------------------------------------------

    @property
    def image_name(self) -> ImageName:
        """The name of its image in the bucket."""
        content_type = self.content_type if self.image is None else self.image.content_type
        return ImageName(owner=self.owner, id=self.id, content_type=content_type)

    @property
    def terminal(self) -> bool:
        """Whether the record has ended."""
        return self.state in {"succeeded", "failed", "deleted"}

    @property
    def restartable(self) -> bool:
        """Whether it failed without cost, so that its idempotency key may start it again."""
        return (
            self.state == "failed"
            and self.failure is not None
            and not self.failure.paid
            and self.paid_attempts == 0
        )

    @property
    def may_heal(self) -> bool:
        """Whether an image may still turn up: the attempt's end is unknown, or an earlier attempt was paid as well."""
        if self.state != "failed" or self.failure is None:
            return False
        # Each paid attempt may have stored an image. The failure accounts for one of them at most.
        return self.failure.code in _HEALABLE or self.paid_attempts > int(self.failure.paid)

    @property
    def may_be_deleted(self) -> bool:
        """Whether it has ended, or is a job for which no call may have been paid yet."""
        return self.state in {"succeeded", "failed"} or (self.state == "queued" and not self.paid_attempts)

    @property
    def may_succeed(self) -> bool:
        """Whether an image in the bucket makes this record succeed."""
        return self.state == "running" or (self.state == "queued" and self.paid_attempts > 0) or self.may_heal

    @property
    def counted(self) -> Charge:
        """What the counters of its day hold for this version."""
        if not self.terminal:
            reserved = self.bill.each * self.bill.calls
            # The release without bills counted no jobs, so there is none to give back at the end.
            job = self.asynchronous and self.bill.calls > 0
            return Charge(images=1, micro_usd=reserved, jobs=int(job), calls=max(1, self.bill.calls))
        # An end without any call that may have been paid gives everything back.
        return Charge(images=1, micro_usd=self.bill.spent) if self.paid_attempts else NOTHING

    @property
    def cost(self) -> int:
        """What may have been paid for it so far, in micro-dollars; 0 while a record without a bill runs."""
        return self.bill.spent + (self.bill.each if self.state == "running" else 0)

    @property
    def wants_message(self) -> bool:
        """Whether the worker still has work to do for this record."""
        return self.state == "queued" or self.webhook == "pending"

    def may_be_paid_again(self, max_paid_attempts: int) -> bool:
        """Say whether one more call may be paid: no more than the deployment allows now, or than its bill reserved."""
        # A record of a release without bills has nothing reserved, so the deployment's limit alone counts.
        reserved = self.bill.calls or max_paid_attempts
        return self.paid_attempts < min(max_paid_attempts, reserved)

    def lease_is_live(self, now: datetime) -> bool:
        """Say whether an attempt may still be running."""
        return self.state == "running" and self.lease_until is not None and now < self.lease_until

    # -- its transitions -------------------------------------------------------------------------------------------

    def start(self, moment: Moment, *, lease: timedelta, max_paid_attempts: int) -> Generation:
        """Grant one call to the model; the write of this version is what makes the call legal."""
        # Counted before the call, so that a crash in between cannot pay twice:
        # see docs/decisions/0003-a-state-machine-not-an-idempotency-helper.md.
        self._require("queued")
        if not self.may_be_paid_again(max_paid_attempts):
            raise IllegalTransition(f"{self.id} has no attempt left")
        # If this attempt is killed, the record becomes due when its lease ends, and the sweep settles it.
        lease_until = moment.now + lease
        return replace(
            self,
            state="running",
            version=moment.version,
            lease_until=lease_until,
            due_at=lease_until,
            paid_attempts=self.paid_attempts + 1,
        )

    def succeed(
        self, moment: Moment, *, image: StoredImage, ignored: tuple[str, ...], cost: int | None = None
    ) -> Generation:
        """End with an image that is stored, whatever was thought of the attempt meanwhile.

        `cost` is the price of the model that drew it, in micro-dollars; without it, what was reserved counts.
        """
        if not self.may_succeed:
            raise IllegalTransition(f"{self.id} is {self.state} and was not paid")
        spent = self._spent(cost)
        if self.state != "running":
            # The call was counted when it was given up, and by the price of a model that was not known.
            spent = self.bill.each if cost is None else cost
            spent = spent if self.paid_attempts == 1 else self.bill.spent
        bill = replace(self.bill, spent=spent, model=image.model)
        done = replace(self, state="succeeded", image=image, ignored=ignored, failure=None, bill=bill)
        return _ended(done, moment)

    def fail(
        self, moment: Moment, failure: Failure, *, cost: int | None = None, model: str = ""
    ) -> Generation:
        """End without an image; a failure that was certainly unbilled gives its attempt back.

        `cost` is the price of the model that was called, in micro-dollars; without it, what was reserved counts.
        """
        self._require("queued", "running")
        attempts, bill = self.paid_attempts, self.bill
        if self.state == "running" and failure.paid:
            bill = replace(bill, spent=self._spent(cost), model=model)
        elif self.state == "running":
            attempts -= 1
        ended = replace(self, state="failed", failure=failure, paid_attempts=attempts, bill=bill)
        return _ended(ended, moment)

    def release(self, moment: Moment) -> Generation:
        """Put an attempt that was certainly unbilled back into the queue; its message comes back by itself."""
        self._require("running")
        return replace(
            self,
            state="queued",
            version=moment.version,
            due_at=moment.now + RETURNS_WITHIN,
            paid_attempts=self.paid_attempts - 1,
            lease_until=None,
        )

    def requeue(self, moment: Moment, *, cost: int | None = None, model: str = "") -> Generation:
        """Queue a generation again if its call left no image and another paid attempt is allowed.

        `cost` is the price of the model that was called, in micro-dollars; without it, what was reserved counts.
        """
        self._require("running")
        due_at = moment.now + RESEND_AFTER
        bill = replace(self.bill, spent=self._spent(cost), model=model)
        return replace(
            self, state="queued", version=moment.version, due_at=due_at, lease_until=None, bill=bill
        )

    def postpone(self, moment: Moment) -> Generation:
        """Record that the message is sent again; the next time comes after as long as the record has waited already."""
        pause = _as_long_again(moment.now - self.created_at)
        return replace(self, version=moment.version, due_at=moment.now + pause)

    def webhook_pause(self, now: datetime) -> timedelta:
        """Return how long its call-back waits for a turn: as long as it has waited already, within bounds."""
        return _as_long_again(self._untold_for(now))

    def gives_up_turn(self, now: datetime) -> bool:
        """Say whether its call-back has waited for a turn for as long as one may that tells of a free failure."""
        return self.restartable and self._untold_for(now) >= FREE_WEBHOOK_WAIT

    def _untold_for(self, now: datetime) -> timedelta:
        return now - (self.ended_at or self.created_at)

    def delete(self, moment: Moment) -> Generation:
        """Leave a tombstone without the request: the id is unknown from now on, and its key never pays again.

        The tombstone stays due until its image is removed.
        """
        # A job for which no call may have been paid is cancelled by it.
        if not self.may_be_deleted:
            raise IllegalTransition(f"{self.id} is {self.state}, and may be paid")
        return replace(
            self,
            state="deleted",
            version=moment.version,
            # The caller's words go; the fingerprint stays, so that a late duplicate is still recognised.
            request=GenerationRequest(task=self.request.task.emptied()),
            content_type=self.image_name.content_type,
            due_at=moment.now + RESEND_AFTER,
            image=None,
            ignored=(),
            failure=None,
            webhook=None,
            unknown={},
        )

    def end_webhook(self, moment: Moment, *, delivered: bool) -> Generation:
        """Record that the call-back was accepted or given up."""
        webhook: WebhookState = "delivered" if delivered else "failed"
        # A record that may heal is looked at once more; any other has nothing left to do.
        due_at = self.due_at if self.may_heal else None
        return replace(self, version=moment.version, webhook=webhook, due_at=due_at)

    def refuse_webhook(self, moment: Moment) -> Generation:
        """Record that the call-back was not accepted; after the last try it is given up."""
        tries = self.webhook_tries + 1
        due_at = moment.now + RETURNS_WITHIN
        refused = replace(self, version=moment.version, webhook_tries=tries, due_at=due_at)
        most = FREE_WEBHOOK_TRIES if self.restartable else MAX_WEBHOOK_TRIES
        return refused.end_webhook(moment, delivered=False) if tries >= most else refused

    def await_webhook(self, moment: Moment, *, pause: timedelta = timedelta()) -> Generation:
        """Record that the receiver was not called now, and that the message comes back after a pause."""
        return replace(self, version=moment.version, due_at=moment.now + pause + RETURNS_WITHIN)

    def finish(self, moment: Moment) -> Generation:
        """Record that nothing is left to do: no image turned up late, or the deleted image is removed."""
        return replace(self, version=moment.version, due_at=None)

    def _spent(self, cost: int | None) -> int:
        return self.bill.spent + (self.bill.each if cost is None else cost)

    def _require(self, *states: State) -> None:
        if self.state not in states:
            raise IllegalTransition(f"{self.id} is {self.state}, not {' or '.join(states)}")


def _ended(generation: Generation, moment: Moment) -> Generation:
    called_back = generation.request.webhook_url is not None
    return replace(
        generation,
        version=moment.version,
        lease_until=None,
        ended_at=moment.now,
        webhook="pending" if called_back else None,
        webhook_tries=0,
        due_at=moment.now + RESEND_AFTER if called_back or generation.may_heal else None,
    )


def _as_long_again(waited: timedelta) -> timedelta:
    return max(RESEND_AFTER, min(waited, LONGEST_WAIT))


ID_PATTERN: Final = r"gen_[a-z2-7]{26}"
"""What every generation's id looks like."""


def derive_id(owner: str, key: str) -> str:
    """Return the id that derives from owner and idempotency key; without one, `key` is a random token."""
    # The owner is part of it, so one caller's key never leads to another's record. Neither part can hold a NUL.
    digest = hashlib.sha256(f"{owner}\0{key}".encode()).digest()
    return "gen_" + b32encode(digest).decode().lower()[:26]
