"""`docs/configuration.md` has every setting, variable and output, with the ranges and values of the code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from stacks.stage import SETTINGS, allowed
from tests.support.synthesis import ROOT, stage_config

if TYPE_CHECKING:
    from tests.support.synthesis import Synthesized

DOCUMENT = (ROOT / "docs" / "configuration.md").read_text()
ROWS = {
    cells[0].strip("`"): cells
    for cells in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.splitlines()
        if line.startswith("| `")
    )
}


def shown(value: object) -> str:
    """Return a value as the page's tables write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "see below" if len(value) > 1 else " ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("key", SETTINGS)
def test_every_key_is_documented_with_its_range_and_its_value_in_each_stage(key: str) -> None:
    """A row has the setting, what is allowed, its value in dev, prod and local, and what it does."""
    values = [shown(getattr(stage_config(stage), key)) for stage in ("dev", "prod", "local")]
    assert ROWS[key][:5] == [f"`{key}`", allowed(key), *values]
    assert len(ROWS[key][5]) > 20


def test_every_variable_of_the_functions_is_documented(local: Synthesized) -> None:
    """The test reads the stage `local`, which sets every variable."""
    function = local.one("AWS::Lambda::Function", named="ApiFunction")
    for variable in function["Environment"]["Variables"]:
        assert len(ROWS[variable][1]) > 20


def test_nothing_is_documented_that_does_not_exist(local: Synthesized) -> None:
    """A setting, variable or output that was removed must be removed from the page as well."""
    variables = local.one("AWS::Lambda::Function", named="ApiFunction")["Environment"]["Variables"]
    outputs = local.outputs
    assert set(ROWS) == {*SETTINGS, *variables, *outputs}


def test_every_output_is_documented(local: Synthesized) -> None:
    """Operators read the outputs by name."""
    for output in local.outputs:
        assert len(ROWS[output][1]) > 10


def test_every_metric_is_documented() -> None:
    """An alarm names a metric and all of its dimensions."""
    source = (ROOT / "lambda" / "imagegen" / "adapters" / "telemetry.py").read_text()
    metrics = set(re.findall(r'name="(\w+)", unit|self\._one\("(\w+)"', source))
    names = {name for pair in metrics for name in pair if name}
    section = DOCUMENT.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    assert {"ImagesGenerated", "Spend", "ModelRefusals"} <= names
    assert names | {"service", "stage", "model", "key"} <= set(re.findall(r"`(\w+)`", section))
