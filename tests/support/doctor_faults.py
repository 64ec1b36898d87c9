"""Every fault that `make doctor` tells apart: those of an account, of a service, and of the way to either."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ConnectTimeoutError, HTTPClientError

from tests.support.doctor import REGION, USER
from tests.support.doctor_fault import AGAIN, Fault
from tests.support.doctor_faults_of_accounts import ACCOUNTS, IDENTITY, MODELS
from tests.support.doctor_faults_of_services import DEPLOYMENTS, PROOFS, SERVICES

REACHES: Final = (
    Fault(
        name="the stack of the monitoring is not there",
        aws={
            "cloudformation.describe_stacks:imagegen-dev-monitoring": (
                "ValidationError",
                "Stack with id imagegen-dev-monitoring does not exist",
            )
        },
        words="monitoring=true",
        check="stack",
        severity="problem",
        sentence="monitoring is true, but there is no stack imagegen-dev-monitoring.",
        remedy="make deploy STAGE=dev CONFIG=monitoring=true",
    ),
    Fault(
        name="a right is missing",
        aws={"ssm.get_parameter": ("AccessDeniedException", "User: … is not authorized to perform")},
        check="bootstrap",
        severity="warning",
        sentence="This could not be looked at: you lack the right ssm:GetParameter.",
        remedy="aws iam put-user-policy --user-name alice --policy-name imagegen-doctor-GetParameter "
        '--policy-document \'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
        '"Action": "ssm:GetParameter", "Resource": "*"}]}\'',
    ),
    Fault(
        name="the right to use the key of a secret is missing",
        aws={"secretsmanager.get_secret_value": ("AccessDeniedException", "Access to KMS is not allowed")},
        check="webhook signature",
        severity="warning",
        sentence="This could not be looked at: you lack the right kms:Decrypt.",
        remedy="aws iam put-user-policy --user-name alice --policy-name imagegen-doctor-Decrypt "
        '--policy-document \'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
        '"Action": "kms:Decrypt", "Resource": "*"}]}\'',
    ),
    Fault(
        name="a right is denied by the organization",
        aws={
            "ssm.get_parameter": (
                "AccessDeniedException",
                "with an explicit deny in a service control policy",
            )
        },
        check="bootstrap",
        severity="warning",
        sentence="This could not be looked at: a policy explicitly denies ssm:GetParameter to you. "
        "Ask whoever manages the organization or the permissions boundary.",
        remedy=f"aws iam simulate-principal-policy --policy-source-arn {USER} --action-names ssm:GetParameter",
    ),
    Fault(
        name="a service is out of order",
        aws={"apigateway.get_account": ("InternalFailure", "Try again.")},
        check="gateway log role",
        severity="warning",
        sentence="This could not be looked at: GetAccount ended with InternalFailure: Try again.",
        remedy=AGAIN,
    ),
    Fault(
        name="an address with a password",
        aws={"ssm.get_parameter": ConnectTimeoutError(endpoint_url="https://me:pass@proxy.example:8443/x")},
        check="bootstrap",
        severity="warning",
        sentence="This could not be looked at: https://proxy.example:8443 could not be reached",
        remedy="curl -sSI https://proxy.example:8443",
    ),
    Fault(
        name="a header that cannot be sent",
        aws={"ssm.get_parameter": HTTPClientError(error="Invalid header value b'AWS4 secret'")},
        check="bootstrap",
        severity="warning",
        sentence="This could not be looked at: the request could not be sent",
        remedy=f"curl -sSI https://sts.{REGION}.amazonaws.com",
    ),
)
FAULTS: Final[tuple[Fault, ...]] = (
    *(*IDENTITY, *ACCOUNTS, *MODELS, *REACHES),
    *(*DEPLOYMENTS, *SERVICES, *PROOFS),
)
