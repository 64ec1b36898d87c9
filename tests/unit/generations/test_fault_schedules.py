"""Every schedule of faults over the real use case: paid at most as often as allowed, ended, and nothing lost.

`tests/support/schedules.py` explains what a schedule is and how so many are covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import ImagegenError
from imagegen.generations.attempts import Attempts
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.history import History
from imagegen.generations.jobs import Jobs
from imagegen.generations.ledger import Ledger
from imagegen.generations.model_caller import ModelCaller, ModelImage
from imagegen.generations.ports import Deadline
from imagegen.generations.submit import Submitter
from tests.support.schedules import SCENARIOS, Explorer, Scenario
from tests.support.staged_ports import Broken

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_schedule_pays_too_often_or_loses_an_image(name: str) -> None:
    """At most the allowed calls are paid, everything ends, no success lacks its image, no image its success."""
    explorer = Explorer(SCENARIOS[name])
    explorer.explore()
    assert explorer.schedules >= 1_000_000
    assert len(explorer.answers) >= 16


# -- the same harness over code that is wrong ------------------------------------------------------------------------


class FreesTheKeyOnAnyFailure(Attempts):
    """As idempotency helpers do: a request that failed may be sent again."""

    def end_failed(self, record: Generation, error: ImagegenError, deadline: Deadline | None = None) -> None:
        """Take every failure for one that cost nothing."""
        super().end_failed(record, errors.InternalError(error.detail), deadline)


class CallsAgainWhenTheLeaseIsOver(Ledger):
    """As a queue consumer without a record of payments does: a message that comes back is worked again."""

    def may_pay_again(self, record: Generation) -> bool:
        """Allow it always."""
        return record.asynchronous

    def start(self, record: Generation) -> Generation:
        """Grant a call as if it were the first."""
        return super().start(replace(record, paid_attempts=0))


class KnowsNoLease(CallsAgainWhenTheLeaseIsOver):
    """Calls again whenever the message comes again."""

    def lease_is_live(self, record: Generation) -> bool:  # noqa: ARG002 - the ledger's shape
        """Never respect an attempt that runs."""
        return False


class RetriesTimeOuts(ModelCaller):
    """As the SDK does by default."""

    def call(self, request: GenerationRequest, deadline: Deadline) -> ModelImage:
        """Call once more."""
        try:
            return super().call(request, deadline)
        except errors.ModelTimeout:
            return super().call(request, deadline)


class TakesDefectsForUnbilled(Attempts):
    """As code does that answers every exception with a 500."""

    def _call(self, record: Generation, deadline: Deadline) -> tuple[ModelImage, StoredImage]:
        try:
            return super()._call(record, deadline)
        except errors.OutcomeUnknown as exc:
            raise errors.InternalError("Something went wrong.") from exc


class NeverLooksAgain(Attempts):
    """Ends what was cut off without looking for late images."""

    def heal(self, record: Generation) -> Generation:
        """Leave it failed."""
        return record


class GivesUnitsBackWithoutHavingEnded(Attempts):
    """Takes for granted that its own end is the one that stands."""

    def end_failed(self, record: Generation, error: ImagegenError, deadline: Deadline | None = None) -> None:
        """Give the unit back whatever was written."""
        super().end_failed(record, error, deadline)
        if error.kind.paid == "no" and not record.asynchronous:
            self.give_back(record)


class RemovesTheImageFirst(History):
    """Deletes in the order that comes to mind."""

    def delete(self, id_: str, *, owner: str) -> None:
        """Remove the image, then the record."""
        record = self.look_up(id_, owner=owner)
        if not record.terminal:
            raise errors.in_progress(id_, retry_after=1)
        self.images.delete(record.image_name)
        self.ledger.write(record.delete(self.ledger.moment()), replacing=record)


class GivesUnitsBackForLostClaims(Submitter):
    """Takes an answer that was lost for a write that was refused."""

    def _write_claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        try:
            return self.ledger.write(draft, replacing=replacing)
        except ImagegenError:
            self.attempts.give_back(draft)
            raise


class NeverSendsAgain(Jobs):
    """Trusts the queue with the only message."""

    def _postponed(self, record: Generation) -> bool:  # noqa: ARG002 - the method's shape
        return False


WRONG: Mapping[str, tuple[Scenario, str]] = {
    "frees the key": (Scenario(one_by_one=3, attempts=FreesTheKeyOnAnyFailure), "something was paid"),
    "calls again": (Scenario(one_by_one=3, ledger=CallsAgainWhenTheLeaseIsOver), "paid 2 times"),
    "knows no lease": (
        Scenario(at_once=3, faults_in_all=0, doors=("async", "duplicate"), ledger=KnowsNoLease),
        "paid 2 times",
    ),
    "retries time-outs": (Scenario(one_by_one=1, caller=RetriesTimeOuts), "paid 2 times"),
    "takes defects for unbilled": (
        Scenario(one_by_one=2, attempts=TakesDefectsForUnbilled),
        "something was paid",
    ),
    "never looks again": (
        Scenario(at_once=2, doors=("sync", "sweep"), attempts=NeverLooksAgain),
        "a paid image is stored",
    ),
    "gives units back unasked": (
        Scenario(one_by_one=1, attempts=GivesUnitsBackWithoutHavingEnded),
        "given back twice",
    ),
    "removes the image first": (
        Scenario(at_once=2, faults_in_all=1, doors=("sync", "delete"), history=RemovesTheImageFirst),
        "succeeded without an image",
    ),
    "gives units back for lost claims": (
        Scenario(one_by_one=1, submitter=GivesUnitsBackForLostClaims),
        "not counted against the quota",
    ),
    "never sends again": (Scenario(one_by_one=1, jobs=NeverSendsAgain), "never ended"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_same_harness_finds_what_is_wrong_with_a_naive_version(name: str) -> None:
    """Each mistake is found, and the schedule that shows it is named."""
    scenario, found = WRONG[name]
    with pytest.raises(Broken, match=found) as caught:
        Explorer(scenario).explore()
    assert "by this schedule:" in str(caught.value)


def test_a_schedule_is_never_explored_twice() -> None:
    """Two runs of one scenario count the same: nothing depends on order or chance."""
    runs: list[tuple[int, int]] = []
    for _ in range(2):
        explorer = Explorer(Scenario(one_by_one=2))
        explorer.explore()
        runs.append((explorer.schedules, explorer.states))
    assert runs[0] == runs[1]
