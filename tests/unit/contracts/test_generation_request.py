"""The fingerprint of a request: what it means for the image, and of which kind it is."""

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
        """Return those of the tea."""
        return TEA.parameters()

    def with_seed(self, seed: int) -> OtherKind:  # noqa: ARG002 - the protocol's shape
        """Return itself."""
        return self

    def emptied(self) -> OtherKind:
        """Return itself."""
        return self

    @classmethod
    def from_parameters(cls, parameters: Any) -> OtherKind:  # noqa: ARG003 - the protocol's shape
        """Return one."""
        return cls()


def test_two_kinds_of_task_never_share_a_fingerprint() -> None:
    """A key that was used for one of them is a conflict for the other, though their parameters are the same."""
    assert fingerprint(GenerationRequest(task=OtherKind())) != fingerprint(GenerationRequest(task=TEA))


def test_who_is_told_has_no_part_in_a_fingerprint() -> None:
    """The image is the same."""
    told = GenerationRequest(task=TEA, webhook_url="https://example.com/")
    assert fingerprint(told) == fingerprint(GenerationRequest(task=TEA))
