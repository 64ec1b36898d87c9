"""The type of a dialect: a translator for each kind of task, and one function that reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from imagegen.errors import FieldError, UnsupportedParameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A task translated into a dialect.

    `ignored` names the parameters that the caller set to other than their default and that have no effect on this
    model; `approximated` names those that are translated into something near. Both are in the contract's order. `seed`
    is the seed in the body.
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
    """Reads an answer of a dialect."""

    def __call__(self, answer: bytes, *, seed: int | None = None) -> tuple[Artifact, ...]:
        """Return the images of an answer to a request that sent `seed`.

        If the answer has no seed, or 0, the seed that was sent counts.

        Raises:
            ContentFiltered: a filter stopped the prompt or the image.
            BadModelResponse: the answer holds no images, or cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Translator:
    """Translates one kind of task for a family of models.

    `translate` takes a task of its kind. For a valid task it raises nothing but `UnsupportedParameter`, if the family
    has a hard limit of its own. `honours` names the parameters that have an effect; `approximates` names those of them
    that may be translated into something near. `output_formats` are the file formats that the family draws.
    """

    translate: Callable[[Any], Translation]
    honours: tuple[str, ...]
    approximates: tuple[str, ...] = ()
    output_formats: tuple[str, ...] = ("png",)


def refuse_other_formats(output_format: str, *, drawn: tuple[str, ...]) -> None:
    """Make sure that a family draws a file format; nothing here encodes an image again.

    Raises:
        UnsupportedParameter: it does not.
    """
    # Refused and not ignored: see docs/decisions/0023-only-a-model-that-draws-the-format-serves.md.
    if output_format not in drawn:
        message = f"must be {' or '.join(drawn)} for this model"
        raise UnsupportedParameter(
            "The model does not draw files of this output_format.",
            errors=(FieldError(field="output_format", message=message),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of models is spoken to: a translator for each kind of task that it can do."""

    name: str
    translators: Mapping[str, Translator]
    artifacts: ReadArtifacts
