"""Puts operations, headers, examples and schemas together into one document, and writes it as text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from apidoc.examples import error_of, sentence, success_examples
from apidoc.headers import ERROR_HEADERS, HEADERS, RECORDED
from apidoc.operations import DESCRIBED, ENDINGS, Operation, Success
from apidoc.schemas import REF, request_title, schemas, title_of
from apidoc.shapes import SHAPES
from apidoc.tags import TAGS
from apidoc.webhooks import CallbackBody, webhooks
from imagegen.errors import ImagegenError, error_types
from imagegen.http import surface
from imagegen.http.surface import BASE_PATH

_DESCRIPTION: Final = """\
Text to image under the contract of Amazon Bedrock's Diffusion 1.0 (SDXL 1.0), served by whichever model is alive.

Every failure is one `application/problem+json` body with a stable `code`; the routes for the clients of OpenAI,
Stability and Bedrock write errors in the shapes of those APIs. `HEAD` is served wherever `GET` is.

The header `Idempotency-Key` (16 to 64 characters of `A-Z`, `a-z`, `0-9`, `_`, `-`) makes it safe to repeat a `POST`:
the same key and body give the same generation, paid at most once. Choose a new one for each image, and give it to
your client as a header of your own. It is not among the parameters, because tools that import this document would
make one up, and send that one with every request. On Bedrock's routes, `amz-sdk-invocation-id` serves as the key
where there is none."""

# The gateway does not know which shape a path has:
# see docs/decisions/0010-the-gateway-replies-in-the-contracts-words.md.
_FROM_GATEWAY: Final = frozenset({400, 401, 403, 429, 500, 502, 504})
"""Statuses that the gateway sends by itself, always as a problem."""
# The document is the same for every deployment, so the first server is relative to where it is served. A tool that
# reads the document from a file needs the second.
_SERVERS: Final = [
    {"url": BASE_PATH, "description": "The deployment that serves this document."},
    {
        "url": f"https://{{host}}{BASE_PATH}",
        "description": "Any deployment.",
        "variables": {
            "host": {
                "default": "api-id.execute-api.us-east-1.amazonaws.com",
                "description": "The host in the deployment's output `ApiUrl`.",
            }
        },
    },
]
_EXPANDED: Final = 5
"""Down to this level, each member of the document has a line of its own."""
# The number of a release is written by hand here and in `imagegen.VERSION`; a test compares the two.
_PROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"


@cache
def document() -> dict[str, Any]:
    """Return the document; the same object for each call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imagegen",
            "version": version(),
            "description": _DESCRIPTION,
            "contact": {"name": "The operator of the deployment"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": _SERVERS,
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "security": [{"ApiKey": []}, {"BearerKey": []}],
        "paths": {
            path: {operation.route.method.lower(): _operation(operation) for operation in operations}
            for path, operations in groupby(_by_path(), key=lambda operation: operation.route.path)
        },
        "webhooks": webhooks(REF + title_of(CallbackBody)),
        "components": {
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "An API key of the deployment. A deployment with `api_auth` `iam` takes AWS "
                    "signatures instead, and one with `cognito` tokens of a user pool.",
                },
                "BearerKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The same API key as a bearer token.",
                },
            },
            "headers": {
                name: {"description": description, "schema": schema}
                for name, (description, schema) in HEADERS.items()
            },
            "examples": {
                f"{name}.{kind.kind.code}": {"value": shape.example(error_of(kind))}
                for name, shape in SHAPES.items()
                for kind in error_types()
                if (name, kind) in _ends()
            },
            "schemas": schemas(),
        },
    }


@cache
def _ends() -> frozenset[tuple[str, type[ImagegenError]]]:
    """Return each error with the shapes in which some operation can end with it."""
    own = {(surface.OWN_SHAPE, kind) for operation in DESCRIBED for kind in operation.errors}
    return frozenset(
        own | {(operation.route.shape, kind) for operation in DESCRIBED for kind in operation.errors}
    )


def version() -> str:
    """Return the version of a release: package, document and changelog have the same one."""
    with _PROJECT.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def written(value: Any, *, depth: int = 0) -> str:
    """Return the document as it is committed and served."""
    # Down to a status of an operation and a property of a schema, each member has a line of its own, so that a diff can
    # be read. Below, everything is compact, because clients get the file as it is.
    if depth == _EXPANDED or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    indent = " " * depth
    members = (
        f"{indent} {json.dumps(name)}:{written(member, depth=depth + 1)}" for name, member in value.items()
    )
    return "{\n" + ",\n".join(members) + f"\n{indent}}}" + ("" if depth else "\n")


