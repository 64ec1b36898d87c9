"""A stubbed account and a pretended service, which `make doctor` examines; everything in them is well at first."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import httpx
from botocore.stub import Stubber

from imagegen.generations.png import png_marked
from imagegen.http import serialize, surface
from imagegen.models.registry import resolve
from imagegen.settings import Settings
from operating.doctor.callers import WithHeader
from operating.doctor.command import run
from operating.doctor.examined import Examined, Plan
from operating.doctor.finding import Finding
from operating.doctor.report import Report
from stacks.cdk_json import stages_of
from stacks.stage import StageConfig, load_stage
from tests.support.environment import ENVIRONMENT
from tests.support.far_side import session
from tests.support.marks import PACKET, png_chunk
from tools.checkout import CHECKOUT

NOW: Final = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
REGION: Final = "us-east-1"
MODELS_REGION: Final = "us-west-2"
ACCOUNT: Final = "111122223333"
USER: Final = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
URL: Final = f"https://api1.execute-api.{REGION}.amazonaws.com/v1"
IMAGE_URL: Final = "https://images.s3.us-east-1.amazonaws.com/images/one.png?X-Amz-Signature=abc"
SECRET_ARN: Final = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:Secret-1"
WORDS: Final = "cors_origins=https://app.example,https://two.example"
CORE: Final = "stability.stable-image-core-v1:1"
KEY: Final = WithHeader(name="x-api-key", secret="ig_key")
SUBJECTS: Final = ("StackName", "ServiceCode", "modelId", "FunctionName")
"""The parameters that say what an operation is asked about; a reply may be for one of their values alone."""

Reply = Mapping[str, Any] | Exception | tuple[str, str]
"""What an AWS operation replies: members, an error that botocore raises, or the code and the message of a refusal."""


def picture(*, marked: bool = True) -> bytes:
    """Return a PNG of one pixel, which says that it is generated or does not."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    plain = b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", zlib.compress(bytes(4))),
            png_chunk(b"IEND"),
        ]
    )
    return png_marked(plain, PACKET) if marked else plain


def quota(name: str, value: float, *, service: str = "bedrock", code: str = "L-1") -> dict[str, Any]:
    """Return one quota, as Service Quotas lists it."""
    return {"ServiceCode": service, "QuotaCode": code, "QuotaName": name, "Value": value}


def aws_replies(config: StageConfig) -> dict[str, Reply | None]:
    """Return what each operation replies in an account in which all is well and the stage is deployed."""
    return {**account_replies(), **deployment_replies(config)}


def account_replies() -> dict[str, Reply | None]:
    """Return what AWS says of an account."""
    date_header = NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {
        "sts.get_caller_identity": {
            "Arn": USER,
            "Account": ACCOUNT,
            "ResponseMetadata": {"HTTPHeaders": {"date": date_header}},
        },
        "ssm.get_parameter": {"Parameter": {"Value": "30"}},
        "lambda.get_account_settings": {
            "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 977}
        },
        "apigateway.get_account": {"cloudwatchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/imagegen-dev-Role"},
        "service-quotas.list_service_quotas:apigateway": {
            "Quotas": [
                quota(
                    "Maximum integration timeout in milliseconds",
                    29_000,
                    service="apigateway",
                    code="L-E5AE38E3",
                )
            ]
        },
        "service-quotas.list_service_quotas:bedrock": {
            "Quotas": [
                quota("On-demand model inference requests per minute for Stability.ai Stable Image Core", 90)
            ]
        },
        "bedrock.get_foundation_model": {
            "modelDetails": {"modelArn": "arn", "modelId": CORE, "modelLifecycle": {"status": "ACTIVE"}}
        },
        "bedrock.get_foundation_model_availability": {
            "modelId": CORE,
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        },
    }


