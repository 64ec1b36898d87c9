"""The counters in the table: images, micro-dollars and jobs of a day under their limits, and what is given back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError

from imagegen import errors
from imagegen.adapters.dynamodb import DynamoDbQuotas
from imagegen.generations.charges import NOTHING, Charge, QuotaLimits, Remaining
from tests.support import sdk_clients
from tests.support.fakes import FakeClock, FakeObserver, FakeRandomness
from tests.support.far_side import FarSide, Reply, json_answer, refusal, session
from tests.support.records import NOW

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

URL = "https://far.example"
FAILED = "ConditionalCheckFailedException"
DAY = "2026-11-25"
CALLER, SHARED = f"quota#alice#{DAY}", f"quota##{DAY}"
LIMITS = QuotaLimits(
    daily_images_per_caller=5,
    daily_micro_usd_per_caller=1_000_000,
    queued_jobs_per_caller=3,
    daily_images=9,
    daily_micro_usd=2_000_000,
)
CHARGE = Charge(images=1, micro_usd=40_000)
JOB = replace(CHARGE, jobs=1)


def counters(
    *replies: Reply, limits: QuotaLimits = LIMITS, observer: FakeObserver | None = None
) -> tuple[DynamoDbQuotas, FarSide]:
    """Return counters over these responses, and the requests that they send."""
    client = sdk_clients.dynamodb(session())
    quotas = DynamoDbQuotas(
        client=client,
        once=lambda: client,
        table="generations",
        limits=limits,
        clock=FakeClock(NOW),
        randomness=FakeRandomness(),
        observer=observer or FakeObserver(),
    )
    return quotas, FarSide(client, *replies)


def take(quotas: DynamoDbQuotas, charge: Charge = CHARGE) -> None:
    """Take an amount of the caller's day."""
    quotas.take("alice", DAY, charge, own={})


def value(sent: dict[str, Any], name: str) -> int:
    """Return a number of a request's expression."""
    return int(sent["ExpressionAttributeValues"][f":{name}"]["N"])


def written(far: FarSide) -> list[tuple[str, int, int]]:
    """Return the counters that were written to, with the images and micro-dollars added."""
    return [
        (sent["Key"]["id"]["S"], value(sent, "images"), value(sent, "micro_usd"))
        for sent in far.sent
        if "UpdateExpression" in sent
    ]


def item(**amounts: int) -> dict[str, Any]:
    """Return a counter's item."""
    return {"stamp": {"S": "other"}, **{name: {"N": str(number)} for name, number in amounts.items()}}


def test_an_image_is_counted_for_its_caller_and_for_the_deployment() -> None:
    """One write each, conditional on the room that its limit leaves; the counters are kept for forty days."""
    quotas, far = counters(json_answer({}), json_answer({}))
    take(quotas, JOB)
    assert written(far) == [(CALLER, 1, 40_000), (SHARED, 1, 40_000)]
    first, second = far.sent
    assert value(first, "expires") == int((NOW + timedelta(days=40)).timestamp())
    assert [value(first, f"{name}_bound") for name in ("images", "micro_usd", "jobs")] == [4, 960_000, 2]
    assert [value(second, f"{name}_bound") for name in ("images", "micro_usd")] == [8, 1_960_000]
    for name in ("images", "micro_usd", "jobs"):
        assert f"(attribute_not_exists({name}) OR {name} <= :{name}_bound)" in first["ConditionExpression"]
    assert value(second, "jobs") == 0


@pytest.mark.parametrize(
    ("amounts", "part"),
    [({"images": 1, "micro_usd": 1_800_000}, 0.9), ({"images": 9, "micro_usd": 40_000}, 1.0)],
    ids=["the money", "the images"],
)
def test_the_used_part_of_the_deployments_day_is_told_without_a_read(
    amounts: dict[str, int], part: float
) -> None:
    """The write itself returns the sums; of the images and the money, the limit that is nearer counts."""
    observer = FakeObserver()
    quotas, far = counters(
        json_answer({"Attributes": item(images=2, micro_usd=80_000)}),
        json_answer({"Attributes": item(**amounts)}),
        observer=observer,
    )
    take(quotas)
    assert observer.used == [part]
    assert [sent["ReturnValues"] for sent in far.sent] == ["UPDATED_NEW"] * 2


def test_a_refused_image_tells_the_used_part_as_well() -> None:
    """Otherwise the last number of a day would be that of the last image that still fitted."""
    observer = FakeObserver()
    full = item(images=9, micro_usd=360_000)
    quotas, _ = counters(
        json_answer({}), refusal(FAILED, Item=full), json_answer({"Attributes": {}}), observer=observer
    )
    with pytest.raises(errors.QuotaExceeded, match="deployment's images of today are used up"):
        take(quotas)
    assert observer.used == [1.0]


