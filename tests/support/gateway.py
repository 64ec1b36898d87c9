"""A small API Gateway in front of the app, as a WSGI application: it checks API keys, makes events, decodes bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from imagegen.errors import Unauthorized
from imagegen.http.problems import gateway_reply
from imagegen.http.surface import (
    BASE_PATH,
    BINARY_MEDIA_TYPES,
    HEADERS_ON_EVERY_ERROR,
    HEADERS_ON_EVERY_REPLY,
    OPEN_PATHS,
)
from tests.support.events import KEY, OTHER_KEY, Context, authorized, event

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

KEYS: Final = (KEY, OTHER_KEY)
BINARY: Final = "image/png"

Application = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]


def wsgi(create: Callable[[], APIGatewayRestResolver]) -> Application:
    """Return an application that serves each request with a new app."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = _headers(environ)
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        if (
            path.removeprefix(BASE_PATH).rstrip("/") not in OPEN_PATHS
            and headers.get("X-Api-Key") not in KEYS
        ):
            return _refused(start_response)
        raw = create().resolve(_event(environ, path, headers), Context())  # type: ignore[arg-type]  # a context in miniature
        body = raw["body"] or ""
        first_accepted = headers.get("Accept", "").split(",")[0].split(";")[0].strip()
        binary = raw["isBase64Encoded"] and first_accepted in BINARY_MEDIA_TYPES
        content = base64.b64decode(body) if binary else body.encode()
        sent = [(name, value) for name, values in raw["multiValueHeaders"].items() for value in values]
        start_response(_status(raw["statusCode"]), sent)
        return [content]

    return application


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    names = {"CONTENT_TYPE": "Content-Type"}
    sent = {
        names.get(name) or name.removeprefix("HTTP_").replace("_", "-").title(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in names
    }
    return {name: value for name, value in sent.items() if value or name != "Content-Type"}


def _event(environ: WSGIEnvironment, path: str, headers: dict[str, str]) -> dict[str, Any]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(environ.get("QUERY_STRING") or "", keep_blank_values=True):
        query.setdefault(name, []).append(value)
    is_binary = headers.get("Content-Type") == BINARY
    made = event(environ["REQUEST_METHOD"], path, key=None, headers=headers, query=query)
    made["requestContext"]["authorizer"] = authorized(headers.get("X-Api-Key", ""))
    text = base64.b64encode(body).decode() if is_binary else body.decode("utf-8", "replace")
    return {**made, "body": text or None, "isBase64Encoded": is_binary}


def _refused(start_response: StartResponse) -> Iterable[bytes]:
    members = gateway_reply(Unauthorized("The key is missing or unknown."), request_id="req-1")
    values = {"X-Request-Id": "req-1", "X-Should-Retry": "false", "X-Imagegen-Charged": "no"}
    common = [(name, values[name]) for name in (*HEADERS_ON_EVERY_REPLY, *HEADERS_ON_EVERY_ERROR)]
    start_response(_status(401), [("Content-Type", "application/problem+json"), *common])
    return [json.dumps(members).encode()]


def _status(number: int) -> str:
    return f"{number} {HTTPStatus(number).phrase}"
