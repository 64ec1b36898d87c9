"""OpenAI's shape: images and models, translated into our contract and back.

See the OpenAI API reference, "Create image" and "Models". Unchanged clients work; what is translated, accepted or
refused, and why, is in `docs/decisions/0054-openais-clients-work-unchanged.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import unquote

from imagegen.errors import ImagegenError, NotFound
from imagegen.generations import batch
from imagegen.generations.generation import StoredImage
from imagegen.generations.history import History
from imagegen.generations.submit import Submission, Submitter
from imagegen.http import reply
from imagegen.http.compat import MAX_INLINE_BYTES, RouteFunction, read_inline
from imagegen.http.compat.openai.images import (
    ANY_MODEL,
    MAX_PROMPT_LENGTH,
    ImagesRequest,
    Quality,
    ResponseFormat,
    Style,
)
from imagegen.http.compat.openai.replies import (
    OpenAIErrorBody,
    OpenAIImagesBody,
    OpenAIModelBody,
    OpenAIModelsBody,
    ReplyImage,
    images_body,
    models_body,
    openai_models,
    problem,
)
from imagegen.http.reply import Reply, error_headers
from imagegen.http.request import Request
from imagegen.models.registry import ModelRef

__all__ = [
    "MAX_PROMPT_LENGTH",
    "ImagesRequest",
    "OpenAI",
    "OpenAIErrorBody",
    "OpenAIImagesBody",
    "OpenAIModelBody",
    "OpenAIModelsBody",
    "Quality",
    "ReplyImage",
    "ResponseFormat",
    "Style",
    "images_body",
    "models_body",
    "openai_models",
    "problem",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAI:
    """The routes of OpenAI's clients over the use case; `aliases` are entries `pattern=model`."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]
    aliases: Sequence[str] = ()

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route, by the route's name."""
        return {"createOpenAIImages": self.create_images, "showOpenAIModel": self.show_model}

    def create_images(self, request: Request) -> Reply:
        """Make up to ten images, each a generation of its own."""
        owner, key = request.owner, request.idempotency_key
        from imagegen.http.compat.openai.images_request import parse  # noqa: PLC0415 - it loads pydantic

        wanted = parse(request.members(request.route.max_body))
        made = batch.submit_batch(
            self.submitter,
            self.history,
            replace(wanted.request, model=self._model_of(wanted.request.model)),
            images=wanted.images,
            owner=owner,
            key=key,
            own=request.own_limits,
            key_id=request.key_id,
            signs=request.repeat_signs,
            deadline=request.deadline,
        )
        stored = [_stored(one) for one in made]
        with self.submitter.replying(*made):
            images = self._reply_images(made, form=wanted.form)
        body = images_body(
            images,
            created=int(made[0].generation.created_at.timestamp()),
            first=stored[0],
            quality=wanted.quality,
        )
        headers = {
            "X-Imagegen-Model": ", ".join(dict.fromkeys(image.model for image in stored)),
            **reply.cost_header(*(one.generation for one in made)),
        }
        # If one of the images is new, so is the reply.
        if all(one.replayed for one in made):
            headers |= reply.REPLAYED
        return reply.json_reply(200, body, headers=headers)

    def show_model(self, _: Request, id_: str) -> Reply:
        """Return one value for `model`."""
        # Clients escape the colon of an id, and the gateway may pass it on escaped.
        wanted = unquote(id_)
        for model in openai_models(self.models):
            if model["id"] == wanted:
                return reply.json_reply(200, model)
        raise NotFound("There is no such model.")

    def problem(self, error: ImagegenError, _: Request) -> Reply:
        """Return an error in OpenAI's shape."""
        return reply.json_reply(error.kind.status, problem(error), headers=error_headers(error))

    def _model_of(self, name: str | None) -> str | None:
        """Return the model that a name pins, or None for any; an unknown name is refused by the use case."""
        if name is None or any(ref.id == name for ref in self.models):
            return name
        entries = (entry.partition("=") for entry in self.aliases)
        found = next((model for pattern, _, model in entries if fnmatchcase(name, pattern)), name)
        return None if found == ANY_MODEL else found

    def _reply_images(
        self, made: Sequence[Submission], *, form: ResponseFormat | None
    ) -> Sequence[ReplyImage]:
        urls = [self.history.url(one.generation).url for one in made]
        contents: Sequence[bytes | None] = [None] * len(made)
        if form == "b64_json":
            contents = self._as_many_as_fit(made)
            urls = [url if content is None else "" for url, content in zip(urls, contents, strict=True)]
        elif form is None and sum(_stored(one).bytes for one in made) <= MAX_INLINE_BYTES:
            # The URLs are enough for a reply: images that are paid must not be lost for the second form of them.
            with suppress(ImagegenError):
                contents = [read_inline(self.history, one.generation)[0] for one in made]
        return [ReplyImage(url=url, content=content) for url, content in zip(urls, contents, strict=True)]

    def _as_many_as_fit(self, made: Sequence[Submission]) -> Sequence[bytes | None]:
        # `parse` counted them by their likely size; an image that is too large after all is returned as its URL.
        first, room = read_inline(self.history, made[0].generation)[0], MAX_INLINE_BYTES
        room -= len(first)
        contents: list[bytes | None] = [first]
        for one in made[1:]:
            fits = _stored(one).bytes <= room
            content = read_inline(self.history, one.generation)[0] if fits else None
            room -= len(content or b"")
            contents.append(content)
        return contents


def _stored(submission: Submission) -> StoredImage:
    image = submission.generation.image
    if image is None:
        raise ValueError(f"{submission.generation.id} has no image")
    return image
