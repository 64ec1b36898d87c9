"""The replies of API Gateway itself, with the same body as the functions' errors.

Every type sets its status code, so that `status` in the body is the status that is sent. See the API Gateway developer
guide, "Gateway response types", and `docs/decisions/0010-the-gateway-replies-in-the-contracts-words.md`. One template
serves every path, so the body has the members of every shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway

from imagegen import errors
from imagegen.http import problems, surface
from stacks.authentication import Authentication

EXPOSED_HEADERS = tuple(sorted(name.lower() for name in surface.EXPOSED_HEADERS))
ONE_DAY = 86_400

# Where API Gateway finds the values of the headers that every reply has.
_ON_EVERY_REPLY = {"X-Request-Id": "context.requestId"}
_NOT_WELL_FORMED = "The request is malformed."
_CONFIGURATION = "The service is misconfigured; its operator finds the reason under the request id."
_MAYBE_CARRIED_OUT = (
    "The service sent no reply; the request may have been carried out. Repeat it with the same "
    f"Idempotency-Key, or look for it in {surface.spoken('listGenerations')}."
)
_NO_REPLY = (
    "The function failed, or too many requests came at once. The request may have been carried out. Repeat it with "
    f"the same Idempotency-Key, or look for it in {surface.spoken('listGenerations')}."
)
_STILL_RUNNING = (
    "The image takes longer than a connection may last and is still being made. Repeat the request with the "
    f"same Idempotency-Key, or look for it in {surface.spoken('listGenerations')}; it is not paid for twice."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProblem:
    """One gateway response: its type, the error that it becomes, the detail, and the seconds to wait."""

    when: apigateway.ResponseType
    error: type[errors.ImagegenError]
    detail: str
    retry_after: int | None = None

    @property
    def failure(self) -> errors.ImagegenError:
        """The error with its facts."""
        return self.error(self.detail, retry_after=self.retry_after)

    def body(self) -> str:
        """Return the body's template; API Gateway fills in the request id."""
        return json.dumps(problems.gateway_reply(self.failure, request_id="$context.requestId"))

    def should_retry(self) -> str:
        """Return the value of `X-Should-Retry`."""
        return "true" if problems.should_retry(self.failure) else "false"


def _problem(
    when: apigateway.ResponseType,
    error: type[errors.ImagegenError],
    detail: str,
    retry_after: int | None = None,
) -> GatewayProblem:
    return GatewayProblem(when=when, error=error, detail=detail, retry_after=retry_after)


_TYPES = apigateway.ResponseType
_PROBLEMS = (
    _problem(_TYPES.API_CONFIGURATION_ERROR, errors.Misconfigured, _CONFIGURATION),
    _problem(_TYPES.AUTHORIZER_CONFIGURATION_ERROR, errors.Misconfigured, _CONFIGURATION),
    _problem(_TYPES.AUTHORIZER_FAILURE, errors.Misconfigured, _CONFIGURATION),
    _problem(_TYPES.BAD_REQUEST_BODY, errors.InvalidParameter, _NOT_WELL_FORMED),
    _problem(_TYPES.BAD_REQUEST_PARAMETERS, errors.InvalidParameter, _NOT_WELL_FORMED),
    _problem(_TYPES.DEFAULT_4_XX, errors.InvalidParameter, _NOT_WELL_FORMED),
    _problem(_TYPES.DEFAULT_5_XX, errors.OutcomeUnknown, _MAYBE_CARRIED_OUT),
    # Lambda's own throttle ends here as well: there API Gateway cannot tell it from a crash.
    _problem(_TYPES.INTEGRATION_FAILURE, errors.OutcomeUnknown, _NO_REPLY, 10),
    _problem(_TYPES.INTEGRATION_TIMEOUT, errors.ModelTimeout, _STILL_RUNNING),
    _problem(_TYPES.QUOTA_EXCEEDED, errors.QuotaExceeded, "This account has used up its requests.", ONE_DAY),
    # API Gateway does not use this one ("not supported" in "Gateway response types"): it has a body of its own.
    _problem(_TYPES.REQUEST_TOO_LARGE, errors.PayloadTooLarge, "The body is larger than 10 MB."),
    _problem(_TYPES.RESOURCE_NOT_FOUND, errors.NotFound, "There is nothing at this path."),
    _problem(_TYPES.THROTTLED, errors.RateLimited, "Requests arrive faster than the throttle allows.", 1),
    _problem(
        _TYPES.UNSUPPORTED_MEDIA_TYPE, errors.UnsupportedMediaType, "The body's media type is not supported."
    ),
    _problem(
        _TYPES.WAF_FILTERED, errors.Forbidden, "The firewall in front of the service refused the request."
    ),
)


def _problems(authentication: Authentication) -> tuple[GatewayProblem, ...]:
    refused = authentication.refused
    return (
        *_PROBLEMS,
        _problem(_TYPES.ACCESS_DENIED, authentication.denied, refused),
        _problem(_TYPES.EXPIRED_TOKEN, errors.Forbidden, refused),
        _problem(_TYPES.INVALID_API_KEY, errors.Forbidden, refused),
        _problem(_TYPES.INVALID_SIGNATURE, errors.Forbidden, refused),
        # Despite its name, API Gateway sends this for a request for which it has no method.
        _problem(
            _TYPES.MISSING_AUTHENTICATION_TOKEN, authentication.unmatched, authentication.unmatched_detail
        ),
        _problem(
            _TYPES.UNAUTHORIZED, authentication.unauthorized, authentication.unauthorized_detail or refused
        ),
    )


def add_gateway_responses(
    api: apigateway.RestApi, *, authentication: Authentication, cors_origins: tuple[str, ...]
) -> None:
    """Give every gateway response a problem as its body, and the headers that let a page read it."""
    # Their order decides the deployment's id; sorted, an unchanged API is not deployed again.
    for problem in sorted(_problems(authentication), key=lambda each: each.when.response_type):
        headers = {
            "Content-Type": "'application/problem+json'",
            **{name: _ON_EVERY_REPLY[name] for name in surface.HEADERS_ON_EVERY_REPLY},
            **{name: f"'{value}'" for name, value in surface.FIXED_HEADERS.items()},
            # Without this header OpenAI's clients repeat every 429 and 5xx by themselves, and may pay again.
            "X-Should-Retry": f"'{problem.should_retry()}'",
            "X-Imagegen-Charged": f"'{problem.failure.paid}'",
            **_cors_headers(cors_origins),
        }
        if problem.error is errors.Unauthorized:
            # RFC 9110 §11.6.1: a 401 names a scheme by which the client can prove who it is.
            headers["WWW-Authenticate"] = f"'{authentication.challenge}'"
        if problem.retry_after is not None:
            headers["Retry-After"] = f"'{problem.retry_after}'"
        api.add_gateway_response(
            f"Response-{problem.when.response_type}",
            type=problem.when,
            status_code=str(problem.error.kind.status),
            response_headers=headers,
            templates={"application/json": problem.body()},
        )


def _cors_headers(origins: tuple[str, ...]) -> dict[str, str]:
    if not origins:
        return {}
    # A gateway response cannot choose among origins. Its body holds no caller's data, so any page may read it.
    origin = origins[0] if len(origins) == 1 else "*"
    return {
        "Access-Control-Allow-Origin": f"'{origin}'",
        "Access-Control-Expose-Headers": f"'{','.join(EXPOSED_HEADERS)}'",
    }
