"""One attempt at an image: call the model, store the image, record the end. Also settles and heals older attempts.

The promises rest on the order of the steps:

    write the record that grants the call → call the model → put the image → write the end of the record

Until the model is called, a failure is certainly unbilled. From then on everything that goes wrong counts as paid, even
a defect of ours, unless the adapter says otherwise. Once there is an image, only storing it can fail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Failure, Generation, Moment, StoredImage
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.ledger import Ledger
from imagegen.generations.marks import Marking
from imagegen.generations.model_caller import ModelCaller, ModelImage
from imagegen.generations.ports import Clock, Deadline, ImageStore, Observer, Randomness
from imagegen.generations.retry import STORE_BACKOFF, insist

T = TypeVar("T")

_FAILURE_TRIES: Final = 3
# After these nobody knows how the call ended, so an operator may allow another one (`max_paid_attempts`).
_UNKNOWN: Final = (errors.OutcomeUnknown, errors.ModelTimeout)
# A bound, so that no defect can make this go on for ever.
_MOST_RACES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Runs and ends attempts; does not know who asked for them."""

    caller: ModelCaller
    images: ImageStore
    ledger: Ledger
    clock: Clock
    randomness: Randomness
    observer: Observer
    marking: Marking

    def run(self, record: Generation, deadline: Deadline) -> Generation:
        """Make the one call that a running record grants, and return the succeeded record.

        Raises:
            ImagegenError: the attempt made no image; the record says whether it may have been paid.
        """
        began = self.clock.now()
        try:
            model_image, image = self._call(record, deadline)
            self._store(record, model_image, image, deadline)
        except ImagegenError as exc:
            self.end_failed(record, exc, deadline)
            raise
        seconds = (self.clock.now() - began).total_seconds()
        self.observer.succeeded(
            record.id,
            model=image.model,
            seconds=seconds,
            model_seconds=model_image.seconds,
            bytes_=image.bytes,
        )
        return self._end_succeeded(record, image, ignored=model_image.ignored, deadline=deadline)

    def refresh(self, record: Generation) -> Generation:
        """Return a record settled or healed if it needs that; if the stores do not respond, return it unchanged."""
        try:
            if record.may_heal:
                return self.heal(record)
            if record.state == "running" and not self.ledger.lease_is_live(record):
                return self.settle(record)
        except ImagegenError as exc:
            self.observer.warned("a generation could not be settled", id_=record.id, error=exc)
        return record

    def settle(self, record: Generation) -> Generation:
        """Decide a running record whose lease has ended, without calling the model.

        It succeeds if its image was stored, is queued again if another paid attempt is allowed, or ends as
        `outcome_unknown`. If several settle it at the same time, the table records one of them.
        """
        # The image is the proof: see docs/decisions/0030-an-image-in-the-bucket-is-the-proof.md.
        image = self.images.find(record.image_name)
        if image is not None:
            return self.ledger.write(self._found(record, image), replacing=record)
        if self.ledger.may_pay_again(record):
            return self.ledger.write(record.requeue(self.ledger.moment()), replacing=record)
        error = errors.OutcomeUnknown("The function was stopped before the attempt had ended.")
        failed = record.fail(self.ledger.moment(), Failure.of(error))
        # Reported only if this write won, so that several settlers report one failure.
        stands = self.ledger.write(failed, replacing=record)
        if stands is failed:
            self.observer.failed(record.id, error)
        return stands

    def heal(self, record: Generation) -> Generation:
        """Return a paid record as succeeded if its image is in the bucket after all; otherwise return it unchanged."""
        image = self.images.find(record.image_name)
        if image is None:
            return record
        return self.ledger.write(self._found(record, image), replacing=record)

    def end_failed(self, record: Generation, error: ImagegenError, deadline: Deadline | None = None) -> None:
        """Record that a generation has no image.

        An asynchronous one goes back to the queue if waiting can help, or if nobody knows how the call ended and
        another one may be paid.
        """
        # The client of a synchronous request decides whether to repeat it; only the worker tries again by itself.
        runs = record.asynchronous and record.state == "running"
        waits = runs and isinstance(error, errors.WaitError)
        repeats = runs and isinstance(error, _UNKNOWN) and self.ledger.may_pay_again(record)
        moment = self.ledger.moment()
        if waits:
            ended = record.release(moment)
        elif repeats:
            ended = record.requeue(moment, cost=self._price_of(record, error), model=error.model or "")
        else:
            ended = self._failed(record, error, moment)
        write = partial(self.ledger.replaced, ended, replacing=record)
        try:
            # Few tries, because a client may be waiting.
            stands = write() if deadline is None else self._insist(write, deadline, tries=_FAILURE_TRIES)
        except ImagegenError as exc:
            # When the lease ends, the attempt is settled and counts as paid.
            self.observer.warned("the end of a generation was not recorded", id_=record.id, error=exc)
            return
        if not stands or waits or repeats:
            return
        self.observer.failed(record.id, error)

    def remove_image(self, tombstone: Generation) -> None:
        """Remove a deleted generation's image, and record that nothing is left to do."""
        # In this order: if the write is lost, the tombstone is still due, and the sweep does both again.
        self.images.delete(tombstone.image_name)
        self.ledger.write(tombstone.finish(self.ledger.moment()), replacing=tombstone)

    def _call(self, record: Generation, deadline: Deadline) -> tuple[ModelImage, StoredImage]:
        model: str | None = None
        try:
            # A record of the release before has nothing reserved, and no bound.
            at_most = record.bill.each if record.bill.calls else None
            model_image = self.caller.call(
                record.request, deadline, at_most=at_most, asks_all=record.asynchronous
            )
            model = model_image.ref.id
            content_type = record.image_name.content_type
            # Before the mark: what is no image of the format is not marked, but refused.
            size = FORMATS[content_type].size(model_image.content)
            marked = self._marked(record, model_image)
            return marked, _described(marked, size, content_type=content_type)
        except ImagegenError as exc:
            # An image that cannot be read costs what its model costs, and not what was reserved.
            raise replace(exc, model=exc.model or model) from exc.__cause__
        except Exception as exc:
            # The call is granted, so a defect of ours may have been paid as well.
            self.observer.defect(exc)
            raise errors.OutcomeUnknown(
                "A defect of the service ended the call of the model; it may have been paid.", model=model
            ) from exc

    def _marked(self, record: Generation, model_image: ModelImage) -> ModelImage:
        """Return the image with the mark that it is generated; if that fails, as the model made it."""
        if not self.marking.images:
            return model_image
        try:
            packet = self.marking.packet(
                id_=record.id, model=model_image.ref.id, parameters=record.request.task.parameters()
            )
            content = FORMATS[record.image_name.content_type].marked(model_image.content, packet)
        # Whatever went wrong: the image is paid, so it is stored without a mark rather than lost.
        except Exception as exc:  # noqa: BLE001 - a defect here must not cost the image
            self.observer.warned("an image was stored without its mark", id_=record.id, error=exc)
            return model_image
        return replace(model_image, content=content)

    def _store(
        self, record: Generation, model_image: ModelImage, image: StoredImage, deadline: Deadline
    ) -> None:
        # No limit of tries: the image is paid, so waiting until the deadline costs less than losing it.
        put = partial(self.images.put, record.image_name, model_image.content, image)
        try:
            self._insist(put, deadline)
        except errors.StoreFailed as exc:
            raise replace(exc, model=model_image.ref.id) from exc.__cause__
        except Exception as exc:
            if not isinstance(exc, ImagegenError):
                self.observer.defect(exc)
            raise errors.StoreFailed(
                "The image was made and could not be stored.", model=model_image.ref.id
            ) from exc

    def _end_succeeded(
        self, record: Generation, image: StoredImage, *, ignored: tuple[str, ...], deadline: Deadline
    ) -> Generation:
        cost = self.caller.price_of(image.model, record.request)
        done = record.succeed(self.ledger.moment(), image=image, ignored=ignored, cost=cost)
        stands = record
        try:
            for _ in range(_MOST_RACES):
                stands = self._insist(partial(self.ledger.write, done, replacing=stands), deadline)
                if not stands.may_succeed:
                    break
                # Somebody settled the record before this image was stored. It is stored now, so it wins.
                done = stands.succeed(self.ledger.moment(), image=image, ignored=ignored, cost=cost)
            # The owner deleted the record while its image was under way, so nobody else would remove the image.
            if stands.state == "deleted":
                self.images.delete(record.image_name)
        except ImagegenError as exc:
            # The image is stored. The caller gets it now, and whoever settles the record later finds it.
            self.observer.warned("the end of a generation was not recorded", id_=record.id, error=exc)
            # Without a call-back: the sweep sends it once the record says that it succeeded.
            return replace(done, webhook=None)
        if stands.state == "deleted":
            raise errors.Gone("The generation was deleted while it was made.", charged="yes")
        return stands if stands.state == "succeeded" else done

    def _found(self, record: Generation, image: StoredImage) -> Generation:
        ignored = self.caller.ignored(image.model, record.request)
        cost = self.caller.price_of(image.model, record.request)
        return record.succeed(self.ledger.moment(), image=image, ignored=ignored, cost=cost)

    def _failed(self, record: Generation, error: ImagegenError, moment: Moment) -> Generation:
        cost = self._price_of(record, error)
        return record.fail(moment, Failure.of(error), cost=cost, model=error.model or "")

    def _price_of(self, record: Generation, error: ImagegenError) -> int | None:
        return self.caller.price_of(error.model, record.request)

    def _insist(self, step: Callable[[], T], deadline: Deadline, *, tries: int | None = None) -> T:
        return insist(
            step,
            backoff=STORE_BACKOFF,
            deadline=deadline,
            clock=self.clock,
            randomness=self.randomness,
            tries=tries,
        )


def _described(model_image: ModelImage, size: tuple[int, int], *, content_type: str) -> StoredImage:
    width, height = size
    return StoredImage(
        model=model_image.ref.id,
        seed=model_image.seed,
        width=width,
        height=height,
        bytes=len(model_image.content),
        sha256=hashlib.sha256(model_image.content).hexdigest(),
        content_type=content_type,
    )
