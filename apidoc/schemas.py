"""The JSON Schema of every body: requests from their pydantic models, replies from their TypedDicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from apidoc.operations import DESCRIBED, OpenApiBody, Operation
from apidoc.shapes import SHAPES
from apidoc.webhooks import CallbackBody
from imagegen.errors import error_types
from imagegen.http import problems, serialize

REF: Final = "#/components/schemas/"


@cache
def schemas() -> dict[str, Any]:
    """Return every schema by its title; the same object for each call."""
    replies = {success.body for operation in DESCRIBED for success in operation.successes if success.body}
    requests = {operation.request for operation in DESCRIBED if operation.request}
    failures = {shape.error_body for shape in SHAPES.values()}
    # A set has no fixed order, and the document must come out the same each time.
    bodies = sorted({CallbackBody, *replies, *requests, *failures}, key=lambda body: body.__name__)
    _, generated = TypeAdapter.json_schemas(
        [(body, "validation", TypeAdapter(body)) for body in bodies], ref_template=REF + "{model}"
    )
    by_title = _titled(generated["$defs"])
    for operation in DESCRIBED:
        if operation.request is not None and operation.without:
            narrowed = _narrowed(by_title[title_of(operation.request)], operation)
            if operation.takes_null:
                narrowed = _nullable(narrowed, by_title)
            by_title[request_title(operation)] = narrowed
    # The TypedDicts say only `str`, because the codes are the error classes themselves.
    for body in (serialize.ProblemBody, problems.ProblemReplyBody, problems.ErrorMembersBody):
        code = by_title[title_of(body)]["properties"]["code"]
        code["enum"] = [kind.kind.code for kind in error_types()]
    return dict(sorted(by_title.items()))


def title_of(body: type) -> str:
    """Return the name of a body in the document."""
    own = body.model_config.get("title") if issubclass(body, BaseModel) else None
    return own or body.__name__.removesuffix("Body")


def request_title(operation: Operation) -> str:
    """Return the name in the document of the body that an operation takes."""
    if operation.request is None:
        raise ValueError(f"{operation.name} takes no body")
    return operation.request_title or title_of(operation.request)


def _titled(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions under their titles, and close them: no reply has a member that is not listed."""
    # The names end in Body in the code, apart from the dataclasses of the same things. Clients see them without it.
    titles = {name: schema["title"].removesuffix("Body") for name, schema in definitions.items()}
    # References are deep inside, and each is a text that occurs nowhere else, so they are replaced in the text.
    text = json.dumps(definitions)
    for name, title in titles.items():
        text = text.replace(f'"{REF}{name}"', f'"{REF}{title}"')
    return {
        titles[name]: {
            # Only the OpenAPI document itself has more members than are described.
            "additionalProperties": titles[name] == title_of(OpenApiBody),
            **_defaults_in_words(schema),
            "title": titles[name],
        }
        for name, schema in json.loads(text).items()
    }


def _defaults_in_words(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Say in words what a field's default is.

    Generators take a field with a `default` for one that is always there, and make it required (openapi-typescript), or
    send it in every request (openapi-python-client).
    """
    told = deepcopy(dict(schema))
    for field in told.get("properties", {}).values():
        default = field.pop("default", None)
        # Null is the default of fields that count as absent then, so there is nothing to say.
        if default is not None:
            field["description"] += f" Default: {json.dumps(default)}."
    return told


def _narrowed(schema: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
    kept = {name: value for name, value in schema["properties"].items() if name not in operation.without}
    return {
        **schema,
        "title": request_title(operation),
        "description": operation.summary,
        "properties": kept,
    }


def _nullable(schema: Mapping[str, Any], by_title: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the contract's body in which null stands for an absent field, also in a prompt."""
    required, absent = schema["required"], {"type": "null"}

    def or_null(properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value if name in ("text", *required) else {"anyOf": [value, absent]}
            for name, value in properties.items()
        }

    prompt = by_title["Prompt"]
    properties = or_null(schema["properties"])
    items = {**prompt, "title": "PromptOfStability", "properties": or_null(prompt["properties"])}
    properties["text_prompts"] = {**properties["text_prompts"], "items": items}
    # The rule of the sizes wants both sides or neither; here a side that is null counts as absent.
    pairs = schema["dependentSchemas"]["width"]["anyOf"]
    both = [{**pair, "required": ["width", "height"]} for pair in pairs]
    neither = {"properties": {"width": absent, "height": absent}}
    sides = {"anyOf": [neither, *both]}
    kept = {name: value for name, value in schema.items() if name != "dependentRequired"}
    return {**kept, "properties": properties, "dependentSchemas": {"width": sides, "height": sides}}
