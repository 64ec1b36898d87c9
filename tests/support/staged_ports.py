"""All ports of the use case in one object, for `tests/support/schedules.py`; each call ends in one of its ways.

A delivery is suspended when it comes to a call that has no result yet. It is resumed by running it again with the
results that it has had so far. A method that no schedule may reach raises NotImplementedError: to reach it is a failure
of the test, not an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.charges import NOTHING, Charge, OwnLimits, QuotaLimits, Remaining
from imagegen.generations.generation import Generation, ImageName, StoredImage, derive_id
from imagegen.generations.ports import Delivery, Page, RecentList, SignedUrl
from imagegen.models.registry import ModelRef
from tests.support.fakes import png, sdxl_answer, stable_image_answer
from tests.support.picture_files import plain

OWNER: Final = "a" * 26
KEY: Final = "the-only-key-of-this-world"
ID: Final = derive_id(OWNER, KEY)
HOOK: Final = "https://receiver.example/hook"
START: Final = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
ANSWERS: Final = {
    "sdxl": sdxl_answer(png(64, 64), seed=7),
    "stable_image": stable_image_answer(png(64, 64), seed=7),
}
JPEG_ANSWER: Final = stable_image_answer(plain("image/jpeg", 64, 64), seed=7)
FILTERED: Final = {
    "sdxl": sdxl_answer(png(64, 64), seed=7, reason="CONTENT_FILTERED"),
    "stable_image": b'{"finish_reasons": ["Filter reason: prompt"]}',
}
REMAINING: Final = (80.0, 66.0, 1.0)
"""Seconds that are left after 0, 1, and more pauses: enough to try a step three times, and the model twice."""

MODEL_FAILURES: Final[dict[str, tuple[type[ImagegenError], bool]]] = {
    "throttled": (errors.ModelThrottled, False),
    "refused": (errors.Misconfigured, False),
    "retired": (errors.ModelRetired, False),
    "timeout, free": (errors.ModelTimeout, False),
    "timeout, paid": (errors.ModelTimeout, True),
    "unknown, paid": (errors.OutcomeUnknown, True),
}
OUTCOMES: Final[dict[str, tuple[str, ...]]] = {
    "get": ("error",),
    "write": ("refused", "lost", "late"),
    "take": ("refused", "lost"),
    "correct": ("refused", "lost"),
    "invoke": (*MODEL_FAILURES, "filtered", "malformed", "defect"),
    "put": ("refused", "lost", "late", "defect"),
    "find": ("error",),
    "delete": ("refused", "lost"),
    "send": ("refused", "lost"),
    "announce": ("refused", "lost"),
    "deliver": ("again",),
}
"""How a port's call can end, beside "done" and beside the delivery's being killed before it."""


class Broken(AssertionError):
    """An invariant does not hold; the text has the schedule that shows it."""


class InjectedDefect(Exception):
    """The exception of an injected defect in an adapter."""


class Suspended(BaseException):
    """The delivery has come to a port call that has no result yet."""


class Env(NamedTuple):
    """The stores, the queue, the clock, and how often the model was really paid."""

    record: Generation | None = None
    image: StoredImage | None = None
    late_image: StoredImage | None = None
    late_writes: tuple[tuple[Generation, str | None], ...] = ()
    messages: tuple[str, ...] = ()
    """The claim of each message of the queue of jobs."""
    call_backs: int = 0
    """How many messages the queue of call-backs has."""
    paid: int = 0
    spent: int = 0
    """What was really paid, in micro-dollars."""
    counted: Charge = NOTHING
    now: datetime = START
    faults: int = 0
    """How many faults there were, if the scenario bounds what they lose."""
    deleted: bool = False
    """Whether anybody deleted the generation; if so, its image may be gone."""


class Entry(NamedTuple):
    """One result of a port call, and the time that the delivery's next steps saw."""

    raised: type[Exception] | None
    value: Any
    now: datetime