# -- operations ----------------------------------------------------------------------------------------------------


def _by_path() -> Sequence[Operation]:
    # groupby joins only neighbours, so operations of one path must stand together.
    paths = list(dict.fromkeys(route.path for route in surface.ROUTES))
    return sorted(DESCRIBED, key=lambda operation: paths.index(operation.route.path))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
    }
    if not operation.route.needs_key:
        # An empty list takes back the document's own `security`: no key is needed here.
        described["security"] = []
    if operation.parameters:
        described["parameters"] = [dict(parameter) for parameter in operation.parameters]
    if operation.request is not None:
        name = request_title(operation)
        described["requestBody"] = {
            "required": True,
            "content": {
                # Postman looks for the example here, and not behind the reference.
                "application/json": {
                    "schema": {"$ref": REF + name},
                    "example": schemas()[name]["examples"][0],
                }
            },
        }
    described["responses"] = {
        **{str(success.status): _success(success, operation) for success in operation.successes},
        **{str(status): _error(status, kinds, operation) for status, kinds in _by_status(operation)},
        **_gateways_own(operation),
    }
    return described


def _success(success: Success, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"description": success.description}
    if not success.from_bucket:
        described["headers"] = _headers(*surface.HEADERS_ON_EVERY_REPLY, *success.headers)
    if success.body is not None:
        one = {"$ref": REF + title_of(success.body)}
        media: dict[str, Any] = {"schema": {"type": "array", "items": one} if success.is_list else one}
        example = success_examples().get((operation.name, success.status))
        if example is not None:
            media["example"] = example
        described["content"] = {"application/json": media, **({"image/png": {}} if success.png else {})}
    return described


def _by_status(operation: Operation) -> Iterator[tuple[int, list[type[ImagegenError]]]]:
    status = SHAPES[operation.route.shape].status
    # Sorted by status first, because groupby joins only neighbours.
    order = error_types()
    kinds = sorted(dict.fromkeys(operation.errors), key=lambda kind: (status(kind), order.index(kind)))
    for number, of_status in groupby(kinds, key=status):
        yield number, list(of_status)


def _gateways_own(operation: Operation) -> dict[str, Any]:
    """Return the problems of the gateway whose statuses the shape itself does not have."""
    status = SHAPES[operation.route.shape].status
    own = {status(kind) for kind in operation.errors}
    kinds = [kind for kind in operation.errors if kind.kind.status in _FROM_GATEWAY - own]
    return {
        str(kind.kind.status): {
            "description": f"- `{kind.kind.code}`: {sentence(kind)}",
            "headers": _headers(
                *surface.HEADERS_ON_EVERY_REPLY, *surface.HEADERS_ON_EVERY_ERROR, *ERROR_HEADERS.get(kind, ())
            ),
            "content": _examples(surface.OWN_SHAPE, [kind]),
        }
        for kind in kinds
    }


def _examples(shape: str, kinds: Sequence[type[ImagegenError]]) -> dict[str, Any]:
    return {
        SHAPES[shape].content_type: {
            "schema": {"$ref": REF + title_of(SHAPES[shape].error_body)},
            "examples": {
                kind.kind.code: {"$ref": f"#/components/examples/{shape}.{kind.kind.code}"} for kind in kinds
            },
        }
    }


def _error(status: int, kinds: Sequence[type[ImagegenError]], operation: Operation) -> dict[str, Any]:
    codes = "\n".join(f"- `{kind.kind.code}`: {sentence(kind)}" for kind in kinds)
    route = operation.route
    headers = dict.fromkeys(
        [
            *surface.HEADERS_ON_EVERY_REPLY,
            *surface.HEADERS_ON_EVERY_ERROR,
            *(name for kind in kinds for name in ERROR_HEADERS.get(kind, ())),
            *(name for kind in kinds if route.max_body and kind in ENDINGS for name in RECORDED),
            *SHAPES[route.shape].headers,
        ]
    )
    # An error of the gateway is a problem even on a path of another shape, so such a status has two bodies.
    shapes = [route.shape]
    if route.shape != surface.OWN_SHAPE and status in _FROM_GATEWAY:
        shapes.append(surface.OWN_SHAPE)
    return {
        "description": codes,
        "headers": _headers(*headers),
        "content": {
            media: described for shape in shapes for media, described in _examples(shape, kinds).items()
        },
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
