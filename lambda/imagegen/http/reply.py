"""The request that is being answered, read by pure functions, and what every answer to one has in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import Response

from imagegen.errors import ImagegenError
from imagegen.generations.retry import InvocationDeadline
from imagegen.http import bodies, strict_json
from imagegen.http import request as parameters
from imagegen.http.identity import owner_of

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

BASE_PATH: Final = "/v1"
_NO_STORE: Final = {"Cache-Control": "no-store"}

Answer = Response[str] | Response[bytes]


def error_headers(error: ImagegenError) -> dict[str, str]:
    """Return the headers that an error's facts make."""
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.generation_id is not None:
        headers["Location"] = f"{BASE_PATH}/generations/{error.generation_id}"
    if error.replayed:
        headers["Idempotent-Replayed"] = "true"
    if error.allow:
        headers["Allow"] = ", ".join(error.allow)
    return headers


class Exchange:
    """One exchange at a time, as the resolver takes them; `varies` if an answer depends on its page's origin."""

    def __init__(self, resolver: APIGatewayRestResolver, *, varies: bool) -> None:
        self._resolver = resolver
        self._same_for_all = _NO_STORE | ({"Vary": "Origin"} if varies else {})

    @property
    def _event(self) -> Mapping[str, Any]:
        return self._resolver.current_event.raw_event

    @property
    def _all_headers(self) -> Mapping[str, Sequence[str]]:
        return parameters.values_of(self._event, "headers")

    @property
    def request_id(self) -> str:
        """API Gateway's id of the request."""
        return str((self._event.get("requestContext") or {}).get("requestId") or "")

    @property
    def path(self) -> str:
        """The path below the base path; it begins with a slash."""
        path = str(self._event.get("path") or "")
        inside = path == BASE_PATH or path.startswith(f"{BASE_PATH}/")
        return (path.removeprefix(BASE_PATH) if inside else path) or "/"

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self._event.get("httpMethod") or "").upper()

    @property
    def owner(self) -> str:
        """Who asks.

        Raises:
            Unauthorized: the gateway verified nobody.
        """
        return owner_of(self._event)

    @property
    def idempotency_key(self) -> str | None:
        """The key that the request may be repeated with.

        Raises:
            InvalidParameter: the header is malformed.
        """
        return parameters.idempotency_key(self.headers("idempotency-key"))

    def headers(self, name: str) -> list[str]:
        """Return every value of a header."""
        return parameters.header_values(self._all_headers, name)

    def query(self, name: str) -> Sequence[str]:
        """Return every value of a query parameter."""
        return parameters.values_of(self._event, "queryStringParameters").get(name) or ()

    def members(self) -> dict[str, Any]:
        """Return the members of the JSON object that the body is.

        Raises:
            UnsupportedMediaType, PayloadTooLarge, InvalidJson: it is none.
        """
        body = bodies.body_of(
            self._event.get("body"),
            is_base64_encoded=bool(self._event.get("isBase64Encoded")),
            headers=self._all_headers,
        )
        return strict_json.loads(body)

    def deadline(self) -> InvocationDeadline:
        """Return how long the invocation may still take."""
        context = self._resolver.lambda_context
        return InvocationDeadline(remaining_milliseconds=context.get_remaining_time_in_millis)

    def answer(
        self,
        status: int,
        content: Any = None,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Response[str]:
        """Return an answer whose body is JSON, or empty where there is no content."""
        body = "" if content is None else json.dumps(content, separators=(",", ":"))
        return Response(
            status_code=status,
            content_type=None if content is None else content_type,
            body=body,
            headers=self.common(headers),
        )

    def binary(self, content: bytes, *, content_type: str, headers: Mapping[str, str]) -> Response[bytes]:
        """Return an answer of bytes, which API Gateway decodes for a client whose `Accept` names their type."""
        return Response(
            status_code=200, content_type=content_type, body=content, headers=self.common(headers)
        )

    def problem(
        self, error: ImagegenError, body: Mapping[str, Any], *, content_type: str = "application/json"
    ) -> Response[str]:
        """Return an error's body with the headers that its facts make."""
        return self.answer(error.kind.status, body, content_type=content_type, headers=error_headers(error))

    def common(self, headers: Mapping[str, str] | None = None) -> dict[str, str | list[str]]:
        """Return the headers that every answer has, and those of this one."""
        return {"X-Request-Id": self.request_id, **self._same_for_all, **(headers or {})}
