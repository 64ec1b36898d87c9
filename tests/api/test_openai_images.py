"""POST /images/generations over fakes: batches of generations, partial success, and replays."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

import pytest

from imagegen import errors
from imagegen.generations.charges import Charge, OwnLimits
from imagegen.generations.stored_record import to_json
from imagegen.http.app import create_app
from tests.support.events import Answer, event, send
from tests.support.fakes import CORE, SDXL, FakeQuotas, png, sdxl_answer
from tests.support.world import World, world

TEA = {"prompt": "Sri lanka tea plantation."}
KEY = {"Idempotency-Key": "order-2026-11-03-0001"}
FILTERED = sdxl_answer(reason="CONTENT_FILTERED")


def post(service: World, *, headers: dict[str, str] | None = None, **members: Any) -> Answer:
    """Ask for images as OpenAI's clients do."""
    request = event("POST", "/images/generations", {**TEA, **members}, headers=headers)
    return send(create_app(service.services), request)


def test_a_prompt_makes_one_image_with_a_url() -> None:
    """The reply has OpenAI's members and no others; without a model and a format, an image has both forms."""
    service = world()
    answer = post(service)
    assert answer.status == 200
    assert set(answer.json) == {"created", "data", "size", "quality", "output_format", "background"}
    assert answer.json["created"] == int(service.clock.now().timestamp())
    (image,) = answer.json["data"]
    assert set(image) == {"url", "b64_json"}
    assert image["url"].startswith("https://bucket.example/images/")


def test_the_request_reaches_the_model_in_its_own_words() -> None:
    """Size and style are translated into the model's members."""
    service = world()
    post(service, size="1344x768", style="vivid", model=SDXL)
    ((model, body),) = service.runtime.calls
    assert model == SDXL
    assert (body["width"], body["height"], body["style_preset"]) == (1344, 768, "enhance")
    assert body["text_prompts"] == [{"text": "Sri lanka tea plantation.", "weight": 1.0}]


def test_base64_is_the_image_itself() -> None:
    """The bytes are those of the stored file, mark included."""
    service = world(answers=[sdxl_answer(png(1024, 1024, grey=7))])
    answer = post(service, response_format="b64_json")
    (image,) = answer.json["data"]
    assert set(image) == {"b64_json"}
    assert base64.b64decode(image["b64_json"], validate=True) == service.stored_image


def test_n_images_are_generations_of_their_own() -> None:
    """Each image has its own id, seed, call and record."""
    service = world()
    answer = post(service, n=10)
    assert len({image["url"] for image in answer.json["data"]}) == 10
    assert len({body["seed"] for _, body in service.runtime.calls}) == 10
    assert {record.state for record in service.store.all()} == {"succeeded"}
    assert len(service.store.items) == 10


def test_the_images_that_succeeded_are_answered() -> None:
    """The history shows the failures beside them."""
    service = world(answers=[sdxl_answer(), FILTERED, errors.OutcomeUnknown("No answer."), sdxl_answer()])
    answer = post(service, n=4)
    assert (answer.status, len(answer.json["data"])) == (200, 2)
    assert sorted(record.state for record in service.store.all()) == ["failed"] * 2 + ["succeeded"] * 2


def test_nothing_but_failures_is_an_error() -> None:
    """If all images fail, the reply is the error of one of them."""
    answer = post(world(answers=[FILTERED]), n=3)
    assert answer.status == 422
    assert answer.json["error"]["code"] == "content_filtered"
    assert answer.headers["x-should-retry"] == "false"


def test_a_quota_lets_through_what_it_allows() -> None:
    """The quota counts each image of the batch."""
    service = world(quota=2)
    answer = post(service, n=5)
    assert len(answer.json["data"]) == 2
    assert [counted.images for counted in service.quotas.taken.values()] == [2]


class BrokenQuotas(FakeQuotas):
    """Counters with a defect: they count one image, and fail for the next."""

    def take(self, owner: str, day: str, charge: Charge, *, own: OwnLimits) -> None:
        """Count the first image."""
        if self.taken:
            raise RuntimeError("a defect")
        super().take(owner, day, charge, own=own)


