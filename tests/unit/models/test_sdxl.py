"""The SDXL dialect, beyond the table of `test_dialect.py`."""

from __future__ import annotations

import pytest

from imagegen.errors import UnsupportedParameter
from tests.support.translations import SDXL, prompts, translated


def test_an_integral_float_stays_a_number_of_the_contract() -> None:
    """Integers stay integers, because SDXL refuses 30.0 steps."""
    body = translated(SDXL[0], cfg_scale=10.0).body
    assert {name: type(body[name]) for name in ("height", "width", "samples", "seed", "steps")} == {
        "height": int,
        "width": int,
        "samples": int,
        "seed": int,
        "steps": int,
    }


@pytest.mark.parametrize("model_id", SDXL)
def test_sdxl_takes_ten_prompts_of_full_length(model_id: str) -> None:
    """SDXL documents no limit for all prompts together."""
    texts = prompts(*(("a" * 2000, 1.0),) * 10)
    assert len(translated(model_id, **texts).body["text_prompts"]) == 10


@pytest.mark.parametrize("model_id", SDXL)
def test_sdxl_refuses_a_prompt_longer_than_the_contracts(model_id: str) -> None:
    """Other shapes let longer prompts through, for models that take them; the error names the prompt at fault."""
    with pytest.raises(UnsupportedParameter) as caught:
        translated(model_id, **prompts(("a" * 2000, 1.0), ("b" * 2001, -1.0)))
    assert [found.field for found in caught.value.errors] == ["text_prompts[1].text"]
    assert "at most 2000 characters" in caught.value.errors[0].message
