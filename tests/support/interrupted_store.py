"""A store that lets something else happen inside its calls, so that tests can let two processes race."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from imagegen.generations.generation import Generation
from tests.support.fakes import FakeStore
from tests.support.world import World


@dataclass
class Interrupted:
    """A store that calls `after_get` or `after_write` once, before the first such call returns."""

    store: FakeStore
    after_get: Callable[[], object] | None = None
    after_write: Callable[[], object] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def get(self, id_: str) -> Generation | None:
        """Read the record, and let something happen before the call returns."""
        found = self.store.get(id_)
        happens, self.after_get = self.after_get, None
        if happens is not None:
            happens()
        return found

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write the record, and let something happen before the call returns."""
        stands = self.store.write(new, replacing=replacing)
        happens, self.after_write = self.after_write, None
        if happens is not None:
            happens()
        return stands


def interrupted(
    service: World,
    *,
    after_get: Callable[[], object] | None = None,
    after_write: Callable[[], object] | None = None,
) -> World:
    """Return the same world for one of its processes, whose store lets something happen in between."""
    store = Interrupted(service.store, after_get=after_get, after_write=after_write)
    ledger = replace(service.ledger, store=store)  # type: ignore[arg-type]  # the rest is passed on
    attempts = replace(service.attempts, ledger=ledger)
    parts = replace(
        service.service,
        submitter=replace(service.submitter, ledger=ledger, attempts=attempts),
        history=replace(service.history, ledger=ledger, attempts=attempts),
        jobs=replace(service.jobs, ledger=ledger, attempts=attempts),
    )
    return replace(service, service=parts)