def test_without_limits_of_the_deployment_no_used_part_is_told() -> None:
    """There is nothing that it would be a part of."""
    observer = FakeObserver()
    quotas, _ = counters(
        json_answer({"Attributes": item(images=2, micro_usd=80_000)}),
        limits=replace(LIMITS, daily_images=None, daily_micro_usd=None),
        observer=observer,
    )
    take(quotas)
    assert observer.used == []


def test_a_caller_without_a_limit_is_counted_all_the_same() -> None:
    """Its usage is shown; the deployment's counter is kept only where it limits something."""
    quotas, far = counters(json_answer({}), limits=QuotaLimits())
    take(quotas)
    assert written(far) == [(CALLER, 1, 40_000)]
    assert "bound" not in far.sent[0]["ConditionExpression"]


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (QuotaLimits(daily_images_per_caller=0), "caller's limit of images a day is 0. Only the operator"),
        (QuotaLimits(images_per_minute_per_caller=0), "caller's limit of images a minute is 0. Only the"),
        (QuotaLimits(queued_jobs_per_caller=0), "limit of unfinished jobs is 0, so no request may be asyn"),
        (QuotaLimits(daily_images=0), "switched off"),
        (QuotaLimits(daily_micro_usd=0), "switched off"),
        (
            QuotaLimits(daily_micro_usd_per_caller=30_000),
            r"budget of \$0.03 a day is below the price of one image, which may be \$0.04",
        ),
        (QuotaLimits(daily_micro_usd=30_000), r"deployment's budget of \$0.03 a day is below"),
    ],
)
def test_what_can_never_fit_is_refused_without_a_write_that_counts(
    limits: QuotaLimits, sentence: str
) -> None:
    """The sentence says which limit it is, and a client does not repeat the request by itself."""
    quotas, far = counters(*[json_answer({})] * 2, limits=limits)
    with pytest.raises(errors.QuotaExceeded, match=sentence) as raised:
        take(quotas, JOB)
    assert raised.value.retry_after == 43_201
    assert sum(images for _, images, _ in written(far)) == 0


@pytest.mark.parametrize(
    ("counted", "error", "sentence"),
    [
        ({"images": 5}, errors.QuotaExceeded, "images of today are used up"),
        (
            {"images": 1, "micro_usd": 980_000},
            errors.QuotaExceeded,
            r"budget of \$1.00 a day has \$0.02 left, and one more image may cost \$0.04",
        ),
        ({"images": 3, "jobs": 3}, errors.RateLimited, "has 3 unfinished jobs"),
    ],
)
@pytest.mark.parametrize("sends_item", [True, False])
def test_a_caller_at_a_limit_is_told_which(
    counted: dict[str, int], error: type[errors.ImagegenError], sentence: str, *, sends_item: bool
) -> None:
    """By the item that refused, or by reading it; the deployment's counter is not written."""
    replies = [refusal(FAILED, Item=item(**counted))] if sends_item else [refusal(FAILED)]
    quotas, far = counters(*replies, json_answer({"Item": item(**counted)}))
    with pytest.raises(error, match=sentence):
        take(quotas, JOB)
    assert [name for name, _, _ in written(far)] == [CALLER]


def test_a_counter_that_has_room_again_is_an_error_that_passes() -> None:
    """Something was given back between the refusal and the look."""
    quotas, _ = counters(refusal(FAILED), json_answer({"Item": item(images=1)}))
    with pytest.raises(errors.InternalError, match="at the same time"):
        take(quotas)


def test_a_deployment_beyond_its_limit_gives_the_callers_amount_back() -> None:
    """Nothing stays counted."""
    quotas, far = counters(json_answer({}), refusal(FAILED, Item=item(images=9)), json_answer({}))
    with pytest.raises(errors.QuotaExceeded, match="deployment"):
        take(quotas)
    assert written(far) == [(CALLER, 1, 40_000), (SHARED, 1, 40_000), (CALLER, -1, -40_000)]


@pytest.mark.parametrize(
    ("limits", "replies"),
    [
        (QuotaLimits(daily_micro_usd_per_caller=100_000), []),
        (QuotaLimits(daily_micro_usd=100_000), [json_answer({})] * 2),
    ],
    ids=["caller", "deployment"],
)
def test_a_job_of_two_calls_is_not_refused_with_the_price_of_an_image(
    limits: QuotaLimits, replies: list[Reply]
) -> None:
    """Twelve cents are what both calls may cost; the same job with one call would fit."""
    quotas, _ = counters(*replies, limits=limits)
    with pytest.raises(
        errors.QuotaExceeded, match=r"one job, which may be \$0.12 for up to 2 calls of a model\."
    ):
        take(quotas, replace(JOB, micro_usd=120_000, calls=2))


