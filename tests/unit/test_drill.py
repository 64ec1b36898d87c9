"""`make drill`: who may run it, what it changes, what it shows, and that it always ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from operating import clients
from operating.drill import Rehearsal, Reply
from operating.functions import Functions
from operating.stage import functions_to_change
from tests.support.fakes import CORE, SD35, SDXL, ULTRA
from tools.failures import LocalError

NOW = datetime(2026, 11, 28, 22, 0, tzinfo=UTC)
RUNNING = f"{CORE}=2026-11-28T22:10:00Z"
REFUSED = Reply(status=503, body={"code": "model_retired", "detail": "The model has been retired."})
SERVED = Reply(status=200, body={"model": SDXL, "cost_usd": 0.04})


@dataclass
class FakeFunctions:
    """Functions with one environment; it keeps every value of the drill, and may fail to set one."""

    models: str = f"{CORE},{SDXL}"
    drill: str | None = ""
    failures: list[Exception] = field(default_factory=list)
    was: list[str] = field(default_factory=list)

    def environment(self) -> Mapping[str, str]:
        """Return the variables."""
        return {"MODELS": self.models, **({} if self.drill is None else {"DRILL": self.drill})}

    def set(self, variable: str, value: str) -> None:
        """Set the drill."""
        assert variable == "DRILL"
        if self.failures:
            raise self.failures.pop(0)
        self.drill = value
        self.was.append(value)


@dataclass
class Desk:
    """An operator's desk: what was said, what was sent, and the answers to questions."""

    functions: FakeFunctions = field(default_factory=FakeFunctions)
    answers: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def send(self, body: Mapping[str, Any]) -> Reply:
        """Reply as the service does in a drill of Stable Image Core."""
        self.before()
        self.sent.append(body)
        return REFUSED if body.get("model") == CORE else SERVED

    def ask(self, question: str) -> str:
        """Return the next answer."""
        self.said.append(question)
        return self.answers.pop(0)

    def run(
        self,
        *,
        stage: str = "dev",
        model: str = CORE,
        terminal: bool = False,
        approved: bool = False,
        has_keys: bool = True,
    ) -> None:
        """Run a drill of ten minutes."""
        Rehearsal(
            stage=stage,
            model=model,
            minutes=10,
            functions=self.functions,
            send=self.send if has_keys else None,
            ask=self.ask if terminal else None,
            approved=approved,
            say=self.said.append,
            now=lambda: NOW,
        ).run()


def test_a_drill_shows_both_requests_and_is_over() -> None:
    """One pins the model, which costs nothing; the other one takes what comes."""
    desk = Desk()
    desk.run(approved=True)
    assert desk.functions.was == [RUNNING, ""]
    assert [body.get("model") for body in desk.sent] == [CORE, None]
    assert desk.said == [
        f"{CORE} counts as retired in the stage dev now, until 22:10:00Z at the latest.",
        "A request that pins it gets 503 model_retired: The model has been retired.",
        f"Any other request gets 200, drawn by {SDXL}, $0.04",
        "The drill is over: the functions call every model again.",
    ]


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), LocalError("The service cannot be reached.")])
def test_a_drill_that_is_interrupted_is_over_all_the_same(problem: BaseException) -> None:
    """Callers of the stage would get other images, or none."""

    def fail() -> None:
        raise problem

    desk = Desk(before=fail)
    with pytest.raises(type(problem)):
        desk.run(approved=True)
    assert desk.functions.drill == ""


def test_a_change_that_fails_half_way_is_taken_back() -> None:
    """One function may have it already."""
    desk = Desk(
        FakeFunctions(failures=[LocalError("Somebody else is changing the function api: try again.")])
    )
    with pytest.raises(LocalError, match="Somebody else"):
        desk.run(approved=True)
    assert desk.functions.was == [""]


def test_a_drill_that_cannot_be_ended_says_when_it_ends() -> None:
    """It does so by itself."""
    desk = Desk()
    desk.before = lambda: desk.functions.failures.append(LocalError("No."))
    with pytest.raises(
        LocalError, match=r"^The drill could not be ended \(No\.\)\. It ends by itself at 22:10:00Z\.$"
    ):
        desk.run(approved=True)


