"""Every reply that the gateway itself sends is a complete problem, as the functions send it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from imagegen.errors import ImagegenError, error_types
from imagegen.http.compat import stability

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

EXPECTED = {
    "ACCESS_DENIED": (401, "unauthorized"),
    "API_CONFIGURATION_ERROR": (500, "misconfigured"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "misconfigured"),
    "AUTHORIZER_FAILURE": (500, "misconfigured"),
    "BAD_REQUEST_BODY": (400, "invalid_parameter"),
    "BAD_REQUEST_PARAMETERS": (400, "invalid_parameter"),
    "DEFAULT_4XX": (400, "invalid_parameter"),
    "DEFAULT_5XX": (502, "outcome_unknown"),
    "EXPIRED_TOKEN": (403, "forbidden"),
    "INTEGRATION_FAILURE": (502, "outcome_unknown"),
    "INTEGRATION_TIMEOUT": (504, "model_timeout"),
    "INVALID_API_KEY": (403, "forbidden"),
    "INVALID_SIGNATURE": (403, "forbidden"),
    "MISSING_AUTHENTICATION_TOKEN": (404, "not_found"),
    "QUOTA_EXCEEDED": (429, "quota_exceeded"),
    "REQUEST_TOO_LARGE": (413, "payload_too_large"),
    "RESOURCE_NOT_FOUND": (404, "not_found"),
    "THROTTLED": (429, "rate_limited"),
    "UNAUTHORIZED": (400, "invalid_parameter"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "unsupported_media_type"),
    "WAF_FILTERED": (403, "forbidden"),
}
POOL = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Callers"
OURS = {"type", "title", "status", "code", "detail", "request_id", "retryable", "charged"}
THEIRS = {"message", "error", "id", "name"}
"""Members for the clients of other APIs: a template serves every path."""


def responses(stage: Synthesized) -> dict[str, dict[str, Any]]:
    """Return the gateway responses by type."""
    found = stage.resources("AWS::ApiGateway::GatewayResponse")
    return {each["Properties"]["ResponseType"]: each["Properties"] for each in found}


def body(response: dict[str, Any]) -> dict[str, Any]:
    """Return the body that a gateway response's template describes."""
    return dict(json.loads(response["ResponseTemplates"]["application/json"]))


def kind_error(problem: dict[str, Any]) -> ImagegenError:
    """Return an error of the code of a problem."""
    return next(error for error in error_types() if error.kind.code == problem["code"])("One sentence.")


def headers(response: dict[str, Any]) -> dict[str, str]:
    """Return the headers that a gateway response sets."""
    prefix = "gatewayresponse.header."
    return {name.removeprefix(prefix): value for name, value in response["ResponseParameters"].items()}


def test_every_type_of_gateway_response_has_its_code(any_stage: Synthesized) -> None:
    """No type of gateway response has API Gateway's own body."""
    found = responses(any_stage)
    assert {type_: (body(each)["status"], body(each)["code"]) for type_, each in found.items()} == EXPECTED


@pytest.mark.parametrize("type_", EXPECTED)
def test_a_gateway_response_is_a_complete_problem(dev: Synthesized, type_: str) -> None:
    """The problem has the status that is sent, and the id under which the gateway logged the request."""
    response = responses(dev)[type_]
    problem = body(response)
    kinds = {error.kind.code: error.kind for error in error_types()}
    assert set(problem) == OURS | THEIRS
    assert str(problem["status"]) == response["StatusCode"]
    assert problem["request_id"] == "$context.requestId"
    assert problem["title"] == kinds[problem["code"]].title
    assert problem["retryable"] is kinds[problem["code"]].retryable
    assert problem["charged"] == kinds[problem["code"]].paid
    assert problem["message"] == problem["error"]["message"] == problem["detail"]
    assert (problem["error"]["code"], problem["id"]) == (problem["code"], "$context.requestId")
    assert problem["name"] == stability.problem(kind_error(problem), request_id="")["name"]
    # The real id of a request has 36 characters.
    assert len(response["ResponseTemplates"]["application/json"]) + 2 * (36 - 18) <= 4_096
    assert headers(response)["Content-Type"] == "'application/problem+json'"
    assert headers(response)["X-Request-Id"] == "context.requestId"
    assert headers(response)["X-Content-Type-Options"] == "'nosniff'"


