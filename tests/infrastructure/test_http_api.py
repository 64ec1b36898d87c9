"""The REST API says who may call what and how often, what a page may read, and what is logged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_apigateway as apigateway

from imagegen.http import surface
from imagegen.http.app import create_app
from stacks.http_api import read_as_text
from tests.support.events import event, send
from tests.support.synthesis import COGNITO, POOL, ROOT, STAGES, as_list, stage_config
from tests.support.world import world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

ONE_ORIGIN = "cors_origins=https://app.example.com"
LOOP = 20
"""Requests a second of a client that waits for each reply: each takes 50 ms or more."""
TWO_ORIGINS = "cors_origins=https://a.example,https://b.example"


def methods(stage: Synthesized) -> dict[tuple[str, str], dict[str, Any]]:
    """Return every method of the API by path part and verb."""
    parts = {
        logical_id: resource["Properties"]["PathPart"]
        for logical_id, resource in stage.template["Resources"].items()
        if resource["Type"] == "AWS::ApiGateway::Resource"
    }
    return {
        (parts[resource["Properties"]["ResourceId"]["Ref"]], resource["Properties"]["HttpMethod"]): resource[
            "Properties"
        ]
        for resource in stage.resources("AWS::ApiGateway::Method")
    }


def all_settings(stage: Synthesized) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the settings of the gateway's stage by path and method, as CloudFormation writes both."""
    found = stage.one("AWS::ApiGateway::Stage")["MethodSettings"]
    return {(each["ResourcePath"], each["HttpMethod"]): each for each in found}


def settings(stage: Synthesized) -> dict[str, Any]:
    """Return the stage's settings for every path and method."""
    return all_settings(stage)["/*", "*"]


def test_the_api_is_regional(any_stage: Synthesized) -> None:
    """It also passes PNG bytes through unchanged."""
    rest_api = any_stage.one("AWS::ApiGateway::RestApi")
    assert rest_api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert rest_api["BinaryMediaTypes"] == ["image/png", "application/json"] == [*surface.BINARY_MEDIA_TYPES]


def test_long_replies_are_compressed(any_stage: Synthesized) -> None:
    """The document has more than 200 KB; a reply to a generation is short, and stays as it is."""
    from_bytes = any_stage.one("AWS::ApiGateway::RestApi")["MinimumCompressionSize"]
    document = ROOT / "lambda" / "imagegen" / "http" / "openapi.json"
    assert 2_000 < from_bytes < document.stat().st_size


def kinds(stage: Synthesized) -> dict[tuple[str, str], str]:
    """Return how each method checks who calls."""
    return {name: str(method["AuthorizationType"]) for name, method in methods(stage).items()}


@pytest.mark.parametrize(
    ("overrides", "kind"),
    [
        (None, "CUSTOM"),
        ("api_auth=iam", "AWS_IAM"),
        (COGNITO, "COGNITO_USER_POOLS"),
    ],
)
def test_every_path_is_checked_but_health_and_the_document(
    synthesized: Callable[..., Synthesized], overrides: str | None, kind: str
) -> None:
    """The API has exactly these methods. Each has a throttle of its own, so looking up takes nothing from making."""
    stage = synthesized("dev", overrides)
    assert kinds(stage) == {
        ("{proxy+}", "GET"): kind,
        ("{proxy+}", "POST"): kind,
        ("{proxy+}", "ANY"): kind,
        ("health", "ANY"): "NONE",
        ("openapi.json", "GET"): "NONE",
        ("openapi.json", "ANY"): "NONE",
    }
    assert stage.resources("AWS::ApiGateway::ApiKey") == []
    assert stage.resources("AWS::ApiGateway::UsagePlan") == []


def test_the_authorizer_is_asked_about_every_request(any_stage: Synthesized) -> None:
    """The gateway keeps no decision: its cache would want both headers of a request."""
    authorizer = any_stage.one("AWS::ApiGateway::Authorizer")
    assert (authorizer["Type"], authorizer["AuthorizerResultTtlInSeconds"]) == ("REQUEST", 0)
    assert not authorizer.get("IdentitySource")
    function = any_stage.logical_id("AWS::Lambda::Function", named="HttpAuthorizer")
    assert function in json.dumps(authorizer["AuthorizerUri"])


