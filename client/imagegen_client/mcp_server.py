"""The MCP server: tools by which an agent makes images, looks them up, and sees the models and what is left.

It speaks the Model Context Protocol by the official package `mcp`, over standard input and output or streamable HTTP.

An agent repeats a call after a lost connection, a time-out or a new session, and cannot know whether the first call
was paid. So the idempotency key is derived from what is asked for: the same arguments bring the same image, and are
paid once. An agent that wants another image gives another `seed`, or raises `variation`.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import (
    CallToolResult,
    ContentBlock,
    ImageContent,
    InputRequiredResult,
    ResourceLink,
    TextContent,
    ToolAnnotations,
)
from pydantic import AnyUrl, Field
from typing_extensions import TypedDict  # pydantic takes the standard library's only from Python 3.12 on

from imagegen_client.asynchronous import AsyncClient
from imagegen_client.errors import Gone, ImagegenError, InProgress, NotFound
from imagegen_client.image_request import ImageRequest
from imagegen_client.replies import Generation
from imagegen_client.version import __version__

if TYPE_CHECKING:
    from mcp.server.lowlevel.helper_types import ReadResourceContents

MEDIA_TYPES: Final = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"RIFF": "image/webp"}
"""By the first bytes of an image."""
INLINE_LIMIT: Final = 750_000
"""In bytes: a larger image is not put into a result. Base64 makes it a third longer."""
PROGRESS_PAUSE: Final = 1.0
"""Seconds between two notifications of progress."""
MAX_LISTED: Final = 100

INSTRUCTIONS: Final = """\
Each image costs money and takes seconds; list_models tells the prices, and get_usage what is left.
generate_image with the same arguments brings the same image again and is paid only once, so it is safe to repeat a \
call that failed or got lost. For another image of the same words, give another seed or raise `variation`.
The link to an image works for about an hour; get_image returns a new link without a further payment."""


class ImageResult(TypedDict):
    """What the tools tell of one generation."""

    id: str
    status: str
    model: str | None
    seed: int | None
    width: int | None
    height: int | None
    content_type: str | None
    bytes: int | None
    url: str | None
    url_expires_at: str | None
    cost_usd: float | None
    paid_by_an_earlier_call: bool
    ignored_parameters: list[str]


class ImageList(TypedDict):
    """One page of the history."""

    images: list[ImageResult]
    next_cursor: str | None


class ModelResult(TypedDict):
    """One model that can be asked."""

    id: str
    name: str
    default: bool
    lifecycle: str
    usd_per_image: float
    honours: list[str]


class ModelList(TypedDict):
    """The models, in the order in which they are tried."""

    models: list[ModelResult]


class UsageResult(TypedDict):
    """What was used today (UTC), and what is left until midnight UTC; null is no limit."""

    images_today: int
    usd_today: float
    images_left: int | None
    usd_left: float | None


Prompt = Annotated[str, Field(min_length=1, max_length=2000, description="What to draw.")]
Negative = Annotated[str | None, Field(max_length=2000, description="What to avoid.")]
Style = Annotated[
    str | None,
    Field(
        description="The style: 3d-model, analog-film, anime, cinematic, comic-book, digital-art, enhance, "
        "fantasy-art, isometric, line-art, low-poly, modeling-compound, neon-punk, origami, photographic, pixel-art, "
        "tile-texture"
    ),
]
Format = Annotated[
    str | None,
    Field(
        description="The format of the file: png (default), jpeg or webp, if the model draws it. JPEG is smaller."
    ),
]
Width = Annotated[
    int | None,
    Field(
        description="Pixels, together with height: 1024x1024 (default), 1152x896, 1216x832, 1344x768, 1536x640, "
        "640x1536, 768x1344, 832x1216 or 896x1152."
    ),
]
Height = Annotated[int | None, Field(description="Pixels, together with width.")]
Seed = Annotated[
    int | None,
    Field(ge=1, le=4_294_967_295, description="The start of the noise. Without one the service chooses it."),
]
ModelId = Annotated[str | None, Field(description="The only model to ask, by its id from list_models.")]
Variation = Annotated[
    int, Field(ge=0, description="Another number makes and pays another image of the same arguments.")
]
Inline = Annotated[
    bool,
    Field(description=f"Also put the image itself into the result, if it has at most {INLINE_LIMIT} bytes."),
]
Id = Annotated[str, Field(description="The id of a generation, gen_….")]


def key_of(request: ImageRequest, *, variation: int) -> str:
    """Return the idempotency key of a request: the same for the same fields, in every process and session."""
    asked = json.dumps([request.body(), variation], sort_keys=True, separators=(",", ":"))
    return f"mcp-{hashlib.sha256(asked.encode()).hexdigest()[:48]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The tools; all of them act for the caller of `client`."""

    client: AsyncClient

    async def generate_image(
        self,
        ctx: Context[Any, Any],
        prompt: Prompt,
        negative_prompt: Negative = None,
        style: Style = None,
        width: Width = None,
        height: Height = None,
        seed: Seed = None,
        output_format: Format = None,
        model: ModelId = None,
        variation: Variation = 0,
        inline: Inline = False,  # noqa: FBT002 - an argument of a tool is always named
    ) -> Annotated[CallToolResult, ImageResult]:
        """Make an image from words, and return a link to it. Costs money once; a repeated call costs nothing."""
        request = ImageRequest(
            prompt=prompt,
            negative=() if negative_prompt is None else (negative_prompt,),
            style_preset=style,
            width=width,
            height=height,
            seed=seed,
            output_format=output_format,
            model=model,
        )
        made = await self._made(ctx, request, key=key_of(request, variation=variation))
        return await self._result(made, inline=inline)

    async def get_image(
        self,
        id: Id,  # noqa: A002 - the name that the service gives it
        inline: Inline = False,  # noqa: FBT002 - likewise
    ) -> Annotated[CallToolResult, ImageResult]:
        """Look an image up by its id, and return a new link to it. Costs nothing."""
        try:
            found = await self.client.get(id)
        except ImagegenError as error:
            raise told(error) from error
        if found.error is not None:
            raise told(found.error)
        return await self._result(found, inline=inline)

    async def list_images(
        self,
        limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 20,
        cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None,
    ) -> ImageList:
        """List what this caller has asked for, newest first, without links. Costs nothing."""
        try:
            page = await self.client.history_page(limit=limit, cursor=cursor)
        except ImagegenError as error:
            raise told(error) from error
        return {"images": [_described(each) for each in page.generations], "next_cursor": page.next_cursor}

    async def list_models(self) -> ModelList:
        """List the models, their prices, and which parameters each honours. Costs nothing."""
        try:
            models = await self.client.models()
        except ImagegenError as error:
            raise told(error) from error
        return {
            "models": [
                {
                    "id": each.id,
                    "name": each.name,
                    "default": each.default,
                    "lifecycle": each.lifecycle,
                    "usd_per_image": each.price_per_image,
                    "honours": list(each.honours),
                }
                for each in models
            ]
        }

    async def get_usage(self) -> UsageResult:
        """Tell how many images and dollars were used today (UTC), and how many are left. Costs nothing."""
        try:
            usage = await self.client.usage(days=1)
        except ImagegenError as error:
            raise told(error) from error
        (today,) = usage.days
        return {
            "images_today": today.images,
            "usd_today": today.usd,
            "images_left": usage.images_left,
            "usd_left": usage.usd_left,
        }

    async def image(self, id: str) -> bytes:  # noqa: A002 - the name in the template
        """The image of a generation."""
        try:
            return await self.client.image(id)
        except (NotFound, Gone) as error:
            raise ResourceNotFoundError(error.detail) from error
        except ImagegenError as error:
            raise ResourceError(error.detail) from error

    async def _made(self, ctx: Context[Any, Any], request: ImageRequest, *, key: str) -> Generation:
        """Make an image by the asynchronous door, and report the seconds that it takes."""
        outcome: Generation | ImagegenError
        # An error must not leave the group: the group would wrap it.
        async with anyio.create_task_group() as group:
            group.start_soon(_report, ctx)
            try:
                outcome = await self.client.generate(request, idempotency_key=key, asynchronous=True)
            except ImagegenError as error:
                outcome = error
            group.cancel_scope.cancel()
        if isinstance(outcome, Generation):
            return outcome
        raise told(outcome, makes=True) from outcome

    async def _result(self, made: Generation, *, inline: bool) -> CallToolResult:
        described = _described(made)
        content: list[ContentBlock] = [TextContent(text=_sentence(made))]
        image = made.image
        if image is not None:
            link = ResourceLink(
                name=f"imagegen-{made.id}", uri=image.url, mime_type=image.content_type, size=image.size
            )
            content.append(link)
        if image is not None and inline:
            content.append(await self._inline(made, size=image.size, content_type=image.content_type))
        return CallToolResult(content=content, structured_content=described)

    async def _inline(self, made: Generation, *, size: int, content_type: str) -> ContentBlock:
        if size > INLINE_LIMIT:
            limit = f"The image has {size} bytes, and a result holds at most {INLINE_LIMIT}: use the link."
            return TextContent(text=limit)
        try:
            content = await self.client.image(made)
        except ImagegenError as error:
            # The image is paid, and the link is there: its loss here must not hide both.
            return TextContent(
                text=f"The image could not be put into the result: {error.detail} Use the link."
            )
        return ImageContent(data=b64encode(content).decode("ascii"), mime_type=content_type)


