"""`docs/configuration.md` has every setting, variable and output, with the ranges and values of the code."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import pytest

from stacks.http_api import DOCUMENTS_SHARE, METHODS, OPEN_METHODS
from stacks.stage import SETTINGS, StageConfig, allowed
from tests.support.hardened import HARDENED, NAMED
from tests.support.synthesis import ROOT, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.mark.parametrize("key", SETTINGS)
def test_a_stage_that_leaves_a_setting_out_has_the_value_of_dev(key: str) -> None:
    """The page says so, and a stage of an operator's own relies on it."""
    assert getattr(StageConfig(name="another"), key) == getattr(stage_config("dev"), key)


def test_every_variable_of_the_functions_is_documented(local: Synthesized) -> None:
    """The test reads the stage `local`, which sets every variable."""
    function = local.one("AWS::Lambda::Function", named="ApiFunction")
    for variable in function["Environment"]["Variables"]:
        assert len(ROWS[variable][1]) > 20


def test_nothing_is_documented_that_does_not_exist(
    local: Synthesized,
    playground_template: dict[str, Any],
    monitoring: Synthesized,
    synthesized: Callable[..., Synthesized],
) -> None:
    """A setting, variable or output that was removed must be removed from the page as well."""
    variables = local.one("AWS::Lambda::Function", named="ApiFunction")["Environment"]["Variables"]
    outputs = {
        **local.outputs,
        **monitoring.outputs,
        **synthesized("dev", HARDENED).outputs,
        **synthesized("dev", NAMED).outputs,
        **playground_template["Outputs"],
    }
    assert set(ROWS) == {*SETTINGS, *variables, *outputs}


def test_every_output_is_documented(
    local: Synthesized, monitoring: Synthesized, synthesized: Callable[..., Synthesized]
) -> None:
    """Operators read the outputs by name."""
    optional = [synthesized("dev", overrides).outputs for overrides in (HARDENED, NAMED)]
    for output in {name for outputs in (local.outputs, monitoring.outputs, *optional) for name in outputs}:
        assert len(ROWS[output][1]) > 10


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_highest_cost_of_requests_follows_from_the_throttle(name: str) -> None:
    """Whoever raises the throttle or adds a method sees what it may cost."""
    section = DOCUMENT.partition("### What requests cost at most")[2].partition("\n## ")[0]
    parts = [float(part) for part in re.findall(r"\| \$([0-9.]+) \|$", section, re.MULTILINE)]
    *single, together = parts[:6]
    assert sum(single) == pytest.approx(together)
    # One method of the document has only its share.
    methods = len(METHODS) + sum(map(len, OPEN_METHODS.values())) - 1
    rate = float(stage_config(name).throttle_rate or 0)
    document = rate / DOCUMENTS_SHARE
    a_day = (methods * rate + document) * 86_400 / 1e6
    size = (ROOT / "lambda" / "imagegen" / "http" / "openapi.json").stat().st_size
    traffic = document * 86_400 * size / 1e9 * 0.09
    row = f"| {name} | {methods * rate + document:,.0f} | {a_day:.1f} | ${a_day * together:.0f} | ${traffic:.0f} |"
    assert row in section


def test_every_metric_is_documented() -> None:
    """An alarm names a metric and all of its dimensions."""
    source = (ROOT / "lambda" / "imagegen" / "adapters" / "telemetry.py").read_text()
    metrics = set(re.findall(r'name="(\w+)", unit|self\._one\("(\w+)"', source))
    names = {name for pair in metrics for name in pair if name}
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    said = {
        constant.value
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"add_metric", "_one"}
        for constant in (*call.args[:1], *(word.value for word in call.keywords if word.arg == "name"))
        if isinstance(constant, ast.Constant)
    }
    assert said == names
    section = DOCUMENT.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    assert {"ImagesGenerated", "Spend", "ModelRefusals"} <= names
    assert names | {"service", "stage", "model", "key"} <= set(re.findall(r"`(\w+)`", section))
    # The page counts what is paid for: these two also have a series for each value of a third dimension.
    numerals = {8: "eight", 9: "nine", 10: "ten", 11: "eleven"}
    assert (
        f"at most {numerals[len(names - {'Spend', 'ModelRefusals'})]} metrics without a third dimension"
        in section
    )
