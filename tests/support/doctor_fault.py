"""A fault that `make doctor` tells apart: what is different, and the finding; and replies to build faults of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from imagegen.errors import Misconfigured
from imagegen.settings import Settings
from operating.doctor.finding import Finding, Severity
from stacks.cdk_json import stages_of
from stacks.stage import load_stage
from tests.support.doctor import (
    ACCOUNT,
    CORE,
    MODELS_REGION,
    REGION,
    SECRET_ARN,
    URL,
    WORDS,
    Far,
    Reply,
    generation,
    quota,
    variables,
)
from tools.checkout import CHECKOUT

AGAIN: Final = f"make doctor STAGE=dev CONFIG={WORDS}"
DEPLOY: Final = f"make deploy STAGE=dev CONFIG={WORDS}"
LOGS: Final = f"aws logs tail api-logs --since 15m --region {REGION}"
BOOTSTRAP: Final = f".venv/bin/python -m tools.cdk bootstrap aws://{ACCOUNT}/{REGION}"
LIST: Final = (
    "aws bedrock list-foundation-models --by-output-modality IMAGE --query 'modelSummaries[].modelId' "
    f"--region {MODELS_REGION}"
)
AGREE: Final = (
    f"aws bedrock create-foundation-model-agreement --model-id {CORE} --offer-token "
    f'"$(aws bedrock list-foundation-model-agreement-offers --model-id {CORE} '
    f"--query 'offers[0].offerToken' --output text --region {MODELS_REGION})\" --region {MODELS_REGION}"
)
ULTRA: Final = "stability.stable-image-ultra-v1:1"
APP: Final = "https://app.example"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: its name, what is different, and the finding. `prove` makes the paid image as well."""

    name: str
    check: str
    severity: Severity
    sentence: str
    remedy: str
    aws: Mapping[str, Reply | None] = field(default_factory=dict)
    web: Mapping[str, httpx.Response | Exception] = field(default_factory=dict)
    words: str = WORDS
    caller: bool = True
    profile: str = ""
    from_variables: bool = False
    prove: bool = False

    @property
    def finding(self) -> Finding:
        """The finding that has to be there."""
        return Finding(check=self.check, severity=self.severity, sentence=self.sentence, remedy=self.remedy)

    def far(self) -> Far:
        """Return the account and the service with this fault."""
        far = Far(aws=self.aws, web=self.web, words=self.words, profile=self.profile)
        far.from_variables = self.from_variables
        if not self.caller:
            far.caller = None
        return far


def deploy(change: str) -> str:
    """Return the command that deploys the stage with a change of its settings."""
    return f"make deploy STAGE=dev CONFIG='{WORDS} {change}'"


def stack(status: str) -> dict[str, Reply | None]:
    """Return CloudFormation's reply for the stack in a state."""
    outputs = {"ApiUrl": URL, "ApiLogGroup": "api-logs", "WebhookSecretArn": SECRET_ARN}
    found = {
        "StackName": "imagegen-dev",
        "CreationTime": 0,
        "StackStatus": status,
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }
    return {"cloudformation.describe_stacks": {"Stacks": [found]}}


def availability(of: str = "", **members: Any) -> dict[str, Reply | None]:
    """Return Bedrock's reply about a model that the account may use but for this."""
    reply = {
        "modelId": CORE,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
        **members,
    }
    return {f"bedrock.get_foundation_model_availability{of}": reply}


def timeout(value: float, *, name: str = "Maximum integration timeout in milliseconds") -> dict[str, Any]:
    """Return the quotas of API Gateway."""
    found = [quota(name, value, service="apigateway", code="L-E5AE38E3")]
    return {"service-quotas.list_service_quotas:apigateway": {"Quotas": found}}


def requests(value: float, name: str = "Stability.ai Stable Image Core") -> dict[str, Any]:
    """Return the quotas of Bedrock."""
    found = [quota(f"On-demand model inference requests per minute for {name}", value)]
    return {"service-quotas.list_service_quotas:bedrock": {"Quotas": found}}


def drill(until: str) -> dict[str, Reply | None]:
    """Return the environment of the functions with a drill of Core."""
    told = {**variables(DEV), "DRILL": f"{CORE}={until}"}
    return {"lambda.get_function_configuration": {"Environment": {"Variables": told}}}


def lambda_limit(limit: int, *, free: int) -> dict[str, Any]:
    """Return the limits of Lambda."""
    limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free}
    return {"lambda.get_account_settings": {"AccountLimit": limits}}


def problem_reply(status: int, code: str, detail: str, **headers: str) -> httpx.Response:
    """Return a problem, as the service replies with it."""
    return httpx.Response(status, json={"code": code, "detail": detail}, headers=headers)


def preflight(**headers: str) -> dict[str, httpx.Response]:
    """Return a preflight's reply with these headers alone."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"OPTIONS /v1/text-to-image": httpx.Response(204, headers=named)}


def missing_variables() -> str:
    """Return what the functions say themselves of an environment that has only the stage's name."""
    try:
        Settings.from_environment({"STAGE": "dev"})
    except Misconfigured as error:
        return error.detail
    raise AssertionError("There is nothing to complain about.")


def made(image: bytes) -> dict[str, httpx.Response]:
    """Return the replies for an image that was made and has these bytes."""
    reply = generation()
    reply["artifacts"][0]["sha256"] = hashlib.sha256(image).hexdigest()
    return {
        "POST /v1/text-to-image": httpx.Response(200, json=reply),
        "GET /images/one.png": httpx.Response(200, content=image, headers={"content-type": "image/png"}),
    }


NOT_DEPLOYED: Final[dict[str, Reply | None]] = {
    "cloudformation.describe_stacks": ("ValidationError", "Stack with id imagegen-dev does not exist")
}
NO_ROLE: Final[dict[str, Reply | None]] = {"apigateway.get_account": {}}
OTHERS_ROLE: Final[dict[str, Reply | None]] = {
    "apigateway.get_account": {"cloudwatchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/team/logs"}
}
SLOW: Final = "gateway_timeout=85"
DEV: Final = load_stage(name="dev", stages=stages_of(CHECKOUT), overrides=WORDS)
UNRESERVED: Final = "reserve_concurrency=false"
ONLY_SDXL: Final = "models=stability.stable-diffusion-xl-v1"
TWO: Final = f"models={CORE},{ULTRA}"
SMALL: Final = "reserve_concurrency=false account_concurrency=10 api_concurrency=null"
