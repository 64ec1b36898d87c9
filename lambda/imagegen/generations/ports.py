"""The protocols by which the use case sees the outside; `adapters/` implements them, and tests have in-memory fakes.

An adapter raises only classes of `imagegen.errors`. The class says whether a call was certainly unbilled (`paid` "no").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from imagegen.errors import ImagegenError
from imagegen.generations.charges import Charge, OwnLimits, QuotaLimits, Remaining
from imagegen.generations.generation import Generation, ImageName, StoredImage
from imagegen.models.registry import ModelRef


class ModelRuntime(Protocol):
    """Amazon Bedrock's runtime, or a server with the same protocol."""

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:
        """Send one request, once, and return the whole answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUrl:
    """A presigned URL and when it stops working, at the latest."""

    url: str
    expires_at: datetime


class ImageStore(Protocol):
    """The private bucket; an image's key derives from its name, so it can be found again."""

    def put(self, name: ImageName, content: bytes, image: StoredImage) -> None:
        """Store an image under its name. A second put of the same image changes nothing."""
        ...

    def find(self, name: ImageName) -> StoredImage | None:
        """Return what is stored, or None. An image that may not be seen counts as missing."""
        ...

    def read(self, name: ImageName) -> bytes | None:
        """Return an image's bytes, or None if the image is missing, as `find`."""
        ...

    def url(self, name: ImageName, *, download: str | None = None) -> SignedUrl:
        """Return a new presigned URL, which lives as long as the settings say.

        A browser shows the image; with `download` it saves it under this file name instead.
        """
        ...

    def delete(self, name: ImageName) -> None:
        """Remove an image; one that is not there counts as removed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A caller's generations, newest first, and where the next page starts."""

    generations: tuple[Generation, ...]
    next_cursor: str | None
    unreadable: tuple[str, ...] = ()
    """The ids of records on the page that this release cannot read."""


class GenerationStore(Protocol):
    """The table of generations; every write is one conditional write of a whole record."""

    def get(self, id_: str) -> Generation | None:
        """Return a record, read consistently."""
        ...

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write `new` if `replacing` is still current (None: if there is no record), and return the current version.

        If the write succeeded, `new` itself is returned, also if its response was lost and it was sent again.
        """
        ...

    def of_owner(self, owner: str, *, limit: int, cursor: str | None) -> Page:
        """Return one page of a caller's history."""
        ...

    def due(self, now: datetime, *, limit: int) -> Sequence[str]:
        """Return the ids of records whose `due_at` has passed."""
        ...


class Quotas(Protocol):
    """The counters of a day (a UTC date): images, money and unfinished jobs, of each caller and of the deployment.

    `own` are the limits of the caller's API key, which take the place of the deployment's.
    """

    def limits(self, own: OwnLimits) -> QuotaLimits:
        """Return the limits that hold for a caller."""
        ...

    def take(self, owner: str, day: str, charge: Charge, *, own: OwnLimits) -> None:
        """Take an amount, of the caller and of the deployment.

        Raises:
            QuotaExceeded, RateLimited: a limit is reached; nothing stays counted, except in the minute's counter.
        """
        ...

    def correct(self, owner: str, day: str, change: Charge) -> None:
        """Change what is counted by an amount, which is negative where something is given back."""
        ...

    def left(self, owner: str, day: str, *, own: OwnLimits) -> Remaining:
        """Return what the caller can still take; takes nothing."""
        ...

    def usage(self, owner: str, days: Sequence[str]) -> Sequence[Charge]:
        """Return what was counted for a caller on each of these days."""
        ...

    def stopped(self) -> bool:
        """Say whether the deployment is switched off; then it makes no image, not even a counted one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRequest:
    """One request that came without an idempotency key.

    `key` is the key that the service chose for it. `connection` is how many seconds its client's connection lasts.
    After `gives_up` seconds an equal request of the same client is its repeat. `by_repeat` says that a repeat made it,
    and not the first request. `repeated` says that a repeat was recognised, or that the reply could not be made.
    `handed_at` is when a repeat received the image.
    """

    key: str
    begun_at: datetime
    connection: float
    gives_up: float
    by_repeat: bool = False
    repeated: bool = False
    handed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentList:
    """The requests of one caller with one fingerprint that may be repeated, newest first, at least one."""

    name: str
    version: str
    requests: tuple[RecentRequest, ...]


class RecentRequests(Protocol):
    """The list under each name, kept for an hour after its newest request; every write is conditional."""

    def get(self, name: str) -> RecentList | None:
        """Return the list, read consistently."""
        ...

    def put(self, new: RecentList, *, replacing: RecentList | None) -> RecentList:
        """Write `new` if `replacing` is still current (None: if there is none), and return what is current."""
        ...


CLAIM: Final = "claim"
"""The attribute of a message that says which claim of its key the message was sent for."""


class WorkQueue(Protocol):
    """A queue of the worker's: of jobs, or of call-backs. A message names a generation and the claim that it is of."""

    def send(self, generation: Generation) -> None:
        """Send a generation to the worker."""
        ...

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:
        """Let a message that came from a queue of the deployment come back after so many seconds."""
        ...


