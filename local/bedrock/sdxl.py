"""The dialect of Stability's Diffusion 1.0 (SDXL 1.0) text to image."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from local.bedrock.picture_request import Json, PictureRequest, is_integer, is_number
from local.bedrock.refusals import RefusedError, invalid

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
LONGEST_TEXT: Final = 2000
LARGEST_SEED: Final = 4294967295


@dataclass(frozen=True)
class Sdxl:
    """Validates as the vendor's page says, and answers as the model did."""

    def read(self, body: Json) -> PictureRequest:
        """Return the picture that a body asks for; raises RefusedError naming the first member at fault."""
        for key in body:
            if key not in _CHECKS:
                raise _malformed(f"#: extraneous key [{key}] is not permitted")
        if "text_prompts" not in body:
            raise _malformed("#: required key [text_prompts] not found")
        for key, value in body.items():
            _CHECKS[key](key, value)
        width, height = _size(body)
        return PictureRequest(
            prompts=tuple((item["text"], float(item.get("weight", 1))) for item in body["text_prompts"]),
            # 0 leaves the choice to the model.
            seed=body.get("seed", 0) or 1 + secrets.randbelow(LARGEST_SEED),
            width=width,
            height=height,
            style=body.get("style_preset", ""),
        )

    def success(self, *, seed: int, image: str) -> Json:
        """Return an artifact that succeeded."""
        return _artifact(seed, image, "SUCCESS")

    def empty(self) -> Json:
        """Return success without an artifact."""
        return {"result": "success", "artifacts": []}

    def filtered(self, *, seed: int, image: str, reason: str) -> Json:  # noqa: ARG002 - SDXL gives no reason
        """Return the blurred artifact, under status 200."""
        return _artifact(seed, image, "CONTENT_FILTERED")

    def prompt_filtered(self, *, message: str) -> Json:
        """Return an error result, under status 200."""
        return {"result": "error", "id": secrets.token_hex(16), "name": "invalid_prompts", "message": message}

    def failed(self, *, seed: int) -> Json:
        """Return an artifact without a picture."""
        return _artifact(seed, "", "ERROR")


def _artifact(seed: int, image: str, finish_reason: str) -> Json:
    return {
        "result": "success",
        "artifacts": [{"seed": seed, "base64": image, "finishReason": finish_reason}],
    }


# The sentences are worded like those of Bedrock, because clients show them to people.
def _malformed(detail: str) -> RefusedError:
    return invalid(f"Malformed input request: {detail}, please reformat your input and try again.")


def _prompts(key: str, value: Any) -> None:
    if not isinstance(value, list):
        raise _malformed(f"#/{key}: expected type: JSONArray, found: {_kind(value)}")
    if not value:
        raise _malformed(f"#/{key}: expected minimum item count: 1, found: 0")
    for index, item in enumerate(value):
        _prompt(f"{key}/{index}", item)


def _prompt(path: str, item: Any) -> None:
    if not isinstance(item, dict):
        raise _malformed(f"#/{path}: expected type: JSONObject, found: {_kind(item)}")
    for key in item:
        if key not in {"text", "weight"}:
            raise _malformed(f"#/{path}: extraneous key [{key}] is not permitted")
    text = item.get("text")
    if not isinstance(text, str):
        raise _malformed(f"#/{path}/text: expected type: String, found: {_kind(text)}")
    if len(text) > LONGEST_TEXT:
        raise _malformed(f"#/{path}/text: expected maxLength: {LONGEST_TEXT}, actual: {len(text)}")
    if not is_number(item.get("weight", 1)):
        raise _malformed(f"#/{path}/weight: expected type: Number, found: {_kind(item['weight'])}")


def _number(low: float, high: float) -> Callable[[str, Any], None]:
    def check(key: str, value: Any) -> None:
        if not is_number(value):
            raise _malformed(f"#/{key}: expected type: Number, found: {_kind(value)}")
        _in_range(key, value, low, high)

    return check


def _integer(low: int, high: int) -> Callable[[str, Any], None]:
    def check(key: str, value: Any) -> None:
        if not is_integer(value):
            raise _malformed(f"#/{key}: expected type: Integer, found: {_kind(value)}")
        _in_range(key, value, low, high)

    return check


def _in_range(key: str, value: float, low: float, high: float) -> None:
    if value < low:
        raise _malformed(f"#/{key}: {value} is not greater or equal to {low}")
    if value > high:
        raise _malformed(f"#/{key}: {value} is not less or equal to {high}")


def _one_of(*values: str) -> Callable[[str, Any], None]:
    def check(key: str, value: Any) -> None:
        if not isinstance(value, str) or value not in values:
            raise _malformed(f"#/{key}: {value} is not a valid enum value")

    return check


def _object(key: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise _malformed(f"#/{key}: expected type: JSONObject, found: {_kind(value)}")


def _size(body: Json) -> tuple[int, int]:
    if ("width" in body) != ("height" in body):
        raise _malformed("#: width and height go together")
    size = (body.get("width", 1024), body.get("height", 1024))
    if size not in SIZES:
        allowed = ", ".join(f"{width}x{height}" for width, height in SIZES)
        raise _malformed(f"#: width x height {size[0]}x{size[1]} is not one of {allowed}")
    return size


def _kind(value: Any) -> str:
    names = {bool: "Boolean", str: "String", int: "Integer", float: "BigDecimal", list: "JSONArray"}
    return "Null" if value is None else names.get(type(value), "JSONObject")


_CHECKS: Final[dict[str, Callable[[str, Any], None]]] = {
    "text_prompts": _prompts,
    "cfg_scale": _number(0, 35),
    "clip_guidance_preset": _one_of(*CLIP_GUIDANCE_PRESETS),
    "height": _integer(640, 1536),
    "width": _integer(640, 1536),
    "sampler": _one_of(*SAMPLERS),
    "samples": _integer(1, 1),
    "seed": _integer(0, LARGEST_SEED),
    "steps": _integer(10, 150),
    "style_preset": _one_of(*STYLE_PRESETS),
    "extras": _object,
}
