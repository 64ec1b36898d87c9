"""Prepares a process for a snapshot, and gives each process restored from it random numbers of its own.

See the AWS Lambda developer guide, "Handling uniqueness with Lambda SnapStart" and "Lambda SnapStart runtime hooks for
Python", and `docs/decisions/0125-snapstart-is-a-switch.md`.
"""

from __future__ import annotations

import random
import secrets
import ssl
from collections.abc import Sequence
from importlib import import_module
from typing import Final

_HOOKS: Final = "snapshot_restore_py"
"""The package of the hooks, which Lambda's Python has. In a function without snapshots no hook runs."""
_SEED_BYTES: Final = 32


def prepare_for_snapshots(*, load: Sequence[str]) -> None:
    """Register hooks, if there are any: load modules before a snapshot, and seed generators after a restore."""
    try:
        hooks = import_module(_HOOKS)
    except ModuleNotFoundError:
        return
    for module in load:
        hooks.register_before_snapshot(import_module, module)
    hooks.register_after_restore(_draw_anew)


def _draw_anew() -> None:
    # The SDK draws the pauses between its retries from this generator. Equal pauses would let all retry at once.
    random.seed()
    # OpenSSL draws the keys of TLS. It seeds its generator when the first client is made, which is before the snapshot,
    # and notices a fork but not a restore. This seeds it from the operating system again.
    ssl.RAND_add(secrets.token_bytes(_SEED_BYTES), _SEED_BYTES)
