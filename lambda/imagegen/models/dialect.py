"""What every dialect is: a translator for each kind of task, and one function that reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A task translated into a dialect.

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
    """One image out of a model's answer: its bytes, not yet checked, and the seed that made it, if one is known."""

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
class Translator:
    """How one kind of task is put into a family's words.

    `translate` takes the task of its kind. It never fails on a valid one, except with `UnsupportedParameter` where the
    family has a hard limit of its own. `honours` are the parameters that have an effect, `approximates` those of them
    that may be translated into something near.
    """

    translate: Callable[[Any], Translation]
    honours: tuple[str, ...]
    approximates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of models is spoken to: a translator for each kind of task that it can do."""

    name: str
    translators: Mapping[str, Translator]
    artifacts: ReadArtifacts
