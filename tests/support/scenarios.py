"""One way to each error code through the app, for each of the routes that make images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagegen import errors
from imagegen.errors import ImagegenError, error_types
from imagegen.generations.model_caller import RETRY_AFTER
from imagegen.http import surface
from imagegen.http.app import create_app
from tests.support.events import Answer, Context, event, send
from tests.support.fakes import CORE, SDXL, FakeDeadline, sdxl_answer
from tests.support.world import World, world

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}]}
KEY_HEADER = {"Idempotency-Key": "0123456789abcdef"}
ROUTES = ("/text-to-image", "/images/generations", "/generation/stable-diffusion-xl-1024-v1-0/text-to-image")


@dataclass(frozen=True)
class CountingDown(Context):
    """A context that counts its time down by a fake clock."""

    deadline: FakeDeadline | None = None

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left by the fake clock."""
        return int(self.deadline.remaining() * 1000) if self.deadline else 0


def body_for(path: str, **members: Any) -> dict[str, Any]:
    """Return a valid body of a route, with these fields added or replaced."""
    valid = {"prompt": "Sri lanka tea plantation."} if path.startswith("/images") else TEA
    return {**valid, **members}


def post(service: World, path: str, body: Any = None, **more: Any) -> Answer:
    """Send one request to a route that makes images."""
    sent = body_for(path) if body is None else body
    context = CountingDown(deadline=service.deadline())
    return send(create_app(service.services), event("POST", path, sent, **more), context=context)


def model_fails(*answers: bytes | ImagegenError, **options: Any) -> Callable[[str], Answer]:
    """Return a scenario in which the model gives these answers."""
    return lambda path: post(world(answers=answers, **options), path)


def _in_progress(path: str) -> Answer:
    service = world()
    queued = {**KEY_HEADER, "Prefer": "respond-async"}
    send(
        create_app(service.services),
        event("POST", "/text-to-image", body_for("/text-to-image"), headers=queued),
    )
    return post(service, path, headers=KEY_HEADER)


def _gone(path: str) -> Answer:
    service = world()
    post(service, path, headers=KEY_HEADER)
    service.images.objects.clear()
    return post(service, path, headers=KEY_HEADER)


def _conflict(path: str) -> Answer:
    service = world()
    post(service, path, headers=KEY_HEADER)
    other = {"prompt": "x"} if path.startswith("/images") else {"text_prompts": [{"text": "x"}]}
    return post(service, path, other, headers=KEY_HEADER)


def _store_failed(path: str) -> Answer:
    service = world()
    service.images.failures = [errors.StoreFailed("The image was made and could not be stored.")] * 1000
    return post(service, path)


def _not_found(path: str) -> Answer:
    below = {"/text-to-image": "/generations/gen_" + "a" * 26, "/images/generations": "/images/edits"}
    if path.startswith("/model/"):
        # An id that is not here is an error of its own, so only another path below it is not found.
        below[path] = f"{path}/nothing"
    unknown = below.get(path, "/generation/no-such-engine/text-to-image")
    return send(create_app(world().services), event("GET" if "gen_" in unknown else "POST", unknown, TEA))


def _defect(path: str) -> Answer:
    service = world()
    service.quotas.ceilings = "a defect"  # type: ignore[assignment]  # so that asking it raises
    return post(service, path)


SCENARIOS: Mapping[str, Callable[[str], Answer]] = {
    "invalid_json": lambda path: post(world(), path, "{"),
    "unsupported_media_type": lambda path: post(world(), path, headers={"Content-Type": "text/plain"}),
    "payload_too_large": lambda path: post(world(), path, body_for(path, prompt="x" * surface.MAX_BODY)),
    "invalid_parameter": lambda path: post(
        world(), path, body_for(path, n=0) if "images" in path else {"text_prompts": []}
    ),
    "unknown_parameter": lambda path: post(world(), path, body_for(path, colour="red")),
    "unsupported_parameter": lambda path: post(
        world(models=[CORE]),
        path,
        # Stability's body has no `strict`, but a model also refuses prompts that are too long for it.
        {"text_prompts": [{"text": "x" * 2000}] * 7} if "images" not in path else body_for(path, stream=True),
    ),
    "unknown_model": lambda path: (
        post(world(), "/model/stability.none-v1:0/invoke", TEA)
        if path.startswith("/model/")
        else post(world(), path, body_for(path, model="stability.none-v1:0"))
    ),
    "unauthorized": lambda path: post(world(), path, key=None),
    "forbidden": model_fails(errors.Forbidden("The firewall refused the request.")),
    "not_found": _not_found,
    "method_not_allowed": lambda path: send(create_app(world().services), event("PUT", path, TEA)),
    "gone": _gone,
    "idempotency_conflict": _conflict,
    "content_filtered": model_fails(sdxl_answer(reason="CONTENT_FILTERED")),
    "in_progress": _in_progress,
    "rate_limited": model_fails(errors.RateLimited("Too fast.", retry_after=RETRY_AFTER)),
    "quota_exceeded": lambda path: post(world(quota=0), path),
    "model_throttled": model_fails(errors.ModelThrottled("Busy.", retry_after=RETRY_AFTER)),
    "model_unavailable": model_fails(errors.ModelUnavailable("Not ready.", retry_after=RETRY_AFTER)),
    "model_retired": model_fails(errors.ModelRetired("Gone."), models=[SDXL]),
    "misconfigured": model_fails(errors.Misconfigured("No right.")),
    "outcome_unknown": model_fails(errors.OutcomeUnknown("No answer.")),
    "model_timeout": model_fails(errors.ModelTimeout("No answer in time.")),
    "bad_model_response": model_fails(b'{"result": "success", "artifacts": []}'),
    "store_failed": _store_failed,
    "internal_error": _defect,
}
ELSEWHERE = {
    ("unknown_model", ROUTES[2]): "an engine that is not here is a path that is not",
    ("in_progress", "/images/generations"): "tests/api/test_openai_images.py has the race",
}
CASES = [(path, code) for path in ROUTES for code in SCENARIOS if (code, path) not in ELSEWHERE]


def kind_of(code: str) -> errors.ErrorKind:
    """Return the error kind of a code."""
    return next(kind.kind for kind in error_types() if kind.kind.code == code)
