"""The model caller decides which model is called, how often, and what a failure costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from imagegen import errors
from imagegen.adapters.bedrock.refusal_texts import REFUSALS
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError, VendorRefusal
from imagegen.generations.model_caller import STORE_RESERVE, ModelCaller
from imagegen.models.dialect import Artifact
from imagegen.models.registry import Lifecycle, resolve
from tests.support.fakes import (
    CORE,
    SDXL,
    ULTRA,
    Answer,
    FakeClock,
    FakeDeadline,
    FakeObserver,
    FakeRandomness,
    FakeRuntime,
    sdxl_answer,
    stable_image_answer,
)

TEA = TextToImage(text_prompts=(Prompt(text="tea"),), seed=7)
REQUEST = GenerationRequest(task=TEA)
STRICT = replace(REQUEST, strict=True, task=replace(TEA, cfg_scale=9.0))
RETIRED = errors.ModelRetired("Retired.")
ENDED = replace(RETIRED, refusal=VendorRefusal(reason="end_of_life", lasting=True))
THROTTLED = errors.ModelThrottled("Busy.")
UNREACHABLE = errors.ModelUnavailable("Refused.")


@dataclass
class Line:
    """A model caller over a scripted runtime."""

    caller: ModelCaller
    runtime: FakeRuntime
    clock: FakeClock
    observer: FakeObserver

    def deadline(self, seconds: float = 80.0) -> FakeDeadline:
        """Return a deadline that is this many seconds from now."""
        return FakeDeadline(self.clock, seconds)

    @property
    def called(self) -> list[str]:
        """Return the ids of the models that were called."""
        return [id_ for id_, _ in self.runtime.calls]


@dataclass
class FullJitter(FakeRandomness):
    """Chooses the fractions that a test gives."""

    fractions: list[float] = field(default_factory=list)

    def fraction(self) -> float:
        """Return the next fraction."""
        return self.fractions.pop(0)


def line(
    *answers: Answer,
    models: tuple[str, ...] = (SDXL, CORE),
    model_timeout: float = 60,
    randomness: FakeRandomness | None = None,
) -> Line:
    """Return a model caller whose runtime gives these answers."""
    runtime, clock, observer = FakeRuntime(list(answers)), FakeClock(), FakeObserver()
    caller = ModelCaller(
        refs=tuple(resolve(model, region="us-west-2") for model in models),
        runtime=runtime,
        clock=clock,
        randomness=randomness or FakeRandomness(),
        observer=observer,
        model_timeout=model_timeout,
    )
    return Line(caller, runtime, clock, observer)


def test_the_first_model_of_the_list_draws() -> None:
    """The order of the setting `models` is the order of preference."""
    service = line()
    drawn = service.caller.call(REQUEST, service.deadline())
    assert (drawn.ref.id, drawn.seed, service.called) == (SDXL, 7, [SDXL])


def test_a_retired_model_costs_one_unbilled_call_a_process() -> None:
    """Later requests skip the retired model and call the next one at once."""
    service = line(RETIRED, stable_image_answer(seed=7))
    for _ in range(3):
        assert service.caller.call(REQUEST, service.deadline()).ref.id == CORE
    assert service.called == [SDXL, CORE, CORE, CORE]
    assert service.observer.events.count(("known_model_retired", SDXL)) == 1


def test_a_retirement_that_the_registry_does_not_know_is_told_apart() -> None:
    """Its dates say that Stable Image Core lives, so an operator has to be told."""
    service = line(RETIRED, models=(CORE,))
    with pytest.raises(errors.ModelRetired):
        service.caller.call(REQUEST, service.deadline())
    assert ("model_retired", CORE) in service.observer.events


def test_the_time_of_a_model_is_that_of_the_call_that_made_the_image() -> None:
    """A throttled call before it and the pause after that are time of the service's own."""
    service = line(THROTTLED, sdxl_answer(seed=7))
    service.runtime.before = lambda: service.clock.sleep(3)
    drawn = service.caller.call(REQUEST, service.deadline())
    assert drawn.seconds == 3.0
    assert (service.clock.now() - FakeClock().now()).total_seconds() > 6


