"""The transitions of a record, and what each of them keeps true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations import generation as generations
from imagegen.generations.charges import NOTHING, Charge
from imagegen.generations.generation import (
    Bill,
    Failure,
    Generation,
    IllegalTransition,
    Moment,
    State,
    StoredImage,
)

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NEW = Moment(now=NOW, version="new")
LATER = NOW + timedelta(seconds=85)
REQUEST = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),), seed=7))
HOOKED = replace(REQUEST, webhook_url="https://receiver.example/hook")
IMAGE = StoredImage(model="m", seed=7, width=64, height=64, bytes=9, sha256="00", content_type="image/png")
UNPAID = Failure(code="misconfigured", detail="No.", paid=False)
PAID = Failure(code="model_timeout", detail="Late.", paid=True)
UNKNOWN = Failure(code="outcome_unknown", detail="Cut off.", paid=True)


def record(
    state: State = "queued",
    *,
    paid_attempts: int = 0,
    failure: Failure | None = None,
    request: GenerationRequest = REQUEST,
    asynchronous: bool = True,
) -> Generation:
    """Return a record in any state."""
    return Generation(
        id="gen_" + "a" * 26,
        owner="o" * 26,
        fingerprint="fingerprint",
        request=request,
        asynchronous=asynchronous,
        created_at=NOW,
        expires_at=NOW + timedelta(days=30),
        state=state,
        version="old",
        claim="claim",
        quota_day="2026-11-25",
        due_at=NOW,
        paid_attempts=paid_attempts,
        lease_until=LATER if state == "running" else None,
        image=IMAGE if state == "succeeded" else None,
        failure=failure,
    )


EVERY_STATE: Mapping[str, Generation] = {
    "queued": record("queued"),
    "queued, paid before": record("queued", paid_attempts=1),
    "running": record("running", paid_attempts=1),
    "succeeded": record("succeeded", paid_attempts=1),
    "failed, unpaid": record("failed", failure=UNPAID),
    "failed, paid": record("failed", failure=PAID, paid_attempts=1),
    "failed, may heal": record("failed", failure=UNKNOWN, paid_attempts=1),
    "deleted": record("deleted", paid_attempts=1),
}
TRANSITIONS: Mapping[str, tuple[Callable[[Generation], Generation], set[str]]] = {
    "start": (
        lambda one: one.start(NEW, lease=LATER - NOW, max_paid_attempts=2),
        {"queued", "queued, paid before"},
    ),
    "succeed": (
        lambda one: one.succeed(NEW, image=IMAGE, ignored=()),
        {"queued, paid before", "running", "failed, may heal"},
    ),
    "fail": (
        lambda one: one.fail(NEW, PAID),
        {"queued", "queued, paid before", "running"},
    ),
    "release": (lambda one: one.release(NEW), {"running"}),
    "requeue": (lambda one: one.requeue(NEW), {"running"}),
    "delete": (
        lambda one: one.delete(NEW),
        {"queued", "succeeded", "failed, unpaid", "failed, paid", "failed, may heal"},
    ),
}
PAIRS = [(transition, state) for transition in TRANSITIONS for state in EVERY_STATE]
LEGAL = [pair for pair in PAIRS if pair[1] in TRANSITIONS[pair[0]][1]]
ILLEGAL = [pair for pair in PAIRS if pair[1] not in TRANSITIONS[pair[0]][1]]


@pytest.mark.parametrize(("transition", "state"), LEGAL)
def test_a_legal_transition_gives_the_record_a_new_version_and_keeps_its_claim(
    transition: str, state: str
) -> None:
    """Without a new version, two transitions that race could both be written."""
    changed = TRANSITIONS[transition][0](EVERY_STATE[state])
    assert (changed.version, changed.claim, changed.id) == ("new", "claim", EVERY_STATE[state].id)


@pytest.mark.parametrize(("transition", "state"), ILLEGAL)
def test_an_illegal_transition_is_a_defect(transition: str, state: str) -> None:
    """No transition restarts a record that has ended, or ends it twice."""
    with pytest.raises(IllegalTransition):
        TRANSITIONS[transition][0](EVERY_STATE[state])


def test_a_start_counts_the_call_before_it_is_made() -> None:
    """The write that grants the call also counts it."""
    started = record().start(NEW, lease=LATER - NOW, max_paid_attempts=1)
    assert (started.state, started.paid_attempts) == ("running", 1)
    assert (started.lease_until, started.due_at) == (LATER, LATER)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_start_is_granted_beyond_the_limit(limit: int) -> None:
    """The deployment's limit holds for every record."""
    spent = record("queued", paid_attempts=limit)
    with pytest.raises(IllegalTransition, match="no attempt left"):
        spent.start(NEW, lease=LATER - NOW, max_paid_attempts=limit)


