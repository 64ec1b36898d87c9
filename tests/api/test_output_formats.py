"""A request may ask for the format of its file: only a model that draws the format serves the request."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import pytest
from PIL import Image

from imagegen.http.app import create_app
from tests.support.events import Answer, event, send
from tests.support.fakes import CORE, SD35, SDXL, ULTRA, png, stable_image_answer
from tests.support.marks import GENERATED, properties
from tests.support.picture_files import SIDES
from tests.support.world import World, world

KEY = {"Idempotency-Key": "0123456789abcdef"}
SUFFIXES = {"jpeg": ".jpg", "webp": ".webp", "png": ".png"}


def ask(service: World, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Send one request."""
    return send(create_app(service.services), event(method, path, body, headers=headers))


def post(service: World, *, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    """Ask for one image on our own route."""
    body = {"text_prompts": [{"text": "Sri lanka tea plantation."}], **members}
    return ask(service, "POST", "/text-to-image", body, **(headers or {}))


@pytest.mark.parametrize(("output_format", "model"), [("jpeg", CORE), ("jpeg", ULTRA), ("webp", SD35)])
def test_the_file_is_of_the_format_that_was_asked_for(output_format: str, model: str) -> None:
    """The model draws it; the file, its type, its name, its description and its mark agree."""
    service = world(models=[model])
    answer = post(service, output_format=output_format)
    assert answer.status == 200
    (artifact,) = answer.json["artifacts"]
    content = service.stored_image
    assert artifact["content_type"] == f"image/{output_format}"
    assert SUFFIXES[output_format] in artifact["url"]
    assert (artifact["width"], artifact["height"]) == SIDES
    assert (artifact["bytes"], artifact["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert [body["output_format"] for _, body in service.runtime.calls] == [output_format]
    picture = Image.open(io.BytesIO(content))
    assert picture.format == output_format.upper()
    assert properties(picture.info["xmp"])["Iptc4xmpExt:DigitalSourceType"] == GENERATED
    assert answer.json["ignored_parameters"] == []
    shown = ask(service, "GET", f"/generations/{answer.json['id']}").json
    assert shown["request"]["output_format"] == output_format
    assert shown["artifacts"][0]["content_type"] == f"image/{output_format}"


def test_a_model_that_does_not_draw_the_format_is_passed_over() -> None:
    """SDXL is the first of the list, and is not called."""
    service = world(models=[SDXL, CORE])
    assert post(service, output_format="jpeg").json["model"] == CORE
    assert post(service).json["model"] == SDXL
    assert [model for model, _ in service.runtime.calls] == [CORE, SDXL]


@pytest.mark.parametrize(
    ("models", "members"),
    [
        ([SDXL], {"output_format": "jpeg"}),
        ([SDXL, CORE], {"output_format": "webp"}),
        ([SDXL, CORE], {"output_format": "jpeg", "model": SDXL}),
        ([SDXL, SD35], {"output_format": "webp", "model": SDXL, "strict": True}),
    ],
)
def test_a_format_that_no_model_may_draw_is_refused(models: list[str], members: dict[str, Any]) -> None:
    """Nothing is recorded, taken or called; the error names the field."""
    service = world(models=models)
    answer = post(service, **members)
    assert (answer.status, answer.json["code"]) == (400, "unsupported_parameter")
    assert [error["field"] for error in answer.json["errors"]] == ["output_format"]
    assert answer.json["charged"] == "no"
    assert (service.store.items, service.quotas.taken, service.runtime.calls) == ({}, {}, [])


def test_a_strict_request_for_a_format_is_served() -> None:
    """The format is never approximated, so there is nothing to be strict about."""
    assert post(world(models=[CORE]), output_format="jpeg", strict=True).status == 200


def test_a_model_that_answers_in_another_format_has_broken_its_contract() -> None:
    """Its object key and its content type would be wrong, so nothing is stored; the call counts as paid."""
    service = world(models=[CORE], answers=[stable_image_answer(png())])
    answer = post(service, output_format="jpeg", headers=KEY)
    assert (answer.status, answer.json["code"], answer.json["charged"]) == (
        502,
        "bad_model_response",
        "maybe",
    )
    assert service.images.objects == {}
    assert post(service, output_format="jpeg", headers=KEY).headers["idempotent-replayed"] == "true"
    assert len(service.runtime.calls) == 1


def test_png_is_the_same_request_as_none() -> None:
    """An idempotency key of a release before this one keeps its meaning; another format is another request."""
    service = world(models=[CORE])
    first = post(service, headers=KEY)
    again = post(service, headers=KEY, output_format="png")
    assert (again.json["id"], again.headers["idempotent-replayed"]) == (first.json["id"], "true")
    assert post(service, headers=KEY, output_format="jpeg").json["code"] == "idempotency_conflict"


def test_a_job_draws_the_format_that_was_asked_for() -> None:
    """The record keeps it until the worker has made the image, and while the image is looked up and removed."""
    service = world(models=[SDXL, CORE])
    id_ = post(service, output_format="jpeg", headers={"Prefer": "respond-async"}).json["id"]
    service.jobs.work(id_, service.deadline())
    shown = ask(service, "GET", f"/generations/{id_}").json
    assert shown["artifacts"][0]["content_type"] == "image/jpeg"
    assert ask(service, "GET", f"/generations/{id_}/image").headers["location"].split("?")[0].endswith(".jpg")
    assert ask(service, "DELETE", f"/generations/{id_}").status == 204
    assert service.images.objects == {}


def test_the_models_say_which_formats_they_draw() -> None:
    """A client can choose a model by it."""
    listed = ask(world(models=[SDXL, CORE, ULTRA, SD35]), "GET", "/models").json["models"]
    assert [(model["output_formats"], "output_format" in model["honours"]) for model in listed] == [
        (["png"], False),
        (["png", "jpeg"], True),
        (["png", "jpeg"], True),
        (["png", "jpeg", "webp"], True),
    ]


# -- OpenAI's shape ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("output_format", "model"), [("jpeg", "auto"), ("webp", "gpt-image-1")])
def test_openais_clients_get_the_format_that_they_ask_for(output_format: str, model: str) -> None:
    """The reply says it, and its base64 is the stored file."""
    service = world(models=[SDXL, SD35])
    body = {"prompt": "tea", "output_format": output_format, "model": model, "output_compression": 100}
    answer = ask(service, "POST", "/images/generations", body | {"response_format": "b64_json"})
    assert (answer.status, answer.json["output_format"]) == (200, output_format)
    content = base64.b64decode(answer.json["data"][0]["b64_json"], validate=True)
    assert content == service.stored_image
    assert Image.open(io.BytesIO(content)).format == output_format.upper()


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"output_format": "webp"}, "output_format"),
        ({"output_format": "jpeg", "model": SDXL}, "output_format"),
        ({"output_format": "jpeg", "output_compression": 80}, "output_compression"),
    ],
)
def test_openais_clients_are_told_what_cannot_be_done(members: dict[str, Any], param: str) -> None:
    """A file in another format, or compressed in another way, would be a lie."""
    service = world(models=[SDXL, CORE])
    answer = ask(service, "POST", "/images/generations", {"prompt": "tea", **members})
    assert answer.status == 400
    assert (answer.json["error"]["code"], answer.json["error"]["param"]) == ("unsupported_parameter", param)
    assert service.runtime.calls == []


def test_one_reply_has_images_of_one_format() -> None:
    """Each of several images is drawn by a model that draws the format."""
    service = world(models=[SDXL, CORE])
    answer = ask(service, "POST", "/images/generations", {"prompt": "tea", "n": 3, "output_format": "jpeg"})
    assert len(answer.json["data"]) == 3
    assert {image.content_type for _, image in service.images.objects.values()} == {"image/jpeg"}
