"""Bedrock's own shape over fakes: replies, streams, errors, and attempts that are repeated."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any, Final

import boto3
import pytest
from botocore.eventstream import EventStreamBuffer

from imagegen import errors
from imagegen.errors import error_types
from imagegen.generations.marks import Marking
from imagegen.http.app import create_app
from imagegen.http.compat import bedrock
from tests.support.events import Answer, Context, event, send
from tests.support.fakes import CORE, SDXL, png, sdxl_answer
from tests.support.scenarios import SCENARIOS
from tests.support.world import World, world

TEA: Final = {
    "text_prompts": [{"text": "Sri lanka tea plantation."}],
    "cfg_scale": 10,
    "seed": 0,
    "steps": 50,
}
INVOCATION: Final = {"amz-sdk-invocation-id": "41b17421-36ca-471f-a935-0b3df52f9e54"}
INVOKE: Final = f"/model/{SDXL}/invoke"
STREAM: Final = f"{INVOKE}-with-response-stream"


def post(service: World, path: str = INVOKE, body: Any = None, **more: Any) -> Answer:
    """Send one request to the app."""
    return send(create_app(service.services), event("POST", path, body or TEA, **more))


def png_of(size: int) -> bytes:
    """Return a PNG of so many bytes: a small one with a chunk that holds nothing for its viewers."""
    small = png()
    body = b"paDd" + bytes(size - len(small) - 12)
    padding = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return small[:-12] + padding + small[-12:]


def streamed(answer: Answer) -> Any:
    """Return the JSON in the only event of a stream, read with botocore's own decoder."""
    buffer = EventStreamBuffer()
    buffer.add_data(answer.content)
    (message,) = list(buffer)
    headers: Any = message.headers
    assert headers == {
        ":event-type": "chunk",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return json.loads(base64.b64decode(json.loads(message.payload)["bytes"], validate=True))


def test_the_reply_is_the_contracts_own() -> None:
    """It has the contract's members and no others."""
    service = world(answers=[sdxl_answer(png(grey=9), seed=3407)])
    answer = post(service)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == {
        "result": "success",
        "artifacts": [
            {
                "seed": 3407,
                "base64": base64.b64encode(service.stored_image).decode(),
                "finishReason": "SUCCESS",
            }
        ],
    }


def test_a_filtered_image_is_an_artifact_without_a_picture() -> None:
    """The seed is the one that the model was sent; a repeated request gets the same without another call."""
    service = world(answers=[sdxl_answer(reason="CONTENT_FILTERED")])
    first, second = (post(service, headers=INVOCATION) for _ in range(2))
    seed = service.runtime.calls[0][1]["seed"]
    artifact = {"seed": seed, "base64": "", "finishReason": "CONTENT_FILTERED"}
    assert [first.status, second.status] == [200, 200]
    assert first.json == second.json == {"result": "success", "artifacts": [artifact]}
    assert len(service.runtime.calls) == 1
    assert second.headers["idempotent-replayed"] == "true"


def test_a_stream_holds_the_same_reply_in_one_event() -> None:
    """Each byte of it is ASCII, so that the gateway passes it on as text, whatever the client accepts."""
    service = world(answers=[sdxl_answer(seed=3407)])
    answer = post(service, STREAM)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/vnd.amazon.eventstream")
    assert answer.headers["x-amzn-bedrock-content-type"] == "application/json"
    assert not answer.base64_encoded
    assert answer.body.isascii()
    assert streamed(answer)["artifacts"][0]["seed"] == 3407


@pytest.mark.parametrize(
    ("model_id", "called"),
    [
        (SDXL, SDXL),
        (f"{SDXL}:0", SDXL),
        (f"{SDXL}%3A0", SDXL),
        (CORE, CORE),
        (CORE.replace(":", "%3A"), CORE),
    ],
)
def test_the_path_chooses_the_model(model_id: str, called: str) -> None:
    """SDXL's ids leave the choice to the deployment; the id of another enabled model pins it."""
    service = world()
    assert post(service, f"/model/{model_id}/invoke").status == 200
    assert [id_ for id_, _ in service.runtime.calls] == [called]


def test_sdxls_id_is_served_by_a_deployment_without_sdxl() -> None:
    """The id stands for the contract, whose own model has ended."""
    service = world(models=[CORE])
    assert post(service).status == 200
    assert [id_ for id_, _ in service.runtime.calls] == [CORE]


@pytest.mark.parametrize("name", ["model", "strict", "output_format", "webhook_url", "prompt", "colour"])
def test_a_field_of_another_contract_is_refused(name: str) -> None:
    """Nothing is made."""
    service = world()
    answer = post(service, body={**TEA, name: "x"})
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert answer.json["message"].startswith(f"{name} is not a parameter")
    assert service.store.items == {}


@pytest.mark.parametrize("path", [INVOKE, STREAM])
@pytest.mark.parametrize("code", [code for code in SCENARIOS if code != "content_filtered"])
def test_each_error_is_told_as_the_runtime_tells_it(code: str, path: str) -> None:
    """Status and exception are Bedrock's; the body is one sentence without the prompt."""
    kind = next(kind for kind in error_types() if kind.kind.code == code)
    answer = SCENARIOS[code](path)
    assert (answer.headers["x-amzn-errortype"], answer.status) == bedrock.EXCEPTIONS[kind]
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"message"}
    assert answer.json["message"]
    assert "plantation" not in answer.body


