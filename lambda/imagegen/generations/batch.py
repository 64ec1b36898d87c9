"""Serves one request for several images: each is a generation of its own, with its own seed.

The generations of a batch share nothing but the caller's idempotency key. The first uses the key unchanged, so the
other routes find it by the key as well; the n-th uses SHA-256 of key and n. A repeated request finds each of them
again, and makes only those again that had failed without being paid. A seed of the caller's is that of the first; each
further generation has the next one, so that the images differ.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.contracts.text_to_image.parameters import MAX_CHOSEN_SEED
from imagegen.errors import ImagegenError, Paid
from imagegen.generations.charges import OwnLimits
from imagegen.generations.history import History
from imagegen.generations.ports import Deadline
from imagegen.generations.repeats import RepeatSigns
from imagegen.generations.submit import NO_LIMITS, Submission, Submitter


def submit_batch(
    submitter: Submitter,
    history: History,
    request: GenerationRequest,
    *,
    images: int,
    owner: str,
    key: str | None,
    deadline: Deadline,
    own: OwnLimits = NO_LIMITS,
    key_id: str = "",
    signs: RepeatSigns = RepeatSigns(),  # noqa: B008 - frozen
) -> tuple[Submission, ...]:
    """Return the generations that succeeded, at least one, in a stable order.

    Raises:
        ImagegenError: the first failure, if all of them failed; or `InProgress`, while an earlier request
            of the same key is not done; or `IdempotencyConflict`, before anything is made.
    """
    batch_fingerprint = _fingerprint(request, images)
    keys = _keys(key, images)
    # Checked before anything is made: each submission checks its own key, but by then the others would be under way.
    for own_key in keys if images > 1 else ():
        if own_key is not None:
            submitter.refuse_other_use(own_key, owner=owner, fingerprint=batch_fingerprint)

    def submit_one(index: int) -> Submission:
        own_key = keys[index]
        submission = submitter.submit(
            _with_next_seed(request, index),
            owner=owner,
            fingerprint=batch_fingerprint,
            key=own_key,
            asynchronous=False,
            own=own,
            key_id=key_id,
            signs=signs,
            position=index,
            deadline=deadline,
        )
        if submission.replayed:
            try:
                history.require_image(submission.generation)
            except ImagegenError as exc:
                raise submitter.undelivered(exc, submission) from exc
        return submission

    if images == 1:
        return (submit_one(0),)
    # In threads, because one after the other would outlast the connection:
    # see docs/decisions/0050-other-peoples-shapes.md.
    with ThreadPoolExecutor(max_workers=images) as pool:
        running = [pool.submit(submit_one, index) for index in range(images)]
    return _joined(submitter, running)


def _fingerprint(request: GenerationRequest, images: int) -> str:
    if images == 1:
        return fingerprint(request)
    # The number counts as well: the same body with another `n` is another request.
    return hashlib.sha256(f"{images} x {fingerprint(request)}".encode()).hexdigest()


def _with_next_seed(request: GenerationRequest, index: int) -> GenerationRequest:
    seed = request.task.seed
    if not seed or not index:
        return request
    # After the greatest seed comes 1, because 0 would let the service choose.
    return replace(request, task=request.task.with_seed((seed + index - 1) % MAX_CHOSEN_SEED + 1))


def _keys(key: str | None, images: int) -> Sequence[str | None]:
    if key is None:
        return [None] * images
    digests = (hashlib.sha256(f"{key} {index}".encode()).digest() for index in range(1, images))
    return [key, *(urlsafe_b64encode(digest).decode().rstrip("=") for digest in digests)]


def _joined(submitter: Submitter, ended: Sequence[Future[Submission]]) -> tuple[Submission, ...]:
    failures = [failure for one in ended if (failure := one.exception()) is not None]
    done = tuple(one.result() for one in ended if one.exception() is None)
    # A client that repeats then gets all of them; the images that are done now are not lost.
    in_progress = [failure for failure in failures if isinstance(failure, errors.InProgress)]
    if in_progress or not done:
        raise _of_all((in_progress or failures)[0], failures, submitter=submitter, done=done)
    # A failed generation was reported where it failed; a defect in a thread would be lost here.
    for failure in failures:
        if not isinstance(failure, ImagegenError):
            submitter.observer.defect(failure)
    return done


def _of_all(
    error: BaseException,
    failures: Sequence[BaseException],
    *,
    submitter: Submitter,
    done: Sequence[Submission],
) -> BaseException:
    """Return one failure as the batch's own: it says what all of its images mean for the bill."""
    if not isinstance(error, ImagegenError):
        return error
    paid = {failure.paid for failure in failures if isinstance(failure, ImagegenError)}
    worst: Paid = "yes" if "yes" in paid else "maybe" if "maybe" in paid else "no"
    return submitter.undelivered(replace(error, charged=worst), *done)
