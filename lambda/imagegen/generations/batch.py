"""One request made several times at once, each time a generation of its own with its own seed.

The generations of a series share nothing but the caller's idempotency key: the first has the key itself, so that it
means one thing on every route, and each other derives its own. A repeated request finds each of them again, and makes
only those anew that had failed without being paid.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.errors import ImagegenError
from imagegen.generations.ports import Deadline
from imagegen.generations.submit import Generator, Submission


def draw(
    generator: Generator,
    request: GenerationRequest,
    *,
    images: int,
    owner: str,
    key: str | None,
    deadline: Deadline,
) -> tuple[Submission, ...]:
    """Return the generations that succeeded, at least one, in a stable order.

    Raises:
        ImagegenError: the first failure, if there is nothing but failures; or `InProgress`, while an earlier request
            of the same key is not done; or `IdempotencyConflict`, before anything is made.
    """
    asked = _asked(request, images)
    keys = _keys(key, images)
    # Each submission checks its own key, but by then the others of the series would be under way.
    for own_key in keys if images > 1 else ():
        if own_key is not None:
            generator.refuse_other_use(own_key, owner=owner, asked=asked)

    def draw_one(own_key: str | None) -> Submission:
        submission = generator.submit(
            request, owner=owner, asked=asked, key=own_key, asynchronous=False, deadline=deadline
        )
        if submission.replayed:
            generator.require_image(submission.generation)
        return submission

    if images == 1:
        return (draw_one(keys[0]),)
    with ThreadPoolExecutor(max_workers=images) as pool:
        drawings = [pool.submit(draw_one, own_key) for own_key in keys]
    return _joined(generator, drawings)


def _asked(request: GenerationRequest, images: int) -> str:
    if images == 1:
        return fingerprint(request)
    return hashlib.sha256(f"{images} x {fingerprint(request)}".encode()).hexdigest()


def _keys(key: str | None, images: int) -> Sequence[str | None]:
    if key is None:
        return [None] * images
    digests = (hashlib.sha256(f"{key} {index}".encode()).digest() for index in range(1, images))
    return [key, *(urlsafe_b64encode(digest).decode().rstrip("=") for digest in digests)]


def _joined(generator: Generator, drawings: Sequence[Future[Submission]]) -> tuple[Submission, ...]:
    failures = [failure for drawing in drawings if (failure := drawing.exception()) is not None]
    done = tuple(drawing.result() for drawing in drawings if drawing.exception() is None)
    running = [failure for failure in failures if isinstance(failure, errors.InProgress)]
    if running or not done:
        raise (running or failures)[0]
    for failure in failures:
        if not isinstance(failure, ImagegenError):
            generator.observer.defect(failure)
    return done
