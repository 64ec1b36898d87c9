"""Runs the three functions over an account in this process, and writes down each call of AWS that they make.

The table `ACTIONS` says which IAM action an operation needs, and on what: Service Authorization Reference, the page of
each service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session

from tests.support.iam import Call

if TYPE_CHECKING:
    from botocore.session import Session

    from tests.support.template_values import Deployment

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
"""The account of moto."""

Operation = tuple[str, str]
Parameters = Mapping[str, Any]


def _object(parameters: Parameters, _region: str) -> str:
    return f"arn:aws:s3:::{parameters['Bucket']}/{parameters['Key']}"


def _table(parameters: Parameters, region: str) -> str:
    index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
    return f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{parameters['TableName']}{index}"


def _queue(parameters: Parameters, region: str) -> str:
    return f"arn:aws:sqs:{region}:{ACCOUNT}:{parameters['QueueUrl'].rpartition('/')[2]}"


def _model(parameters: Parameters, region: str) -> str:
    model = parameters.get("modelId") or parameters["modelIdentifier"]
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


ACTIONS: Final[Mapping[Operation, tuple[str, Callable[[Parameters, str], str]]]] = {
    ("bedrock", "GetFoundationModel"): ("bedrock:GetFoundationModel", _model),
    ("bedrock-runtime", "InvokeModel"): ("bedrock:InvokeModel", _model),
    ("dynamodb", "GetItem"): ("dynamodb:GetItem", _table),
    ("dynamodb", "PutItem"): ("dynamodb:PutItem", _table),
    ("dynamodb", "Query"): ("dynamodb:Query", _table),
    ("dynamodb", "UpdateItem"): ("dynamodb:UpdateItem", _table),
    ("s3", "DeleteObject"): ("s3:DeleteObject", _object),
    ("s3", "GetObject"): ("s3:GetObject", _object),
    ("s3", "HeadObject"): ("s3:GetObject", _object),
    ("s3", "PutObject"): ("s3:PutObject", _object),
    ("secretsmanager", "GetSecretValue"): (
        "secretsmanager:GetSecretValue",
        lambda parameters, _: str(parameters["SecretId"]),
    ),
    ("sqs", "ChangeMessageVisibility"): ("sqs:ChangeMessageVisibility", _queue),
    ("sqs", "SendMessage"): ("sqs:SendMessage", _queue),
}
"""The IAM action of each operation that the functions call, and the resource that it is about."""

KMS_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamodb": ("kms:Decrypt",),
    "s3:GetObject": ("kms:Decrypt",),
    "s3:PutObject": ("kms:GenerateDataKey",),
    "secretsmanager": ("kms:Decrypt",),
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
}
"""What a service asks of KMS in the caller's name, by action or by service.

Amazon S3 user guide, "Using server-side encryption with AWS KMS keys"; Amazon SQS developer guide, "Key management";
Amazon DynamoDB developer guide, "DynamoDB encryption at rest: usage notes"; AWS Secrets Manager user guide, "Secret
encryption and decryption".
"""


@dataclass(kw_only=True)
class Ledger:
    """The calls that each function has made, and the operations behind them."""

    calls: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    operations: set[Operation] = field(default_factory=set)

    def session(self, function: str) -> Session:
        """Return a session whose clients write down what this function calls; presigning counts as calling."""
        session = botocore.session.get_session()
        session.set_config_variable("region", REGION)
        made = self.calls.setdefault(function, set())

        def note(params: dict[str, Any], model: Any, context: Mapping[str, Any], **_: Any) -> None:
            operation = (str(model.service_model.service_name), str(model.name))
            self.operations.add(operation)
            action, resource_of = ACTIONS[operation]
            made.add((action, resource_of(params, str(context.get("client_region", REGION)))))

        session.register("provide-client-params", note)  # type: ignore[arg-type]  # it names the arguments that it uses
        return session

    def of(self, function: str, *, deployment: Deployment) -> list[Call]:
        """Return what a function calls, what Lambda calls with its role, and what both ask of the stage's key."""
        calls = sorted({*self.calls[function], *made_by_lambda(function, deployment=deployment)})
        found = [Call(action=action, resource=resource, context=_context()) for action, resource in calls]
        key = one_of(deployment, "AWS::KMS::Key")
        return [*found, *(_kms_calls(found, key=deployment.arn(key)) if key else ())]