@pytest.mark.parametrize(("overrides", "tables"), [(None, 1), ("api_auth=iam", 0), (COGNITO, 0)])
def test_only_keys_need_a_table_and_a_function(
    synthesized: Callable[..., Synthesized], overrides: str | None, tables: int
) -> None:
    """With another kind of authentication neither is deployed."""
    stage = synthesized("dev", overrides)
    assert [name for name in stage.outputs if name == "KeyTableName"] == ["KeyTableName"] * tables
    handlers = [each["Properties"]["Handler"] for each in stage.resources("AWS::Lambda::Function")]
    assert handlers.count("imagegen.authorizer_handler.lambda_handler") == tables


def test_a_pool_is_the_one_of_the_setting(synthesized: Callable[..., Synthesized]) -> None:
    """Tokens of any other pool are refused, and the gateway keeps no decision about a token."""
    authorizer = synthesized("dev", COGNITO).one("AWS::ApiGateway::Authorizer")
    assert authorizer["ProviderARNs"] == [POOL]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0


def test_the_authorizer_is_small(any_stage: Synthesized) -> None:
    """Every request waits for it and pays for its memory, whatever the stage gives its other functions."""
    function = any_stage.one("AWS::Lambda::Function", named="HttpAuthorizer")
    assert (function["MemorySize"], function["Timeout"]) == (256, 20)


def test_the_authorizer_has_the_variables_that_it_reads(any_stage: Synthesized) -> None:
    """It makes DynamoDB's address of the suffix that the partition's addresses have."""
    function = any_stage.one("AWS::Lambda::Function", named="HttpAuthorizer")
    variables = function["Environment"]["Variables"]
    assert {*variables} == {"KEY_TABLE_NAME", "URL_SUFFIX"}
    assert variables["URL_SUFFIX"] == {"Ref": "AWS::URLSuffix"}


def test_the_authorizer_may_only_read_keys(any_stage: Synthesized) -> None:
    """It may write its own log and get single items of the key table."""
    policy = any_stage.one("AWS::IAM::Policy", named="HttpAuthorizer")
    rights = {tuple(as_list(each["Action"])) for each in policy["PolicyDocument"]["Statement"]}
    assert rights == {("dynamodb:GetItem",), ("logs:CreateLogStream", "logs:PutLogEvents")}