Delivery = Literal["delivered", "refused", "again"]
"""The call-back was accepted; must never be sent; or may be tried again."""


class WebhookSender(Protocol):
    """Signed call-backs (Standard Webhooks)."""

    def deliver(self, url: str, *, generation: Generation) -> Delivery:
        """Tell a receiver once how a generation ended.

        Raises:
            ImagegenError: the receiver was not called, for a reason that is not its own.
        """
        ...


class Clock(Protocol):
    """The time. A port, so that tests need not wait."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        ...


class Randomness(Protocol):
    """Randomness. A port, so that tests can choose it."""

    def seed(self) -> int:
        """Return a seed in 1…4294967294."""
        ...

    def token(self) -> str:
        """Return 128 random bits as lower-case base32, 26 characters."""
        ...

    def fraction(self) -> float:
        """Return a number in 0…1, for jitter."""
        ...


class Deadline(Protocol):
    """The time that is left of this invocation."""

    def remaining(self) -> float:
        """Return the seconds left."""
        ...


class Observer(Protocol):
    """The events that an operator wants to count or read; it is told ids and codes only."""

    def succeeded(self, id_: str, *, model: str, seconds: float, model_seconds: float, bytes_: int) -> None:
        """Note a finished image: how long it took from the call until it was stored, and the model's part of that."""
        ...

    def failed(self, id_: str, error: ImagegenError) -> None:
        """Note a generation that failed."""
        ...

    def charged(self, id_: str, *, model: str, key_id: str, micro_usd: int) -> None:
        """Note what a generation was found to cost, or with a negative amount to cost less.

        `model` is empty if it is not known which one was called, `key_id` if the caller has no API key.
        """
        ...

    def model_refused(self, model: str, error: ImagegenError) -> None:
        """Note why the model's vendor refused a call, with the vendor's id of the request (`error.refusal`)."""
        ...

    def model_retired(self, model: str, *, known: bool) -> None:
        """Note that Bedrock said of a model that it has ended or is not available.

        `known` says that the registry's dates say the same, so that nobody has to be told.
        """
        ...

    def model_retried(self, model: str, code: str) -> None:
        """Note an unbilled call that is repeated."""
        ...

    def budget_used(self, part: float) -> None:
        """Note which part of the deployment's limits of the day is used: from 0 to 1, and a little more at most."""
        ...

    def problem(self, error: ImagegenError, *, route: str) -> None:
        """Note a request whose reply is a problem, by the problem's code and the name of its route."""
        ...

    def fault(self, what: str, *, id_: str, error: ImagegenError) -> None:
        """Note something that the operator or the service has to put right, though no generation failed by it."""
        ...

    def warned(self, what: str, *, id_: str = "", error: BaseException | None = None) -> None:
        """Note something unexpected that the code handled; only the error's class is kept, never its text."""
        ...

    def defect(self, error: BaseException) -> None:
        """Note a defect: the error's class and where it was raised, never its text or its values."""
        ...


# Only the parts of `generations/` use several of these:
# see docs/decisions/0006-only-generations-talks-to-several-ports.md.
@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All ports of one deployment; `wiring.assemble` gives each part those that it needs."""

    runtime: ModelRuntime
    images: ImageStore
    store: GenerationStore
    quotas: Quotas
    recent: RecentRequests
    queue: WorkQueue
    call_backs: WorkQueue
    webhook: WebhookSender
    clock: Clock
    randomness: Randomness
    observer: Observer