@pytest.mark.parametrize(
    ("calls", "paid", "granted"), [(1, 0, True), (1, 1, False), (2, 1, True), (2, 2, False), (0, 2, True)]
)
def test_no_start_is_granted_beyond_what_the_bill_reserved(calls: int, paid: int, *, granted: bool) -> None:
    """The deployment allows three; a record without a bill has nothing reserved, and goes by that alone."""
    queued = replace(record("queued", paid_attempts=paid), bill=Bill(each=40_000, calls=calls))
    assert queued.may_be_paid_again(3) is granted
    if granted:
        queued.start(NEW, lease=LATER - NOW, max_paid_attempts=3)
    else:
        with pytest.raises(IllegalTransition, match="no attempt left"):
            queued.start(NEW, lease=LATER - NOW, max_paid_attempts=3)


def test_an_unbilled_failure_gives_its_attempt_back_and_frees_the_key() -> None:
    """Nothing was paid, so the same idempotency key may start the generation again."""
    failed = record("running", paid_attempts=1).fail(NEW, UNPAID)
    assert (failed.state, failed.paid_attempts, failed.restartable) == ("failed", 0, True)


def test_an_unbilled_failure_after_a_paid_attempt_does_not_free_the_key() -> None:
    """Only the second attempt is certainly unbilled; the first may have been paid."""
    failed = record("running", paid_attempts=2).fail(NEW, UNPAID)
    assert (failed.paid_attempts, failed.restartable, failed.may_heal) == (1, False, True)


def test_a_paid_failure_keeps_its_attempt_and_the_key() -> None:
    """The failure is replayed from now on."""
    failed = record("running", paid_attempts=1).fail(NEW, PAID)
    assert (failed.paid_attempts, failed.restartable, failed.may_heal) == (1, False, False)


def test_a_queued_record_that_fails_gives_nothing_back() -> None:
    """Only a running record has an attempt that could be given back."""
    failed = record("queued", paid_attempts=1).fail(NEW, UNPAID)
    assert failed.paid_attempts == 1


def test_a_released_attempt_is_not_counted_and_its_message_is_trusted() -> None:
    """The queue brings the message back by itself, so the sweep sends another one only much later."""
    released = record("running", paid_attempts=1).release(NEW)
    assert (released.state, released.paid_attempts, released.lease_until) == ("queued", 0, None)
    assert released.due_at == NOW + generations.RETURNS_WITHIN


def test_a_requeued_attempt_stays_counted() -> None:
    """The attempt may have been paid; its message may be lost, so another one is sent soon."""
    requeued = record("running", paid_attempts=1).requeue(NEW)
    assert (requeued.state, requeued.paid_attempts, requeued.lease_until) == ("queued", 1, None)
    assert requeued.due_at == NOW + generations.RESEND_AFTER


@pytest.mark.parametrize(
    ("waited", "pause"),
    [(0, 120), (119, 120), (121, 121), (3000, 3000), (3601, 3600), (900_000, 3600)],
)
def test_the_longer_a_message_has_waited_the_later_it_is_sent_again(waited: int, pause: int) -> None:
    """The pause grows with the wait, so a long queue is not filled with duplicates."""
    now = NOW + timedelta(seconds=waited)
    assert record().postpone(Moment(now=now, version="new")).due_at == now + timedelta(seconds=pause)


