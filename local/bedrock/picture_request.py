"""The picture that a request body asks for, in one form for both dialects."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.bedrock.refusals import MALFORMED, invalid

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """A picture to paint.

    Attributes:
        prompts: Texts with their weights, in the caller's order; a weight below zero makes a negative prompt.
        seed: 1…4294967295; already chosen if the caller left it to the model.
        style: A style preset, or an empty string.
        output_format: `png`, `jpeg` or `webp`.
    """

    prompts: tuple[tuple[str, float], ...]
    seed: int
    width: int
    height: int
    style: str = ""
    output_format: str = "png"


class Dialect(Protocol):
    """The request bodies and answers that a family of models shares."""

    def read(self, body: Json) -> PictureRequest:
        """Return the picture that a body asks for; raises RefusedError for a body that the real model would refuse."""

    def success(self, *, seed: int, image: str) -> Json:
        """Return the answer that carries a base64 picture."""

    def empty(self) -> Json:
        """Return the answer that says success and carries no picture."""

    def filtered(self, *, seed: int, image: str, reason: str) -> Json:
        """Return the answer of a content filter; `image` is the blurred picture."""

    def prompt_filtered(self, *, message: str) -> Json:
        """Return the answer of the filter that reads the prompt."""

    def failed(self, *, seed: int) -> Json:
        """Return the answer of a model that failed, under status 200."""


def parse(body: bytes) -> Json:
    """Return the body as a JSON object; raises RefusedError if it is something else."""
    try:
        # NaN and Infinity are not JSON, although Python reads them.
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(MALFORMED) from error
    if not isinstance(value, dict):
        raise invalid(MALFORMED)
    return value


def prompt_of(body: bytes) -> str:
    """Return the first prompt text of a body of either dialect, however broken the rest is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    match value:
        case {"text_prompts": [{"text": str(text)}, *_]} | {"prompt": str(text)}:
            return text
        case _:
            return ""


def is_integer(value: object) -> bool:
    """Say whether a JSON value is an integer; `true` and `5.0` are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Say whether a JSON value is a finite number; `true` is not."""
    # 1e999 is read as infinity.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
