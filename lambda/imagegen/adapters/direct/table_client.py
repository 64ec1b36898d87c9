"""Reads and writes items of a table without the SDK's client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from imagegen.adapters.direct.connection import UnusableError
from imagegen.adapters.direct.resending import RefusedError
from imagegen.adapters.direct.table_calls import TableCalls, json_object

Reply = Mapping[str, Any]


class DirectTable:
    """Has the methods of the SDK's client that this service uses, with their parameters, results and exceptions.

    What has no usable response raises what `TableCalls.call` raises, instead of an exception of botocore's.
    """

    def __init__(self, calls: TableCalls) -> None:
        self._calls = calls

    def get_item(self, **parameters: Any) -> Reply:
        """Read an item: Amazon DynamoDB API reference, "GetItem".

        Only `{}` says that there is none. A request whose record is not found would be paid.
        """
        return self._call("GetItem", parameters, read=_with_item)

    def put_item(self, **parameters: Any) -> Reply:
        """Write an item: Amazon DynamoDB API reference, "PutItem"."""
        return self._call("PutItem", parameters)

    def update_item(self, **parameters: Any) -> Reply:
        """Change an item: Amazon DynamoDB API reference, "UpdateItem"."""
        return self._call("UpdateItem", parameters)

    def query(self, **parameters: Any) -> Reply:
        """Read items of an index: Amazon DynamoDB API reference, "Query"."""
        return self._call("Query", parameters)

    def _call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        read: Callable[[Reply], Reply] = lambda reply: reply,
    ) -> Reply:
        try:
            return self._calls.call(operation, parameters, read=read)
        except RefusedError as exc:
            raise _sdk_error(exc, operation) from exc


def _with_item(reply: Reply) -> Reply:
    if reply and not isinstance(reply.get("Item"), dict):
        raise UnusableError("The response holds no item, and does not say that there is none.")
    return reply


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