def test_a_success_is_due_only_for_its_webhook() -> None:
    """A generation without a webhook needs nothing more after its success."""
    running = record("running", paid_attempts=1)
    quiet = running.succeed(NEW, image=IMAGE, ignored=("steps",))
    told = replace(running, request=HOOKED).succeed(NEW, image=IMAGE, ignored=())
    assert (quiet.due_at, quiet.webhook, quiet.ignored) == (None, None, ("steps",))
    assert (told.due_at, told.webhook) == (NOW + generations.RESEND_AFTER, "pending")


def test_a_healed_failure_is_told_to_its_webhook_again() -> None:
    """The receiver was told of a failure, which is no longer true."""
    failed = replace(EVERY_STATE["failed, may heal"], request=HOOKED, webhook="delivered", webhook_tries=3)
    healed = failed.succeed(NEW, image=IMAGE, ignored=())
    assert (healed.state, healed.failure) == ("succeeded", None)
    assert (healed.webhook, healed.webhook_tries) == ("pending", 0)


def test_a_tombstone_keeps_nothing_of_the_request() -> None:
    """Only the owner stays, to find the image, and the fingerprint, for the idempotency key."""
    gone = replace(EVERY_STATE["succeeded"], request=HOOKED, webhook="pending").delete(NEW)
    assert gone.request == GenerationRequest(task=TextToImage(text_prompts=()))
    assert (gone.image, gone.failure, gone.webhook, gone.ignored) == (None, None, None, ())
    assert (gone.owner, gone.fingerprint) == ("o" * 26, "fingerprint")
    assert gone.due_at is not None


BILLED = Bill(each=80_000, calls=1, key_id="alicealice22")


def billed(state: State, *, paid_attempts: int = 0) -> Generation:
    """Return a record with 8 cents reserved."""
    return replace(record(state, paid_attempts=paid_attempts), asynchronous=False, bill=BILLED)


def test_what_is_reserved_is_counted_until_the_end_says_what_it_cost() -> None:
    """The dearest model is reserved, and a cheaper one draws."""
    running = billed("running", paid_attempts=1)
    assert running.counted == Charge(images=1, micro_usd=80_000)
    done = running.succeed(NEW, image=IMAGE, ignored=(), cost=40_000)
    assert (done.counted, done.cost, done.bill.model) == (
        Charge(images=1, micro_usd=40_000),
        40_000,
        IMAGE.model,
    )


def test_an_unbilled_end_counts_for_nothing() -> None:
    """The reservation and the image are given back."""
    failed = billed("running", paid_attempts=1).fail(NEW, UNPAID)
    assert (failed.counted, failed.cost) == (NOTHING, 0)


def test_what_may_be_paid_stays_counted_at_the_price_of_the_model_that_was_called() -> None:
    """Where nobody knows which model that was, the reservation stays."""
    running = billed("running", paid_attempts=1)
    assert running.fail(NEW, PAID, cost=40_000, model="core").cost == 40_000
    assert running.fail(NEW, PAID).cost == 80_000


def test_a_late_image_corrects_what_was_counted() -> None:
    """The image says which model drew it."""
    failed = billed("running", paid_attempts=1).fail(NEW, UNKNOWN)
    assert failed.succeed(NEW, image=IMAGE, ignored=(), cost=40_000).cost == 40_000


def test_each_attempt_that_may_be_paid_is_counted() -> None:
    """A job with two calls has both reserved, and the second is given back if it is not needed."""
    job = replace(billed("running", paid_attempts=1), asynchronous=True, bill=replace(BILLED, calls=2))
    assert job.counted == Charge(images=1, micro_usd=160_000, jobs=1)
    again = job.requeue(NEW)
    assert (again.counted, again.cost) == (job.counted, 80_000)
    second = again.start(NEW, lease=LATER - NOW, max_paid_attempts=2)
    assert second.cost == 160_000
    done = second.succeed(NEW, image=IMAGE, ignored=(), cost=40_000)
    assert (done.counted, done.cost) == (Charge(images=1, micro_usd=120_000), 120_000)


