"""Stability's v1 REST API, translated into our contract and back; pure.

See Stability's "REST API v1", `text-to-image` and `engines/list`. The body is the Diffusion 1.0 contract's own, which
Bedrock took over from it; the engine stands in the path.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.refusals import explained, refusal, unknown_field
from imagegen.contracts.text_to_image import parameters, schema
from imagegen.errors import ImagegenError
from imagegen.generations.generation import StoredImage
from imagegen.models.registry import ModelRef

PREFIXES: Final = ("/generation/", "/engines/")
"""Every path below them answers errors in Stability's shape."""

SDXL_ENGINE: Final = "stable-diffusion-xl-1024-v1-0"
"""The engine whose contract this is; any model of the deployment may serve it."""

OURS_ONLY: Final = ("model", "strict", "webhook_url")
"""Members of our own route that Stability's body does not have."""


def model_of(engine_id: str, refs: Iterable[ModelRef]) -> str | None:
    """Return the model that an engine pins, None for any.

    Raises:
        NotFound: there is no such engine here.
    """
    engine = unquote(engine_id)
    if engine == SDXL_ENGINE:
        return None
    if engine in {ref.id for ref in refs}:
        return engine
    raise errors.NotFound("The specified engine was not found; GET /v1/engines/list has those that are.")


def parse(members: dict[str, Any], *, model: str | None) -> GenerationRequest:
    """Return the request that Stability's members describe.

    Raises:
        UnknownParameter: at least one name is not part of the contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    unknown = [unknown_field((name,), known=parameters.PARAMETERS) for name in OURS_ONLY if name in members]
    if unknown:
        raise refusal(unknown=unknown)
    return replace(schema.parse(members), model=model)


def wants_png(accept: Sequence[str]) -> bool:
    """Tell whether the first media type of `Accept` is `image/png`; anything else is answered in JSON.

    API Gateway, too, goes by the first one when it decides whether an answer is binary.
    """
    first = ",".join(accept).split(",")[0].split(";")[0]
    return first.strip(" \t").lower() == "image/png"


def answer(png: bytes, image: StoredImage) -> dict[str, Any]:
    """Return the body of a 200 in JSON."""
    artifact = {"base64": b64encode(png).decode(), "finishReason": "SUCCESS", "seed": image.seed}
    return {"artifacts": [artifact]}


def png_headers(image: StoredImage) -> dict[str, str]:
    """Return what goes with the bytes of a PNG."""
    return {"Finish-Reason": "SUCCESS", "Seed": str(image.seed)}


def engines(refs: Iterable[ModelRef]) -> list[dict[str, str]]:
    """Return the engines that the path may name: SDXL's own, then the enabled models."""
    sdxl = {
        "id": SDXL_ENGINE,
        "name": "Stable Diffusion XL v1.0",
        "description": "The first available model of this deployment, under the contract of SDXL v1.0",
        "type": "PICTURE",
    }
    models = (
        {
            "id": ref.id,
            "name": ref.model.name,
            "description": f"{ref.model.name} on Amazon Bedrock",
            "type": "PICTURE",
        }
        for ref in refs
    )
    return [sdxl, *models]


def problem(error: ImagegenError, *, request_id: str) -> dict[str, str]:
    """Return an error in Stability's shape; `message` ends in our code."""
    return {"id": request_id, "name": _name(error), "message": f"{explained(error)} [{error.kind.code}]"}


_NAMES: Final[Mapping[type[ImagegenError], str]] = {
    errors.Unauthorized: "unauthorized",
    errors.Forbidden: "permission_denied",
    errors.NotFound: "not_found",
    errors.ContentFiltered: "invalid_prompts",
    errors.RateLimited: "rate_limit_exceeded",
    errors.QuotaExceeded: "rate_limit_exceeded",
}


def _name(error: ImagegenError) -> str:
    if isinstance(error, errors.InvalidParameter):
        fields = {item.field for item in error.errors}
        if fields and fields <= {"width", "height"}:
            return "invalid_sdxl_v1_dimensions"
        if fields == {"samples"}:
            return "invalid_samples"
    fallback = "bad_request" if isinstance(error, errors.CallerError) else "server_error"
    return _NAMES.get(type(error), fallback)
