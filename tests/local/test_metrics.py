"""The deployed functions write the metrics that alarms watch, with the dimensions of their stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.emitted import Emitted, emitted
from tests.support.fakes import CORE
from tests.support.stack_callers import awaited, id_of, logged

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn

STAGE = {"service": "imagegen", "stage": "local"}


def written(stack: Stack) -> list[Emitted]:
    """Return every metric in the functions' logs."""
    lines = [line for line in logged(stack) if line.startswith("{") and '"_aws"' in line]
    return list(emitted("\n".join(lines)))


def test_a_request_leaves_the_metrics_that_alarms_watch(
    stack: Stack, stand_in: StandIn, api: httpx.Client
) -> None:
    """An image, and a call that the model fails: its time, its price by model and by key, and a fault."""
    stand_in.paint_once()
    api.post("/text-to-image", json={"text_prompts": [{"text": "measured"}]}).raise_for_status()
    stand_in.set_rules({"action": {"type": "error", "name": "InternalServerException"}})
    failed = api.post("/text-to-image", json={"text_prompts": [{"text": "measured as a fault"}]})
    assert failed.json()["code"] == "outcome_unknown"

    def look() -> list[Emitted] | None:
        metrics = written(stack)
        return metrics if any(each.name == "Faults" for each in metrics) else None

    metrics = awaited(look, "a fault in the log")
    assert {each.namespace for each in metrics} == {"imagegen"}
    plain = {each.name for each in metrics if each.dimensions == STAGE}
    assert {"ImagesGenerated", "GenerationTime", "ModelTime", "GenerationsFailed", "Faults"} <= plain
    spent = [each.dimensions for each in metrics if each.name == "Spend"]
    assert {**STAGE, "model": CORE} in spent
    assert {**STAGE, "key": id_of(stack.state.api_key)} in spent
    times = {
        name: [v for each in metrics if each.name == name for v in each.values]
        for name in ("GenerationTime", "ModelTime")
    }
    assert len(times["ModelTime"]) == len(times["GenerationTime"]) >= 1
    assert 0 < sum(times["ModelTime"]) < sum(times["GenerationTime"])
