"""A stage that does not serve as its callers expect fails the smoke test, in one sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from operating import smoke
from operating.sample import REQUEST
from operating.smoke import IMAGES, try_service
from tools.checkout import CHECKOUT
from tools.failures import LocalError

OPENAPI = json.loads((CHECKOUT / "lambda/imagegen/http/openapi.json").read_text(encoding="utf-8"))
URL = "https://api.example.com/v1"
BUCKET = "https://bucket.example.com/image?signature=1"
KEY = "ig_key"
IMAGE = b"a picture"
MADE = {
    "id": "gen_1",
    "model": "stability.stable-image-core-v1:1",
    "cost_usd": 0.04,
    "artifacts": [{"url": BUCKET, "sha256": hashlib.sha256(IMAGE).hexdigest()}],
}


class Service:
    """A stage that serves as it should, but for what a test replaces; it notes each request."""

    def __init__(self, replaced: Mapping[str, httpx.Response] | None = None) -> None:
        self.replaced = replaced or {}
        self.requests: list[httpx.Request] = []
        self.said: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Serve one request."""
        self.requests.append(request)
        path = request.url.path.removeprefix("/v1")
        keyed = request.headers.get("x-api-key") == KEY
        name = path if keyed or path in {"/health", "/openapi.json", "/image"} else f"{path} without a key"
        replies = {
            "/health": httpx.Response(200, json={"status": "ok"}),
            "/openapi.json": httpx.Response(200, json=OPENAPI),
            "/models": httpx.Response(200, json={"models": [{}, {}]}),
            "/models without a key": httpx.Response(401, json={"detail": "The API key is missing."}),
            IMAGES: httpx.Response(200, json=MADE),
            "/image": httpx.Response(200, content=IMAGE),
            **self.replaced,
        }
        return replies[name]

    def tried(self, *, key: str = KEY, prove: bool = False) -> list[str]:
        """Try the service, and return what was said."""
        with httpx.Client(base_url=URL, transport=httpx.MockTransport(self)) as client:
            try_service(client, key=key, prove=prove, say=self.said.append)
        return self.said


def test_a_good_stage_is_tried_for_nothing() -> None:
    """No request makes an image; the key is sent once, and only to the list of models."""
    service = Service()
    assert service.tried() == [
        "The service replies.",
        f"It is this release, {OPENAPI['info']['version']}.",
        "It refuses a request without credentials.",
        "It accepts the API key, and has 2 models.",
    ]
    assert {request.method for request in service.requests} == {"GET"}
    sent = [request.url.path for request in service.requests if "x-api-key" in request.headers]
    assert sent == ["/v1/models"]


def test_one_model_is_one_model() -> None:
    """The list that comes with the checkout has one that Bedrock still has."""
    service = Service({"/models": httpx.Response(200, json={"models": [{}]})})
    assert service.tried()[-1] == "It accepts the API key, and has 1 model."


def test_without_a_key_nothing_is_tried_that_needs_one() -> None:
    """It is said, so that nobody takes it for tried."""
    service = Service()
    assert service.tried(key="")[-1] == "No API_KEY was given, so nothing was tried that needs one."
    assert not any("x-api-key" in request.headers for request in service.requests)


def test_one_image_is_paid_for_on_request() -> None:
    """Its URL is opened without the key, which is none of the bucket's business."""
    service = Service()
    said = service.tried(prove=True)[-1]
    assert said == "stability.stable-image-core-v1:1 made an image for $0.04, and its URL opens: gen_1."
    *_, made, opened = service.requests
    assert json.loads(made.content) == REQUEST
    assert str(opened.url) == BUCKET
    assert "x-api-key" not in opened.headers


@pytest.mark.parametrize(
    ("path", "reply", "sentence"),
    [
        (
            "/health",
            httpx.Response(502, json={"detail": "The service has failed."}),
            "The health check got 502: The service has failed.",
        ),
        (
            "/health",
            httpx.Response(403, json={"message": "Forbidden"}),
            "The health check got 403: Forbidden",
        ),
        ("/health", httpx.Response(500, text="<html>"), "The health check got 500: nothing that can be read"),
        ("/health", httpx.Response(302, json=[]), "The health check got 302: nothing that can be read"),
        (
            "/openapi.json",
            httpx.Response(200, json={**OPENAPI, "paths": {}}),
            "The stage serves another document of the API than this checkout has, so another release runs there.",
        ),
        ("/openapi.json", httpx.Response(200, text="{"), f"{URL}/openapi.json did not reply with JSON."),
        (
            "/models without a key",
            httpx.Response(200, json={"models": [{}]}),
            "A request without credentials got 200; it must be refused with 401 or 403.",
        ),
        (
            "/models without a key",
            httpx.Response(500),
            "A request without credentials got 500; it must be refused with 401 or 403.",
        ),
        (
            "/models",
            httpx.Response(401, json={"detail": "The API key is revoked."}),
            "The list of models got 401: The API key is revoked.",
        ),
        ("/models", httpx.Response(200, json={"models": []}), "The stage has no model that serves."),
        (
            IMAGES,
            httpx.Response(502, json={"detail": "Bedrock refused."}),
            "The request for an image got 502: Bedrock refused.",
        ),
        ("/image", httpx.Response(403), "The image's presigned URL got 403: nothing that can be read"),
        (
            "/image",
            httpx.Response(200, content=b"another"),
            "The image that was downloaded is not the one that the service described.",
        ),
    ],
)
def test_whatever_does_not_hold_is_one_sentence(path: str, reply: httpx.Response, sentence: str) -> None:
    """Nothing after it is tried."""
    with pytest.raises(LocalError) as caught:
        Service({path: reply}).tried(prove=True)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("prove", "environ", "sentence"),
    [
        ("yes", {}, "PROVE must be 1, to pay for an image, or be left out, not 'yes'."),
        ("1", {}, "PROVE=1 makes an image, and that needs an API key: set API_KEY to one of the stage."),
    ],
)
def test_a_wrong_variable_is_one_sentence(prove: str, environ: dict[str, Any], sentence: str) -> None:
    """Nothing is looked for in the account before."""
    with pytest.raises(LocalError) as caught:
        smoke.check("dev", prove=prove, environ=environ)
    assert str(caught.value) == sentence
