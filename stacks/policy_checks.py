"""The rule packs of cdk-nag, and the accepted findings, each with its reason.

A finding is accepted on one construct under its exact id. A test compares this list with all findings, so it fails
if the list holds one that the packs do not find.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, App, DefaultStackSynthesizer, Stack, Token, Validations
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from stacks.bundling import RUNTIME_VERSION
from stacks.http_api import METHODS, OPEN_METHODS
from stacks.setting_types import GRADUAL
from stacks.stage import StageConfig

if TYPE_CHECKING:
    from constructs import IConstruct


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One accepted finding: the construct's path inside the stack, the rule's exact id, and why."""

    path: str
    id: str
    reason: str


FUNCTIONS = ("Api", "Worker")
OPEN = tuple(f"{path}/{method}" for path, methods in OPEN_METHODS.items() for method in methods)
PROTECTED = tuple(f"{{proxy+}}/{method}" for method in METHODS)

_RUNTIME = f"The zip is built and tested for python{RUNTIME_VERSION}; it is moved on purpose, not by a rule."
_KEYS_NOT_COGNITO = "Callers are programs with an API key or IAM credentials; the service keeps no user pool."
_OPEN = "Health and the OpenAPI document hold no caller's data and are open by contract."
_TRACING = (
    "The access log and the structured logs share a request id; traces would add cost and show no more."
)
_SENDING_TRACES = "X-Ray knows no resources: its right to send traces can only be given for all of them."
_IMAGES = "An image's key is made of owner and id at run time; the right covers the images/ prefix only."
_REDELIVERED = (
    "The queue itself redelivers and moves to the dead-letter queue; an SQS source takes no destination."
)


def _everywhere(paths: tuple[str, ...], *, id: str, reason: str) -> tuple[Accepted, ...]:  # noqa: A002
    return tuple(Accepted(path=path, id=id, reason=reason) for path in paths)


def _of_functions(part: str, *, id: str, reason: str) -> tuple[Accepted, ...]:  # noqa: A002
    return _everywhere(tuple(f"{name}/{part}" for name in FUNCTIONS), id=id, reason=reason)


_ALWAYS: tuple[Accepted, ...] = (
    *_of_functions(
        "Role/DefaultPolicy/Resource",
        id="AwsSolutions-IAM5[Resource::<ImagesBucket4B6DB8E1.Arn>/images/*]",
        reason=_IMAGES,
    ),
    *_of_functions("Function/Resource", id="AwsSolutions-L1", reason=_RUNTIME),
    *_of_functions("Function/Resource", id="Serverless-LambdaLatestVersion", reason=_RUNTIME),
    Accepted(
        path="Api/Function/Resource",
        id="Serverless-LambdaDLQ",
        reason="The gateway invokes it synchronously; there is no event to keep.",
    ),
    Accepted(
        path="Worker/Function/Resource",
        id="Serverless-LambdaDLQ",
        reason="Its queue has a dead-letter queue, and the next sweep follows a minute after a lost one.",
    ),
    *_everywhere(
        ("Worker/QueueSource/Resource", "Worker/DeadLetterSource/Resource"),
        id="Serverless-LambdaEventSourceMappingDestination",
        reason=_REDELIVERED,
    ),
    Accepted(
        path="Worker/Sweep/Resource",
        id="Serverless-EventBusDLQ",
        reason="The next sweep follows a minute after a lost one and finds the same generations.",
    ),
    Accepted(
        path="Worker/Function/EventInvokeConfig/Resource",
        id="Serverless-LambdaAsyncFailureDestination",
        reason="Only the sweep is asynchronous; the next one follows a minute later and finds the same generations.",
    ),
    Accepted(
        path="Jobs/DeadLetters/Resource",
        id="Serverless-SQSRedrivePolicy",
        reason="It is the dead-letter queue, and the worker consumes it.",
    ),
    Accepted(
        path="Http/RestApi/Resource",
        id="AwsSolutions-APIG2",
        reason="The function validates more strictly than a gateway model can, and replies in the contract's words.",
    ),
    Accepted(
        path="Http/RestApi/DeploymentStage.v1/Resource",
        id="AwsSolutions-APIG6",
        reason="Execution logs can hold bodies and presigned URLs; the access log has every request without them.",
    ),
    *_everywhere(
        tuple(f"Http/RestApi/Default/{method}/Resource" for method in OPEN),
        id="AwsSolutions-APIG4",
        reason=_OPEN,
    ),
    *_everywhere(
        tuple(f"Http/RestApi/Default/{method}/Resource" for method in OPEN),
        id="AwsSolutions-COG4",
        reason=_OPEN,
    ),
)


