"""How callers prove who they are: one entry for each value of `api_auth`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_

from imagegen import errors
from stacks.encryption_key import EncryptionKey
from stacks.functions import Function
from stacks.key_table import KeyTable
from stacks.setting_types import ApiAuth
from stacks.stage import StageConfig

if TYPE_CHECKING:
    from constructs import Construct

AUTHORIZER: Final = "Authorizer"
"""The construct of the function that checks API keys."""
MakeAuthorizer = Callable[
    ["Construct", StageConfig, lambda_.Code, EncryptionKey | None], apigateway.IAuthorizer
]
"""Makes the authorizer of a stage, and what it needs, below a construct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """One way to prove who calls: what API Gateway checks, and how it replies if the check fails."""

    authorization: apigateway.AuthorizationType
    authorizer: MakeAuthorizer | None = None
    """Makes the authorizer, if this kind has one."""
    challenge: str = "Bearer"
    """The scheme that a 401 names, by which a caller can prove who it is."""
    refused: str
    denied: type[errors.ImagegenError] = errors.Forbidden
    """The reply to a caller whom an authorizer or a policy denies."""
    unauthorized: type[errors.ImagegenError] = errors.Unauthorized
    unauthorized_detail: str = ""
    """The reply to a request whose credentials an authorizer does not understand; empty stands for `refused`."""
    unmatched: type[errors.ImagegenError]
    unmatched_detail: str
    """The reply to a request for which API Gateway has no method; with some kinds, also to one without credentials."""


def _check_keys(
    scope: Construct, config: StageConfig, code: lambda_.Code, key: EncryptionKey | None
) -> apigateway.IAuthorizer:
    kms_key = key.key if key else None
    keys = KeyTable(scope, "Keys", config=config, key=kms_key)
    # Every request waits for it, so it is small.
    function = Function(
        scope,
        AUTHORIZER,
        config=config,
        code=code,
        handler="imagegen.authorizer_handler.lambda_handler",
        description="Checks the API keys of imagegen.",
        environment={"KEY_TABLE_NAME": keys.table.table_name, "URL_SUFFIX": Aws.URL_SUFFIX},
        key=kms_key,
        # Three requests that nobody answers, and the pauses between them, take 16 seconds.
        timeout=20,
        memory_mb=256,
    )
    function.allow(keys.read())
    if key:
        function.allow(key.decrypt("dynamodb"))
    CfnOutput(Stack.of(scope), "KeyTableName", value=keys.table.table_name)
    CfnOutput(Stack.of(scope), "AuthorizerLogGroup", value=function.log_group.log_group_name)
    return apigateway.RequestAuthorizer(
        scope,
        "KeyAuthorizer",
        handler=function.function,
        # The key may be in either of two headers. With its cache on, API Gateway wants every header that it is told
        # about, and would refuse each caller who sends one: see docs/decisions/0016-keys-of-our-own.md.
        identity_sources=[],
        results_cache_ttl=Duration.seconds(0),
    )


def _check_tokens(
    scope: Construct, config: StageConfig, _code: lambda_.Code, _key: EncryptionKey | None
) -> apigateway.IAuthorizer:
    pool = cognito.UserPool.from_user_pool_arn(scope, "UserPool", str(config.user_pool_arn))
    return apigateway.CognitoUserPoolsAuthorizer(
        scope, "TokenAuthorizer", cognito_user_pools=[pool], results_cache_ttl=Duration.seconds(0)
    )


AUTHENTICATION: Final[Mapping[ApiAuth, Authentication]] = {
    "key": Authentication(
        authorization=apigateway.AuthorizationType.CUSTOM,
        authorizer=_check_keys,
        refused="The API key is missing, unknown, expired or revoked. Send it as x-api-key or as a bearer token.",
        denied=errors.Unauthorized,
        unauthorized=errors.InvalidParameter,
        unauthorized_detail="x-api-key and Authorization carry two different keys; send one key.",
        unmatched=errors.NotFound,
        unmatched_detail="There is nothing at this path.",
    ),
    "iam": Authentication(
        authorization=apigateway.AuthorizationType.IAM,
        challenge="AWS4-HMAC-SHA256",
        refused="The request's AWS signature is missing, wrong or expired, or its principal may not call this API.",
        # API Gateway does not tell an unknown path from a missing signature: see
        # docs/decisions/0010-the-gateway-replies-in-the-contracts-words.md.
        unmatched=errors.Forbidden,
        unmatched_detail="There is nothing at this path, or the request carries no AWS signature.",
    ),
    "cognito": Authentication(
        authorization=apigateway.AuthorizationType.COGNITO,
        authorizer=_check_tokens,
        refused="The token is missing, wrong or expired, or is not of this deployment's user pool.",
        unmatched=errors.NotFound,
        unmatched_detail="There is nothing at this path.",
    ),
}
"""To add a kind, add its word to `ApiAuth` and its entry here."""
