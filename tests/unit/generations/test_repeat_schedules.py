"""Under every schedule of faults, a request without an idempotency key is paid once, however often it is repeated.

`tests/support/repeat_schedules.py` explains the client and the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

import pytest

from imagegen.generations.generation import Generation, derive_id
from imagegen.generations.ports import RecentList, RecentRequest
from imagegen.generations.repeats import Chosen, Known, Repeats, RepeatSigns
from imagegen.generations.submit import Submitter
from tests.support.depth import at_depth
from tests.support.repeat_schedules import RepeatExplorer
from tests.support.repeat_world import (
    REPLY_LOST,
    SCENARIOS,
    SHORTER_SCENARIOS,
    TWO_PICTURES,
    UNMARKED,
    WRITTEN_TOO_LATE,
    RepeatScenario,
    marked,
)
from tests.support.staged_ports import Broken

pytestmark = pytest.mark.slow

EXPLORED = at_depth(thorough={**SHORTER_SCENARIOS, **SCENARIOS}, usual=SHORTER_SCENARIOS)

UNCOVERED: Final[Mapping[str, set[str]]] = {
    "unmarked, and it is slow twice": {WRITTEN_TOO_LATE},
    "unmarked, slow and with a fault": {WRITTEN_TOO_LATE, REPLY_LOST},
}
"""The only schedules in which a second call may be paid; in all other scenarios there is none."""


@pytest.mark.parametrize("name", EXPLORED)
def test_no_schedule_pays_twice_for_one_request(name: str) -> None:
    """One call is paid for each picture that the client wants, everything ends, and no image is lost."""
    explorer = RepeatExplorer(EXPLORED[name])
    explorer.explore()
    assert explorer.uncovered == UNCOVERED.get(name, set())
    assert explorer.schedules >= (1_000_000 if name in SCENARIOS else 50_000)


def test_two_requests_at_once_are_two_pictures() -> None:
    """Without a fault, exactly two are paid in each of the schedules, as the exploration checks at every end."""
    explorer = RepeatExplorer(RepeatScenario(client=TWO_PICTURES, faults=0))
    explorer.explore()
    assert explorer.most_paid == 2


# -- the same exploration of code that is wrong on purpose ------------------------------------------------------------


class WritesAfterTheClaim(Repeats):
    """Keeps the recent request back until its record is claimed."""

    kept: Final[dict[str, RecentList]] = {}

    def chosen(self, name: str, *, owner: str, signs: RepeatSigns, began: datetime) -> Chosen:
        """Choose, and write nothing."""
        seen = self.recent.get(name)
        known = [(one, self._record(one, owner)) for one in (seen.requests if seen else ())]
        met = self._met(known, signs=signs, began=began)
        if met is not None:
            return Chosen(name=name, request=met, is_repeat=True)
        new = self._new(signs, began)
        self.kept[derive_id(owner, new.key)] = self._listed(name, (new,))
        return Chosen(name=name, request=new, is_repeat=False)


class ClaimsFirst(Submitter):
    """Claims the record, and writes the recent request down afterwards."""

    def _claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        stands = super()._claim(draft, replacing=replacing)
        new = WritesAfterTheClaim.kept.get(draft.id)
        if new is not None:
            self.repeats.recent.put(new, replacing=None)
        return stands


class TakesNoRecordForFree(Repeats):
    """Takes a marked repeat for a new request if the one before it has no record yet."""

    @staticmethod
    def _met(known: Known, *, signs: RepeatSigns, began: datetime) -> RecentRequest | None:
        if known and known[0][1] is None:
            return None
        return Repeats._met(known, signs=signs, began=began)


class ForgetsWhoMadeIt(Repeats):
    """Does not write down that a repeat came before its request."""

    def _new(self, signs: RepeatSigns, began: datetime) -> RecentRequest:
        return replace(super()._new(signs, began), by_repeat=False)


class IgnoresTheGateway(Repeats):
    """Takes a request for as old as its function."""

    def chosen(self, name: str, *, owner: str, signs: RepeatSigns, began: datetime) -> Chosen:  # noqa: ARG002 - ignored
        """Choose by the function's own clock."""
        return super().chosen(name, owner=owner, signs=signs, began=self.clock.now())


class RepeatsNoFailure(Repeats):
    """Takes every failure for one that a new request may try again."""

    @staticmethod
    def _met(known: Known, *, signs: RepeatSigns, began: datetime) -> RecentRequest | None:
        if known and known[0][1] is not None and known[0][1].state == "failed":
            return None
        return Repeats._met(known, signs=signs, began=began)


class WaitsForTheRecord(Repeats):
    """Takes a request that its client has lost for free if it has no record yet."""

    @staticmethod
    def _met(known: Known, *, signs: RepeatSigns, began: datetime) -> RecentRequest | None:
        if not signs.marked and known and known[0][1] is None:
            return None
        return Repeats._met(known, signs=signs, began=began)


class KeepsTheReplyToItself(Repeats):
    """Does not note that a reply could not be made."""

    def not_delivered(self, chosen: Chosen) -> None:
        """Note nothing."""


WRONG: Final[Mapping[str, RepeatScenario]] = {
    "writes after the claim": RepeatScenario(
        client=marked(1), faults=0, repeats=WritesAfterTheClaim, submitter=ClaimsFirst
    ),
    "writes unconditionally": RepeatScenario(client=marked(1), faults=0, unconditional=True),
    "takes no record for free": RepeatScenario(client=marked(1), faults=0, repeats=TakesNoRecordForFree),
    "forgets who made it": RepeatScenario(client=marked(1), faults=0, repeats=ForgetsWhoMadeIt),
    "ignores the gateway": RepeatScenario(
        client=marked(1), faults=0, leaps=(5,), slow=frozenset(), repeats=IgnoresTheGateway
    ),
    "keeps a failed reply to itself": RepeatScenario(
        client=UNMARKED, faulty=("reply",), repeats=KeepsTheReplyToItself
    ),
    "repeats no failure": RepeatScenario(client=UNMARKED, repeats=RepeatsNoFailure),
    "repeats no failure of a marked client": RepeatScenario(client=marked(1), repeats=RepeatsNoFailure),
    "waits for the record": RepeatScenario(
        client=UNMARKED, faults=0, leaps=(2, 28), repeats=WaitsForTheRecord
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_same_exploration_finds_what_is_wrong_with_a_naive_version(name: str) -> None:
    """Each mistake is paid for twice in some schedule, which the exploration names."""
    with pytest.raises(Broken, match="paid 2 times") as caught:
        RepeatExplorer(WRONG[name]).explore()
    assert "by this schedule:" in str(caught.value)
