"""How each shape writes an error: its body, its media type, and the headers that it adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagegen.errors import ImagegenError
from imagegen.http import problems, reply
from imagegen.http.compat import bedrock, openai, stability
from imagegen.http.surface import OWN_SHAPE


def _own_status(kind: type[ImagegenError]) -> int:
    return kind.kind.status


# Any UUID will do: it stands in the examples of errors.
_REQUEST_ID: Final = "8f5a2c1e-4b1d-4d0a-9a63-0f3f6e1c7b52"


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedShape:
    """One shape. `example` returns the body of an error; it is the function that also makes real replies.

    `status` returns the status of an error.
    """

    error_body: type
    example: Callable[[ImagegenError], Mapping[str, Any]]
    content_type: str = reply.JSON
    headers: tuple[str, ...] = ()
    status: Callable[[type[ImagegenError]], int] = _own_status


SHAPES: Final[Mapping[str, DescribedShape]] = {
    OWN_SHAPE: DescribedShape(
        error_body=problems.ProblemReplyBody,
        example=lambda error: problems.problem_reply(error, request_id=_REQUEST_ID),
        content_type=reply.PROBLEM,
    ),
    "bedrock": DescribedShape(
        error_body=bedrock.BedrockErrorBody,
        example=bedrock.problem,
        headers=("X-Amzn-Errortype",),
        status=bedrock.status_of,
    ),
    "openai": DescribedShape(error_body=openai.OpenAIErrorBody, example=openai.problem),
    "stability": DescribedShape(
        error_body=stability.StabilityErrorBody,
        example=lambda error: stability.problem(error, request_id=_REQUEST_ID),
    ),
}
