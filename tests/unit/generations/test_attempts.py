"""An attempt stores its image and records its end; an attempt that was cut off is settled or healed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from imagegen import errors
from imagegen.generations import attempts
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.jobs import RetryLater
from imagegen.generations.marks import Marking
from tests.support.fakes import CORE, png, sdxl_answer
from tests.support.marks import GENERATED, png_chunk, png_xmp, properties
from tests.support.use_case import (
    DOWN,
    NOT_STORED,
    OWNER,
    PAID,
    counted,
    cut_off,
    later,
    store_late,
    submit,
    work,
)
from tests.support.world import world

# -- how long it took -------------------------------------------------------------------------------------------------


def test_an_images_time_is_split_into_the_models_and_our_own() -> None:
    """The model drew for two seconds; the rest is the pause before the image could be stored."""
    service = world()
    service.runtime.before = lambda: service.clock.sleep(2)
    service.images.failures += [NOT_STORED]
    submit(service)
    ((seconds, model_seconds),) = service.observer.times
    assert model_seconds == 2.0
    assert seconds == model_seconds + service.clock.slept[-1] > model_seconds


# -- what the operator is told of a failure ----------------------------------------------------------------------------


def test_a_failure_is_told_once_it_stands() -> None:
    """The event has the code of the error."""
    service = world()
    service.runtime.answers = [errors.BadModelResponse("Odd.")]
    with pytest.raises(errors.BadModelResponse):
        submit(service)
    assert service.observer.events[-1] == ("failed", "bad_model_response")


def test_a_job_that_goes_back_to_the_queue_is_no_failure() -> None:
    """It may still become an image."""
    service = world()
    service.runtime.answers = [errors.ModelThrottled("Busy.")]
    submit(service, asynchronous=True)
    with pytest.raises(RetryLater):
        work(service)
    assert service.store.only().state == "queued"
    assert "failed" not in dict(service.observer.events)


# -- after payment ----------------------------------------------------------------------------------------------------


def test_storing_is_tried_again_until_it_works() -> None:
    """Storing is repeated, because the image is already paid for."""
    service = world()
    service.images.failures += [NOT_STORED] * 5
    assert submit(service).generation.state == "succeeded"
    assert service.clock.slept == sorted(service.clock.slept)
    assert len(service.runtime.calls) == 1


def test_storing_that_never_works_ends_before_the_invocation_does() -> None:
    """The generation ends with `store_failed`: it counts as paid, and its error is replayed."""
    service = world()
    service.images.failures += [NOT_STORED] * 1000
    with pytest.raises(errors.StoreFailed):
        submit(service)
    assert sum(service.clock.slept) < 80
    service.images.failures.clear()
    with pytest.raises(errors.StoreFailed):
        submit(service)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)


def test_no_error_of_storing_is_taken_for_unbilled() -> None:
    """The image was paid before storing began, whatever error the bucket's adapter raises."""
    service = world()
    service.images.failures += [errors.Misconfigured("No right to put.")] * 1000
    with pytest.raises(errors.StoreFailed):
        submit(service)
    assert not service.store.only().restartable


def test_an_image_that_turns_up_after_all_heals_the_failure() -> None:
    """The image was stored, and only the responses were lost."""
    service = world()
    service.images.failures += [NOT_STORED] * 1000
    with pytest.raises(errors.StoreFailed):
        submit(service)
    service.images.failures.clear()
    store_late(service, service.store.only())
    assert submit(service).generation.state == "succeeded"
    assert service.store.only().state == "succeeded"


def test_an_answer_that_is_not_a_png_never_reaches_the_bucket() -> None:
    """The answer was paid for, but nothing is stored, because it is not an image."""
    service = world(answers=[sdxl_answer(b"<html>502 Bad Gateway</html>")])
    with pytest.raises(errors.BadModelResponse):
        submit(service)
    assert service.images.objects == {}


