"""The words for a field's allowed values follow from the field's definition."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagegen.contracts.fields import OneOf, Words, field_errors
from imagegen.contracts.text_to_image import schema
from imagegen.errors import FieldError
from imagegen.http.compat.openai import images_request


class Leaf(BaseModel):
    """An object inside the test's body."""

    model_config = ConfigDict(extra="forbid")

    colour: Annotated[str, OneOf(("green", "brown"))]
    veins: int = 3


class Tree(BaseModel):
    """A body of a contract that exists only in this test."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    rings: Annotated[int, Field(ge=1, le=4_294_967_295)]
    one: Annotated[int, Field(ge=1, le=1)] = 1
    age: int = 0
    height: Annotated[float, Field(ge=0.0, le=35.5)] = 1.0
    girth: float = 1.0
    alive: bool = True
    name: str = ""
    kind: Annotated[str, Field(max_length=5)] = ""
    place: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    season: Literal["spring", "autumn"] | None = None
    notes: dict[str, Any] = Field(default_factory=dict)
    leaves: Annotated[list[Leaf], Field(min_length=1, max_length=10)] = Field(default_factory=list)
    leaf: Leaf | None = None
    bark: Annotated[str, Words("rough")] = ""


WORDS = {
    "rings": "an integer from 1 to 4294967295",
    "one": "the integer 1",
    "age": "an integer",
    "height": "a number from 0 to 35.5",
    "girth": "a finite number",
    "alive": "true or false",
    "name": "a string",
    "kind": "a string of at most 5 characters",
    "place": "a string of 1 to 256 characters",
    "season": "one of spring, autumn",
    "notes": "an object",
    "leaves": "an array of 1 to 10 items",
    "leaf": "an object with colour and, optionally, veins",
    "bark": "rough",
}


@pytest.mark.parametrize("name", Tree.model_fields)
def test_the_words_follow_type_bounds_lengths_and_choices(name: str) -> None:
    """A field may also bring its own words."""
    _, invalid = errors_of(**{"rings": 1, name: object()})
    assert invalid == [FieldError(field=name, message=f"must be {WORDS[name]}")]


@pytest.mark.parametrize("body", [schema.RequestBody, schema.PromptBody, images_request.ImagesBody])
def test_every_field_of_a_body_has_words(body: type[BaseModel]) -> None:
    """A field of a type without words is a defect, and this test finds it before a request does."""
    with pytest.raises(ValidationError) as caught:
        body.model_validate(dict.fromkeys(body.model_fields, object()))
    _, invalid = field_errors(caught.value, body)
    assert {error.field: error.message.startswith("must be ") for error in invalid} == dict.fromkeys(
        body.model_fields, True
    )


def errors_of(**members: Any) -> tuple[list[FieldError], list[FieldError]]:
    """Return the unknown and the invalid fields of a refused tree."""
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(members)
    unknown, invalid = field_errors(caught.value, Tree)
    return list(unknown), list(invalid)


def test_errors_are_worded_by_the_body_that_they_are_of() -> None:
    """Errors at the top, in a list and inside an object have the words of that body's fields."""
    unknown, invalid = errors_of(
        alive=1, season="x", leaves=[{"colour": "red"}, 5], leaf={"colour": "green", "vein": 1}, ring=2
    )
    assert [(error.field, error.message) for error in unknown] == [
        ("leaf.vein", "is not a parameter (did you mean veins?)"),
        ("ring", "is not a parameter (did you mean rings?)"),
    ]
    assert {error.field: error.message for error in invalid} == {
        "rings": "is required and must be an integer from 1 to 4294967295",
        "alive": "must be true or false",
        "season": "must be one of spring, autumn",
        "leaves[0].colour": "must be one of green, brown",
        "leaves[1]": "must be an object with colour and, optionally, veins",
    }


def test_an_error_outside_every_field_is_the_bodys() -> None:
    """An error that belongs to no field names `body`."""
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate([])
    assert field_errors(caught.value, Tree)[1] == [
        FieldError(field="body", message="must be an object whose names are Unicode text")
    ]
