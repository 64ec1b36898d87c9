"""A drill: one model counts as retired for some minutes, and everything else is as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imagegen import errors
from imagegen.generations.drill import REASON, Drill, DrilledRuntime, drilled
from imagegen.generations.ledger import Limits
from imagegen.models.registry import MODELS
from imagegen.wiring import assemble
from tests.support.fakes import CORE, SDXL, FakeClock, FakeRuntime
from tests.support.use_case import submit
from tests.support.world import World, world

UNTIL = FakeClock().now() + timedelta(minutes=10)
LIMITS = Limits(
    function_timeout=80, model_timeout=60, connection=29, max_paid_attempts=1, record_retention_days=30
)


def rehearsed(service: World, model: str) -> World:
    """Return a service whose runtime is in a drill of a model."""
    runtime = DrilledRuntime(
        runtime=service.runtime, drill=Drill(model=model, until=UNTIL), clock=service.clock
    )
    ports = replace(service.service.ports, runtime=runtime)
    return replace(service, service=assemble(ports, LIMITS, models=service.service.models))


def test_the_next_model_serves_and_the_operator_is_told() -> None:
    """As if Bedrock had said it: nothing is sent to the model, and the log has the drill for a reason."""
    service = rehearsed(world(models=[CORE, SDXL]), CORE)
    image = submit(service).generation.image
    assert image is not None
    assert image.model == SDXL
    assert [model for model, _ in service.runtime.calls] == [SDXL]
    assert ("model_refused", f"{CORE} {REASON}") in service.observer.events
    assert ("model_retired", CORE) in service.observer.events


def test_without_another_model_requests_fail_as_they_will_then() -> None:
    """Nothing is paid."""
    service = rehearsed(world(models=[CORE]), CORE)
    with pytest.raises(errors.ModelRetired, match="Every model of this deployment has been retired"):
        submit(service)
    assert service.runtime.calls == []
    assert service.store.only().restartable


def test_a_drill_ends_by_itself() -> None:
    """Whoever was interrupted while it ran need not be there."""
    service = rehearsed(world(models=[CORE, SDXL]), CORE)
    service.clock.time = UNTIL
    image = submit(service).generation.image
    assert image is not None
    assert image.model == CORE


@pytest.mark.parametrize(
    "text",
    [
        "",
        CORE,
        f"{CORE}=",
        f"{CORE}=tomorrow",
        f"{CORE}=2026-11-28T22:00:00",
        f"{CORE}=2026-13-28T22:00:00Z",
        "=2026-11-28T22:00:00Z",
    ],
)
def test_what_is_no_drill_changes_nothing(text: str) -> None:
    """A function starts with whatever somebody wrote there by hand, and calls every model."""
    runtime = FakeRuntime()
    assert drilled(runtime, text, clock=FakeClock()) is runtime


@pytest.mark.parametrize("model", [*(model.id for model in MODELS), f"us.{CORE}"])
def test_a_drill_of_every_model_can_be_written_and_read(model: str) -> None:
    """Its text is short enough for the room that a function's environment keeps for it."""
    drill = Drill(model=model, until=datetime(2026, 11, 28, 22, 0, 5, tzinfo=UTC))
    assert Drill.read(drill.write()) == drill
    assert len(drill.write()) < 100
