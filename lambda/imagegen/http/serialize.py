"""Writes records and errors as the JSON members of the HTTP contract.

Each reply has one TypedDict: mypy checks it on the function that makes the reply, and `apidoc/` reads it for the
document. A member that does not apply is absent. It is null only if null is a value (`next_cursor`, lifecycle).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NotRequired, cast

from typing_extensions import TypedDict  # below Python 3.12, pydantic cannot read that of `typing`

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image import parameters
from imagegen.errors import MAX_FIELD_ERRORS, ImagegenError, Paid
from imagegen.generations.charges import MICRO
from imagegen.generations.generation import ID_PATTERN, Generation
from imagegen.generations.image_formats import FORMATS
from imagegen.generations.ports import SignedUrl
from imagegen.generations.submit import Usage
from imagegen.http.described import Described
from imagegen.http.model_bodies import EXAMPLE_MODEL

PROBLEM_TYPE: Final = "urn:imagegen:problem:"
# In characters. With ten field errors a problem must still be small enough to log and to show.
_MAX_FIELD: Final = 100
_MAX_MESSAGE: Final = 250
_MAX_DETAIL: Final = 400


_EXAMPLE_ID: Final = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"

_DATE_TIME: Final[dict[str, Any]] = {"format": "date-time"}

GenerationId = Annotated[
    str,
    Described(
        pattern=f"^{ID_PATTERN}$",
        description="The generation's id; only its owner can use it.",
        examples=[_EXAMPLE_ID],
    ),
]
CreatedAt = Annotated[
    str,
    Described(
        description="When the service accepted the request, in UTC.",
        examples=["2026-11-03T09:21:07Z"],
        **_DATE_TIME,
    ),
]
ShownState = Literal["queued", "running", "succeeded", "failed"]
Status = Annotated[ShownState, Described(description="The state of the generation; the last two are final.")]
ModelId = Annotated[str, Described(description="The model that drew the image.", examples=[EXAMPLE_MODEL])]
Result = Annotated[
    Literal["success"], Described(description="The contract's own word for an image that was made.")
]
CostUsd = Annotated[
    float,
    Described(
        minimum=0,
        description="US dollars that may have been paid for it, by the prices in `GET /models`; 0 if it was unbilled.",
        examples=[0.04],
    ),
]
Charged = Annotated[
    Paid, Described(description="Whether this request was paid for: no, yes, or maybe if nobody can know.")
]
IgnoredParameters = Annotated[
    list[str],
    Described(
        description="Parameters that were set to other than their default and have no effect on this model.",
        examples=[["sampler"]],
    ),
]


# One TypedDict for each reply, and no pydantic model beside it: see docs/decisions/0053-replies-are-typeddicts.md.
class ArtifactBody(TypedDict):
    """One image: where it can be downloaded, and what made it."""

    seed: Annotated[
        int,
        Described(
            minimum=parameters.MIN_SEED,
            maximum=parameters.MAX_SEED,
            description="The seed that made the image; the same request with it usually makes the same image again.",
            examples=[3407],
        ),
    ]
    finishReason: Annotated[
        Literal["SUCCESS"], Described(description="Why the model stopped; always SUCCESS here.")
    ]
    url: Annotated[
        str,
        Described(
            description="A presigned URL of the image, which needs no key and expires.",
            examples=["https://images.s3.us-east-1.amazonaws.com/images/…?X-Amz-Signature=…"],
        ),
    ]
    expires_at: Annotated[
        str,
        Described(
            description="When `url` stops working, in UTC.",
            examples=["2026-11-03T10:21:07Z"],
            **_DATE_TIME,
        ),
    ]
    content_type: Annotated[str, Described(description="The image's media type.", enum=[*FORMATS])]
    width: Annotated[int, Described(minimum=1, description="Pixels of the image itself.", examples=[1024])]
    height: Annotated[int, Described(minimum=1, description="Pixels of the image itself.", examples=[1024])]
    bytes: Annotated[
        int, Described(minimum=1, description="Length of the image, in bytes.", examples=[1_812_345])
    ]
    sha256: Annotated[
        str,
        Described(
            pattern="^[0-9a-f]{64}$",
            description="SHA-256 of the image, in hex.",
            examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        ),
    ]


class GenerationBody(TypedDict):
    """A generation that succeeded."""

    id: GenerationId
    status: Annotated[Literal["succeeded"], Described(description="Always succeeded; the image is stored.")]
    result: Result
    model: ModelId
    created_at: CreatedAt
    cost_usd: CostUsd
    ignored_parameters: IgnoredParameters
    artifacts: Annotated[list[ArtifactBody], Described(minItems=1, maxItems=1, description="The image.")]


class AcceptedBody(TypedDict):
    """A generation that will be made; `Location` says where to look."""

    id: GenerationId
    status: Status
    created_at: CreatedAt


class FieldErrorBody(TypedDict):
    """One thing wrong with one field."""

    field: Annotated[
        str, Described(description="The field's path, or a header's name.", examples=["text_prompts[0].text"])
    ]
    message: Annotated[
        str, Described(description="What is allowed.", examples=["must be an integer from 10 to 150"])
    ]


class ProblemBody(TypedDict):
    """Why something failed, as RFC 9457 describes problems; it never repeats a prompt."""

    type: Annotated[str, Described(description="A URI that stands for the code.")]
    title: Annotated[str, Described(description="The code in words.", examples=["A parameter is not valid"])]
    status: Annotated[
        int, Described(minimum=400, maximum=599, description="The HTTP status.", examples=[400])
    ]
    code: Annotated[str, Described(description="A stable name for programs.", examples=["invalid_parameter"])]
    detail: Annotated[
        str,
        Described(
            description="One sentence for people.", examples=["steps must be an integer from 10 to 150."]
        ),
    ]
    request_id: Annotated[str, Described(description="The id of this request in the service's logs.")]
    retryable: Annotated[bool, Described(description="Whether the same request can work later.")]
    charged: Charged
    errors: NotRequired[
        Annotated[
            list[FieldErrorBody],
            Described(maxItems=MAX_FIELD_ERRORS, description="The fields at fault, the first ten."),
        ]
    ]


class GenerationDetailBody(TypedDict):
    """A generation in any state; a failed one says why in `error`."""

    id: GenerationId
    status: Status
    created_at: CreatedAt
    cost_usd: CostUsd
    request: Annotated[
        dict[str, Any],
        Described(description="The contract's parameters as resolved, with defaults and the seed."),
    ]
    result: NotRequired[Result]
    model: NotRequired[ModelId]
    ignored_parameters: NotRequired[IgnoredParameters]
    artifacts: NotRequired[
        Annotated[
            list[ArtifactBody], Described(description="The image, with a fresh URL; present if it succeeded.")
        ]
    ]
    error: NotRequired[Annotated[ProblemBody, Described(description="Why it failed; present if it failed.")]]


class TotalsBody(TypedDict):
    """What the generations of one page come to."""

    images: Annotated[int, Described(minimum=0, description="How many of them succeeded.", examples=[19])]
    cost_usd: Annotated[
        float, Described(minimum=0, description="The sum of their `cost_usd`.", examples=[0.76])
    ]


class HistoryBody(TypedDict):
    """One page of the caller's generations, newest first; failed ones are listed as well."""

    generations: Annotated[list[GenerationDetailBody], Described(description="At most `limit` generations.")]
    totals: Annotated[TotalsBody, Described(description="What this page comes to.")]
    next_cursor: Annotated[
        str | None, Described(description="Send it as `cursor` for the next page; null on the last.")
    ]


