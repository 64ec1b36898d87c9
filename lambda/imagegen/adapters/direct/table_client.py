"""Reads and writes items of a table without the SDK's client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from imagegen.adapters.direct.connection import UnusableError
from imagegen.adapters.direct.connections import Connections
from imagegen.adapters.direct.resending import RefusedError
from imagegen.adapters.direct.table_calls import TableCalls, json_object


class DirectTable:
    """Has the methods of the SDK's client that this service uses, with their parameters, results and exceptions.

    What has no usable response raises what `TableCalls.call` raises, instead of an exception of botocore's.
    """

    def __init__(self, calls: TableCalls, connections: Connections) -> None:
        self._calls = calls
        self._connections = connections

    def get_item(self, **parameters: Any) -> Mapping[str, Any]:
        """Read an item: Amazon DynamoDB API reference, "GetItem"."""
        return self._call("GetItem", parameters)

    def put_item(self, **parameters: Any) -> Mapping[str, Any]:
        """Write an item: Amazon DynamoDB API reference, "PutItem"."""
        return self._call("PutItem", parameters)

    def update_item(self, **parameters: Any) -> Mapping[str, Any]:
        """Change an item: Amazon DynamoDB API reference, "UpdateItem"."""
        return self._call("UpdateItem", parameters)

    def query(self, **parameters: Any) -> Mapping[str, Any]:
        """Read items of an index: Amazon DynamoDB API reference, "Query"."""
        return self._call("Query", parameters)

    def close(self) -> None:
        """Close the connections that no call uses."""
        self._connections.close()

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._calls.call(operation, parameters, read=lambda reply: reply)
        except RefusedError as exc:
            raise _sdk_error(exc, operation) from exc


def _sdk_error(refused: RefusedError, operation: str) -> ClientError:
    try:
        item = json_object(refused.body).get("Item")
    except UnusableError:
        item = None
    # The message is left out, as in `RefusedError`.
    response: Any = {
        "Error": {"Code": refused.code, "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": refused.status},
        # Of a failed condition, if the request asked for it.
        **({"Item": item} if isinstance(item, dict) else {}),
    }
    return ClientError(response, operation)