async def _report(ctx: Context[Any, Any]) -> None:
    """Report how long it has taken, for as long as it takes."""
    began = anyio.current_time()
    while True:
        seconds = anyio.current_time() - began
        await ctx.report_progress(seconds, message=f"The image is being made ({seconds:.0f} s).")
        await anyio.sleep(PROGRESS_PAUSE)


def told(error: ImagegenError, *, makes: bool = False) -> ToolError:
    """Return a failure as an agent can act on it: what happened, what it cost, and what to do.

    `makes` says that the call was to make an image.
    """
    fields = "".join(f" {each.field} {each.message}." for each in error.fields)
    return ToolError(
        f"{error.detail}{fields} {_cost(error)}{_next_step(error, makes=makes)} (code: {error.code})"
    )


def _cost(error: ImagegenError) -> str:
    if isinstance(error, InProgress):
        return "It is paid when it is done."
    return {"no": "Nothing was paid.", "yes": "It was paid.", "maybe": "It may have been paid."}[
        error.charged
    ]


def _next_step(error: ImagegenError, *, makes: bool) -> str:
    # The service keeps a failure of the generation under the key of the call.
    is_recorded = error.replayed or error.generation_id is not None
    if isinstance(error, InProgress):
        return " Repeat the call, or look it up with get_image: it is not paid twice."
    if makes and (isinstance(error, Gone) or (error.charged != "no" and is_recorded)):
        return (
            " The same call brings this answer again and costs nothing; raise `variation` to pay once more."
        )
    if makes and error.charged != "no":
        # The service may have gone on, and the same call finds what it made.
        return " Repeat the same call: it is not paid twice."
    if error.retryable:
        after = "" if error.retry_after is None else f" after {error.retry_after:.0f} seconds"
        return f" Repeat the call{after}."
    return ""