def test_a_person_confirms_what_it_means_for_callers_and_what_it_costs() -> None:
    """The price is that of the dearest model that may serve."""
    desk = Desk(FakeFunctions(models=f"{CORE},{SD35},{ULTRA}"), answers=["dev"])
    desk.run(terminal=True)
    assert desk.said[0] == (
        f"Requests of every caller of the stage dev will be served by {SD35}, {ULTRA}. "
        "The drill itself makes one image of at most $0.14."
    )
    assert desk.functions.was == [RUNNING, ""]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (
            f"{CORE},us.{ULTRA}",
            f"will be served by us.{ULTRA}. The drill itself makes one image of at most $0.14.",
        ),
        (CORE, "will be refused with model_retired. The drill itself costs nothing."),
        (f"{SDXL},{CORE}", "will be refused with model_retired. The drill itself costs nothing."),
    ],
)
def test_a_profile_has_its_models_price_and_nothing_costs_nothing(models: str, words: str) -> None:
    """Whoever lists one model only, or beside it one that has ended, sees that all requests will fail."""
    desk = Desk(FakeFunctions(models=models), answers=["dev"])
    desk.run(terminal=True)
    assert desk.said[0] == f"Requests of every caller of the stage dev {words}"


@pytest.mark.parametrize("typed", ["", "yes", "prod"])
def test_nothing_is_changed_without_the_name_of_the_stage(typed: str) -> None:
    """Not even asked for."""
    desk = Desk(answers=[typed])
    with pytest.raises(LocalError, match=r"^Nothing was changed\.$"):
        desk.run(terminal=True)
    assert (desk.functions.was, desk.sent) == ([], [])


def test_without_a_terminal_the_operator_has_to_approve() -> None:
    """A pipeline cannot answer."""
    desk = Desk()
    with pytest.raises(
        LocalError, match=r"^There is no terminal to confirm at: set APPROVE=never to run the drill"
    ):
        desk.run()
    assert desk.functions.was == []


def test_on_this_machine_nobody_is_asked() -> None:
    """No caller of anybody's is there, and no image costs anything."""
    desk = Desk()
    desk.run(stage="local")
    assert desk.functions.was == [RUNNING, ""]


def test_without_keys_a_person_sends_the_requests() -> None:
    """The drill lasts until the person says that it is over."""
    desk = Desk(answers=["dev", ""])
    desk.run(terminal=True, has_keys=False)
    assert desk.said[-2:] == [
        "Send requests of your own now. Press Enter to end the drill: ",
        "The drill is over: the functions call every model again.",
    ]
    with pytest.raises(LocalError, match="run the drill at a terminal, and send requests of your own"):
        Desk().run(approved=True, has_keys=False)


@pytest.mark.parametrize(
    ("functions", "model", "sentence"),
    [
        (
            FakeFunctions(),
            ULTRA,
            f"MODEL must be one of the models of the stage dev: {CORE}, {SDXL}, not '{ULTRA}'.",
        ),
        (
            FakeFunctions(drill=RUNNING),
            SDXL,
            f"A drill of {CORE} runs until 22:10:00Z: wait until it is over.",
        ),
        (
            FakeFunctions(drill=None),
            CORE,
            "The functions of the stage dev know no drills: deploy this release first.",
        ),
    ],
)
def test_a_drill_that_cannot_begin_is_one_sentence(
    functions: FakeFunctions, model: str, sentence: str
) -> None:
    """Nothing is changed."""
    desk = Desk(functions)
    with pytest.raises(LocalError) as caught:
        desk.run(model=model, approved=True)
    assert str(caught.value) == sentence
    assert functions.was == []


def test_a_drill_that_is_over_by_its_time_is_in_nobodys_way() -> None:
    """Its variable may still be there, if its end could not be written."""
    desk = Desk(FakeFunctions(drill=f"{SDXL}=2026-11-28T22:00:00Z"))
    desk.run(approved=True)
    assert desk.functions.was == [RUNNING, ""]


OPTIONS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "secret",
}


def configuration(**members: Any) -> dict[str, Any]:
    """Return a function's configuration."""
    return {
        "RevisionId": "r-1",
        "LastUpdateStatus": "Successful",
        "Environment": {"Variables": {"MODELS": CORE, "STAGE": "dev"}},
        **members,
    }