def test_a_model_that_has_certainly_ended_is_passed_over_for_ten_minutes() -> None:
    """Then one unbilled call shows whether it is back."""
    service = line(ENDED, *[stable_image_answer(seed=7)] * 2, sdxl_answer(seed=7))
    for seconds in (0, 590):
        service.clock.sleep(seconds)
        assert service.caller.call(REQUEST, service.deadline()).ref.id == CORE
    service.clock.sleep(10)
    assert service.caller.call(REQUEST, service.deadline()).ref.id == SDXL
    assert service.called == [SDXL, CORE, CORE, SDXL]


def test_what_nobody_can_explain_moves_requests_to_another_model_for_seconds() -> None:
    """It may have been about one request. The other model may be a dearer one."""
    service = line(RETIRED, *[stable_image_answer(seed=7)] * 2, models=(CORE, ULTRA))
    assert service.caller.call(REQUEST, service.deadline()).ref.id == ULTRA
    service.clock.sleep(20)
    assert service.caller.call(REQUEST, service.deadline()).ref.id == CORE
    assert service.called == [CORE, ULTRA, CORE]


def test_a_wrong_answer_about_the_last_model_is_told_to_others_as_passing() -> None:
    """The first model ended long ago, the second answered so once. Whoever comes next is told when to come again."""
    service = line(ENDED, stable_image_answer(seed=7), RETIRED, ENDED, stable_image_answer(seed=7))
    service.caller.call(REQUEST, service.deadline())
    service.clock.sleep(25)
    told = []
    for seconds in (0, 5):
        service.clock.sleep(seconds)
        with pytest.raises(errors.ModelRetired) as caught:
            service.caller.call(REQUEST, service.deadline())
        told.append((caught.value.may_be_repeated, caught.value.retry_after))
    # The first of them asked both models. The second asked none: it is 15 seconds too early.
    assert told == [(False, None), (True, 15)]
    service.clock.sleep(15)
    assert service.caller.call(REQUEST, service.deadline()).ref.id == CORE
    assert service.called == [SDXL, CORE, CORE, SDXL, CORE]


def test_if_the_last_living_model_has_ended_those_that_ended_before_are_asked_once_more() -> None:
    """An error that names every model would be wrong about those that were not asked."""
    service = line(ENDED, stable_image_answer(seed=7), ENDED, sdxl_answer(seed=7))
    service.caller.call(REQUEST, service.deadline())
    service.clock.sleep(60)
    assert service.caller.call(REQUEST, service.deadline()).ref.id == SDXL
    assert service.called == [SDXL, CORE, CORE, SDXL]


@pytest.mark.parametrize(
    ("models", "request_", "at_most"),
    [((ULTRA, CORE), REQUEST, 40_000), ((CORE, SDXL), STRICT, None)],
    ids=["a dearer one", "one that cannot honour it"],
)
def test_a_model_that_ended_before_is_not_the_reason_why_the_last_one_cannot_serve(
    models: tuple[str, str], request_: GenerationRequest, at_most: int | None
) -> None:
    """The error says that the models have ended, and that the first of them is asked again."""
    first, second = models
    drawn = sdxl_answer(seed=7) if second == SDXL else stable_image_answer(seed=7)
    service = line(ENDED, drawn, ENDED, models=models)
    assert service.caller.call(REQUEST, service.deadline()).ref.id == second
    service.clock.sleep(60)
    with pytest.raises(errors.ModelRetired) as caught:
        service.caller.call(request_, service.deadline(), at_most=at_most)
    assert caught.value.may_be_repeated
    assert service.called == [first, second, second]


def test_an_error_is_passing_as_long_as_one_model_was_not_asked() -> None:
    """The one that was asked has ended; the other one said so five seconds ago."""
    service = line(RETIRED, stable_image_answer(seed=7), RETIRED)
    service.caller.call(REQUEST, service.deadline())
    service.clock.sleep(5)
    with pytest.raises(errors.ModelRetired) as caught:
        service.caller.call(REQUEST, service.deadline())
    assert (caught.value.may_be_repeated, caught.value.retry_after) == (True, 15)
    assert service.called == [SDXL, CORE, CORE]


def test_a_request_that_the_living_model_cannot_honour_is_not_for_one_that_has_ended() -> None:
    """The error says what the caller can change."""
    service = line(ENDED, stable_image_answer(seed=7))
    service.caller.call(REQUEST, service.deadline())
    service.clock.sleep(60)
    with pytest.raises(errors.UnsupportedParameter):
        service.caller.call(STRICT, service.deadline())
    assert service.called == [SDXL, CORE]


