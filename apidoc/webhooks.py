"""Describes the call-backs: what a receiver gets, and what its response means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from apidoc.examples import example_generation
from apidoc.tags import WEBHOOKS
from imagegen.adapters.webhook import payload
from imagegen.generations.generation import ID_PATTERN, MAX_WEBHOOK_TRIES


class CallbackDataBody(TypedDict):
    """Which generation ended, and how."""

    id: Annotated[str, Field(description="The generation's id.", pattern=f"^{ID_PATTERN}$")]
    status: Literal["succeeded", "failed"]
    code: NotRequired[Annotated[str, Field(description="If it failed: the error's code.")]]


class CallbackBody(TypedDict):
    """A call-back: it carries neither the prompt nor a URL."""

    type: Literal["generation.succeeded", "generation.failed"]
    timestamp: Annotated[
        str, Field(description="When the generation ended.", json_schema_extra={"format": "date-time"})
    ]
    data: CallbackDataBody


_SIGNED: Final[Mapping[str, tuple[str, str]]] = {
    "webhook-id": (
        "The id of the call-back; it stays the same when the call-back is sent again.",
        "msg_gen_3nq7v5kd2wzr6xj4tm5yhb2c7a_succeeded",
    ),
    "webhook-timestamp": ("When this was sent, in seconds since 1970.", "1793697678"),
    "webhook-signature": (
        "`v1,` and the HMAC-SHA256, in base64, of `{webhook-id}.{webhook-timestamp}.{body}`.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


def webhooks(reference: str) -> dict[str, Any]:
    """Return the member `webhooks` of the document; `reference` leads to the schema of the body."""
    return {
        "generationEnded": {
            "post": {
                "operationId": "generationEnded",
                "tags": [WEBHOOKS],
                "summary": "Hear that a generation has ended",
                "description": "Sent to the `webhook_url` of an asynchronous request; signed by the Standard "
                "Webhooks specification. Verify it with the deployment's webhook secret before you trust it.",
                # It is the receiver who is called, with a signature in place of a key.
                "security": [],
                "parameters": [
                    {
                        "name": name,
                        "in": "header",
                        "required": True,
                        "description": description,
                        "schema": {"type": "string"},
                        "example": example,
                    }
                    for name, (description, example) in _SIGNED.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"$ref": reference},
                            "example": payload(example_generation()),
                        }
                    },
                },
                "responses": {
                    "2XX": {"description": "The receiver has the call-back."},
                    "410": {"description": "The receiver wants no further one."},
                    "default": {
                        "description": f"It is sent again, at most {MAX_WEBHOOK_TRIES} times in all; not if it "
                        "tells of a failure that cost nothing."
                    },
                },
            }
        }
    }
