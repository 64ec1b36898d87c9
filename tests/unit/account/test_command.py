"""What the command refuses, says before it reads, and writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.account import command, lines
from benchmarks.account.command import Wish
from benchmarks.account.evidence import Evidence
from benchmarks.account.logs import Span
from benchmarks.account.places import Places
from tests.support.account_lines import report
from tests.support.synthesis import stage_config
from tools.failures import LocalError

SPAN = Span(begin=datetime(2026, 11, 28, 1, tzinfo=UTC), end=datetime(2026, 11, 29, 1, tzinfo=UTC))
PLACES = Places(functions={"api": "A", "worker": "W"}, gateway="G", table="T")


def test_without_variables_it_reads_a_day_of_dev_and_makes_nothing() -> None:
    """Nothing is paid unless it is asked for."""
    assert Wish.of({}) == Wish(stage="dev", hours=24, images=0, out=None)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HOURS", "0", "HOURS must be a whole number from 1 to 744, not '0'."),
        ("HOURS", "abc", "HOURS must be a whole number from 1 to 744, not 'abc'."),
        ("HOURS", "99999", "HOURS must be a whole number from 1 to 744, not '99999'."),
        ("HOURS", "1.5", "HOURS must be a whole number from 1 to 744, not '1.5'."),
        ("IMAGES", "-1", "IMAGES must be a whole number from 0 to 100, not '-1'."),
        ("IMAGES", "101", "IMAGES must be a whole number from 0 to 100, not '101'."),
        ("OUT", "/nowhere/x.json", "OUT must be a file in a folder that exists, not '/nowhere/x.json'."),
        ("OUT", "/", "OUT must be a file in a folder that exists, not '/'."),
    ],
)
def test_a_wrong_value_is_refused_by_name(variable: str, value: str, sentence: str) -> None:
    """Before anything is read or made."""
    with pytest.raises(LocalError) as caught:
        Wish.of({variable: value})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("stage", ["a b", "", "../x"])
def test_a_wrong_stage_is_one_sentence(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command refuses it in this way."""
    assert command.main({"STAGE": stage}) == 1
    assert capsys.readouterr().err.startswith(f"The stage name {stage!r} must be 1 to 20 lower-case letters")


def test_the_account_is_measured_only_if_it_is_named() -> None:
    """Any other value is refused."""
    assert (command.wished({}), command.wished({"ACCOUNT": ""}), command.wished({"ACCOUNT": "1"})) == (
        False,
        False,
        True,
    )
    with pytest.raises(LocalError, match=r"^ACCOUNT must be 1, .*, not 'yes'\.$"):
        command.wished({"ACCOUNT": "yes"})


def test_it_says_before_what_it_reads_and_makes() -> None:
    """The records cost half a read unit each."""
    wish = Wish.of({"HOURS": "1", "IMAGES": "3"})
    assert command.announcement(wish, PLACES) == [
        "Reads what imagegen-dev logged in the last 1 hour, and makes 3 images first:",
        "  the log group A",
        "  the log group W",
        "  the log group G",
        "  the table T: the sizes of at most 1,000 images",
        "AWS charges nothing for reading log events in this way, and at most $0.0001 for the records.",
    ]


def test_a_stage_that_has_logged_nothing_says_what_to_do() -> None:
    """A table of dashes would say less."""
    empty = Evidence(span=SPAN, invocations={"api": [], "worker": []})
    with pytest.raises(
        LocalError, match=r"^The functions of imagegen-dev have logged no invocation in the last 24"
    ):
        command.show(Wish.of({}), empty, config=stage_config("dev"), notes=[])


def test_a_stage_without_images_has_the_rest_of_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file has the same rows and notes as the terminal."""
    read = lines.invocation(report("1", more="Init Duration: 412.5 ms\t"))
    assert read is not None
    out = tmp_path / "figures.json"
    idle = Evidence(span=SPAN, invocations={"api": [read], "worker": []})
    command.show(Wish.of({"OUT": str(out)}), idle, config=stage_config("dev"), notes=["First."])
    written = json.loads(out.read_text(encoding="utf-8"))
    shown = capsys.readouterr().out
    assert written["figures"][0]["p50"] == 412.5
    assert all(each["name"] in shown for each in written["figures"])
    assert all(each in shown for each in written["notes"])
    assert written["notes"][1].startswith("No image was logged in the last 24 hours: set HOURS to more hours")
