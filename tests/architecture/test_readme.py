"""The README's prices are those of the registry, and its arithmetic is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from imagegen.models.registry import MODELS, Model

PAGE: Final = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
AWS: Final = (Path(__file__).parents[2] / "docs" / "aws.md").read_text(encoding="utf-8")
PART: Final = PAGE.partition("## What it costs")[2].partition("\n## ")[0]
MEGABYTES: Final = 1.8
SECONDS: Final = 5
# AWS's list prices in dollars, us-east-1: API Gateway, Lambda on arm64, S3, DynamoDB on demand, and traffic.
AN_IMAGE: Final = {
    "two requests to a REST API": 2 * 3.50 / 1e6,
    "four invocations": 4 * 0.20 / 1e6,
    "the api function, 512 MB": (SECONDS + 0.2) * 0.5 * 0.0000133334,
    "the authorizer, 256 MB": 2 * 0.1 * 0.25 * 0.0000133334,
    "one PUT and one GET": (5 + 0.4) / 1e6,
    "30 days of storage": MEGABYTES / 1000 * 0.023,
    "a download": MEGABYTES / 1000 * 0.09,
    "twenty writes and ten reads of a table": 20 * 0.625 / 1e6 + 10 * 0.125 / 1e6,
    "5 KB of logs": 5 / 1e6 * 0.50,
}


def test_aws_own_part_of_an_image_is_below_a_tenth_of_a_cent() -> None:
    """With more calls than an image needs."""
    assert f"an image of {MEGABYTES} MB that takes {SECONDS} s" in PART
    assert sum(AN_IMAGE.values()) < 0.001
    assert "| less than $0.001 |" in PART


def test_an_idle_stage_costs_what_the_page_about_aws_computes() -> None:
    """Polling and secret, which are added there."""
    parts = re.findall(
        r"a stage that nobody uses, a month: .* \$([\d.]+), .* \$([\d.]+) \| \$([\d.]+) \|", PART
    )
    ((polling, secret, together),) = parts
    assert round(float(polling) + float(secret), 2) == float(together)
    assert f"${polling}" in AWS
    assert f"${secret}" in AWS


@pytest.mark.parametrize("model", [each for each in MODELS if not each.lifecycle.end_of_life_at])
def test_each_model_that_lives_has_its_price(model: Model) -> None:
    """Its name stands without its version."""
    name = re.sub(r" \d+\.\d+$", "", model.name)
    (price,) = re.findall(rf"\| (?:an image )?by {re.escape(name)}[^|]*\| \$([\d.]+) \|", PART)
    assert float(price) == model.price.per_image