def deployed(*, resources: Mapping[str, str]) -> Callable[[], Functions]:
    """Return how the functions are found of a stage whose stack has these resources, each with its type."""
    cloudformation = clients.client("cloudformation", OPTIONS)
    stub = Stubber(cloudformation)
    when = NOW.isoformat()
    stack = {"StackName": "imagegen-dev", "StackStatus": "UPDATE_COMPLETE", "CreationTime": when}
    summaries = [
        {
            "LogicalResourceId": id_,
            "PhysicalResourceId": id_.lower(),
            "ResourceType": type_,
            "LastUpdatedTimestamp": when,
            "ResourceStatus": "DELETE_COMPLETE" if id_.startswith("Old") else "UPDATE_COMPLETE",
        }
        for id_, type_ in resources.items()
    ]
    stub.add_response("describe_stacks", {"Stacks": [stack]})
    for _ in range(2):
        stub.add_response(
            "list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": "imagegen-dev"}
        )
    stub.activate()
    return lambda: functions_to_change(
        "dev", cloudformation=cloudformation, client=clients.client("lambda", OPTIONS)
    )


PLAIN = {"ApiFunction1A": "AWS::Lambda::Function", "WorkerFunction2B": "AWS::Lambda::Function"}


def test_a_drill_changes_the_functions_that_call_models() -> None:
    """An alias of an earlier deployment is no alias."""
    find = deployed(resources={**PLAIN, "OldAlias": "AWS::Lambda::Alias", "Queue": "AWS::SQS::Queue"})
    assert find().names == ("apifunction1a", "workerfunction2b")


def test_a_stage_with_a_published_version_cannot_be_drilled() -> None:
    """Its callers reach the version, which never changes: the drill would show that nothing is retired."""
    with pytest.raises(LocalError) as refused:
        deployed(resources={**PLAIN, "ApiDeploymentAlias": "AWS::Lambda::Alias"})()
    assert str(refused.value) == (
        "Callers of the stage dev reach a published version of the api function, which nothing but a deployment "
        "changes: run `make deploy STAGE=dev CONFIG='snapstart=false api_deployment=all_at_once'` first."
    )


def test_only_one_variable_is_changed_and_only_if_nobody_else_changes_it() -> None:
    """Lambda replaces the whole environment, so all of it is sent, for the version that was read."""
    client = clients.client("lambda", OPTIONS)
    functions = Functions(client=client, names=["api"])
    with Stubber(client) as stub:
        stub.add_response("get_function_configuration", configuration(), {"FunctionName": "api"})
        stub.add_response(
            "update_function_configuration",
            configuration(LastUpdateStatus="InProgress"),
            {
                "FunctionName": "api",
                "RevisionId": "r-1",
                "Environment": {"Variables": {"MODELS": CORE, "STAGE": "dev", "DRILL": RUNNING}},
            },
        )
        stub.add_response("get_function_configuration", configuration(), {"FunctionName": "api"})
        functions.set("DRILL", RUNNING)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["PreconditionFailedException", "ResourceConflictException"])
def test_a_deployment_at_the_same_time_is_one_sentence(code: str) -> None:
    """The drill does not undo it."""
    client = clients.client("lambda", OPTIONS)
    with Stubber(client) as stub:
        stub.add_response("get_function_configuration", configuration(), {"FunctionName": "api"})
        stub.add_client_error("update_function_configuration", code)
        with pytest.raises(LocalError, match=r"^Somebody else is changing the function api: try again\.$"):
            Functions(client=client, names=["api"]).set("DRILL", "")


def test_a_change_that_lambda_does_not_finish_is_one_sentence() -> None:
    """It names the function."""
    client = clients.client("lambda", OPTIONS)
    with Stubber(client) as stub:
        stub.add_response("get_function_configuration", configuration())
        stub.add_response("update_function_configuration", configuration())
        stub.add_response("get_function_configuration", configuration(LastUpdateStatus="Failed"))
        with pytest.raises(LocalError, match=r"^Lambda did not finish the change of api: "):
            Functions(client=client, names=["api"]).set("DRILL", "")
