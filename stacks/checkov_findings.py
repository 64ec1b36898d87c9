"""The accepted findings of checkov, each with its reason.

A finding is accepted on one resource under its exact id; a resource is named by its logical id without the hash at the
end. A test compares this list with all findings, so it fails if the list holds one that checkov does not find.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stacks.stage import StageConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedByCheckov:
    """One accepted finding: the resource, the check's id, and why."""

    resource: str
    id: str
    reason: str


_AUTHORIZER: Final = "HttpAuthorizerFunction"
_STAGE: Final = "HttpRestApiDeploymentStagev1"
_IMAGES: Final = "ImagesBucket"
_QUEUES: Final = ("JobsQueue", "JobsDeadLetters")
_CALL_BACK_QUEUES: Final = ("JobsCallBacks", "JobsDeadCallBacks")
_AWS_KEYS: Final = (
    "It is encrypted with a key that AWS manages; the setting encryption has one of the account's own."
)
_ENVIRONMENT: Final = (
    "It holds names and limits, which Lambda encrypts with AWS's key; the secret is in Secrets Manager."
)
_NO_NETWORK: Final = (
    "It calls AWS's public endpoints and receivers on the internet; "
    "a VPC would need paid endpoints and a NAT gateway."
)
_SYNCHRONOUS: Final = "The gateway invokes it synchronously; there is no event to keep."
_ON_DEMAND: Final = (
    "A reservation is taken from the account; the setting api_concurrency makes one, "
    "and the throttle bounds the rest."
)
_NO_VERSIONS: Final = (
    "An image is written once and never changed; a version would outlive its deletion by the caller."
)


def _every(resources: Iterable[str], id_: str, reason: str) -> tuple[AcceptedByCheckov, ...]:
    return tuple(AcceptedByCheckov(resource=each, id=id_, reason=reason) for each in resources)


def _of_a_function(name: str, *, concurrency: str | None, dead_letters: str) -> tuple[AcceptedByCheckov, ...]:
    return (
        *(_every([name], "CKV_AWS_115", concurrency) if concurrency else ()),
        *_every([name], "CKV_AWS_116", dead_letters),
        *_every([name], "CKV_AWS_117", _NO_NETWORK),
        *_every([name], "CKV_AWS_173", _ENVIRONMENT),
    )


_ALWAYS: Final = (
    *_of_a_function(
        "WorkerFunction",
        concurrency=None,
        dead_letters="Its queue has a dead-letter queue, and the next sweep follows a minute after a lost one.",
    ),
    *_every([_IMAGES], "CKV_AWS_21", _NO_VERSIONS),
    *_every(
        [_STAGE],
        "CKV_AWS_120",
        "A cache would give one caller's reply to another, and would have to be paid by the hour.",
    ),
    *_every(
        ["HttpRestApihealthANY", "HttpRestApiopenapijsonANY", "HttpRestApiopenapijsonGET"],
        "CKV_AWS_59",
        "Health and the OpenAPI document hold no caller's data and are open by contract.",
    ),
)
_WITHOUT_TRACES: Final = _every(
    [_STAGE],
    "CKV_AWS_73",
    "The access log and the structured logs share a request id; the setting tracing adds traces, which cost more.",
)
_OF_THE_FIREWALL: Final = _every(
    ["HttpFirewallAcl"],
    "CKV_AWS_192",
    "The functions run Python and have no Log4j; its rules cost $1 a month more and read bodies, which are prompts.",
)
_OF_THE_ACCESS_LOGS: Final = (
    *_every(
        ["ImagesAccessLogsBucket"],
        "CKV_AWS_18",
        "It receives the access logs; logging its own accesses would write into itself for ever.",
    ),
    *_every(
        ["ImagesAccessLogsBucket"], "CKV_AWS_21", "S3 writes each log once, and nothing else may write there."
    ),
)


