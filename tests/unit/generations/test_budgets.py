"""Budgets of the use case: what is reserved, what is corrected, who is refused, and what each generation cost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations.batch import submit_batch
from imagegen.generations.charges import Ceiling, Charge, QuotaLimits, dollars, micro_usd
from tests.support.fakes import CORE, SDXL, ULTRA, stable_image_answer
from tests.support.use_case import DOWN, NOT_STORED, OWNER, PAID, REQUEST, UNBILLED, code, later, submit, work
from tests.support.world import World, world

if TYPE_CHECKING:
    from imagegen.errors import ImagegenError

SLOW: Final = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),), steps=51))
DAY: Final = "2026-11-25"


def budget(usd: float) -> QuotaLimits:
    """Return limits with a budget for each caller."""
    return QuotaLimits(daily_micro_usd_per_caller=micro_usd(usd))


def counted(service: World) -> Charge:
    """Return what is counted for the caller."""
    return service.quotas.taken[OWNER, DAY]


def test_an_image_costs_what_its_model_costs() -> None:
    """The record, the counter and the observer agree."""
    service = world()
    made = submit(service).generation
    assert (made.cost, counted(service)) == (40_000, Charge(images=1, micro_usd=40_000))
    assert service.observer.charges == [(SDXL, "", 40_000)]


def test_more_than_fifty_steps_cost_more() -> None:
    """SDXL has two prices."""
    service = world()
    assert submit(service, request=SLOW).generation.cost == 80_000


def test_the_dearest_model_is_reserved_and_the_one_that_draws_is_counted() -> None:
    """While the first model is called, the price of the second is counted."""
    service = world(models=(CORE, ULTRA))
    during = []
    service.runtime.before = lambda: during.append(counted(service).micro_usd)
    submit(service)
    assert (during, counted(service).micro_usd) == ([140_000], 40_000)


def test_a_dearer_model_than_was_reserved_is_never_called() -> None:
    """A record may be older than the deployment's list."""
    service = world(models=(ULTRA, CORE))
    deadline = service.deadline()
    image = service.attempts.caller.call(REQUEST, deadline, at_most=40_000)
    assert (image.ref.id, len(service.runtime.calls)) == (CORE, 1)


@pytest.mark.parametrize("failure", UNBILLED, ids=code)
def test_what_was_certainly_unbilled_is_given_back(failure: ImagegenError) -> None:
    """Nothing stays counted, and the generation cost nothing."""
    service = world(answers=[failure])
    with pytest.raises(type(failure)):
        submit(service)
    assert (counted(service), service.store.only().cost, service.observer.charges) == (Charge(), 0, [])


@pytest.mark.parametrize("failure", PAID, ids=code)
def test_what_may_be_paid_stays_counted_at_the_price_of_the_model_that_was_called(
    failure: ImagegenError,
) -> None:
    """Not at the price of the dearest one."""
    service = world(answers=[failure], models=(CORE, ULTRA))
    with pytest.raises(type(failure)):
        submit(service)
    assert counted(service) == Charge(images=1, micro_usd=40_000)
    assert service.observer.charges == [(CORE, "", 40_000)]


@pytest.mark.parametrize("failure", [NOT_STORED, DOWN, ZeroDivisionError()], ids=["stored", "down", "defect"])
def test_an_image_that_was_not_stored_counts_at_the_price_of_its_model(failure: Exception) -> None:
    """The dearest model was reserved, and it is known that another one drew."""
    service = world(models=(CORE, ULTRA))
    service.images.failures.extend([failure] * 500)  # type: ignore[list-item]  # a defect is none of ours
    with pytest.raises(errors.StoreFailed) as caught:
        submit(service)
    assert (caught.value.model, counted(service).micro_usd) == (CORE, 40_000)
    assert service.observer.charges == [(CORE, "", 40_000)]


def test_an_image_that_cannot_be_read_counts_at_the_price_of_its_model() -> None:
    """The model answered with bytes that are no image."""
    service = world(models=(CORE, ULTRA), answers=[stable_image_answer(b"no image")])
    with pytest.raises(errors.BadModelResponse):
        submit(service)
    assert counted(service).micro_usd == 40_000
    assert service.observer.charges == [(CORE, "", 40_000)]


def test_a_budget_lets_through_what_it_covers_and_not_one_image_more() -> None:
    """The refusal says what is left and what one more may cost."""
    service = world(quota_limits=budget(0.10))
    for _ in range(2):
        submit(service, key=None)
    with pytest.raises(errors.QuotaExceeded, match=r"\$0.10 a day has \$0.02 left, .* may cost \$0.04"):
        submit(service, key=None)
    assert len(service.runtime.calls) == 2


