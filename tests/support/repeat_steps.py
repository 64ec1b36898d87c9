"""Steps of the tests of requests without an idempotency key: ask, let time pass, leave a request running, finish it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from imagegen.generations.repeats import RepeatSigns
from tests.support.use_case import OWNER, REQUEST, submit
from tests.support.world import World, world

if TYPE_CHECKING:
    from imagegen.generations.submit import Submission, Submitter

PLAIN = RepeatSigns()
MARKED = RepeatSigns(marked=True)
SILENT = RepeatSigns(silent=True)
SHORT = RepeatSigns(connection=5)


def ask(service: World, signs: RepeatSigns = PLAIN, *, text: str = "fingerprint") -> Submission:
    """Submit one request without a key."""
    return submit(service, key=None, fingerprint=text, signs=signs)


def submitted(service: World, *, by: Submitter | None = None, signs: RepeatSigns = PLAIN) -> Submission:
    """Submit one request without a key, whose reply is not made yet."""
    return (by or service.submitter).submit(
        REQUEST,
        owner=OWNER,
        fingerprint="fingerprint",
        key=None,
        asynchronous=False,
        deadline=service.deadline(),
        signs=signs,
    )


def takes(service: World, seconds: float) -> None:
    """Let the model take so many seconds for each image."""
    service.runtime.before = lambda: service.clock.sleep(seconds)


def paid(service: World) -> int:
    """Return how many calls of the model were paid."""
    return len(service.runtime.calls)


def running(service: World, *, seconds: float, by: RepeatSigns = PLAIN) -> None:
    """Begin a request that is still being made after so many seconds, and ends when somebody looks at it again."""
    service.runtime.before = Abandoned.throw
    with pytest.raises(Abandoned):
        ask(service, by)
    service.runtime.before = None
    service.clock.time += timedelta(seconds=seconds)


class Abandoned(BaseException):
    """Ends an attempt in the middle of its call, as if it went on elsewhere."""

    @classmethod
    def throw(cls) -> None:
        """End it."""
        raise cls


def finish(service: World) -> None:
    """Let the attempt that goes on elsewhere end with an image, when a repeat first looks again."""
    donor = world()
    image = submit(donor).generation.image
    assert image is not None
    record = service.store.only()
    service.images.put(
        record.image_name, donor.images.read(submit(donor).generation.image_name) or b"", image
    )
    done = record.succeed(service.ledger.moment(), image=image, ignored=())
    service.store.write(done, replacing=record)


def at(seconds: float, service: World, signs: RepeatSigns = PLAIN) -> RepeatSigns:
    """Return the signs of a request that the gateway received so many seconds ago."""
    return replace(signs, arrived=service.clock.time - timedelta(seconds=seconds))
