"""The OpenAPI 3.1 document of this API, generated from the code that answers.

`python -m imagegen.http.openapi` prints it; `docs/openapi.json` is a copy, and a test compares the two.

"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import FieldError, ImagegenError, error_types
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.ports import SignedUrl
from imagegen.http import compat_responses as theirs
from imagegen.http import responses, serialize
from imagegen.http.compat import openai, stability
from imagegen.http.openapi_routes import OPERATIONS, Operation, Shape, Success
from imagegen.http.reply import BASE_PATH

if TYPE_CHECKING:
    from pydantic import BaseModel

VERSION: Final = "1.0.0"
"""Of the contract; it grows with what clients can see."""

_REQUEST_ID: Final = "8f5a2c1e-4b1d-4d0a-9a63-0f3f6e1c7b52"
_REF: Final = "#/components/schemas/"
_DESCRIPTION: Final = """\
Text to image under the contract of Amazon Bedrock's Diffusion 1.0 (SDXL 1.0), served by whichever model is alive.

Every failure is one `application/problem+json` body with a stable `code`; the two routes for OpenAI's and Stability's
clients answer in the error shapes of those APIs. A request that names an `Idempotency-Key` can be repeated safely: it
is paid at most once."""

_HEADERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-Id": ("Finds this request in the service's logs.", {"type": "string"}),
    "Location": ("Where the generation or its image is.", {"type": "string"}),
    "Retry-After": ("Seconds after which to come back.", {"type": "integer", "minimum": 0}),
    "Preference-Applied": ("The preference that was honoured.", {"type": "string", "const": "respond-async"}),
    "Idempotent-Replayed": (
        "Set if an earlier request of the same key made this.",
        {"type": "string", "const": "true"},
    ),
    "Allow": ("The methods that the path has.", {"type": "string"}),
    "Finish-Reason": ("With bytes: why the model stopped.", {"type": "string", "const": "SUCCESS"}),
    "Seed": ("With bytes: the seed that made the image.", {"type": "integer"}),
    "X-Should-Retry": (
        "Tells OpenAI's clients whether to repeat.",
        {"type": "string", "enum": ["true", "false"]},
    ),
}
_ERROR_HEADERS: Final[Mapping[int, tuple[str, ...]]] = {
    405: ("Allow",),
    409: ("Location", "Retry-After"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_ERROR_SENTENCES: Final[Mapping[type[ImagegenError], str]] = {
    errors.MethodNotAllowed: "The path exists, the method does not; `Allow` lists those that do.",
    errors.InProgress: "The generation is still running; `Location` tells where to look.",
}
"""What the headers of an answer add to the docstring of its error, which knows no headers."""

_ERROR_BODIES: Final[Mapping[Shape, type[BaseModel]]] = {
    "problem": responses.ProblemBody,
    "openai": theirs.OpenAIErrorBody,
    "stability": theirs.StabilityErrorBody,
}
_FROM_GATEWAY: Final = frozenset({401, 403, 413, 429, 500, 504})
"""Statuses that the gateway answers by itself, always as a problem."""


@cache
def document() -> dict[str, Any]:
    """Return the document; made once a process."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imagegen",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE_PATH}],
        "security": [{"ApiKey": []}],
        "paths": {
            path: {operation.method.lower(): _operation(operation) for operation in operations}
            for path, operations in groupby(_by_path(), key=lambda operation: operation.path)
        },
        "components": {
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "A key of the deployment's usage plan. A deployment with `api_auth` `iam` takes AWS "
                    "signatures instead.",
                }
            },
            "headers": {
                name: {"description": description, "schema": schema}
                for name, (description, schema) in _HEADERS.items()
            },
            "examples": {
                f"{shape}.{kind.kind.code}": {"value": _error_example(kind, shape)}
                for shape in _ERROR_BODIES
                for kind in error_types()
            },
            "schemas": _schemas(),
        },
    }


@cache
def served() -> str:
    """Return the document as it is served."""
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":"))