def test_only_the_shape_itself_tells_of_a_filtered_image_as_an_error() -> None:
    """The scenario of the filter is a success here, so the test above leaves it out."""
    assert SCENARIOS["content_filtered"](INVOKE).status == 200


@pytest.mark.parametrize("sent", [INVOCATION, {**INVOCATION, "Idempotency-Key": "order-2026-11-03-0001"}])
def test_an_attempt_that_is_repeated_pays_once(sent: dict[str, str]) -> None:
    """The id of the SDK's call is the idempotency key, on both routes, unless the caller sends one."""
    service = world()
    first = post(service, headers=sent)
    second = post(service, STREAM, headers=sent)
    assert streamed(second) == first.json
    assert second.headers["idempotent-replayed"] == "true"
    assert len(service.runtime.calls) == 1


def test_the_callers_key_comes_before_the_sdks_id() -> None:
    """Two calls of the SDK with one `Idempotency-Key` are one image; two keys in one call are two."""
    service = world()
    ids = ("1" * 36, "2" * 36, "1" * 36)
    for key, id_ in zip(("a" * 16, "a" * 16, "b" * 16), ids, strict=True):
        post(service, headers={"Idempotency-Key": key, "amz-sdk-invocation-id": id_})
    assert len(service.runtime.calls) == 2


@pytest.mark.parametrize("sent", ["short", "not an id of an SDK!", ["1" * 36, "2" * 36]])
def test_an_id_that_is_no_key_is_ignored(sent: str | list[str]) -> None:
    """The caller did not choose it, so it must not be refused for it."""
    service = world()
    for _ in range(2):
        assert post(service, headers={"amz-sdk-invocation-id": sent}).status == 200
    assert len(service.runtime.calls) == 2


def test_an_image_too_large_for_a_stream_is_told_so() -> None:
    """In a stream it is twice in base64, so it fits only into the other route's reply."""
    service = world(answers=[sdxl_answer(png_of(bedrock.MAX_STREAMED_BYTES + 1))])
    answer = post(service, STREAM, headers=INVOCATION)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (424, "ModelErrorException")
    assert post(service, headers=INVOCATION).status == 200


@pytest.mark.parametrize("limit", [(INVOKE, 4_400_000), (STREAM, bedrock.MAX_STREAMED_BYTES)])
def test_the_largest_image_fits_a_functions_response(limit: tuple[str, int]) -> None:
    """Lambda takes 6 MB of JSON."""
    path, size = limit
    # The limit is that of the stored file, mark included.
    unmarked = Marking(images=False)
    app = create_app(world(answers=[sdxl_answer(png_of(size))], marking=unmarked).services)
    raw = app.resolve(event("POST", path, TEA), Context())  # type: ignore[arg-type]  # a context in miniature
    assert raw["statusCode"] == 200
    assert len(json.dumps(raw)) < 6 * 1024 * 1024


REPEATED: Final = {429, 500, 502, 503, 504}
"""Statuses that AWS's SDKs repeat by themselves."""


@pytest.mark.parametrize("kind", [kind for kind in error_types() if kind.kind.paid != "no"])
def test_what_may_have_been_paid_is_not_repeated_by_an_sdk(kind: type[errors.ImagegenError]) -> None:
    """Not even by one that sends no id with its attempts."""
    assert bedrock.status_of(kind) not in REPEATED


def test_every_exception_is_one_that_boto3_models() -> None:
    """Both operations can raise it, with this status."""
    # With keys of its own the client looks for none in the network.
    model = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="unused",
        aws_secret_access_key="unused",
    ).meta.service_model
    for operation in ("InvokeModel", "InvokeModelWithResponseStream"):
        modelled = {
            shape.name: shape.metadata["error"]["httpStatusCode"]
            for shape in model.operation_model(operation).error_shapes
        }
        ours = {pair for kind, pair in bedrock.EXCEPTIONS.items() if kind is not errors.MethodNotAllowed}
        assert dict(ours).items() <= modelled.items()
    assert set(bedrock.EXCEPTIONS) == set(error_types())
