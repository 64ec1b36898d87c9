"""How `make doctor` shows what it has found: as lines, and as one JSON object."""

from __future__ import annotations

import json

import pytest

from operating.doctor.report import AsJson, AsText
from tests.support.doctor import REGION, Far


def test_the_text_is_aligned_and_shows_each_remedy_below_its_finding() -> None:
    """A remedy stands on a line of its own, after a `$`."""
    said: list[str] = []
    far = Far(aws={"ssm.get_parameter": ("ParameterNotFound", "")})
    assert far.examine(report=AsText(said.append)) == 1
    assert said[0] == f"The stage dev in the account 111122223333, {REGION}:"
    sentence = f"The CDK is not bootstrapped in 111122223333, {REGION}, so nothing can be deployed there."
    remedy = f".venv/bin/python -m tools.cdk bootstrap aws://111122223333/{REGION}"
    assert said[3:5] == [f"problem  bootstrap          {sentence}", f"{' ' * 28}$ {remedy}"]
    assert {line.index("  ") for line in said if line.startswith("problem")} == {7}
    assert said[-1] == "Found 1 problem."


@pytest.mark.parametrize(
    ("far", "sentence"),
    [
        (Far(), "Found no problem."),
        (Far(caller=None), "Found 1 warning."),
        (
            Far(
                aws={"ssm.get_parameter": ("ParameterNotFound", ""), "apigateway.get_account": ("X", "y")},
                caller=None,
            ),
            "Found 1 problem and 2 warnings.",
        ),
    ],
)
def test_the_last_line_counts(far: Far, sentence: str) -> None:
    """Problems first."""
    said: list[str] = []
    far.examine(report=AsText(said.append))
    assert said[-1] == sentence


def test_json_is_one_object_with_every_finding() -> None:
    """A finding without a remedy has null."""
    said: list[str] = []
    far = Far(aws={"ssm.get_parameter": ("ParameterNotFound", "")})
    assert far.examine(report=AsJson(said.append)) == 1
    (text,) = said
    report = json.loads(text)
    assert {name: report[name] for name in ("stage", "account", "region", "deployed", "ok")} == {
        "stage": "dev",
        "account": "111122223333",
        "region": REGION,
        "deployed": True,
        "ok": False,
    }
    assert report["findings"][1] == {
        "check": "clock",
        "severity": "ok",
        "sentence": "This machine's clock agrees with AWS's.",
        "remedy": None,
    }
    assert {finding["severity"] for finding in report["findings"]} == {"ok", "problem"}


def test_no_secret_is_in_any_report() -> None:
    """Neither the caller's key nor that of the call-backs."""
    said: list[str] = []
    far = Far(aws={"secretsmanager.get_secret_value": {"SecretString": "not base64, but secret"}})
    far.examine(report=AsJson(said.append))
    far.examine(report=AsText(said.append))
    assert far.caller is not None
    assert far.caller.secret not in "".join([*said, repr(far.caller)])
    assert "not base64, but secret" not in "".join(said)
