"""In-memory fakes of the ports, with state that a test can read, so that no test has to patch anything."""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

from imagegen.errors import ImagegenError, InternalError, invalid
from imagegen.generations.charges import NOTHING, Charge, OwnLimits, QuotaLimits, Remaining
from imagegen.generations.generation import Generation, ImageName, StoredImage
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.ports import Delivery, Page, RecentList, SignedUrl
from imagegen.generations.stored_record import UnreadableRecord, bill_to_json, from_json, to_json
from imagegen.models.registry import ModelRef
from tests.support.picture_files import plain

SDXL = "stability.stable-diffusion-xl-v1"
SD35 = "stability.sd3-5-large-v1:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
DLQ_ARN = "arn:aws:sqs:us-east-1:000000000000:dead-letters"
CALL_BACK_ARN = "arn:aws:sqs:us-east-1:000000000000:call-backs"


@cache
def png(width: int = 1024, height: int = 1024, *, grey: int = 128) -> bytes:
    """Return a small valid one-colour PNG of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes([grey]) * width) * height, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def sdxl_answer(image: bytes | None = None, *, seed: int = 0, reason: str = "SUCCESS") -> bytes:
    """Return an answer in the SDXL dialect."""
    text = base64.b64encode(png() if image is None else image).decode()
    artifact = {"seed": seed, "base64": text, "finishReason": reason}
    return json.dumps({"result": "success", "artifacts": [artifact]}).encode()


def stable_image_answer(image: bytes | None = None, *, seed: int = 0) -> bytes:
    """Return an answer in the Stable Image dialect."""
    text = base64.b64encode(png() if image is None else image).decode()
    return json.dumps({"seeds": [seed], "finish_reasons": [None], "images": [text]}).encode()


@dataclass
class FakeClock:
    """A clock that moves only when a test sets it, or when somebody sleeps on it."""

    time: datetime = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the fake time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move the clock on without waiting."""
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass
class FakeRandomness:
    """Randomness that only counts up; threads may share it."""

    drawn: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def seed(self) -> int:
        """Return 1001, then 1002, and so on."""
        return 1000 + self._next()

    def token(self) -> str:
        """Return a token that has not been returned before."""
        return f"{self._next():026d}"

    def fraction(self) -> float:
        """Return the middle of 0…1."""
        return 0.5

    def _next(self) -> int:
        with self._lock:
            self.drawn += 1
            return self.drawn


@dataclass
class FakeDeadline:
    """The time that is left, counted down by a fake clock."""

    clock: FakeClock
    seconds: float = 80.0
    since: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.clock.time

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.seconds - (self.clock.time - self.since).total_seconds()


Answer = bytes | ImagegenError


