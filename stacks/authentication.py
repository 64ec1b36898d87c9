"""How callers prove who they are: one entry for each value of `api_auth`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_apigateway as apigateway

from imagegen import errors
from stacks.stage import ApiAuth

if TYPE_CHECKING:
    from constructs import Construct


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """One way to prove who calls: what API Gateway checks, and how it replies if the check fails."""

    authorization: apigateway.AuthorizationType
    needs_key: bool = False
    """Whether a call needs an API key of the usage plan."""
    authorizer: Callable[[Construct], apigateway.IAuthorizer] | None = None
    """Makes the authorizer, if this kind has one."""
    headers: tuple[str, ...] = ()
    """Headers that a page sends for it, besides those of every request."""
    refused: str
    unmatched: type[errors.ImagegenError]
    unmatched_detail: str
    """The reply to a request for which API Gateway has no method; with some kinds, also to one without credentials."""


AUTHENTICATION: Final[Mapping[ApiAuth, Authentication]] = {
    "api_key": Authentication(
        authorization=apigateway.AuthorizationType.NONE,
        needs_key=True,
        refused="The x-api-key header is missing, or its key is unknown, disabled or not in a usage plan.",
        unmatched=errors.NotFound,
        unmatched_detail="There is nothing at this path.",
    ),
    "iam": Authentication(
        authorization=apigateway.AuthorizationType.IAM,
        headers=("authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
        refused="The request's AWS signature is missing, wrong or expired, or its principal may not call this API.",
        # API Gateway does not tell an unknown path from a missing signature: see
        # docs/decisions/0010-the-gateway-replies-in-the-contracts-words.md.
        unmatched=errors.Forbidden,
        unmatched_detail="There is nothing at this path, or the request carries no AWS signature.",
    ),
}
"""To add a kind, add its word to `ApiAuth` and its entry here."""
