"""Steps of the tests of `generations/`: submit, work, let time pass, cut an attempt off, count quota units."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations.charges import OwnLimits
from imagegen.generations.generation import Bill, Generation
from imagegen.generations.repeats import RepeatSigns
from imagegen.generations.submit import NO_LIMITS, Submission
from tests.support.fakes import png
from tests.support.world import World, world

OWNER: Final = "alice" * 5 + "a"
OTHER: Final = "bobby" * 5 + "b"
KEY: Final = "key-of-sixteen-characters"
REQUEST: Final = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),)))
HOOKED: Final = replace(REQUEST, webhook_url="https://receiver.example/hook")
DOWN: Final = errors.InternalError("The table did not answer.")
NOT_STORED: Final = errors.StoreFailed("S3 did not confirm it.")
UNBILLED: Final[list[ImagegenError]] = [
    errors.ModelThrottled("Busy."),
    errors.ModelUnavailable("Unreachable."),
    errors.ModelRetired("Retired."),
    errors.Misconfigured("No right."),
    errors.InvalidParameter("Refused by the model."),
]
PAID: Final[list[ImagegenError]] = [
    errors.OutcomeUnknown("Closed."),
    errors.ModelTimeout("Late."),
    errors.BadModelResponse("Odd."),
    errors.ContentFiltered("Filtered."),
]


def code(error: ImagegenError) -> str:
    """Return the error's code, which names the test."""
    return error.kind.code


def submit(
    service: World,
    *,
    key: str | None = KEY,
    fingerprint: str = "fingerprint",
    request: GenerationRequest = REQUEST,
    asynchronous: bool = False,
    owner: str = OWNER,
    signs: RepeatSigns = RepeatSigns(),  # noqa: B008 - frozen
    own: OwnLimits = NO_LIMITS,
    key_id: str = "",
) -> Submission:
    """Submit one request, and return its reply to the client."""
    made = service.submitter.submit(
        request,
        owner=owner,
        fingerprint=fingerprint,
        key=key,
        asynchronous=asynchronous,
        deadline=service.deadline(),
        signs=signs,
        own=own,
        key_id=key_id,
    )
    with service.submitter.replying(made):
        return made


def work(service: World) -> None:
    """Take the next message, as the worker does."""
    service.jobs.work(service.queue.sent.pop(0), service.deadline())


def call_back(service: World) -> None:
    """Take the next message of the call-backs, as the worker does."""
    service.jobs.call_back(service.call_backs.sent.pop(0))


def later(service: World, seconds: float = 86) -> None:
    """Move the clock on; by default, until after the end of a lease."""
    service.clock.time += timedelta(seconds=seconds)


def cut_off(service: World, *, stored: bool = False, asynchronous: bool = False) -> Generation:
    """Write the record of an attempt that was killed after its call, before or after it stored the image."""
    draft = service.ledger.draft(
        REQUEST, owner=OWNER, fingerprint="fingerprint", key=KEY, asynchronous=asynchronous
    )
    if asynchronous:
        draft = service.ledger.start(draft)
    calls = service.ledger.limits.max_paid_attempts if asynchronous else 1
    draft = replace(draft, bill=Bill(each=40_000, calls=calls))
    service.quotas.take(OWNER, draft.quota_day, draft.counted, own={})
    service.ledger.claim(draft, replacing=None)
    if stored:
        store_late(service, draft)
    return draft


def store_late(service: World, record: Generation) -> None:
    """Put an attempt's image into the bucket, as if it arrived late."""
    donor = world()
    made = submit(donor).generation
    assert made.image is not None
    service.images.put(record.image_name, png(), made.image)


def counted(service: World) -> int:
    """Return how many quota units are counted for the caller."""
    return sum(counted.images for counted in service.quotas.taken.values())
