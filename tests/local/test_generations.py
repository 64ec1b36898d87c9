"""On the deployed stack, callers can look their generations up, page through them, download and delete them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.support import exiftool
from tests.support.deployed_stack import Stack, StandIn
from tests.support.marks import GENERATED
from tests.support.stack_callers import fresh_key


@pytest.fixture(autouse=True)
def instant(stand_in: StandIn) -> None:
    """Let the model answer at once."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()


@pytest.fixture
def fresh_api(stack: Stack) -> Iterator[httpx.Client]:
    """Yield a client of a caller without a history."""
    with stack.client(api_key=fresh_key(stack)) as client:
        yield client


def make(api: httpx.Client, text: str = "tea") -> dict[str, Any]:
    """Make an image, and return the reply."""
    answer = api.post("/text-to-image", json={"text_prompts": [{"text": text}]})
    generation: dict[str, Any] = answer.raise_for_status().json()
    return generation


def pages(api: httpx.Client, *, limit: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of the history."""
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/generations", params={"limit": limit, **cursor}).raise_for_status().json()
        yield page["generations"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def exists(stack: Stack, id_: str) -> bool:
    """Say whether an image is in the bucket."""
    keys = (
        boto3.client("s3", **stack.aws())
        .get_paginator("list_objects_v2")
        .paginate(Bucket=stack.state.bucket, Prefix="images/")
    )
    return any(found["Key"].endswith(f"/{id_}.png") for page in keys for found in page.get("Contents", []))


def test_a_history_of_25_comes_newest_first_in_pages_of_10(fresh_api: httpx.Client) -> None:
    """No generation is missing or comes twice, also where a page ends."""
    made = [make(fresh_api, text=f"tea {number}")["id"] for number in range(25)]
    found = [[generation["id"] for generation in page] for page in pages(fresh_api, limit=10)]
    assert [len(page) for page in found] == [10, 10, 5]
    assert [id_ for page in found for id_ in page] == made[::-1]


def test_a_page_that_ends_with_the_history_is_the_last(fresh_api: httpx.Client) -> None:
    """The last page has no cursor, so no cursor leads to an empty page."""
    made = [make(fresh_api)["id"] for _ in range(4)]
    found = [[generation["id"] for generation in page] for page in pages(fresh_api, limit=2)]
    assert found == [made[:1:-1], made[1::-1]]


def test_failed_generations_are_in_the_history(fresh_api: httpx.Client, stand_in: StandIn) -> None:
    """The history shows the reason in place of the image."""
    stand_in.set_rules({"prompt": "blurred", "action": "filtered"})
    refused = fresh_api.post("/text-to-image", json={"text_prompts": [{"text": "blurred"}]})
    assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    (listed,) = fresh_api.get("/generations").json()["generations"]
    assert (listed["status"], listed["error"]["code"]) == ("failed", "content_filtered")


def test_another_caller_sees_nothing_of_a_history(api: httpx.Client, fresh_api: httpx.Client) -> None:
    """Each caller sees only its own history."""
    make(api)
    shown = fresh_api.get("/generations").json()
    assert (shown["generations"], shown["totals"]["images"], shown["next_cursor"]) == ([], 0, None)


def test_a_generation_shows_what_it_was_made_from(api: httpx.Client) -> None:
    """The look-up shows what the first reply had, and every parameter with its default and the chosen seed."""
    made = make(api, text="a lake")
    shown = api.get(f"/generations/{made['id']}").raise_for_status().json()
    assert shown["request"]["text_prompts"] == [{"text": "a lake", "weight": 1}]
    assert shown["request"]["seed"] == made["artifacts"][0]["seed"]
    fresh = {"url", "expires_at"}
    assert [{**artifact, **dict.fromkeys(fresh)} for artifact in shown["artifacts"]] == [
        {**artifact, **dict.fromkeys(fresh)} for artifact in made["artifacts"]
    ]


def test_every_look_signs_a_url_that_works(api: httpx.Client, anonymous: httpx.Client) -> None:
    """An old URL may have expired; every look-up gives a new one, and it leads to the same image."""
    made = make(api)
    looks = [api.get(f"/generations/{made['id']}").json()["artifacts"][0] for _ in range(2)]
    images = [anonymous.get(look["url"]).raise_for_status().content for look in looks]
    assert {hashlib.sha256(image).hexdigest() for image in images} == {made["artifacts"][0]["sha256"]}
    assert looks[1]["expires_at"] >= looks[0]["expires_at"] >= made["artifacts"][0]["expires_at"]


def test_the_image_route_leads_to_the_image(api: httpx.Client, anonymous: httpx.Client) -> None:
    """The route redirects with 302 to a presigned URL, which needs no API key; the reply may not be cached."""
    made = make(api)
    answer = api.get(f"/generations/{made['id']}/image")
    assert answer.status_code == httpx.codes.FOUND
    assert answer.headers["Cache-Control"] == "no-store"
    image = anonymous.get(answer.headers["Location"]).raise_for_status()
    assert image.headers["Content-Type"] == "image/png"
    assert hashlib.sha256(image.content).hexdigest() == made["artifacts"][0]["sha256"]


@pytest.mark.parametrize(("output_format", "suffix"), [("png", ".png"), ("jpeg", ".jpg")])
def test_a_downloaded_file_is_what_the_reply_says_and_carries_its_mark(
    api: httpx.Client, anonymous: httpx.Client, tmp_path: Path, output_format: str, suffix: str
) -> None:
    """Type, name, length, hash and pixels agree, and ExifTool reads in it that it is generated, by which model."""
    body = {"text_prompts": [{"text": "tea"}], "output_format": output_format}
    made = api.post("/text-to-image", json=body).raise_for_status().json()
    (artifact,) = made["artifacts"]
    file = anonymous.get(artifact["url"]).raise_for_status()
    assert file.headers["Content-Type"] == artifact["content_type"] == f"image/{output_format}"
    assert file.headers["Content-Disposition"] == f'inline; filename="imagegen-{made["id"]}{suffix}"'
    assert (len(file.content), hashlib.sha256(file.content).hexdigest()) == (
        artifact["bytes"],
        artifact["sha256"],
    )
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(file.content)
    (told,) = exiftool.read([path])
    assert (told["File:MIMEType"], told["ExifTool:Validate"]) == (f"image/{output_format}", "0 0 0")
    assert told["XMP-iptcExt:DigitalSourceType"] == GENERATED
    assert told["XMP-iptcExt:AISystemUsed"] == made["model"]
    assert told["XMP-dc:Identifier"] == made["id"]
    assert "XMP-iptcExt:AIPromptInformation" not in told


def test_a_client_that_follows_redirects_gets_the_image_with_its_key_in_the_headers(
    api: httpx.Client, stack: Stack
) -> None:
    """S3 accepts the API key that such a client sends along."""
    made = make(api)
    with stack.client(api_key=stack.state.api_key) as client:
        image = client.get(f"/generations/{made['id']}/image", follow_redirects=True).raise_for_status()
    assert hashlib.sha256(image.content).hexdigest() == made["artifacts"][0]["sha256"]


def test_a_deleted_generation_is_unknown_and_its_image_gone(
    fresh_api: httpx.Client, anonymous: httpx.Client, stack: Stack
) -> None:
    """After the 204, each route says 404, the history is empty, the object is gone, and its URLs no longer work."""
    made = make(fresh_api)
    path = f"/generations/{made['id']}"
    assert exists(stack, made["id"])
    answer = fresh_api.delete(path)
    assert (answer.status_code, answer.content) == (httpx.codes.NO_CONTENT, b"")
    again = [fresh_api.get(path), fresh_api.get(f"{path}/image"), fresh_api.delete(path)]
    assert [found.status_code for found in again] == [httpx.codes.NOT_FOUND] * 3
    assert fresh_api.get("/generations").json()["generations"] == []
    assert not exists(stack, made["id"])
    assert anonymous.get(made["artifacts"][0]["url"]).status_code in (
        httpx.codes.NOT_FOUND,
        httpx.codes.FORBIDDEN,
    )


def test_a_foreign_generation_and_one_that_never_was_look_the_same(
    api: httpx.Client, other_api: httpx.Client
) -> None:
    """The replies are equal but for the id of the request, and another caller's generation cannot be deleted."""
    foreign, unknown = make(api)["id"], f"gen_{'a' * 26}"
    answers = [
        [
            other_api.get(f"/generations/{id_}"),
            other_api.get(f"/generations/{id_}/image"),
            other_api.delete(f"/generations/{id_}"),
        ]
        for id_ in (foreign, unknown)
    ]
    seen = [
        [(answer.status_code, answer.text.replace(answer.json()["request_id"], "")) for answer in row]
        for row in answers
    ]
    assert seen[0] == seen[1]
    assert {status for status, _ in seen[0]} == {httpx.codes.NOT_FOUND}
    assert api.get(f"/generations/{foreign}").status_code == httpx.codes.OK


def test_an_image_that_was_removed_by_hand_is_gone(api: httpx.Client, stack: Stack) -> None:
    """The reply is 410, as after the image's retention, and no URL that leads nowhere; the record is still listed."""
    made = make(api)
    s3 = boto3.client("s3", **stack.aws())
    owned = s3.get_paginator("list_objects_v2").paginate(Bucket=stack.state.bucket, Prefix="images/")
    (key,) = [
        found["Key"]
        for page in owned
        for found in page.get("Contents", [])
        if found["Key"].endswith(f"/{made['id']}.png")
    ]
    s3.delete_object(Bucket=stack.state.bucket, Key=key)
    answers = [api.get(f"/generations/{made['id']}"), api.get(f"/generations/{made['id']}/image")]
    assert [answer.status_code for answer in answers] == [httpx.codes.GONE] * 2
    assert {answer.json()["code"] for answer in answers} == {"gone"}
    assert made["id"] in {one["id"] for one in api.get("/generations").json()["generations"]}
