"""A rule acts on the calls that it describes, and a rule that cannot be used is refused."""

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.bedrock.rules import RuleError
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import CORE, PROVISIONED, SDXL, ULTRA, core, invoke, refusal, sdxl

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


def test_a_rule_meets_the_nth_call(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The rule names the second and the fourth call, and acts on these two only."""
    bedrock.configure({"call": [2, 4], "action": "failed"})
    outcomes = [invoke(client, CORE, core())["finish_reasons"][0] for _ in range(4)]

    assert outcomes == [None, "Inference error", None, "Inference error"]


def test_a_rule_ends_after_its_times(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The rule acts on one call only, and the control route shows its counts."""
    bedrock.configure({"times": 1, "action": "failed"})
    outcomes = [invoke(client, CORE, core())["finish_reasons"][0] for _ in range(3)]
    rules = httpx.get(f"{bedrock.url}/_control/rules", trust_env=False).json()["rules"]

    assert outcomes == ["Inference error", None, None]
    assert rules == [{"times": 1, "action": "failed", "met": 3, "fired": 1}]


def test_a_rule_meets_a_prompt(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The rule compares a part of the prompt, in both dialects."""
    bedrock.configure({"prompt": "poison", "action": "failed"})

    assert invoke(client, CORE, core(prompt="a poisoned cup"))["finish_reasons"] == ["Inference error"]
    assert invoke(client, CORE, core(prompt="a cup"))["finish_reasons"] == [None]
    assert (
        invoke(client, SDXL, {"text_prompts": [{"text": "poison"}]})["artifacts"][0]["finishReason"]
        == "ERROR"
    )


@pytest.mark.parametrize("model", [CORE, f"us.{CORE}"])
def test_a_rule_meets_a_model_under_each_of_its_names(
    bedrock: StandIn, client: "BedrockRuntimeClient", model: str
) -> None:
    """The rule names the base model, and other models are not affected."""
    bedrock.configure({"model": CORE, "action": "failed"})

    assert invoke(client, model, core())["finish_reasons"] == ["Inference error"]
    assert invoke(client, ULTRA, core())["finish_reasons"] == [None]


def test_a_rule_that_names_no_model_leaves_the_retired_alone(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """Otherwise a fault would hit the retired first model of a list, and never the model that makes the image."""
    bedrock.configure(
        {"retired": [SDXL], "rules": [{"action": {"type": "error", "name": "ThrottlingException"}}]}
    )

    assert "end of its life" in str(refusal(client, SDXL, sdxl()))
    assert "ThrottlingException" in str(refusal(client, CORE, core()))


def test_a_rule_with_a_probability_draws_the_same_each_time(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The seed decides on which calls the rule acts, here on about half of them."""
    runs = []
    for _ in range(2):
        bedrock.reset()
        bedrock.configure({"probability": 0.5, "seed": 11, "action": "failed"})
        runs.append([invoke(client, CORE, core())["finish_reasons"][0] for _ in range(24)])

    assert runs[0] == runs[1]
    assert 5 < runs[0].count("Inference error") < 19


def test_the_first_rule_that_fires_decides_and_waits_add_up(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """Both latencies come first, then the error; the last rule is not reached."""
    bedrock.configure(
        [
            {"action": {"type": "latency", "seconds": 0.2}},
            {"action": {"type": "latency", "seconds": 0.2}},
            {"action": {"type": "error", "name": "ModelErrorException"}},
            {"action": "failed"},
        ]
    )
    began = time.monotonic()
    error = refusal(client, CORE, core())

    assert isinstance(error, client.exceptions.ModelErrorException)
    assert time.monotonic() - began >= 0.4


def test_deleting_the_rules_ends_them_and_keeps_the_calls(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The call log still counts the calls from before."""
    httpx.post(f"{bedrock.url}/_control/rules", json={"action": "failed", "times": 5}, trust_env=False)
    invoke(client, CORE, core())
    state = httpx.delete(f"{bedrock.url}/_control/rules", trust_env=False).json()

    assert state["rules"] == []
    assert invoke(client, CORE, core())["finish_reasons"] == [None]
    assert bedrock.calls()["calls"] == 2


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "no rule and no setting"),
        (5, "Send a rule"),
        ([5], "JSON object"),
        ([{}], "needs an action"),
        ({"action": "explode"}, "action.type must be one of"),
        ({"action": "hang", "modell": CORE}, "no member modell"),
        ({"action": {"type": "hang", "seconds": 1}}, "no option seconds"),
        ({"action": {"type": "latency"}}, "needs the option seconds"),
        ({"action": {"type": "latency", "seconds": -1}}, "must not be negative"),
        ({"action": {"type": "latency", "seconds": "1"}}, "must be a number"),
        ({"action": {"type": "error", "name": "NoSuchException"}}, "must be one of"),
        ({"action": {"type": "status", "status": 99}}, "from 200 to 599"),
        ({"action": {"type": "wrong_size", "width": 63}}, "from 64 to 2048"),
        ({"action": "hang", "call": 0}, "from 1"),
        ({"action": "hang", "times": "1"}, "times must be"),
        ({"alive": ["no.such-model"]}, "not a model"),
        ({"alive": ["amazon.nova-canvas-v1:0"]}, "does not speak"),
        ({"alive": CORE}, "list of model ids"),
        ({"aliases": {PROVISIONED: "no.such-model"}}, "not a model"),
        ({"latency": -1}, "negative"),
        ({"sloth": 1}, "no setting sloth"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_rule_that_is_none_is_refused_with_a_sentence(bedrock: StandIn, rule: Any, words: str) -> None:
    """Otherwise a misspelled rule would be taken for a rule that never fires."""
    answer = httpx.post(f"{bedrock.url}/_control/rules", json=rule, trust_env=False)

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_rules_are_taken_all_or_none(bedrock: StandIn) -> None:
    """The second rule is refused, so the first one is not added either."""
    with pytest.raises(RuleError):
        bedrock.configure([{"action": "hang"}, {"action": "explode"}])

    assert bedrock.runtime.rules.describe() == []
