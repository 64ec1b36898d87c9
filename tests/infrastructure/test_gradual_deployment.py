"""With `api_deployment` requests reach an alias that CodeDeploy shifts, and an alarm on its errors takes them back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stacks.stage import StageError
from tests.support.synthesis import as_list, stage_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

LIVE = "api_deployment=canary api_concurrency=20"
TYPES = (
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::DeploymentGroup",
)


@pytest.fixture
def gradual(synthesized: Callable[..., Synthesized]) -> Synthesized:
    """Return the template of a stage whose api function is shifted."""
    return synthesized("dev", LIVE)


def test_nothing_is_made_for_it_unless_it_is_asked_for(any_stage: Synthesized) -> None:
    """The gateway invokes the function itself."""
    assert [type_ for type_ in TYPES if any_stage.resources(type_)] == []
    assert "CodeDeploy" not in json.dumps(any_stage.template)


def test_the_gateway_invokes_the_alias_and_nothing_else(gradual: Synthesized) -> None:
    """Each method does, and has the right to. The authorizer has no alias."""
    alias = {"Ref": gradual.logical_id("AWS::Lambda::Alias")}
    function = gradual.logical_id("AWS::Lambda::Function", named="ApiFunction")
    methods = [each["Properties"] for each in gradual.resources("AWS::ApiGateway::Method")]
    targets = [json.dumps(each["Integration"]["Uri"]) for each in methods]
    assert len(targets) == 6
    assert [uri for uri in targets if json.dumps(alias) not in uri or function in uri] == []
    permitted = [
        each["Properties"]["FunctionName"]
        for each in gradual.resources("AWS::Lambda::Permission", named="HttpRestApi")
    ]
    assert permitted == [alias] * 6
    assert all("Authorizer" in name or name == function for name in invoked_by_name(gradual))


def invoked_by_name(stage: Synthesized) -> set[str]:
    """Return the functions that a permission of the gateway names without an alias."""
    return {
        each["Properties"]["FunctionName"]["Fn::GetAtt"][0]
        for each in stage.resources("AWS::Lambda::Permission", named="Http")
        if "Fn::GetAtt" in each["Properties"]["FunctionName"]
    }


def test_a_gateway_that_is_already_deployed_changes_over(gradual: Synthesized, dev: Synthesized) -> None:
    """API Gateway serves a snapshot: without a deployment of another name it would go on with the function."""
    deployed = "AWS::ApiGateway::Deployment"
    assert gradual.logical_id(deployed) != dev.logical_id(deployed)


def test_the_alias_is_shifted_to_the_version_of_this_code(gradual: Synthesized) -> None:
    """CloudFormation lets CodeDeploy change the alias, and waits for it."""
    (alias,) = gradual.resources("AWS::Lambda::Alias")
    version = gradual.logical_id("AWS::Lambda::Version")
    assert alias["Properties"]["Name"] == "live"
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    assert alias["UpdatePolicy"] == {
        "CodeDeployLambdaAliasUpdate": {
            "ApplicationName": {"Ref": gradual.logical_id("AWS::CodeDeploy::Application")},
            "DeploymentGroupName": {"Ref": gradual.logical_id("AWS::CodeDeploy::DeploymentGroup")},
        }
    }


def test_another_environment_is_another_version(
    gradual: Synthesized, synthesized: Callable[..., Synthesized]
) -> None:
    """Otherwise a changed setting would not reach the alias."""
    changed = synthesized("dev", f"{LIVE} daily_images=0")
    assert gradual.logical_id("AWS::Lambda::Version") != changed.logical_id("AWS::Lambda::Version")


@pytest.mark.parametrize(
    ("shift", "name"),
    [
        ("canary", "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
        ("linear", "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"),
    ],
)
def test_errors_take_the_requests_back(
    synthesized: Callable[..., Synthesized], shift: str, name: str
) -> None:
    """Also a deployment that fails or is stopped, and one whose alarm cannot be read."""
    stage = synthesized("dev", LIVE.replace("canary", shift))
    group = stage.one("AWS::CodeDeploy::DeploymentGroup")
    assert group["DeploymentConfigName"] == name
    assert group["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"],
    }
    assert group["AlarmConfiguration"] == {
        "Enabled": True,
        "IgnorePollAlarmFailure": False,
        "Alarms": [{"Name": {"Ref": stage.logical_id("AWS::CloudWatch::Alarm")}}],
    }


def test_the_alarm_counts_the_errors_of_the_alias(gradual: Synthesized) -> None:
    """One within a minute suffices; a minute without any request is a good one."""
    alarm = gradual.one("AWS::CloudWatch::Alarm")
    function = {"Ref": gradual.logical_id("AWS::Lambda::Function", named="ApiFunction")}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
    assert alarm["Dimensions"] == [
        {"Name": "FunctionName", "Value": function},
        {"Name": "Resource", "Value": {"Fn::Join": ["", [function, ":live"]]}},
    ]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (60, 1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


def test_codedeploy_may_shift_this_function_alone(gradual: Synthesized) -> None:
    """Its role has no policy of AWS's, and its rights exist before the group does."""
    role = gradual.one("AWS::IAM::Role", named="ApiDeployment")
    assert "ManagedPolicyArns" not in role
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    policy = gradual.one("AWS::IAM::Policy", named="ApiDeploymentRole")
    shift, read = policy["PolicyDocument"]["Statement"]
    arn = {"Fn::GetAtt": [gradual.logical_id("AWS::Lambda::Function", named="ApiFunction"), "Arn"]}
    assert shift["Resource"] == [arn, {"Fn::Join": ["", [arn, ":live"]]}]
    assert as_list(shift["Action"]) == [
        "lambda:GetAlias",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:UpdateAlias",
    ]
    assert (read["Action"], read["Resource"]) == ("cloudwatch:DescribeAlarms", "*")
    (group,) = gradual.resources("AWS::CodeDeploy::DeploymentGroup")
    assert gradual.logical_id("AWS::IAM::Policy", named="ApiDeploymentRole") in group["DependsOn"]


def test_the_reservation_and_the_worker_stay_as_they_are(gradual: Synthesized, dev: Synthesized) -> None:
    """All versions of a function share its reservation; the queues invoke the worker itself."""
    api = gradual.one("AWS::Lambda::Function", named="ApiFunction")
    assert api["ReservedConcurrentExecutions"] == 20
    for type_ in ("AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::Lambda::EventInvokeConfig"):
        assert gradual.resources(type_) == dev.resources(type_)


def test_the_emulator_cannot_shift_anything() -> None:
    """It is said before anything is started."""
    with pytest.raises(StageError) as refused:
        stage_config("local", "api_deployment=linear")
    assert str(refused.value) == (
        "api_deployment must be all_at_once in the stage 'local', not linear, because the emulator has no CodeDeploy."
    )
