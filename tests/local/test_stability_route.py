"""Stability's route works on the deployed stack, and API Gateway passes bytes on as bytes."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

if TYPE_CHECKING:
    import httpx

ROUTE: Final = "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
LIGHTHOUSE: Final[dict[str, Any]] = {
    "text_prompts": [{"text": "A lighthouse on a cliff"}],
    "height": 896,
    "width": 1152,
    "samples": 1,
    "steps": 30,
    "seed": 3407,
}


def test_png_is_answered_as_bytes(api: httpx.Client) -> None:
    """The headers say what the JSON body would say."""
    answer = api.post(ROUTE, json=LIGHTHOUSE, headers={"Accept": "image/png"}).raise_for_status()
    assert answer.headers["content-type"] == "image/png"
    assert (answer.headers["finish-reason"], answer.headers["seed"]) == ("SUCCESS", "3407")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (1152, 896))


def test_json_has_the_same_picture_in_base64(api: httpx.Client) -> None:
    """The stand-in paints the same picture for the same request; only the marks name two generations."""
    answer = api.post(ROUTE, json=LIGHTHOUSE, headers={"Accept": "application/json"}).raise_for_status()
    png = api.post(ROUTE, json=LIGHTHOUSE, headers={"Accept": "image/png"}).raise_for_status().content
    (artifact,) = answer.json()["artifacts"]
    in_json = base64.b64decode(artifact["base64"], validate=True)
    pixels = [Image.open(io.BytesIO(content)).tobytes() for content in (in_json, png)]
    assert pixels[0] == pixels[1]
    assert in_json != png


def test_a_body_that_is_not_utf8_is_refused_through_the_gateway(api: httpx.Client) -> None:
    """If the gateway read the body as text, it would replace the bytes, and the service would make another image."""
    body = b'{"text_prompts": [{"text": "caf\xe9"}]}'
    for content_type in ("application/json", "application/json; charset=utf-8"):
        answer = api.post("/text-to-image", content=body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


def test_an_error_is_json_even_where_bytes_are_accepted(api: httpx.Client) -> None:
    """The error is in Stability's shape."""
    answer = api.post(ROUTE, json={**LIGHTHOUSE, "width": 512}, headers={"Accept": "image/png"})
    assert answer.status_code == 400
    assert answer.json()["name"] == "invalid_sdxl_v1_dimensions"


def test_the_engines_of_the_list_are_taken(api: httpx.Client) -> None:
    """An id with a colon is taken as well."""
    engines = [engine["id"] for engine in api.get("/engines/list").raise_for_status().json()]
    model = next(engine for engine in engines if ":" in engine)
    answer = api.post(f"/generation/{model}/text-to-image", json={"text_prompts": [{"text": "tea"}]})
    assert answer.status_code == 200
