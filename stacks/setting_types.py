"""The types of settings that name something of the operator's in AWS, by the form that AWS gives it."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field

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
