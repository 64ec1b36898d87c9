"""Each kind of authentication is one entry of a table, and a new kind needs only one more entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import assertions
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from imagegen import errors
from stacks.authentication import AUTHENTICATION, Authentication
from stacks.http_api import HttpApi
from stacks.stage import SETTINGS
from tests.support.synthesis import CONTEXT, ENVIRONMENT, stage_config

EVERYBODY = Authentication(
    authorization=apigateway.AuthorizationType.NONE,
    refused="Nobody is refused here.",
    unmatched=errors.NotFound,
    unmatched_detail="There is nothing at this path.",
)


def resources(authentication: Authentication, code: Path) -> list[dict[str, Any]]:
    """Return the resources of an API that uses this kind of authentication."""
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Api", env=ENVIRONMENT)
    function = lambda_.Function.from_function_arn(
        stack, "Handler", "arn:aws:lambda:us-east-1:111122223333:function:api"
    )
    config = stage_config("dev", "cors_origins=https://app.example.com")
    HttpApi(
        stack,
        "Http",
        config=config,
        authentication=authentication,
        handler=function,
        authorizer_code=lambda_.Code.from_asset(str(code)),
        key=None,
    )
    return list(assertions.Template.from_stack(stack).to_json()["Resources"].values())


def test_every_word_of_api_auth_has_its_entry() -> None:
    """The table has no other entry."""
    assert tuple(AUTHENTICATION) == SETTINGS["api_auth"].choices


def test_another_kind_is_one_more_entry(code: Path) -> None:
    """The method checks as the entry says, and a refusal has its sentence."""
    made = resources(EVERYBODY, code)
    methods = [each["Properties"] for each in made if each["Type"] == "AWS::ApiGateway::Method"]
    assert {each["AuthorizationType"] for each in methods} == {"NONE"}
    assert not any("Authorizer" in each["Type"] for each in made)
    refusals = [each["Properties"] for each in made if each["Type"] == "AWS::ApiGateway::GatewayResponse"]
    (denied,) = [each for each in refusals if each["ResponseType"] == "ACCESS_DENIED"]
    assert EVERYBODY.refused in str(denied["ResponseTemplates"])
