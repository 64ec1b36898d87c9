"""AWS's list prices in US dollars, each with the page that states it and how it was looked up.

On demand, without any free tier, discount or tax, for us-east-1 in November 2026. The price of a model is not here: it
is in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Seen = Literal["AWS", "others", "remembered"]
"""Where the figure was read: on a page of AWS's own, on other people's pages that repeat it, or nowhere."""

MILLION: Final = 1_000_000
HOURS: Final = 730
"""The hours of a month, as AWS counts them."""
MINUTES: Final = HOURS * 60
SECONDS: Final = MINUTES * 60
DAYS: Final = HOURS / 24
GIGABYTE: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One price: dollars for one `unit`, the words of the table, and the page of AWS's that it belongs to."""

    service: str
    what: str
    usd: float
    per: float = 1
    unit: str
    page: str
    seen: Seen

    @property
    def each(self) -> float:
        """The dollars for a single one: a request, a byte, a second, a month of one resource."""
        return self.usd / self.per


def _price(service: str, what: str, usd: float, unit: str, page: str, seen: Seen, *, per: float = 1) -> Price:
    return Price(
        service=service,
        what=what,
        usd=usd,
        per=per,
        unit=unit,
        page=f"https://aws.amazon.com/{page}/pricing/",
        seen=seen,
    )


_MILLION: Final = "a million"
_GB: Final = "a GB"
_GB_MONTH: Final = "a GB and month"
_MONTH: Final = "a month"

PRICES: Final[Mapping[str, Price]] = MappingProxyType(
    {
        "api_request": _price(
            "API Gateway", "request to a REST API", 3.50, _MILLION, "api-gateway", "AWS", per=MILLION
        ),
        "invocation": _price("Lambda", "invocation", 0.20, _MILLION, "lambda", "others", per=MILLION),
        "gb_second": _price(
            "Lambda", "second of a GB of memory, arm64", 0.0000133334, "a GB-second", "lambda", "others"
        ),
        "snapshot_gb_second": _price(
            "Lambda", "snapshot of a version, kept", 0.0000015046, "a GB-second", "lambda", "others"
        ),
        "restored_gb": _price("Lambda", "snapshot, restored", 0.0001397998, _GB, "lambda", "others"),
        "write": _price(
            "DynamoDB", "write unit, on demand", 0.625, _MILLION, "dynamodb", "others", per=MILLION
        ),
        "read": _price(
            "DynamoDB", "read unit, on demand", 0.125, _MILLION, "dynamodb", "others", per=MILLION
        ),
        "table_byte": _price("DynamoDB", "storage", 0.25, _GB_MONTH, "dynamodb", "AWS", per=GIGABYTE),
        "recovery_byte": _price(
            "DynamoDB", "point-in-time recovery", 0.20, _GB_MONTH, "dynamodb", "remembered", per=GIGABYTE
        ),
        "put": _price("S3", "PUT", 0.005, "a thousand", "s3", "others", per=1_000),
        "get": _price("S3", "GET", 0.0004, "a thousand", "s3", "others", per=1_000),
        "bucket_byte": _price("S3", "storage", 0.023, _GB_MONTH, "s3", "others", per=GIGABYTE),
        "internet_byte": _price("S3", "traffic to the internet", 0.09, _GB, "s3", "others", per=GIGABYTE),
        "queue_request": _price(
            "SQS", "request to a standard queue", 0.40, _MILLION, "sqs", "others", per=MILLION
        ),
        "fair_request": _price(
            "SQS",
            "what a request with a message group costs on top",
            0.10,
            _MILLION,
            "sqs",
            "others",
            per=MILLION,
        ),
        "log_byte": _price("CloudWatch", "log, written", 0.50, _GB, "cloudwatch", "others", per=GIGABYTE),
        "kept_log_byte": _price(
            "CloudWatch", "log, kept", 0.03, _GB_MONTH, "cloudwatch", "others", per=GIGABYTE
        ),
        "scanned_log_byte": _price(
            "CloudWatch", "log, searched by Logs Insights", 0.005, _GB, "cloudwatch", "others", per=GIGABYTE
        ),
        "metric": _price("CloudWatch", "custom metric", 0.30, _MONTH, "cloudwatch", "others"),
        "alarm": _price("CloudWatch", "alarm on one metric", 0.10, _MONTH, "cloudwatch", "others"),
        "composite_alarm": _price("CloudWatch", "composite alarm", 0.50, _MONTH, "cloudwatch", "remembered"),
        "dashboard": _price("CloudWatch", "dashboard", 3.00, _MONTH, "cloudwatch", "others"),
        "trace": _price("X-Ray", "trace, recorded", 5.00, _MILLION, "xray", "AWS", per=MILLION),
        "secret": _price("Secrets Manager", "secret", 0.40, _MONTH, "secrets-manager", "others"),
        "secret_read": _price(
            "Secrets Manager", "call", 0.05, "ten thousand", "secrets-manager", "others", per=10_000
        ),
        "kms_key": _price("KMS", "key of your own", 1.00, _MONTH, "kms", "others"),
        "kms_request": _price("KMS", "request", 0.03, "ten thousand", "kms", "others", per=10_000),
        "web_acl": _price("WAF", "web ACL", 5.00, _MONTH, "waf", "others"),
        "waf_rule": _price("WAF", "rule", 1.00, _MONTH, "waf", "others"),
        "waf_request": _price("WAF", "request looked at", 0.60, _MILLION, "waf", "others", per=MILLION),
        "hosted_zone": _price("Route 53", "hosted zone", 0.50, _MONTH, "route53", "remembered"),
        "edge_request": _price(
            "CloudFront", "https request", 0.0100, "ten thousand", "cloudfront", "others", per=10_000
        ),
        "edge_byte": _price(
            "CloudFront", "traffic to the internet", 0.085, _GB, "cloudfront", "AWS", per=GIGABYTE
        ),
    }
)
"""Every price, by the name that the arithmetic uses."""


def each(name: str) -> float:
    """Return the dollars for a single one."""
    return PRICES[name].each
