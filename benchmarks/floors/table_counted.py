"""The api function with a clock around each call of the table, so that the table's share can be subtracted.

It is the deployed handler.
"""

import time
from collections.abc import Callable
from typing import Any

from imagegen import api_handler
from imagegen.adapters.dynamodb import DynamoDbGenerations


class Clock:
    """The CPU time in nanoseconds that the calls of the table have taken so far."""

    def __init__(self) -> None:
        self.spent = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with the clock around it."""

        def timed(**parameters: Any) -> Any:
            began = time.thread_time_ns()
            try:
                return call(**parameters)
            finally:
                self.spent += time.thread_time_ns() - began

        return timed


clock = Clock()
store = api_handler.service.ports.store
assert isinstance(store, DynamoDbGenerations)
# The counters and the recent requests use the same client.
table = store._client
for name in ("get_item", "put_item", "update_item", "query"):
    setattr(table, name, clock.around(getattr(table, name)))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Serve one request; `tableNanoseconds` of the reply is what all calls of the table have taken so far."""
    return {**api_handler.lambda_handler(event, context), "tableNanoseconds": clock.spent}
