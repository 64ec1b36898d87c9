"""The record of a generation and its legal transitions, pure: no clock, no store, no randomness of its own.

    queued ──start──▶ running ──succeed──▶ succeeded ──delete──▶ deleted
      │ ▲                │ │                   ▲                    ▲
      │ └─release────────┤ │                   │ heal               │
      │   requeue        ▼ ▼                   │ (a late image)     │
      └──fail────────▶ failed ─────────────────┴────────delete──────┘

A failure that cost nothing may be replaced by a new record under the same id (`restartable`).

Every version of a record carries a stamp of its own. A transition is written under the condition that the stamp it
was computed from still stands, so of two that race exactly one is written. `paid_attempts` counts calls that may have
been paid. It grows *before* the call, in the write that grants the call, and shrinks only when the call was certainly
unbilled:

    worker A   start (stamp a, paid 1) ── call model ── put image ──✕ killed
    worker B        message again: a's lease is live, so not acknowledged
    worker C                               lease over: looks, the image is there ── succeed

    worker A   start (stamp a, paid 1) ── call model ───── slow, not dead ───── put image ── succeed: a is gone,
    worker B                               lease over: looks, no image ── fail (stamp b)      so again, replacing b

B ends as `outcome_unknown`, or where another paid attempt is allowed, queues the generation again. Whoever holds the
image, or finds it, may end any version that is not deleted with it: an image in the bucket is the proof. So nothing is
called more often than allowed, and nothing that was stored is lost. A deleted record stays as a tombstone without its
request; an attempt that meets it removes its own image.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import TextToImage

State = Literal["queued", "running", "succeeded", "failed", "deleted"]
WebhookState = Literal["pending", "delivered", "failed"]

RESEND_AFTER: Final = timedelta(seconds=120)
"""A record whose message may never have been sent has it sent again after this time."""

RETURNS_WITHIN: Final = timedelta(minutes=15)
"""A message that was received and not acknowledged is back by then; if not, it is sent again."""

LONGEST_WAIT: Final = timedelta(hours=1)
"""Between two messages for a record that waits long."""

MAX_WEBHOOK_TRIES: Final = 8

_HEALABLE: Final = frozenset({"outcome_unknown", "store_failed"})


class IllegalTransition(Exception):
    """A defect of ours: the record is not in a state that allows the transition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """What is known of an image in the bucket; sizes in pixels and bytes, `sha256` in hex."""

    model: str
    seed: int
    width: int
    height: int
    bytes: int
    sha256: str
    content_type: str = "image/png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a generation failed: a code of `imagegen.errors`, its sentence and fields, and whether it may be paid."""

    code: str
    detail: str
    paid: bool
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation as it is stored; `request` has its seed resolved, `asked` is the caller's own fingerprint."""

    id: str
    owner: str
    asked: str
    request: GenerationRequest
    asynchronous: bool
    created_at: datetime
    expires_at: datetime
    state: State
    stamp: str
    claim: str
    """The first stamp since the key was claimed: tells whose claim a record stems from."""
    quota_day: str
    due_at: datetime | None = None
    paid_attempts: int = 0
    lease_until: datetime | None = None
    image: StoredImage | None = None
    ignored: tuple[str, ...] = ()
    failure: Failure | None = None
    ended_at: datetime | None = None
    webhook: WebhookState | None = None
    webhook_tries: int = 0

    @property
    def terminal(self) -> bool:
        """Whether nothing will happen to it by itself any more."""
        return self.state in {"succeeded", "failed", "deleted"}

    @property
    def restartable(self) -> bool:
        """Whether it failed without having cost anything, so that its key may be used again."""
        return (
            self.state == "failed"
            and self.failure is not None
            and not self.failure.paid
            and self.paid_attempts == 0
        )

    @property
    def may_heal(self) -> bool:
        """Whether an image may still turn up: the attempt's end is unknown, or another attempt was paid, too."""
        if self.state != "failed" or self.failure is None:
            return False
        return self.failure.code in _HEALABLE or self.paid_attempts > int(self.failure.paid)

    @property
    def may_succeed(self) -> bool:
        """Whether an image in the bucket ends it well."""
        return self.state == "running" or (self.state == "queued" and self.paid_attempts > 0) or self.may_heal

    @property
    def wants_message(self) -> bool:
        """Whether the worker has something to do for it."""
        return self.state == "queued" or self.webhook == "pending"

    def lease_is_live(self, now: datetime) -> bool:
        """Whether an attempt may still be running."""
        return self.state == "running" and self.lease_until is not None and now < self.lease_until


def derive_id(owner: str, key: str) -> str:
    """Return the id that an owner's idempotency key stands for; without a key, a random token takes its place."""
    digest = hashlib.sha256(f"{owner}\0{key}".encode()).digest()
    return "gen_" + b32encode(digest).decode().lower()[:26]


def start(generation: Generation, *, stamp: str, lease_until: datetime, max_paid_attempts: int) -> Generation:
    """Grant one call to the model; the write of this record is what makes the call legal."""
    _require(generation, "queued")
    if generation.paid_attempts >= max_paid_attempts:
        raise IllegalTransition(f"{generation.id} has no attempt left")
    return replace(
        generation,
        state="running",
        stamp=stamp,
        lease_until=lease_until,
        due_at=lease_until,
        paid_attempts=generation.paid_attempts + 1,
    )


