"""Calls a model of Bedrock without the SDK's client: one request for one call."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from botocore import exceptions as botocore
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from imagegen.adapters.direct.connection import FAILURES, Connection
from imagegen.adapters.direct.connections import Connections
from imagegen.adapters.direct.signature import Credentials, hash_of, signed
from imagegen.adapters.direct.table_calls import USER_AGENT

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

_LONGEST_ERROR: Final = 65_536
"""The most bytes that are read of an error."""


class DirectRuntime:
    """Takes the place of the SDK's client for `invoke_model`, and lets it make the call of a model that streams.

    The answer is not the SDK's: it is read whole, within a time.
    """

    def __init__(
        self,
        client: BedrockRuntimeClient,
        *,
        connections: Connections,
        credentials: Callable[[], Credentials],
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._connections = connections
        self._credentials = credentials
        self._now = now

    def invoke_model_with_response_stream(self, **parameters: Any) -> Mapping[str, Any]:
        """Call a model that streams, with the SDK's client and over a new connection."""
        # Like the others, one that was idle may have died meanwhile, and this call is sent once as well.
        self._client.close()
        return self._client.invoke_model_with_response_stream(**parameters)

    def invoke_model(
        self,
        *,
        modelId: str,  # noqa: N803 - the names of the SDK
        body: bytes,
        contentType: str,  # noqa: N803
        accept: str,
    ) -> Answer:
        """Send one request: Amazon Bedrock API reference, "InvokeModel".

        Raises:
            EndpointConnectionError, ConnectTimeoutError: nothing was sent.
            ReadTimeoutError: no response came in time.
            ConnectionClosedError: the connection ended, or was used for something that is no response.
            ClientError: Bedrock replied with an error.
        """
        path = f"/model/{quote(modelId, safe='')}/invoke"
        headers = signed(
            {"Host": self._connections.host, "Content-Type": contentType, "Accept": accept},
            path=path,
            body_hash=hash_of(body),
            credentials=self._credentials(),
            region=self._client.meta.region_name,
            service="bedrock",
            now=self._now(),
        )
        url = self._client.meta.endpoint_url
        try:
            connection = self._connections.take()
            connection.open()
        except TimeoutError as exc:
            raise botocore.ConnectTimeoutError(endpoint_url=url) from exc
        except FAILURES as exc:
            raise botocore.EndpointConnectionError(endpoint_url=url) from exc
        try:
            response = connection.begin("POST", path, {**headers, "User-Agent": USER_AGENT}, body)
            # As the SDK does: whatever else is no error may be a paid image.
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise self._refusal(connection, response)
        except TimeoutError as exc:
            raise botocore.ReadTimeoutError(endpoint_url=url) from exc
        except FAILURES as exc:
            raise botocore.ConnectionClosedError(endpoint_url=url) from exc
        return Answer(response, connection=connection, give_back=self._connections.give_back)

    def _refusal(self, connection: Connection, response: http.client.HTTPResponse) -> botocore.ClientError:
        """Return the error of a response, which the SDK's own parser reads."""
        try:
            with response:
                body = response.read(_LONGEST_ERROR)
        finally:
            # More of the body may be to come, and errors are rare.
            connection.close()
        headers: Any = HeadersDict(response.headers.items())
        shape = self._client.meta.service_model.operation_model("InvokeModel").output_shape
        parser = create_parser("rest-json")
        parsed = parser.parse({"status_code": response.status, "headers": headers, "body": body}, shape)  # type: ignore[arg-type]  # InvokeModel has an output
        return botocore.ClientError(parsed, "InvokeModel")


class Answer:
    """The answer of a model, whose body is still to be read."""

    def __init__(
        self,
        response: http.client.HTTPResponse,
        *,
        connection: Connection,
        give_back: Callable[[Connection], None],
    ) -> None:
        self._response = response
        self._connection = connection
        self._give_back = give_back

    def read(self, *, seconds: float, longest: int) -> bytes:
        """Return the whole body, which may take so many seconds and have so many bytes.

        Raises:
            TimeoutError: it took longer.
            TooLongError: it has more bytes.
            OSError, HTTPException, UnusableError: it was cut off.
        """
        try:
            with self._response:
                self._connection.allow(seconds)
                return self._connection.read(self._response, longest=longest).body
        finally:
            self._give_back(self._connection)