def accepted_by_checkov(config: StageConfig) -> tuple[AcceptedByCheckov, ...]:
    """Return the accepted findings of a stage's own stack: exactly what checkov finds in it."""
    api_reserves = config.api_concurrency is not None
    return (
        *_ALWAYS,
        *_of_a_function(
            "ApiFunction", concurrency=None if api_reserves else _ON_DEMAND, dead_letters=_SYNCHRONOUS
        ),
        *(() if config.reserve_concurrency else _every(["WorkerFunction"], "CKV_AWS_115", _ON_DEMAND)),
        *(
            _of_a_function(_AUTHORIZER, concurrency=_ON_DEMAND, dead_letters=_SYNCHRONOUS)
            if config.api_auth == "key"
            else ()
        ),
        *(_with_keys_of_aws(config) if config.encryption == "aws" else ()),
        *(_OF_THE_FIREWALL if config.waf else ()),
        *(_WITHOUT_TRACES if not config.tracing else ()),
        *(
            _OF_THE_ACCESS_LOGS
            if config.bucket_access_logs
            else _every(
                [_IMAGES],
                "CKV_AWS_18",
                "A log of downloads holds presigned URLs and is a second bucket to protect; "
                "bucket_access_logs turns it on.",
            )
        ),
    )


def _with_keys_of_aws(config: StageConfig) -> tuple[AcceptedByCheckov, ...]:
    has_keys = config.api_auth == "key"
    queues = (*_QUEUES, *(_CALL_BACK_QUEUES if config.webhooks else ()))
    groups = ("ApiLogs", "WorkerLogs", "HttpAccessLogs", *(("HttpAuthorizerLogs",) if has_keys else ()))
    tables = ("GenerationsTable", *(("HttpKeysTable",) if has_keys else ()))
    return (
        *_every(tables, "CKV_AWS_119", _AWS_KEYS),
        *_every(groups, "CKV_AWS_158", _AWS_KEYS),
        *_every(queues, "CKV_AWS_27", _AWS_KEYS),
        *(_every(["WebhooksSecret"], "CKV_AWS_149", _AWS_KEYS) if config.webhooks else ()),
    )


_UPLOAD: Final = "CustomCDKBucketDeployment8693BB64968944B69AAFB0CC9EB8756C"
_CDKS_UPLOAD: Final = (
    "CDK's own function copies the page into its bucket during a deployment; nobody else can call it."
)
ACCEPTED_IN_THE_PLAYGROUND: Final = (
    *(
        each
        for id_ in ("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "CKV_AWS_173")
        for each in _every([_UPLOAD], id_, _CDKS_UPLOAD)
    ),
    *_every(
        ["UploadLogs"], "CKV_AWS_158", "It names files of the checkout, and is encrypted with AWS's key."
    ),
    *_every(
        ["Page"],
        "CKV_AWS_18",
        "Only the distribution reads the bucket, which holds public files of the checkout and nobody's data.",
    ),
    *_every(["Page"], "CKV_AWS_21", "It holds copies of the checkout's files, whose versions Git keeps."),
    *_every(
        ["Distribution"],
        "CKV_AWS_174",
        "CloudFront's certificate leaves no choice of the oldest protocol; a domain is the operator's choice.",
    ),
    *_every(
        ["Distribution"],
        "CKV_AWS_68",
        "Every paid path needs a key with a throttle and limits; the setting waf protects the API behind it.",
    ),
    *_every(
        ["Distribution"],
        "CKV_AWS_86",
        "The API's own access log has every request to it; the page's files are public and the same for all.",
    ),
)
"""The accepted findings of the playground's stack."""


def accepted_in_the_monitoring(config: StageConfig) -> tuple[AcceptedByCheckov, ...]:
    """Return the accepted findings of the stack that watches a stage."""
    return (
        *_every(
            ["Alarms"],
            "CKV_AWS_26",
            "An alarm names a metric and a stage, and nobody's data; each service that publishes would need the key.",
        ),
        *_of_a_function(
            "LifecycleFunction",
            concurrency="It runs once a day for some seconds, so it takes no part of the account's concurrency.",
            dead_letters="Lambda repeats a run that failed, and the check runs again the next day.",
        ),
        *(_every(["LifecycleLogs"], "CKV_AWS_158", _AWS_KEYS) if config.encryption == "aws" else ()),
    )
