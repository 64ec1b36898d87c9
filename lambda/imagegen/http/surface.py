"""All that clients see of this API besides bodies: every route, and the headers of requests and replies.

The app, `apidoc/`, `stacks/` and the tests read this one table. Only the standard library is imported here, so that
whoever describes or deploys the API need not load it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BASE_PATH: Final = "/v1"
"""In front of every path; the API Gateway stage has the same name."""

STAGE_NAME: Final = BASE_PATH.removeprefix("/")

OWN_SHAPE: Final = "problem"
"""The shape of our own routes, which write errors as RFC 9457 problems."""

MAX_BODY: Final = 262_144
"""In bytes: more than the largest valid request has, whatever its JSON library escapes.

See `docs/decisions/0058-limits-that-can-be-used-together.md`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    `path` is below the base path, and a `{name}` in it stands for one segment. `name` is also the operation's id in the
    OpenAPI document. `shape` names how the route writes replies and errors. `task` names the contract that its body
    follows, if the shape serves several. A route with `max_body` 0 reads no body. `query` names the query parameters
    that it takes; our own shape refuses every other one. A route with `GET` also serves `HEAD`.
    """

    method: str
    path: str
    name: str
    shape: str = OWN_SHAPE
    task: str = ""
    max_body: int = 0
    needs_key: bool = True
    query: tuple[str, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the route serves."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


ROUTES: Final = (
    Route(
        method="POST",
        path="/text-to-image",
        name="createGeneration",
        task="text_to_image",
        max_body=MAX_BODY,
    ),
    Route(method="GET", path="/generations", name="listGenerations", query=("limit", "cursor")),
    Route(method="GET", path="/generations/{id}", name="showGeneration"),
    Route(method="GET", path="/generations/{id}/image", name="redirectToImage", query=("download",)),
    Route(method="DELETE", path="/generations/{id}", name="deleteGeneration"),
    # Before its list, so that paths below /models are refused in its shape (`shape_at`).
    Route(method="GET", path="/models/{id}", name="showOpenAIModel", shape="openai"),
    Route(method="GET", path="/models", name="listModels"),
    Route(method="GET", path="/usage", name="showUsage", query=("days",)),
    Route(method="GET", path="/health", name="showHealth", needs_key=False),
    Route(method="GET", path="/openapi.json", name="showOpenApi", needs_key=False),
    Route(
        method="POST",
        path="/images/generations",
        name="createOpenAIImages",
        shape="openai",
        max_body=MAX_BODY,
    ),
    Route(
        method="POST",
        path="/generation/{engine_id}/text-to-image",
        name="createStabilityImage",
        shape="stability",
        max_body=MAX_BODY,
    ),
    Route(method="GET", path="/engines/list", name="listStabilityEngines", shape="stability"),
    Route(method="GET", path="/user/balance", name="showStabilityBalance", shape="stability"),
    Route(
        method="POST",
        path="/model/{modelId}/invoke",
        name="invokeModel",
        shape="bedrock",
        max_body=MAX_BODY,
    ),
    Route(
        method="POST",
        path="/model/{modelId}/invoke-with-response-stream",
        name="invokeModelWithResponseStream",
        shape="bedrock",
        max_body=MAX_BODY,
    ),
)

NO_ROUTE: Final = Route(method="", path="", name="noRoute")
"""Takes the place of a route in a request that matched none."""

OPEN_PATHS: Final = tuple(dict.fromkeys(route.path for route in ROUTES if not route.needs_key))
"""Paths that need no key."""

METHODS: Final = tuple(dict.fromkeys(method for route in ROUTES for method in route.methods))

BINARY_MEDIA_TYPES: Final = ("image/png", "application/json")
"""API Gateway passes bodies of these types on as bytes. It decodes a reply of bytes only if the first media type of the
request's `Accept` is one of them."""

READ_HEADERS: Final = (
    "Accept",
    "Amz-Sdk-Invocation-Id",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Prefer",
    "User-Agent",
    "X-Api-Key",
    "X-Stainless-Raw-Response",
    "X-Stainless-Read-Timeout",
    "X-Stainless-Retry-Count",
    "X-Stainless-Timeout",
)
"""Headers of requests that mean something to this API."""

