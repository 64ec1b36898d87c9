"""A caller looks up, lists, downloads and deletes its own generations, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from imagegen import errors
from imagegen.generations.stored_record import to_json
from imagegen.http.app import create_app
from tests.support.events import OTHER_KEY, Answer, event, send
from tests.support.fakes import CORE, SDXL, sdxl_answer
from tests.support.world import World, world

if TYPE_CHECKING:
    from imagegen.generations.generation import State

TEA = {"text_prompts": [{"text": "Sri lanka tea plantation."}], "seed": 3407, "steps": 50}
UNKNOWN = "gen_" + "a" * 26


def ask(service: World, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    """Send one request to a service."""
    return send(create_app(service.services), event(method, path, body, **more))


def made(service: World, **members: Any) -> str:
    """Make an image and return its id."""
    return str(ask(service, "POST", "/text-to-image", {**TEA, **members}).json["id"])


def put_state(service: World, state: State) -> str:
    """Put the one generation into another state and return its id."""
    lease_until = service.clock.now() + timedelta(minutes=1) if state == "running" else None
    record = replace(service.store.only(), state=state, image=None, lease_until=lease_until)
    service.store.items[record.id] = to_json(record)
    return record.id


def test_a_generation_is_shown_with_its_request_as_resolved() -> None:
    """A look-up shows the first reply's members, all parameters with their defaults, and a new URL."""
    service = world()
    first = ask(service, "POST", "/text-to-image", TEA).json
    shown = [ask(service, "GET", f"/generations/{first['id']}").json for _ in range(2)]
    urls = {body["artifacts"][0].pop("url") for body in (first, *shown)}
    requests = [body.pop("request") for body in shown]
    assert len(urls) == 3
    assert shown == [first, first]
    assert requests[0] == {
        "text_prompts": [{"text": "Sri lanka tea plantation.", "weight": 1.0}],
        "height": 1024,
        "width": 1024,
        "cfg_scale": 7.0,
        "clip_guidance_preset": "NONE",
        "samples": 1,
        "seed": 3407,
        "steps": 50,
        "strict": False,
        "output_format": "png",
    }


def test_a_drawn_seed_is_the_one_that_is_shown() -> None:
    """A look-up shows the seed that the service chose, so that the same image can be made again."""
    service = world()
    id_ = made(service, seed=0)
    body = ask(service, "GET", f"/generations/{id_}").json
    assert body["request"]["seed"] == body["artifacts"][0]["seed"] > 0


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_generation_that_is_not_done_is_shown_without_image(state: State) -> None:
    """The reply has the status and the request, but no image."""
    service = world()
    made(service)
    answer = ask(service, "GET", f"/generations/{put_state(service, state)}")
    assert answer.status == 200
    assert set(answer.json) == {"id", "status", "created_at", "cost_usd", "request"}
    assert answer.json["status"] == state


def test_a_failed_generation_is_shown_with_its_problem() -> None:
    """The reply is a 200 all the same, because the look-up succeeded."""
    service = world(answers=[sdxl_answer(reason="CONTENT_FILTERED")])
    ask(service, "POST", "/text-to-image", TEA)
    answer = ask(service, "GET", f"/generations/{service.store.only().id}")
    assert answer.status == 200
    assert set(answer.json) == {"id", "status", "created_at", "cost_usd", "request", "error"}
    error = answer.json["error"]
    assert (error["code"], error["status"], error["retryable"]) == ("content_filtered", 422, False)


