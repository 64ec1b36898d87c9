"""The types of settings that no function of the service reads: names of things in AWS, days, and choices."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from imagegen.settings import Ge, Le, Predicate
from stacks.addresses import is_plain_address


def _exactly_whole(value: object) -> object:
    # Even in pydantic's strict mode, true and 1.0 count as the 1 of a Literal.
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


UserPoolArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws[a-z-]*:cognito-idp:[a-z0-9-]+:[0-9]{12}:userpool/[A-Za-z0-9_-]+$",
        description="the ARN of a Cognito user pool",
    ),
]
# A host of at least two labels, in lower case, because API Gateway takes no other: its API reference, "DomainName".
DomainName = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$",
        description="a domain name like images.example.com, in lower case",
    ),
]
CertificateArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$",
        description="the ARN of a certificate in AWS Certificate Manager",
    ),
]
HostedZoneId = Annotated[
    str,
    Field(
        pattern=r"^Z[A-Z0-9]{1,31}$",
        description="the id of a hosted zone of Route 53, such as Z0123456789ABC",
    ),
]
PolicyArn = Annotated[
    str,
    Field(
        max_length=640,
        pattern=r"^arn:aws[a-z-]*:iam::(?:[0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$",
        description="the ARN of a managed policy of IAM",
    ),
]
Encryption = Literal["aws", "kms"]
# The bounds of a rate-based rule: AWS WAF API reference, "RateBasedStatement".
WafRequests = Annotated[int, Ge(10), Le(2_000_000_000)]
EndpointUrl = Annotated[
    str, Predicate(is_plain_address), Field(description="an http or https URL without a path")
]
OwnerSalt = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="8 to 64 letters, digits and hyphens")
]
Email = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$",
        description="an e-mail address",
    ),
]
AnomalyMonitorArn = Annotated[
    str,
    Field(
        pattern=r"^arn:aws[a-z-]*:ce::[0-9]{12}:anomalymonitor/[A-Za-z0-9-]+$",
        description="the ARN of a monitor of Cost Anomaly Detection",
    ),
]
MonthlyUsd = Annotated[float, Ge(1), Le(10_000_000)]
RetentionDays = Annotated[int, Ge(1), Le(3650)]
# The retention periods that CloudWatch Logs accepts.
LogRetentionDays = Annotated[
    Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653],
    BeforeValidator(_exactly_whole),
]
ApiAuth = Literal["key", "iam", "cognito"]
ApiDeployment = Literal["all_at_once", "canary", "linear"]
GRADUAL: Final[tuple[ApiDeployment, ...]] = ("canary", "linear")
"""The values of `api_deployment` by which CodeDeploy shifts requests."""
Platform = Literal["aarch64-manylinux2014", "host"]