def test_what_passes_in_an_hour_is_not_waited_for() -> None:
    """A quota of the day stays used up for longer than any request lives."""
    service = line(replace(THROTTLED, retry_after=3_600), sdxl_answer(seed=7))
    with pytest.raises(errors.ModelThrottled) as caught:
        service.caller.call(REQUEST, service.deadline())
    assert (caught.value.retry_after, service.called) == (3_600, [SDXL])


def test_two_entries_of_one_model_are_remembered_apart() -> None:
    """A model can be retired on demand, and still run behind the operator's own endpoint."""
    endpoint = f"{SDXL}@arn:aws:sagemaker:us-west-2:123456789012:endpoint/sdxl"
    service = line(RETIRED, sdxl_answer(seed=7), models=(SDXL, endpoint))
    drawn = service.caller.call(replace(REQUEST, model=SDXL), service.deadline())
    assert drawn.ref.host == "endpoint"


def test_a_pinned_model_that_is_retired_names_its_successor() -> None:
    """A pinned model has no fallback; the error names the successor, and a second request makes no call."""
    service = line(RETIRED)
    pinned = replace(REQUEST, model=SDXL)
    for _ in range(2):
        with pytest.raises(errors.ModelRetired, match=CORE):
            service.caller.call(pinned, service.deadline())
    assert service.called == [SDXL]


def test_when_every_model_is_retired_the_error_says_so() -> None:
    """The error is unbilled; only the operator can mend it."""
    service = line(RETIRED)
    with pytest.raises(errors.ModelRetired, match="Every model of this deployment") as caught:
        service.caller.call(REQUEST, service.deadline())
    assert caught.value.kind.paid == "no"
    assert "successor" not in caught.value.detail  # the successor is retired here as well
    assert service.called == [SDXL, CORE]


@pytest.mark.parametrize("reason", sorted({one.reason for one in REFUSALS}))
def test_the_next_model_is_asked_only_if_the_first_has_ended(reason: str) -> None:
    """A refusal of the account stops the request: another model would hide it, at another price."""
    cause = next(one for one in REFUSALS if one.reason == reason)
    refused = cause.error(cause.sentence, refusal=VendorRefusal(reason=reason, request_id="1-2"))
    service = line(*[refused] * 50, models=(SDXL, CORE))
    with pytest.raises(type(refused)):
        service.caller.call(REQUEST, service.deadline(80))
    goes_on = reason in {"end_of_life", "legacy", "unknown_identifier"}
    assert (CORE in service.called) is goes_on
    assert ("model_refused", f"{SDXL} {reason}") in service.observer.events


@pytest.mark.parametrize("answers", [(), (RETIRED,)], ids=["dearer than before", "only a dearer one is left"])
def test_a_model_that_costs_more_than_was_reserved_is_not_called(answers: tuple[Answer, ...]) -> None:
    """The price rose while the job waited, or the model that it was reserved for has ended: the error says so."""
    service = line(*answers, models=(CORE, ULTRA))
    most = 39_999 if not answers else 40_000
    with pytest.raises(errors.Misconfigured, match="cost more than was reserved"):
        service.caller.call(REQUEST, service.deadline(), at_most=most)
    assert service.called == [CORE][: len(answers)]


def test_where_nothing_is_left_a_retired_model_is_asked_again_after_a_while() -> None:
    """An unbilled call now and then shows when an account has access again. Until then the error says when that is."""
    service = line(RETIRED, RETIRED, RETIRED, stable_image_answer(seed=7))
    told, sentences = [], []
    for seconds in (0, 0, 12.5, 7):
        service.clock.sleep(seconds)
        with pytest.raises(errors.ModelRetired) as caught:
            service.caller.call(REQUEST, service.deadline())
        told.append((caught.value.may_be_repeated, caught.value.retry_after))
        sentences.append(caught.value.detail)
    assert told == [(False, None), (True, 20), (True, 8), (True, 1)]
    assert sentences[1].endswith(" asks again in 20 seconds.")
    assert sentences[3].endswith(" asks again in a second.")
    assert service.called == [SDXL, CORE]
    service.clock.sleep(0.5)
    assert service.caller.call(REQUEST, service.deadline()).ref.id == CORE
    assert service.called == [SDXL, CORE, SDXL, CORE]