class UsageDayBody(TypedDict):
    """What was counted for the caller on one day."""

    date: Annotated[
        str,
        Described(description="The day, in UTC.", examples=["2026-11-03"], format="date"),
    ]
    images: Annotated[
        int, Described(minimum=0, description="Images, and those that may have been paid.", examples=[19])
    ]
    usd: Annotated[
        float,
        Described(minimum=0, description="US dollars, by the prices in `GET /models`.", examples=[0.76]),
    ]


class UsageLimitsBody(TypedDict):
    """The limits that hold for the caller; null is no limit."""

    daily_images_per_caller: Annotated[int | None, Described(description="The caller's images a day.")]
    daily_usd_per_caller: Annotated[float | None, Described(description="The caller's US dollars a day.")]
    images_per_minute_per_caller: Annotated[
        int | None, Described(description="The caller's images a minute.")
    ]
    queued_jobs_per_caller: Annotated[
        int | None, Described(description="The caller's unfinished asynchronous generations of one day.")
    ]
    daily_images: Annotated[int | None, Described(description="The images a day of all callers together.")]
    daily_usd: Annotated[float | None, Described(description="The US dollars a day of all callers together.")]


class UsageRemainingBody(TypedDict):
    """What the caller may still spend until midnight UTC; null is no limit."""

    images: Annotated[int | None, Described(description="Images.", examples=[81])]
    usd: Annotated[float | None, Described(description="US dollars.", examples=[13.24])]


class UsageBody(TypedDict):
    """What the caller used, day by day, and what is left of today."""

    days: Annotated[list[UsageDayBody], Described(minItems=1, description="Today first.")]
    limits: UsageLimitsBody
    remaining: UsageRemainingBody


class HealthBody(TypedDict):
    """Says that the service runs."""

    status: Annotated[Literal["ok"], Described(description="The function started and is configured.")]


