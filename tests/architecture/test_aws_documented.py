"""`docs/aws.md` has a remedy for every reason that the logs can name."""

from __future__ import annotations

import json
import re

import pytest

from imagegen.adapters.bedrock.refusals import NAMES, REFUSALS
from tests.architecture.test_api_documented import DOCS

ROW = re.compile(
    r"^\| (?P<reasons>`[a-z_`, ]+`) \| (?P<gets>[^|]+) \| (?P<whose>[^|]+) \| (?P<remedy>[^|]{30,}) \|$",
    re.MULTILINE,
)
PAGE = (DOCS / "aws.md").read_text(encoding="utf-8")
ROWS = {
    reason: row.groupdict()
    for row in ROW.finditer(PAGE)
    for reason in re.findall(r"`([a-z_]+)`", row["reasons"])
}


def test_every_reason_has_a_row_and_no_row_is_stale() -> None:
    """Whoever adds a cause adds its remedy."""
    assert set(ROWS) == {one.reason for one in REFUSALS} | set(NAMES) | {"unexplained"}


@pytest.mark.parametrize("reason", sorted({one.reason for one in REFUSALS}))
def test_a_row_says_which_error_the_caller_gets(reason: str) -> None:
    """The code is that of the error's class."""
    cause = next(one for one in REFUSALS if one.reason == reason)
    assert f"`{cause.error.kind.code}`" in ROWS[reason]["gets"]


def test_the_page_says_of_which_reasons_little_is_known() -> None:
    """Ten reports show how a text varies; of fewer the reader is told."""
    reported = json.loads((DOCS.parent / "tests/data/refusals.json").read_text(encoding="utf-8"))
    (sentence,) = re.findall(r"there are fewer than ten: (.+?)\. Whatever", PAGE.replace("\n", " "))
    told = {
        reason: int(count)
        for reasons, count in re.findall(r"([^()]+) \((\d+)\)", sentence)
        for reason in re.findall(r"`([a-z_]+)`", reasons)
    }
    assert told == {reason: len(texts) for reason, texts in reported.items() if len(texts) < 10}