def test_unknown_foreign_deleted_expired_and_malformed_ids_look_the_same() -> None:
    """All routes of a generation send identical replies for such ids."""
    service = world()
    foreign = ask(service, "POST", "/text-to-image", TEA, key=OTHER_KEY).json["id"]
    deleted = made(service)
    ask(service, "DELETE", f"/generations/{deleted}")
    expired = made(service)
    record = service.store.get(expired)
    assert record is not None
    past = replace(record, expires_at=service.clock.now())
    service.store.items[expired] = to_json(past)
    ids = (UNKNOWN, foreign, deleted, expired, "gen_", "x", "GEN_" + "a" * 26, 'a"b', "%00", "é")
    answers = {
        (answer.status, answer.body, tuple(sorted(answer.headers.items())))
        for method, tail in (("GET", ""), ("GET", "/image"), ("DELETE", ""))
        for id_ in ids
        for answer in [ask(service, method, f"/generations/{id_}{tail}")]
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 404


def test_the_history_has_everything_newest_first() -> None:
    """The history has failed generations as well, and none of another caller."""
    service = world(answers=[sdxl_answer(), errors.OutcomeUnknown("No answer."), sdxl_answer()])
    ids = []
    for seed in (1, 2, 3):
        ask(service, "POST", "/text-to-image", {**TEA, "seed": seed})
        service.clock.sleep(1)
    made_by_other = ask(service, "POST", "/text-to-image", TEA, key=OTHER_KEY).json["id"]
    body = ask(service, "GET", "/generations").json
    ids = [one["id"] for one in body["generations"]]
    assert [one["status"] for one in body["generations"]] == ["succeeded", "failed", "succeeded"]
    assert [one["request"]["seed"] for one in body["generations"]] == [3, 2, 1]
    assert body["generations"][1]["error"]["code"] == "outcome_unknown"
    assert made_by_other not in ids
    assert body["next_cursor"] is None


def test_the_history_comes_in_pages() -> None:
    """The cursor of one page leads to the next page; the last page has no cursor."""
    service = world()
    for seed in range(1, 6):
        made(service, seed=seed)
        service.clock.sleep(1)
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        body = ask(service, "GET", "/generations", query=query).json
        seen.append([one["request"]["seed"] for one in body["generations"]])
        cursor = body["next_cursor"]
    assert (seen, cursor) == ([[5, 4], [3, 2], [1]], None)


def test_the_history_forgets_what_is_past_its_retention() -> None:
    """An expired record is hidden at once, however late the table removes it."""
    service = world()
    made(service, seed=1)
    service.clock.sleep(30 * 24 * 3600)
    recent = made(service, seed=2)
    body = ask(service, "GET", "/generations").json
    assert [one["id"] for one in body["generations"]] == [recent]


def test_the_history_has_twenty_unless_asked_otherwise() -> None:
    """A client may ask for 1 to 100 generations."""
    service = world()
    for seed in range(1, 24):
        made(service, seed=seed)
    sizes = [
        len(ask(service, "GET", "/generations", query={"limit": limit} if limit else {}).json["generations"])
        for limit in (None, "1", "100")
    ]
    assert sizes == [20, 1, 23]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": ""},
        {"limit": "-1"},
        {"limit": "1.0"},
        {"limit": "٣"},
        {"limit": ["1", "2"]},
        {"cursor": ""},
        {"cursor": "not one of ours"},
        {"cursor": "x" * 257},
        {"cursor": ["1", "1"]},
    ],
)
def test_a_bad_limit_or_cursor_is_refused(query: dict[str, Any]) -> None:
    """The error names the query parameter."""
    answer = ask(world(), "GET", "/generations", query=query)
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    assert [found["field"] for found in answer.json["errors"]] == [*query]


def test_the_image_route_redirects_to_a_fresh_url() -> None:
    """The reply is a 302 without a body, and has another URL each time."""
    service = world()
    id_ = made(service)
    answers = [ask(service, "GET", f"/generations/{id_}/image") for _ in range(2)]
    assert [answer.status for answer in answers] == [302, 302]
    assert answers[0].body == ""
    locations = {answer.headers["location"] for answer in answers}
    assert len(locations) == 2
    assert all(location.startswith("https://bucket.example/images/") for location in locations)
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def test_a_download_has_the_name_that_was_asked_for() -> None:
    """The bucket's response then tells the browser to save the image under that name."""
    service = world()
    answer = ask(service, "GET", f"/generations/{made(service)}/image", query={"download": "my tea.png"})
    assert answer.status == 302
    assert answer.headers["location"].endswith("&download=my%20tea.png")


@pytest.mark.parametrize("name", ["", "a/b.png", ["a.png", "b.png"]])
def test_a_bad_download_name_is_refused(name: str | list[str]) -> None:
    """The error names the query parameter; `tests/unit/http/test_request.py` has all that is refused."""
    service = world()
    answer = ask(service, "GET", f"/generations/{made(service)}/image", query={"download": name})
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")
    assert [found["field"] for found in answer.json["errors"]] == ["download"]