def test_keys_survive_where_data_does(any_stage: Synthesized) -> None:
    """Keys of a stage that retains its data are retained as well, and can be restored."""
    (table,) = [
        each
        for name, each in any_stage.template["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::Table" and "Keys" in name
    ]
    assert table["DeletionPolicy"] == ("RetainExceptOnCreate" if any_stage.config.retain_data else "Delete")
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_every_method_is_answered_by_the_api_function(dev: Synthesized) -> None:
    """Each method is a proxy, so the function itself writes every body."""
    function = dev.logical_id("AWS::Lambda::Function", named="ApiFunction")
    for method in methods(dev).values():
        assert method["Integration"]["Type"] == "AWS_PROXY"
        assert function in json.dumps(method["Integration"]["Uri"])


@pytest.mark.parametrize(("overrides", "seconds"), [(None, 29), ("gateway_timeout=80", 80)])
def test_the_gateway_waits_as_long_as_the_setting_says(
    synthesized: Callable[..., Synthesized], overrides: str | None, seconds: int
) -> None:
    """The functions are told the same number, from which they derive how long a repeat may wait."""
    stage = synthesized("dev", overrides)
    waits = {method["Integration"]["TimeoutInMillis"] for method in methods(stage).values()}
    assert waits == {seconds * 1000}
    function = stage.one("AWS::Lambda::Function", named="ApiFunction")
    assert function["Environment"]["Variables"]["GATEWAY_TIMEOUT"] == str(seconds)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_stage_throttles(synthesized: Callable[..., Synthesized], name: str) -> None:
    """The gateway's stage limits all callers together."""
    stage = synthesized(name, None)
    rate, burst = stage.config.throttle_rate, stage.config.throttle_burst
    assert settings(stage)["ThrottlingRateLimit"] == rate
    assert settings(stage)["ThrottlingBurstLimit"] == burst


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_one_client_that_loops_leaves_others_most_of_the_throttle(name: str) -> None:
    """Whoever waits for each reply before the next request sends some 20 a second at most."""
    config = stage_config(name)
    assert (config.throttle_rate or 0) >= 2 * LOOP
    assert (config.throttle_burst or 0) >= 2 * (config.throttle_rate or 0)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_document_has_a_tenth_of_the_throttle(synthesized: Callable[..., Synthesized], name: str) -> None:
    """Anybody may ask for its 200 KB, and AWS charges for traffic out."""
    stage = synthesized(name, None)
    document = all_settings(stage)["/~1openapi.json", "GET"]
    assert len(all_settings(stage)) == 2
    for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
        assert document[limit] == settings(stage)[limit] / 10
    everything_else = settings(stage).keys() - {"HttpMethod", "ResourcePath"}
    assert document.keys() - {"HttpMethod", "ResourcePath"} == everything_else


def test_the_smallest_throttle_still_lets_the_document_through(
    synthesized: Callable[..., Synthesized],
) -> None:
    """API Gateway refuses everything with a burst of 0."""
    stage = synthesized("dev", "throttle_rate=1 throttle_burst=1")
    assert all_settings(stage)["/~1openapi.json", "GET"]["ThrottlingBurstLimit"] == 1


def test_without_limits_nothing_is_throttled(local: Synthesized) -> None:
    """The local stage has no limits; only `CONFIG` sets them."""
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"}.isdisjoint(settings(local))
    assert len(all_settings(local)) == 1


def test_bodies_are_never_logged_by_the_gateway(any_stage: Synthesized) -> None:
    """Data traces and execution logs would hold prompts and presigned URLs."""
    for each in all_settings(any_stage).values():
        assert each["DataTraceEnabled"] is False
        assert each["LoggingLevel"] == "OFF"
        assert "CachingEnabled" not in each


def test_every_request_is_logged_without_its_query_or_its_key(any_stage: Synthesized) -> None:
    """Each request is one line of JSON. It holds the id of the API key, and never the key."""
    setting = any_stage.one("AWS::ApiGateway::Stage")["AccessLogSetting"]
    logged = json.loads(setting["Format"])
    group = any_stage.logical_id("AWS::Logs::LogGroup", named="HttpAccessLogs")
    assert logged["request_id"] == "$context.requestId"
    assert {"$context.path", "$context.status", "$context.httpMethod"} <= set(logged.values())
    # These two tell a function that crashed from one that was throttled.
    assert logged["integration_error"] == "$context.integration.error"
    assert logged["error_message"] == "$context.error.message"
    assert "$context.identity.apiKey" not in logged.values()
    assert not any("querystring" in value.lower() or "requestOverride" in value for value in logged.values())
    assert {"Ref": group} in setting["DestinationArn"]["Fn::Join"][1]


def test_the_stage_has_the_name_of_the_base_path_and_the_url_ends_in_it(any_stage: Synthesized) -> None:
    """The gateway's stage is named after the base path of `http/surface.py`."""
    assert any_stage.one("AWS::ApiGateway::Stage")["StageName"] == surface.STAGE_NAME
    assert any_stage.outputs["ApiUrl"]["Value"]["Fn::Join"][1][-1] == surface.BASE_PATH


def test_the_outputs_are_these(any_stage: Synthesized) -> None:
    """Operators and the local service read the outputs by name."""
    assert set(any_stage.outputs) == {
        "AccessLogGroup",
        "ApiId",
        "ApiLogGroup",
        "ApiUrl",
        "AuthorizerLogGroup",
        "BucketName",
        "DeadLetterQueueUrl",
        "CallBackQueueUrl",
        "DeadCallBackQueueUrl",
        "KeyTableName",
        "QueueUrl",
        "TableName",
        "WebhookSecretArn",
        "WorkerLogGroup",
    }


def test_every_log_group_is_an_output(any_stage: Synthesized) -> None:
    """CloudFormation chooses their names, so an operator could not guess them."""
    groups = {
        name: each["Value"]["Ref"] for name, each in any_stage.outputs.items() if name.endswith("LogGroup")
    }
    resources = any_stage.template["Resources"]
    all_groups = {name for name, each in resources.items() if each["Type"] == "AWS::Logs::LogGroup"}
    assert set(groups.values()) == all_groups
    for output, part in (
        ("ApiLogGroup", "ApiLogs"),
        ("WorkerLogGroup", "WorkerLogs"),
        ("AuthorizerLogGroup", "HttpAuthorizerLogs"),
        ("AccessLogGroup", "HttpAccessLogs"),
    ):
        assert groups[output].startswith(part)


def test_the_role_that_writes_the_gateways_logs_outlives_the_stack(any_stage: Synthesized) -> None:
    """All APIs of an account and region share it."""
    (account,) = any_stage.resources("AWS::ApiGateway::Account")
    role = any_stage.logical_id("AWS::IAM::Role", named="CloudWatchRole")
    assert account["Properties"] == {"CloudWatchRoleArn": {"Fn::GetAtt": [role, "Arn"]}}
    (kept,) = any_stage.resources("AWS::IAM::Role", named="CloudWatchRole")
    assert {account["DeletionPolicy"], kept["DeletionPolicy"]} == {"Retain"}


def test_an_account_may_have_that_role_already(synthesized: Callable[..., Synthesized]) -> None:
    """The stack then leaves the account's role alone, and still writes the access log."""
    stage = synthesized("dev", "gateway_log_role=false")
    assert stage.resources("AWS::ApiGateway::Account") == []
    assert stage.resources("AWS::IAM::Role", named="CloudWatchRole") == []
    assert "AccessLogSetting" in stage.one("AWS::ApiGateway::Stage")


def test_metrics_of_single_methods_are_an_extra(
    any_stage: Synthesized, synthesized: Callable[..., Synthesized]
) -> None:
    """CloudWatch charges for them by the method."""
    assert settings(any_stage)["MetricsEnabled"] is False
    asked = all_settings(synthesized("dev", "method_metrics=true"))
    assert [each["MetricsEnabled"] for each in asked.values()] == [True, True]


@pytest.mark.parametrize("path", ["{proxy+}", "health", "openapi.json"])
def test_a_preflight_needs_no_key_and_allows_the_configured_origin(
    synthesized: Callable[..., Synthesized], path: str
) -> None:
    """A browser sends the preflight without credentials."""
    method = methods(synthesized("dev", ONE_ORIGIN))[path, "OPTIONS"]
    (answer,) = method["Integration"]["IntegrationResponses"]
    told = {
        name.removeprefix("method.response.header."): value.strip("'")
        for name, value in answer["ResponseParameters"].items()
    }
    assert method["AuthorizationType"] == "NONE"
    assert method["Integration"]["Type"] == "MOCK"
    assert told["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert listed(told["Access-Control-Allow-Methods"]) == {
        "get",
        "head",
        "post",
        "delete",
        "options",
    }


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "overrides", [ONE_ORIGIN, TWO_ORIGINS, "cors_origins=*", f"api_auth=iam {ONE_ORIGIN}"]
)
def test_every_preflight_is_read_as_text(
    synthesized: Callable[..., Synthesized], stage: str, overrides: str
) -> None:
    """As bytes, which application/json is here, API Gateway could not read it, and a browser would get a 500."""
    found = methods(synthesized(stage, overrides))
    conversions = {
        path: method["Integration"].get("ContentHandling")
        for (path, verb), method in found.items()
        if verb == "OPTIONS"
    }
    assert conversions == {path: "CONVERT_TO_TEXT" for path, verb in found if verb == "ANY"}