def test_a_cancelled_job_counts_for_nothing() -> None:
    """Deleting a job that nobody has worked on gives everything back."""
    assert replace(billed("queued"), asynchronous=True).delete(NEW).counted == NOTHING


@pytest.mark.parametrize(
    ("end", "change"),
    [
        (lambda job: job.fail(NEW, UNPAID), Charge(images=-1)),
        (lambda job: job.fail(NEW, PAID), NOTHING),
        (lambda job: job.succeed(NEW, image=IMAGE, ignored=(), cost=40_000), Charge(micro_usd=40_000)),
    ],
    ids=["unbilled", "paid", "made"],
)
def test_a_job_without_a_bill_gives_no_job_back(
    end: Callable[[Generation], Generation], change: Charge
) -> None:
    """The release before counted its image, and neither money nor a job."""
    job = record("running", paid_attempts=1)
    assert job.counted == Charge(images=1)
    assert end(job).counted - job.counted == change


def test_a_webhook_is_given_up_after_its_last_try() -> None:
    """The record counts the tries, however many messages there are."""
    one = replace(record("succeeded", paid_attempts=1, request=HOOKED), webhook="pending")
    states = []
    for _ in range(generations.MAX_WEBHOOK_TRIES):
        one = one.refuse_webhook(NEW)
        states.append(one.webhook)
    assert states == ["pending"] * (generations.MAX_WEBHOOK_TRIES - 1) + ["failed"]
    assert one.due_at is None


def test_a_webhook_that_ended_leaves_a_failure_due_that_may_heal() -> None:
    """The record stays due, because the sweep still looks for the image."""
    failed = replace(EVERY_STATE["failed, may heal"], webhook="pending")
    assert failed.end_webhook(NEW, delivered=True).due_at == failed.due_at
    ended = replace(EVERY_STATE["succeeded"], webhook="pending")
    assert ended.end_webhook(NEW, delivered=True).due_at is None


def test_a_lease_is_live_until_its_last_moment() -> None:
    """From the moment it ends, another attempt may settle the record."""
    running = record("running", paid_attempts=1)
    assert running.lease_is_live(LATER - timedelta(microseconds=1))
    assert not running.lease_is_live(LATER)
    assert not record("queued").lease_is_live(NOW)


@pytest.mark.parametrize("state", EVERY_STATE)
def test_only_what_has_ended_is_terminal(state: str) -> None:
    """Queued and running records are not terminal."""
    assert EVERY_STATE[state].terminal == (EVERY_STATE[state].state not in {"queued", "running"})


def test_an_id_depends_on_owner_and_key_and_on_nothing_else() -> None:
    """A claim is therefore one conditional write, and callers with the same idempotency key do not meet."""
    id_ = generations.derive_id("alice", "key-1")
    assert id_ == generations.derive_id("alice", "key-1")
    others = {generations.derive_id("alice", "key-2"), generations.derive_id("bob", "key-1")}
    assert id_ not in others
    assert len(others) == 2
    assert id_.startswith("gen_")
    assert len(id_) == 30


def test_owner_and_key_cannot_be_shifted_into_each_other() -> None:
    """Owner and idempotency key are separated before they are hashed."""
    assert generations.derive_id("ab", "c") != generations.derive_id("a", "bc")


@pytest.mark.parametrize("kind", errors.error_types(), ids=lambda kind: kind.kind.code)
def test_every_recorded_failure_comes_back_as_the_error_that_it_was(
    kind: type[errors.ImagegenError],
) -> None:
    """The error has the code, the sentence and the fields of the recorded failure."""
    failure = Failure(code=kind.kind.code, detail="Because.", paid=True, fields=(("steps", "too few"),))
    error = failure.error(generation_id="gen_a", replayed=True)
    assert type(error) is kind
    assert error.detail == "Because."
    assert [(one.field, one.message) for one in error.errors] == [("steps", "too few")]
    assert (error.replayed, error.generation_id) == (True, "gen_a")
