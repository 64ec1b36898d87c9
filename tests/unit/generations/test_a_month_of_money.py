"""A month of mixed traffic: records, counters, observer and the models' own ledger agree to the micro-dollar.

The ledger counts the price of each call that the model billed, or that nobody can call unbilled. Only requests that pin
their model are cut off without an image: then what was reserved is the price of the only model that may have been
called. What becomes of one call depends on its seed alone, so the threads of a batch may run in any order.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations.batch import submit_batch
from imagegen.generations.generation import StoredImage, derive_id
from imagegen.generations.jobs import RetryLater
from tests.support.fakes import CORE, SD35, SDXL, ULTRA, FakeRuntime, png
from tests.support.use_case import NOT_STORED, PAID, UNBILLED, submit
from tests.support.world import World, world

if TYPE_CHECKING:
    from imagegen.models.registry import ModelRef

pytestmark = pytest.mark.slow

PRICES: Final = {SDXL: 40_000, CORE: 40_000, SD35: 80_000, ULTRA: 140_000}
SDXL_ABOVE_50_STEPS: Final = 80_000
"""In micro-dollars, by the price list and not by the registry."""

KEY_IDS: Final = {f"{name * 26}"[:26]: f"{name}key" for name in ("alice", "bobby", "carol")}
OWNERS: Final = tuple(KEY_IDS)
OWN: Final = {OWNERS[2]: {"daily_usd_per_caller": 0.5}}
"""One of the keys has a budget of its own, which is often used up."""
DAYS: Final = 30
REQUESTS_A_DAY: Final = 20
IMAGES_OF_A_BATCH: Final = 3


class Killed(BaseException):
    """The end of a process, which nothing in it survives."""


@dataclass
class Models(FakeRuntime):
    """Models that fail and outlive their callers now and then, and a ledger of what they billed."""

    service: World = field(default_factory=world)
    alone: bool = False
    pinned: bool = False
    billed: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tries: Counter[int] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:
        """Answer with an image, or fail, or see the caller killed."""
        request = json.loads(body)
        seed = request["seed"]
        with self.lock:
            self.tries[seed] += 1
            fate = random.Random(f"{seed} {self.tries[seed]}")  # noqa: S311 - no secret
            point = fate.random()
            if point < 0.1:
                raise fate.choice(UNBILLED)
            dear = ref.id == SDXL and request["steps"] > 50
            self.billed[seed][ref.id] += SDXL_ABOVE_50_STEPS if dear else PRICES[ref.id]
            if point < 0.2:
                raise fate.choice(PAID)
            if self.alone:
                self._strike(ref, point)
            return super().invoke(ref, body)

    def _strike(self, ref: ModelRef, point: float) -> None:
        if point < 0.25:
            self.service.images.failures.extend([NOT_STORED] * 500)
        elif point < 0.3:
            # The next write is the end of the record; the image is in the bucket by then.
            self.service.store.failures.append(Killed())  # type: ignore[arg-type]  # it is none of the errors
        elif point < 0.4 and self.pinned:
            if point < 0.35:
                # The image is on its way to the bucket and arrives there later.
                self.late.append(ref.id)
            raise Killed


@dataclass
class Month:
    """A service, its models and its callers. A request's number is in its key, and ten times in its seed."""

    service: World
    models: Models
    chance: random.Random
    requests: list[tuple[str, str, GenerationRequest, bool]] = field(default_factory=list)
    late: list[tuple[str, str]] = field(default_factory=list)
    seeds_of_deleted: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    killed: int = 0

    def run(self) -> None:
        """Let the days pass, and then what is unfinished end."""
        for _ in range(DAYS - 1):
            for _ in range(REQUESTS_A_DAY):
                # What was retired is asked again after a minute, and leases are over after a minute and a half.
                self.service.clock.time += timedelta(seconds=61)
                self._one()
                self._deliver()
            self.service.clock.time += timedelta(days=1)
            self.service.jobs.sweep(limit=100)
            self._arrive()
        for _ in range(30):
            self.service.clock.time += timedelta(minutes=20)
            self.service.jobs.sweep(limit=100)
            for _ in range(len(self.service.queue.sent)):
                self._deliver()

    def _one(self) -> None:
        number, kind = len(self.requests) + 1, self.chance.random()
        if kind < 0.1:
            self._delete()
        elif kind < 0.25 and self.requests:
            # A repeat, perhaps on another day: a replay, or a new start of what had cost nothing.
            self._submit(*self.chance.choice(self.requests))
        else:
            task = TextToImage(
                text_prompts=(Prompt(text="tea"),),
                steps=self.chance.choice((30, 50, 51, 150)),
                seed=10 * number,
            )
            model = self.chance.choice((None, *PRICES))
            key, owner = f"key-{number:016d}", self.chance.choice(OWNERS)
            request = GenerationRequest(task=task, model=model)
            self.requests.append((owner, key, request, kind < 0.6))
            if kind > 0.85:
                self._submit_batch(owner, key, request)
            else:
                self._submit(*self.requests[-1])

    def _submit(self, owner: str, key: str, request: GenerationRequest, asynchronous: bool) -> None:  # noqa: FBT001 - as listed
        with self._mortality(derive_id(owner, key), request), self._refusals():
            submit(
                self.service,
                request=request,
                key=key,
                asynchronous=asynchronous,
                owner=owner,
                own=OWN.get(owner, {}),
                key_id=KEY_IDS[owner],
            )

    def _submit_batch(self, owner: str, key: str, request: GenerationRequest) -> None:
        with self._refusals():
            submit_batch(
                self.service.submitter,
                self.service.history,
                request,
                images=IMAGES_OF_A_BATCH,
                owner=owner,
                key=key,
                deadline=self.service.deadline(),
                own=OWN.get(owner, {}),
                key_id=KEY_IDS[owner],
            )

    def _deliver(self) -> None:
        """Give a message to a worker, or to the queue of dead letters; it comes back if nobody acknowledged it."""
        sent = self.service.queue.sent
        if not sent:
            return
        id_ = sent.pop(self.chance.randrange(len(sent)))
        record = self.service.store.get(id_)
        assert record is not None
        take = self.service.jobs.bury if self.chance.random() < 0.1 else self._work
        with self._mortality(id_, record.request):
            try:
                take(id_)
            except (RetryLater, Killed):
                sent.append(id_)
                raise

    def _work(self, id_: str) -> None:
        self.service.jobs.work(id_, self.service.deadline())

    def _delete(self) -> None:
        record = self.service.store.get(self.chance.choice([*self.service.store.items] or [""]))
        if record is not None and record.may_be_deleted:
            self.seeds_of_deleted[record.id] = record.request.task.seed or 0
            self.service.history.delete(record.id, owner=record.owner)

    def _arrive(self) -> None:
        """Let images of killed attempts arrive, and their callers look."""
        for id_, model in self.late:
            record = self.service.store.get(id_)
            assert record is not None
            if record.state == "deleted":
                continue
            image = StoredImage(
                model=model, seed=1, width=1, height=1, bytes=1, sha256="", content_type="image/png"
            )
            self.service.images.put(record.image_name, png(), image)
            self.service.history.look_up(id_, owner=record.owner)
        self.late.clear()

    def _mortality(self, id_: str, request: GenerationRequest) -> _Mortality:
        return _Mortality(self, id_, pinned=request.model is not None)

    def _refusals(self) -> _Refusals:
        return _Refusals(self.refused)


