"""What clients see of this API from outside: every route, and the headers that requests and answers carry.

One table, read by the app, by `apidoc/`, by `stacks/` and by the tests. Only the standard library is imported here,
so that whoever describes or deploys the API need not load it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BASE_PATH: Final = "/v1"
"""In front of every path; the API Gateway stage has the same name."""

STAGE_NAME: Final = BASE_PATH.removeprefix("/")

OWN_SHAPE: Final = "problem"
"""The shape of a route of our own: it answers errors as RFC 9457 problems."""

MAX_BODY: Final = 16_384
"""Bytes of a body that describes an image in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    `path` is below the base path, and a `{name}` in it stands for one segment. `name` is also the operation's id in the
    OpenAPI document. `shape` says in whose words the route answers, `task` which contract its body follows where the
    shape serves several. A route with `max_body` 0 reads no body.
    """

    method: str
    path: str
    name: str
    shape: str = OWN_SHAPE
    task: str = ""
    max_body: int = 0
    needs_key: bool = True


ROUTES: Final = (
    Route(
        method="POST",
        path="/text-to-image",
        name="createGeneration",
        task="text_to_image",
        max_body=MAX_BODY,
    ),
    Route(method="GET", path="/generations", name="listGenerations"),
    Route(method="GET", path="/generations/{id}", name="showGeneration"),
    Route(method="GET", path="/generations/{id}/image", name="redirectToImage"),
    Route(method="DELETE", path="/generations/{id}", name="deleteGeneration"),
    Route(method="GET", path="/models", name="listModels"),
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
)

NO_ROUTE: Final = Route(method="", path="", name="noRoute")
"""Stands in for the route of a request that matches none."""

OPEN_PATHS: Final = tuple(dict.fromkeys(route.path for route in ROUTES if not route.needs_key))
"""Paths that need no key."""

METHODS: Final = tuple(dict.fromkeys(route.method for route in ROUTES))

SENT_HEADERS: Final = ("Content-Type", "Idempotency-Key", "Prefer", "X-Api-Key")
"""Headers that a page may send to us; each means something here."""

HEADERS_ON_EVERY_ANSWER: Final = ("X-Request-Id",)
"""Of the app and of the gateway alike."""

EXPOSED_HEADERS: Final = (
    *HEADERS_ON_EVERY_ANSWER,
    "Location",
    "Retry-After",
    "Preference-Applied",
    "Idempotent-Replayed",
    "Allow",
    "Finish-Reason",
    "Seed",
)
"""Headers of answers that a page may read."""

UNEXPOSED_HEADERS: Final = ("X-Should-Retry",)
"""Headers of answers for clients that are no page."""

STANDARD_HEADERS: Final = (
    "Content-Type",
    "Cache-Control",
    "Vary",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
)
"""Headers of answers that are for browsers and caches: HTTP itself says what they mean, and pages may read them."""


def route_named(name: str) -> Route:
    """Return the route of a name."""
    return next(route for route in ROUTES if route.name == name)


def path_of(name: str, **parameters: str) -> str:
    """Return a route's whole path, with these in place of its `{name}`s."""
    return BASE_PATH + route_named(name).path.format(**parameters)


def spoken(name: str, **parameters: str) -> str:
    """Return a route as a sentence names it: its method and its whole path."""
    return f"{route_named(name).method} {path_of(name, **parameters)}"


def generation_path(id_: str) -> str:
    """Return where a generation is looked up."""
    return path_of("showGeneration", id=id_)


def shape_at(path: str, routes: Iterable[Route] = ROUTES) -> str:
    """Return the shape that answers a path without a route: that of the routes beside it, under the same first segment.

    A client of another API that tries a path which this service does not have still understands the refusal.
    """
    for route in routes:
        if path.startswith(f"/{_first_segment(route.path)}/"):
            return route.shape
    return OWN_SHAPE


def _first_segment(path: str) -> str:
    return path.split("/")[1]
