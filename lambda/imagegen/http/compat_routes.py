"""The routes of OpenAI's and Stability's clients: translate, make one call, translate back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imagegen import errors
from imagegen.contracts.generation_request import fingerprint
from imagegen.errors import ImagegenError
from imagegen.generations import batch
from imagegen.generations.generation import Generation, StoredImage
from imagegen.generations.history import History
from imagegen.generations.submit import Submission, Submitter
from imagegen.http.compat import openai, stability
from imagegen.http.reply import Answer, Exchange, error_headers
from imagegen.models.registry import ModelRef

MAX_INLINE_BYTES: Final = 4_400_000
"""Of an image that is answered itself: in base64 it must leave room in the 6 MB of a Lambda function's answer."""

_REPLAYED: Final = {"Idempotent-Replayed": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompatibilityRoutes:
    """The routes in other people's shapes over the same use case."""

    exchange: Exchange
    submitter: Submitter
    history: History
    models: Sequence[ModelRef]

    def create_openai_images(self) -> Answer:
        """POST /images/generations: OpenAI's request and answer."""
        owner, key = self.exchange.owner, self.exchange.idempotency_key
        asked = openai.parse(self.exchange.members())
        made = batch.submit_batch(
            self.submitter,
            self.history,
            asked.request,
            images=asked.images,
            owner=owner,
            key=key,
            deadline=self.exchange.deadline(),
        )
        pictures = [self._picture(one, in_base64=asked.in_base64) for one in made]
        headers = _REPLAYED if all(one.replayed for one in made) else {}
        body = openai.answer(pictures, created_at=made[0].generation.created_at)
        return self.exchange.answer(200, body, headers=headers)

    def create_stability_image(self, engine_id: str) -> Answer:
        """POST /generation/{engine_id}/text-to-image: Stability's request, answered in JSON or as a PNG."""
        owner, key = self.exchange.owner, self.exchange.idempotency_key
        model = stability.model_of(engine_id, self.models)
        request = stability.parse(self.exchange.members(), model=model)
        submission = self.submitter.submit(
            request,
            owner=owner,
            fingerprint=fingerprint(request),
            key=key,
            asynchronous=False,
            deadline=self.exchange.deadline(),
        )
        png, image = self._read(submission.generation)
        headers = _REPLAYED if submission.replayed else {}
        if stability.wants_png(self.exchange.headers("accept")):
            headers = {**headers, **stability.png_headers(image)}
            return self.exchange.binary(png, content_type=image.content_type, headers=headers)
        return self.exchange.answer(200, stability.answer(png, image), headers=headers)

    def list_engines(self) -> Answer:
        """GET /engines/list: what the path of Stability's route may name."""
        return self.exchange.answer(200, stability.engines(self.models))

    def problem(self, error: ImagegenError) -> Answer | None:
        """Return an error in the shape of the API that the path belongs to, None for a path of our own."""
        path, status = self.exchange.path, error.kind.status
        if path.startswith(openai.PREFIX):
            headers = {**error_headers(error), **openai.problem_headers(error)}
            return self.exchange.answer(status, openai.problem(error), headers=headers)
        if path.startswith(stability.PREFIXES):
            body = stability.problem(error, request_id=self.exchange.request_id)
            return self.exchange.answer(status, body, headers=error_headers(error))
        return None

    def _picture(self, submission: Submission, *, in_base64: bool) -> openai.Picture:
        if in_base64:
            return openai.Picture(png=self._read(submission.generation)[0])
        return openai.Picture(url=self.history.url(submission.generation).url)

    def _read(self, generation: Generation) -> tuple[bytes, StoredImage]:
        image = generation.image
        if image is None:
            raise ValueError(f"{generation.id} has no image")
        if image.bytes > MAX_INLINE_BYTES:
            raise errors.BadModelResponse(
                f"The image was made and is too large to be answered; GET /v1/generations/{generation.id} has its URL."
            )
        return self.history.read(generation), image
