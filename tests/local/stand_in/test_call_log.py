"""The call log of the stand-in counts and shows the calls that it has seen."""

import json
import socket
from typing import TYPE_CHECKING

import httpx

from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import CORE, SDXL, ULTRA, core, eventually, invoke, refusal

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


def test_the_call_log_counts_by_model_prompt_and_outcome(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """With these counts a test can check that each prompt was paid once."""
    bedrock.configure(
        {"prompt": "two", "times": 1, "action": {"type": "error", "name": "ThrottlingException"}}
    )
    invoke(client, CORE, core(prompt="one"))
    refusal(client, CORE, core(prompt="two"))
    invoke(client, ULTRA, core(prompt="two"))
    report = httpx.get(f"{bedrock.url}/_control/calls", trust_env=False).json()

    assert (report["calls"], report["billed"], report["painted"]) == (3, 2, 2)
    assert report["prompts"] == {
        "one": {"calls": 1, "billed": 1, "painted": 1},
        "two": {"calls": 2, "billed": 1, "painted": 1},
    }
    assert report["models"][CORE] == {"calls": 2, "billed": 1, "painted": 1}
    assert report["outcomes"] == {"success": 2, "ThrottlingException": 1}


def test_the_call_log_shows_the_last_bodies(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """Each body is as it was sent, beside the identifier that was called."""
    for seed in (1, 2, 3):
        invoke(client, f"us.{CORE}", core(seed=seed))
    report = httpx.get(f"{bedrock.url}/_control/calls", params={"last": 2}, trust_env=False).json()

    assert [entry["body"] for entry in report["last"]] == [core(seed=2), core(seed=3)]
    assert report["last"][0]["model_id"] == f"us.{CORE}"


def test_the_call_log_answers_for_the_prompts_that_contain_a_word(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """A part of the prompt is enough, because the service may add words to the prompt."""
    invoke(client, CORE, core(prompt="canary-17, photographic style"))
    invoke(client, CORE, core(prompt="another"))
    report = httpx.get(
        f"{bedrock.url}/_control/calls", params={"prompt": "canary-17"}, trust_env=False
    ).json()

    assert report["calls"] == 1
    assert list(report["prompts"]) == ["canary-17, photographic style"]


def test_a_call_is_in_the_call_log_before_it_is_answered(bedrock: StandIn) -> None:
    """The call counts even if its caller dies before the answer."""
    bedrock.configure({"action": "hang"})
    body = json.dumps(core()).encode()
    with socket.create_connection(("127.0.0.1", bedrock.port)) as caller:
        caller.sendall(
            b"POST /model/%b/invoke HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
            % (CORE.encode(), len(body), body)
        )
        eventually(lambda: bedrock.calls()["calls"] == 1)

    eventually(lambda: bedrock.calls()["in_flight"] == 0)
    assert bedrock.calls()["billed"] == 1


def test_a_reset_forgets_rules_settings_and_calls(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """After a reset the stand-in is as it was at its start."""
    bedrock.configure({"latency": 5, "retired": [CORE], "rules": [{"action": "failed"}]})
    refusal(client, CORE, core())
    state = httpx.post(f"{bedrock.url}/_control/reset", trust_env=False).json()

    assert state == {
        "rules": [],
        "alive": [SDXL],
        "retired": [],
        "aliases": {},
        "latency": 0.0,
        "instant": True,
    }
    assert bedrock.calls()["calls"] == 0
