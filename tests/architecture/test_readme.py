"""The README's prices are those of the registry, and of the arithmetic of `make cost`."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from estimates import bill
from estimates.usage import IMAGE_BYTES, WRITES
from imagegen.models.registry import MODELS, Model
from stacks.model_access import SECONDS_AN_IMAGE_TAKES
from stacks.stage import StageConfig

PAGE: Final = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PART: Final = PAGE.partition("## What it costs")[2].partition("\n## ")[0]
TODAY: Final = date(2026, 11, 28)


def test_aws_own_part_of_an_image_is_below_a_tenth_of_a_cent() -> None:
    """However it is asked for."""
    assert f"an image of {IMAGE_BYTES / 1e6} MB that takes {SECONDS_AN_IMAGE_TAKES} s" in PART
    for way in WRITES:
        lines = bill.image(StageConfig(name="dev", image_retention_days=28), way, today=TODAY)
        assert 0 < bill.total(line for line in lines if line.service != "Bedrock") < 0.001
    assert "| less than $0.001 |" in PART


@pytest.mark.parametrize("model", [each for each in MODELS if not each.lifecycle.end_of_life_at])
def test_each_model_that_lives_has_its_price(model: Model) -> None:
    """Its name stands without its version."""
    name = re.sub(r" \d+\.\d+$", "", model.name)
    (price,) = re.findall(rf"\| (?:an image )?by {re.escape(name)}[^|]*\| \$([\d.]+) \|", PART)
    assert float(price) == model.price.per_image
