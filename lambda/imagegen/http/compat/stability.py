"""Stability's shape: its v1 REST API, translated into our contract and back.

See Stability's "REST API v1", `text-to-image` and `engines/list`. The body is the Diffusion 1.0 contract's own, which
Bedrock took over from it. The path names the engine.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from typing_extensions import TypedDict

from imagegen import errors
from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.contracts.text_to_image import parameters
from imagegen.errors import ImagegenError
from imagegen.generations.generation import StoredImage
from imagegen.generations.history import History
from imagegen.generations.submit import Submitter
from imagegen.http import reply, surface
from imagegen.http.compat import RouteFunction, contract_request, read_inline
from imagegen.http.described import Described
from imagegen.http.problems import sentence, stability_name
from imagegen.http.reply import Reply, error_headers
from imagegen.http.request import Request
from imagegen.models.registry import ModelRef

SDXL_ENGINE: Final = "stable-diffusion-xl-1024-v1-0"
"""The engine whose contract this is."""

ENGINES: Final[Mapping[str, str]] = {
    SDXL_ENGINE: "Stable Diffusion XL v1.0",
    "stable-diffusion-xl-1024-v0-9": "Stable Diffusion XL v0.9",
    "stable-diffusion-v1-6": "Stable Diffusion v1.6",
}
"""Stability's own engines with their names. Each means the contract; any model of the deployment may serve it."""

UNLIMITED_CREDITS: Final = 1_000_000
"""The balance of a caller whose images of the day are not limited: as much as the highest limit."""


_QUALITY: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class StabilityArtifactBody(TypedDict):
    """One image."""

    base64: Annotated[str, Described(description="The PNG in base64.")]
    finishReason: Annotated[
        Literal["SUCCESS"], Described(description="Always SUCCESS: a filtered image is an error here.")
    ]
    seed: Annotated[
        int,
        Described(
            minimum=parameters.MIN_SEED,
            maximum=parameters.MAX_SEED,
            description="The seed that made the image.",
            examples=[3407],
        ),
    ]


class StabilityArtifactsBody(TypedDict):
    """The image that was made."""

    artifacts: Annotated[list[StabilityArtifactBody], Described(minItems=1, maxItems=1)]


class StabilityEngineBody(TypedDict):
    """One engine that Stability's route accepts."""

    id: Annotated[str, Described(description="A value for `engine_id`.")]
    name: str
    description: str
    type: Literal["PICTURE"]


class StabilityBalanceBody(TypedDict):
    """How much the caller may still make today; one credit is one image."""

    credits: Annotated[
        float,
        Described(
            minimum=0,
            description=f"Images that are left until midnight UTC; {UNLIMITED_CREDITS:,} if there is no limit.",
            examples=[37],
        ),
    ]