def deployment_replies(config: StageConfig) -> dict[str, Reply | None]:
    """Return what AWS says of the deployed stage."""
    outputs = {"ApiUrl": URL, "ApiLogGroup": "api-logs", "WebhookSecretArn": SECRET_ARN}
    return {
        "cloudformation.describe_stacks": {
            "Stacks": [
                {
                    "StackName": "imagegen-dev",
                    "CreationTime": NOW,
                    "StackStatus": "UPDATE_COMPLETE",
                    "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
                }
            ]
        },
        "cloudformation.get_template": {
            "TemplateBody": json.dumps(
                {
                    "Resources": {
                        "Worker": {
                            "Type": "AWS::Lambda::Function",
                            "Properties": {"ReservedConcurrentExecutions": 23},
                        },
                        "Api": {"Type": "AWS::Lambda::Function", "Properties": {}},
                    }
                }
            )
        },
        "cloudformation.list_stack_resources": {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": f"{name}Function1",
                    "PhysicalResourceId": f"{name}-1",
                    "ResourceType": "AWS::Lambda::Function",
                    "LastUpdatedTimestamp": NOW,
                    "ResourceStatus": "UPDATE_COMPLETE",
                }
                for name in ("Api", "Worker", "Authorizer")
            ]
        },
        "lambda.get_function_concurrency": {"ReservedConcurrentExecutions": 23},
        "lambda.get_function_configuration": {"Environment": {"Variables": variables(config)}},
        "secretsmanager.get_secret_value": {"SecretString": b64encode(bytes(32)).decode()},
    }


def variables(config: StageConfig) -> dict[str, str]:
    """Return the environment of a stage's functions."""
    told = {
        name.upper(): _text(getattr(config, name))
        for name in Settings.__dataclass_fields__
        if name in StageConfig.model_fields
    }
    return {
        **ENVIRONMENT,
        **told,
        "OWNER_SALT": "salt-of-this-deployment",
        "WEBHOOK_SECRET_ARN": SECRET_ARN,
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value)


def generation() -> dict[str, Any]:
    """Return the reply for a generation that succeeded."""
    image = picture()
    return {
        "id": "gen_one",
        "status": "succeeded",
        "model": CORE,
        "cost_usd": 0.04,
        "artifacts": [
            {
                "url": IMAGE_URL,
                "content_type": "image/png",
                "sha256": hashlib.sha256(image).hexdigest(),
            }
        ],
    }


def web_replies() -> dict[str, httpx.Response | Exception]:
    """Return what the deployed service replies to each kind of request, as long as all is well."""
    allowed = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET,POST,OPTIONS",
        "access-control-allow-headers": ",".join(surface.SENT_HEADERS),
    }
    return {
        "GET /v1/health": httpx.Response(200, json=serialize.health()),
        "GET /v1/models": httpx.Response(200, json={"models": [{"id": CORE}]}),
        "GET /v1/generations": httpx.Response(
            200, json={"generations": [{"id": "gen_none", "status": "failed"}, generation()]}
        ),
        "GET /v1/generations/gen_one": httpx.Response(200, json=generation()),
        "GET /images/one.png": httpx.Response(200, content=picture(), headers={"content-type": "image/png"}),
        "OPTIONS /v1/text-to-image": httpx.Response(204, headers=allowed),
        "POST /v1/text-to-image": httpx.Response(200, json=generation()),
    }


@dataclass(kw_only=True)
class Kept:
    """A report that keeps the findings."""

    findings: list[Finding] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)

    def begin(self, _: Examined) -> None:
        """Keep nothing."""

    def announce(self, sentence: str) -> None:
        """Keep it."""
        self.announced.append(sentence)

    def add(self, finding: Finding) -> None:
        """Keep one."""
        self.findings.append(finding)

    def end(self, _: Examined, findings: Sequence[Finding]) -> None:
        """Make sure that none was lost."""
        assert list(findings) == self.findings


