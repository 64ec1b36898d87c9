"""A store in whose calls something else happens: how tests let two processes race."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from imagegen.generations.generation import Generation
from tests.support.fakes import FakeStore, World


@dataclass
class Interrupted:
    """A store between whose calls something else happens, once."""

    store: FakeStore
    after_get: Callable[[], object] | None = None
    after_write: Callable[[], object] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def get(self, id_: str) -> Generation | None:
        """Read, and let something happen before the answer arrives."""
        found = self.store.get(id_)
        happens, self.after_get = self.after_get, None
        if happens is not None:
            happens()
        return found

    def write(self, new: Generation, *, replacing: Generation | None) -> Generation:
        """Write, and let something happen before the answer arrives."""
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
    """Return the same world as one of its processes sees it, with something happening in between."""
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
