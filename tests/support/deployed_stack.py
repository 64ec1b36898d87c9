"""The deployed stack and its stand-in model, as callers and the operator see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.aws import client_options
from local.certificates import trust
from local.state import State

TIMEOUT = 120.0


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The stack on the emulator: every member of `state.json`, and clients for it; `page_url` is a page it allows."""

    state: State
    folder: Path
    page_url: str = ""

    @property
    def ca_bundle(self) -> Path | None:
        """The authority that signed the emulator's certificate in strict mode."""
        return Path(self.state.ca_bundle) if self.state.ca_bundle else None

    def client(self, *, api_key: str | None = None) -> httpx.Client:
        """Return a client of the API; without a key it can also fetch presigned URLs."""
        return httpx.Client(
            base_url=self.state.api_url,
            headers={"x-api-key": api_key} if api_key else None,
            verify=trust(self.ca_bundle),
            trust_env=False,
            timeout=TIMEOUT,
        )

    def aws(self) -> dict[str, Any]:
        """Return the arguments for `boto3.client(service, **stack.aws())`, which has the operator's rights."""
        return client_options(endpoint_url=self.state.aws_endpoint_url, ca_bundle=self.ca_bundle)


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """The control routes of the stand-in model (docs/local.md)."""

    client: httpx.Client

    def set_rules(self, *rules: Mapping[str, Any]) -> None:
        """Set rules for the calls to come."""
        self.client.post("/_control/rules", json={"rules": list(rules)}).raise_for_status()

    def paint_once(self) -> None:
        """Paint one picture for each size, and use it for every call; for tests that look at no picture closely."""
        self.client.post("/_control/rules", json={"instant": True, "rules": []}).raise_for_status()

    def calls(self, *, prompt: str = "") -> dict[str, Any]:
        """Return the call log since the last reset, for the calls whose prompt contains `prompt`."""
        answer = self.client.get("/_control/calls", params={"prompt": prompt}).raise_for_status()
        report: dict[str, Any] = answer.json()
        return report

    def reset(self) -> None:
        """Drop the rules and the call log."""
        self.client.post("/_control/reset").raise_for_status()
