"""The figures of `make bench`: their spread, their bounds, and what counts as worse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.results import Figure, committed, ratio, single, spread, table, to_json, worse
from tools.failures import LocalError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_ratio_is_the_median_of_each_rounds_own() -> None:
    """A slow round slows the floor as well, so the ratios of the rounds are what can be compared."""
    figure = ratio("start", [2.0, 30.0, 4.0], [1.0, 10.0, 2.0])
    assert (figure.value, figure.low, figure.high) == (2.0, 2.0, 2.5)


def test_rounds_of_different_numbers_are_refused() -> None:
    """A round that one contender missed would pair the wrong values."""
    with pytest.raises(ValueError, match="longer"):
        ratio("start", [1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("value", "better", "verdict"),
    [
        (0.9, "lower", "aim reached"),
        (1.0, "lower", "aim reached"),
        (1.1, "lower", "held"),
        (1.2, "lower", "held"),
        (1.21, "lower", "MISSED"),
    ],
)
def test_a_bound_is_kept_up_to_its_value(value: float, better: str, verdict: str) -> None:
    """The bound itself is still kept, and so is the aim."""
    assert single("a", value, must=1.2, aim=1.0, better=better).verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.99, "aim reached"), (0.97, "held"), (0.96, "MISSED")])
def test_some_figures_should_be_high(value: float, verdict: str) -> None:
    """For a rate, the bound is the least allowed value."""
    assert single("drain", value, must=0.97, aim=0.99, better="higher").verdict == verdict


def test_a_figure_without_a_bound_has_no_verdict() -> None:
    """The figure is shown without a judgement."""
    assert single("a", 3.0).verdict == ""


def test_the_table_names_value_spread_and_bounds() -> None:
    """Each in a column of its own."""
    rows = table([spread("start", [1.0, 2.0, 3.0], must=1.5, aim=1.0), single("bytes", 12_345.0, unit="")])
    assert [row.split() for row in rows.splitlines()] == [
        ["value", "quartiles", "must", "aim"],
        ["start", "2", "×", "1.5–2.5", "≤", "1.5", "≤", "1", "MISSED"],
        ["bytes", "12,345"],
    ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """The file keeps the values by their names."""
    file = tmp_path / "figures.json"
    file.write_text(
        to_json({"warm": [single("a", 1.25), single("b", 3.0)]}, about={"python": "3.13"}), encoding="utf-8"
    )
    assert committed(file) == {"a": 1.25, "b": 3.0}
    assert json.loads(file.read_text(encoding="utf-8"))["about"] == {"python": "3.13"}


def test_without_a_file_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """The first run writes it."""
    assert committed(tmp_path / "figures.json") == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"figures": {"a": 1}}', '{"figures": {"a": {"value": null}}}']
)
def test_another_file_is_refused_with_a_sentence(text: str, tmp_path: Path) -> None:
    """A damaged file does not end in a traceback."""
    file = tmp_path / "figures.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LocalError, match=r"^figures\.json is not a file of figures; `make bench SAVE=1`"):
        committed(file)


@pytest.mark.parametrize(
    ("figure", "before", "named"),
    [
        (single("a", 1.15), 1.0, ""),
        (single("a", 1.16), 1.0, "a"),
        (single("a", 0.5), 1.0, ""),
        (single("a", 0.86, better="higher"), 1.0, "a"),
        (single("a", 0.88, better="higher"), 1.0, ""),
        (single("a", 9.0, better="higher"), 1.0, ""),
        (single("a", 9.0, compared=False), 1.0, ""),
        (single("b", 9.0), 1.0, ""),
        (single("a", 1.0), 0.0, "a"),
        (single("a", 0.0), 0.0, ""),
    ],
)
def test_only_what_became_worse_by_more_than_15_percent_is_reported(
    figure: Figure, before: float, named: str
) -> None:
    """Times differ between machines, and a new figure has nothing to be compared with."""
    assert worse([figure], {"a": before}).partition("\n")[2][:1] == named
