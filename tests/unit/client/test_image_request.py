"""A request has every field of the contract, and only those that were given."""

from __future__ import annotations

from imagegen.contracts.text_to_image import parameters
from imagegen.contracts.text_to_image.schema import RequestBody
from imagegen.generations.image_formats import FORMATS
from imagegen_client import ImageRequest, Prompt
from imagegen_client.image_request import FIELDS, SUFFIXES


def test_a_request_has_the_fields_of_the_service() -> None:
    """A field that the service learns has to be added here."""
    assert {"text_prompts", *FIELDS} == set(RequestBody.model_fields)
    assert set(parameters.PARAMETERS) <= {"text_prompts", *FIELDS}


def test_files_have_the_suffixes_of_the_service() -> None:
    """The bucket, a browser and the command name an image alike."""
    assert {name: each.suffix for name, each in FORMATS.items()} == SUFFIXES
    assert [ImageRequest(prompt="", output_format=name).suffix for name in (None, "jpeg", "webp")] == [
        *(".png", ".jpg", ".webp"),
    ]


def test_only_what_was_given_is_sent() -> None:
    """A zero and a false are given."""
    request = ImageRequest(prompt="", seed=0, strict=False, extras={})
    assert request.body() == {"text_prompts": [{"text": ""}], "seed": 0, "strict": False, "extras": {}}


def test_what_to_avoid_has_the_weight_minus_one() -> None:
    """It stands after what to draw."""
    request = ImageRequest(prompt=[Prompt(text="tea"), Prompt(text="mist", weight=0.5)], negative=["people"])
    assert request.body()["text_prompts"] == [
        {"text": "tea"},
        {"text": "mist", "weight": 0.5},
        {"text": "people", "weight": -1.0},
    ]
