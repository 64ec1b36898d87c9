"""Calls one step beyond what each function does: none of its rights may reach so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.support.call_ledger import ACCOUNT, REGION
from tests.support.iam import Call
from tests.support.template_values import Deployment

if TYPE_CHECKING:
    from tests.support.synthesis import Synthesized

Resource = Callable[[Deployment], str]
THROUGH: Final = "kms:ViaService"


@dataclass(frozen=True, kw_only=True)
class Denied:
    """A call that a function must not be able to make."""

    function: str
    action: str
    what: str
    """The resource in words."""
    resource: Resource
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        keys = "".join(f"-{value}" for value in self.context.values())
        return f"{self.function}-{self.action}-{self.what.replace(' ', '-')}{keys}"

    def deployment(self, stage: Synthesized) -> Deployment:
        """Return the stage as it would be deployed."""
        return Deployment(template=stage.template, stack=f"imagegen-{stage.config.name}", account=ACCOUNT)

    def call(self, deployment: Deployment) -> Call:
        """Return the call, over TLS and with a fresh signature."""
        usual = {"aws:SecureTransport": "true", "s3:signatureAge": "1000"}
        return Call(action=self.action, resource=self.resource(deployment), context={**usual, **self.context})


def _the(type_: str, named: str, *, suffix: str = "") -> Resource:
    def arn(deployment: Deployment) -> str:
        (found,) = [
            id_
            for id_, each in deployment.template["Resources"].items()
            if each["Type"] == type_ and id_.startswith(named)
        ]
        made = deployment.name(found) if type_.endswith("Secret") else deployment.arn(found)
        return f"{made}{suffix}"

    return arn


def _fixed(arn: str) -> Resource:
    return lambda _: arn


_IMAGE: Final = _the("AWS::S3::Bucket", "ImagesBucket", suffix="/images/owner/gen_a.png")
_ELSEWHERE: Final = _the("AWS::S3::Bucket", "ImagesBucket", suffix="/other/gen_a.png")
_BUCKET: Final = _the("AWS::S3::Bucket", "ImagesBucket")
_RECORDS: Final = _the("AWS::DynamoDB::Table", "GenerationsTable")
_BY_DUE: Final = _the("AWS::DynamoDB::Table", "GenerationsTable", suffix="/index/by_due")
_BY_OWNER: Final = _the("AWS::DynamoDB::Table", "GenerationsTable", suffix="/index/by_owner")
_KEYS: Final = _the("AWS::DynamoDB::Table", "HttpKeysTable")
_JOBS: Final = _the("AWS::SQS::Queue", "JobsQueue")
_DEAD: Final = _the("AWS::SQS::Queue", "JobsDeadLetters")
_CALL_BACKS: Final = _the("AWS::SQS::Queue", "JobsCallBacks")
_DEAD_CALL_BACKS: Final = _the("AWS::SQS::Queue", "JobsDeadCallBacks")
_SECRET: Final = _the("AWS::SecretsManager::Secret", "Webhooks")
_KEY: Final = _the("AWS::KMS::Key", "Encryption")
_API_LOGS: Final = _the("AWS::Logs::LogGroup", "ApiLogs")
_WORKER_LOGS: Final = _the("AWS::Logs::LogGroup", "WorkerLogs")
_WORKER: Final = _the("AWS::Lambda::Function", "WorkerFunction")
_ULTRA: Final = _fixed("arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-ultra-v1:1")
_CORE: Final = _fixed("arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1")
_CORE_ELSEWHERE: Final = _fixed(
    "arn:aws:bedrock:us-east-1::foundation-model/stability.stable-image-core-v1:1"
)
_FOREIGN_TABLE: Final = _fixed(f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/imagegen-prod-GenerationsTable-1")
_FOREIGN_BUCKET: Final = _fixed("arn:aws:s3:::imagegen-prod-imagesbucket-1/images/owner/gen_a.png")
_ROLE: Final = _fixed(f"arn:aws:iam::{ACCOUNT}:role/imagegen-dev-WorkerRole-1")
_ANYTHING: Final = _fixed("*")


def _rows(function: str, *rows: tuple[str, str, Resource]) -> tuple[Denied, ...]:
    return tuple(
        Denied(function=function, action=action, what=what, resource=resource)
        for action, what, resource in rows
    )


def _with_the_key(function: str, action: str, service: str | None) -> Denied:
    context = {THROUGH: f"{service}.{REGION}.amazonaws.com"} if service else {}
    return Denied(function=function, action=action, what="the key", resource=_KEY, context=context)


DENIED: Final = (
    *_rows(
        "Api",
        ("s3:ListBucket", "the bucket", _BUCKET),
        ("s3:PutObject", "beside the images", _ELSEWHERE),
        ("s3:GetObject", "beside the images", _ELSEWHERE),
        ("s3:GetObject", "images of another stage", _FOREIGN_BUCKET),
        ("s3:PutObjectAcl", "an image", _IMAGE),
        ("s3:PutBucketPolicy", "the bucket", _BUCKET),
        ("s3:DeleteBucket", "the bucket", _BUCKET),
        ("s3:PutLifecycleConfiguration", "the bucket", _BUCKET),
        ("dynamodb:Scan", "the records", _RECORDS),
        ("dynamodb:DeleteItem", "the records", _RECORDS),
        ("dynamodb:BatchWriteItem", "the records", _RECORDS),
        ("dynamodb:DeleteTable", "the records", _RECORDS),
        ("dynamodb:Query", "the records", _RECORDS),
        ("dynamodb:Query", "the due records", _BY_DUE),
        ("dynamodb:GetItem", "records of another stage", _FOREIGN_TABLE),
        ("dynamodb:GetItem", "the keys", _KEYS),
        ("dynamodb:PutItem", "the keys", _KEYS),
        ("sqs:ReceiveMessage", "the jobs", _JOBS),
        ("sqs:PurgeQueue", "the jobs", _JOBS),
        ("sqs:SendMessage", "the dead letters", _DEAD),
        ("sqs:SendMessage", "the call-backs", _CALL_BACKS),
        ("secretsmanager:GetSecretValue", "the webhook secret", _SECRET),
        ("bedrock:InvokeModel", "a model that is not listed", _ULTRA),
        ("bedrock:InvokeModel", "a listed model in another region", _CORE_ELSEWHERE),
        ("bedrock:InvokeModelWithResponseStream", "a listed model", _CORE),
        ("logs:PutLogEvents", "the logs of the worker", _WORKER_LOGS),
        ("logs:GetLogEvents", "its own logs", _API_LOGS),
        ("logs:DeleteLogGroup", "its own logs", _API_LOGS),
        ("lambda:InvokeFunction", "the worker", _WORKER),
        ("iam:PassRole", "the role of the worker", _ROLE),
        ("sts:AssumeRole", "the role of the worker", _ROLE),
        ("kms:CreateGrant", "the key", _KEY),
        ("cloudwatch:PutMetricData", "anything", _ANYTHING),
        ("aws-marketplace:Subscribe", "anything", _ANYTHING),
    ),
    *_rows(
        "Worker",
        ("s3:ListBucket", "the bucket", _BUCKET),
        ("s3:DeleteObject", "beside the images", _ELSEWHERE),
        ("dynamodb:Query", "the history of a caller", _BY_OWNER),
        ("dynamodb:DeleteItem", "the records", _RECORDS),
        ("dynamodb:GetItem", "the keys", _KEYS),
        ("sqs:ReceiveMessage", "the dead call-backs", _DEAD_CALL_BACKS),
        ("sqs:SendMessage", "the dead letters", _DEAD),
        ("sqs:SetQueueAttributes", "the jobs", _JOBS),
        ("secretsmanager:PutSecretValue", "the webhook secret", _SECRET),
        ("bedrock:InvokeModel", "a model that is not listed", _ULTRA),
        ("lambda:UpdateFunctionCode", "itself", _WORKER),
        ("kms:ScheduleKeyDeletion", "the key", _KEY),
    ),
    *_rows(
        "HttpAuthorizer",
        ("dynamodb:PutItem", "the keys", _KEYS),
        ("dynamodb:UpdateItem", "the keys", _KEYS),
        ("dynamodb:Scan", "the keys", _KEYS),
        ("dynamodb:GetItem", "the records", _RECORDS),
        ("s3:GetObject", "an image", _IMAGE),
        ("sqs:SendMessage", "the jobs", _JOBS),
        ("secretsmanager:GetSecretValue", "the webhook secret", _SECRET),
        ("bedrock:InvokeModel", "a listed model", _CORE),
    ),
    _with_the_key("Api", "kms:Decrypt", None),
    _with_the_key("Api", "kms:Decrypt", "secretsmanager"),
    _with_the_key("Api", "kms:GenerateDataKey", "dynamodb"),
    _with_the_key("Worker", "kms:GenerateDataKey", "secretsmanager"),
    _with_the_key("Worker", "kms:Encrypt", "s3"),
    _with_the_key("HttpAuthorizer", "kms:Decrypt", "s3"),
    _with_the_key("HttpAuthorizer", "kms:GenerateDataKey", "dynamodb"),
)
"""What each function must not be able to do."""
