"""Writes the enabled models as the JSON members of the HTTP contract."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Final, Literal

from typing_extensions import TypedDict  # below Python 3.12, pydantic cannot read that of `typing`

from imagegen.contracts.text_to_image import parameters
from imagegen.http.described import Described
from imagegen.models.registry import STEPS_AT_FIRST_PRICE, ModelRef

EXAMPLE_MODEL: Final = "stability.stable-image-core-v1:1"
_DATE: Final[dict[str, Any]] = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}


class LifecycleBody(TypedDict):
    """When the vendor retires a model, as announced."""

    status: Annotated[Literal["active", "legacy", "end_of_life"], Described(description="Today's status.")]
    legacy_at: Annotated[
        str | None,
        Described(description="When it becomes legacy.", examples=["2024-10-16"], **_DATE),
    ]
    end_of_life_at: Annotated[
        str | None,
        Described(description="When it can no longer be called.", examples=["2025-05-20"], **_DATE),
    ]
    successor: Annotated[
        str | None, Described(description="The model that replaces it.", examples=[EXAMPLE_MODEL])
    ]


class PriceBody(TypedDict):
    """One price of a model."""

    max_steps: Annotated[
        int,
        Described(
            minimum=parameters.MIN_STEPS,
            maximum=parameters.MAX_STEPS,
            description="The most `steps` at this price.",
            examples=[50],
        ),
    ]
    usd: Annotated[float, Described(minimum=0, description="US dollars for one image.", examples=[0.04])]


class ModelBody(TypedDict):
    """One enabled model."""

    id: Annotated[str, Described(description="The value for `model` in a request.", examples=[EXAMPLE_MODEL])]
    name: Annotated[str, Described(description="The vendor's name.", examples=["Stable Image Core 1.1"])]
    default: Annotated[
        bool, Described(description="Whether it is the first choice of a request without `model`.")
    ]
    lifecycle: LifecycleBody
    region: Annotated[
        str, Described(description="The AWS region that it is called in.", examples=["us-west-2"])
    ]
    price_per_image: Annotated[
        float,
        Described(minimum=0, description="US dollars for one image of up to 50 steps.", examples=[0.04]),
    ]
    prices: Annotated[
        list[PriceBody], Described(minItems=1, description="Its prices by `steps`, the lowest first.")
    ]
    honours: Annotated[
        list[str],
        Described(
            description="The contract's parameters that have an effect on it, and `output_format` if it draws several.",
            examples=[["seed"]],
        ),
    ]
    output_formats: Annotated[
        list[str],
        Described(
            description="The values of `output_format` that it draws.",
            examples=[["png", "jpeg"]],
        ),
    ]


class ModelsBody(TypedDict):
    """The enabled models, in the order in which they are tried."""

    models: Annotated[list[ModelBody], Described(description="In the order in which they are tried.")]


def model(ref: ModelRef, *, default: bool, today: date) -> ModelBody:
    """Return one enabled model."""
    lifecycle = ref.lifecycle
    return {
        "id": ref.id,
        "name": ref.model.name,
        "default": default,
        "lifecycle": {
            "status": lifecycle.status(today),
            "legacy_at": _date(lifecycle.legacy_at),
            "end_of_life_at": _date(lifecycle.end_of_life_at),
            "successor": lifecycle.successor,
        },
        "region": ref.region,
        "price_per_image": ref.model.price.per_image,
        "prices": _prices(ref),
        "honours": _honours(ref),
        "output_formats": _output_formats(ref),
    }


def _prices(ref: ModelRef) -> list[PriceBody]:
    price = ref.model.price
    if price.above_50_steps is None:
        return [{"max_steps": parameters.MAX_STEPS, "usd": price.per_image}]
    return [
        {"max_steps": STEPS_AT_FIRST_PRICE, "usd": price.per_image},
        {"max_steps": parameters.MAX_STEPS, "usd": price.above_50_steps},
    ]


def _honours(ref: ModelRef) -> list[str]:
    # A model may do other tasks only; then no parameter of this contract has an effect on it.
    translator = ref.model.dialect.translators.get(parameters.TextToImage.kind)
    if translator is None:
        return []
    return [*translator.honours, *(["output_format"] if len(translator.output_formats) > 1 else [])]


def _output_formats(ref: ModelRef) -> list[str]:
    translator = ref.model.dialect.translators.get(parameters.TextToImage.kind)
    return [] if translator is None else list(translator.output_formats)


def models(refs: Iterable[ModelRef], *, today: date) -> ModelsBody:
    """Return the enabled models in their order; the default is the first one that has not reached its end of life."""
    listed = list(refs)
    # If every model has ended, the first one is still the first that is tried.
    living = [ref for ref in listed if ref.lifecycle.status(today) != "end_of_life"]
    default = (living or listed)[0]
    return {"models": [model(ref, default=ref is default, today=today) for ref in listed]}


def _date(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
