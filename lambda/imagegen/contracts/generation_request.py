"""The generation request: a task, and three fields of our own beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from imagegen.contracts.text_to_image.parameters import TextToImage


class Task(Protocol):
    """What one generation has to make: the parameters of one kind, defaults filled in."""

    @property
    def kind(self) -> str:
        """The name of this kind of task, in records and in the translators of a dialect."""
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

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Task:
        """Return the task that `parameters()` described."""
        ...


TASKS: Final[Mapping[str, type[Task]]] = {
    TextToImage.kind: TextToImage,
}
"""The functions that read a record's task, by its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """The task together with three fields of our own.

    `model` pins one model. `strict` refuses the request if the model would ignore or approximate a parameter.
    `webhook_url` is called when an asynchronous generation has ended.
    """

    task: Task
    model: str | None = None
    strict: bool = False
    webhook_url: str | None = None


def fingerprint(request: GenerationRequest) -> str:
    """Return the SHA-256, in hex, of everything in the request that decides the image.

    Two bodies that differ in notation, order or explicit defaults have the same fingerprint. The webhook does not
    count.
    """
    # Idempotency keys outlive a release, so text to image keeps the member names of its first fingerprints. Another
    # name would turn a repeated request into an `idempotency_conflict`.
    meaning = {"image": request.task.parameters(), "model": request.model, "strict": request.strict}
    if request.task.kind != TextToImage.kind:
        meaning["kind"] = request.task.kind
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
