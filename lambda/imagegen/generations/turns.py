"""Turns: how much of this process's time the receivers of one owner may take from the call-backs of the others.

    held        what a call-back took, unless it was accepted within `QUICK`
    each owner  may have held a process for `SECONDS_AHEAD`, and gets 1 second back in `REST`

So in any `t` seconds the receivers of one owner hold a process for less than `t / REST + SECONDS_AHEAD` seconds and one
last call-back: see `docs/decisions/0064-slow-receivers-wait-for-their-turn.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

QUICK: Final = 1.0
"""A call-back that was accepted within so many seconds takes nothing from the others."""

REST: Final = 60
"""For each second that it was held, the process leaves an owner's receivers alone for so many."""

SECONDS_AHEAD: Final = 2.0
"""So long may an owner's receivers have held the process before they have to rest."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Says which owners' receivers may be called by this process now."""

    _rested_at: dict[str, datetime] = field(default_factory=dict)

    def has(self, owner: str, now: datetime) -> bool:
        """Say whether an owner's receivers may be called."""
        return self._rested_at.get(owner, now) - now <= timedelta(seconds=REST * SECONDS_AHEAD)

    def took(self, owner: str, *, since: datetime, now: datetime, accepted: bool) -> None:
        """Note that an owner's receiver was called from `since` until now."""
        seconds = (now - since).total_seconds()
        if seconds <= 0 or (accepted and seconds < QUICK):
            return
        # Those that have rested are forgotten, so that not every owner stays in memory.
        for rested in [one for one, at in self._rested_at.items() if at <= now]:
            del self._rested_at[rested]
        self._rested_at[owner] = self._rested_at.get(owner, now) + timedelta(seconds=REST * seconds)
