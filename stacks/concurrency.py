"""How many executions the stage's functions may have at once, within the limit of the account.

All functions of an account and region share one limit. See the AWS Lambda developer guide, "Configuring reserved
concurrency for a function", and `docs/decisions/0012-the-worker-reserves-its-concurrency.md`.
"""

from __future__ import annotations

from typing import Final

from stacks.model_access import LEAST_CONCURRENCY
from stacks.stage import StageConfig, StageError

DEAD_LETTER_CONCURRENCY: Final = 2
"""Executions of the worker for dead letters: the least that Lambda accepts for an event source."""
SWEEPER_CONCURRENCY: Final = 1
CALL_BACK_CONCURRENCY: Final = 5
"""How many call-backs are sent at once, whatever the receivers do; none of them holds a worker that makes images.

Without a reservation it is the least that Lambda accepts, because call-backs then share the account with requests."""
BESIDE_THE_QUEUE: Final = DEAD_LETTER_CONCURRENCY + CALL_BACK_CONCURRENCY + SWEEPER_CONCURRENCY
"""Executions of the worker besides those for the queue."""

# Lambda refuses a reservation that leaves less than this to the functions without one.
_LEAST_UNRESERVED: Final = 100


def call_back_concurrency(config: StageConfig) -> int:
    """Return how many call-backs may be sent at once."""
    return CALL_BACK_CONCURRENCY if config.reserve_concurrency else LEAST_CONCURRENCY


def queue_concurrency(config: StageConfig, *, derived: int) -> int:
    """Return how many queued generations may be made at once; `derived` is the number that suits the model's quota.

    Raises:
        StageError: the stage would take more than the account's limit allows.
    """
    wanted = config.worker_concurrency or derived
    limit = config.account_concurrency
    if limit is None:
        return wanted
    if config.reserve_concurrency:
        _check_reservations(config, wanted=wanted, limit=limit)
        return wanted
    # Without a reservation, a busy worker would leave nothing for the requests that people wait for.
    most = limit // 2 - DEAD_LETTER_CONCURRENCY - SWEEPER_CONCURRENCY
    if config.worker_concurrency is None:
        return max(LEAST_CONCURRENCY, min(derived, most))
    if wanted > most:
        raise StageError(
            f"worker_concurrency is {wanted}, but may be at most {most} if account_concurrency is {limit} and nothing "
            "is reserved, so that the worker leaves half of it to requests."
        )
    return wanted


def _check_reservations(config: StageConfig, *, wanted: int, limit: int) -> None:
    reserved = wanted + BESIDE_THE_QUEUE + (config.api_concurrency or 0)
    if limit - reserved < _LEAST_UNRESERVED:
        raise StageError(
            f"account_concurrency is {limit}, but this stage would reserve {reserved}, and Lambda keeps "
            f"{_LEAST_UNRESERVED} for functions without a reservation; have the limit raised, lower worker_concurrency "
            "or api_concurrency, or set reserve_concurrency to false."
        )
