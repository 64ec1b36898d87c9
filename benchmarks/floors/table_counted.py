"""The api function with a clock around each call of the table, so that the table's share can be subtracted.

It is the deployed handler. Events of the SDK say when a call begins and ends.
"""

import time
from typing import Any

from imagegen import api_handler
from imagegen.adapters.dynamodb import DynamoDbGenerations


class Clock:
    """The CPU time in nanoseconds that the calls of the table have taken so far."""

    def __init__(self) -> None:
        self.spent = 0
        self._began = 0

    def begin(self, **_: Any) -> None:
        """Note that a call begins."""
        self._began = time.thread_time_ns()

    def end(self, **_: Any) -> None:
        """Note that it has ended."""
        self.spent += time.thread_time_ns() - self._began


clock = Clock()
store = api_handler.service.ports.store
assert isinstance(store, DynamoDbGenerations)
events = store._client.meta.events
events.register_first("provide-client-params.dynamodb.*", clock.begin)
events.register_last("after-call.dynamodb.*", clock.end)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Serve one request; `tableNanoseconds` of the reply is what all calls of the table have taken so far."""
    return {**api_handler.lambda_handler(event, context), "tableNanoseconds": clock.spent}