def test_a_defect_in_one_image_does_not_lose_the_others() -> None:
    """The defect is reported as usual."""
    service = world()
    submitter = replace(service.submitter, quotas=BrokenQuotas(service.clock))
    app = create_app(replace(service.services, submitter=submitter))
    answer = send(app, event("POST", "/images/generations", {**TEA, "n": 2}))
    assert (answer.status, len(answer.json["data"])) == (200, 1)
    assert ("defect", "RuntimeError") in service.observer.events


def test_a_repeated_request_finds_each_image_again() -> None:
    """One idempotency key stands for the whole batch."""
    service = world()
    first, second = post(service, n=3, headers=KEY), post(service, n=3, headers=KEY)
    assert len(service.runtime.calls) == 3
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    paths = [[image["url"].split("?")[0] for image in answer.json["data"]] for answer in (first, second)]
    assert paths[0] == paths[1]


def test_a_repeated_request_makes_what_had_failed_unpaid() -> None:
    """The images that succeeded are not made again."""
    service = world(answers=[sdxl_answer(), errors.Misconfigured("No right.")])
    post(service, n=3, headers=KEY)
    service.runtime.answers = [sdxl_answer()]
    answer = post(service, n=3, headers=KEY)
    assert len(answer.json["data"]) == 3
    assert "idempotent-replayed" not in answer.headers
    assert len(service.runtime.calls) == 5


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize(
    "other", [{"n": 3}, {"size": "1344x768"}, {"prompt": "Another."}, {"n": 1, "style": "vivid"}]
)
def test_a_key_used_for_something_else_is_a_conflict_and_costs_nothing(
    first: int, other: dict[str, Any]
) -> None:
    """The whole batch is refused, and no image of it is made."""
    service = world()
    post(service, n=first, headers=KEY)
    answer = post(service, headers=KEY, **{"n": first, **other})
    assert (answer.status, answer.json["error"]["code"]) == (422, "idempotency_conflict")
    assert len(service.runtime.calls) == first


def test_a_key_means_one_thing_on_every_route() -> None:
    """The same request finds the other route's image; any other is a conflict; nothing is paid twice."""
    service = world()
    app = create_app(service.services)
    made = send(
        app, event("POST", "/text-to-image", {"text_prompts": [{"text": TEA["prompt"]}]}, headers=KEY)
    )
    again = post(service, headers=KEY)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert post(service, headers=KEY, n=2).json["error"]["code"] == "idempotency_conflict"
    assert post(service, headers=KEY, prompt="another").json["error"]["code"] == "idempotency_conflict"
    assert made.status == 200
    assert len(service.runtime.calls) == 1


def test_the_key_of_a_series_is_not_free_on_another_route() -> None:
    """The first image of a batch has the idempotency key itself."""
    service = world()
    post(service, n=2, headers=KEY)
    body = {"text_prompts": [{"text": TEA["prompt"]}]}
    answer = send(create_app(service.services), event("POST", "/text-to-image", body, headers=KEY))
    assert (answer.status, answer.json["code"]) == (422, "idempotency_conflict")
    assert len(service.runtime.calls) == 2


def test_while_one_of_the_images_is_being_made_the_series_is_in_progress() -> None:
    """The client repeats the request later, and gets the whole batch."""
    service = world()
    post(service, n=2, headers=KEY)
    running, _ = service.store.all()
    lease = service.clock.now().replace(hour=23)
    service.store.items[running.id] = to_json(
        replace(running, state="running", image=None, lease_until=lease)
    )
    answer = post(service, n=2, headers=KEY)
    assert (answer.status, answer.json["error"]["code"]) == (409, "in_progress")
    assert answer.headers["x-should-retry"] == "true"
    assert answer.headers["location"] == f"/v1/generations/{running.id}"
    assert int(answer.headers["retry-after"]) > 0
    assert len(service.runtime.calls) == 2


def test_an_image_too_large_for_an_answer_is_not_lost() -> None:
    """The error says where the image is."""
    service = world(answers=[sdxl_answer(png()[:-12] + b"\0" * 5_000_000 + png()[-12:])])
    answer = post(service, response_format="b64_json")
    assert (answer.status, answer.json["error"]["code"]) == (502, "bad_model_response")
    record = service.store.only()
    assert record.state == "succeeded"
    assert f"/v1/generations/{record.id}" in answer.json["error"]["message"]


