"""The dialect of Stable Image Core, Stable Image Ultra and Stable Diffusion 3.5 Large."""

import json
import secrets
from dataclasses import dataclass
from typing import Final

from local.bedrock.picture_request import Json, PictureRequest, is_integer
from local.bedrock.refusals import RefusedError, invalid

# Bedrock documents ratios, not pixels. The stand-in takes the pixels of SDXL's nine sizes.
PIXELS_OF: Final = {
    "16:9": (1344, 768),
    "1:1": (1024, 1024),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
LONGEST_PROMPT: Final = 10_000
MODE: Final = "text-to-image"


@dataclass(frozen=True, kw_only=True)
class StableImage:
    """Validates as the model of the family with these limits does.

    Attributes:
        largest_seed: Inclusive.
        output_formats: Accepted values of `output_format`.
        takes_mode: Whether `mode` is a field of the model.
    """

    largest_seed: int = 4294967295
    output_formats: tuple[str, ...] = ("png", "jpeg")
    takes_mode: bool = False

    def read(self, body: Json) -> PictureRequest:
        """Return the picture that a body asks for; raises RefusedError with a message in JSON, like the family's."""
        fields = {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format"}
        if self.takes_mode:
            fields.add("mode")
        for key in body:
            if key not in fields:
                raise _refused(f"Invalid field {key}")
        if "prompt" not in body:
            raise _refused("Missing required field prompt")
        prompt, negative = _text(body, "prompt"), _text(body, "negative_prompt")
        ratio = _choice(body, "aspect_ratio", tuple(PIXELS_OF), "1:1")
        output_format = _choice(body, "output_format", self.output_formats, "png")
        # Only checked, because there is just one mode.
        _choice(body, "mode", (MODE,), MODE)
        width, height = PIXELS_OF[ratio]
        return PictureRequest(
            prompts=((prompt, 1.0), (negative, -1.0)) if negative else ((prompt, 1.0),),
            # 0 leaves the choice to the model.
            seed=self._seed(body) or 1 + secrets.randbelow(self.largest_seed),
            width=width,
            height=height,
            output_format=output_format,
        )

    def _seed(self, body: Json) -> int:
        seed = body.get("seed", 0)
        if not is_integer(seed) or not 0 <= seed <= self.largest_seed:
            raise _refused(f"Invalid value for field seed: an integer from 0 to {self.largest_seed}")
        return int(seed)

    def success(self, *, seed: int, image: str) -> Json:
        """Return an image that succeeded."""
        return {"seeds": [seed], "finish_reasons": [None], "images": [image]}

    def empty(self) -> Json:
        """Return success without an image."""
        return {"seeds": [], "finish_reasons": [None], "images": []}

    def filtered(self, *, seed: int, image: str, reason: str) -> Json:  # noqa: ARG002 - neither is answered
        """Return the reason alone: a filtered answer has no `images`."""
        return {"finish_reasons": [f"Filter reason: {reason}"]}

    def prompt_filtered(self, *, message: str) -> Json:  # noqa: ARG002 - the family gives a reason, no message
        """Return the prompt filter's reason."""
        return {"finish_reasons": ["Filter reason: prompt"]}

    def failed(self, *, seed: int) -> Json:
        """Return a failed inference without `images`."""
        return {"seeds": [seed], "finish_reasons": ["Inference error"]}


def _refused(detail: str) -> RefusedError:
    return invalid(json.dumps({"detail": detail}))


def _text(body: Json, key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise _refused(f"Invalid value for field {key}: a string")
    if len(value) > LONGEST_PROMPT:
        raise _refused(f"Invalid value for field {key}: at most {LONGEST_PROMPT} characters")
    return value


def _choice(body: Json, key: str, choices: tuple[str, ...], default: str) -> str:
    value = body.get(key, default)
    if not isinstance(value, str) or value not in choices:
        raise _refused(f"Invalid value for field {key}: one of {', '.join(choices)}")
    return value