class Activity(NamedTuple):
    """One suspended delivery."""

    door: str
    serial: int
    began: datetime
    log: tuple[Entry, ...] = ()
    pending: str = ""
    claim: str = ""
    """The claim of the message that was delivered."""
    arrived: datetime | None = None
    """When the gateway received it, if that was before its function began."""

    @property
    def asked(self) -> datetime:
        """When its client asked."""
        return self.arrived or self.began


@dataclass(slots=True)
class Stage:
    """All ports in one: replays the log of a delivery, makes one more call, and suspends the delivery at the next."""

    env: Env
    activity: Activity
    outcome: str | None
    content_type: str = "image/png"
    """What the request asks for, by which its image must always be looked for."""
    position: int = 0
    tokens: int = 0
    pauses: int = 0
    time: datetime = field(init=False)
    log: list[Entry] = field(init=False)
    pending: str = ""
    defects: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.time = self.activity.began
        self.log = list(self.activity.log)

    def _call(self, operation: str, *arguments: Any) -> Any:
        if self.position < len(self.log):
            entry = self.log[self.position]
        elif self.outcome is None:
            self.pending = operation
            raise Suspended
        else:
            outcome, self.outcome = self.outcome, None
            raised, value = getattr(self, f"_{operation}")(outcome, *arguments)
            entry = Entry(raised, value, self.env.now)
            self.log.append(entry)
        self.position += 1
        self.time = entry.now
        if entry.raised is not None:
            raise entry.raised("injected")
        return entry.value

    # -- the table, also of counters -------------------------------------------------------------------------------

    def get(self, id_: str) -> Generation | None:  # noqa: ARG002 - there is one
        """Return the record, or None."""
        found: Generation | None = self._call("get")
        return found

    def _get(self, outcome: str) -> tuple[type[Exception] | None, Any]:
        return (errors.InternalError, None) if outcome == "error" else (None, self.env.record)

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write `new` if `replacing` is still current, and return the version that is current afterwards."""
        stands: Generation = self._call("write", new, replacing.version if replacing else None)
        return new if stands.version == new.version else stands

    def _write(
        self, outcome: str, new: Generation, replacing: str | None
    ) -> tuple[type[Exception] | None, Any]:
        if outcome == "late":
            self.env = _without_dead(self.env._replace(late_writes=(*self.env.late_writes, (new, replacing))))
        elif outcome != "refused":
            before = self.env.record
            self.env = written(self.env, new, replacing)
            ended = self.env.record is new and before is not None and before.state == "queued"
            if ended and new.state == "failed" and self.activity.claim not in {"", new.claim}:
                raise Broken("a message of an older claim ended a newer one")
        return (None, self.env.record) if outcome == "done" else (errors.InternalError, None)

    def of_owner(self, owner: str, *, limit: int, cursor: str | None) -> Page:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def due(self, now: datetime, *, limit: int) -> Sequence[str]:  # noqa: ARG002 - the port's shape
        """Return the id of the only record always; the use case has to check whether it is due."""
        return [ID]

    def limits(self, own: OwnLimits) -> QuotaLimits:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def take(self, owner: str, day: str, charge: Charge, *, own: OwnLimits) -> None:  # noqa: ARG002 - there is one
        """Take an amount."""
        self._call("take", charge)

    def _take(self, outcome: str, charge: Charge) -> tuple[type[Exception] | None, Any]:
        if outcome != "refused":
            self.env = self.env._replace(counted=self.env.counted + charge)
        return (None if outcome == "done" else errors.InternalError, None)

    def correct(self, owner: str, day: str, change: Charge) -> None:  # noqa: ARG002 - there is one
        """Change what is counted."""
        self._call("correct", change)

    def _correct(self, outcome: str, change: Charge) -> tuple[type[Exception] | None, Any]:
        if outcome != "refused":
            self.env = self.env._replace(counted=self.env.counted + change)
        return (None if outcome == "done" else errors.InternalError, None)

    def left(self, owner: str, day: str, *, own: OwnLimits) -> Remaining:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def usage(self, owner: str, days: Sequence[str]) -> Sequence[Charge]:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def stopped(self) -> bool:
        """Say that the deployment is not switched off."""
        return False

    # -- the model -------------------------------------------------------------------------------------------------

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:  # noqa: ARG002 - the port's shape
        """Call the model, which may be paid."""
        answer: bytes = self._call("invoke", ref)
        return answer

    def _invoke(self, outcome: str, ref: ModelRef) -> tuple[type[Exception] | None, Any]:
        raised, paid = MODEL_FAILURES.get(outcome, (None, True))
        if paid:
            price = ref.model.price.micro_usd(30)
            self.env = self.env._replace(paid=self.env.paid + 1, spent=self.env.spent + price)
        if raised is not None:
            return raised, None
        dialect = ref.model.dialect.name
        drawn = ANSWERS[dialect] if self.content_type == "image/png" else JPEG_ANSWER
        answers = {"done": drawn, "filtered": FILTERED[dialect], "malformed": b"<html>"}
        return (InjectedDefect, None) if outcome == "defect" else (None, answers[outcome])

    # -- the bucket ------------------------------------------------------------------------------------------------

    def _check(self, name: ImageName) -> None:
        # The suffix of the object key derives from it.
        if name.content_type != self.content_type:
            raise Broken(f"the image was looked for under another key: {name}")

    def put(self, name: ImageName, content: bytes, image: StoredImage) -> None:
        """Store the image, which is described as it is."""
        self._check(name)
        if (image.content_type, image.bytes) != (self.content_type, len(content)):
            raise Broken("an image is described as what it is not")
        self._call("put", image)

    def _put(self, outcome: str, image: StoredImage) -> tuple[type[Exception] | None, Any]:
        if outcome == "late":
            self.env = self.env._replace(late_image=image)
        elif outcome in {"done", "lost"}:
            self.env = self.env._replace(image=image)
        if outcome == "defect":
            return InjectedDefect, None
        return (None if outcome == "done" else errors.StoreFailed, None)

    def find(self, name: ImageName) -> StoredImage | None:
        """Return the stored image, or None."""
        self._check(name)
        found: StoredImage | None = self._call("find")
        return found

    def _find(self, outcome: str) -> tuple[type[Exception] | None, Any]:
        return (errors.InternalError, None) if outcome == "error" else (None, self.env.image)

    def delete(self, name: ImageName) -> None:
        """Remove the image."""
        self._check(name)
        self._call("delete")

    def _delete(self, outcome: str) -> tuple[type[Exception] | None, Any]:
        if outcome != "refused":
            self.env = self.env._replace(image=None)
        return (None if outcome == "done" else errors.InternalError, None)

    def url(self, name: ImageName, *, download: str | None = None) -> SignedUrl:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def read(self, name: ImageName) -> bytes:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    # -- the queue and the receiver --------------------------------------------------------------------------------

    def send(self, generation: Generation) -> None:
        """Send a message."""
        self._call("send", generation.claim)

    def _send(self, outcome: str, claim: str) -> tuple[type[Exception] | None, Any]:
        if outcome != "refused":
            self.env = with_message(self.env, claim)
        return (None if outcome == "done" else errors.InternalError, None)

    def announce(self) -> None:
        """Send a message to the queue of call-backs."""
        self._call("announce")

    def _announce(self, outcome: str) -> tuple[type[Exception] | None, Any]:
        if outcome != "refused":
            self.env = self.env._replace(call_backs=min(self.env.call_backs + 1, 2))
        return (None if outcome == "done" else errors.InternalError, None)

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def deliver(self, url: str, *, generation: Generation) -> Delivery:
        """Send a call-back, and check that the generation has ended."""
        answer: Delivery = self._call("deliver", url, generation)
        return answer

    def _deliver(self, outcome: str, url: str, generation: Generation) -> tuple[type[Exception] | None, Any]:
        if url != HOOK or not generation.terminal:
            raise Broken("a webhook was called for something that had not ended")
        return None, "delivered" if outcome == "done" else "again"

    # -- time, randomness and what is observed -------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time that this part of the delivery saw when it first ran."""
        return self.time

    def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the port's shape
        """Count a pause, which uses up the invocation's time."""
        self.pauses += 1

    def remaining(self) -> float:
        """Return the seconds left."""
        return REMAINING[min(self.pauses, len(REMAINING) - 1)]

    def seed(self) -> int:
        """Return the seed 7."""
        return 7

    def token(self) -> str:
        """Return a token that no other delivery gets."""
        self.tokens += 1
        return f"{self.activity.serial}.{self.tokens}"

    def fraction(self) -> float:
        """Return the middle of 0…1."""
        return 0.5

    def succeeded(self, id_: str, *, model: str, seconds: float, model_seconds: float, bytes_: int) -> None:
        """Ignore the event."""

    def failed(self, id_: str, error: ImagegenError) -> None:
        """Ignore the event."""

    def charged(self, id_: str, *, model: str, key_id: str, micro_usd: int) -> None:
        """Ignore the event."""

    def model_refused(self, model: str, error: ImagegenError) -> None:
        """Ignore it: no schedule has a vendor's refusal."""

    def model_retired(self, model: str, *, known: bool) -> None:
        """Ignore the event."""

    def budget_used(self, part: float) -> None:
        """Ignore the event."""

    def problem(self, error: ImagegenError, *, route: str) -> None:
        """Ignore the event."""

    def model_retried(self, model: str, code: str) -> None:
        """Ignore the event."""

    def fault(self, what: str, *, id_: str, error: ImagegenError) -> None:
        """Ignore the event."""

    def warned(self, what: str, *, id_: str = "", error: BaseException | None = None) -> None:
        """Ignore the event."""

    def defect(self, error: BaseException) -> None:
        """Keep every defect that was not injected, because none may happen."""
        if not isinstance(error, InjectedDefect):
            self.defects.append(error)