@pytest.mark.parametrize("state", ["queued", "running"])
def test_the_image_of_a_generation_that_is_not_done_is_in_progress(state: State) -> None:
    """The reply is a 409 that says where and when to look."""
    service = world()
    made(service)
    id_ = put_state(service, state)
    answer = ask(service, "GET", f"/generations/{id_}/image")
    assert (answer.status, answer.json["code"]) == (409, "in_progress")
    assert answer.headers["location"] == f"/v1/generations/{id_}"
    assert answer.headers["retry-after"] == "2"


def test_a_failed_generation_has_no_image() -> None:
    """The reply is a 404 that cannot be retried; its sentence says where to find the failure."""
    service = world(answers=[errors.ModelThrottled("Busy.")])
    ask(service, "POST", "/text-to-image", TEA)
    id_ = service.store.only().id
    answer = ask(service, "GET", f"/generations/{id_}/image")
    assert (answer.status, answer.json["code"], answer.json["retryable"]) == (404, "not_found", False)
    assert f"/v1/generations/{id_}" in answer.json["detail"]


@pytest.mark.parametrize("tail", ["", "/image"])
def test_an_image_that_its_lifecycle_removed_is_gone(tail: str) -> None:
    """The reply is a 410, and the history still lists the generation."""
    service = world()
    id_ = made(service)
    service.images.objects.clear()
    answer = ask(service, "GET", f"/generations/{id_}{tail}")
    assert (answer.status, answer.json["code"]) == (410, "gone")
    assert ask(service, "GET", "/generations").json["generations"][0]["id"] == id_


def test_deleting_removes_image_and_record() -> None:
    """The reply is a 204 without a body; afterwards the id is unknown, and the history lacks it."""
    service = world()
    id_ = made(service)
    answer = ask(service, "DELETE", f"/generations/{id_}")
    assert (answer.status, answer.body) == (204, "")
    assert service.images.objects == {}
    assert ask(service, "GET", f"/generations/{id_}").status == 404
    assert ask(service, "DELETE", f"/generations/{id_}").status == 404
    assert ask(service, "GET", "/generations").json["generations"] == []


def test_a_failed_generation_can_be_deleted() -> None:
    """A failed generation has a record, but no image."""
    service = world(answers=[errors.OutcomeUnknown("No answer.")])
    ask(service, "POST", "/text-to-image", TEA)
    id_ = service.store.only().id
    assert ask(service, "DELETE", f"/generations/{id_}").status == 204
    assert ask(service, "GET", f"/generations/{id_}").status == 404


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_generation_that_is_not_done_cannot_be_deleted(state: State) -> None:
    """The image of a running generation may already be paid for."""
    service = world()
    made(service)
    answer = ask(service, "DELETE", f"/generations/{put_state(service, state)}")
    assert (answer.status, answer.json["code"]) == (409, "in_progress")
    assert answer.headers["retry-after"] == "2"


def test_the_models_are_listed_in_the_order_in_which_they_serve() -> None:
    """The default is the first model that has not ended."""
    models = ask(world(), "GET", "/models").json["models"]
    assert [(model["id"], model["default"]) for model in models] == [(SDXL, False), (CORE, True)]
    sdxl, core = models
    assert sdxl["lifecycle"] == {
        "status": "end_of_life",
        "legacy_at": "2024-10-16",
        "end_of_life_at": "2025-05-20",
        "successor": CORE,
    }
    assert core["lifecycle"]["status"] == "active"
    assert (core["region"], core["price_per_image"]) == ("us-west-2", 0.04)
    assert "seed" in core["honours"]
    assert "sampler" not in core["honours"]


def test_an_endpoint_of_ones_own_does_not_end_with_the_vendors_model() -> None:
    """The operator's endpoint is listed as active, and is the default."""
    endpoint = "arn:aws:sagemaker:us-west-2:111122223333:endpoint/painter"
    (model,) = ask(world(models=[f"{SDXL}@{endpoint}"]), "GET", "/models").json["models"]
    assert (model["default"], model["lifecycle"]["status"]) == (True, "active")


def test_health_needs_no_key_and_touches_nothing() -> None:
    """A monitor may ask for the health without an API key, and causes no call of AWS."""
    service = world()
    service.images.failures = [errors.InternalError("Nobody may ask the stores.")]
    service.store.failures = [errors.InternalError("Nobody may ask the stores.")]
    answer = ask(service, "GET", "/health", key=None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})