def readable() -> str:
    """Return the document as it is committed."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


# -- operations ----------------------------------------------------------------------------------------------------


def _by_path() -> Sequence[Operation]:
    paths = list(dict.fromkeys(operation.path for operation in OPERATIONS))
    return sorted(OPERATIONS, key=lambda operation: paths.index(operation.path))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    if not operation.needs_key:
        described["security"] = []
    if operation.parameters:
        described["parameters"] = [dict(parameter) for parameter in operation.parameters]
    if operation.request is not None:
        name = _request_name(operation)
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF + name}}},
        }
    described["responses"] = {
        **{str(success.status): _success(success, operation) for success in operation.successes},
        **{str(status): _error(status, kinds, operation) for status, kinds in _by_status(operation)},
    }
    return described


def _success(success: Success, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": success.description,
        "headers": _headers("X-Request-Id", *success.headers),
    }
    if success.body is not None:
        one = {"$ref": _REF + _title(success.body)}
        media: dict[str, Any] = {"schema": {"type": "array", "items": one} if success.is_list else one}
        example = _examples().get((operation.id, success.status))
        if example is not None:
            media["example"] = example
        described["content"] = {"application/json": media, **({"image/png": {}} if success.png else {})}
    return described


def _by_status(operation: Operation) -> Iterator[tuple[int, list[type[ImagegenError]]]]:
    def status(kind: type[ImagegenError]) -> int:
        return kind.kind.status

    order = error_types()
    kinds = sorted(dict.fromkeys(operation.errors), key=lambda kind: (status(kind), order.index(kind)))
    for number, of_status in groupby(kinds, key=status):
        yield number, list(of_status)


def _error(status: int, kinds: Sequence[type[ImagegenError]], operation: Operation) -> dict[str, Any]:
    codes = "\n".join(f"- `{kind.kind.code}`: {_sentence(kind)}" for kind in kinds)
    headers = ("X-Request-Id", *_ERROR_HEADERS.get(status, ()))
    shapes: list[Shape] = [operation.shape]
    if operation.shape == "openai":
        headers = (*headers, "X-Should-Retry")
    if operation.shape != "problem" and status in _FROM_GATEWAY:
        shapes.append("problem")
    return {
        "description": codes,
        "headers": _headers(*headers),
        "content": {
            "application/problem+json" if shape == "problem" else "application/json": {
                "schema": {"$ref": _REF + _title(_ERROR_BODIES[shape])},
                "examples": {
                    kind.kind.code: {"$ref": f"#/components/examples/{shape}.{kind.kind.code}"}
                    for kind in kinds
                },
            }
            for shape in shapes
        },
    }


def _sentence(kind: type[ImagegenError]) -> str:
    return _ERROR_SENTENCES.get(kind) or kind.__doc__ or ""


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


# -- schemas -------------------------------------------------------------------------------------------------------


def _schemas() -> dict[str, Any]:
    bodies = {success.body for operation in OPERATIONS for success in operation.successes if success.body}
    requests = {operation.request for operation in OPERATIONS if operation.request}
    models = sorted({*bodies, *requests, *_ERROR_BODIES.values()}, key=lambda model: model.__name__)
    _, generated = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF + "{model}"
    )
    titles = {name: schema.get("title", name) for name, schema in generated["$defs"].items()}
    written = json.dumps(generated["$defs"])
    for name, title in titles.items():
        written = written.replace(f'"{_REF}{name}"', f'"{_REF}{title}"')
    schemas = {titles[name]: schema for name, schema in json.loads(written).items()}
    for operation in OPERATIONS:
        if operation.request is not None and operation.without:
            schemas[_request_name(operation)] = _narrowed(schemas[_title(operation.request)], operation)
    code = schemas[_title(responses.ProblemBody)]["properties"]["code"]
    code["enum"] = [kind.kind.code for kind in error_types()]
    return dict(sorted(schemas.items()))


def _narrowed(schema: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    kept = {name: value for name, value in schema["properties"].items() if name not in operation.without}
    return {**schema, "title": _request_name(operation), "description": operation.summary, "properties": kept}


def _request_name(operation: Operation) -> str:
    if operation.request is None:
        raise ValueError(f"{operation.id} takes no body")
    return "StabilityTextToImageRequest" if operation.without else _title(operation.request)


def _title(model: type[BaseModel]) -> str:
    return str(model.model_config.get("title") or model.__name__)


# -- examples, made by the code that answers -------------------------------------------------------------------------

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


def _error_example(kind: type[ImagegenError], shape: Shape) -> dict[str, Any]:
    error = kind(_sentence(kind), errors=_FIELDS.get(kind, ()))
    if shape == "openai":
        return openai.problem(error)
    if shape == "stability":
        return stability.problem(error, request_id=_REQUEST_ID)
    return serialize.problem(error, request_id=_REQUEST_ID)


@cache
def _examples() -> Mapping[tuple[str, int], Any]:
    signed = SignedUrl(
        url="https://images.s3.us-east-1.amazonaws.com/images/…?X-Amz-Signature=…",
        expires_at=_NOW + timedelta(hours=1),
    )
    detail = serialize.full(_GENERATION, signed, request_id=_REQUEST_ID)
    picture = openai.Picture(url=signed.url)
    return {
        ("createGeneration", 200): serialize.succeeded(_GENERATION, signed),
        ("createGeneration", 202): {**serialize.accepted(_GENERATION), "status": "queued"},
        ("listGenerations", 200): {"generations": [detail], "next_cursor": None},
        ("showGeneration", 200): detail,
        ("showHealth", 200): {"status": "ok"},
        ("createOpenAIImages", 200): openai.answer([picture], created_at=_NOW),
        ("createStabilityImage", 200): {
            "artifacts": [{"base64": "iVBORw0KGgo…", "finishReason": "SUCCESS", "seed": _IMAGE.seed}]
        },
        ("listStabilityEngines", 200): stability.engines(()),
    }


_NOW: Final = datetime(2026, 11, 3, 9, 21, 7, tzinfo=UTC)
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
    ignored=("cfg_scale", "steps"),
)

if __name__ == "__main__":
    sys.stdout.write(readable())
