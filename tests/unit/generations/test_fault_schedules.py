"""Under every schedule of faults, no call too many is paid, every generation ends, and no image is lost.

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
from imagegen.generations.generation import Bill, Generation, StoredImage
from imagegen.generations.history import History
from imagegen.generations.jobs import Jobs
from imagegen.generations.ledger import Ledger
from imagegen.generations.model_caller import ModelCaller, ModelImage
from imagegen.generations.ports import Deadline
from imagegen.generations.submit import Submitter
from tests.support.depth import at_depth
from tests.support.schedules import SCENARIOS, SHORTER_SCENARIOS, Explorer, Scenario
from tests.support.staged_ports import Broken

pytestmark = pytest.mark.slow

EXPLORED = at_depth(thorough=SCENARIOS, usual=SHORTER_SCENARIOS)


@pytest.mark.parametrize("name", EXPLORED)
def test_no_schedule_pays_too_often_or_loses_an_image(name: str) -> None:
    """Only allowed calls are paid, everything ends, and exactly the successful records have an image."""
    explorer = Explorer(EXPLORED[name])
    explorer.explore()
    assert explorer.schedules >= at_depth(thorough=1_000_000, usual=3_000)
    assert len(explorer.answers) >= 16


def test_no_schedule_pays_more_than_was_reserved_after_the_limit_was_raised() -> None:
    """The workers allow three paid calls; every job was submitted while one was allowed."""
    explorer = Explorer(Scenario(one_by_one=at_depth(thorough=3, usual=2), raised_to=3))
    explorer.explore()
    assert explorer.schedules >= at_depth(thorough=100_000, usual=2_000)


def test_no_schedule_loses_a_jpeg() -> None:
    """Only one of the two models draws it, and its object key is the same in every delivery."""
    explorer = Explorer(
        Scenario(one_by_one=at_depth(thorough=3, usual=2), max_paid_attempts=2, output_format="jpeg")
    )
    explorer.explore()
    assert explorer.schedules >= at_depth(thorough=20_000, usual=1_000)


# -- the same exploration of code that is wrong on purpose ------------------------------------------------------------


class FreesTheKeyOnAnyFailure(Attempts):
    """Frees the idempotency key after any failure, as many idempotency helpers do."""

    def end_failed(self, record: Generation, error: ImagegenError, deadline: Deadline | None = None) -> None:
        """End the record as if every failure were unbilled."""
        super().end_failed(record, errors.InternalError(error.detail), deadline)


class CallsAgainWhenTheLeaseIsOver(Ledger):
    """Calls again when a message comes back, as a queue consumer without a record of payments does."""

    def may_pay_again(self, record: Generation) -> bool:
        """Allow another paid call of every asynchronous generation."""
        return record.asynchronous

    def start(self, record: Generation) -> Generation:
        """Grant every call as if it were the first."""
        return super().start(replace(record, paid_attempts=0))


class GoesByTheLimitAlone(Ledger):
    """Pays as often as the limit of today allows, whatever the job has reserved."""

    def may_pay_again(self, record: Generation) -> bool:
        """Forget the bill."""
        return super().may_pay_again(replace(record, bill=Bill()))

    def start(self, record: Generation) -> Generation:
        """Forget the bill, and write it again."""
        return replace(super().start(replace(record, bill=Bill())), bill=record.bill)


class KnowsNoLease(CallsAgainWhenTheLeaseIsOver):
    """Calls again whenever a message comes back, even while an attempt is running."""

    def lease_is_live(self, record: Generation) -> bool:  # noqa: ARG002 - the ledger's shape
        """Return that no attempt is running."""
        return False


class RetriesTimeOuts(ModelCaller):
    """Calls again after a time-out, as the SDK does by default."""

    def call(
        self,
        request: GenerationRequest,
        deadline: Deadline,
        *,
        at_most: int | None = None,
        asks_all: bool = False,
    ) -> ModelImage:
        """Call, and call once more after a time-out."""
        try:
            return super().call(request, deadline, at_most=at_most, asks_all=asks_all)
        except errors.ModelTimeout:
            return super().call(request, deadline, at_most=at_most, asks_all=asks_all)


class TakesDefectsForUnbilled(Attempts):
    """Takes defects for unbilled, as code does that replies 500 to every exception."""

    def _call(self, record: Generation, deadline: Deadline) -> tuple[ModelImage, StoredImage]:
        try:
            return super()._call(record, deadline)
        except errors.OutcomeUnknown as exc:
            raise errors.InternalError("Something went wrong.") from exc


class NeverLooksAgain(Attempts):
    """Ends an attempt that was cut off, and never looks for its late image."""

    def heal(self, record: Generation) -> Generation:
        """Return the record unchanged."""
        return record


class GivesUnitsBackWithoutHavingEnded(Attempts):
    """Gives the quota unit back even if another process has ended the record."""

    def end_failed(self, record: Generation, error: ImagegenError, deadline: Deadline | None = None) -> None:
        """End the record, and give the quota unit back whichever end was written."""
        super().end_failed(record, error, deadline)
        if error.kind.paid == "no" and not record.asynchronous:
            self.ledger.give_back(record)


class LooksForEveryImageAsAPng(Attempts):
    """Looks for an image by the format that all images had once."""

    def settle(self, record: Generation) -> Generation:
        """Look for a PNG, whatever was asked for."""
        return super().settle(replace(record, content_type="image/png"))


class RemovesTheImageFirst(History):
    """Deletes in the order that seems natural: first the image, then the record."""

    def delete(self, id_: str, *, owner: str) -> None:
        """Remove the image, then write the tombstone."""
        record = self.look_up(id_, owner=owner)
        if not record.terminal:
            raise errors.in_progress(id_, retry_after=1)
        self.images.delete(record.image_name)
        self.ledger.write(record.delete(self.ledger.moment()), replacing=record)


class GivesUnitsBackForLostClaims(Submitter):
    """Takes a write whose response was lost for a write that was refused."""

    def _write_claim(self, draft: Generation, *, replacing: Generation | None) -> Generation:
        try:
            return self.ledger.claim(draft, replacing=replacing)
        except ImagegenError:
            self.ledger.give_back(draft)
            raise


class ReservesTheCheapest(ModelCaller):
    """Reserves the price of the cheapest model, and calls the dear one all the same."""

    def price(self, request: GenerationRequest) -> int:
        """Return the lowest price."""
        super().price(request)
        return min(self.price_of(ref.id, request) or 0 for ref in self.refs)

    def call(
        self,
        request: GenerationRequest,
        deadline: Deadline,
        *,
        at_most: int | None = None,  # noqa: ARG002 - the method's shape
        asks_all: bool = False,
    ) -> ModelImage:
        """Call whichever model is available."""
        return super().call(request, deadline, asks_all=asks_all)


class NeverGivesBack(Ledger):
    """Counts the dearest model for ever, and what was unbilled as well."""

    def _correct(self, old: Generation, new: Generation) -> None:
        """Correct nothing."""


class CorrectsBeforeTheEndIsWritten(Ledger):
    """Corrects the counters first, and writes the version that does so afterwards."""

    def write(self, new: Generation, *, replacing: Generation) -> Generation:
        """Correct, then write."""
        self._correct(replacing, new)
        return self.store.write(new, replacing=replacing)


class BuriesByTheIdAlone(Jobs):
    """Ends whatever job a dead letter names, although the key may have been claimed again since."""

    def bury(self, id_: str, *, claim: str = "") -> None:  # noqa: ARG002 - the method's shape
        """End the job, whichever claim the dead letter is of."""
        super().bury(id_)


class ForgetsToAnnounce(Jobs):
    """Takes the call-back for sent when the job has ended."""

    def call_back(self, id_: str) -> None:
        """Acknowledge the message, and call nobody."""


class NeverSendsAgain(Jobs):
    """Never sends a second message for a job, because it trusts the queue with the first."""

    def _postponed(self, record: Generation) -> bool:  # noqa: ARG002 - the method's shape
        return False


WRONG: Mapping[str, tuple[Scenario, str]] = {
    "frees the key": (
        Scenario(one_by_one=3, attempts=FreesTheKeyOnAnyFailure),
        "were paid, and 0 are counted",
    ),
    "calls again": (Scenario(one_by_one=3, ledger=CallsAgainWhenTheLeaseIsOver), "paid 2 times"),
    "goes by a limit that was raised": (
        Scenario(one_by_one=3, raised_to=2, ledger=GoesByTheLimitAlone),
        "paid 2 times",
    ),
    "knows no lease": (
        Scenario(at_once=3, faults_in_all=0, doors=("async", "duplicate"), ledger=KnowsNoLease),
        "paid 2 times|not counted",
    ),
    "retries time-outs": (Scenario(one_by_one=1, caller=RetriesTimeOuts), "paid 2 times"),
    "takes defects for unbilled": (
        Scenario(one_by_one=2, attempts=TakesDefectsForUnbilled),
        "were paid, and 0 are counted",
    ),
    "never looks again": (
        Scenario(at_once=2, doors=("sync", "sweep"), attempts=NeverLooksAgain),
        "a paid image is stored",
    ),
    "gives units back unasked": (
        Scenario(one_by_one=1, attempts=GivesUnitsBackWithoutHavingEnded),
        "given back twice",
    ),
    "looks for every image as a PNG": (
        Scenario(one_by_one=2, output_format="jpeg", attempts=LooksForEveryImageAsAPng),
        "under another key",
    ),
    "removes the image first": (
        Scenario(at_once=2, faults_in_all=0, doors=("sync", "delete"), history=RemovesTheImageFirst),
        "succeeded without an image",
    ),
    "gives units back for lost claims": (
        Scenario(one_by_one=1, submitter=GivesUnitsBackForLostClaims),
        "not counted against the quota",
    ),
    "reserves the cheapest": (Scenario(one_by_one=1, caller=ReservesTheCheapest), "are counted"),
    "never gives back": (
        Scenario(one_by_one=1, faults_in_each=0, bounds_losses=True, ledger=NeverGivesBack),
        "0 faults lost",
    ),
    "corrects too early": (
        Scenario(
            at_once=2, faults_in_all=1, doors=("sync", "async", "work"), ledger=CorrectsBeforeTheEndIsWritten
        ),
        "counted|given back twice",
    ),
    "buries by the id alone": (
        Scenario(one_by_one=4, doors=("async", "work", "bury"), jobs=BuriesByTheIdAlone),
        "an older claim ended a newer",
    ),
    "never calls back": (
        Scenario(one_by_one=1, faults_in_each=0, webhook=True, jobs=ForgetsToAnnounce),
        "a webhook was never called",
    ),
    "never sends again": (Scenario(one_by_one=1, jobs=NeverSendsAgain), "never ended"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_same_harness_finds_what_is_wrong_with_a_naive_version(name: str) -> None:
    """The exploration finds each mistake, and names a schedule that shows it."""
    scenario, found = WRONG[name]
    with pytest.raises(Broken, match=found) as caught:
        Explorer(scenario).explore()
    assert "by this schedule:" in str(caught.value)


def test_a_schedule_is_never_explored_twice() -> None:
    """Two explorations of one scenario give the same counts, so nothing depends on order or chance."""
    runs: list[tuple[int, int]] = []
    for _ in range(2):
        explorer = Explorer(Scenario(one_by_one=2))
        explorer.explore()
        runs.append((explorer.schedules, explorer.states))
    assert runs[0] == runs[1]
