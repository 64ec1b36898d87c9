"""A new shape or task needs only rows of the route table and one entry in a table of `http/app.py`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from imagegen.contracts.text_to_image import schema
from imagegen.errors import ImagegenError, invalid
from imagegen.http import app as api
from imagegen.http import reply, surface
from imagegen.http.app import create_app
from imagegen.http.surface import Route
from tests.support.events import event, send
from tests.support.world import world

if TYPE_CHECKING:
    import pytest

    from imagegen.contracts.generation_request import GenerationRequest
    from imagegen.http.compat import RouteFunction
    from imagegen.http.reply import Reply
    from imagegen.http.request import Request


@dataclass(frozen=True, kw_only=True)
class Parrot:
    """A shape that repeats its request, and writes an error as one word."""

    submitter: Any
    history: Any
    models: Any

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """Return its only route."""
        return {"repeat": self.repeat}

    def repeat(self, request: Request, voice: str, word: str) -> Reply:
        """Reply with the path parameters and the body."""
        members = request.members(request.route.max_body)
        return reply.json_reply(200, {"voice": voice, "word": word, "members": members})

    def problem(self, error: ImagegenError, _: Request) -> Reply:
        """Reply with the error's code."""
        return reply.json_reply(error.kind.status, error.kind.code)


PARROT = Route(method="POST", path="/parrot/{voice}/{word}", name="repeat", shape="parrot", max_body=20)
HAIKU = Route(
    method="POST", path="/haiku", name="createHaiku", task="haiku", max_body=40, shape=surface.OWN_SHAPE
)


def test_another_shape_is_its_own_file_a_row_and_an_entry() -> None:
    """The new shape has its own routes, limits and errors, and unknown paths beside its own use it."""
    app = create_app(
        world().services, routes=(*surface.ROUTES, PARROT), shapes={**api.SHAPES, "parrot": Parrot}
    )
    said = send(app, event("POST", "/parrot/loud/hello", {"a": 1}))
    assert (said.status, said.json) == (200, {"voice": "loud", "word": "hello", "members": {"a": 1}})
    assert said.headers["x-request-id"] == "req-1"
    for method, path, body, status, code in (
        ("POST", "/parrot/loud/hello", {"a": "x" * 20}, 413, "payload_too_large"),
        ("POST", "/parrot/loud", {}, 404, "not_found"),
        ("GET", "/parrot/loud/hello", None, 405, "method_not_allowed"),
    ):
        answer = send(app, event(method, path, body))
        assert (answer.status, answer.json) == (status, code)


def test_another_task_is_a_contract_and_a_row() -> None:
    """The route finds its contract by the task's name, and the body's limit in its row."""

    def parse(members: dict[str, Any]) -> GenerationRequest:
        if set(members) != {"lines"}:
            raise invalid("lines", "are all that a haiku has")
        return schema.parse({"text_prompts": [{"text": members["lines"]}]})

    service = world()
    app = create_app(service.services, routes=(HAIKU,), contracts={"haiku": parse})
    assert send(app, event("POST", "/haiku", {"lines": "an old silent pond"})).status == 200
    assert send(app, event("POST", "/haiku", {"verse": 1})).json["errors"][0]["field"] == "lines"
    assert send(app, event("POST", "/haiku", {"lines": "x" * 40})).json["code"] == "payload_too_large"


def test_every_row_has_what_its_names_stand_for() -> None:
    """Every row names a shape, a contract and a function that exist; every function has a row."""
    own = api.OwnRoutes(services=world().services, contracts=api.CONTRACTS, routes=surface.ROUTES)
    others = {name: make(submitter=None, history=None, models=()) for name, make in api.SHAPES.items()}
    functions = {
        (name, function)
        for name, shape in {surface.OWN_SHAPE: own, **others}.items()
        for function in shape.functions
    }
    assert functions == {(route.shape, route.name) for route in surface.ROUTES}
    assert {route.task for route in surface.ROUTES if route.task} == set(api.CONTRACTS)


def test_apps_in_two_threads_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each app answers its own request, also if both have begun before either is read."""
    both_began = Barrier(2, timeout=60)
    resolve = APIGatewayRestResolver._resolve

    def after_both(resolver: APIGatewayRestResolver) -> Any:
        both_began.wait()
        return resolve(resolver)

    monkeypatch.setattr(APIGatewayRestResolver, "_resolve", after_both)

    def answer_of(word: str) -> Any:
        app = create_app(world().services, routes=(PARROT,), shapes={"parrot": Parrot})
        return send(app, event("POST", f"/parrot/loud/{word}", {"a": word})).json

    words = ["hello", "goodbye"]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(answer_of, words))
    assert [(answer["word"], answer["members"]["a"]) for answer in said] == [(word, word) for word in words]