def test_a_budget_below_one_image_says_so() -> None:
    """Waiting for midnight would not help."""
    service = world(quota_limits=budget(0.03))
    with pytest.raises(errors.QuotaExceeded, match=r"below the price of one image, which may be \$0.04"):
        submit(service)
    assert (list(service.store.all()), service.runtime.calls) == ([], [])


def test_a_limit_of_no_images_is_not_for_tomorrow() -> None:
    """Waiting would not help, so the sentence names who can."""
    service = world(quota_limits=QuotaLimits(daily_images_per_caller=0))
    with pytest.raises(
        errors.QuotaExceeded, match=r"limit of images a day is 0\. Only the operator can raise it"
    ):
        submit(service)


def test_a_ceiling_without_a_number_limits_nothing() -> None:
    """A limit of 0 is a limit."""
    assert not Ceiling().limits
    assert Ceiling(images=0).limits
    assert Ceiling(micro_usd=1).limits


def test_many_at_once_get_exactly_what_the_budget_covers() -> None:
    """A hundred requests at once against a budget for ten."""
    service = world(quota_limits=budget(0.40))

    def ask(number: int) -> bool:
        try:
            submit(service, key=f"key-number-{number:08d}")
        except errors.QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(max_workers=16) as pool:
        assert sum(pool.map(ask, range(100))) == 10
    assert (len(service.runtime.calls), counted(service).micro_usd) == (10, 400_000)


def test_a_batch_takes_what_fits() -> None:
    """Five images are asked for, and the budget covers two."""
    service = world(quota_limits=budget(0.08))
    made = submit_batch(
        service.submitter,
        service.history,
        REQUEST,
        images=5,
        owner=OWNER,
        key=None,
        deadline=service.deadline(),
    )
    assert (len(made), len(service.runtime.calls)) == (2, 2)


def test_a_caller_may_ask_for_so_many_images_a_minute() -> None:
    """The next minute has room again."""
    service = world(quota_limits=QuotaLimits(images_per_minute_per_caller=2))
    for _ in range(2):
        submit(service, key=None)
    with pytest.raises(errors.RateLimited) as caught:
        submit(service, key=None)
    assert caught.value.retry_after == 60
    later(service, 60)
    submit(service, key=None)


def test_a_key_of_its_own_limits_goes_by_them() -> None:
    """A budget of the key's own, or none at all."""
    service = world(quota_limits=budget(0))
    with pytest.raises(errors.QuotaExceeded):
        submit(service, key=None, key_id="alicealice22")
    for own in (0.04, None):
        submit(service, key=None, key_id="alicealice22", own={"daily_usd_per_caller": own})
    assert service.observer.charges == [(SDXL, "alicealice22", 40_000)] * 2


def test_a_minute_without_images_is_refused_for_good() -> None:
    """Also for a key of its own limit of 0; waiting for the next minute would not help."""
    limits = QuotaLimits(images_per_minute_per_caller=0)
    own = {"images_per_minute_per_caller": 0}
    for service, limited in ((world(quota_limits=limits), {}), (world(), own)):
        with pytest.raises(errors.QuotaExceeded, match=r"a minute is 0\. Only the operator") as caught:
            submit(service, own=limited)
        assert caught.value.retry_after == 43_201
        assert service.runtime.calls == []


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_a_job_is_counted_from_the_moment_it_is_accepted() -> None:
    """It counts as unfinished until it ends."""
    service = world()
    submit(service, asynchronous=True)
    assert counted(service) == Charge(images=1, micro_usd=40_000, jobs=1)
    work(service)
    assert counted(service) == Charge(images=1, micro_usd=40_000)


def test_a_caller_may_have_so_many_unfinished_jobs() -> None:
    """One that ends makes room for the next."""
    service = world(quota_limits=QuotaLimits(queued_jobs_per_caller=1))
    submit(service, asynchronous=True)
    with pytest.raises(errors.RateLimited, match="1 unfinished jobs"):
        submit(service, asynchronous=True, key=None)
    work(service)
    submit(service, asynchronous=True, key=None)


def test_a_caller_without_jobs_may_still_ask_synchronously() -> None:
    """Waiting for unfinished jobs would not help: there are none."""
    service = world(quota_limits=QuotaLimits(queued_jobs_per_caller=0))
    with pytest.raises(errors.QuotaExceeded, match=r"no request may be asynchronous\. Only the operator"):
        submit(service, asynchronous=True)
    assert submit(service).generation.state == "succeeded"