@dataclass
class _Refusals:
    refused: Counter[str]

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ImagegenError):
            self.refused[error.kind.code] += 1
        return isinstance(error, ImagegenError)


@dataclass
class _Mortality:
    """Lets the models kill the process of one request or message, of which only the table and the bucket are left."""

    month: Month
    id: str
    pinned: bool

    def __enter__(self) -> None:
        self.month.models.alone, self.month.models.pinned = True, self.pinned

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        month = self.month
        month.models.alone = False
        month.late += [(self.id, model) for model in month.models.late]
        month.models.late.clear()
        month.service.images.failures.clear()
        month.killed += isinstance(error, Killed)
        return isinstance(error, (Killed, RetryLater))


@pytest.fixture(scope="module", params=[1, 2], ids=["one-paid-attempt", "two-paid-attempts"])
def month(request: pytest.FixtureRequest) -> Month:
    """Return a service after its month, with so many paid attempts."""
    service = world(models=tuple(PRICES), max_paid_attempts=request.param)
    models = Models(service=service)
    service.attempts.caller.runtime = models
    made = Month(service=service, models=models, chance=random.Random(20261128))  # noqa: S311 - no secret
    made.run()
    return made


def spent_by_seed(month: Month) -> dict[int, tuple[str, str, int]]:
    """Return, of each record by its seed: the model and the key of its bill, and its cost."""
    seeds = month.seeds_of_deleted
    return {
        seeds.get(one.id, one.request.task.seed or 0): (one.bill.model, one.bill.key_id, one.cost)
        for one in month.service.store.all()
    }


