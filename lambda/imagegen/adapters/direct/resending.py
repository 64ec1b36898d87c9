"""Says which requests are repeated, and when: three at most, as the SDK's clients do."""

from __future__ import annotations

import random
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar

from imagegen.adapters.direct.connection import FAILURES

T = TypeVar("T")

ATTEMPTS: Final = 3
"""How many requests one call sends at most."""

LONGEST_PAUSE: Final = 0.5
"""In seconds, before the second request; the pause before the third may be twice as long."""

BUSY: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "ThrottlingException",
    }
)
"""Codes that a repeat may cure, also with status 400.

Amazon DynamoDB developer guide, "Error handling with DynamoDB"; Amazon S3 API reference, "Error responses".
"""


class RefusedError(Exception):
    """A service replied with an error."""

    def __init__(self, service: str, status: int, code: str, *, body: bytes = b"") -> None:
        # The message of the service is left out: about a wrong signature, it quotes the session token.
        super().__init__(f"{service} replied with {status} {code[:100]!r}.")
        self.status = status
        self.code = code
        self.body = body

    @property
    def may_be_repeated(self) -> bool:
        """Whether the same request may have another outcome in a moment."""
        return (
            self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or self.status == HTTPStatus.TOO_MANY_REQUESTS
            or self.code in BUSY
        )


def repeated(send: Callable[[], T], *, attempts: int, sleep: Callable[[float], None]) -> T:
    """Send a request that may be repeated until it succeeds, and raise what the last one raises."""
    for attempt in range(1, attempts):
        try:
            return send()
        except RefusedError as exc:
            if not exc.may_be_repeated:
                raise
        except FAILURES:
            pass
        sleep(random.random() * LONGEST_PAUSE * attempt)  # noqa: S311 - it keeps no secret
    return send()
