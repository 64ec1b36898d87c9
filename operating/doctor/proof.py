"""One paid image, from the request to the mark in the file."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx

from imagegen.errors import BadModelResponse
from imagegen.generations.charges import MICRO
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.marks import says_generated
from imagegen.http import surface
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, skipped, warning
from operating.doctor.service import fetch, logs, nobody, opened, send, told
from operating.sample import REQUEST

TRIES: Final = 12
"""How often one key is sent. It is never paid twice; a repeat only learns how the first request ended."""
WAIT: Final = 10.0
"""Seconds between two of them at most."""
_NOT_KNOWN: Final = frozenset({httpx.codes.CONFLICT, httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT})
"""With these the image may still be on its way."""


def announcement(examined: Examined) -> str:
    """Return what the proof is about to do, and what it costs at most: the dearest model of the list may serve."""
    if examined.is_local:
        return "The proof makes one image, with the model of the local service."
    today = examined.now().date()
    alive = [ref for ref in examined.plan.models if ref.lifecycle.status(today) != "end_of_life"]
    most = max((ref.model.price.micro_usd(None) for ref in alive), default=0)
    return f"The proof makes one image, which costs at most ${most / MICRO:.2f}."


def proof(
    examined: Examined,
    *,
    pause: Callable[[float], None] = time.sleep,
    random_hex: Callable[[int], str] = secrets.token_hex,
) -> Iterator[Finding]:
    """Make one image, which is paid, open its URL, and look for its mark."""
    # It was asked for, so it must not look as if it had been given.
    if examined.deployed is None:
        yield problem("No image was made, because no deployed service was found.", examined.deploy())
        return
    if examined.caller is None:
        yield problem("No image was made, because no caller was given.", nobody(examined).remedy)
        return
    reply = _made(examined, key=f"doctor-{random_hex(12)}", pause=pause)
    if reply.status_code != httpx.codes.OK:
        is_limit = reply.status_code == httpx.codes.TOO_MANY_REQUESTS
        mend = examined.again(PROVE="1") if is_limit else logs(examined, "ApiLogGroup")
        yield problem(f"No image was made: {told(reply)}.", mend)
        return
    generation = reply.json()
    (artifact,) = generation["artifacts"]
    yield fine(
        f"{generation['model']} has made {generation['id']}, which cost ${generation['cost_usd']:.2f}."
    )
    image = fetch(examined, artifact)
    finding = opened(examined, artifact, image)
    yield finding
    if finding.severity == "ok":
        yield _looked_at(examined, artifact, image.content)


def _made(examined: Examined, *, key: str, pause: Callable[[float], None]) -> httpx.Response:
    """Send one request until it is known how it ended; all attempts have one key, so one image is paid at most."""
    body = json.dumps(REQUEST).encode()
    headers = {"content-type": "application/json", "idempotency-key": key}
    for tries_left in reversed(range(TRIES)):
        last = tries_left == 0
        try:
            reply = send(examined, "POST", surface.path_of("createGeneration"), body=body, headers=headers)
        except httpx.TransportError as error:
            # Without a connection nothing was sent, and nobody is at work.
            if last or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                raise
        else:
            # A recorded failure is replayed for ever.
            if last or reply.status_code not in _NOT_KNOWN or "idempotent-replayed" in reply.headers:
                return reply
        pause(WAIT)
    raise AssertionError("The last try returns or raises.")


def _looked_at(examined: Examined, artifact: dict[str, Any], image: bytes) -> Finding:
    mend = examined.deploy()
    if hashlib.sha256(image).hexdigest() != artifact["sha256"]:
        return problem("The URL brings other bytes than the ones that were stored.", mend)
    try:
        FORMATS[artifact["content_type"]].size(image)
    except BadModelResponse as error:
        return problem(error.detail, logs(examined, "ApiLogGroup"))
    settings = examined.service.settings
    if settings is not None and not settings.mark_images:
        return skipped("The stage does not mark its images (mark_images is false).")
    if not says_generated(image):
        return warning("The image does not say that it is generated.", logs(examined, "ApiLogGroup"))
    return fine("The image is the one that was stored, and says that it is generated.")