def made_by_lambda(function: str, *, deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Yield the calls that Lambda makes with a function's role.

    AWS Lambda developer guide, "Working with Lambda execution environment credentials", "Using Lambda with Amazon SQS",
    which lists the rights that polling needs, "Visualize Lambda function invocations using AWS X-Ray", and "Capturing
    records of Lambda asynchronous invocations".
    """
    group = one_of(deployment, "AWS::Logs::LogGroup", named=f"{function}Logs")
    streams = deployment.arn(str(group)).removesuffix("*") + "log-stream:2026/11/28/[$LATEST]0a1b2c3d"
    yield from (("logs:CreateLogStream", streams), ("logs:PutLogEvents", streams))
    own = deployment.template["Resources"][
        one_of(deployment, "AWS::Lambda::Function", named=f"{function}Function")
    ]
    if "TracingConfig" in own["Properties"]:
        yield from (("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*"))
    for resource in deployment.template["Resources"].values():
        properties = resource.get("Properties", {})
        if not str(properties.get("FunctionName", {}).get("Ref", "")).startswith(f"{function}Function"):
            continue
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
            source = str(deployment.value(properties["EventSourceArn"]))
            yield from ((f"sqs:{action}", source) for action in actions)
        elif resource["Type"] == "AWS::Lambda::EventInvokeConfig" and "DestinationConfig" in properties:
            destination = deployment.value(properties["DestinationConfig"]["OnFailure"]["Destination"])
            yield ("sns:Publish", str(destination))


def one_of(deployment: Deployment, type_: str, *, named: str = "") -> str | None:
    """Return the logical id of the resource of a type whose logical id begins with a name, if there is one."""
    resources = deployment.template["Resources"]
    found = [id_ for id_ in resources if resources[id_]["Type"] == type_ and id_.startswith(named)]
    return found[0] if found else None


def _context() -> dict[str, str]:
    # What every request of the functions has. A URL is opened within the hour that it lives.
    return {"aws:SecureTransport": "true", "s3:signatureAge": "3599000"}


def _kms_calls(calls: list[Call], *, key: str) -> list[Call]:
    found = {
        (action, call.action.partition(":")[0])
        for call in calls
        for name in (call.action, call.action.partition(":")[0])
        for action in KMS_ACTIONS.get(name, ())
    }
    return [
        Call(action=action, resource=key, context={"kms:ViaService": f"{service}.{REGION}.amazonaws.com"})
        for action, service in sorted(found)
    ]


def drawn_or_retired(request: Any, **_: Any) -> Any:
    """Answer as Bedrock: SDXL has ended, and every other model draws."""
    from tests.support.fakes import stable_image_answer  # noqa: PLC0415 - only who draws needs it
    from tests.support.far_side import answer, refusal  # noqa: PLC0415

    if "stable-diffusion-xl" in request.url:
        message = (
            "This model version has reached the end of its life. Please refer to the AWS documentation for more "
            "details."
        )
        return refusal("ResourceNotFoundException", 404, message)
    return answer(200, stable_image_answer())


@contextmanager
def account(template: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Make the buckets, tables, queues and secrets of a template in an account in this process; yield their names."""
    from moto import mock_aws  # noqa: PLC0415 - it takes a second to load

    from tests.support.sdk_clients import sdk_alone  # noqa: PLC0415
    from tests.support.template_values import Deployment  # noqa: PLC0415

    with mock_aws(), sdk_alone():
        made: dict[str, str] = {}
        plan = Deployment(template=template, stack="imagegen-dev", account=ACCOUNT)
        clients = {name: boto3.client(name, region_name=REGION) for name in ("dynamodb", "s3", "sqs")}
        for logical_id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            name = plan.name(logical_id) if resource["Type"] in NAMED else ""
            match resource["Type"]:
                case "AWS::S3::Bucket":
                    clients["s3"].create_bucket(Bucket=name)
                case "AWS::SQS::Queue":
                    clients["sqs"].create_queue(QueueName=name)
                case "AWS::DynamoDB::Table":
                    members = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
                    given = {each: properties[each] for each in members if each in properties}
                    clients["dynamodb"].create_table(TableName=name, **json.loads(json.dumps(given)))
                case "AWS::SecretsManager::Secret":
                    secrets = boto3.client("secretsmanager", region_name=REGION)
                    made[logical_id] = secrets.create_secret(Name=logical_id, SecretString="s" * 64)["ARN"]
                case _:
                    pass
        yield made


NAMED: Final = ("AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::DynamoDB::Table")