def _described(made: Generation) -> ImageResult:
    image = made.image
    return {
        "id": made.id,
        "status": made.status,
        "model": made.model,
        "seed": None if image is None else image.seed,
        "width": None if image is None else image.width,
        "height": None if image is None else image.height,
        "content_type": None if image is None else image.content_type,
        "bytes": None if image is None else image.size,
        "url": None if image is None else image.url,
        "url_expires_at": None if image is None else image.expires_at.isoformat(),
        "cost_usd": made.cost_usd,
        "paid_by_an_earlier_call": made.replayed,
        "ignored_parameters": list(made.ignored_parameters),
    }


def _sentence(made: Generation) -> str:
    image = made.image
    if image is None:
        return f"The image {made.id} is {made.status}; look it up again with get_image."
    ignored = f" It ignored {', '.join(made.ignored_parameters)}." if made.ignored_parameters else ""
    cost = "" if made.cost_usd is None else f", cost ${made.cost_usd:g}"
    return (
        f"{made.id}: {image.width}x{image.height} pixels by {made.model}, seed {image.seed}{cost}.{ignored} "
        f"The link works until {image.expires_at:%H:%M} UTC."
    )


class _Server(MCPServer[None]):
    """A server whose resource has the media type of the image that is read; a template has one for all."""

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[None, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read an image."""
        found = await super().read_resource(uri, context)
        if isinstance(found, InputRequiredResult):
            return found
        return [replace(each, mime_type=_media_type(each.content)) for each in found]


def _media_type(content: str | bytes) -> str | None:
    head = content[:4]
    return next((name for start, name in MEDIA_TYPES.items() if head[: len(start)] == start), None)


def create_server(client: AsyncClient) -> MCPServer[None]:
    """Return the server with all its tools; `run` it with one of the transports of `mcp`."""
    tools = Tools(client=client)
    server = _Server(
        "imagegen",
        title="imagegen",
        description="Text-to-image by the models of your own deployment.",
        instructions=INSTRUCTIONS,
        version=__version__,
        log_level="WARNING",
    )
    makes = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    server.add_tool(tools.generate_image, title="Make an image", annotations=makes)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    readers: Sequence[tuple[Any, str]] = (
        (tools.get_image, "Look an image up"),
        (tools.list_images, "List images"),
        (tools.list_models, "List models and prices"),
        (tools.get_usage, "See what is left"),
    )
    for reader, title in readers:
        server.add_tool(reader, title=title, annotations=reads)
    server.resource(
        "imagegen://generations/{id}/image",
        name="image",
        title="The image of a generation",
    )(tools.image)
    return server
