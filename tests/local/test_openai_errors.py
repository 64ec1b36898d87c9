"""The real `openai` package raises its own exceptions, with our sentences, for bodies that are not of its shape."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
import openai
import pytest

from imagegen.errors import ImagegenError, error_types
from imagegen.http.app import create_app
from imagegen.http.problems import gateway_reply
from imagegen.http.reply import error_headers
from tests.support.events import KEY
from tests.support.gateway import Application, wsgi
from tests.support.world import world

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

SENTENCE = "One sentence that the caller must see."
EXCEPTIONS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
KINDS = [pytest.param(kind, id=kind.kind.code) for kind in error_types()]


class Quiet(WSGIRequestHandler):
    """Serves without a line on the terminal for each request."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def client_of(application: Application, *, key: str = KEY) -> Iterator[openai.OpenAI]:
    """Serve an application on loopback, and yield OpenAI's client of it."""
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with openai.OpenAI(
                base_url=f"http://127.0.0.1:{server.server_port}/v1",
                api_key="unused",
                default_headers={"x-api-key": key},
                http_client=httpx2.Client(trust_env=False),
            ) as client:
                yield client
        finally:
            server.shutdown()
            thread.join()


class Gateway:
    """A gateway that refuses every request with the same error, and counts the requests."""

    def __init__(self, error: ImagegenError) -> None:
        self.error = error
        self.requests = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse one request."""
        self.requests += 1
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status = HTTPStatus(self.error.kind.status)
        headers = [("Content-Type", "application/problem+json"), *error_headers(self.error).items()]
        start_response(f"{status.value} {status.phrase}", headers)
        return [json.dumps(gateway_reply(self.error, request_id="req-1")).encode()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_of_the_gateway_is_the_clients_own_exception(kind: type[ImagegenError]) -> None:
    """The exception has the class of the status, our sentence as its text, and our code."""
    expected = EXCEPTIONS.get(kind.kind.status, openai.APIStatusError)
    expected = openai.InternalServerError if kind.kind.status >= 500 else expected
    with client_of(Gateway(kind(SENTENCE))) as client, pytest.raises(expected) as caught:
        client.with_options(max_retries=0).images.generate(prompt="tea")
    assert type(caught.value) is expected
    assert SENTENCE in str(caught.value)
    assert (caught.value.status_code, caught.value.code) == (kind.kind.status, kind.kind.code)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0, 61])
def test_the_client_repeats_what_is_free_and_soon_and_nothing_else(
    kind: type[ImagegenError], seconds: int
) -> None:
    """By itself the client repeats a 409, a 429 and a 5xx."""
    gateway = Gateway(kind(SENTENCE, retry_after=seconds))
    with client_of(gateway) as client, pytest.raises(openai.APIStatusError):
        client.with_options(max_retries=1).images.generate(prompt="tea")
    assert gateway.requests == (2 if kind.kind.retryable and seconds == 0 else 1)


def test_the_routes_of_ours_that_the_client_knows_are_understood_as_well() -> None:
    """A model that is not here is refused in OpenAI's shape, and a query parameter of the list with a problem."""
    with client_of(wsgi(lambda: create_app(world().services))) as client:
        with pytest.raises(openai.NotFoundError, match=r"There is no such model\.") as caught:
            client.models.retrieve("gpt-image-1")
        assert caught.value.code == "not_found"
        with pytest.raises(openai.BadRequestError, match=r"page is not a parameter\.") as refused:
            client.models.list(extra_query={"page": 1})
        assert (refused.value.param, refused.value.code) == ("page", "unknown_parameter")


def test_a_wrong_key_is_told_in_words() -> None:
    """The gateway refuses it before the function."""
    application = wsgi(lambda: create_app(world().services))
    with (
        client_of(application, key="not-a-key-0123456789") as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.images.generate(prompt="tea")
    assert "The key is missing or unknown." in str(caught.value)
