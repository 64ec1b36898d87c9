"""The published schemas of reply bodies are complete, and allow null only for required members."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from imagegen.http import model_bodies, problems, serialize

BODIES = [
    serialize.ArtifactBody,
    serialize.GenerationBody,
    serialize.GenerationDetailBody,
    serialize.AcceptedBody,
    serialize.HistoryBody,
    model_bodies.ModelsBody,
    model_bodies.ModelBody,
    model_bodies.LifecycleBody,
    serialize.ProblemBody,
    serialize.FieldErrorBody,
    problems.ProblemReplyBody,
    problems.ErrorMembersBody,
]


def published(body: type) -> dict[str, Any]:
    """Return the JSON Schema of a reply body."""
    return TypeAdapter(body).json_schema()


@pytest.mark.parametrize("body", BODIES)
def test_every_member_is_described(body: type) -> None:
    """Every member has a description, or refers to a schema that has one."""
    fields = published(body)["properties"]
    assert not [name for name, field in fields.items() if "description" not in field and "$ref" not in field]


@pytest.mark.parametrize("body", BODIES)
def test_a_member_that_may_be_left_out_is_never_null(body: type) -> None:
    """Only required members may be null."""
    schema = published(body)
    optional = [field for name, field in schema["properties"].items() if name not in schema["required"]]
    assert not [field for field in optional if "null" in json.dumps(field)]


def test_the_members_are_those_of_the_contract() -> None:
    """Names and spelling are what clients rely on."""
    assert list(published(serialize.GenerationBody)["properties"]) == [
        "id",
        "status",
        "result",
        "model",
        "created_at",
        "cost_usd",
        "ignored_parameters",
        "artifacts",
    ]
    assert list(published(serialize.ArtifactBody)["properties"]) == [
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
    problem = published(serialize.ProblemBody)
    assert list(problem["properties"]) == [*problem["required"], "errors"]
    assert problem["required"] == [
        "type",
        "title",
        "status",
        "code",
        "detail",
        "request_id",
        "retryable",
        "charged",
    ]
    assert problem["properties"]["errors"]["maxItems"] == 10
    sent = published(problems.ProblemReplyBody)
    assert set(sent["required"]) == {*problem["required"], "message", "error"}
    assert set(sent["properties"]) == {*sent["required"], "errors", "id", "name"}
