"""Repeats a step: how often, with which pauses, and until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from imagegen.errors import ImagegenError
from imagegen.generations.ports import Clock, Deadline, Randomness

T = TypeVar("T")

# Far past any longest pause. Without a bound, 2 to the number of tries would grow too large for a float.
_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses in seconds that double from `first` up to `longest`; `jitter` in 0–1 is the share that is random.

    With a jitter of 1 a pause has any length below the doubled one. With 0.5 it is at least half of it.
    """

    first: float
    longest: float
    jitter: float = 0.5

    def pause(self, tries: int, *, fraction: float) -> float:
        """Return the pause after so many tries (1 or more); `fraction` is a random number in 0–1."""
        whole: float = min(self.first * 2 ** min(tries - 1, _MOST_DOUBLINGS), self.longest)
        return whole * (1 - self.jitter * (1 - fraction))


MODEL_BACKOFF: Final = Backoff(first=0.2, longest=2.0, jitter=1)
"""Between two calls of a model that was throttled or not ready."""

STORE_BACKOFF: Final = Backoff(first=0.1, longest=2.0)
"""Between two tries to store an image that was paid, or to write how an attempt ended."""

DELIVERY_BACKOFF: Final = Backoff(first=2, longest=60)
"""Between two deliveries of a job's message that was not acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationDeadline:
    """The time that is left of an invocation, by Lambda's own clock."""

    remaining_milliseconds: Callable[[], int]

    def remaining(self) -> float:
        """Return the seconds left."""
        return self.remaining_milliseconds() / 1000


def insist(
    step: Callable[[], T],
    *,
    backoff: Backoff,
    deadline: Deadline,
    clock: Clock,
    randomness: Randomness,
    tries: int | None = None,
) -> T:
    """Call `step` until it succeeds, at most `tries` times, or until the deadline is nearer than the longest pause.

    Raises:
        ImagegenError: the last try raised it. Any other exception is raised at once.
    """
    tried = 1
    while True:
        try:
            return step()
        except ImagegenError:
            # A pause must not use up the time that the caller needs for its own reply.
            if tried == tries or deadline.remaining() < backoff.longest:
                raise
        clock.sleep(backoff.pause(tried, fraction=randomness.fraction()))
        tried += 1