def problem(error: ImagegenError, *, request_id: str) -> ProblemBody:
    """Return an error as a problem (RFC 9457); `problems.py` makes it the body of a reply."""
    kind = error.kind
    members: ProblemBody = {
        "type": PROBLEM_TYPE + kind.code,
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": error.detail[:_MAX_DETAIL],
        "request_id": request_id,
        "retryable": error.may_be_repeated,
        "charged": error.paid,
    }
    if error.errors:
        members["errors"] = [
            {"field": item.field[:_MAX_FIELD], "message": item.message[:_MAX_MESSAGE]}
            for item in error.errors[:MAX_FIELD_ERRORS]
        ]
    return members


def accepted(generation: Generation) -> AcceptedBody:
    """Return the body of a 202."""
    return {
        "id": generation.id,
        # No route shows a deleted generation, so the state is one of those that are shown.
        "status": cast("ShownState", generation.state),
        "created_at": timestamp(generation.created_at),
    }


def succeeded(generation: Generation, signed: SignedUrl) -> GenerationBody:
    """Return the body of a 200: a generation with its image."""
    image = generation.image
    if image is None:
        raise ValueError(f"{generation.id} has no image")
    return {
        "id": generation.id,
        "status": "succeeded",
        "result": "success",
        "model": image.model,
        "created_at": timestamp(generation.created_at),
        "cost_usd": usd(generation.cost),
        "ignored_parameters": list(generation.ignored),
        "artifacts": [
            {
                "seed": image.seed,
                "finishReason": "SUCCESS",
                "url": signed.url,
                "expires_at": timestamp(signed.expires_at),
                "content_type": image.content_type,
                "width": image.width,
                "height": image.height,
                "bytes": image.bytes,
                "sha256": image.sha256,
            }
        ],
    }


def full(generation: Generation, signed: SignedUrl | None, *, request_id: str) -> GenerationDetailBody:
    """Return a generation in any state, with the request's parameters as resolved.

    Pass `signed` if, and only if, the generation succeeded.
    """
    request = _request(generation.request)
    members: GenerationDetailBody
    if signed is None:
        begun = accepted(generation)
        members = {
            "id": begun["id"],
            "status": begun["status"],
            "created_at": begun["created_at"],
            "cost_usd": usd(generation.cost),
            "request": request,
        }
    else:
        made = succeeded(generation, signed)
        members = {
            "id": made["id"],
            "status": made["status"],
            "result": made["result"],
            "model": made["model"],
            "created_at": made["created_at"],
            "cost_usd": made["cost_usd"],
            "ignored_parameters": made["ignored_parameters"],
            "artifacts": made["artifacts"],
            "request": request,
        }
    if generation.failure is not None:
        members["error"] = problem(generation.failure.error(), request_id=request_id)
    return members


def history(generations: list[GenerationDetailBody], *, next_cursor: str | None) -> HistoryBody:
    """Return one page of a caller's generations."""
    # Summed in micro-dollars, because a sum of floats would show its rounding.
    micro = sum(round(one["cost_usd"] * MICRO) for one in generations)
    images = sum(one["status"] == "succeeded" for one in generations)
    return {
        "generations": generations,
        "totals": {"images": images, "cost_usd": usd(micro)},
        "next_cursor": next_cursor,
    }


def usage(used: Usage) -> UsageBody:
    """Return what a caller used."""
    limits = used.limits
    return {
        "days": [
            {"date": date_, "images": counted.images, "usd": usd(counted.micro_usd)}
            for date_, counted in used.days
        ],
        "limits": {
            "daily_images_per_caller": limits.daily_images_per_caller,
            "daily_usd_per_caller": _usd_or_none(limits.daily_micro_usd_per_caller),
            "images_per_minute_per_caller": limits.images_per_minute_per_caller,
            "queued_jobs_per_caller": limits.queued_jobs_per_caller,
            "daily_images": limits.daily_images,
            "daily_usd": _usd_or_none(limits.daily_micro_usd),
        },
        "remaining": {
            "images": used.remaining.images,
            "usd": _usd_or_none(used.remaining.micro_usd),
        },
    }


def usd(micro: int) -> float:
    """Return micro-dollars as dollars."""
    return micro / MICRO


def _usd_or_none(micro: int | None) -> float | None:
    return None if micro is None else usd(micro)


def health() -> HealthBody:
    """Return the body that says that the service runs."""
    return {"status": "ok"}


def timestamp(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _request(request: GenerationRequest) -> dict[str, Any]:
    output_format = request.task.content_type.removeprefix("image/")
    members = request.task.parameters() | {"strict": request.strict, "output_format": output_format}
    for name, value in (("model", request.model), ("webhook_url", request.webhook_url)):
        if value is not None:
            members[name] = value
    return members
