"""`make cost` and `make scale`: what they print of a stage, and the sentence for what they cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from estimates import __main__ as program
from estimates.costs_page import usd

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = {"Type": "AWS::Lambda::EventSourceMapping"}
DASHBOARD = {"Type": "AWS::CloudWatch::Dashboard"}


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the program looks for templates."""
    monkeypatch.setattr(program, "OUTPUT", tmp_path)
    monkeypatch.setattr(program, "ENVIRON", {"STAGE": "dev"})
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the program with these words."""
    monkeypatch.setattr("sys.argv", ["estimates", *words])
    return program.main()


def write(folder: Path, name: str, **resources: object) -> None:
    """Write a template."""
    (folder / f"{name}.template.json").write_text(json.dumps({"Resources": resources}), encoding="utf-8")


def test_every_template_of_the_stage_is_priced(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those of stacks beside the service's own, and none of another stage."""
    write(output, "imagegen-dev", Source=QUEUE)
    write(output, "imagegen-dev-another", Board=DASHBOARD)
    write(output, "imagegen-prod", Source=QUEUE)
    assert run(monkeypatch, "cost") == 0
    said = capsys.readouterr().out
    assert "Stable Image Core" in said
    assert "| polling of a queue | SQS | $0.263 |" in said
    assert "| a dashboard | CloudWatch | $3.00 |" in said
    assert "| **together** |  | **$3.26** |" in said


def test_settings_are_read_as_make_gives_them(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dearer model is in the price of the images."""
    words = "models=stability.stable-image-ultra-v1:1 openai_model_aliases="
    monkeypatch.setattr(program, "ENVIRON", {"STAGE": "dev", "CONFIG": words})
    write(output, "imagegen-dev", Source=QUEUE)
    assert run(monkeypatch, "cost") == 0
    assert "| the model | Bedrock | $140.00 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environ", "words", "sentence"),
    [
        (
            {"STAGE": "dev"},
            ["cost"],
            "There is no template of imagegen-dev in cdk.out: `make synth` writes it.",
        ),
        (
            {"STAGE": "nowhere"},
            ["scale"],
            "stage is 'nowhere', but cdk.json has only dev, local, prod, staging.",
        ),
        (
            {"CONFIG": "memory_mb=1"},
            ["scale"],
            "memory_mb is 1 (int); it must be a whole number from 256 to 3008.",
        ),
        ({}, ["guess"], "usage: python -m estimates cost|scale|pages"),
        ({}, [], "usage: python -m estimates cost|scale|pages"),
    ],
    ids=["no template", "no such stage", "no such value", "no such command", "no command"],
)
@pytest.mark.usefixtures("output")
def test_a_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environ: dict[str, str],
    words: list[str],
    sentence: str,
) -> None:
    """On the standard error, and the status is not 0."""
    monkeypatch.setattr(program, "ENVIRON", environ)
    assert run(monkeypatch, *words) > 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{sentence}\n")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "–"),
        (1e-9, "–"),
        (0.0000035, "$0.0000035"),
        (0.00026, "$0.00026"),
        (0.0054, "$0.0054"),
        (0.04, "$0.040"),
        (1.258, "$1.26"),
        (40262.66, "$40,262.66"),
        (-0.6628, "-$0.663"),
    ],
)
def test_an_amount_has_as_many_decimals_as_it_needs(amount: float, shown: str) -> None:
    """Less than a tenth of a millionth of a dollar is nothing."""
    assert usd(amount) == shown
