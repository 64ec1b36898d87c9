"""What every dialect is: two pure functions and the parameters that they translate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from imagegen.contracts.text_to_image.parameters import PARAMETERS, TextToImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A request in a model's own words.

    `ignored` names the parameters that the caller set to other than their default and that have no effect on this
    model; `approximated` those that are translated into something near. `seed` is the one in the body. Both are in
    the contract's order.
    """

    body: dict[str, Any]
    seed: int
    ignored: tuple[str, ...] = ()
    approximated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One image out of a model's answer: its bytes, not yet checked, and the seed that drew it, if one is known."""

    image: bytes = field(repr=False)
    seed: int | None


class ReadArtifacts(Protocol):
    """How a dialect reads an answer."""

    def __call__(self, answer: bytes, *, seed: int | None = None) -> tuple[Artifact, ...]:
        """Return the images of an answer to a request that sent `seed`.

        The seed that was sent is reported where the answer has none: in a filtered answer, or as 0.

        Raises:
            ContentFiltered: a filter stopped the prompt or the image.
            BadModelResponse: the answer is anything else than images.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of models is spoken to.

    `translate` never fails on a valid request, except with `UnsupportedParameter` where the family has a hard
    limit of its own. `honours` are the contract's parameters that have an effect, `approximates` those of them
    that may be translated into something near.
    """

    name: str
    translate: Callable[[TextToImage], Translation]
    artifacts: ReadArtifacts
    honours: tuple[str, ...]
    approximates: tuple[str, ...] = ()


def beyond_default(request: TextToImage, names: Iterable[str]) -> set[str]:
    """Return those of `names` whose value in the request differs from the contract's default."""
    default = TextToImage(text_prompts=())
    return {name for name in names if getattr(request, name) != getattr(default, name)}


def in_contract_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return parameters in the order in which the contract lists them."""
    return tuple(sorted(names, key=PARAMETERS.index))