def test_the_month_has_everything_in_it(month: Month) -> None:
    """Each kind of end, and enough money to get it wrong."""
    records = list(month.service.store.all())
    limits = month.service.ledger.limits
    assert len(records) > 400
    assert {one.state for one in records} == {"succeeded", "failed", "deleted"}
    codes = {one.failure.code for one in records if one.failure}
    assert codes >= {error.kind.code for error in (*PAID, NOT_STORED)}
    assert {error.kind.code for error in UNBILLED} <= {*codes, *month.refused, *_retried(month)}
    assert month.refused["quota_exceeded"] > 5
    assert month.refused["gone"] > 0
    assert month.killed > 20
    assert True in {one.cost > 0 for one in records if one.state == "deleted"}
    assert max(one.paid_attempts for one in records) == limits.max_paid_attempts
    assert {one.bill.model for one in records} == {"", *PRICES}


def _retried(month: Month) -> set[str]:
    return {detail.split()[-1] for name, detail in month.service.observer.events if name == "model_retried"}


def test_each_record_costs_what_its_calls_cost(month: Month) -> None:
    """Nothing is shifted from one generation to another."""
    billed = {seed: sum(calls.values()) for seed, calls in month.models.billed.items()}
    costs = {seed: cost for seed, (_, _, cost) in spent_by_seed(month).items() if cost}
    assert costs == billed
    assert sum(costs.values()) > 15_000_000


def test_the_counters_hold_what_the_records_of_their_day_cost(month: Month) -> None:
    """Of each caller on each day, in images and in micro-dollars; no job is left."""
    images: Counter[tuple[str, str]] = Counter()
    micro: Counter[tuple[str, str]] = Counter()
    for one in month.service.store.all():
        images[one.owner, one.quota_day] += one.paid_attempts > 0
        micro[one.owner, one.quota_day] += one.cost
    taken = month.service.quotas.taken
    assert +Counter({key: counted.images for key, counted in taken.items()}) == +images
    assert +Counter({key: counted.micro_usd for key, counted in taken.items()}) == +micro
    assert sum(micro.values()) == sum(sum(calls.values()) for calls in month.models.billed.values())
    assert {counted.jobs for counted in taken.values()} == {0}


def test_the_observer_was_told_the_same_by_model_and_by_key(month: Month) -> None:
    """Of an attempt that was cut off and left no image, nobody knows the model."""
    by_model: Counter[str] = Counter()
    by_key: Counter[str] = Counter()
    for model, key_id, amount in month.service.observer.charges:
        by_model[model] += amount
        by_key[key_id] += amount
    told = spent_by_seed(month)
    known: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    for seed, calls in month.models.billed.items():
        model, key_id, _ = told[seed]
        assert model == "" or set(calls) == {model}
        known[model] += sum(calls.values())
        owner = month.requests[seed // 10 - 1][0]
        assert key_id == KEY_IDS[owner]
        keys[KEY_IDS[owner]] += sum(calls.values())
    assert (by_model, by_key) == (known, keys)
    assert 0 < known[""] < sum(known.values()) / 4


def test_no_caller_spent_more_than_its_budget_on_a_day(month: Month) -> None:
    """Carol's key has half a dollar a day."""
    taken = month.service.quotas.taken
    carol = [counted.micro_usd for (owner, _), counted in taken.items() if owner == OWNERS[2]]
    assert 400_000 < max(carol) <= 500_000


def test_nothing_went_wrong_unseen(month: Month) -> None:
    """No defect, and no counter that was not corrected."""
    assert [event for event in month.service.observer.events if event[0] == "defect"] == []
    assert ("warned", "a counter was not corrected") not in month.service.observer.events
