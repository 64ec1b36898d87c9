"""The fingerprint of a request depends on its kind and on everything that changes the image."""

from __future__ import annotations

from typing import Any

from imagegen.contracts.generation_request import GenerationRequest, fingerprint
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage

TEA = TextToImage(text_prompts=(Prompt(text="tea"),))


class OtherKind:
    """A task with the parameters of text to image, and another name."""

    kind = "other"
    seed = 0
    content_type = "image/png"

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the tea."""
        return TEA.parameters()

    def with_seed(self, seed: int) -> OtherKind:  # noqa: ARG002 - the protocol's shape
        """Return the task unchanged."""
        return self

    def emptied(self) -> OtherKind:
        """Return the task unchanged."""
        return self

    @classmethod
    def from_parameters(cls, parameters: Any) -> OtherKind:  # noqa: ARG003 - the protocol's shape
        """Return a task, whatever the parameters are."""
        return cls()


def test_two_kinds_of_task_never_share_a_fingerprint() -> None:
    """Equal parameters of two kinds have two fingerprints, so one idempotency key cannot serve both kinds."""
    assert fingerprint(GenerationRequest(task=OtherKind())) != fingerprint(GenerationRequest(task=TEA))


def test_who_is_told_has_no_part_in_a_fingerprint() -> None:
    """Requests with and without `webhook_url` have the same fingerprint, because the image is the same."""
    told = GenerationRequest(task=TEA, webhook_url="https://example.com/")
    assert fingerprint(told) == fingerprint(GenerationRequest(task=TEA))