_WITH_WEBHOOKS = (
    Accepted(
        path="Webhooks/Secret/Resource",
        id="AwsSolutions-SMG4",
        reason="Receivers hold the same secret, so the operator rotates it in agreement with them.",
    ),
    Accepted(
        path="Worker/CallBackSource/Resource",
        id="Serverless-LambdaEventSourceMappingDestination",
        reason=_REDELIVERED,
    ),
    Accepted(
        path="Jobs/DeadCallBacks/Resource",
        id="Serverless-SQSRedrivePolicy",
        reason="It is the dead-letter queue; the records say which call-backs are due, and the sweep sends them again.",
    ),
)
_WITH_KEYS = (
    Accepted(path="Http/Authorizer/Function/Resource", id="AwsSolutions-L1", reason=_RUNTIME),
    Accepted(path="Http/Authorizer/Function/Resource", id="Serverless-LambdaLatestVersion", reason=_RUNTIME),
    Accepted(
        path="Http/Authorizer/Function/Resource",
        id="Serverless-LambdaDLQ",
        reason="The gateway invokes it synchronously; there is no event to keep.",
    ),
)
_WITHOUT_COGNITO = _everywhere(
    tuple(f"Http/RestApi/Default/{method}/Resource" for method in PROTECTED),
    id="AwsSolutions-COG4",
    reason=_KEYS_NOT_COGNITO,
)
_WITH_LOG_ROLE = Accepted(
    path="Http/RestApi/CloudWatchRole/Resource",
    id="AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AmazonAPIGatewayPushToCloudWatchLogs]",
    reason="AWS maintains this policy for exactly this role, which API Gateway needs to write any log.",
)
_WITHOUT_ACCESS_LOGS = Accepted(
    path="Images/Bucket/Resource",
    id="AwsSolutions-S1",
    reason="A log of downloads holds presigned URLs and is a second bucket to protect; bucket_access_logs turns it on.",
)
_WITHOUT_WAF = Accepted(
    path="Http/RestApi/DeploymentStage.v1/Resource",
    id="AwsSolutions-APIG3",
    reason="Every paid path needs a key, has a throttle and limits; the setting waf adds a firewall for $7 a month.",
)
_WHEN_GRADUAL = Accepted(
    path="ApiDeployment/Role/DefaultPolicy/Resource",
    id="AwsSolutions-IAM5[Resource::*]",
    reason="CodeDeploy asks for the state of the deployment's alarm, and can do nothing else with any alarm.",
)
_WITHOUT_TRACES = Accepted(
    path="Http/RestApi/DeploymentStage.v1/Resource", id="Serverless-APIGWXrayEnabled", reason=_TRACING
)
_WITHOUT_THROTTLE = Accepted(
    path="Http/RestApi/DeploymentStage.v1/Resource",
    id="Serverless-APIGWDefaultThrottling",
    reason="The operator configured no throttle for the stage; the account's throttle still holds.",
)


def _of_traces(config: StageConfig, functions: tuple[str, ...]) -> tuple[Accepted, ...]:
    """Return what the packs find in functions with traces, or in functions without."""
    if config.tracing:
        return _everywhere(
            tuple(f"{function}/Role/DefaultPolicy/Resource" for function in functions),
            id="AwsSolutions-IAM5[Resource::*]",
            reason=_SENDING_TRACES,
        )
    return _everywhere(
        tuple(f"{function}/Function/Resource" for function in functions),
        id="Serverless-LambdaTracing",
        reason=_TRACING,
    )


def accepted_findings(config: StageConfig) -> tuple[Accepted, ...]:
    """Return the accepted findings of a stage: exactly what the packs find in it."""
    return (
        *_ALWAYS,
        *(_WITH_WEBHOOKS if config.webhooks else ()),
        *(_WITH_KEYS if config.api_auth == "key" else ()),
        *(_WITHOUT_COGNITO if config.api_auth != "cognito" else ()),
        *((_WITH_LOG_ROLE,) if config.gateway_log_role else ()),
        *((_WITHOUT_THROTTLE,) if config.throttle_rate is None else ()),
        *((_WITHOUT_ACCESS_LOGS,) if not config.bucket_access_logs else ()),
        *((_WITHOUT_WAF,) if not config.waf else ()),
        *((_WHEN_GRADUAL,) if config.api_deployment in GRADUAL else ()),
        *_of_traces(config, FUNCTIONS + (("Http/Authorizer",) if config.api_auth == "key" else ())),
        *((_WITHOUT_TRACES,) if not config.tracing else ()),
    )


