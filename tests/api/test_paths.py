"""Which paths, methods and query parameters each route serves."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen.http import surface
from imagegen.http.app import create_app
from imagegen.http.surface import OWN_SHAPE, ROUTES, Route
from tests.support.events import Answer, event, send
from tests.support.scenarios import TEA
from tests.support.world import World, world

READ = [route for route in ROUTES if route.method == "GET"]
OWN = [route for route in ROUTES if route.shape == OWN_SHAPE]
FOREIGN = [route for route in ROUTES if route.shape != OWN_SHAPE]


def named(routes: list[Route]) -> pytest.MarkDecorator:
    """Return a parametrization over routes."""
    return pytest.mark.parametrize("route", routes, ids=[route.name for route in routes])


def with_an_image() -> tuple[World, str]:
    """Return a service with one generation, and the generation's id."""
    service = world()
    send(create_app(service.services), event("POST", "/text-to-image", TEA))
    return service, service.store.only().id


def filled(route: Route, id_: str) -> str:
    """Return the path of a route, with something that exists in place of its parameters."""
    if route.name == "showOpenAIModel":
        id_ = "auto"
    ids = {"engine_id": "stable-diffusion-xl-1024-v1-0", "modelId": "stability.stable-diffusion-xl-v1"}
    return route.path.format(id=id_, **ids)


def ask(service: World, method: str, path: str, **more: Any) -> Answer:
    """Send one request, with a valid body if the method has one."""
    body = more.pop("body", None)
    return send(create_app(service.services), event(method, path, body, **more))


@named(READ)
def test_head_is_answered_wherever_get_is(route: Route) -> None:
    """Status and headers are the same, and there is no body."""
    # Each has a service of its own, because every reply has a fresh URL.
    (one, id_), (other, same) = with_an_image(), with_an_image()
    assert id_ == same
    path = filled(route, id_)
    get, head = ask(one, "GET", path), ask(other, "HEAD", path)
    assert get.status < 400
    assert (head.status, head.headers, head.body) == (get.status, get.headers, "")


@pytest.mark.parametrize("path", ["/generations/gen_" + "a" * 26, "/nothing", "/engines/none", "/images/x"])
def test_head_is_refused_as_get_is(path: str) -> None:
    """A refusal has the same status and headers, and no body."""
    get, head = ask(world(), "GET", path), ask(world(), "HEAD", path)
    assert (get.status, head.status) == (404, 404)
    assert (head.headers, head.body) == (get.headers, "")


def test_allow_lists_head_beside_get() -> None:
    """A path with only `POST` has no `HEAD`."""
    assert ask(world(), "PATCH", "/models").headers["allow"] == "GET, HEAD"
    refused = ask(world(), "HEAD", "/text-to-image")
    assert (refused.status, refused.headers["allow"], refused.body) == (405, "POST", "")


@named(list(ROUTES))
def test_the_base_path_twice_is_another_path(route: Route) -> None:
    """`/v1/v1/models` is no alias of `/v1/models`: not behind the gateway's stage, not on a custom domain name."""
    service, id_ = with_an_image()
    below = filled(route, id_)
    twice = f"{surface.BASE_PATH}{surface.BASE_PATH}{below}"
    body = TEA if route.method == "POST" else None
    sent = event(route.method, surface.BASE_PATH + below, body)
    # The gateway leaves its stage out of `path`, and nowhere else.
    sent["requestContext"]["path"] = twice
    for request in (sent, event(route.method, twice, body)):
        assert send(create_app(service.services), request).status == 404
    assert len(service.runtime.calls) == 1


@named(READ)
def test_the_base_path_of_a_custom_domain_name_is_left_out(route: Route) -> None:
    """There API Gateway passes on the whole path."""
    service, id_ = with_an_image()
    path = filled(route, id_)
    assert ask(service, "GET", surface.BASE_PATH + path).status == ask(service, "GET", path).status < 400


@named(READ)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_slash_at_the_end_makes_no_difference(route: Route, method: str) -> None:
    """Some clients put one there."""
    service, id_ = with_an_image()
    path = filled(route, id_)
    assert ask(service, method, f"{path}/").status == ask(service, "GET", path).status < 400


@named(OWN)
def test_a_query_parameter_that_a_route_does_not_take_is_refused_by_name(route: Route) -> None:
    """So a misspelt `limit` is not silently a page of twenty."""
    service, id_ = with_an_image()
    body = TEA if route.method == "POST" else None
    answer = ask(service, route.method, filled(route, id_), query={"limits": "5"}, body=body)
    assert (answer.status, answer.json["code"]) == (400, "unknown_parameter")
    (found,) = answer.json["errors"]
    hint = " (did you mean limit?)" if "limit" in route.query else ""
    assert found == {"field": "limits", "message": f"is not a parameter{hint}"}
    assert answer.json["detail"] == f"limits is not a parameter{hint}."
    assert len(service.store.items) == 1


@named(FOREIGN)
def test_the_routes_of_other_apis_pass_over_query_parameters(route: Route) -> None:
    """Their clients append some of their own, such as `api-version`."""
    path = filled(route, "")
    body = {"openai": {"prompt": "tea"}}.get(route.shape, TEA) if route.method == "POST" else None
    assert ask(world(), route.method, path, query={"api-version": "1"}, body=body).status == 200


def test_what_a_route_takes_is_learnt_with_a_key_only() -> None:
    """A caller without an API key gets 401, whatever the query."""
    assert ask(world(), "GET", "/models", query={"x": "1"}, key=None).status == 401


def test_an_unknown_path_stays_unknown_with_a_query() -> None:
    """The path comes first."""
    assert ask(world(), "GET", "/nothing", query={"x": "1"}).status == 404