def succeed(
    generation: Generation, *, stamp: str, now: datetime, image: StoredImage, ignored: tuple[str, ...]
) -> Generation:
    """End with an image that is stored, whatever else was thought of the attempt meanwhile."""
    if not generation.may_succeed:
        raise IllegalTransition(f"{generation.id} is {generation.state} and was not paid")
    done = replace(generation, state="succeeded", stamp=stamp, image=image, ignored=ignored, failure=None)
    return _ended(done, now)


def fail(generation: Generation, *, stamp: str, now: datetime, failure: Failure) -> Generation:
    """End without an image; a failure that was certainly unbilled gives its attempt back."""
    _require(generation, "queued", "running")
    attempts = generation.paid_attempts
    if generation.state == "running" and not failure.paid:
        attempts -= 1
    return _ended(
        replace(generation, state="failed", stamp=stamp, failure=failure, paid_attempts=attempts), now
    )


def release(generation: Generation, *, stamp: str, now: datetime) -> Generation:
    """Put an attempt that was certainly unbilled back into the queue; its message comes back by itself."""
    _require(generation, "running")
    return replace(
        generation,
        state="queued",
        stamp=stamp,
        due_at=now + RETURNS_WITHIN,
        paid_attempts=generation.paid_attempts - 1,
        lease_until=None,
    )


def requeue(generation: Generation, *, stamp: str, now: datetime) -> Generation:
    """Queue a generation again whose call left no image, where another paid attempt is allowed."""
    _require(generation, "running")
    return replace(generation, state="queued", stamp=stamp, due_at=now + RESEND_AFTER, lease_until=None)


def postpone(generation: Generation, *, stamp: str, now: datetime) -> Generation:
    """Note that its message is sent again; the longer it has waited, the later it is sent once more."""
    waited = min(now - generation.created_at, LONGEST_WAIT)
    return replace(generation, stamp=stamp, due_at=now + max(RESEND_AFTER, waited))


def delete(generation: Generation, *, stamp: str, now: datetime) -> Generation:
    """Leave a tombstone without the request: the id is unknown from now on, and its key is not paid again.

    It is due until its image is removed.
    """
    _require(generation, "succeeded", "failed")
    return replace(
        generation,
        state="deleted",
        stamp=stamp,
        request=GenerationRequest(image=TextToImage(text_prompts=())),
        due_at=now + RESEND_AFTER,
        image=None,
        ignored=(),
        failure=None,
        webhook=None,
    )


def webhook_ended(generation: Generation, *, stamp: str, delivered: bool) -> Generation:
    """Note that the call-back was accepted, or that it is given up."""
    state: WebhookState = "delivered" if delivered else "failed"
    due_at = generation.due_at if generation.may_heal else None
    return replace(generation, stamp=stamp, webhook=state, due_at=due_at)


def webhook_refused(generation: Generation, *, stamp: str, now: datetime) -> Generation:
    """Note that the call-back was not accepted; after `MAX_WEBHOOK_TRIES` it is given up."""
    tries = generation.webhook_tries + 1
    refused = replace(generation, stamp=stamp, webhook_tries=tries, due_at=now + RETURNS_WITHIN)
    return webhook_ended(refused, stamp=stamp, delivered=False) if tries >= MAX_WEBHOOK_TRIES else refused


def settled(generation: Generation, *, stamp: str) -> Generation:
    """Note that nothing is left to do: no image turned up late, or the deleted one is removed."""
    return replace(generation, stamp=stamp, due_at=None)


def _ended(generation: Generation, now: datetime) -> Generation:
    called_back = generation.request.webhook_url is not None
    return replace(
        generation,
        lease_until=None,
        ended_at=now,
        webhook="pending" if called_back else None,
        webhook_tries=0,
        due_at=now + RESEND_AFTER if called_back or generation.may_heal else None,
    )


def _require(generation: Generation, *states: State) -> None:
    if generation.state not in states:
        raise IllegalTransition(f"{generation.id} is {generation.state}, not {' or '.join(states)}")


def recorded_error(
    failure: Failure, *, generation_id: str | None = None, replayed: bool = False
) -> errors.ImagegenError:
    """Return the error that a recorded failure was."""
    kinds = {kind.kind.code: kind for kind in errors.error_types()}
    fields = tuple(errors.FieldError(field=name, message=message) for name, message in failure.fields)
    return kinds[failure.code](failure.detail, errors=fields, generation_id=generation_id, replayed=replayed)


def to_json(generation: Generation) -> str:
    """Return the record as JSON; times are ISO 8601 in UTC."""
    members = asdict(generation)
    members["request"]["image"] = generation.request.image.parameters()
    return json.dumps(members, default=datetime.isoformat, separators=(",", ":"))


_TIMES: Final = ("created_at", "expires_at", "ended_at", "due_at", "lease_until")


def from_json(text: str) -> Generation:
    """Return the record that `to_json` wrote."""
    members: dict[str, Any] = json.loads(text)
    request = members.pop("request")
    image, failure = members.pop("image"), members.pop("failure")
    return Generation(
        request=GenerationRequest(**{**request, "image": TextToImage.from_parameters(request["image"])}),
        image=StoredImage(**image) if image else None,
        failure=_failure(failure) if failure else None,
        ignored=tuple(members.pop("ignored")),
        **{name: _time(members.pop(name)) for name in _TIMES},
        **members,
    )


def _failure(members: Mapping[str, Any]) -> Failure:
    fields = tuple((field, message) for field, message in members["fields"])
    return Failure(code=members["code"], detail=members["detail"], paid=members["paid"], fields=fields)


def _time(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text)
