"""A month of mixed traffic: records, counters, observer and the models' own ledger agree to the micro-dollar.

The ledger counts the price of each call that the model billed, or that nobody can call unbilled. In this month no
attempt is cut off: of such an attempt nobody knows which model it called, so its reservation counts.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations.batch import submit_batch
from imagegen.generations.jobs import RetryLater
from imagegen.generations.model_caller import ModelCaller
from tests.support.fakes import CORE, SD35, SDXL, FakeRuntime
from tests.support.use_case import PAID, UNBILLED, submit
from tests.support.world import World, world

if TYPE_CHECKING:
    from imagegen.models.registry import ModelRef

ULTRA: Final = "stability.stable-image-ultra-v1:1"
MODELS: Final = (SDXL, CORE, SD35, ULTRA)
OWNERS: Final = {f"{name * 26}"[:26]: f"{name}key" for name in ("alice", "bobby", "carol")}
DAYS: Final = 30
REQUESTS_A_DAY: Final = 25


@dataclass
class Ledger(FakeRuntime):
    """A model that fails now and then, and knows what it billed, in micro-dollars by model."""

    chance: random.Random = field(default_factory=lambda: random.Random(20261128))  # noqa: S311 - no secret
    billed: Counter[str] = field(default_factory=Counter)
    steps: int = 30

    def invoke(self, ref: ModelRef, body: bytes) -> bytes:
        """Answer with an image, or fail."""
        fate = self.chance.random()
        self.answers = []
        if fate < 0.12:
            self.answers = [self.chance.choice(PAID)]
        elif fate < 0.24:
            self.answers = [self.chance.choice(UNBILLED)]
        if fate >= 0.24 or fate < 0.12:
            self.billed[ref.id] += ref.model.price.micro_usd(self.steps)
        return super().invoke(ref, body)


def a_month() -> tuple[World, Ledger]:
    """Return a service after its month, and the ledger of its models."""
    service, ledger = world(models=MODELS), Ledger()
    caller: ModelCaller = replace(service.attempts.caller, runtime=ledger)
    attempts = replace(service.attempts, caller=caller)
    submitter = replace(service.submitter, attempts=attempts)
    jobs, history = replace(service.jobs, attempts=attempts), replace(service.history, attempts=attempts)
    service.service = replace(service.service, submitter=submitter, jobs=jobs, history=history)
    chance = ledger.chance
    for number in range(DAYS * REQUESTS_A_DAY):
        if number % REQUESTS_A_DAY == 0:
            service.clock.time += timedelta(days=1)
        one(service, ledger, number, chance)
    return service, ledger


def one(service: World, ledger: Ledger, number: int, chance: random.Random) -> None:
    """Send one request, of a kind by chance, and let what it queued be worked on, cancelled or given up."""
    owner, key_id = chance.choice(list(OWNERS.items()))
    ledger.steps = chance.choice((30, 50, 51, 150))
    task = TextToImage(text_prompts=(Prompt(text=f"tea {number}"),), steps=ledger.steps)
    request = GenerationRequest(task=task, model=chance.choice((None, *MODELS)))
    kind = chance.random()
    caller: dict[str, Any] = {"owner": owner, "key_id": key_id}
    # The retired models of one failure are asked again after a minute.
    service.clock.time += timedelta(seconds=61)
    with suppress(ImagegenError):
        if kind < 0.2:
            submit_batch(
                service.submitter,
                service.history,
                request,
                images=3,
                key=None,
                deadline=service.deadline(),
                **caller,
            )
        elif kind < 0.5:
            job = submit(service, request=request, key=f"key-{number:016d}", asynchronous=True, **caller)
            _end(service, job.generation.id, owner, chance.random())
        else:
            key = f"key-{number:016d}"
            for _ in range(2):
                # The second one replays, or starts again what had cost nothing.
                with suppress(ImagegenError):
                    submit(service, request=request, key=key, **caller)


def _end(service: World, id_: str, owner: str, fate: float) -> None:
    if fate < 0.15:
        service.history.delete(id_, owner=owner)
    elif fate < 0.3:
        service.jobs.bury(id_)
    else:
        for _ in range(20):
            with suppress(RetryLater):
                service.jobs.work(id_, service.deadline())
                break
        else:
            service.jobs.bury(id_)


def test_four_books_agree_to_the_micro_dollar() -> None:
    """Records, counters, observer and ledger, by model and by key as well."""
    service, ledger = a_month()
    records = list(service.store.all())
    paid = sum(ledger.billed.values())
    assert len(records) > 500
    assert {record.state for record in records} >= {"succeeded", "failed", "deleted"}
    assert paid > 20_000_000
    assert sum(record.cost for record in records) == paid
    assert sum(counted.micro_usd for counted in service.quotas.taken.values()) == paid
    assert sum(amount for _, _, amount in service.observer.charges) == paid
    by_model: Counter[str] = Counter()
    by_key: Counter[str] = Counter()
    for model, key_id, amount in service.observer.charges:
        by_model[model] += amount
        by_key[key_id] += amount
    assert by_model == ledger.billed
    for owner, key_id in OWNERS.items():
        counted = [one.micro_usd for (who, _), one in service.quotas.taken.items() if who == owner]
        assert by_key[key_id] == sum(counted)
    assert sum(counted.jobs for counted in service.quotas.taken.values()) == 0