@dataclass(kw_only=True)
class Far:
    """What is different in an account and a service from those in which all is well.

    `aws` has replies by `service.operation`; None stands for an operation that must not be asked. `web` has replies by
    method and path.
    """

    aws: Mapping[str, Reply | None] = field(default_factory=dict)
    web: Mapping[str, httpx.Response | Exception] = field(default_factory=dict)
    words: str = WORDS
    stage: str = "dev"
    caller: WithHeader | None = KEY
    profile: str = ""
    from_variables: bool = False
    address: str = ""
    sent: list[httpx.Request] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def examine(self, *, report: Report, prove: bool = False) -> int:
        """Run `make doctor` here, and return its exit status."""
        config = load_stage(name=self.stage, stages=stages_of(CHECKOUT), overrides=self.words)
        replies = {**aws_replies(config), **self.aws}
        with (
            _stubbed(replies, asked=self.asked) as clients,
            httpx.Client(transport=httpx.MockTransport(self._reply)) as web,
        ):
            examined = Examined(
                stage=self.stage,
                config=config,
                words=self.words,
                profile=self.profile,
                from_variables=self.from_variables,
                region=REGION,
                plan=plan(config),
                clients=clients,
                web=web,
                address=self.address,
                caller=self.caller,
                now=lambda: NOW,
            )
            return run(examined, report=report, prove=prove)

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        reply = {**web_replies(), **self.web}[f"{request.method} {request.url.path}"]
        if isinstance(reply, Exception):
            raise reply
        return reply


def plan(config: StageConfig) -> Plan:
    """Return the plan of a stage of the default models.

    `tests/infrastructure/test_doctor_plan.py` compares it with the real one, which needs the CDK.
    """
    queue = config.worker_concurrency or 15
    beside = 8 if config.reserve_concurrency else 5
    return Plan(
        models=tuple(resolve(entry, region=REGION) for entry in config.models),
        queue=queue,
        beside=beside,
        reserved=queue + beside if config.reserve_concurrency else 0,
        kept=100,
        least_queue=2,
        seconds_an_image=10,
    )


@cache
def _client(service: str, region: str) -> Any:
    return session(region).create_client(service)


@contextmanager
def _stubbed(replies: Mapping[str, Reply | None], *, asked: list[str]) -> Iterator[Callable[[str, str], Any]]:
    """Give clients whose operations reply so, however often and in whatever order they are asked."""
    used: list[_Stubbed] = []

    def client(service: str, region: str) -> Any:
        used.append(_Stubbed(service, region, replies, asked))
        return used[-1]

    yield client
    for each in used:
        each.stubber.deactivate()


class _Stubbed:
    """A real client under botocore's Stubber, which checks parameters and replies against the service's model."""

    def __init__(
        self, service: str, region: str, replies: Mapping[str, Reply | None], asked: list[str]
    ) -> None:
        self._service = service
        self._replies = replies
        self._asked = asked
        self._client = _client(service, region)
        self.stubber = Stubber(self._client)
        self._region = region

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **parameters: self._call(operation, parameters)

    def get_paginator(self, operation: str) -> Any:
        """Return the pages of an operation; there is one."""

        def paginate(**parameters: Any) -> list[Any]:
            size = parameters.pop("PaginationConfig", {}).get("PageSize")
            return [self._call(operation, {**parameters, **({"MaxResults": size} if size else {})})]

        return _Pages(paginate)

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        name = f"{self._service}.{operation}"
        about = next((parameters[each] for each in SUBJECTS if each in parameters), "")
        reply = self._replies.get(f"{name}:{about}", self._replies.get(name))
        self._asked.append(f"{name}@{self._region}")
        if reply is None:
            raise AssertionError(f"{name} must not be asked.")
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, tuple):
            self.stubber.add_client_error(operation, *reply)
        else:
            self.stubber.add_response(operation, dict(reply))
        with self.stubber:
            return getattr(self._client, operation)(**parameters)


@dataclass(frozen=True)
class _Pages:
    paginate: Callable[..., Any]


def skewed(seconds: int) -> Reply:
    """Return the identity as AWS replies whose clock differs from this machine's by so much."""
    there = NOW - timedelta(seconds=seconds)
    return {
        "Arn": USER,
        "Account": ACCOUNT,
        "ResponseMetadata": {"HTTPHeaders": {"date": there.strftime("%a, %d %b %Y %H:%M:%S GMT")}},
    }
