"""Each kind of authentication is one entry of a table, and a new kind needs only one more entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import assertions
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_

from imagegen import errors
from stacks.authentication import AUTHENTICATION, Authentication
from stacks.http_api import HttpApi
from stacks.stage import SETTINGS
from tests.support.synthesis import CONTEXT, ENVIRONMENT, stage_config

if TYPE_CHECKING:
    from constructs import Construct

POOL = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Callers"


def user_pool_authorizer(scope: Construct) -> apigateway.IAuthorizer:
    """Return an authorizer for the users of a pool."""
    pool = cognito.UserPool.from_user_pool_arn(scope, "Pool", POOL)
    return apigateway.CognitoUserPoolsAuthorizer(scope, "Callers", cognito_user_pools=[pool])


COGNITO = Authentication(
    authorization=apigateway.AuthorizationType.COGNITO,
    authorizer=user_pool_authorizer,
    headers=("authorization",),
    refused="The bearer token is missing, wrong or expired.",
    unmatched=errors.Forbidden,
    unmatched_detail="There is nothing at this path, or the request carries no token.",
)


def resources(authentication: Authentication) -> list[dict[str, Any]]:
    """Return the resources of an API that uses this kind of authentication."""
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Api", env=ENVIRONMENT)
    function = lambda_.Function.from_function_arn(
        stack, "Handler", "arn:aws:lambda:us-east-1:111122223333:function:api"
    )
    config = stage_config("dev", "cors_origins=https://app.example.com")
    HttpApi(stack, "Http", config=config, authentication=authentication, handler=function)
    return list(assertions.Template.from_stack(stack).to_json()["Resources"].values())


def test_every_word_of_api_auth_has_its_entry() -> None:
    """The table has no other entry."""
    assert tuple(AUTHENTICATION) == SETTINGS["api_auth"].choices


def test_a_user_pool_is_one_more_entry() -> None:
    """The method asks the pool, a page may send its token, and a refusal says what is wrong with the token."""
    made = resources(COGNITO)
    methods = [each["Properties"] for each in made if each["Type"] == "AWS::ApiGateway::Method"]
    (greedy,) = [each for each in methods if each["AuthorizationType"] == "COGNITO_USER_POOLS"]
    assert (greedy["HttpMethod"], greedy["ApiKeyRequired"]) == ("ANY", False)
    assert [each["Properties"]["ProviderARNs"] for each in made if "Authorizer" in each["Type"]] == [[POOL]]
    assert not any(each["Type"] == "AWS::ApiGateway::ApiKey" for each in made)
    preflights = [each for each in methods if each["HttpMethod"] == "OPTIONS"]
    assert all("authorization" in str(each["Integration"]["IntegrationResponses"]) for each in preflights)
    refusals = [each["Properties"] for each in made if each["Type"] == "AWS::ApiGateway::GatewayResponse"]
    (unauthorized,) = [each for each in refusals if each["ResponseType"] == "UNAUTHORIZED"]
    assert COGNITO.refused in str(unauthorized["ResponseTemplates"])