def test_a_defect_after_the_call_counts_as_paid() -> None:
    """An unforeseen exception must not allow a second paid call under the idempotency key."""
    service = world()
    service.runtime.defect = RuntimeError("unforeseen")
    with pytest.raises(errors.OutcomeUnknown):
        submit(service)
    with pytest.raises(errors.OutcomeUnknown):
        submit(service)
    assert (len(service.runtime.calls), counted(service)) == (1, 1)
    assert ("defect", "RuntimeError") in service.observer.events


# -- recording the end ------------------------------------------------------------------------------------------------


def test_the_end_is_recorded_again_until_it_works() -> None:
    """Writing the outcome is repeated, because the image is already stored."""
    service = world()
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 4)
    submit(service)
    assert service.store.only().state == "succeeded"


def test_the_caller_gets_the_image_even_if_its_end_is_never_recorded() -> None:
    """A look-up after the lease finds the image in the bucket."""
    service = world()
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    made = submit(service).generation
    service.store.failures.clear()
    assert (made.state, service.store.only().state) == ("succeeded", "running")
    later(service)
    assert service.history.look_up(made.id, owner=OWNER).image == made.image
    assert len(service.runtime.calls) == 1


def test_an_unbilled_end_that_comes_too_late_gives_nothing_back() -> None:
    """The attempt was given up as `outcome_unknown` before it ended, and that outcome stays."""
    service = world(answers=[errors.Misconfigured("No.")])

    def given_up() -> None:
        later(service)
        service.history.look_up(service.store.only().id, owner=OWNER)

    service.runtime.before = given_up
    with pytest.raises(errors.Misconfigured):
        submit(service)
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, counted(service)) == ("outcome_unknown", 1)


def test_a_failure_that_cannot_be_recorded_does_not_keep_its_caller_waiting() -> None:
    """The write is tried three times; afterwards the record is settled when its lease ends."""
    service = world(answers=[PAID[0]])
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    with pytest.raises(errors.OutcomeUnknown):
        submit(service)
    assert (len(service.store.failures), sum(service.clock.slept) < 1) == (997, True)
    assert service.store.only().state == "running"


# -- attempts that were cut off ---------------------------------------------------------------------------------------


def test_a_cut_off_attempt_is_left_alone_while_its_lease_is_live() -> None:
    """The attempt may still be running."""
    service = world()
    running = cut_off(service, stored=True)
    later(service, 84)
    assert service.history.look_up(running.id, owner=OWNER).state == "running"


def test_a_cut_off_attempt_whose_image_is_there_is_finished_by_looking() -> None:
    """The image is found in the bucket, and no second call is paid."""
    service = world()
    running = cut_off(service, stored=True)
    later(service)
    found = service.history.look_up(running.id, owner=OWNER)
    assert (found.state, service.runtime.calls) == ("succeeded", [])


@pytest.mark.parametrize("way", ["the same key", "a look-up", "the sweeper"])
def test_a_cut_off_attempt_without_an_image_ends_as_unknown(way: str) -> None:
    """Whoever looks first settles the record; the quota unit stays counted."""
    service = world()
    running = cut_off(service)
    later(service)
    ways: dict[str, Callable[[], object]] = {
        "the same key": lambda: submit(service),
        "a look-up": lambda: service.history.look_up(running.id, owner=OWNER),
        "the sweeper": lambda: service.jobs.sweep(limit=10),
    }
    try:
        ways[way]()
    except errors.OutcomeUnknown:
        assert way == "the same key"
    failure = service.store.only().failure
    assert failure is not None
    assert (failure.code, failure.paid, counted(service)) == ("outcome_unknown", True, 1)
    assert service.runtime.calls == []


def test_while_the_bucket_does_not_answer_a_cut_off_attempt_stays_as_it_is() -> None:
    """A bucket that does not respond does not prove that the image is missing."""
    service = world()
    running = cut_off(service, stored=True)
    later(service)
    service.images.failures += [DOWN, DOWN]
    assert service.history.look_up(running.id, owner=OWNER).state == "running"
    with pytest.raises(errors.InProgress):
        submit(service)
    assert service.history.look_up(running.id, owner=OWNER).state == "succeeded"


