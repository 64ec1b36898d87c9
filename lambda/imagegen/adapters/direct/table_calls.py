"""Calls of DynamoDB, signed and sent: the JSON of the parameters out, the JSON of the reply in.

See the Amazon DynamoDB developer guide, "DynamoDB low-level API".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

from imagegen import VERSION
from imagegen.adapters.direct.connection import Body, Response, UnusableError
from imagegen.adapters.direct.resending import ATTEMPTS, RefusedError, repeated
from imagegen.adapters.direct.signature import Credentials, hash_of, signed

T = TypeVar("T")

USER_AGENT: Final = f"imagegen/{VERSION}"


class Sender(Protocol):
    """A connection, or several."""

    @property
    def host(self) -> str:
        """The host that requests go to."""
        ...

    def send(self, method: str, path: str, headers: Mapping[str, str], body: Body) -> Response:
        """Send a request."""
        ...


class TableCalls:
    """Sends calls of DynamoDB and repeats them. `attempts` is how many requests one call sends at most."""

    def __init__(
        self,
        sender: Sender,
        *,
        region: str,
        credentials: Callable[[], Credentials],
        now: Callable[[], datetime],
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sender = sender
        self._region = region
        self._credentials = credentials
        self._now = now
        self._attempts = attempts
        self._sleep = sleep

    def call(
        self, operation: str, parameters: Mapping[str, Any], *, read: Callable[[Mapping[str, Any]], T]
    ) -> T:
        """Return what `read` makes of the reply; where `read` raises one of `FAILURES`, the request is repeated.

        Raises:
            RefusedError: DynamoDB replied with an error.
            OSError, HTTPException, UnusableError: there was no usable response.
        """
        body = json.dumps(parameters).encode()
        return repeated(lambda: read(self._sent(operation, body)), attempts=self._attempts, sleep=self._sleep)

    def _sent(self, operation: str, body: bytes) -> dict[str, Any]:
        headers = {
            "Host": self._sender.host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }
        signed_headers = signed(
            headers,
            body_hash=hash_of(body),
            credentials=self._credentials(),
            region=self._region,
            service="dynamodb",
            now=self._now(),
        )
        response = self._sender.send("POST", "/", {**signed_headers, "User-Agent": USER_AGENT}, body)
        if response.status == HTTPStatus.OK:
            return json_object(response.body)
        raise RefusedError("DynamoDB", response.status, _code_of(response), body=response.body)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        UnusableError: it is something else.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UnusableError("The response is not JSON.") from exc
    if not isinstance(value, dict):
        raise UnusableError("The response is not a JSON object.")
    return value


def _code_of(response: Response) -> str:
    try:
        # The namespace before the `#` differs between services and releases.
        return str(json_object(response.body).get("__type", "")).rpartition("#")[2]
    except UnusableError:
        return ""
