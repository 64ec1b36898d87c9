"""What the daily check tells an operator of the listed models, by the registry's dates and Bedrock's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pytest

from imagegen import errors
from imagegen.errors import ImagegenError
from imagegen.models.lifecycle_check import ENDS_SOON, Reported, asked_in, check
from imagegen.models.registry import resolve
from tests.support.fakes import CORE, SDXL

TODAY = date(2026, 11, 25)
ACTIVE = Reported(status="active")
GONE = Reported(status="end_of_life")
ACCOUNT = "arn:aws:bedrock:us-west-2:111122223333"


@dataclass
class FakeCatalogue:
    """Says what a test prepared of each model, and keeps what was asked."""

    says: Mapping[str, Reported | ImagegenError]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def lifecycle(self, model: str, *, region: str) -> Reported:
        """Return what was prepared."""
        self.asked.append((model, region))
        said = self.says[model]
        if isinstance(said, ImagegenError):
            raise said
        return said


def found(
    says: Mapping[str, Reported | ImagegenError],
    entries: Sequence[str] = (SDXL, CORE),
    *,
    today: date = TODAY,
) -> list[tuple[str, str]]:
    """Return the models and reasons of the findings."""
    refs = [resolve(entry, region="us-east-1") for entry in entries]
    return [
        (finding.model, finding.reason) for finding in check(refs, catalogue=FakeCatalogue(says), today=today)
    ]


def test_nothing_is_found_while_bedrock_and_the_registry_agree() -> None:
    """SDXL has ended by both, and Stable Image Core lives by both."""
    assert found({SDXL: GONE, CORE: ACTIVE}) == []


@pytest.mark.parametrize(
    "reported",
    [
        Reported(status="legacy"),
        Reported(status="active", end_of_life_at=date(2027, 6, 1)),
        Reported(status="legacy", end_of_life_at=date(2027, 6, 1)),
        GONE,
    ],
    ids=["legacy", "an end is announced", "legacy with an end", "gone"],
)
def test_a_living_model_whose_end_comes_nearer_is_found(reported: Reported) -> None:
    """The registry says nothing of it yet."""
    assert found({SDXL: GONE, CORE: reported}) == [(CORE, "changed")]


def test_a_model_that_is_back_is_found() -> None:
    """The registry says that it has ended, so `cdk synth` warns of it without need."""
    assert found({SDXL: ACTIVE, CORE: ACTIVE}) == [(SDXL, "changed")]


@pytest.mark.parametrize(
    ("days", "expected"),
    [(ENDS_SOON.days + 1, []), (ENDS_SOON.days, [(SDXL, "ends_soon")]), (1, [(SDXL, "ends_soon")])],
)
def test_an_end_that_the_registry_knows_is_told_again_shortly_before(
    days: int, expected: list[tuple[str, str]]
) -> None:
    """Then nobody may still be planning on it."""
    end = date(2025, 5, 20)
    reported = Reported(status="legacy", end_of_life_at=end)
    today = date.fromordinal(end.toordinal() - days)
    assert found({SDXL: reported}, [SDXL], today=today) == expected


def test_a_model_that_cannot_be_asked_about_is_a_finding_and_hides_no_other() -> None:
    """A check that sees nothing must not look like one that found nothing."""
    says: dict[str, Reported | ImagegenError] = {
        SDXL: errors.Misconfigured("No."),
        CORE: Reported(status="legacy"),
    }
    assert found(says) == [(SDXL, "unreadable"), (CORE, "changed")]


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        (CORE, [(CORE, "us-west-2")]),
        (SDXL, [(SDXL, "us-east-1")]),
        (f"us.{CORE}", [(CORE, "us-west-2")]),
        (f"{CORE}@{ACCOUNT}:provisioned-model/mine", [(CORE, "us-west-2")]),
        (f"{CORE}@{ACCOUNT}:imported-model/mine", []),
        (f"{SDXL}@arn:aws:sagemaker:us-west-2:111122223333:endpoint/mine", []),
    ],
)
def test_a_model_is_asked_about_where_bedrock_offers_it(entry: str, asked: list[tuple[str, str]]) -> None:
    """A profile may be called in another region. What the operator hosts ends when the operator says so."""
    refs = [resolve(entry, region="us-east-1")]
    catalogue = FakeCatalogue({CORE: ACTIVE, SDXL: GONE})
    assert list(check(refs, catalogue=catalogue, today=TODAY)) == []
    assert catalogue.asked == asked == [(ref.model.id, region) for ref, region in asked_in(refs)]
