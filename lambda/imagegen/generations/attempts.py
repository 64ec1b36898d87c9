"""One attempt at an image: call, put, record the end; settle what was cut off, heal what is late.

The order of the steps is what the promises rest on:

    write the record that grants the call → call the model → put the image → write the end of the record

Until the model is called, a failure is certainly unbilled. From then on anything that goes wrong, a defect of ours
included, counts as paid unless the adapter says otherwise; once there is an image, only storing it can fail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.ledger import Ledger
from imagegen.generations.model_caller import Drawn, ModelCaller
from imagegen.generations.png import png_size
from imagegen.generations.ports import Chance, Clock, Deadline, ImageStore, Observer, Quotas

T = TypeVar("T")

_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_FAILURE_TRIES: Final = 3
_MOST_RACES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What runs and ends attempts; knows nothing of who asked."""

    caller: ModelCaller
    images: ImageStore
    ledger: Ledger
    quotas: Quotas
    clock: Clock
    chance: Chance
    observer: Observer

    def run(self, record: Generation, deadline: Deadline) -> Generation:
        """Make the one call that a running record grants, and return the record succeeded.

        Raises:
            ImagegenError: no image came out of it; what that costs is recorded.
        """
        began = self.clock.now()
        try:
            drawn, image = self._draw(record, deadline)
            self._store(record, drawn, image, deadline)
        except ImagegenError as exc:
            self.end_failed(record, exc, deadline)
            raise
        seconds = (self.clock.now() - began).total_seconds()
        self.observer.succeeded(record.id, model=image.model, seconds=seconds, bytes_=image.bytes)
        return self._end_succeeded(record, image, ignored=drawn.ignored, deadline=deadline)

    def settle(self, record: Generation) -> Generation:
        """Bring a running record whose lease is over further, without calling the model.

        It succeeds if its image was stored, is queued again if another paid attempt is allowed, or ends as
        `outcome_unknown`; whoever else is at it at the same time, one of them is recorded.
        """
        image = self.images.find(record.owner, record.id)
        if image is not None:
            return self.ledger.write(self._found(record, image), replacing=record)
        if self.ledger.may_pay_again(record):
            return self.ledger.write(self.ledger.requeue(record), replacing=record)
        error = errors.OutcomeUnknown("The attempt was cut off before its end.")
        failed = self.ledger.fail(record, error)
        stands = self.ledger.write(failed, replacing=record)
        if stands is failed:
            self.observer.failed(record.id, error)
        return stands

    def heal(self, record: Generation) -> Generation:
        """Return a paid record succeeded if its image is there after all, and as it is if not."""
        image = self.images.find(record.owner, record.id)
        if image is None:
            return record
        return self.ledger.write(self._found(record, image), replacing=record)

    def end_failed(self, record: Generation, error: ImagegenError, deadline: Deadline | None = None) -> None:
        """Record that a running or queued generation has no image; what will pass is queued again, if asynchronous."""
        waits = record.asynchronous and record.state == "running" and isinstance(error, errors.WaitError)
        ended = self.ledger.release(record) if waits else self.ledger.fail(record, error)
        write = partial(self.ledger.replaced, ended, replacing=record)
        try:
            stands = write() if deadline is None else self._insist(write, deadline, tries=_FAILURE_TRIES)
        except ImagegenError as exc:
            # the lease will end, and it counts as paid then
            self.observer.noted("the end of a generation was not recorded", id_=record.id, error=exc)
            return
        if not stands or waits:
            return
        self.observer.failed(record.id, error)
        if ended.restartable:
            self.give_back(record)

    def give_back(self, record: Generation) -> None:
        """Give a record's quota unit back; one that cannot be given back stays counted."""
        try:
            self.quotas.give_back(record.owner, record.quota_day)
        except ImagegenError as exc:
            self.observer.noted("a quota unit was not given back", id_=record.id, error=exc)

    def _draw(self, record: Generation, deadline: Deadline) -> tuple[Drawn, StoredImage]:
        try:
            drawn = self.caller.draw(record.request, deadline)
            return drawn, _described(drawn)
        except ImagegenError:
            raise
        except Exception as exc:
            self.observer.defect(exc)
            raise errors.OutcomeUnknown(
                "The call met a defect of the service; it may have been paid."
            ) from exc

    def _store(self, record: Generation, drawn: Drawn, image: StoredImage, deadline: Deadline) -> None:
        put = partial(self.images.put, record.owner, record.id, drawn.image, image)
        try:
            self._insist(put, deadline)
        except errors.StoreFailed:
            raise
        except Exception as exc:
            if not isinstance(exc, ImagegenError):
                self.observer.defect(exc)
            raise errors.StoreFailed("The image was made and could not be stored.") from exc

    def _end_succeeded(
        self, record: Generation, image: StoredImage, *, ignored: tuple[str, ...], deadline: Deadline
    ) -> Generation:
        done = self.ledger.succeed(record, image, ignored=ignored)
        stands = record
        try:
            for _ in range(_MOST_RACES):
                stands = self._insist(partial(self.ledger.write, done, replacing=stands), deadline)
                if not stands.may_succeed:
                    break
                # somebody settled the record while the image was under way, and it is there now
                done = self.ledger.succeed(stands, image, ignored=ignored)
            if stands.state == "deleted":
                self.images.delete(record.owner, record.id)
        except ImagegenError as exc:
            # the image is stored: the caller gets it now, and whoever settles the record later finds it
            self.observer.noted("the end of a generation was not recorded", id_=record.id, error=exc)
            return replace(done, webhook=None)
        if stands.state == "deleted":
            raise errors.Gone("The generation was deleted while it was made.")
        return stands if stands.state == "succeeded" else done

    def _found(self, record: Generation, image: StoredImage) -> Generation:
        ignored = self.caller.ignored(image.model, record.request)
        return self.ledger.succeed(record, image, ignored=ignored)

    def _insist(self, step: Callable[[], T], deadline: Deadline, *, tries: int | None = None) -> T:
        """Take a step until it works, so many times, or for as long as there is: what is paid is worth the wait."""
        pause, tried = _SHORTEST_PAUSE, 1
        while True:
            try:
                return step()
            except ImagegenError:
                if tried == tries or deadline.remaining() < _LONGEST_PAUSE:
                    raise
            self.clock.sleep(pause * (1 + self.chance.fraction()) / 2)
            pause, tried = min(2 * pause, _LONGEST_PAUSE), tried + 1


def _described(drawn: Drawn) -> StoredImage:
    width, height = png_size(drawn.image)
    return StoredImage(
        model=drawn.ref.id,
        seed=drawn.seed,
        width=width,
        height=height,
        bytes=len(drawn.image),
        sha256=hashlib.sha256(drawn.image).hexdigest(),
    )
