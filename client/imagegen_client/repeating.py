"""Whether and when to send a request again: as often as it may help, and never where it could be paid twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imagegen_client.errors import (
    ConnectionLost,
    ImagegenError,
    InProgress,
    InternalError,
    ModelTimeout,
    OutcomeUnknown,
    StoreFailed,
    UnexpectedReply,
)

# The gateway reports some of these while the function is still running (docs/errors.md). With the same key, a repeat
# brings what became of the request. Once that is a recorded failure, another repeat would bring the same again.
_MAY_END_OTHERWISE: Final = (OutcomeUnknown, ModelTimeout, StoreFailed, InternalError, ConnectionLost)

_DEFECTS: Final = (InternalError, UnexpectedReply)
_TRIES_OF_A_DEFECT: Final = 3
"""A defect mostly stays; what comes and goes has words of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The bounds of one call of the client.

    Attributes:
        tries: At most so many requests are sent; those that only ask whether a running image is done do not count.
        total_time: Seconds after which no further request is begun.
        reply_time: Seconds to wait for one reply. The gateway ends a connection after 29 seconds, unless the operator
            has set another `gateway_timeout`.
        first_pause: Seconds before the second try, unless the service names a time; each further pause is twice as
            long.
        longest_pause: The longest of these, in seconds.
    """

    tries: int = 6
    total_time: float = 300.0
    reply_time: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 15.0

    def pause(
        self, error: ImagegenError, *, attempt: int, left: float, free: bool, chance: float
    ) -> float | None:
        """Return after how many seconds to send the request again; None if it must or need not be sent again.

        Args:
            error: How the last attempt ended.
            attempt: How many attempts count so far, from 1.
            left: How many seconds of the total time are left.
            free: Whether a repeat cannot be paid a second time: it only reads, or it carries its idempotency key.
            chance: A random number from 0 to 1, which spreads the repeats of many callers.
        """
        if not may_help(error) or (error.charged != "no" and not free):
            return None
        tries = min(self.tries, _TRIES_OF_A_DEFECT) if isinstance(error, _DEFECTS) else self.tries
        if attempt >= tries and not isinstance(error, InProgress):
            return None
        own = min(self.longest_pause, self.first_pause * 2.0 ** min(attempt - 1, 30))
        # Never earlier than the service says.
        pause = own * (0.5 + chance / 2) if error.retry_after is None else error.retry_after + own * chance
        return pause if pause < left else None


def paid_here(failures: Sequence[ImagegenError]) -> bool:
    """Return whether the failed attempts of a call may have begun the image that its last attempt brought.

    The service then calls its reply a repeat, although nobody else asked for the image. Only the first attempt that
    reached the service can tell: an image that was being made at that time is an earlier request's.
    """
    for each in failures:
        if isinstance(each, InProgress):
            return False
        if each.charged != "no" or isinstance(each, _MAY_END_OTHERWISE):
            return True
    return False


def may_help(error: ImagegenError) -> bool:
    """Return whether the same request can end in another way."""
    if isinstance(error, UnexpectedReply):
        return error.retryable
    if isinstance(error, _MAY_END_OTHERWISE):
        return not error.replayed
    return error.retryable