@pytest.mark.parametrize("failed", ["AccessDeniedException", "ItemCollectionSizeLimitExceededException"])
def test_a_refusal_stays_the_reply_if_giving_back_fails(failed: str) -> None:
    """The caller's amount stays counted until midnight; an error of the table would not say why."""
    observer = FakeObserver()
    replies = (json_answer({}), refusal(FAILED, Item=item(images=9)), refusal(failed))
    quotas, far = counters(*replies, observer=observer)
    with pytest.raises(errors.QuotaExceeded, match="deployment"):
        take(quotas)
    assert written(far) == [(CALLER, 1, 40_000), (SHARED, 1, 40_000), (CALLER, -1, -40_000)]
    # But the operator learns of it, unless the table says that there was nothing to give back.
    assert observer.events == ([] if failed == FAILED else [("warned", "a refused unit was not given back")])


def test_a_counter_that_cannot_be_written_refuses() -> None:
    """An unbounded bill would be worse than an error; the caller's amount is given back."""
    quotas, far = counters(json_answer({}), refusal("AccessDeniedException"), json_answer({}))
    with pytest.raises(errors.Misconfigured):
        take(quotas)
    assert [images for _, images, _ in written(far)] == [1, 1, -1]


def test_a_count_whose_answer_was_lost_counts_once() -> None:
    """The SDK repeats the write, and the refusal shows the stamp of the first one."""

    def refused_over_itself(request: AWSPreparedRequest) -> AWSResponse:
        body: Any = request.body
        stamp = json.loads(body)["ExpressionAttributeValues"][":stamp"]
        return refusal(FAILED, Item={"images": {"N": "5"}, "stamp": stamp})

    lost = ConnectionClosedError(endpoint_url=URL)
    quotas, far = counters(lost, refused_over_itself, limits=QuotaLimits(daily_images_per_caller=5))
    take(quotas)
    assert far.bodies[0] == far.bodies[1]
    assert "stamp <> :stamp" in far.sent[0]["ConditionExpression"]


def test_a_key_may_have_limits_of_its_own() -> None:
    """They take the place of the deployment's; null is no limit."""
    quotas, far = counters(json_answer({}), json_answer({}))
    quotas.take("alice", DAY, CHARGE, own={"daily_images_per_caller": None, "daily_usd_per_caller": 0.05})
    assert ":images_bound" not in far.sent[0]["ExpressionAttributeValues"]
    assert value(far.sent[0], "micro_usd_bound") == 10_000


# -- a minute ----------------------------------------------------------------------------------------------------------


def test_a_minute_is_counted_before_the_day() -> None:
    """The counter of the minute is kept for an hour."""
    quotas, far = counters(*[json_answer({})] * 2, limits=QuotaLimits(images_per_minute_per_caller=2))
    take(quotas)
    assert [name for name, _, _ in written(far)] == ["minute#alice#2026-11-25T12:00", CALLER]
    assert value(far.sent[0], "images_bound") == 1
    assert value(far.sent[0], "expires") == int((NOW + timedelta(hours=1)).timestamp())


def test_a_full_minute_refuses_until_the_next() -> None:
    """The day's counter is not written."""
    quotas, far = counters(refusal(FAILED), limits=QuotaLimits(images_per_minute_per_caller=2))
    with pytest.raises(errors.RateLimited, match="limit of 2 images a minute is used up") as raised:
        take(quotas)
    assert raised.value.retry_after == 60
    assert CALLER not in [name for name, _, _ in written(far)]


# -- corrections and looks ---------------------------------------------------------------------------------------------


def test_what_is_given_back_is_taken_from_both_counters() -> None:
    """Neither falls below zero, and one that is gone is not made again."""
    quotas, far = counters(json_answer({}), json_answer({}))
    quotas.correct("alice", DAY, NOTHING - JOB)
    assert written(far) == [(CALLER, -1, -40_000), (SHARED, -1, -40_000)]
    condition = far.sent[0]["ConditionExpression"]
    assert condition.startswith("attribute_exists(stamp) AND images >= :images_bound AND micro_usd >= ")
    assert value(far.sent[0], "images_bound") == 1