def test_a_model_that_is_not_enabled_is_refused_by_name() -> None:
    """So are names that no alias explains, and the aliases of a deployment that has none."""
    service = world(models=[CORE], openai_model_aliases=())
    answer = post(service, model="gpt-image-1")
    assert answer.status == 400
    assert answer.json["error"]["param"] == "model"
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert service.store.items == {}


def test_prefer_has_no_meaning_here() -> None:
    """OpenAI's shape has no reply for an image that comes later."""
    assert post(world(), headers={"Prefer": "respond-async"}).status == 200


@dataclass(frozen=True)
class Tool:
    """What a tool sends besides the prompt, the member of an image that it reads, and the size that it gets."""

    members: dict[str, Any]
    reads: str
    drawn: str = "1024x1024"


TOOLS = {
    "open-webui": Tool({"model": "gpt-image-1", "n": 1, "size": "512x512"}, "b64_json"),
    "open-webui-dall-e": Tool(
        {"model": "dall-e-2", "n": 1, "size": "512x512", "response_format": "b64_json"}, "b64_json"
    ),
    "librechat": Tool(
        {
            "model": "gpt-image-1",
            "n": 1,
            "size": "1536x1024",
            "quality": "auto",
            "background": "auto",
            "output_format": "png",
            "moderation": "auto",
            "user": "alice",
        },
        "b64_json",
        "1216x832",
    ),
    "librechat-dall-e": Tool(
        {"model": "dall-e-3", "quality": "standard", "style": "vivid", "size": "1024x1792", "n": 1},
        "url",
        "768x1344",
    ),
    "dify": Tool(
        {
            "model": "dall-e-3",
            "size": "1792x1024",
            "n": 1,
            "quality": "standard",
            "style": "vivid",
            "response_format": "b64_json",
        },
        "b64_json",
        "1344x768",
    ),
    "n8n": Tool(
        {"model": "dall-e-3", "n": 1, "quality": "hd", "size": "1024x1024", "response_format": "url"}, "url"
    ),
    "n8n-gpt-image": Tool(
        {"model": "gpt-image-1", "quality": "medium", "size": "1024x1536", "style": "", "n": None},
        "b64_json",
        "832x1216",
    ),
    "lobechat": Tool(
        {"model": "gpt-image-1-mini", "n": 1, "size": "auto", "quality": "high", "moderation": "low"},
        "b64_json",
    ),
    "nextchat": Tool(
        {
            "model": "dall-e-3",
            "response_format": "b64_json",
            "n": 1,
            "size": "1024x1024",
            "quality": "standard",
            "style": "vivid",
        },
        "b64_json",
    ),
    "home-assistant": Tool(
        {
            "model": "dall-e-3",
            "size": "1024x1024",
            "quality": "standard",
            "style": "vivid",
            "response_format": "url",
            "n": 1,
        },
        "url",
    ),
    "every field at its harmless value": Tool(
        {
            "model": "auto",
            "background": "opaque",
            "output_compression": 100,
            "partial_images": 0,
            "stream": False,
            "safety_identifier": "hashed",
            "negative_prompt": "",
            "response_format": "",
            "seed": None,
        },
        "url",
    ),
}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_gets_its_picture_with_what_it_sends(name: str) -> None:
    """The tool is set to a base URL and an API key, and to nothing else."""
    tool = TOOLS[name]
    service = world(models=[SDXL], answers=[sdxl_answer(png(*map(int, tool.drawn.split("x"))))])
    answer = post(service, **tool.members)
    assert answer.status == 200, answer.body
    (image,) = answer.json["data"]
    assert image[tool.reads]
    assert (answer.json["size"], answer.json["output_format"]) == (tool.drawn, "png")
    ((_, body),) = service.runtime.calls
    assert f"{body['width']}x{body['height']}" == tool.drawn


@pytest.mark.parametrize(
    ("model", "members"),
    [
        ("gpt-image-1", {"b64_json"}),
        ("dall-e-3", {"url"}),
        ("auto", {"url", "b64_json"}),
        (CORE, {"url", "b64_json"}),
    ],
)
def test_an_image_has_the_members_that_the_clients_of_its_model_read(model: str, members: set[str]) -> None:
    """With `response_format` it has the one that was asked for."""
    assert set(post(world(), model=model).json["data"][0]) == members
    for wanted in ("url", "b64_json"):
        assert set(post(world(), model=model, response_format=wanted).json["data"][0]) == {wanted}


