"""API Gateway events as the REST API sends them, and replies as a client reads them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagegen.http import surface
from imagegen.http.request import Request
from imagegen.http.surface import Route
from tests.support.environment import ENVIRONMENT

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

KEY = "alicealice22"
OTHER_KEY = "bobbobbobb33"
"""Ids of two keys, which the authorizer has accepted."""
SALT = ENVIRONMENT["OWNER_SALT"]
CREATE = surface.route_named("createGeneration")


@dataclass(frozen=True)
class Context:
    """The parts of Lambda's context that the handler reads."""

    function_name: str = "api"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:api"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    milliseconds: int = 80_000

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left of the invocation."""
        return self.milliseconds


@dataclass(frozen=True)
class Answer:
    """A reply: status, headers in lower case, and the body's text."""

    status: int
    headers: Mapping[str, str]
    body: str
    base64_encoded: bool = False

    @property
    def content(self) -> bytes:
        """Return the bytes that API Gateway would pass on."""
        return base64.b64decode(self.body) if self.base64_encoded else self.body.encode()

    @property
    def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)


def authorized(key: str, **limits: float | None) -> dict[str, str]:
    """Return what the gateway passes on of the authorizer's decision about the key with this id."""
    return {"principalId": key, "keyId": key, "limits": json.dumps(limits)}


def event(
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = KEY,
    headers: Mapping[str, str | Sequence[str]] | None = None,
    query: Mapping[str, str | Sequence[str]] | None = None,
    base64_encoded: bool = False,
) -> dict[str, Any]:
    """Return a REST API proxy event; a body that is not text is sent as JSON."""
    sent: dict[str, list[str]] = {"Host": ["api.example"]}
    if body is not None:
        sent["Content-Type"] = ["application/json"]
    if key is not None:
        sent["x-api-key"] = [f"ig_{key}and-its-secret"]
    for name, value in (headers or {}).items():
        sent[name] = [value] if isinstance(value, str) else list(value)
    asked = {
        name: [value] if isinstance(value, str) else list(value) for name, value in (query or {}).items()
    }
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in sent.items()},
        "multiValueHeaders": sent,
        "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "requestId": "req-1",
            "stage": surface.STAGE_NAME,
            "httpMethod": method,
            # A path with the base path is that of a custom domain name, which has no stage in front.
            "path": path if path.startswith(surface.BASE_PATH) else surface.BASE_PATH + path,
            "identity": {"sourceIp": "127.0.0.1"},
            **({"authorizer": authorized(key)} if key is not None else {}),
        },
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": base64_encoded,
    }


def received(sent: Mapping[str, Any], *, route: Route = CREATE, context: Context | None = None) -> Request:
    """Return the request that the routes get for an event."""
    return Request.from_event(sent, context or Context(), route=route, owner_salt=SALT)


def send(
    app: APIGatewayRestResolver, request: Mapping[str, Any], *, context: Context | None = None
) -> Answer:
    """Let the app serve an event, and return its reply."""
    raw = app.resolve(request, context or Context())  # type: ignore[arg-type]  # a context in miniature
    headers = {name.lower(): values[0] for name, values in raw["multiValueHeaders"].items()}
    return Answer(
        status=raw["statusCode"],
        headers=headers,
        body=raw["body"] or "",
        base64_encoded=raw["isBase64Encoded"],
    )
