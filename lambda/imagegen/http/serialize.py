"""What clients are shown: records and errors as the JSON members of the HTTP contract, pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import TextToImage
from imagegen.errors import MAX_FIELD_ERRORS, ImagegenError
from imagegen.generations.generation import Generation
from imagegen.generations.ports import SignedUrl
from imagegen.models.registry import ModelRef

PROBLEM_TYPE: Final = "urn:imagegen:problem:"
_MAX_FIELD: Final = 100
_MAX_MESSAGE: Final = 250
_MAX_DETAIL: Final = 400


def problem(error: ImagegenError, *, request_id: str) -> dict[str, Any]:
    """Return an error as the one body that every failure has (RFC 9457); at most 4 KB."""
    kind = error.kind
    members: dict[str, Any] = {
        "type": PROBLEM_TYPE + kind.code,
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": error.detail[:_MAX_DETAIL],
        "request_id": request_id,
        "retryable": kind.retryable,
    }
    if error.errors:
        members["errors"] = [
            {"field": item.field[:_MAX_FIELD], "message": item.message[:_MAX_MESSAGE]}
            for item in error.errors[:MAX_FIELD_ERRORS]
        ]
    return members


def accepted(generation: Generation) -> dict[str, Any]:
    """Return the body of a 202."""
    return {
        "id": generation.id,
        "status": generation.state,
        "created_at": timestamp(generation.created_at),
    }


def succeeded(generation: Generation, signed: SignedUrl) -> dict[str, Any]:
    """Return the body of a 200: a generation with its image."""
    image = generation.image
    if image is None:
        raise ValueError(f"{generation.id} has no image")
    return {
        "id": generation.id,
        "status": generation.state,
        "result": "success",
        "model": image.model,
        "created_at": timestamp(generation.created_at),
        "ignored_parameters": list(generation.ignored),
        "artifacts": [
            {
                "seed": image.seed,
                "finishReason": "SUCCESS",
                "url": signed.url,
                "expires_at": timestamp(signed.expires_at),
                "content_type": image.content_type,
                "width": image.width,
                "height": image.height,
                "bytes": image.bytes,
                "sha256": image.sha256,
            }
        ],
    }


def full(generation: Generation, signed: SignedUrl | None, *, request_id: str) -> dict[str, Any]:
    """Return a generation as it is looked up, in any state, with the request's parameters as resolved.

    `signed` is there exactly for one that succeeded.
    """
    members = accepted(generation) if signed is None else succeeded(generation, signed)
    members["request"] = _request(generation.request)
    if generation.failure is not None:
        members["error"] = problem(generation.failure.error(), request_id=request_id)
    return members


def model(ref: ModelRef, *, default: bool, today: date) -> dict[str, Any]:
    """Return one enabled model."""
    lifecycle = ref.lifecycle
    return {
        "id": ref.id,
        "name": ref.model.name,
        "default": default,
        "lifecycle": {
            "status": lifecycle.status(today),
            "legacy_at": _date(lifecycle.legacy_at),
            "end_of_life_at": _date(lifecycle.end_of_life_at),
            "successor": lifecycle.successor,
        },
        "region": ref.region,
        "price_per_image": ref.model.price.per_image,
        "honours": list(ref.model.dialect.translators[TextToImage.kind].honours),
    }


def models(refs: Iterable[ModelRef], *, today: date) -> dict[str, Any]:
    """Return the enabled models in their order; the default is the first that is not past its end of life."""
    listed = list(refs)
    living = [ref for ref in listed if ref.lifecycle.status(today) != "end_of_life"]
    default = (living or listed)[0]
    return {"models": [model(ref, default=ref is default, today=today) for ref in listed]}


def timestamp(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _request(request: GenerationRequest) -> dict[str, Any]:
    members = request.task.parameters() | {"strict": request.strict}
    for name, value in (("model", request.model), ("webhook_url", request.webhook_url)):
        if value is not None:
            members[name] = value
    return members


def _date(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
