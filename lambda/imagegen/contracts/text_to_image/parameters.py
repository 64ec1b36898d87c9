"""The Diffusion 1.0 text-to-image contract as plain data: its limits, and the task.

The limits follow the Amazon Bedrock user guide, "Diffusion 1.0 text to image". Where the
guide names no bound, three are our own: at most 10 prompts, finite weights, and `extras` of at most 1,024 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, Self

MIN_PROMPTS: Final = 1
MAX_PROMPTS: Final = 10
MAX_PROMPT_LENGTH: Final = 2000
"""The most code points in one prompt's text."""

# See docs/decisions/0058-limits-that-can-be-used-together.md.
MAX_EXTRAS_LENGTH: Final = 1024
"""The most bytes of `extras`, as JSON in UTF-8 without spaces."""

MAX_MODEL_LENGTH: Final = 256
"""The most characters of `model`, a field of our own."""

MIN_CFG_SCALE: Final = 0.0
MAX_CFG_SCALE: Final = 35.0
MIN_STEPS: Final = 10
MAX_STEPS: Final = 150
MIN_SEED: Final = 0
MAX_SEED: Final = 4_294_967_295
# One less than the contract's bound, because Stable Diffusion 3.5 Large takes no greater seed.
MAX_CHOSEN_SEED: Final = 4_294_967_294
"""The service chooses seeds in 1…this, which every enabled model accepts."""

SIZES: Final = (
    (1024, 1024),
    (1152, 896),
    (1216, 832),
    (1344, 768),
    (1536, 640),
    (640, 1536),
    (768, 1344),
    (832, 1216),
    (896, 1152),
)
"""The pairs (width, height), in pixels."""

CLIP_GUIDANCE_PRESETS: Final = ("FAST_BLUE", "FAST_GREEN", "NONE", "SIMPLE", "SLOW", "SLOWER", "SLOWEST")

SAMPLERS: Final = (
    "DDIM",
    "DDPM",
    "K_DPMPP_2M",
    "K_DPMPP_2S_ANCESTRAL",
    "K_DPM_2",
    "K_DPM_2_ANCESTRAL",
    "K_EULER",
    "K_EULER_ANCESTRAL",
    "K_HEUN",
    "K_LMS",
)

STYLE_PRESETS: Final = (
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
)

OUTPUT_FORMATS: Final = ("png", "jpeg", "webp")
"""The file formats that a request may ask for, by the names that the models give them."""

PARAMETERS: Final = (
    "text_prompts",
    "height",
    "width",
    "cfg_scale",
    "clip_guidance_preset",
    "sampler",
    "samples",
    "seed",
    "steps",
    "style_preset",
    "extras",
)
"""Every parameter of the contract, in the guide's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of 0–2000 code points; a negative weight says what to avoid."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToImage:
    """One valid task, defaults filled in; `seed` 0 means that the service chooses one.

    `output_format` is no parameter of the contract, but a field of our own that decides what is drawn.
    """

    kind: ClassVar[str] = "text_to_image"

    text_prompts: tuple[Prompt, ...]
    width: int = 1024
    height: int = 1024
    cfg_scale: float = 7.0
    clip_guidance_preset: str = "NONE"
    sampler: str | None = None
    samples: int = 1
    seed: int = 0
    steps: int = 30
    style_preset: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    output_format: str = "png"

    @property
    def content_type(self) -> str:
        """The media type that the models are asked for."""
        return f"image/{self.output_format}"

    def parameters(self) -> dict[str, Any]:
        """Return the task as the contract's JSON object, without members that are unset.

        `output_format` stands in it only if it is not png.
        """
        members: dict[str, Any] = {
            "text_prompts": [{"text": prompt.text, "weight": prompt.weight} for prompt in self.text_prompts],
            "height": self.height,
            "width": self.width,
            "cfg_scale": self.cfg_scale,
            "clip_guidance_preset": self.clip_guidance_preset,
            "sampler": self.sampler,
            "samples": self.samples,
            "seed": self.seed,
            "steps": self.steps,
            "style_preset": self.style_preset,
            "extras": dict(self.extras) or None,
            # Fingerprints and records of PNGs stay as they were before there were other formats.
            "output_format": None if self.output_format == "png" else self.output_format,
        }
        return {name: value for name, value in members.items() if value is not None}

    def with_seed(self, seed: int) -> Self:
        """Return the same task with another seed."""
        return replace(self, seed=seed)

    def emptied(self) -> Self:
        """Return a task of this kind without anything that the caller wrote."""
        return type(self)(text_prompts=())

    def beyond_default(self, names: Iterable[str]) -> set[str]:
        """Return those of `names` whose value differs from the contract's default."""
        default = TextToImage(text_prompts=())
        return {name for name in names if getattr(self, name) != getattr(default, name)}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the task that `parameters()` described; unchecked, so for stored records only."""
        members = dict(parameters)
        prompts = members.pop("text_prompts")
        return cls(
            text_prompts=tuple(Prompt(text=prompt["text"], weight=prompt["weight"]) for prompt in prompts),
            **members,
        )


def nearest_size(width: int, height: int) -> tuple[int, int]:
    """Return the pair of `SIZES` whose ratio of width to height is nearest; both sides are above 0."""
    # By the logarithm, so that a format and the same format turned by 90 degrees are treated alike.
    wanted = math.log(width / height)
    return min(SIZES, key=lambda size: abs(math.log(size[0] / size[1]) - wanted))


def in_contract_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return parameters in the order in which the contract lists them."""
    return tuple(sorted(names, key=PARAMETERS.index))