@pytest.mark.parametrize(
    ("counted", "change", "sent"),
    [
        ({"images": 3}, NOTHING - JOB, [(-1, -40_000, -1), (-1, 0, 0)]),
        ({"images": 3, "micro_usd": 90_000}, NOTHING - JOB, [(-1, -40_000, -1), (-1, -40_000, 0)]),
        ({"images": 3}, Charge(micro_usd=40_000, jobs=-1), [(0, 40_000, -1), (0, 40_000, 0)]),
        ({"micro_usd": 39_999}, NOTHING - CHARGE, [(-1, -40_000, 0)]),
        ({}, NOTHING - JOB, [(-1, -40_000, -1)]),
    ],
)
def test_an_amount_that_cannot_be_given_back_does_not_keep_the_others(
    counted: dict[str, int], change: Charge, sent: list[tuple[int, int, int]]
) -> None:
    """The refusal shows what is counted; only what fits is sent again, and each request once."""
    quotas, far = counters(
        refusal(FAILED, Item=item(**counted)), json_answer({}), limits=QuotaLimits(daily_images_per_caller=5)
    )
    quotas.correct("alice", DAY, change)
    amounts = ("images", "micro_usd", "jobs")
    assert [tuple(value(one, name) for name in amounts) for one in far.sent] == sent
    # A write that is repeated by its stamp would recognise the refused one as its own.
    assert len({one["ExpressionAttributeValues"][":stamp"]["S"] for one in far.sent}) == len(sent)


def test_what_does_not_fit_the_second_time_stays_counted() -> None:
    """Another one was given back between the two; a unit too many is better than an image too many."""
    quotas, far = counters(
        *[refusal(FAILED, Item=item(images=1))] * 2, limits=QuotaLimits(daily_images_per_caller=5)
    )
    quotas.correct("alice", DAY, NOTHING - JOB)
    assert written(far) == [(CALLER, -1, -40_000), (CALLER, -1, 0)]


def test_the_deployment_is_corrected_although_the_callers_counter_failed() -> None:
    """The failure is raised all the same, because the caller's amount stays counted."""
    quotas, far = counters(refusal("AccessDeniedException"), json_answer({}))
    with pytest.raises(errors.Misconfigured):
        quotas.correct("alice", DAY, NOTHING - CHARGE)
    assert written(far) == [(CALLER, -1, -40_000), (SHARED, -1, -40_000)]


def test_giving_back_stops_at_nothing() -> None:
    """A counter that holds less is not lowered, and this is no error."""
    quotas, far = counters(refusal(FAILED), refusal(FAILED))
    quotas.correct("alice", DAY, NOTHING - CHARGE)
    assert len(far.sent) == 2


@pytest.mark.parametrize(
    ("limits", "replies", "left"),
    [
        (LIMITS, [{"images": 2, "micro_usd": 80_000}, {"images": 8}], Remaining(images=1, micro_usd=920_000)),
        (LIMITS, [{}, {}], Remaining(images=5, micro_usd=1_000_000)),
        (LIMITS, [{"images": 7}, {}], Remaining(images=0, micro_usd=1_000_000)),
        (QuotaLimits(), [{"images": 7}], Remaining(images=None, micro_usd=None)),
    ],
)
def test_the_lower_of_two_limits_says_what_is_left(
    limits: QuotaLimits, replies: list[dict[str, int]], left: Remaining
) -> None:
    """Both counters are read consistently; one that nobody has written yet counts nothing."""
    answers = [json_answer({"Item": item(**one)} if one else {}) for one in replies]
    quotas, far = counters(*answers, limits=limits)
    assert quotas.left("alice", DAY, own={}) == left
    assert all(sent["ConsistentRead"] for sent in far.sent)


def test_the_usage_of_several_days_is_one_read_a_day() -> None:
    """A day without images counts nothing."""
    quotas, far = counters(json_answer({"Item": item(images=2, micro_usd=80_000)}), json_answer({}))
    assert quotas.usage("alice", [DAY, "2026-11-24"]) == [Charge(images=2, micro_usd=80_000), NOTHING]
    assert [sent["Key"]["id"]["S"] for sent in far.sent] == [CALLER, "quota#alice#2026-11-24"]


@pytest.mark.parametrize(
    ("limits", "stopped"),
    [
        (QuotaLimits(), False),
        (QuotaLimits(daily_images=1), False),
        (QuotaLimits(daily_images=0), True),
        (QuotaLimits(daily_micro_usd=0), True),
    ],
)
def test_only_a_limit_of_nothing_stops_the_deployment(limits: QuotaLimits, *, stopped: bool) -> None:
    """The adapter knows this without a call of the table."""
    quotas, far = counters(limits=limits)
    assert quotas.stopped() is stopped
    assert far.sent == []
