"""What can be asked: the fields of `POST /v1/text-to-image`, as docs/api.md describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

SUFFIXES: Final = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
"""The suffix of a file, by its media type."""

AVOIDED: Final = -1.0
"""The weight of a prompt that says what to avoid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One text of 0 to 2000 code points; `weight` says how much it counts, below 0 what to avoid."""

    text: str
    weight: float | None = None

    def body(self) -> dict[str, Any]:
        """Return the prompt as JSON members."""
        return {"text": self.text} if self.weight is None else {"text": self.text, "weight": self.weight}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """One image to be made. A field that is None is not sent, so the service's default holds.

    The service checks the values, and names each field that it refuses; nothing is checked here.

    Attributes:
        prompt: What to draw: a text, or several with weights.
        negative: Texts that say what to avoid; each becomes a prompt of weight -1.
        width: Pixels, with `height` one of the nine pairs of docs/api.md.
        height: Pixels, together with `width`.
        cfg_scale: How closely the image follows the prompt, 0 to 35.
        clip_guidance_preset: How CLIP guides the image, such as `FAST_BLUE`.
        sampler: The sampler of the diffusion, such as `K_EULER`.
        samples: How many images; the contract allows 1.
        seed: The start of the noise, 0 to 4294967295. With 0 the service chooses one.
        steps: How many steps the diffusion takes, 10 to 150.
        style_preset: The style that the image leans to, such as `photographic`.
        extras: An object that is passed on to the model untouched.
        output_format: The format of the file: `png`, `jpeg` or `webp`. Only a model that draws it serves the request.
        model: The only model that may serve the request.
        strict: Refuse the request if the model would ignore or approximate a field.
        webhook_url: Where to announce the end of an asynchronous generation.
    """

    prompt: str | Sequence[Prompt]
    negative: Sequence[str] = ()
    width: int | None = None
    height: int | None = None
    cfg_scale: float | None = None
    clip_guidance_preset: str | None = None
    sampler: str | None = None
    samples: int | None = None
    seed: int | None = None
    steps: int | None = None
    style_preset: str | None = None
    extras: Mapping[str, Any] | None = None
    output_format: str | None = None
    model: str | None = None
    strict: bool | None = None
    webhook_url: str | None = None

    def prompts(self) -> tuple[Prompt, ...]:
        """Return every prompt, with what to avoid at the end."""
        wanted = (Prompt(text=self.prompt),) if isinstance(self.prompt, str) else tuple(self.prompt)
        return (*wanted, *(Prompt(text=text, weight=AVOIDED) for text in self.negative))

    @property
    def suffix(self) -> str:
        """The suffix of the image's file."""
        return SUFFIXES.get(f"image/{self.output_format}", SUFFIXES["image/png"])

    def body(self) -> dict[str, Any]:
        """Return the request's JSON object."""
        others = {name: getattr(self, name) for name in FIELDS}
        return {
            "text_prompts": [prompt.body() for prompt in self.prompts()],
            **{name: value for name, value in others.items() if value is not None},
        }


FIELDS: Final = tuple(each.name for each in fields(ImageRequest) if each.name not in {"prompt", "negative"})
"""The fields that have the same name in the JSON object."""
