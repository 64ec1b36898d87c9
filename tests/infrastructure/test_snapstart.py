"""With `snapstart` the gateway invokes a published version of the api function, restored from a snapshot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stacks.stage import StageError
from tests.support.synthesis import stage_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

ALONE = "snapstart=true"
SHIFTED = ("snapstart=true api_deployment=canary", "snapstart=true api_deployment=linear")
FUNCTION = "AWS::Lambda::Function"
VERSION = "AWS::Lambda::Version"
ALIAS = "AWS::Lambda::Alias"


@pytest.fixture(params=[ALONE, *SHIFTED])
def restored(request: pytest.FixtureRequest, synthesized: Callable[..., Synthesized]) -> Synthesized:
    """Return the template of a stage with snapshots, by each way of deployment."""
    return synthesized("dev", request.param)


def test_no_stage_takes_snapshots_unless_it_is_asked_to(any_stage: Synthesized) -> None:
    """Snapshots cost something, and nobody has tried them in an account."""
    assert not any_stage.config.snapstart
    assert "SnapStart" not in json.dumps(any_stage.template)


def test_the_api_function_alone_is_restored(restored: Synthesized) -> None:
    """Nobody waits for the worker, and the authorizer imports little."""
    functions = {
        name: each["Properties"].get("SnapStart")
        for name, each in restored.template["Resources"].items()
        if each["Type"] == FUNCTION
    }
    api = restored.logical_id(FUNCTION, named="ApiFunction")
    assert len(functions) == 3
    assert functions.pop(api) == {"ApplyOn": "PublishedVersions"}
    assert set(functions.values()) == {None}


def test_nothing_in_the_function_rules_snapshots_out(restored: Synthesized) -> None:
    """Lambda takes no snapshot of a function with a file system, more temporary storage, or an older Python."""
    api = restored.one(FUNCTION, named="ApiFunction")
    assert (api["Runtime"], api["Architectures"]) == ("python3.13", ["arm64"])
    assert not {"FileSystemConfigs", "EphemeralStorage", "VpcConfig", "ImageUri"} & set(api)


def test_the_alias_leads_to_the_version_of_this_code(restored: Synthesized) -> None:
    """Lambda takes no snapshot of the unpublished version, nor of one with provisioned concurrency."""
    alias = restored.one(ALIAS)
    version = restored.logical_id(VERSION)
    function = {"Ref": restored.logical_id(FUNCTION, named="ApiFunction")}
    assert alias == {
        "Name": "live",
        "FunctionName": function,
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
    }
    assert restored.one(VERSION) == {"FunctionName": function}


def test_the_version_before_is_deleted_by_the_deployment(restored: Synthesized) -> None:
    """Otherwise the snapshot of every deployment would be paid for until somebody deletes its version."""
    (version,) = restored.resources(VERSION)
    assert version.get("DeletionPolicy", "Delete") == "Delete"
    assert version.get("UpdateReplacePolicy", "Delete") == "Delete"


def test_the_gateway_invokes_the_alias_and_nothing_else(restored: Synthesized) -> None:
    """Each method of the API invokes it and has the right to; a right to the function does not cover the alias."""
    alias = {"Ref": restored.logical_id(ALIAS)}
    methods = [each["Properties"]["Integration"] for each in restored.resources("AWS::ApiGateway::Method")]
    assert len(methods) == 6
    for integration in methods:
        assert integration["Uri"]["Fn::Join"][1][-2:] == [alias, "/invocations"]
    permissions = restored.resources("AWS::Lambda::Permission", named="HttpRestApi")
    assert [each["Properties"]["FunctionName"] for each in permissions] == [alias] * 6


def test_the_alias_is_shifted_only_if_it_is_asked_for(restored: Synthesized) -> None:
    """Without a gradual deployment CloudFormation moves the alias at once."""
    gradual = restored.config.api_deployment != "all_at_once"
    (alias,) = restored.resources(ALIAS)
    assert ("UpdatePolicy" in alias) == gradual
    assert bool(restored.resources("AWS::CodeDeploy::DeploymentGroup")) == gradual


def test_a_stage_keeps_its_alias_when_it_changes_over(synthesized: Callable[..., Synthesized]) -> None:
    """A function cannot have two aliases of one name, not even during a deployment."""
    ways = [ALONE, *SHIFTED, "api_deployment=canary"]
    assert len({synthesized("dev", way).logical_id(ALIAS) for way in ways}) == 1


def test_what_changes_the_function_makes_another_version(synthesized: Callable[..., Synthesized]) -> None:
    """A version never changes, so each setting needs a new version to reach callers; so does the switch itself."""
    ways = ["api_deployment=canary", ALONE, f"{ALONE} daily_images=0", f"{ALONE} memory_mb=1024"]
    assert len({synthesized("dev", way).logical_id(VERSION) for way in ways}) == len(ways)


def test_the_worker_is_invoked_as_ever(restored: Synthesized, dev: Synthesized) -> None:
    """The worker has no version."""
    for type_ in ("AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::Lambda::EventInvokeConfig"):
        assert restored.resources(type_) == dev.resources(type_)


def test_the_emulator_takes_no_snapshots() -> None:
    """The stage `local` refuses the setting before anything is started."""
    with pytest.raises(StageError) as refused:
        stage_config("local", ALONE)
    assert str(refused.value) == (
        "snapstart cannot be set in the stage 'local', because the emulator does not have it."
    )
