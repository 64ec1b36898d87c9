"""Examples of replies, made by the functions that make real ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import FieldError, ImagegenError
from imagegen.generations.charges import Charge, QuotaLimits, Remaining
from imagegen.generations.generation import Bill, Generation, StoredImage
from imagegen.generations.ports import SignedUrl
from imagegen.generations.submit import Usage
from imagegen.http import serialize
from imagegen.http.compat import bedrock, openai, stability

_ERROR_SENTENCES: Final[Mapping[type[ImagegenError], str]] = {
    errors.MethodNotAllowed: "The path exists, but does not have this method; `Allow` lists its methods.",
    errors.InProgress: "The generation is still running; `Location` says where to look.",
}
"""Sentences that also name a header; the docstring of the error does not, because only `http/` knows headers."""

_FIELDS: Final[Mapping[type[ImagegenError], tuple[FieldError, ...]]] = {
    errors.InvalidParameter: (FieldError(field="steps", message="must be an integer from 10 to 150"),),
    errors.UnknownParameter: (FieldError(field="step", message="is not a parameter (did you mean steps?)"),),
    errors.UnsupportedParameter: (
        FieldError(field="sampler", message="cannot be honoured exactly by stability.stable-image-core-v1:1"),
    ),
    errors.UnknownModel: (
        FieldError(field="model", message="must be one of: stability.stable-image-core-v1:1"),
    ),
}


def sentence(kind: type[ImagegenError]) -> str:
    """Return what an error means, in one sentence."""
    return _ERROR_SENTENCES.get(kind) or kind.__doc__ or ""


def error_of(kind: type[ImagegenError]) -> ImagegenError:
    """Return an error of this kind as it is shown in an example."""
    return kind(sentence(kind), errors=_FIELDS.get(kind, ()))


def example_generation() -> Generation:
    """Return the succeeded generation that the examples show."""
    return _GENERATION


@cache
def success_examples() -> Mapping[tuple[str, int], Any]:
    """Return the bodies of successes by the route's name and the status."""
    signed = SignedUrl(
        url="https://images.s3.us-east-1.amazonaws.com/images/…?X-Amz-Signature=…",
        expires_at=_NOW + timedelta(hours=1),
    )
    detail = serialize.full(_GENERATION, signed, request_id="")
    image = openai.ReplyImage(url=signed.url)
    return {
        ("createGeneration", 200): serialize.succeeded(_GENERATION, signed),
        ("createGeneration", 202): {**serialize.accepted(_GENERATION), "status": "queued"},
        ("listGenerations", 200): serialize.history([detail], next_cursor=None),
        ("showGeneration", 200): detail,
        ("showUsage", 200): serialize.usage(_USAGE),
        ("showHealth", 200): serialize.health(),
        ("showOpenAIModel", 200): openai.openai_models(())[0],
        ("createOpenAIImages", 200): openai.images_body(
            [image], created=int(_NOW.timestamp()), first=_IMAGE, quality="high"
        ),
        # Written out, because a whole image in base64 would fill the document.
        ("createStabilityImage", 200): {
            "artifacts": [{"base64": "iVBORw0KGgo…", "finishReason": "SUCCESS", "seed": _IMAGE.seed}]
        },
        ("listStabilityEngines", 200): stability.engines(()),
        ("showStabilityBalance", 200): stability.balance(37),
        ("invokeModel", 200): bedrock.body_of("iVBORw0KGgo…", seed=_IMAGE.seed, reason="SUCCESS"),
    }


# A fixed time, so that `make openapi` writes the same file every day.
_NOW: Final = datetime(2026, 11, 3, 9, 21, 7, tzinfo=UTC)
_USAGE: Final = Usage(
    days=(("2026-11-03", Charge(images=19, micro_usd=760_000)), ("2026-11-02", Charge())),
    limits=QuotaLimits(daily_images_per_caller=100, daily_micro_usd_per_caller=14_000_000),
    remaining=Remaining(images=81, micro_usd=13_240_000),
)
_IMAGE: Final = StoredImage(
    model="stability.stable-image-core-v1:1",
    seed=3407,
    width=1024,
    height=1024,
    bytes=1_812_345,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    content_type="image/png",
)
_GENERATION: Final = Generation(
    id="gen_3nq7v5kd2wzr6xj4tm5yhb2c7a",
    owner="",
    fingerprint="",
    request=GenerationRequest(
        task=TextToImage(
            text_prompts=(Prompt(text="Sri lanka tea plantation."),), seed=3407, cfg_scale=10, steps=50
        )
    ),
    asynchronous=False,
    created_at=_NOW,
    expires_at=_NOW + timedelta(days=30),
    state="succeeded",
    version="",
    claim="",
    quota_day="2026-11-03",
    image=_IMAGE,
    bill=Bill(each=40_000, calls=1, spent=40_000, model=_IMAGE.model),
    ignored=("cfg_scale", "steps"),
)
