"""The deployed functions write no prompt into their logs, however a request ends."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tests.support.deployed_stack import Stack, StandIn
from tests.support.quoting import asking, model_failures
from tests.support.stack_callers import awaited, logged, polled

if TYPE_CHECKING:
    import httpx


def test_the_deployed_functions_log_no_prompt(api: httpx.Client, stack: Stack, stand_in: StandIn) -> None:
    """Synchronous and asynchronous requests end in different ways, also with an answer that quotes the prompt."""
    prompt = f"kestrel{secrets.token_hex(12)}"
    rules = [
        {"prompt": f"{prompt} {name}", "action": action}
        for name, action in model_failures(prompt).items()
        if name in DEPLOYED_FAILURES
    ]
    stand_in.client.post("/_control/rules", json={"instant": True, "rules": rules}).raise_for_status()
    refused = [api.post("/text-to-image", json=asking(prompt, seed=prompt))]
    refused += [api.post("/text-to-image", json=asking(f"{prompt} {name}")) for name in DEPLOYED_FAILURES]
    queued = [
        api.post("/text-to-image", json=asking(text), headers={"Prefer": "respond-async"}).json()["id"]
        for text in (prompt, *(f"{prompt} {name}" for name in DEPLOYED_FAILURES))
    ]
    ended = [polled(api, id_) for id_ in queued]

    def look() -> list[str] | None:
        lines = logged(stack)
        return lines if all(any(id_ in line for line in lines) for id_ in queued) else None

    lines = awaited(look, "a line about each job")
    assert [generation["status"] for generation in ended] == ["succeeded", *["failed"] * 3]
    assert {answer.is_error for answer in refused} == {True}
    assert quoted(prompt, lines) == []
    assert quoted(prompt, [f"{answer.text} {answer.headers}" for answer in refused]) == []
    assert quoted(prompt, [json.dumps(generation.get("error")) for generation in ended]) == []


DEPLOYED_FAILURES: Final = ("ValidationException", "prompt filter", "a reason that quotes")


def quoted(prompt: str, texts: Sequence[str]) -> list[str]:
    """Return the texts that contain a prompt."""
    return [text for text in texts if prompt in text]
