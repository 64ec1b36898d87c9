"""The one call that the authorizer makes: DynamoDB's `GetItem`, signed and sent without the SDK."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from imagegen import VERSION
from imagegen.adapters.key_table.connection import FAILURES, Connection, Response, UnusableError
from imagegen.adapters.key_table.items import stored_key
from imagegen.adapters.key_table.signature import Credentials, signed
from imagegen.errors import InternalError, Misconfigured
from imagegen.keys.stored_key import StoredKey

ATTEMPTS: Final = 3
"""How many requests one look-up makes at most. Repeating a read is safe."""

LONGEST_PAUSE: Final = 0.5
"""In seconds, before the second request; the pause before the third may be twice as long."""

BUSY: Final = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes of status 400 that a repeat may cure: Amazon DynamoDB developer guide, "Error handling"."""

_MISCONFIGURED: Final = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}
)


class _RefusedError(Exception):
    """DynamoDB replied with an error."""

    def __init__(self, status: int, code: str) -> None:
        # DynamoDB's message is left out: about a wrong signature, it quotes the session token.
        super().__init__(f"DynamoDB replied with {status} {code[:100]!r}.")
        self.code = code
        self.may_be_repeated = (
            status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or status == HTTPStatus.TOO_MANY_REQUESTS
            or code in BUSY
        )


class KeyLookUp:
    """Reads single keys of the table."""

    def __init__(
        self,
        *,
        connection: Connection,
        table: str,
        region: str,
        credentials: Credentials,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._table = table
        self._region = region
        self._credentials = credentials
        self._now = now
        self._sleep = sleep

    def get(self, id_: str) -> StoredKey | None:
        """Return what is stored of a key, read consistently, so that a new key works at once.

        Raises:
            Misconfigured: the table is missing, or may not be read.
            InternalError: there was no response that tells whether there is such a key.
        """
        try:
            return self._read(id_)
        except _RefusedError as exc:
            if exc.code in _MISCONFIGURED:
                raise Misconfigured(
                    "The table of keys is missing, or the authorizer has no right to read it."
                ) from exc
            raise InternalError("The table of keys did not respond.") from exc
        except FAILURES as exc:
            raise InternalError("The table of keys did not respond.") from exc

    def _read(self, id_: str) -> StoredKey | None:
        asked = {"TableName": self._table, "Key": {"id": {"S": id_}}, "ConsistentRead": True}
        body = json.dumps(asked).encode()
        for attempt in range(1, ATTEMPTS):
            try:
                return _key_of(self._sent(body), id_=id_)
            except _RefusedError as exc:
                if not exc.may_be_repeated:
                    raise
            except FAILURES:
                pass
            self._sleep(random.random() * LONGEST_PAUSE * attempt)  # noqa: S311 - it keeps no secret
        return _key_of(self._sent(body), id_=id_)

    def _sent(self, body: bytes) -> dict[str, Any]:
        headers = {
            "Host": self._connection.host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "DynamoDB_20120810.GetItem",
        }
        signed_headers = signed(
            headers,
            body,
            credentials=self._credentials,
            region=self._region,
            service="dynamodb",
            now=self._now(),
        )
        response = self._connection.post(body, {**signed_headers, "User-Agent": f"imagegen/{VERSION}"})
        if response.status == HTTPStatus.OK:
            return _object(response)
        raise _RefusedError(response.status, _code_of(response))


def _object(response: Response) -> dict[str, Any]:
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError) as exc:
        raise UnusableError("The response is not JSON.") from exc
    if not isinstance(value, dict):
        raise UnusableError("The response is not a JSON object.")
    return value


def _code_of(response: Response) -> str:
    try:
        # The namespace before the `#` differs between services and releases.
        return str(_object(response).get("__type", "")).rpartition("#")[2]
    except UnusableError:
        return ""


def _key_of(response: Mapping[str, Any], *, id_: str) -> StoredKey | None:
    if not response:
        return None
    try:
        stored = stored_key(response["Item"])
    except (KeyError, ValueError) as exc:
        raise UnusableError("The response holds no key.") from exc
    if stored.id != id_:
        raise UnusableError("The response holds another key.")
    return stored