SENT_HEADERS: Final = (
    *READ_HEADERS,
    # Any client, to ask for fresh replies or to say what it is.
    "Accept-Language",
    "Cache-Control",
    "Pragma",
    # OpenAI's client for JavaScript.
    "OpenAI-Beta",
    "OpenAI-Organization",
    "OpenAI-Project",
    "X-Stainless-Arch",
    "X-Stainless-Custom-Poll-Interval",
    "X-Stainless-Helper-Method",
    "X-Stainless-Lang",
    "X-Stainless-OS",
    "X-Stainless-Package-Version",
    "X-Stainless-Poll-Helper",
    "X-Stainless-Runtime",
    "X-Stainless-Runtime-Version",
    # Stability's clients.
    "Organization",
    "Stability-Client-Id",
    "Stability-Client-User-Id",
    "Stability-Client-Version",
    # The AWS SDK for JavaScript: attempts, the signature, and the members that Bedrock takes as headers.
    "Amz-Sdk-Request",
    "X-Amz-Content-Sha256",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Bedrock-Accept",
    "X-Amzn-Bedrock-PerformanceConfig-Latency",
    "X-Amzn-Bedrock-Trace",
)
"""Headers that a page may send, by name, because `*` would leave out `Authorization`.

Most of them mean nothing here. But a browser does not send a request at all if one of its headers is not allowed.
"""

HEADERS_ON_EVERY_REPLY: Final = ("X-Request-Id",)
"""The app and the gateway both send these."""

FIXED_HEADERS: Final = {"X-Content-Type-Options": "nosniff"}
"""The app and the gateway send these with every reply as well. They are for browsers alone: so opened, a reply with a
caller's own text in it is never taken for a page (Fetch standard, "X-Content-Type-Options header")."""

HEADERS_ON_EVERY_ERROR: Final = ("X-Should-Retry", "X-Imagegen-Charged")
"""The app and the gateway also send these with every reply to a failed request."""

EXPOSED_HEADERS: Final = (
    *HEADERS_ON_EVERY_REPLY,
    "Location",
    "Retry-After",
    "Preference-Applied",
    "Idempotent-Replayed",
    "Allow",
    "Finish-Reason",
    "Seed",
    *HEADERS_ON_EVERY_ERROR,
    "X-Imagegen-Model",
    "X-Imagegen-Cost-Usd",
    "X-Amzn-Errortype",
    "X-Amzn-Bedrock-Content-Type",
    "ETag",
)
"""Headers of replies that a page may read."""

STANDARD_HEADERS: Final = (
    *FIXED_HEADERS,
    "Content-Type",
    "Cache-Control",
    "Vary",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
)
"""Headers of replies for browsers and caches. HTTP itself defines them, so `docs/api.md` does not list them."""


def route_named(name: str) -> Route:
    """Return the row with this name; raises StopIteration if there is none."""
    return next(route for route in ROUTES if route.name == name)


def path_of(name: str, **parameters: str) -> str:
    """Return a route's whole path, with these in place of its `{name}`s."""
    return BASE_PATH + route_named(name).path.format(**parameters)


def spoken(name: str, **parameters: str) -> str:
    """Return a route as a sentence names it: its method, then its whole path."""
    return f"{route_named(name).method} {path_of(name, **parameters)}"


def generation_path(id_: str) -> str:
    """Return the path that shows a generation."""
    return path_of("showGeneration", id=id_)


def shape_at(path: str, routes: Iterable[Route] = ROUTES) -> str:
    """Return the shape for a path without a route: that of a route with the same first segment, otherwise our own.

    So a client of another API that tries a path which this service lacks still understands the refusal.
    """
    for route in routes:
        if path.startswith(f"/{_first_segment(route.path)}/"):
            return route.shape
    return OWN_SHAPE


def _first_segment(path: str) -> str:
    return path.split("/")[1]