def add_checks(app: App) -> None:
    """Fail the synthesis on any finding that is not accepted."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))


_UPLOAD = "Custom::CDKBucketDeployment8693BB64968944B69AAFB0CC9EB8756C"
_CDKS_UPLOAD = (
    "CDK's own function copies the page into its bucket during a deployment; nobody else can call it."
)
_CDKS_RIGHTS = (
    "CDK grants this to its upload function: reading its assets, and replacing what the page's bucket holds."
)
_PAGE = "Page/Resource"
_DISTRIBUTION = "Distribution/Resource"
_OF_THE_PLAYGROUND: tuple[Accepted, ...] = (
    Accepted(
        path=_PAGE,
        id="AwsSolutions-S1",
        reason="Only the distribution reads the bucket, which holds public files of the checkout and nobody's data.",
    ),
    Accepted(
        path=_DISTRIBUTION,
        id="AwsSolutions-CFR1",
        reason="The page holds nobody's data and the API needs a key; where it may be used is the operator's choice.",
    ),
    Accepted(
        path=_DISTRIBUTION,
        id="AwsSolutions-CFR2",
        reason="Every paid path needs a key with a throttle and a quota; a firewall is the operator's choice.",
    ),
    Accepted(
        path=_DISTRIBUTION,
        id="AwsSolutions-CFR3",
        reason="The API's own access log has every request to it; the page's files are public and the same for all.",
    ),
    Accepted(
        path=_DISTRIBUTION,
        id="AwsSolutions-CFR4",
        reason="CloudFront's certificate leaves no choice of the oldest protocol; a domain is the operator's choice.",
    ),
    Accepted(
        path=f"{_UPLOAD}/ServiceRole/Resource",
        id="AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
        reason=_CDKS_UPLOAD,
    ),
    *(
        Accepted(
            path=f"{_UPLOAD}/ServiceRole/DefaultPolicy/Resource",
            id=f"AwsSolutions-IAM5[{what}]",
            reason=_CDKS_RIGHTS,
        )
        for what in (
            "Action::s3:GetBucket*",
            "Action::s3:GetObject*",
            "Action::s3:List*",
            "Action::s3:Abort*",
            "Action::s3:DeleteObject*",
            "Resource::<PageA98A310E.Arn>/*",
        )
    ),
    *(
        Accepted(path=f"{_UPLOAD}/Resource", id=id_, reason=_CDKS_UPLOAD)
        for id_ in (
            "AwsSolutions-L1",
            "Serverless-LambdaDLQ",
            "Serverless-LambdaLatestVersion",
            "Serverless-LambdaTracing",
        )
    ),
)


_CHECK = "Lifecycle/Function/Resource"
_CHECKED_AGAIN = "The check runs again the next day, and Lambda itself repeats a run that failed."
_OF_MONITORING = (
    Accepted(path=_CHECK, id="AwsSolutions-L1", reason=_RUNTIME),
    Accepted(path=_CHECK, id="Serverless-LambdaLatestVersion", reason=_RUNTIME),
    Accepted(path=_CHECK, id="Serverless-LambdaDLQ", reason=_CHECKED_AGAIN),
    Accepted(path="Lifecycle/Daily/Resource", id="Serverless-EventBusDLQ", reason=_CHECKED_AGAIN),
)
_WITH_ALARM_EMAIL = Accepted(
    path="AlarmEmail/Resource",
    id="Serverless-SNSRedrivePolicy",
    reason="SNS repeats an e-mail that fails; the alarm's state and its history are in CloudWatch all the same.",
)


def findings_of_the_playground(stack: Stack) -> tuple[Accepted, ...]:
    """Return the accepted findings of the playground's stack; one names the bucket of the CDK's assets."""
    account = "<AWS::AccountId>" if Token.is_unresolved(stack.account) else stack.account
    qualifier = stack.synthesizer.bootstrap_qualifier or DefaultStackSynthesizer.DEFAULT_QUALIFIER
    assets = f"arn:{stack.partition}:s3:::cdk-{qualifier}-assets-{account}-{stack.region}/*"
    return (
        *_OF_THE_PLAYGROUND,
        Accepted(
            path=f"{_UPLOAD}/ServiceRole/DefaultPolicy/Resource",
            id=f"AwsSolutions-IAM5[Resource::{assets}]",
            reason=_CDKS_RIGHTS,
        ),
    )


def findings_of_monitoring(config: StageConfig) -> tuple[Accepted, ...]:
    """Return the accepted findings of the stack that watches a stage."""
    return (
        *_OF_MONITORING,
        *_of_traces(config, ("Lifecycle",)),
        *((_WITH_ALARM_EMAIL,) if config.alarm_email is not None else ()),
    )


def accept_findings(stack: Stack, findings: Iterable[Accepted]) -> None:
    """Accept these findings of the stack, each on its own construct."""
    for accepted in findings:
        construct: IConstruct = stack
        for name in accepted.path.split("/"):
            construct = construct.node.find_child(name)
        Validations.of(construct).acknowledge(Acknowledgment(id=accepted.id, reason=accepted.reason))