@pytest.mark.parametrize(
    ("type_", "seconds"),
    [("THROTTLED", "'1'"), ("QUOTA_EXCEEDED", "'86400'"), ("INTEGRATION_FAILURE", "'10'")],
)
def test_a_refusal_that_passes_says_when_to_come_back(dev: Synthesized, type_: str, seconds: str) -> None:
    """It says a second for a throttle, a day for the monthly quota, and ten seconds for a busy function."""
    assert headers(responses(dev)[type_])["Retry-After"] == seconds


@pytest.mark.parametrize("type_", EXPECTED)
def test_only_a_throttled_request_is_repeated_by_a_client_of_its_own(dev: Synthesized, type_: str) -> None:
    """By themselves OpenAI's clients would repeat every 429 and 5xx; the monthly quota takes a day to pass."""
    expected = "'true'" if type_ == "THROTTLED" else "'false'"
    assert headers(responses(dev)[type_])["X-Should-Retry"] == expected


def test_a_function_that_sent_nothing_may_have_failed_or_been_throttled(dev: Synthesized) -> None:
    """API Gateway has one type for both, and the reply says both, and how to repeat the request safely."""
    detail = body(responses(dev)["INTEGRATION_FAILURE"])["detail"]
    assert "failed, or too many requests came at once" in detail
    assert "may have been carried out" in detail
    assert "Idempotency-Key" in detail
    assert "GET /v1/generations" in detail


def test_a_time_out_says_that_the_image_is_still_made(dev: Synthesized) -> None:
    """The reply also says how to get the image without paying again."""
    detail = body(responses(dev)["INTEGRATION_TIMEOUT"])["detail"]
    assert "still being made" in detail
    assert "Idempotency-Key" in detail
    assert "GET /v1/generations" in detail


@pytest.mark.parametrize(
    ("overrides", "origin"),
    [
        ("cors_origins=https://app.example.com", "'https://app.example.com'"),
        ("cors_origins=*", "'*'"),
        ("cors_origins=https://a.example,https://b.example", "'*'"),
    ],
)
def test_a_page_may_read_every_gateway_response(
    synthesized: Callable[..., Synthesized], overrides: str, origin: str
) -> None:
    """Without CORS headers a browser would hide the reason from the page."""
    for response in responses(synthesized("dev", overrides)).values():
        assert headers(response)["Access-Control-Allow-Origin"] == origin
        assert "retry-after" in headers(response)["Access-Control-Expose-Headers"]


def test_without_origins_no_page_is_told_anything(dev: Synthesized) -> None:
    """CORS stays off until an origin is configured."""
    for response in responses(dev).values():
        assert "Access-Control-Allow-Origin" not in headers(response)


def test_with_iam_an_unsigned_request_is_refused_not_unknown(
    synthesized: Callable[..., Synthesized],
) -> None:
    """API Gateway has one type for an unsigned request and for an unknown path; the reply names the signature."""
    problem = body(responses(synthesized("dev", "api_auth=iam"))["MISSING_AUTHENTICATION_TOKEN"])
    assert (problem["status"], problem["code"]) == (403, "forbidden")
    assert "signature" in problem["detail"]


@pytest.mark.parametrize(
    ("overrides", "denied", "unauthorized", "challenge"),
    [
        (None, 401, 400, "'Bearer'"),
        ("api_auth=iam", 403, 401, "'AWS4-HMAC-SHA256'"),
        (f"api_auth=cognito user_pool_arn={POOL}", 403, 401, "'Bearer'"),
    ],
)
def test_a_refused_caller_gets_the_status_of_its_kind_of_authentication(
    synthesized: Callable[..., Synthesized],
    overrides: str | None,
    denied: int,
    unauthorized: int,
    challenge: str,
) -> None:
    """A wrong key is a 401 and two keys are a 400; every 401 says how a caller proves who it is."""
    found = responses(synthesized("dev", overrides))
    assert body(found["ACCESS_DENIED"])["status"] == denied
    assert body(found["UNAUTHORIZED"])["status"] == unauthorized
    for response in found.values():
        is_401 = response["StatusCode"] == "401"
        assert headers(response).get("WWW-Authenticate") == (challenge if is_401 else None)


def test_the_responses_are_deployed_with_the_api(any_stage: Synthesized) -> None:
    """The deployment depends on the gateway responses; one that was made before them would lack them."""
    (deployment,) = any_stage.resources("AWS::ApiGateway::Deployment")
    expected = {
        logical_id
        for logical_id, resource in any_stage.template["Resources"].items()
        if resource["Type"] == "AWS::ApiGateway::GatewayResponse"
    }
    assert expected <= set(deployment["DependsOn"])
