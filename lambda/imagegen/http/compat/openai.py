"""OpenAI's shape: `POST /images/generations`, translated into our contract and back.

See the OpenAI API reference, "Create image". `model`, `size` and `n` are honoured or refused, never changed.
`style` vivid means the contract's style preset `enhance`, natural means no preset. `quality` and `user` are accepted
and have no effect. Every member but `prompt` may be null, which means that it is absent.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict

from imagegen.contracts.fields import field_errors
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.refusals import refusal
from imagegen.contracts.text_to_image import parameters, schema
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError, invalid
from imagegen.generations import batch
from imagegen.generations.history import History
from imagegen.generations.submit import Submission, Submitter
from imagegen.http import reply
from imagegen.http.compat import RouteFunction, read_inline
from imagegen.http.problems import ErrorMembersBody, error_members
from imagegen.http.reply import Reply, error_headers
from imagegen.http.request import Request
from imagegen.models.registry import ModelRef

MAX_IMAGES: Final = 10
ANY_MODEL: Final = "auto"

Size = Literal[
    "auto",
    "1024x1024",
    "1152x896",
    "1216x832",
    "1344x768",
    "1536x640",
    "640x1536",
    "768x1344",
    "832x1216",
    "896x1152",
]
Quality = Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"]
Style = Literal["vivid", "natural"]
ResponseFormat = Literal["url", "b64_json"]

# Says in JSON Schema what `parse` checks by hand.
_ONE_IN_BASE64: Final[dict[str, Any]] = {
    "anyOf": [
        {"properties": {"response_format": {"enum": ["url", None]}}},
        {"properties": {"n": {"enum": [1, None]}}},
    ]
}


class ImagesBody(BaseModel):
    """Images to make, as OpenAI's clients ask for them."""

    model_config = ConfigDict(
        strict=True,
        # Fields of newer clients are refused by name: see docs/decisions/0050-other-peoples-shapes.md.
        extra="forbid",
        frozen=True,
        # pydantic's own message would otherwise quote the prompt.
        hide_input_in_errors=True,
        # Built by the first request that needs it, so that a cold start for another route does not wait.
        defer_build=True,
        title="OpenAIImagesRequest",
        json_schema_extra={
            **_ONE_IN_BASE64,
            "examples": [{"prompt": "Sri lanka tea plantation.", "n": 1, "size": "1344x768"}],
        },
    )

    prompt: schema.PromptText
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=schema.MAX_MODEL_LENGTH,
        description="`auto`, or the only model that may serve the request, one of `GET /models`.",
        examples=[ANY_MODEL],
    )
    n: int | None = Field(
        default=None,
        ge=1,
        le=MAX_IMAGES,
        description="How many images, each a generation of its own; 1 with `b64_json`. The reply has those that "
        "succeeded.",
        examples=[1],
    )
    size: Size | None = Field(default=None, description="`auto` is 1024x1024.", examples=["1344x768"])
    quality: Quality | None = Field(default=None, description="Accepted; has no effect.")
    style: Style | None = Field(
        default=None, description="`vivid` is the style preset `enhance`, `natural` is no preset."
    )
    response_format: ResponseFormat | None = Field(
        default=None, description="A presigned URL, or the image itself in base64."
    )
    user: str | None = Field(default=None, description="Accepted; has no effect and is not kept.")


class OpenAIImageBody(TypedDict, total=False):
    """One image: its `url`, or with `response_format` `b64_json` its bytes."""

    url: Annotated[str, Field(description="A presigned URL; it needs no API key, and expires.")]
    b64_json: Annotated[str, Field(description="The PNG in base64.")]


class OpenAIImagesBody(TypedDict):
    """The images that were made, at least one and at most `n`."""

    created: Annotated[
        int,
        Field(description="When the service accepted the first one, in Unix time.", examples=[1793697667]),
    ]
    data: Annotated[
        list[OpenAIImageBody],
        Field(min_length=1, max_length=MAX_IMAGES, description="The images that succeeded."),
    ]


class OpenAIErrorBody(TypedDict):
    """Any failure, in OpenAI's shape."""

    error: ErrorMembersBody


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesRequest:
    """What OpenAI's body asks for: one generation request, how often to make it, and how to return the images."""

    request: GenerationRequest
    images: int
    in_base64: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyImage:
    """One image of a reply: its presigned URL, or its bytes."""

    url: str = ""
    png: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAI:
    """The routes of OpenAI's clients over the use case."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route, by the route's name."""
        return {"createOpenAIImages": self.create_images}

    def create_images(self, request: Request) -> Reply:
        """Make up to ten images, each a generation of its own."""
        owner, key = request.owner, request.idempotency_key
        wanted = parse(request.members(request.route.max_body))
        made = batch.submit_batch(
            self.submitter,
            self.history,
            wanted.request,
            images=wanted.images,
            owner=owner,
            key=key,
            own_daily_limit=request.daily_limit,
            deadline=request.deadline,
        )
        images = [self._reply_image(one, in_base64=wanted.in_base64) for one in made]
        # If one of the images is new, so is the reply.
        headers = reply.REPLAYED if all(one.replayed for one in made) else {}
        return reply.json_reply(
            200, images_body(images, created_at=made[0].generation.created_at), headers=headers
        )

    def problem(self, error: ImagegenError, _: Request) -> Reply:
        """Return an error in OpenAI's shape."""
        return reply.json_reply(error.kind.status, problem(error), headers=error_headers(error))

    def _reply_image(self, submission: Submission, *, in_base64: bool) -> ReplyImage:
        if in_base64:
            png, _ = read_inline(self.history, submission.generation)
            return ReplyImage(png=png)
        return ReplyImage(url=self.history.url(submission.generation).url)


def parse(members: dict[str, Any]) -> ImagesRequest:
    """Return the request that OpenAI's members describe.

    Raises:
        UnknownParameter: at least one name is not in this version of OpenAI's contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    try:
        body = ImagesBody.model_validate(members)
    except ValidationError as exc:
        unknown, wrong = field_errors(exc, ImagesBody)
        raise refusal(unknown=unknown, invalid=wrong) from exc
    images = body.n or 1
    in_base64 = body.response_format == "b64_json"
    if in_base64 and images > 1:
        raise invalid("n", "must be 1 with response_format b64_json: more images may not fit into one reply")
    width, height = _sides(body.size)
    task = TextToImage(
        text_prompts=(Prompt(text=body.prompt),),
        width=width,
        height=height,
        # `cinematic` or `photographic` would turn a line drawing into a film or a photograph: decision 50.
        style_preset="enhance" if body.style == "vivid" else None,
    )
    model = None if body.model == ANY_MODEL else body.model
    return ImagesRequest(
        request=GenerationRequest(task=task, model=model), images=images, in_base64=in_base64
    )


def images_body(images: Sequence[ReplyImage], *, created_at: datetime) -> OpenAIImagesBody:
    """Return the body of a 200."""
    return {
        "created": int(created_at.timestamp()),
        "data": [
            {"url": image.url} if image.png is None else {"b64_json": b64encode(image.png).decode()}
            for image in images
        ],
    }


def problem(error: ImagegenError) -> OpenAIErrorBody:
    """Return an error with the four members that OpenAI's clients read; `code` is our code."""
    return {"error": error_members(error)}


def _sides(size: str | None) -> tuple[int, int]:
    if size is None or size == "auto":
        return parameters.SIZES[0]
    width, _, height = size.partition("x")
    return int(width), int(height)