@dataclass(frozen=True, slots=True)
class StagedCallBacks:
    """The queue of call-backs of a stage."""

    stage: Stage

    def send(self, generation: Generation) -> None:  # noqa: ARG002 - there is one
        """Send a message."""
        self.stage.announce()

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError


class StagedRecent:
    """The requests without a key, of which no schedule has one."""

    def get(self, name: str) -> RecentList | None:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError

    def put(self, new: RecentList, *, replacing: RecentList | None) -> RecentList:
        """Raise an error, because no delivery calls this."""
        raise NotImplementedError


def with_message(env: Env, claim: str) -> Env:
    """Return the stores with one more message; more than two of one claim count as two."""
    if env.messages.count(claim) > 1:
        return env
    return env._replace(messages=(*env.messages, claim))


def without_message(env: Env, claim: str) -> Env:
    """Return the stores without one message of a claim."""
    index = env.messages.index(claim)
    return env._replace(messages=env.messages[:index] + env.messages[index + 1 :])


def written(env: Env, new: Generation, replacing: str | None) -> Env:
    """Return the stores after a conditional write has arrived, whether its condition held or not."""
    stands = env.record
    if (stands.version if stands else None) != replacing:
        return env
    if stands is not None and stands.claim != new.claim and env.paid:
        raise Broken("a key was started again although something was paid")
    return _without_dead(env._replace(record=new, deleted=env.deleted or new.state == "deleted"))


def _without_dead(env: Env) -> Env:
    """Drop the late writes whose condition can never hold again, because no version comes back."""
    current = env.record.version if env.record else None
    possible = {current, *(new.version for new, _ in env.late_writes)}
    alive = tuple(write for write in env.late_writes if write[1] in possible and write[0].version != current)
    return env if alive == env.late_writes else env._replace(late_writes=alive)