def deployment_of(*, as_text: bool) -> str:
    """Return the logical id of the deployment of a small API with a preflight."""
    stack = cdk.Stack(cdk.App(), "Small")
    api = apigateway.RestApi(stack, "Api", binary_media_types=["application/json"])
    preflight = api.root.add_cors_preflight(allow_origins=["https://a.example"])
    if as_text:
        read_as_text(preflight, api=api)
    deployments = assertions.Template.from_stack(stack).find_resources("AWS::ApiGateway::Deployment")
    return next(iter(deployments))


def test_an_api_that_is_already_deployed_gets_the_new_preflight() -> None:
    """API Gateway serves a snapshot: without a deployment of another name, the old one stays."""
    assert deployment_of(as_text=True) != deployment_of(as_text=False)
    assert deployment_of(as_text=True) == deployment_of(as_text=True)


def test_a_preflight_chooses_among_several_origins(synthesized: Callable[..., Synthesized]) -> None:
    """The reply names the first origin by default, and the origin that asks if it is listed."""
    method = methods(synthesized("dev", TWO_ORIGINS))["{proxy+}", "OPTIONS"]
    (answer,) = method["Integration"]["IntegrationResponses"]
    assert answer["ResponseParameters"]["method.response.header.Access-Control-Allow-Origin"] == (
        "'https://a.example'"
    )
    assert '$origin == "https://b.example"' in answer["ResponseTemplates"]["application/json"]


