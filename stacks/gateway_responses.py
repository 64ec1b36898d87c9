"""What API Gateway itself answers, in the same body as the functions' errors.

Every type has its status set, so that `status` in the body is always the real one. The types and what may be
mapped into a body: API Gateway developer guide, "Gateway response types".
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway

from imagegen import errors
from imagegen.http import serialize

EXPOSED_HEADERS = (
    "allow",
    "finish-reason",
    "idempotent-replayed",
    "location",
    "preference-applied",
    "retry-after",
    "seed",
    "x-request-id",
)
ONE_DAY = 86_400

_KEY_REFUSED = "The x-api-key header is missing, or its key is unknown, disabled or not in a usage plan."
_IAM_REFUSED = (
    "The request's AWS signature is missing, wrong or expired, or its principal may not call this API."
)
_NO_SUCH_PATH = "There is nothing at this path."
_NO_SUCH_PATH_OR_SIGNATURE = "There is nothing at this path, or the request carries no AWS signature."
_NOT_WELL_FORMED = "The request is not one that this API reads."
_CONFIGURATION = "The service is misconfigured; its operator finds the reason under the request id."
_MAYBE_CARRIED_OUT = (
    "The service failed to answer; the request may have been carried out. Repeat it with the same "
    "Idempotency-Key, or look for it in GET /v1/generations."
)
_STILL_RUNNING = (
    "The image takes longer than a connection may last and is still being made. Repeat the request with the "
    "same Idempotency-Key, or look for it in GET /v1/generations; it is not paid for twice."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProblem:
    """One gateway response: which error of the contract it is, in which words, and when to come back."""

    when: apigateway.ResponseType
    error: type[errors.ImagegenError]
    detail: str
    retry_after: int | None = None

    def body(self) -> str:
        """Return the body's template; API Gateway fills in the request id."""
        return json.dumps(serialize.problem(self.error(self.detail), request_id="$context.requestId"))


def _problems(*, iam: bool) -> tuple[GatewayProblem, ...]:
    types = apigateway.ResponseType

    def problem(
        type_: apigateway.ResponseType,
        error: type[errors.ImagegenError],
        detail: str,
        retry_after: int | None = None,
    ) -> GatewayProblem:
        return GatewayProblem(when=type_, error=error, detail=detail, retry_after=retry_after)

    refused = _IAM_REFUSED if iam else _KEY_REFUSED
    return (
        problem(types.ACCESS_DENIED, errors.Forbidden, refused),
        problem(types.API_CONFIGURATION_ERROR, errors.Misconfigured, _CONFIGURATION),
        problem(types.AUTHORIZER_CONFIGURATION_ERROR, errors.Misconfigured, _CONFIGURATION),
        problem(types.AUTHORIZER_FAILURE, errors.Misconfigured, _CONFIGURATION),
        problem(types.BAD_REQUEST_BODY, errors.InvalidParameter, _NOT_WELL_FORMED),
        problem(types.BAD_REQUEST_PARAMETERS, errors.InvalidParameter, _NOT_WELL_FORMED),
        problem(types.DEFAULT_4_XX, errors.InvalidParameter, _NOT_WELL_FORMED),
        problem(types.DEFAULT_5_XX, errors.OutcomeUnknown, _MAYBE_CARRIED_OUT),
        problem(types.EXPIRED_TOKEN, errors.Forbidden, refused),
        problem(types.INTEGRATION_FAILURE, errors.OutcomeUnknown, _MAYBE_CARRIED_OUT),
        problem(types.INTEGRATION_TIMEOUT, errors.ModelTimeout, _STILL_RUNNING),
        problem(types.INVALID_API_KEY, errors.Forbidden, refused),
        problem(types.INVALID_SIGNATURE, errors.Forbidden, refused),
        # What API Gateway calls a request for which it has no method.
        problem(
            types.MISSING_AUTHENTICATION_TOKEN,
            errors.Forbidden if iam else errors.NotFound,
            _NO_SUCH_PATH_OR_SIGNATURE if iam else _NO_SUCH_PATH,
        ),
        problem(
            types.QUOTA_EXCEEDED,
            errors.QuotaExceeded,
            "The month's requests of this key are used up.",
            ONE_DAY,
        ),
        problem(types.REQUEST_TOO_LARGE, errors.PayloadTooLarge, "The body is larger than 10 MB."),
        problem(types.RESOURCE_NOT_FOUND, errors.NotFound, _NO_SUCH_PATH),
        problem(types.THROTTLED, errors.RateLimited, "Requests come faster than this key may send them.", 1),
        problem(types.UNAUTHORIZED, errors.Unauthorized, refused),
        problem(
            types.UNSUPPORTED_MEDIA_TYPE, errors.UnsupportedMediaType, "The body's media type is not read."
        ),
        problem(
            types.WAF_FILTERED, errors.Forbidden, "The firewall in front of the service refused the request."
        ),
    )


def add_gateway_responses(api: apigateway.RestApi, *, iam: bool, cors_origins: tuple[str, ...]) -> None:
    """Give every gateway response the problem body, and the headers that let a page read it."""
    for problem in _problems(iam=iam):
        headers = {
            "Content-Type": "'application/problem+json'",
            "X-Request-Id": "context.requestId",
            **_cors_headers(cors_origins),
        }
        if problem.error.kind.paid != "no":
            # Without this header OpenAI's clients repeat every 5xx by themselves, and pay again.
            headers["X-Should-Retry"] = "'false'"
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
    # A gateway response cannot choose among origins. Its body holds nothing of a caller's, so any page may read it.
    origin = origins[0] if len(origins) == 1 else "*"
    return {
        "Access-Control-Allow-Origin": f"'{origin}'",
        "Access-Control-Expose-Headers": f"'{','.join(EXPOSED_HEADERS)}'",
    }