def test_a_model_that_the_operator_hosts_has_no_successor() -> None:
    """The vendor's dates do not apply to the operator's endpoint."""
    endpoint = f"{SDXL}@arn:aws:sagemaker:us-west-2:123456789012:endpoint/sdxl"
    service = line(RETIRED, models=(endpoint,))
    assert service.caller.refs[0].lifecycle == Lifecycle()
    with pytest.raises(errors.ModelRetired) as caught:
        service.caller.call(REQUEST, service.deadline())
    assert "successor" not in caught.value.detail


def test_a_pinned_model_that_is_not_enabled_lists_those_that_are() -> None:
    """The error lists the models that a caller may pin."""
    service = line()
    with pytest.raises(errors.UnknownModel) as caught:
        service.caller.price(replace(REQUEST, model="amazon.nova-canvas-v1:0"))
    assert caught.value.errors[0].field == "model"
    assert SDXL in caught.value.errors[0].message
    assert CORE in caught.value.errors[0].message


@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE], ids=["throttled", "unreachable"])
def test_what_is_certainly_unbilled_and_will_pass_is_tried_again(error: ImagegenError) -> None:
    """The client waits a moment instead of getting an error."""
    service = line(error, error, sdxl_answer(seed=7))
    service.caller.call(REQUEST, service.deadline())
    assert service.called == [SDXL] * 3
    assert service.clock.slept == [0.1, 0.2]


NEVER_AGAIN = [
    kind for kind in errors.error_types() if kind not in {errors.ModelThrottled, errors.ModelUnavailable}
]


@pytest.mark.parametrize("kind", NEVER_AGAIN, ids=lambda kind: kind.kind.code)
def test_everything_else_is_exactly_one_request(kind: type[ImagegenError]) -> None:
    """A second call after any other error may be paid a second time."""
    service = line(kind("No."), models=(SDXL,))
    with pytest.raises(ImagegenError):
        service.caller.call(REQUEST, service.deadline())
    assert len(service.called) == 1


def test_the_pauses_double_up_to_a_bound_and_jitter_is_full() -> None:
    """Each pause is a random time from zero to its bound, so that callers do not come back together."""
    chance = FullJitter(fractions=[1.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.0])
    service = line(*[THROTTLED] * 8, sdxl_answer(seed=7), randomness=chance)
    service.caller.call(REQUEST, service.deadline(100))
    assert service.clock.slept == [0.2, 0.0, 0.4, 1.6, 2.0, 2.0, 2.0, 0.0]


def test_retries_end_while_one_whole_call_and_storing_still_fit() -> None:
    """The last call begins no later than `model_timeout` and the reserve for storing before the deadline."""
    service = line(THROTTLED)
    deadline = service.deadline(80)
    with pytest.raises(errors.ModelThrottled):
        service.caller.call(REQUEST, deadline)
    assert deadline.remaining() < 60 + STORE_RESERVE
    assert sum(service.clock.slept[:-1]) <= 80 - 60 - STORE_RESERVE


def test_retries_are_bounded_in_number_even_if_no_time_passes() -> None:
    """The number of tries is bounded, so that a clock that stands still causes no endless loop."""
    service = line(THROTTLED, randomness=FullJitter(fractions=[0.0] * 50))
    with pytest.raises(errors.ModelThrottled):
        service.caller.call(REQUEST, service.deadline())
    assert len(service.called) == 50


def test_no_call_is_begun_that_could_not_be_stored() -> None:
    """An image that cannot be stored in time would be paid for and lost; not calling costs nothing."""
    service = line()
    with pytest.raises(errors.ModelUnavailable, match="Too little time") as caught:
        service.caller.call(REQUEST, service.deadline(60 + STORE_RESERVE - 0.001))
    assert service.called == []
    assert caught.value.kind.paid == "no"


@pytest.mark.parametrize("model_timeout", [1, 2, 5, 60, 269, 270])
def test_every_allowed_model_timeout_leaves_room_for_a_call_at_the_door(model_timeout: int) -> None:
    """A call still fits ten seconds after the invocation began, in the time-out that the stack derives."""
    function_timeout = min(300, max(10, model_timeout + 20))
    service = line(model_timeout=model_timeout)
    service.caller.call(REQUEST, service.deadline(function_timeout - 10))
    assert service.called == [SDXL]


