"""`docs/aws.md` has a remedy for every reason that the logs can name."""

from __future__ import annotations

import re

import pytest

from imagegen.adapters.bedrock.refusals import NAMES, REFUSALS
from tests.architecture.test_api_documented import DOCS

ROW = re.compile(
    r"^\| (?P<reasons>`[a-z_`, ]+`) \| (?P<gets>[^|]+) \| (?P<whose>[^|]+) \| (?P<remedy>[^|]{30,}) \|$",
    re.MULTILINE,
)
ROWS = {
    reason: row.groupdict()
    for row in ROW.finditer((DOCS / "aws.md").read_text(encoding="utf-8"))
    for reason in re.findall(r"`([a-z_]+)`", row["reasons"])
}


def test_every_reason_has_a_row_and_no_row_is_stale() -> None:
    """Whoever adds a cause adds its remedy."""
    assert set(ROWS) == {one.reason for one in REFUSALS} | set(NAMES) | {"unexplained"}


@pytest.mark.parametrize("reason", sorted({one.reason for one in REFUSALS}))
def test_a_row_says_which_error_the_caller_gets(reason: str) -> None:
    """The code is that of the error's class."""
    (cause,) = [one for one in REFUSALS if one.reason == reason]
    assert f"`{cause.error.kind.code}`" in ROWS[reason]["gets"]