@pytest.mark.parametrize("model", [None, "auto", "gpt-image-1", "dall-e-3"])
def test_a_foreign_name_means_whichever_model_serves(model: str | None) -> None:
    """The header names the one that drew."""
    service = world(models=[CORE, SDXL])
    answer = post(service, model=model)
    assert answer.headers["x-imagegen-model"] == CORE
    assert [called for called, _ in service.runtime.calls] == [CORE]


def test_the_operator_says_what_a_name_means() -> None:
    """The first entry that fits holds; the ids of the models themselves are no aliases."""
    aliases = [f"{SDXL}={CORE}", f"flux/*={CORE}", "flux/pro=auto"]
    for name, drew in ((SDXL, SDXL), ("flux/pro", CORE)):
        answer = post(world(models=[SDXL, CORE], openai_model_aliases=aliases), model=name)
        assert (answer.status, answer.headers["x-imagegen-model"]) == (200, drew)
    refused = post(world(openai_model_aliases=aliases), model="Flux/pro")
    assert (refused.status, refused.json["error"]["code"]) == (400, "unknown_model")


def test_the_size_of_a_reply_is_the_images_own() -> None:
    """A model may draw other pixels than those that it was asked for."""
    answer = post(world(models=[SDXL], answers=[sdxl_answer(png(1200, 800))]), size="1536x1024")
    assert answer.json["size"] == "1200x800"


def test_a_long_prompt_goes_to_a_model_that_takes_it() -> None:
    """SDXL is first in the list, and is passed over."""
    service = world(models=[SDXL, CORE])
    answer = post(service, prompt="x" * 10_000, negative_prompt="y" * 10_000)
    assert (answer.status, answer.headers["x-imagegen-model"]) == (200, CORE)
    ((model, body),) = service.runtime.calls
    assert (model, body["prompt"], body["negative_prompt"]) == (CORE, "x" * 10_000, "y" * 10_000)


@pytest.mark.parametrize("members", [{"prompt": "x" * 2_001}, {"negative_prompt": "x" * 2_001}])
@pytest.mark.parametrize(("models", "pin"), [([SDXL], None), ([SDXL, CORE], SDXL)])
def test_a_prompt_that_no_model_takes_is_refused_with_the_limit(
    members: dict[str, Any], models: list[str], pin: str | None
) -> None:
    """Nothing is recorded, counted or paid."""
    service = world(models=models)
    answer = post(service, model=pin, **members)
    error = answer.json["error"]
    assert (answer.status, error["code"]) == (400, "unsupported_parameter")
    assert error["param"] == next(iter(members))
    assert "at most 2000 characters" in error["message"]
    assert "text_prompts" not in error["message"]
    assert (service.store.items, service.quotas.taken, service.runtime.calls) == ({}, {}, [])


def test_our_own_route_keeps_the_contracts_length() -> None:
    """The contract's limit holds there whichever model serves."""
    body = {"text_prompts": [{"text": "x" * 2_001}]}
    answer = send(create_app(world(models=[CORE]).services), event("POST", "/text-to-image", body))
    assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    ("members", "code", "param"),
    [
        ({"prompt": ""}, "invalid_parameter", "prompt"),
        ({"n": 3, "response_format": "b64_json"}, "invalid_parameter", "n"),
        ({"n": 3, "model": "gpt-image-1"}, "invalid_parameter", "n"),
        ({"stream": True}, "unsupported_parameter", "stream"),
        ({"background": "transparent"}, "unsupported_parameter", "background"),
        ({"size": "big"}, "invalid_parameter", "size"),
        ({"sise": "1x1"}, "unknown_parameter", "sise"),
    ],
)
def test_what_is_refused_costs_nothing(members: dict[str, Any], code: str, param: str) -> None:
    """The error has OpenAI's four members."""
    service = world()
    answer = post(service, **members)
    assert answer.status == 400
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    assert (answer.json["error"]["code"], answer.json["error"]["param"]) == (code, param)
    assert (service.store.items, service.quotas.taken, service.runtime.calls) == ({}, {}, [])


