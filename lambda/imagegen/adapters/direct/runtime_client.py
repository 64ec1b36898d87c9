"""Calls a model of Bedrock without the SDK's client: one request for one call."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
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
    """Takes the place of the SDK's client for `invoke_model`; the SDK's client makes all other calls."""

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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        """Close the connections that no call uses."""
        self._connections.close()
        self._client.close()

    def invoke_model(
        self,
        *,
        modelId: str,  # noqa: N803 - the names of the SDK
        body: bytes,
        contentType: str,  # noqa: N803
        accept: str,
    ) -> dict[str, Any]:
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
        connection = self._connections.take()
        try:
            connection.open()
        except TimeoutError as exc:
            raise botocore.ConnectTimeoutError(endpoint_url=url) from exc
        except FAILURES as exc:
            raise botocore.EndpointConnectionError(endpoint_url=url) from exc
        try:
            response = connection.begin("POST", path, {**headers, "User-Agent": USER_AGENT}, body)
            if response.status != HTTPStatus.OK:
                raise self._refusal(connection, response)
        except TimeoutError as exc:
            raise botocore.ReadTimeoutError(endpoint_url=url) from exc
        except FAILURES as exc:
            raise botocore.ConnectionClosedError(endpoint_url=url) from exc
        answer = _Answer(response, connection=connection, give_back=self._connections.give_back)
        return {"body": answer, "ResponseMetadata": {"HTTPHeaders": _lower_case(response)}}

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


class _Answer:
    """The body of an answer, with those methods of botocore's `StreamingBody` that are needed."""

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

    def __enter__(self) -> http.client.HTTPResponse:
        return self._response

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        # A connection on which something is still to come cannot be used again.
        if not (self._response.isclosed() or self._response.length == 0):
            self._connection.close()
        self._response.close()
        self._give_back(self._connection)

    def set_socket_timeout(self, seconds: float) -> None:
        """Set how long each read waits for a byte."""
        self._connection.set_read_timeout(seconds)


def _lower_case(response: http.client.HTTPResponse) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