@dataclass
class FakeRuntime:
    """A model runtime that gives the scripted answers, one for each call, then always the last.

    `before` is called while the model draws; `defect` is raised after the call was recorded.
    """

    answers: list[Answer] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    before: Callable[[], object] | None = None
    defect: BaseException | None = None

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:
        """Record the call, and return the next answer."""
        request = json.loads(body)
        self.calls.append((ref.id, request))
        if self.before is not None:
            self.before()
        if self.defect is not None:
            raise self.defect
        if not self.answers:
            dialect = ref.model.dialect.name
            if dialect == "sdxl":
                return sdxl_answer(seed=request["seed"])
            wanted = f"image/{request.get('output_format', 'png')}"
            return stable_image_answer(None if wanted == "image/png" else plain(wanted), seed=request["seed"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ImagegenError):
            raise answer
        return answer


@dataclass
class FakeImages:
    """A bucket in memory; the first calls raise the `failures`, one each."""

    clock: FakeClock
    objects: dict[tuple[str, str], tuple[bytes, StoredImage]] = field(default_factory=dict)
    failures: list[ImagegenError] = field(default_factory=list)
    urls: int = 0

    def put(self, name: ImageName, content: bytes, image: StoredImage) -> None:
        """Keep an image."""
        self._fail()
        self.objects[name.owner, name.id] = (content, image)

    def find(self, name: ImageName) -> StoredImage | None:
        """Return the stored image, or None."""
        self._fail()
        kept = self.objects.get((name.owner, name.id))
        return kept[1] if kept else None

    def read(self, name: ImageName) -> bytes | None:
        """Return the bytes of an image, or None."""
        self._fail()
        kept = self.objects.get((name.owner, name.id))
        return kept[0] if kept else None

    def url(self, name: ImageName, *, download: str | None = None) -> SignedUrl:
        """Return a URL that is new every time; it names the file that a browser is to save."""
        self.urls += 1
        suffix = FORMATS[name.content_type].suffix
        url = f"https://bucket.example/images/{name.owner}/{name.id}{suffix}?signature={self.urls}"
        if download is not None:
            url += f"&download={quote(download, safe='')}"
        return SignedUrl(url=url, expires_at=self.clock.now() + timedelta(hours=1))

    def delete(self, name: ImageName) -> None:
        """Forget an image."""
        self._fail()
        self.objects.pop((name.owner, name.id), None)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class FakeStore:
    """A table in memory that keeps records as text, as the real one does.

    The first writes raise the `failures`, one each, and write nothing. The next `lost_answers` writes are made, and
    raise an error all the same. While `index_lags`, the index of due records stays as it was, as an eventually
    consistent index may.
    """

    items: dict[str, str] = field(default_factory=dict)
    bills: dict[str, str] = field(default_factory=dict)
    index: dict[str, datetime | None] = field(default_factory=dict)
    index_lags: bool = False
    failures: list[ImagegenError] = field(default_factory=list)
    lost_answers: int = 0

    def get(self, id_: str) -> Generation | None:
        """Return a record, or None."""
        item = self.items.get(id_)
        return self._read(id_, item) if item else None

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write `new` if `replacing` is still current, and return the version that is current afterwards."""
        if self.failures:
            raise self.failures.pop(0)
        stands = self.get(new.id)
        if stands is not None and stands.version == new.version:
            return self._answered(new)
        # The table may have removed what a new claim replaces.
        removed = stands is None and replacing is not None and new.claim != replacing.claim
        if not removed and (stands.version if stands else None) != (replacing.version if replacing else None):
            assert stands is not None
            return stands
        self.items[new.id], self.bills[new.id] = to_json(new), bill_to_json(new)
        if not self.index_lags:
            self.index[new.id] = new.due_at
        return self._answered(new)

    def _answered(self, new: Generation) -> Generation:
        if self.lost_answers:
            self.lost_answers -= 1
            raise InternalError("The table did not answer.")
        return new

    def of_owner(self, owner: str, *, limit: int, cursor: str | None) -> Page:
        """Return a page; the cursor is the number of records to skip."""
        readable, unreadable = self._readable()
        mine = [one for one in readable if one.owner == owner and one.state != "deleted"]
        mine.sort(key=lambda one: one.created_at, reverse=True)
        if cursor is not None and not cursor.isdecimal():
            raise invalid("cursor", "must be the next_cursor of an earlier reply")
        start = int(cursor or 0)
        more = len(mine) > start + limit
        return Page(
            generations=tuple(mine[start : start + limit]),
            next_cursor=str(start + limit) if more else None,
            unreadable=unreadable,
        )

    def _readable(self) -> tuple[list[Generation], tuple[str, ...]]:
        readable: list[Generation] = []
        unreadable: list[str] = []
        for id_, item in list(self.items.items()):
            try:
                readable.append(self._read(id_, item))
            except UnreadableRecord:
                unreadable.append(id_)
        return readable, tuple(unreadable)

    def _read(self, id_: str, item: str) -> Generation:
        return from_json(item, bill=self.bills.get(id_))

    def due(self, now: datetime, *, limit: int) -> Sequence[str]:
        """Return the ids of the records that are due by the index."""
        return [id_ for id_, due_at in self.index.items() if due_at is not None and due_at <= now][:limit]

    def all(self) -> Iterator[Generation]:
        """Return every record."""
        return (self._read(id_, item) for id_, item in list(self.items.items()))

    def only(self) -> Generation:
        """Return the only record of the table."""
        (record,) = self.all()
        return record


@dataclass
class FakeQuotas:
    """Counters in memory; the first calls raise the `failures`, one each."""

    clock: FakeClock
    ceilings: QuotaLimits = field(default_factory=QuotaLimits)
    switched_off: bool = False
    taken: dict[tuple[str, str], Charge] = field(default_factory=dict)
    minutes: dict[tuple[str, str], int] = field(default_factory=dict)
    failures: list[ImagegenError] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def limits(self, own: OwnLimits) -> QuotaLimits:
        """Return the limits that hold for a caller."""
        return self.ceilings.overridden(own)

    def take(self, owner: str, day: str, charge: Charge, *, own: OwnLimits) -> None:
        """Take an amount."""
        self._fail()
        limits, now = self.limits(own), self.clock.now()
        with self._lock:
            minute = (owner, f"{now:%H:%M}")
            refused = limits.minute_refusal(self.minutes.get(minute, 0), now=now)
            counters = (("caller", owner, limits.caller), ("deployment", "", limits.deployment))
            for whose, who, ceiling in counters:
                counted = self._counted(who, day)
                refused = refused or ceiling.refusal(charge, counted=counted, whose=whose, now=now)
            if refused is not None:
                raise refused
            self.minutes[minute] = self.minutes.get(minute, 0) + 1
            self.taken[owner, day] = self._counted(owner, day) + charge

    def correct(self, owner: str, day: str, change: Charge) -> None:
        """Change what is counted."""
        self._fail()
        with self._lock:
            self.taken[owner, day] = self._counted(owner, day) + change

    def left(self, owner: str, day: str, *, own: OwnLimits) -> Remaining:
        """Return what the limits leave."""
        self._fail()
        return Remaining.of(
            self.limits(own), caller=self._counted(owner, day), deployment=self._counted("", day)
        )

    def usage(self, owner: str, days: Sequence[str]) -> Sequence[Charge]:
        """Return what was counted for a caller."""
        return [self._counted(owner, day) for day in days]

    def stopped(self) -> bool:
        """Say whether the deployment is switched off."""
        return self.switched_off

    def _counted(self, owner: str, day: str) -> Charge:
        mine = [counted for (who, when), counted in self.taken.items() if when == day and owner in {who, ""}]
        return sum(mine, NOTHING)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class FakeRecentRequests:
    """The lists of requests in memory; the first calls raise the `failures`, one each."""

    items: dict[str, RecentList] = field(default_factory=dict)
    failures: list[ImagegenError] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self, name: str) -> RecentList | None:
        """Return the list under a name."""
        if self.failures:
            raise self.failures.pop(0)
        return self.items.get(name)

    def put(self, new: RecentList, *, replacing: RecentList | None) -> RecentList:
        """Write `new` if `replacing` is still current, and return what is current."""
        if self.failures:
            raise self.failures.pop(0)
        with self._lock:
            stands = self.items.get(new.name)
            if stands is None or (replacing is not None and stands.version == replacing.version):
                self.items[new.name] = stands = new
            return stands


@dataclass
class FakeQueue:
    """A queue in memory; the first calls raise the `failures`, one each."""

    sent: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)
    postponed_in: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, generation: Generation) -> None:
        """Record the id and the claim of a message."""
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(generation.id)
        self.claims.append(generation.claim)

    def postpone(self, receipt: str, *, queue_arn: str, seconds: int) -> None:
        """Record a postponed message, the seconds, and the queue that it came from."""
        if self.failures:
            raise self.failures.pop(0)
        self.postponed.append((receipt, seconds))
        self.postponed_in.append(queue_arn)


@dataclass
class FakeWebhook:
    """A receiver that gives the scripted answers and then accepts; the first calls raise the `failures`."""

    answers: list[Delivery] = field(default_factory=list)
    failures: list[ImagegenError] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def deliver(self, url: str, *, generation: Generation) -> Delivery:
        """Record the call-back."""
        if self.failures:
            raise self.failures.pop(0)
        self.told.append((url, generation.state))
        return self.answers.pop(0) if self.answers else "delivered"


@dataclass
class FakeObserver:
    """Keeps each event as a pair of its name and a detail."""

    events: list[tuple[str, str]] = field(default_factory=list)
    charges: list[tuple[str, str, int]] = field(default_factory=list)

    times: list[tuple[float, float]] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def succeeded(self, id_: str, *, model: str, seconds: float, model_seconds: float, bytes_: int) -> None:  # noqa: ARG002 - the port's shape
        """Note a finished image, and how long it took, in all and by the model."""
        self.events.append(("succeeded", model))
        self.times.append((seconds, model_seconds))

    def failed(self, id_: str, error: ImagegenError) -> None:  # noqa: ARG002 - the port's shape
        """Note a failed generation."""
        self.events.append(("failed", error.kind.code))

    def charged(self, id_: str, *, model: str, key_id: str, micro_usd: int) -> None:  # noqa: ARG002 - the port's shape
        """Note what was spent."""
        self.charges.append((model, key_id, micro_usd))

    def model_refused(self, model: str, error: ImagegenError) -> None:
        """Keep the model and the reason."""
        self.events.append(("model_refused", f"{model} {error.refusal.reason}" if error.refusal else model))

    def model_retired(self, model: str, *, known: bool) -> None:
        """Note a retired model; one that the registry knows as such by another name."""
        self.events.append(("known_model_retired" if known else "model_retired", model))

    def budget_used(self, part: float) -> None:
        """Note the part of the budget that is used."""
        self.used.append(part)

    def problem(self, error: ImagegenError, *, route: str) -> None:
        """Note a problem."""
        self.problems.append((error.kind.code, route))

    def model_retried(self, model: str, code: str) -> None:
        """Note a retry."""
        self.events.append(("model_retried", f"{model} {code}"))

    def fault(self, what: str, *, id_: str, error: ImagegenError) -> None:  # noqa: ARG002 - the port's shape
        """Note a fault."""
        self.events.append(("fault", error.kind.code))

    def warned(self, what: str, *, id_: str = "", error: BaseException | None = None) -> None:  # noqa: ARG002 - the port's shape
        """Note something unexpected that the code handled."""
        self.events.append(("warned", what))

    def defect(self, error: BaseException) -> None:
        """Note a defect."""
        self.events.append(("defect", type(error).__name__))