def test_a_misspelt_name_is_answered_with_the_nearest_one() -> None:
    """The sentence reaches the client, which shows no list of errors."""
    assert "did you mean negative_prompt" in post(world(), negativ_prompt="x").json["error"]["message"]


def large(megabytes: float) -> bytes:
    """Return a model's answer with a PNG of about this length."""
    picture = png()
    return sdxl_answer(picture[:-12] + b"\0" * int(megabytes * 1_000_000) + picture[-12:])


def test_images_that_turn_out_too_large_for_base64_have_their_url() -> None:
    """They are paid, so the reply must not lose them; it stays within 6 MB."""
    answer = post(world(models=[SDXL], answers=[large(3), large(3)]), n=2, response_format="b64_json")
    assert answer.status == 200
    assert sorted(name for image in answer.json["data"] for name in image) == ["b64_json", "url"]
    assert len(answer.body) < 6_000_000


@pytest.mark.parametrize(("megabytes", "members"), [(2, {"url", "b64_json"}), (2.5, {"url"})])
def test_base64_that_nobody_asked_for_is_left_out_if_it_does_not_fit(
    megabytes: float, members: set[str]
) -> None:
    """All images of a reply have the same members."""
    answer = post(world(models=[SDXL], answers=[large(megabytes)] * 2), n=2)
    assert [set(image) for image in answer.json["data"]] == [members] * 2


def test_ten_images_have_urls_without_being_asked_for_them() -> None:
    """A request without a format never fails for the length of its reply."""
    answer = post(world(models=[SDXL], answers=[large(2)] * 10), n=10)
    assert [set(image) for image in answer.json["data"]] == [{"url"}] * 10


@pytest.mark.parametrize(
    ("seed", "seeds"),
    [
        (3407, [3407, 3408, 3409]),
        (4_294_967_294, [1, 2, 4_294_967_294]),
        (4_294_967_295, [2, 3, 4_294_967_295]),
    ],
)
def test_a_seed_is_that_of_the_first_image(seed: int, seeds: list[int]) -> None:
    """The same seed for all would be one image, paid three times."""
    service = world(models=[SDXL])
    assert post(service, seed=seed, n=3).status == 200
    assert sorted(body["seed"] for _, body in service.runtime.calls) == seeds


def test_steps_and_a_negative_prompt_reach_the_model() -> None:
    """They are what they are on our own route."""
    service = world(models=[SDXL])
    post(service, steps=20, negative_prompt="people", width=1920, height=1080)
    ((_, body),) = service.runtime.calls
    assert (body["steps"], body["width"], body["height"]) == (20, 1344, 768)
    assert body["text_prompts"][1] == {"text": "people", "weight": -1.0}


def test_models_are_listed_for_openais_clients_as_well() -> None:
    """`auto` comes first, and our own list stays beside it."""
    answer = send(create_app(world(models=[SDXL, CORE]).services), event("GET", "/models"))
    assert answer.json["object"] == "list"
    assert [one["id"] for one in answer.json["data"]] == ["auto", SDXL, CORE]
    assert all(set(one) == {"id", "object", "created", "owned_by"} for one in answer.json["data"])
    assert [one["id"] for one in answer.json["models"]] == [SDXL, CORE]


@pytest.mark.parametrize("written", ["auto", CORE, CORE.replace(":", "%3A"), CORE.replace(":", "%3a")])
def test_one_model_is_shown_whether_or_not_its_colon_is_escaped(written: str) -> None:
    """The member is the one of the list."""
    app = create_app(world().services)
    answer = send(app, event("GET", f"/models/{written}"))
    listed = send(app, event("GET", "/models")).json["data"]
    assert answer.status == 200
    assert answer.json in listed
    assert answer.json["id"] == written.replace("%3A", ":").replace("%3a", ":")


@pytest.mark.parametrize("written", ["gpt-image-1", "stability.none-v1:0", "%20", "AUTO"])
def test_an_unknown_model_is_not_found_in_openais_shape(written: str) -> None:
    """An alias is a name for requests, and no model."""
    answer = send(create_app(world().services), event("GET", f"/models/{written}"))
    assert answer.status == 404
    assert answer.json["error"] == {
        "message": "There is no such model.",
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