def test_a_slow_attempt_ends_well_though_it_was_given_up_meanwhile() -> None:
    """The attempt ends the failed record with its image."""
    service = world()

    def given_up() -> None:
        later(service)
        assert service.history.look_up(service.store.only().id, owner=OWNER).state == "failed"

    service.runtime.before = given_up
    made = submit(service).generation
    assert (made.state, service.store.only().state) == ("succeeded", "succeeded")


def test_an_attempt_whose_generation_was_deleted_removes_its_own_image() -> None:
    """The caller's error says that the generation is gone."""
    service = world()

    def deleted() -> None:
        later(service)
        service.history.delete(service.store.only().id, owner=OWNER)

    service.runtime.before = deleted
    with pytest.raises(errors.Gone):
        submit(service)
    assert (service.store.only().state, service.images.objects) == ("deleted", {})


# -- the mark ---------------------------------------------------------------------------------------------------------


def test_an_image_is_stored_with_its_mark_and_described_as_it_is_stored() -> None:
    """The mark names the generation and the model that drew; length and hash are those of the stored file."""
    service = world(models=[CORE])
    made = submit(service).generation
    found = properties(png_xmp(service.stored_image))
    assert found == {
        "Iptc4xmpExt:DigitalSourceType": GENERATED,
        "Iptc4xmpExt:AISystemUsed": CORE,
        "xmp:CreatorTool": CORE,
        "dc:identifier": made.id,
    }
    assert made.image is not None
    assert made.image.bytes == len(service.stored_image)
    assert made.image.sha256 == hashlib.sha256(service.stored_image).hexdigest()


def test_without_the_mark_the_file_is_the_models_own() -> None:
    """The operator has switched `mark_images` off."""
    service = world(marking=Marking(images=False))
    submit(service)
    assert service.stored_image == png()


def test_the_prompt_is_in_the_mark_only_if_the_operator_wants_it() -> None:
    """By default whoever gets the image does not get the prompt."""
    service = world(marking=Marking(prompts=True))
    submit(service)
    xmp = properties(png_xmp(service.stored_image))
    assert xmp["Iptc4xmpExt:AIPromptInformation"] == "tea"


@pytest.mark.parametrize(
    "chunk",
    [png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<other/>"), b"\x80\0\0\0IDAT"],
    ids=["other XMP", "2 GB"],
)
def test_an_image_that_cannot_be_marked_is_stored_as_it_is(chunk: bytes) -> None:
    """The image is paid, so it must not be lost for its mark; the log says so."""
    image = png()[:33] + chunk + png()[33:]
    service = world(answers=[sdxl_answer(image)])
    made = submit(service).generation
    assert (made.state, service.stored_image) == ("succeeded", image)
    assert ("warned", "an image was stored without its mark") in service.observer.events


def test_a_defect_in_marking_does_not_cost_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an exception that nobody foresaw leaves the image as the model made it."""

    def broken(_: bytes, __: bytes) -> bytes:
        raise RuntimeError("unforeseen")

    png_format = replace(FORMATS["image/png"], marked=broken)
    monkeypatch.setattr(attempts, "FORMATS", {"image/png": png_format})
    service = world()
    assert submit(service).generation.state == "succeeded"
    assert service.stored_image == png()
    assert ("warned", "an image was stored without its mark") in service.observer.events


def test_an_image_that_is_found_later_is_described_as_it_was_stored() -> None:
    """Its record was never ended; the bucket says length and hash of the marked file."""
    service = world()
    service.runtime.before = lambda: service.store.failures.extend([DOWN] * 1000)
    submit(service)
    service.store.failures.clear()
    later(service)
    image = service.history.look_up(service.store.only().id, owner=OWNER).image
    assert image is not None
    assert image.bytes == len(service.stored_image)
    assert image.sha256 == hashlib.sha256(service.stored_image).hexdigest()
