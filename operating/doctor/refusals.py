"""What it means for a check that AWS, or the deployed service, did not reply as expected."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from operating.doctor.finding import Finding, problem, warning
from tools.failures import LocalError

if TYPE_CHECKING:
    from operating.doctor.examined import Examined

RIGHTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DescribeStacks": "cloudformation:DescribeStacks",
        "GetAccount": "apigateway:GET",
        "GetAccountSettings": "lambda:GetAccountSettings",
        "GetFoundationModel": "bedrock:GetFoundationModel",
        "GetFoundationModelAvailability": "bedrock:GetFoundationModelAvailability",
        "GetFunctionConcurrency": "lambda:GetFunctionConcurrency",
        "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
        "GetParameter": "ssm:GetParameter",
        "GetSecretValue": "secretsmanager:GetSecretValue",
        "GetTemplate": "cloudformation:GetTemplate",
        "ListServiceQuotas": "servicequotas:ListServiceQuotas",
        "ListStackResources": "cloudformation:ListStackResources",
    }
)
"""The right that each call of the examination needs. `sts:GetCallerIdentity` needs none."""
KMS_RIGHT: Final = "kms:Decrypt"
"""What reading a secret needs as well where the stage has a key of its own."""
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED: Final = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "RequestThrottled"),
    }
)
FAILURES: Final = (BotoCoreError, ClientError, httpx.HTTPError, LocalError)
"""What a check may raise. It ends this check, and no other."""
UNREADABLE: Final = (AttributeError, LookupError, TypeError, ValueError)
"""What a check may raise because a reply has another form than the documented one."""
_POLICY: Final = "imagegen-doctor"


def finding_of(error: Exception, examined: Examined) -> Finding:
    """Return what a check could not find out, and what the operator can do about it."""
    match error:
        case ClientError():
            return _refused(error, examined)
        case BotoCoreError():
            return _unreached(error, examined)
        case httpx.HTTPError():
            return _service_unreached(error, examined)
        case LocalError():  # a value of the operator's own configuration of AWS
            return problem(str(error), "aws configure list")
    return warning(
        f"What came back has another form than this command knows ({type(error).__name__}), so it is not checked.",
        examined.again(),
    )


def _refused(error: ClientError, examined: Examined) -> Finding:
    code: str = error.response["Error"].get("Code", "")
    message: str = error.response["Error"].get("Message", "")
    operation = error.operation_name
    if code in DENIED:
        # Secrets Manager refuses so whoever may read a secret and may not use the key that encrypts it.
        right = KMS_RIGHT if "KMS" in message else RIGHTS.get(operation, operation)
        if "explicit deny" in message:
            return warning(
                f"This could not be looked at: a policy explicitly denies {right} to you. "
                "Ask whoever manages the organization or the permissions boundary.",
                _policies(examined, right),
            )
        return warning(f"This could not be looked at: you lack the right {right}.", grant(examined, right))
    if code in THROTTLED:
        return warning(f"This could not be looked at: AWS throttles {operation} now.", examined.again())
    return warning(f"This could not be looked at: {operation} ended with {code}: {message}", examined.again())


def _unreached(error: BotoCoreError, examined: Examined) -> Finding:
    # The text of this class itself may quote a header with credentials; its subclasses have sentences of their own.
    why = "the request could not be sent" if type(error) is HTTPClientError else str(error)
    # An address of the operator's own may have a password in front of its host.
    address = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url") or ""))
    host = address.hostname or f"sts.{examined.region}.amazonaws.com"
    port = f":{address.port}" if address.port else ""
    shown = f"{address.scheme or 'https'}://{host}{port}"
    if address.username:
        why = f"{shown} could not be reached"
    look = examined.deploy() if examined.is_local else f"curl -sSI {shlex.quote(shown)}"
    return warning(f"This could not be looked at: {why}", look)


def _service_unreached(error: httpx.HTTPError, examined: Examined) -> Finding:
    why = str(error) or type(error).__name__
    health = f"curl -sSi {shlex.quote(examined.service.api_url + '/health')}"
    look = examined.deploy() if examined.is_local else health
    return problem(f"The service could not be reached: {why}", look)


def grant(examined: Examined, right: str) -> str:
    """Return the command with which whoever manages the account's rights gives one to the operator."""
    identity = examined.identity
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": right, "Resource": "*"}]}
    )
    policy = f"{_POLICY}-{right.partition(':')[2]}"
    what = f"--policy-name {policy} --policy-document {shlex.quote(document)}"
    if identity.kind == "user":
        return f"aws iam put-user-policy --user-name {shlex.quote(identity.name)} {what}"
    # A role of IAM Identity Center cannot be changed in the account: its permission set can.
    if identity.kind == "assumed-role" and not identity.name.startswith("AWSReservedSSO_"):
        return f"aws iam put-role-policy --role-name {shlex.quote(identity.name)} {what}"
    return _policies(examined, right)


def _policies(examined: Examined, right: str) -> str:
    """Return the command that shows which policies decide over a right."""
    identity = examined.identity
    if identity.kind == "assumed-role":
        return f"aws iam list-attached-role-policies --role-name {shlex.quote(identity.name)}"
    if identity.kind == "user":
        return (
            f"aws iam simulate-principal-policy --policy-source-arn {shlex.quote(identity.arn)} "
            f"--action-names {right}"
        )
    return "aws sts get-caller-identity"
