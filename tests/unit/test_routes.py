"""`make bench` sends a request to every route of the API, and says what each took."""

from __future__ import annotations

import json

import httpx
import pytest

from benchmarks.figures import Series
from benchmarks.routes import Routes, Throughput, calls
from imagegen.http.surface import ROUTES

ROUTES_MEASURED = Routes(
    routes={"showHealth": Series(name="GET /health", seconds=(0.004, 0.004))},
    throughputs=[Throughput(clients=2, environments=2, per_second=40.0)],
)


def test_every_route_has_a_call() -> None:
    """So a new route cannot be forgotten; each call fills every part of its path."""
    answer = httpx.Response(200, json={"id": "gen_1"})
    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(lambda _: answer)) as client:
        made = {name: make() for name, make in calls(client).items()}
    assert set(made) == {route.name for route in ROUTES}
    for route in ROUTES:
        call = made[route.name]
        assert "{" not in route.path.format(**(call.path or {}))
        assert (call.body is not None) == (route.max_body > 0)


def test_no_two_requests_are_equal() -> None:
    """The service could take the second for a repeat of the first, and reply with its image."""
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200, json={"id": "gen_1"})

    with httpx.Client(base_url="http://api", transport=httpx.MockTransport(answer)) as client:
        made = calls(client)
        bodies = [json.dumps(made["createGeneration"]().body) for _ in range(3)]
        made["deleteGeneration"]()
    assert len(set(bodies)) == 3
    assert len(set(sent)) == len(sent) == 2


def test_the_figures_have_a_name_for_each_route_and_number_of_clients() -> None:
    """Times are in milliseconds."""
    assert {one.name: (one.value, one.unit) for one in ROUTES_MEASURED.figures()} == {
        "GET /health": (4, "ms"),
        "GET /health, p95": (pytest.approx(4.0), "ms"),
        "requests per second, clients: 2, environments: 2": (40, "/s"),
    }