class StabilityErrorBody(TypedDict):
    """Any failure, in Stability's shape."""

    id: Annotated[str, Described(description="The id of this request in the service's logs.")]
    name: Annotated[str, Described(description="Stability's name of the error.", examples=["bad_request"])]
    message: Annotated[str, Described(description="One sentence for people, and the service's code.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """The routes of Stability's clients over the use case."""

    submitter: Submitter
    history: History
    models: Sequence[ModelRef]

    @property
    def functions(self) -> Mapping[str, RouteFunction]:
        """The function of each route, by the route's name."""
        return {
            "createStabilityImage": self.create_image,
            "listStabilityEngines": self.list_engines,
            "showStabilityBalance": self.show_balance,
        }

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
            own=request.own_limits,
            key_id=request.key_id,
            signs=request.repeat_signs,
            deadline=request.deadline,
        )
        with self.submitter.replying(submission):
            png, image = read_inline(self.history, submission.generation)
        headers = reply.cost_header(submission.generation)
        if submission.replayed:
            headers |= reply.REPLAYED
        if not wants_png(request.header("Accept")):
            return reply.json_reply(200, artifacts_body(png, image), headers=headers)
        headers = {**headers, **png_headers(image)}
        return Reply(status=200, body=png, content_type=image.content_type, headers=headers)

    def list_engines(self, _: Request) -> Reply:
        """Return the engines that the path may name."""
        return reply.json_reply(200, engines(self.models))

    def show_balance(self, request: Request) -> Reply:
        """Return how many images the caller may still make today."""
        return reply.json_reply(
            200, balance(self.submitter.images_left(request.owner, own=request.own_limits))
        )

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
    if engine in ENGINES:
        return None
    if engine in {ref.id for ref in refs}:
        return engine
    listed = surface.spoken("listStabilityEngines")
    raise errors.NotFound(f"The specified engine was not found; {listed} lists the known engines.")


def parse(members: dict[str, Any], *, model: str | None) -> GenerationRequest:
    """Return the request that Stability's members describe; one that is null counts as absent.

    Raises:
        UnknownParameter: at least one name is not part of the contract.
        InvalidParameter: a value is missing, of another type or outside its range.
    """
    _check_samples(members.get("samples"))
    given = _without_null(members)
    if isinstance(prompts := given.get("text_prompts"), list):
        given["text_prompts"] = [_without_null(one) if isinstance(one, dict) else one for one in prompts]
    return contract_request(given, model=model)


def _without_null(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _check_samples(samples: Any) -> None:
    # Stability takes up to ten. `type`, because to `isinstance` true is an integer.
    if type(samples) is int and samples > 1:
        raise errors.invalid("samples", "must be 1: this service makes one image for each request")


def wants_png(accept: Sequence[str]) -> bool:
    """Say whether `Accept` asks for the bytes of a PNG rather than JSON (RFC 9110 §12.5.1).

    The higher quality wins. Of two equal ones the range that comes first wins, and JSON if one range names both. A
    quality of 0 refuses the type; if both are refused, the reply is JSON all the same.
    """
    ranges = list(_ranges(accept))
    # Bytes reach the client only if the gateway decodes them, and it looks at nothing but the first media type:
    # see docs/decisions/0055-bedrocks-own-shape.md.
    if not ranges or ranges[0][0] not in surface.BINARY_MEDIA_TYPES:
        return False
    (png, png_place), (json, json_place) = (_quality(name, ranges) for name in ("image/png", reply.JSON))
    return png > 0 and (png, -png_place) > (json, -json_place)


def _ranges(accept: Sequence[str]) -> Iterator[tuple[str, float]]:
    for part in ",".join(accept).lower().split(","):
        name, *parameters_ = (text.strip(" \t") for text in part.split(";"))
        if name:
            # A quality that cannot be read counts as 1, as if it were not there.
            given = (_QUALITY.fullmatch(text) for text in parameters_)
            yield name, next((float(found[1]) for found in given if found), 1.0)


def _quality(name: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """Return the quality of a media type by the most specific range that holds it, and the place of that range."""
    names = [range_ for range_, _ in ranges]
    for holds in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if holds in names:
            place = names.index(holds)
            return ranges[place][1], place
    return 0.0, len(ranges)


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
    """Return the engines of the list: first Stability's own, then the enabled models."""
    return [
        *(
            _engine(
                id_, name, "The first available model of this deployment, under the contract of SDXL v1.0"
            )
            for id_, name in ENGINES.items()
        ),
        *(_engine(ref.id, ref.model.name, f"{ref.model.name} on Amazon Bedrock") for ref in refs),
    ]


def balance(left: int | None) -> StabilityBalanceBody:
    """Return the caller's balance; `left` is the images that are left today, None without a limit."""
    return {"credits": float(UNLIMITED_CREDITS if left is None else left)}


def _engine(id_: str, name: str, description: str) -> StabilityEngineBody:
    return {"id": id_, "name": name, "description": description, "type": "PICTURE"}


def problem(error: ImagegenError, *, request_id: str) -> StabilityErrorBody:
    """Return an error in Stability's shape; `message` ends in our code."""
    message = f"{sentence(error)} [{error.kind.code}]"
    return {"id": request_id, "name": stability_name(error), "message": message}
