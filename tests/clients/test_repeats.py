"""One request is paid once: real clients that repeat by themselves, and a proxy that interrupts them.

`make clients` runs these tests. curl and wget are those of the machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.client_programs import Program, run
from tests.support.interrupting_proxy import interrupting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.deployed_stack import Stack, StandIn

PROMPT: Final = "Sri lanka tea plantation."
TAKES: Final = 6
"""Seconds that the model takes: longer than any client's first pause."""
IMPATIENT, PATIENT = 2, 60
"""Seconds that a client waits."""
FAULTS: Final = ("dropped connection", "502", "504", "own time-out")


Command = Callable[["Stack", str, int], list[str]]
"""Makes a client's command for a stack, a prompt, and the seconds that the client waits."""


def _program(name: str) -> Command:
    return lambda _, prompt, seconds: [*Program(name=name).install("impatient"), prompt, str(seconds)]


def _command(name: str, *options: str, body: str) -> Command:
    def command(stack: Stack, prompt: str, seconds: int) -> list[str]:
        found = shutil.which(name)
        assert found, f"This machine has no {name}; install it with the package manager."
        sent = json.dumps({"text_prompts": [{"text": prompt}]})
        filled = [option.format(seconds=seconds, authority=stack.ca_bundle) for option in options]
        headers = [f"x-api-key: {stack.state.api_key}", "content-type: application/json"]
        # curl wants a value apart from its option, and wget takes it both ways.
        named = [part for header in headers for part in ("--header", header)]
        return [found, *filled, *named, body, sent, f"{stack.state.api_url}/text-to-image"]

    return command


@dataclass(frozen=True, kw_only=True)
class Client:
    """One client and its command."""

    name: str
    command: Command


CLIENTS: Final = (
    Client(name="openai for Python", command=_program("python/openai-3")),
    Client(name="openai for Node.js", command=_program("node/openai")),
    Client(name="Vercel AI SDK", command=_program("node/ai-sdk-openai")),
    Client(name="LiteLLM's router", command=_program("python/litellm")),
    Client(name="boto3", command=_program("python/boto3")),
    Client(
        name="curl",
        command=_command(
            "curl",
            *("-sS", "--fail-with-body", "--retry", "2", "--retry-all-errors"),
            *("--max-time", "{seconds}", "--cacert", "{authority}"),
            body="--data-raw",
        ),
    ),
    Client(
        name="wget",
        command=_command(
            "wget",
            *("-q", "-O", "-", "--tries=3", "--retry-on-http-error=502,503,504"),
            *("--timeout={seconds}", "--ca-certificate={authority}"),
            body="--post-data",
        ),
    ),
)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_one_request_is_paid_once(
    client: Client, fault: str, stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """The first attempt is cut off while its image is being made; the model is called once all the same."""
    stand_in.set_rules({"action": {"type": "latency", "seconds": TAKES}})
    own = fault == "own time-out"
    with interrupting(
        stack,
        interruption=None if own else fault,  # type: ignore[arg-type]  # one of the three
        times=1,
        begun=lambda: stand_in.calls()["calls"] > 0,
    ) as proxy:
        there = replace(stack, state=replace(stack.state, api_url=proxy.url))
        command = client.command(there, f"{client.name}, {fault}", IMPATIENT if own else PATIENT)
        done = run(command, there, key=stack.state.api_key, folder=tmp_path)
    paid = stand_in.calls()["billed"]
    shown = [{name: value for name, value in one.items() if name in SHOWN} for one in proxy.attempts]
    assert paid == 1, (shown, done.stderr[-2000:])
    # With a time-out of its own, a client gets the image if its last attempt still runs when the image is done.
    assert own or done.returncode == 0, done.stderr[-2000:]


SHOWN: Final = ("user-agent", "x-stainless-retry-count", "x-stainless-read-timeout", "x-stainless-timeout")


def test_two_calls_at_once_are_two_pictures(stack: Stack, stand_in: StandIn, tmp_path: Path) -> None:
    """Equal requests of one client that begin together are no repeats of each other."""
    stand_in.set_rules({"action": {"type": "latency", "seconds": TAKES}})
    command = CLIENTS[0].command(stack, PROMPT, PATIENT)
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [
            pool.submit(run, command, stack, key=stack.state.api_key, folder=tmp_path) for _ in range(2)
        ]
        printed = {one.result().stdout for one in running}
    assert (stand_in.calls()["billed"], len(printed)) == (2, 2)
