"""How many executions the stage's functions may have at once, within the limit of the account.

All functions of an account and region share one limit. See the AWS Lambda developer guide, "Configuring reserved
concurrency for a function", and `docs/decisions/0012-the-worker-reserves-its-concurrency.md`.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Annotations, Stack

from stacks.model_access import LEAST_CONCURRENCY
from stacks.stage import StageConfig, StageError

DEAD_LETTER_CONCURRENCY: Final = 2
"""Executions of the worker for dead letters: the least that Lambda accepts for an event source."""
SWEEPER_CONCURRENCY: Final = 1
CALL_BACK_CONCURRENCY: Final = 5
"""How many call-backs are sent at once, whatever the receivers do; none of them holds a worker that makes images.

Without a reservation it is the least that Lambda accepts, because call-backs then share the account with requests."""

LEAST_UNRESERVED: Final = 100
"""Lambda refuses a reservation that leaves less than this to the functions without one."""


def call_back_concurrency(config: StageConfig) -> int:
    """Return how many call-backs may be sent at once; none if the stage has no webhooks."""
    if not config.webhooks:
        return 0
    return CALL_BACK_CONCURRENCY if config.reserve_concurrency else LEAST_CONCURRENCY


def beside_the_queue(config: StageConfig) -> int:
    """Return the executions of the worker besides those for the queue."""
    return DEAD_LETTER_CONCURRENCY + call_back_concurrency(config) + SWEEPER_CONCURRENCY


def reservation(config: StageConfig, *, queue: int) -> int:
    """Return how many executions a stage that reserves any takes out of the account's limit."""
    return queue + beside_the_queue(config) + (config.api_concurrency or 0)


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
    most = max(LEAST_CONCURRENCY, limit // 2 - beside_the_queue(config))
    if config.worker_concurrency is None:
        return min(derived, most)
    if wanted > most:
        raise StageError(
            f"worker_concurrency is {wanted}, but may be at most {most} if account_concurrency is {limit} and nothing "
            f"is reserved, so that the worker leaves {_left(config, most, limit)}."
        )
    return wanted


def warn_about_a_small_account(config: StageConfig, *, queue: int, stack: Stack) -> None:
    """Warn at synth if the worker may take more than half of the account's limit."""
    limit = config.account_concurrency
    if limit is None or config.reserve_concurrency or queue + beside_the_queue(config) <= limit / 2:
        return
    Annotations.of(stack).add_warning_v2(
        "imagegen:smallAccount",
        f"account_concurrency is {limit}: the worker leaves {_left(config, queue, limit)}.",
    )


def _left(config: StageConfig, queue: int, limit: int) -> str:
    """Return in words what the worker leaves to requests if the queue may start so many."""
    left = limit - queue - beside_the_queue(config)
    if left >= limit / 2:
        return "half of it to requests"
    return (
        f"{left} of it to requests, which is less than half, because Lambda accepts no event source with less than "
        f"{LEAST_CONCURRENCY}"
    )


def _check_reservations(config: StageConfig, *, wanted: int, limit: int) -> None:
    reserved = reservation(config, queue=wanted)
    if limit - reserved < LEAST_UNRESERVED:
        raise StageError(
            f"account_concurrency is {limit}, but this stage would reserve {reserved}, and Lambda keeps "
            f"{LEAST_UNRESERVED} for functions without a reservation; have the limit raised, lower worker_concurrency "
            "or api_concurrency, or set reserve_concurrency to false."
        )
