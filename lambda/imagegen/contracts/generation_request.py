"""One request inside the service: the task, and this service's own members beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from imagegen.contracts.text_to_image.parameters import TextToImage


class Task(Protocol):
    """What is to be made: the parameters of one kind of task, defaults filled in."""

    @property
    def kind(self) -> str:
        """The task's name in records and in the table of translators of a dialect."""
        ...

    @property
    def seed(self) -> int:
        """The seed, or 0 if the service is to choose one."""
        ...

    @property
    def content_type(self) -> str:
        """The media type that the image will have."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Return the task as its contract's JSON object."""
        ...

    def with_seed(self, seed: int) -> Task:
        """Return the same task with another seed."""
        ...

    def emptied(self) -> Task:
        """Return a task of this kind without anything that the caller wrote."""
        ...


TASKS: Final[Mapping[str, Callable[[Mapping[str, Any]], Task]]] = {
    TextToImage.kind: TextToImage.from_parameters,
}
"""How a record's task is read again, by its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What a caller asks of this service: the task, and our own members beside it.

    `model` pins one model. `strict` refuses what the model would ignore or approximate. `webhook_url` is called when
    an asynchronous generation has ended.
    """

    task: Task
    model: str | None = None
    strict: bool = False
    webhook_url: str | None = None


def fingerprint(request: GenerationRequest) -> str:
    """Return the SHA-256, in hex, of everything in the request that decides the image.

    Two bodies that differ in notation, order or explicit defaults have the same one; the webhook has no part in it.
    """
    # Keys outlive a release: text to image keeps the members that its first fingerprints were made of.
    meaning = {"image": request.task.parameters(), "model": request.model, "strict": request.strict}
    if request.task.kind != TextToImage.kind:
        meaning["kind"] = request.task.kind
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
