"""The published shapes of answers are complete, and say null only where null is a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from imagegen.http import responses

if TYPE_CHECKING:
    from pydantic import BaseModel

BODIES = [
    responses.ArtifactBody,
    responses.GenerationBody,
    responses.GenerationDetailBody,
    responses.AcceptedBody,
    responses.HistoryBody,
    responses.ModelsBody,
    responses.ModelBody,
    responses.LifecycleBody,
    responses.ProblemBody,
    responses.FieldErrorBody,
]


def published(body: type[BaseModel]) -> dict[str, Any]:
    """Return a body's JSON Schema as an answer has it."""
    return body.model_json_schema(mode="serialization")


@pytest.mark.parametrize("body", BODIES)
def test_every_member_is_described(body: type[BaseModel]) -> None:
    """A reader of the document needs no other; a member that is a shape of its own is described there."""
    fields = published(body)["properties"]
    assert not [name for name, field in fields.items() if "description" not in field and "$ref" not in field]


@pytest.mark.parametrize("body", BODIES)
def test_a_member_that_may_be_left_out_is_never_null(body: type[BaseModel]) -> None:
    """Only required members may be null."""
    schema = published(body)
    optional = [field for name, field in schema["properties"].items() if name not in schema["required"]]
    assert not [field for field in optional if "null" in json.dumps(field)]


def test_the_members_are_those_of_the_contract() -> None:
    """Names and spelling are what clients rely on."""
    assert list(published(responses.GenerationBody)["properties"]) == [
        "id",
        "status",
        "result",
        "model",
        "created_at",
        "ignored_parameters",
        "artifacts",
    ]
    assert list(published(responses.ArtifactBody)["properties"]) == [
        "seed",
        "finishReason",
        "url",
        "expires_at",
        "content_type",
        "width",
        "height",
        "bytes",
        "sha256",
    ]
    problem = published(responses.ProblemBody)
    assert list(problem["properties"]) == [*problem["required"], "errors"]
    assert problem["required"] == ["type", "title", "status", "code", "detail", "request_id", "retryable"]
    assert problem["properties"]["errors"]["maxItems"] == 10
