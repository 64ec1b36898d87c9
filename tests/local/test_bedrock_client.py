"""boto3's own client of Bedrock's runtime reads this service's replies, streams and errors, over loopback."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.http import surface
from imagegen.http.app import create_app
from tests.support.events import KEY
from tests.support.fakes import SDXL, sdxl_answer
from tests.support.gateway import wsgi
from tests.support.world import World, world

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

    from tests.support.deployed_stack import Stack

TEA: Final = {
    "text_prompts": [{"text": "Sri lanka tea plantation."}],
    "cfg_scale": 10,
    "seed": 0,
    "steps": 50,
}
SENTENCE: Final = "The model said so."


class Quiet(WSGIRequestHandler):
    """A handler that writes no log, and adds no Content-Type to a request that has none."""

    def get_environ(self) -> dict[str, Any]:
        """Return the request; wsgiref itself would call a body without a type plain text."""
        environ: dict[str, Any] = super().get_environ()
        return {**environ, "CONTENT_TYPE": self.headers.get("Content-Type", "")}

    def log_message(self, _: str, *args: Any) -> None:
        """Write nothing."""


@contextmanager
def serving(service: World) -> Iterator[BedrockRuntimeClient]:
    """Serve the app over loopback behind the small gateway, and yield boto3's client for it."""
    with WSGIServer(("127.0.0.1", 0), Quiet) as server:
        server.set_app(wsgi(lambda: create_app(service.services)))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield _client(f"http://127.0.0.1:{server.server_port}{surface.BASE_PATH}")
        finally:
            server.shutdown()
            thread.join()


def _client(url: str) -> BedrockRuntimeClient:
    client: BedrockRuntimeClient = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="unused",
        aws_secret_access_key="unused",
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )

    def add_key(request: Any, **_: Any) -> None:
        request.headers["x-api-key"] = KEY

    client.meta.events.register("before-send.bedrock-runtime", add_key)
    return client


@pytest.mark.parametrize("accepts", [{}, {"accept": "application/json"}, {"accept": "*/*"}])
def test_boto3_reads_the_reply(accepts: dict[str, Any]) -> None:
    """JSON is text to the gateway, whatever `Accept` says."""
    with serving(world(answers=[sdxl_answer(seed=3407)])) as client:
        answer = client.invoke_model(modelId=f"{SDXL}:0", body=json.dumps(TEA), **accepts)
    assert answer["contentType"] == "application/json"
    assert json.loads(answer["body"].read())["artifacts"][0]["seed"] == 3407


def test_boto3_reads_the_stream() -> None:
    """It sends no `Accept` for a stream, and gets the one event all the same."""
    with serving(world(answers=[sdxl_answer(seed=3407)])) as client:
        answer = client.invoke_model_with_response_stream(modelId=SDXL, body=json.dumps(TEA))
        events = list(answer["body"])
    assert answer["contentType"] == "application/json"
    (only,) = events
    assert json.loads(only["chunk"]["bytes"])["artifacts"][0]["seed"] == 3407


FAILURES: Final[dict[str, ImagegenError]] = {
    "ValidationException": errors.InvalidParameter(SENTENCE),
    "ThrottlingException": errors.ModelThrottled(SENTENCE, retry_after=1),
    "AccessDeniedException": errors.Forbidden(SENTENCE),
    "ResourceNotFoundException": errors.NotFound(SENTENCE),
    "ServiceQuotaExceededException": errors.QuotaExceeded(SENTENCE, retry_after=1),
    "ModelTimeoutException": errors.ModelTimeout(SENTENCE),
    "ModelErrorException": errors.OutcomeUnknown(SENTENCE),
    "InternalServerException": errors.Misconfigured(SENTENCE),
    "ServiceUnavailableException": errors.ModelUnavailable(SENTENCE, retry_after=1),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("operation", ["invoke_model", "invoke_model_with_response_stream"])
def test_boto3_raises_its_own_exception_with_the_sentence(name: str, operation: str) -> None:
    """Class, code and message arrive; the quota raises before a model is called, the others come from it."""
    service = world()
    if name == "ServiceQuotaExceededException":
        service.quotas.failures = [FAILURES[name]]
    else:
        service.runtime.answers = [FAILURES[name]]
        # Throttling is repeated until the time is over, so the clock runs out here.
        service.runtime.before = lambda: service.clock.sleep(100)
    with serving(service) as client:
        call: Callable[..., Any] = getattr(client, operation)
        with pytest.raises(ClientError) as caught:
            call(modelId=SDXL, body=json.dumps(TEA))
    assert isinstance(caught.value, getattr(client.exceptions, name))
    assert caught.value.response["Error"]["Code"] == name
    assert caught.value.response["Error"]["Message"]


# -- through the deployed gateway --------------------------------------------------------------------------------


@pytest.mark.parametrize("accepts", [{}, {"Accept": "application/json"}, {"Accept": "image/png"}])
@pytest.mark.parametrize("suffix", ["", "-with-response-stream"])
def test_both_replies_pass_the_gateway(stack: Stack, accepts: dict[str, str], suffix: str) -> None:
    """Whatever `Accept` says: JSON arrives as JSON, and a stream arrives byte for byte."""
    with stack.client(api_key=stack.state.api_key) as client:
        del client.headers["Accept"]
        answer = client.post(f"/model/{SDXL}:0/invoke{suffix}", json=TEA, headers=accepts).raise_for_status()
    content = answer.content
    if suffix:
        assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
        buffer = EventStreamBuffer()
        buffer.add_data(content)
        (only,) = list(buffer)
        content = base64.b64decode(json.loads(only.payload)["bytes"], validate=True)
    (artifact,) = json.loads(content)["artifacts"]
    assert base64.b64decode(artifact["base64"], validate=True).startswith(b"\x89PNG")
