"""What is deployed of the stage: its stack, and what its functions were told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Final

from imagegen.errors import Misconfigured
from imagegen.generations.drill import Drill
from imagegen.settings import Settings
from local.aws import described_stack
from operating.doctor.examined import Deployed, Examined
from operating.doctor.finding import Finding, fine, problem, warning
from operating.stack import API_FUNCTION, functions_with_models, reserved_executions, template_of
from stacks.stage import SETTINGS, monitoring_stack_name, playground_stack_name

OF_THE_DEPLOYMENT: Final = frozenset({"owner_salt"})
"""Settings of which null means something else in each deployment."""


def find(examined: Examined) -> Deployed | None:
    """Return what is deployed, without what its functions were told; None if nothing is."""
    client = examined.client("cloudformation")
    found = described_stack(examined.stack, client)
    if found is None:
        return None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    return Deployed(
        status=found["StackStatus"],
        api_url=examined.address or outputs.get("ApiUrl", ""),
        outputs=outputs,
    )


def with_settings(examined: Examined) -> Deployed:
    """Return what is deployed, with what its functions were told."""
    functions = functions_of(examined)
    (name,) = [name for id_, name in functions.items() if id_.startswith(API_FUNCTION)]
    reply = examined.client("lambda").get_function_configuration(FunctionName=name)
    variables = reply.get("Environment", {}).get("Variables", {})
    return replace(examined.service, settings=Settings.from_environment(variables))


def functions_of(examined: Examined) -> Mapping[str, str]:
    """Return the names of the functions that call models, by their logical ids."""
    return functions_with_models(examined.stack, examined.client("cloudformation"))


def stack(examined: Examined) -> Iterator[Finding]:
    """See whether the last deployment ended well, of the service and of the stacks that its settings add."""
    mend = "make down && make up" if examined.is_local else examined.make("destroy")
    yield _state(examined, examined.stack, examined.service.status, mend=mend)
    if examined.is_local:
        return  # the emulator has the service's stack alone
    config = examined.config
    for setting, wanted, name in (
        ("playground", config.playground, playground_stack_name(config.name)),
        ("monitoring", config.monitoring, monitoring_stack_name(config.name)),
    ):
        if not wanted:
            continue
        found = described_stack(name, examined.client("cloudformation"))
        if found is None:
            yield problem(f"{setting} is true, but there is no stack {name}.", examined.deploy())
        else:
            yield _state(examined, name, found["StackStatus"], mend=examined.deploy())


def _state(examined: Examined, name: str, status: str, *, mend: str) -> Finding:
    """Say what the state of a stack means; `mend` is the command for one in which nothing can be deployed."""
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        return warning(
            f"The stack {name} is being changed ({status}); look again when that is done.", examined.again()
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        return problem(
            f"The last deployment of {name} failed, and could not be rolled back ({status}).",
            examined.aws(f"cloudformation continue-update-rollback --stack-name {name}"),
        )
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return warning(
            f"The last deployment of {name} failed and was rolled back: what runs is older.",
            examined.deploy(),
        )
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        return fine(f"The stack {name} is deployed.")
    return problem(
        f"The stack {name} is in the state {status}, in which nothing can be deployed to it.", mend
    )


def settings(examined: Examined) -> Iterator[Finding]:
    """Compare what the functions were told with what the checkout would tell them."""
    told = examined.service.settings
    if told is None:
        try:
            told = with_settings(examined).settings
        except Misconfigured as error:
            yield problem(error.detail, examined.deploy())
            return
    other = sorted(
        field.name
        for field in fields(Settings)
        if field.name in SETTINGS
        and field.name not in OF_THE_DEPLOYMENT
        and getattr(told, field.name) != getattr(examined.config, field.name)
    )
    # `make up` has its own CONFIG, which nobody has to repeat here.
    if other and not examined.is_local:
        yield warning(
            f"The deployed stage was given other values than the checkout has: {', '.join(other)}.",
            examined.deploy(),
        )
        return
    yield fine("The functions have their settings.")


def switches(examined: Examined) -> Iterator[Finding]:
    """See whether somebody has stopped the stage, or rehearses the end of a model."""
    client = examined.client("lambda")
    reserved = [
        client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        for name in functions_of(examined).values()
    ]
    if 0 in reserved:
        yield problem(
            f"The stage is stopped (`make stop`): {reserved.count(0)} of its {len(reserved)} functions that call "
            "models may not run.",
            examined.make("start"),
        )
        return
    told = examined.service.settings
    drill = Drill.read(told.drill) if told else None
    if drill is not None and examined.now() < drill.until:
        yield warning(
            f"A drill is under way: {drill.model} counts as retired until {drill.until:%H:%M:%S}Z at the latest.",
            examined.again(),
        )
        return
    yield fine("Nobody has stopped the stage, and no drill is under way.")


def reserved_now(examined: Examined) -> int:
    """Return how many executions the functions of the deployed template reserve."""
    template = template_of(examined.stack, examined.client("cloudformation"))
    return sum(reserved_executions(template).values())
