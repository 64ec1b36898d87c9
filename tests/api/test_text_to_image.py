"""POST /text-to-image over fakes: the reply, and the call that it costs."""

from __future__ import annotations

from imagegen.http.app import create_app
from tests.support.events import event, send
from tests.support.fakes import CORE, SDXL
from tests.support.world import world

TEA = {
    "text_prompts": [{"text": "Sri lanka tea plantation."}],
    "cfg_scale": 10,
    "seed": 0,
    "steps": 50,
    "samples": 1,
    "style_preset": "photographic",
}


def test_the_guides_own_request_makes_an_image() -> None:
    """The service chooses the seed, sends it to the model and returns it."""
    service = world()
    answer = send(create_app(service.services), event("POST", "/text-to-image", TEA))
    assert answer.status == 200
    body = answer.json
    assert body["result"] == "success"
    assert body["model"] == SDXL
    (artifact,) = body["artifacts"]
    ((model, sent),) = service.runtime.calls
    assert (model, artifact["seed"]) == (SDXL, sent["seed"])
    assert artifact["seed"] > 0
    assert service.store.only().state == "succeeded"


def test_a_path_that_does_not_exist_is_a_problem() -> None:
    """A 404 and a 405 are problems like any other error."""
    app = create_app(world().services)
    missing = send(app, event("GET", "/nothing"))
    wrong = send(app, event("PUT", "/text-to-image"))
    assert (missing.status, missing.json["code"]) == (404, "not_found")
    assert (wrong.status, wrong.json["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")
    assert CORE
