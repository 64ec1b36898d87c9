"""`docs/models.md` agrees with the registry and the dialects about every registered model."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagegen.contracts.text_to_image.parameters import PARAMETERS, TextToImage
from imagegen.models.registry import GEOGRAPHIES, MODELS, Model
from imagegen.models.stable_image import ASPECT_RATIOS, MAX_TEXT_LENGTH

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ")
]
SENTENCES = " ".join(PAGE.split())


def _state(model: Model) -> str:
    ended = model.lifecycle.end_of_life_at
    return "active" if ended is None else f"ended {ended}, successor `{model.lifecycle.successor}`"


def _price(model: Model) -> str:
    above = model.price.above_50_steps
    return f"{model.price.per_image:.2f}" + ("" if above is None else f", above 50 steps {above:.2f}")


def _marks(dialect: str) -> dict[str, str]:
    header = next(row for row in ROWS if row[0] == "parameter")
    column = header.index(f"`{dialect}`")
    return {row[0].strip("`"): row[column][0] for row in ROWS if row[0].strip("`") in PARAMETERS}


@pytest.mark.parametrize("model", [pytest.param(model, id=model.id) for model in MODELS])
def test_every_model_has_its_row(model: Model) -> None:
    """Id, name, dialect, state, regions, price and quota are those of the registry."""
    by_arn_only = "" if model.on_demand else " (by ARN only)"
    assert [
        f"`{model.id}`{by_arn_only}",
        model.name,
        f"`{model.dialect.name}`",
        _state(model),
        ", ".join(model.regions),
        _price(model),
        str(model.requests_per_minute or "–"),
    ] in ROWS


@pytest.mark.parametrize("model", [pytest.param(model, id=model.id) for model in MODELS])
def test_every_parameter_is_marked_as_the_models_dialect_treats_it(model: Model) -> None:
    """The marks are ✔ for honoured, ≈ for approximated and – for ignored."""
    dialect = model.dialect
    assert _marks(dialect.name) == {
        name: "≈"
        if name in dialect.translators[TextToImage.kind].approximates
        else "✔"
        if name in dialect.translators[TextToImage.kind].honours
        else "–"
        for name in PARAMETERS
    }


def test_no_model_is_documented_that_is_not_registered() -> None:
    """Whoever removes a model also removes its row."""
    documented = {row[0].removesuffix(" (by ARN only)").strip("`") for row in ROWS if "stability." in row[0]}
    assert documented == {model.id for model in MODELS}


def test_ratios_limits_and_regions_are_the_codes_own() -> None:
    """The page repeats these values of the code correctly."""
    assert all(f"{width}x{height} → {ratio}" in SENTENCES for (width, height), ratio in ASPECT_RATIOS.items())
    assert f"{MAX_TEXT_LENGTH:,} characters" in SENTENCES
    *regions, last = GEOGRAPHIES["us"]
    assert f"{', '.join(regions)} and {last}" in SENTENCES