def test_signed_requests_may_be_preflighted_too(synthesized: Callable[..., Synthesized]) -> None:
    """With IAM a page has to send the headers of the signature."""
    stage = synthesized("dev", f"api_auth=iam {ONE_ORIGIN}")
    (answer,) = methods(stage)["{proxy+}", "OPTIONS"]["Integration"]["IntegrationResponses"]
    allowed = answer["ResponseParameters"]["method.response.header.Access-Control-Allow-Headers"]
    assert {"authorization", "x-amz-date"} <= set(allowed.strip("'").split(","))


def test_without_origins_there_is_no_preflight(dev: Synthesized) -> None:
    """No method handles `OPTIONS`, so a browser refuses the page."""
    assert [verb for _, verb in methods(dev) if verb == "OPTIONS"] == []


def test_gateway_and_function_tell_a_page_the_same(synthesized: Callable[..., Synthesized]) -> None:
    """The function's replies, the preflight and the gateway's own replies name the same headers and methods."""
    stage = synthesized("dev", ONE_ORIGIN)
    own = create_app(world(cors_origins=[ONE_ORIGIN.partition("=")[2]]).services)
    origin = {"Origin": ONE_ORIGIN.partition("=")[2]}
    asked = send(own, event("OPTIONS", "/text-to-image", headers=origin)).headers
    answered = send(own, event("GET", "/models", headers=origin)).headers
    (preflight,) = methods(stage)["{proxy+}", "OPTIONS"]["Integration"]["IntegrationResponses"]
    told = {
        name.removeprefix("method.response.header.").lower(): value
        for name, value in preflight["ResponseParameters"].items()
    }
    allowed = listed(told["access-control-allow-headers"])
    assert allowed == {name.lower() for name in surface.SENT_HEADERS}
    assert allowed == listed(asked["access-control-allow-headers"])
    assert listed(told["access-control-allow-methods"]) == listed(asked["access-control-allow-methods"])
    exposed = listed(told["access-control-expose-headers"])
    assert exposed == listed(answered["access-control-expose-headers"])
    for response in stage.resources("AWS::ApiGateway::GatewayResponse"):
        parameters = response["Properties"]["ResponseParameters"]
        assert exposed == listed(parameters["gatewayresponse.header.Access-Control-Expose-Headers"])


def listed(header: str) -> set[str]:
    """Return the names that a header lists, in lower case."""
    return {name.strip().lower() for name in header.strip("'").split(",")}