def test_strict_refuses_what_the_model_would_ignore_before_calling_it() -> None:
    """The error names the parameter that the model would ignore."""
    service = line(models=(CORE,))
    with pytest.raises(errors.UnsupportedParameter) as caught:
        service.caller.price(STRICT)
    assert [one.field for one in caught.value.errors] == ["cfg_scale"]
    with pytest.raises(errors.UnsupportedParameter):
        service.caller.call(STRICT, service.deadline())
    assert service.called == []


def test_strict_passes_the_door_while_one_living_model_could_honour_it() -> None:
    """The check passes if any model could honour the request; the call decides which model serves it."""
    service = line(RETIRED)
    service.caller.price(STRICT)
    with pytest.raises(errors.UnsupportedParameter):
        service.caller.call(STRICT, service.deadline())
    assert service.called == [SDXL]
    with pytest.raises(errors.UnsupportedParameter):
        service.caller.price(STRICT)


def test_what_the_model_ignores_is_named_where_strict_is_not_asked_for() -> None:
    """The result names the parameters that the model ignored."""
    service = line(models=(CORE,))
    drawn = service.caller.call(replace(STRICT, strict=False), service.deadline())
    assert drawn.ignored == ("cfg_scale",)
    assert service.caller.ignored(CORE, STRICT) == ("cfg_scale",)
    assert service.caller.ignored("gone.from-the-list", STRICT) == ()


@dataclass(frozen=True)
class Refusing:
    """Reads every answer as an error that counts as unbilled."""

    def __call__(self, answer: bytes, *, seed: int | None = None) -> tuple[Artifact, ...]:
        """Raise that error."""
        raise errors.InvalidParameter(f"{len(answer)} bytes, {seed}")


def test_an_answer_is_never_taken_for_unbilled() -> None:
    """An answer arrived, so the call may have been paid, whichever error the dialect reads from it."""
    service = line(models=(SDXL,))
    (ref,) = service.caller.refs
    dialect = replace(ref.model.dialect, artifacts=Refusing())
    service.caller.refs = (replace(ref, model=replace(ref.model, dialect=dialect)),)
    with pytest.raises(errors.BadModelResponse):
        service.caller.call(REQUEST, service.deadline())


def test_the_seed_that_was_sent_is_reported_where_the_answer_has_none() -> None:
    """The result has a seed, so that the same image can be made again."""
    service = line(sdxl_answer(seed=0))
    assert service.caller.call(REQUEST, service.deadline()).seed == 7


def test_a_filtered_image_is_a_paid_failure_and_does_not_fall_through() -> None:
    """A call of the next model would be paid as well, so it is not made."""
    service = line(sdxl_answer(seed=7, reason="CONTENT_FILTERED"))
    with pytest.raises(errors.ContentFiltered) as caught:
        service.caller.call(REQUEST, service.deadline())
    assert caught.value.kind.paid == "yes"
    assert service.called == [SDXL]


def test_a_model_that_cannot_honour_the_request_is_passed_over() -> None:
    """The first model of the list ignores a parameter of a strict request; the second does not."""
    service = line(models=(CORE, SDXL))
    service.caller.price(STRICT)
    service.caller.call(STRICT, service.deadline())
    assert service.called == [SDXL]


def decision(step: Callable[[], object]) -> str:
    """Return how a step ends: the code of its error, or that it can be done."""
    try:
        step()
    except ImagegenError as exc:
        return exc.kind.code
    return "served"


@pytest.mark.parametrize("retired", [(), (SDXL,), (CORE,), (SDXL, CORE)], ids=len)
@pytest.mark.parametrize("pinned", [None, SDXL, CORE, "unknown"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("length", [10, 5_000, 20_000])
def test_what_is_reserved_for_can_be_served_and_nothing_else_is_called(
    *, retired: tuple[str, ...], pinned: str | None, strict: bool, length: int
) -> None:
    """The price and the call decide alike, so nothing is recorded and queued that no model can serve."""
    service = line(RETIRED)
    for model in retired:
        with pytest.raises(errors.ModelRetired):
            service.caller.call(replace(REQUEST, model=model), service.deadline())
    service.runtime.answers.clear()
    service.runtime.calls.clear()
    task = replace(TEA, text_prompts=(Prompt(text="x" * length),), cfg_scale=9.0)
    request = replace(REQUEST, task=task, model=pinned, strict=strict)
    priced = decision(lambda: service.caller.price(request))
    assert decision(lambda: service.caller.call(request, service.deadline())) == priced
    assert len(service.called) == (priced == "served")
