"""The groups of operations that tools show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GENERATIONS: Final = "Generations"
DEPLOYMENT: Final = "Deployment"
OPENAI: Final = "OpenAI"
STABILITY: Final = "Stability"
BEDROCK: Final = "Bedrock"
WEBHOOKS: Final = "Webhooks"

TAGS: Final[Mapping[str, str]] = {
    GENERATIONS: "Make images, look them up, list them, remove them.",
    DEPLOYMENT: "What the deployment offers, and whether it runs.",
    OPENAI: "Routes for OpenAI's clients, in OpenAI's shapes.",
    STABILITY: "Routes for Stability's clients, in the shapes of its v1 REST API.",
    BEDROCK: "Routes for clients of Amazon Bedrock's runtime, in its shapes.",
    WEBHOOKS: "What a receiver of call-backs gets.",
}
"""Each tag with its description, in the order in which tools show them."""
