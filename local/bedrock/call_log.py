"""The calls that the stand-in has seen."""

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

KEPT: Final = 50_000
KEPT_BODIES: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One call.

    Attributes:
        model: The base model, or an empty string for an unknown identifier.
        region: The region that the request was signed for, or an empty string.
        outcome: `pending`, `success`, an action's type, or an exception's name.
        billed: Whether a careful caller would count the call as paid.
        painted: Whether the picture was painted and sent whole.
    """

    number: int
    model_id: str
    model: str
    prompt: str
    stream: bool
    region: str
    outcome: str = "pending"
    billed: bool = False
    painted: bool = False


class CallLog:
    """Counts calls; keeps the last 50,000, and the bodies of the last 1,000."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._forget()

    def _forget(self) -> None:
        # The number goes on: a call that began before must not close an entry that was made after.
        self._entries: dict[int, Entry] = {}
        self._bodies: deque[tuple[int, Any]] = deque(maxlen=KEPT_BODIES)
        self._in_flight = 0
        self._peak = 0

    def open(self, *, model_id: str, model: str, prompt: str, stream: bool, region: str, body: Any) -> int:
        """Record a call when it arrives, and return its number."""
        with self._lock:
            self._number += 1
            self._entries[self._number] = Entry(
                number=self._number,
                model_id=model_id,
                model=model,
                prompt=prompt,
                stream=stream,
                region=region,
            )
            if len(self._entries) > KEPT:
                # A dict keeps its order, so the first is the oldest.
                del self._entries[next(iter(self._entries))]
            self._bodies.append((self._number, body))
            return self._number

    def close(self, number: int, *, outcome: str, billed: bool, painted: bool) -> None:
        """Record what became of a call."""
        with self._lock:
            if entry := self._entries.get(number):
                self._entries[number] = replace(entry, outcome=outcome, billed=billed, painted=painted)

    def enter(self) -> None:
        """Count a call that is under way."""
        with self._lock:
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)

    def leave(self) -> None:
        """Count a call that was answered or given up."""
        with self._lock:
            self._in_flight = max(0, self._in_flight - 1)

    def clear(self) -> None:
        """Forget every call; those under way still count as in flight."""
        with self._lock:
            under_way = self._in_flight
            self._forget()
            self._in_flight = self._peak = under_way

    def report(self, *, prompt: str = "", last: int = 20) -> dict[str, Any]:
        """Return the counts over the calls whose prompt contains `prompt`, and the last of them with bodies."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if prompt in entry.prompt]
            bodies = dict(self._bodies)
            flight = {"in_flight": self._in_flight, "peak_in_flight": self._peak}
        # `[-0:]` would be all of them.
        recent = entries[-last:] if last > 0 else []
        return {
            **_sums(entries),
            **flight,
            "models": _grouped((entry.model or entry.model_id, entry) for entry in entries),
            "prompts": _grouped((entry.prompt, entry) for entry in entries),
            "outcomes": dict(Counter(entry.outcome for entry in entries)),
            "last": [{**asdict(entry), "body": bodies.get(entry.number)} for entry in recent],
        }


def _sums(entries: list[Entry]) -> dict[str, int]:
    return {
        "calls": len(entries),
        "billed": sum(entry.billed for entry in entries),
        "painted": sum(entry.painted for entry in entries),
    }


def _grouped(pairs: Iterable[tuple[str, Entry]]) -> dict[str, dict[str, int]]:
    groups: dict[str, list[Entry]] = {}
    for key, entry in pairs:
        groups.setdefault(key, []).append(entry)
    return {key: _sums(entries) for key, entries in groups.items()}
