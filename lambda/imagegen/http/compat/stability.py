"""Stability's shape: its v1 REST API, translated into our contract and back.

See Stability's "REST API v1", `text-to-image` and `engines/list`. The body is the Diffusion 1.0 contract's own, which
Bedrock took over from it. The path names the engine.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from pydantic import Field
from typing_extensions import TypedDict

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.contracts.refusals import refusal, unknown_field
from imagegen.contracts.text_to_image import parameters, schema
from imagegen.errors import ImagegenError
from imagegen.generations.generation import StoredImage
from imagegen.generations.history import History
from imagegen.generations.submit import Submitter
from imagegen.http import reply, surface
from imagegen.http.compat import RouteFunction, read_inline
from imagegen.http.problems import sentence, stability_name
from imagegen.http.reply import Reply, error_headers
from imagegen.http.request import Request
from imagegen.models.registry import ModelRef

SDXL_ENGINE: Final = "stable-diffusion-xl-1024-v1-0"
"""The engine whose contract this is; any model of the deployment may serve it."""

OURS_ONLY: Final = ("model", "strict", "webhook_url")
"""Fields of our own route that Stability's body does not have."""


class StabilityArtifactBody(TypedDict):
    """One image."""

    base64: Annotated[str, Field(description="The PNG in base64.")]
    finishReason: Annotated[
        Literal["SUCCESS"], Field(description="Always SUCCESS: a filtered image is an error here.")
    ]
    seed: Annotated[
        int,
        Field(
            ge=parameters.MIN_SEED,
            le=parameters.MAX_SEED,
            description="The seed that made the image.",
            examples=[3407],
        ),
    ]


class StabilityArtifactsBody(TypedDict):
    """The image that was made."""

    artifacts: Annotated[list[StabilityArtifactBody], Field(min_length=1, max_length=1)]


class StabilityEngineBody(TypedDict):
    """One engine that Stability's route accepts."""

    id: Annotated[str, Field(description="A value for `engine_id`.")]
    name: str
    description: str
    type: Literal["PICTURE"]


class StabilityErrorBody(TypedDict):
    """Any failure, in Stability's shape."""

    id: Annotated[str, Field(description="The id of this request in the service's logs.")]
    name: Annotated[str, Field(description="Stability's name of the error.", examples=["bad_request"])]
    message: Annotated[str, Field(description="One sentence for people, and the service's code.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """The routes of Stability's clients over the use case."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route, by the route's name."""
        return {"createStabilityImage": self.create_image, "listStabilityEngines": self.list_engines}

    def create_image(self, request: Request, engine_id: str) -> Reply:
        """Make one image and return it, in JSON or as a PNG."""
        owner, key = request.owner, request.idempotency_key
        model = model_of(engine_id, self.models)
        generation_request = parse(request.members(request.route.max_body), model=model)
        submission = self.submitter.submit(
            generation_request,
            owner=owner,
            fingerprint=fingerprint(generation_request),
            key=key,
            asynchronous=False,
            own_daily_limit=request.daily_limit,
            deadline=request.deadline,
        )
        png, image = read_inline(self.history, submission.generation)
        headers = reply.REPLAYED if submission.replayed else {}
        if not wants_png(request.header("Accept")):
            return reply.json_reply(200, artifacts_body(png, image), headers=headers)
        headers = {**headers, **png_headers(image)}
        return Reply(status=200, body=png, content_type=image.content_type, headers=headers)

    def list_engines(self, _: Request) -> Reply:
        """Return the engines that the path may name."""
        return reply.json_reply(200, engines(self.models))

    def problem(self, error: ImagegenError, request: Request) -> Reply:
        """Return an error in Stability's shape."""
        body = problem(error, request_id=request.request_id)
        return reply.json_reply(error.kind.status, body, headers=error_headers(error))


def model_of(engine_id: str, refs: Iterable[ModelRef]) -> str | None:
    """Return the model that an engine pins, or None if any model may serve.

    Raises:
        NotFound: there is no such engine here.
    """
    # The id of a model has a colon, which clients may send as %3A.
    engine = unquote(engine_id)
    if engine == SDXL_ENGINE:
        return None
    if engine in {ref.id for ref in refs}:
        return engine
    listed = surface.spoken("listStabilityEngines")
    raise errors.NotFound(f"The specified engine was not found; {listed} lists the known engines.")


def parse(members: dict[str, Any], *, model: str | None) -> GenerationRequest:
    """Return the request that Stability's members describe.

    Raises:
        UnknownParameter: at least one name is not part of the contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    unknown = [unknown_field((name,), known=parameters.PARAMETERS) for name in OURS_ONLY if name in members]
    if unknown:
        raise refusal(unknown=unknown)
    return replace(schema.parse(members), model=model)


def wants_png(accept: Sequence[str]) -> bool:
    """Say whether the first media type of `Accept` is `image/png`; any other gets JSON."""
    # API Gateway also goes by the first one when it decides whether a reply is binary, and would ignore the result of a
    # full negotiation: see docs/decisions/0050-other-peoples-shapes.md.
    first = ",".join(accept).split(",")[0].split(";")[0]
    return first.strip(" \t").lower() == "image/png"


def artifacts_body(png: bytes, image: StoredImage) -> StabilityArtifactsBody:
    """Return the body of a 200 in JSON."""
    return {
        "artifacts": [
            {"base64": b64encode(png).decode(), "finishReason": "SUCCESS", "seed": image.seed},
        ]
    }


def png_headers(image: StoredImage) -> dict[str, str]:
    """Return the headers that go with the bytes of a PNG."""
    return {"Finish-Reason": "SUCCESS", "Seed": str(image.seed)}


def engines(refs: Iterable[ModelRef]) -> list[StabilityEngineBody]:
    """Return the engines of the list: first SDXL's own, then the enabled models."""
    return [
        _engine(
            SDXL_ENGINE,
            "Stable Diffusion XL v1.0",
            "The first available model of this deployment, under the contract of SDXL v1.0",
        ),
        *(_engine(ref.id, ref.model.name, f"{ref.model.name} on Amazon Bedrock") for ref in refs),
    ]


def _engine(id_: str, name: str, description: str) -> StabilityEngineBody:
    return {"id": id_, "name": name, "description": description, "type": "PICTURE"}


def problem(error: ImagegenError, *, request_id: str) -> StabilityErrorBody:
    """Return an error in Stability's shape; `message` ends in our code."""
    message = f"{sentence(error)} [{error.kind.code}]"
    return {"id": request_id, "name": stability_name(error), "message": message}
