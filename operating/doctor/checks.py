"""Every check, in the order in which they are run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from operating.doctor import account, capacity, deployment, models, preflights, quotas, service, webhooks
from operating.doctor.examined import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A check and its name. `locally` is why it means nothing on the emulator; empty if it means something."""

    name: str
    look: Check
    locally: str = ""


_LIMITS: Final = "The emulator has no limits of an account."
_MODELS: Final = "The models of the local service are not Bedrock's."

CLOCK: Final = Row(name="clock", look=account.clock, locally="The emulator goes by this machine's own clock.")
IDENTITY: Final = Row(name="credentials", look=account.credentials)
BEFORE: Final = (
    CLOCK,
    Row(name="bootstrap", look=account.bootstrap),
    Row(name="concurrency", look=capacity.concurrency, locally=_LIMITS),
    Row(
        name="gateway log role", look=capacity.log_role, locally="The emulator writes no logs of the gateway."
    ),
    Row(name="gateway time-out", look=capacity.gateway_timeout, locally=_LIMITS),
    Row(name="model lifecycle", look=models.lifecycle, locally=_MODELS),
    Row(name="model access", look=models.entitlement, locally=_MODELS),
    Row(name="model quota", look=quotas.requests, locally=_LIMITS),
)
"""What can be seen before there is a deployment."""
AFTER: Final = (
    Row(name="stack", look=deployment.stack),
    Row(name="settings", look=deployment.settings),
    Row(name="switches", look=deployment.switches),
    Row(name="health", look=service.health),
    Row(name="caller", look=service.key),
    Row(name="image URL", look=service.image_url),
    Row(name="preflights", look=preflights.preflights),
    Row(name="webhook signature", look=webhooks.signature),
)
"""What needs a deployed service."""
STACK: Final = AFTER[0].name
PROOF: Final = "proof"
WIDTH: Final = max(len(row.name) for row in (IDENTITY, *BEFORE, *AFTER))