def test_a_job_that_is_cancelled_gives_everything_back() -> None:
    """Its message finds a tombstone, and nothing is called."""
    service = world()
    job = submit(service, asynchronous=True).generation
    service.history.delete(job.id, owner=OWNER)
    assert counted(service) == Charge()
    work(service)
    assert (service.runtime.calls, service.store.only().state) == ([], "deleted")


def test_a_dead_job_gives_back_what_was_never_paid() -> None:
    """Its message was given up before any call."""
    service = world()
    job = submit(service, asynchronous=True).generation
    service.jobs.bury(job.id)
    assert counted(service) == Charge()


def test_a_job_is_refused_with_what_all_of_its_calls_may_cost() -> None:
    """The price of an image alone would not explain it; a synchronous request has one call, and fits."""
    service = world(quota_limits=budget(0.07), max_paid_attempts=2)
    with pytest.raises(
        errors.QuotaExceeded, match=r"price of one job, which may be \$0.08 for up to 2 calls"
    ):
        submit(service, asynchronous=True)
    submit(service, key=None)
    service = world(quota_limits=budget(0.13), max_paid_attempts=2)
    submit(service, asynchronous=True)
    with pytest.raises(
        errors.QuotaExceeded, match=r"\$0.05 left, and one more job may cost \$0.08 for up to 2"
    ):
        submit(service, asynchronous=True, key=None)


def test_a_job_that_was_cut_off_costs_both_of_its_calls() -> None:
    """The first one may have been paid; nobody knows by which model."""
    service = world(models=(CORE, ULTRA), max_paid_attempts=2)
    job = submit(service, asynchronous=True).generation
    assert counted(service).micro_usd == 280_000
    started = service.ledger.start(job)
    service.ledger.write(started, replacing=job)
    later(service)
    work(service)
    assert service.store.only().cost == counted(service).micro_usd == 140_000 + 40_000
    assert service.observer.charges == [("", "", 140_000), ("", "", -140_000), (CORE, "", 180_000)]


# -- faults and sentences ----------------------------------------------------------------------------------------------


def test_a_correction_that_fails_leaves_too_much_counted() -> None:
    """A unit too many is better than an image too many."""
    service = world(models=(CORE, ULTRA))
    service.runtime.before = lambda: service.quotas.failures.append(DOWN)
    made = submit(service).generation
    assert (made.cost, counted(service).micro_usd) == (40_000, 140_000)
    assert ("warned", "a counter was not corrected") in service.observer.events


def test_what_is_left_of_a_budget_is_told_in_images() -> None:
    """At the highest price of the dearest model; the lower of the two limits counts."""
    limits = replace(budget(0.40), daily_images_per_caller=4)
    service = world(quota_limits=limits)
    assert service.submitter.images_left(OWNER) == 4
    submit(service)
    assert service.submitter.images_left(OWNER) == 3
    assert world(quota_limits=budget(0.40)).submitter.images_left(OWNER) == 5
    assert world().submitter.images_left(OWNER) is None


@pytest.mark.parametrize("models", [(SDXL,), (CORE,), (CORE, ULTRA), (SDXL, CORE)])
def test_no_more_images_are_promised_than_the_budget_covers(models: tuple[str, ...]) -> None:
    """More than fifty steps cost more with SDXL, and nobody knows what the next images will be."""
    service = world(models=models, quota_limits=budget(0.30))
    promised = service.submitter.images_left(OWNER)
    assert promised
    for _ in range(promised):
        submit(service, key=None, request=SLOW)


def test_nothing_is_left_for_a_caller_who_may_make_no_image_in_a_minute() -> None:
    """Whatever the day's limits leave."""
    limits = QuotaLimits(images_per_minute_per_caller=0)
    assert world(quota_limits=limits).submitter.images_left(OWNER) == 0


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "$0.00"), (40_000, "$0.04"), (1_234_567, "$1.234567"), (5_500_000, "$5.50")]
)
def test_money_is_written_as_people_write_it(micro: int, text: str) -> None:
    """At least two decimals, and no more than it needs."""
    assert dollars(micro) == text


@pytest.mark.parametrize("usd", [0.07, 0.1 + 0.2, 99_999.999999])
def test_dollars_become_whole_micro_dollars(usd: float) -> None:
    """The nearest one, because a float is never exact."""
    assert micro_usd(usd) == int(f"{usd * 1e6:.0f}")
