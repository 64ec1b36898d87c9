"""Translates a plain request, with a few fields changed, for a registered model."""

from __future__ import annotations

from typing import Any, Final

from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.models.dialect import Translation
from imagegen.models.registry import REGISTRY

SDXL: Final = ("stability.stable-diffusion-xl-v1", "stability.stable-diffusion-xl-v1:0")
CORE: Final = ("stability.stable-image-core-v1:1", "stability.stable-image-core-v1:0")
ULTRA: Final = ("stability.stable-image-ultra-v1:1", "stability.stable-image-ultra-v1:0")
SD3: Final = ("stability.sd3-5-large-v1:0", "stability.sd3-large-v1:0")


def prompts(*texts: tuple[str, float]) -> dict[str, Any]:
    """Return texts and weights as the field `text_prompts` of a request."""
    return {"text_prompts": tuple(Prompt(text=text, weight=weight) for text, weight in texts)}


DEFAULTS: Final[dict[str, Any]] = {**prompts(("A tea plantation", 1.0)), "seed": 3407}


def translated(model_id: str, **given: Any) -> Translation:
    """Return the plain request, with these fields replaced, translated for a model."""
    request = TextToImage(**{**DEFAULTS, **given})
    return REGISTRY[model_id].dialect.translators[TextToImage.kind].translate(request)
