"""Every fault that `make doctor` tells apart: what is different, and the finding that it has to lead to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    SSOTokenLoadError,
)

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
    USER,
    WORDS,
    Far,
    Reply,
    generation,
    picture,
    quota,
    skewed,
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
    prove: bool = False

    @property
    def finding(self) -> Finding:
        """The finding that has to be there."""
        return Finding(check=self.check, severity=self.severity, sentence=self.sentence, remedy=self.remedy)

    def far(self) -> Far:
        """Return the account and the service with this fault."""
        far = Far(aws=self.aws, web=self.web, words=self.words, profile=self.profile)
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
_SMALL: Final = "reserve_concurrency=false account_concurrency=10 api_concurrency=null"

IDENTITY: Final = (
    Fault(
        name="no credentials",
        aws={"sts.get_caller_identity": NoCredentialsError()},
        check="credentials",
        severity="problem",
        sentence="There are no AWS credentials to use: Unable to locate credentials",
        remedy="aws configure --profile team",
        profile="team",
    ),
    Fault(
        name="session of Identity Center ended",
        aws={"sts.get_caller_identity": SSOTokenLoadError(error_msg="it is gone")},
        check="credentials",
        severity="problem",
        sentence="Your session has ended, or was never begun.",
        remedy="aws sso login --profile team",
        profile="team",
    ),
    Fault(
        name="credentials ended",
        aws={"sts.get_caller_identity": ("ExpiredToken", "The security token is expired")},
        check="credentials",
        severity="problem",
        sentence="Your credentials have ended (ExpiredToken).",
        remedy="aws sso login",
    ),
    Fault(
        name="unknown access key",
        aws={"sts.get_caller_identity": ("InvalidClientTokenId", "The security token is invalid.")},
        check="credentials",
        severity="problem",
        sentence="AWS does not accept your access key (InvalidClientTokenId): the key or its secret is wrong, or this "
        "machine's clock.",
        remedy="aws configure",
    ),
    Fault(
        name="clock far ahead",
        aws={"sts.get_caller_identity": skewed(300)},
        check="clock",
        severity="problem",
        sentence="This machine's clock is 300 s ahead of AWS's, and AWS refuses signatures that are 300 s off.",
        remedy="sudo timedatectl set-ntp true",
    ),
    Fault(
        name="clock a little behind",
        aws={"sts.get_caller_identity": skewed(-60)},
        check="clock",
        severity="warning",
        sentence="This machine's clock is 60 s behind AWS's; from 300 s on AWS refuses signatures.",
        remedy="sudo timedatectl set-ntp true",
    ),
    Fault(
        name="STS is throttled",
        aws={"sts.get_caller_identity": ("Throttling", "Rate exceeded")},
        check="credentials",
        severity="problem",
        sentence="This could not be looked at: AWS throttles GetCallerIdentity now.",
        remedy=AGAIN,
    ),
    Fault(
        name="STS cannot be reached",
        aws={
            "sts.get_caller_identity": EndpointConnectionError(
                endpoint_url=f"https://sts.{REGION}.amazonaws.com/"
            )
        },
        check="credentials",
        severity="problem",
        sentence="This could not be looked at: Could not connect to the endpoint URL: "
        f'"https://sts.{REGION}.amazonaws.com/"',
        remedy=f"curl -sSI https://sts.{REGION}.amazonaws.com",
    ),
)
ACCOUNTS: Final = (
    Fault(
        name="not bootstrapped",
        aws={"ssm.get_parameter": ("ParameterNotFound", "")},
        check="bootstrap",
        severity="problem",
        sentence=f"The CDK is not bootstrapped in {ACCOUNT}, {REGION}, so nothing can be deployed there.",
        remedy=BOOTSTRAP,
    ),
    Fault(
        name="bootstrapped long ago",
        aws={"ssm.get_parameter": {"Parameter": {"Value": "5"}}},
        check="bootstrap",
        severity="problem",
        sentence=f"The CDK's bootstrap stack in {ACCOUNT}, {REGION} has version 5; the stage needs 6 or newer.",
        remedy=BOOTSTRAP,
    ),
    Fault(
        name="bootstrapped by somebody else",
        aws={"ssm.get_parameter": {"Parameter": {"Value": "none"}}},
        check="bootstrap",
        severity="problem",
        sentence=f"The CDK's bootstrap stack in {ACCOUNT}, {REGION} has version none; the stage needs 6 or newer.",
        remedy=BOOTSTRAP,
    ),
    Fault(
        name="no room for the reservation",
        aws={**lambda_limit(10, free=10), **NOT_DEPLOYED},
        check="concurrency",
        severity="problem",
        sentence="The stage reserves 23 of 10 concurrent executions of the account, of which 10 are free, and Lambda "
        "keeps 100 for functions without a reservation: AWS would refuse the deployment. Reserve nothing, or ask for "
        "a higher limit in Service Quotas.",
        remedy=deploy(_SMALL),
    ),
    Fault(
        name="one too few executions are free",
        aws={**lambda_limit(1000, free=122), **NOT_DEPLOYED},
        check="concurrency",
        severity="problem",
        sentence="The stage reserves 23 of 1000 concurrent executions of the account, of which 122 are free, and "
        "Lambda keeps 100 for functions without a reservation: AWS would refuse the deployment. Reserve nothing, or "
        "ask for a higher limit in Service Quotas.",
        remedy=deploy(_SMALL.replace("10 ", "1000 ")),
    ),
    Fault(
        name="one too few executions are free beside those that are reserved",
        aws=lambda_limit(1000, free=99),
        check="concurrency",
        severity="problem",
        sentence="The stage reserves 23 of 1000 concurrent executions of the account, of which 122 are free, and "
        "Lambda keeps 100 for functions without a reservation: AWS would refuse the deployment. Reserve nothing, or "
        "ask for a higher limit in Service Quotas.",
        remedy=deploy(_SMALL.replace("10 ", "1000 ")),
    ),
    Fault(
        name="an unreserved worker takes everything",
        aws=lambda_limit(10, free=10),
        words=f"{WORDS} {UNRESERVED}",
        check="concurrency",
        severity="problem",
        sentence="The worker may take 20 of the 10 concurrent executions of the account, and would leave 0 to "
        "requests.",
        remedy=deploy(_SMALL),
    ),
    Fault(
        name="another limit than the stage says",
        aws=lambda_limit(1000, free=977),
        words=f"{WORDS} account_concurrency=500",
        check="concurrency",
        severity="warning",
        sentence="account_concurrency is 500, but the account's limit of concurrent executions is 1000.",
        remedy=deploy("account_concurrency=1000"),
    ),
    Fault(
        name="no role for the gateway's logs",
        aws=NO_ROLE,
        words=f"{WORDS} gateway_log_role=false",
        check="gateway log role",
        severity="problem",
        sentence="No role is set by which API Gateway could write logs, and with gateway_log_role false the stage "
        "sets none: AWS would refuse the deployment.",
        remedy=deploy("gateway_log_role=true"),
    ),
    Fault(
        name="somebody else's role for the gateway's logs",
        aws={**OTHERS_ROLE, **NOT_DEPLOYED},
        check="gateway log role",
        severity="warning",
        sentence=f"API Gateway writes the logs of all APIs of the region by arn:aws:iam::{ACCOUNT}:role/team/logs, "
        "and the deployment would set another role in its place.",
        remedy=deploy("gateway_log_role=false"),
    ),
    Fault(
        name="the gateway may not wait so long",
        aws=timeout(29_000),
        words=f"{WORDS} {SLOW}",
        check="gateway time-out",
        severity="problem",
        sentence="gateway_timeout is 85 s, but API Gateway may wait for 29 s here: the deployment would be rolled "
        "back. A higher quota may lower the throttle of all APIs of the region.",
        remedy="aws service-quotas request-service-quota-increase --service-code apigateway "
        f"--quota-code L-E5AE38E3 --desired-value 85000 --region {REGION}",
    ),
    Fault(
        name="no quota for how long the gateway may wait",
        aws={"service-quotas.list_service_quotas:apigateway": {"Quotas": []}},
        words=f"{WORDS} {SLOW}",
        check="gateway time-out",
        severity="warning",
        sentence="gateway_timeout is 85 s, and Service Quotas does not say how long API Gateway may wait here.",
        remedy=f"aws service-quotas list-service-quotas --service-code apigateway --region {REGION}",
    ),
)
MODELS: Final = (
    Fault(
        name="only a model that has ended",
        words=f"{WORDS} {ONLY_SDXL}",
        check="model lifecycle",
        severity="problem",
        sentence="stability.stable-diffusion-xl-v1 has ended on 2025-05-20, and no model follows it in the list.",
        remedy=deploy(f"models={CORE}"),
    ),
    Fault(
        name="Bedrock does not know the last model",
        aws={"bedrock.get_foundation_model": ("ResourceNotFoundException", "Could not resolve")},
        check="model lifecycle",
        severity="problem",
        sentence=f"{CORE} is not known to Bedrock in us-west-2, and no model follows it in the list.",
        remedy=LIST,
    ),
    Fault(
        name="a model becomes legacy",
        aws={
            "bedrock.get_foundation_model": {
                "modelDetails": {
                    "modelArn": "arn",
                    "modelId": CORE,
                    "modelLifecycle": {"status": "LEGACY", "endOfLifeTime": datetime(2027, 1, 1, tzinfo=UTC)},
                }
            }
        },
        check="model lifecycle",
        severity="warning",
        sentence=f"{CORE} is legacy in us-west-2, and is served until 2027-01-01.",
        remedy=LIST,
    ),
    Fault(
        name="the model is not offered there",
        aws=availability(regionAvailability="NOT_AVAILABLE"),
        check="model access",
        severity="problem",
        sentence=f"Bedrock does not offer {CORE} in us-west-2.",
        remedy=LIST,
    ),
    Fault(
        name="no agreement",
        aws=availability(agreementAvailability={"status": "NOT_AVAILABLE"}),
        check="model access",
        severity="problem",
        sentence=f"The account has no agreement for {CORE}. Somebody with aws-marketplace:Subscribe and "
        "aws-marketplace:ViewSubscriptions accepts the vendor's offer, once.",
        remedy=AGREE,
    ),
    Fault(
        name="an agreement that failed",
        aws=availability(agreementAvailability={"status": "ERROR", "errorMessage": "no payment"}),
        check="model access",
        severity="problem",
        sentence=f"The account has no agreement for {CORE} (no payment). Somebody with aws-marketplace:Subscribe and "
        "aws-marketplace:ViewSubscriptions accepts the vendor's offer, once.",
        remedy=AGREE,
    ),
    Fault(
        name="an agreement that is being made",
        aws=availability(agreementAvailability={"status": "PENDING"}),
        check="model access",
        severity="problem",
        sentence=f"The account's agreement for {CORE} is being made, which takes up to 15 minutes.",
        remedy=AGAIN,
    ),
    Fault(
        name="not authorized",
        aws=availability(authorizationStatus="NOT_AUTHORIZED"),
        check="model access",
        severity="problem",
        sentence=f"The account is not authorized to use {CORE}: a policy of the organization forbids it, or AWS does. "
        "If no policy does, open a case of the kind 'Account and billing' with AWS's support.",
        remedy=f"aws iam simulate-principal-policy --policy-source-arn {USER} --action-names bedrock:InvokeModel "
        f"--resource-arns arn:aws:bedrock:us-west-2::foundation-model/{CORE}",
    ),
    Fault(
        name="not entitled",
        aws=availability(entitlementAvailability="NOT_AVAILABLE"),
        check="model access",
        severity="problem",
        sentence=f"The account is not entitled to use {CORE}.",
        remedy=AGREE,
    ),
    Fault(
        name="not entitled to the second model",
        aws=availability(f":{ULTRA}", entitlementAvailability="NOT_AVAILABLE"),
        words=f"{WORDS} {TWO}",
        check="model access",
        severity="warning",
        sentence=f"The account is not entitled to use {ULTRA}. Requests that pin this model fail.",
        remedy=AGREE.replace(CORE, ULTRA),
    ),
    Fault(
        name="a quota of nothing",
        aws=requests(0),
        check="model quota",
        severity="problem",
        sentence=f"The account may not send {CORE} any request in us-west-2: its quota is 0.",
        remedy="aws service-quotas request-service-quota-increase --service-code bedrock --quota-code L-1 "
        "--desired-value 90 --region us-west-2",
    ),
    Fault(
        name="a small quota",
        aws=requests(60),
        check="model quota",
        severity="warning",
        sentence=f"The worker makes 15 images at once, about 90 requests a minute, but the account may send {CORE} "
        "only 60 in us-west-2: the others wait and are tried again.",
        remedy=deploy("worker_concurrency=10"),
    ),
    Fault(
        name="a quota below the least worker",
        aws=requests(6),
        words=f"{WORDS} worker_concurrency=2",
        check="model quota",
        severity="warning",
        sentence=f"The worker makes 2 images at once, about 12 requests a minute, but the account may send {CORE} "
        "only 6 in us-west-2: the others wait and are tried again.",
        remedy="aws service-quotas request-service-quota-increase --service-code bedrock --quota-code L-1 "
        "--desired-value 90 --region us-west-2",
    ),
)
DEPLOYMENTS: Final = (
    Fault(
        name="a deployment is under way",
        aws=stack("UPDATE_IN_PROGRESS"),
        check="stack",
        severity="warning",
        sentence="The stack imagegen-dev is being changed (UPDATE_IN_PROGRESS); look again when that is done.",
        remedy=AGAIN,
    ),
    Fault(
        name="a roll-back failed",
        aws=stack("UPDATE_ROLLBACK_FAILED"),
        check="stack",
        severity="problem",
        sentence="The last deployment of imagegen-dev failed, and could not be rolled back "
        "(UPDATE_ROLLBACK_FAILED).",
        remedy=f"aws cloudformation continue-update-rollback --stack-name imagegen-dev --region {REGION}",
    ),
    Fault(
        name="a deployment was rolled back",
        aws=stack("UPDATE_ROLLBACK_COMPLETE"),
        check="stack",
        severity="warning",
        sentence="The last deployment of imagegen-dev failed and was rolled back: what runs is older.",
        remedy=DEPLOY,
    ),
    Fault(
        name="the first deployment failed",
        aws=stack("ROLLBACK_COMPLETE"),
        check="stack",
        severity="problem",
        sentence="The stack imagegen-dev is in the state ROLLBACK_COMPLETE, in which nothing can be deployed to it.",
        remedy="make destroy STAGE=dev",
    ),
    Fault(
        name="other settings are deployed",
        words=f"{WORDS} url_ttl=60 daily_images=7",
        aws={"lambda.get_function_configuration": {"Environment": {"Variables": variables(DEV)}}},
        check="settings",
        severity="warning",
        sentence="The deployed stage was given other values than the checkout has: daily_images, url_ttl.",
        remedy=f"make deploy STAGE=dev CONFIG='{WORDS} url_ttl=60 daily_images=7'",
    ),
    Fault(
        name="a variable was removed by hand",
        aws={"lambda.get_function_configuration": {"Environment": {"Variables": {"STAGE": "dev"}}}},
        check="settings",
        severity="problem",
        sentence=missing_variables(),
        remedy=DEPLOY,
    ),
)
SERVICES: Final = (
    Fault(
        name="the function crashes",
        web={"GET /v1/health": problem_reply(502, "outcome_unknown", "The function failed.")},
        check="health",
        severity="problem",
        sentence=f"{URL}/health replies with 502 outcome_unknown The function failed.",
        remedy=LOGS,
    ),
    Fault(
        name="something else replies",
        web={"GET /v1/health": httpx.Response(403, text="<html>")},
        check="health",
        severity="problem",
        sentence=f"{URL}/health replies with 403.",
        remedy=LOGS,
    ),
    Fault(
        name="the service cannot be reached",
        web={"GET /v1/health": httpx.ConnectError("Name or service not known")},
        check="health",
        severity="problem",
        sentence="The service could not be reached: Name or service not known",
        remedy=f"curl -sSi {URL}/health",
    ),
    Fault(
        name="no key",
        caller=False,
        check="caller",
        severity="warning",
        sentence="No caller was given, so nothing is asked of the service: make a key, and set API_KEY to it.",
        remedy="make key STAGE=dev NAME=doctor",
    ),
    Fault(
        name="no token",
        caller=False,
        words=f"{WORDS} api_auth=cognito user_pool_arn=arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/p_1",
        check="caller",
        severity="warning",
        sentence="No caller was given, so nothing is asked of the service: set API_KEY to a token of the user pool.",
        remedy=f"aws cognito-idp list-user-pool-clients --user-pool-id p_1 --region {REGION}",
    ),
    Fault(
        name="a wrong key",
        web={"GET /v1/models": problem_reply(401, "unauthorized", "The API key is unknown.")},
        check="caller",
        severity="problem",
        sentence="The caller is not let in: 401 unauthorized The API key is unknown.",
        remedy="make keys STAGE=dev",
    ),
    Fault(
        name="a wrong token",
        words=f"{WORDS} api_auth=cognito user_pool_arn=arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/p_1",
        web={"GET /v1/models": problem_reply(401, "unauthorized", "The token is wrong.")},
        check="caller",
        severity="problem",
        sentence="The caller is not let in: 401 unauthorized The token is wrong.",
        remedy=f"aws cognito-idp describe-user-pool --user-pool-id p_1 --region {REGION}",
    ),
    Fault(
        name="a signature without the right",
        words=f"{WORDS} api_auth=iam",
        web={"GET /v1/models": problem_reply(403, "forbidden", "The signature is not allowed.")},
        check="caller",
        severity="problem",
        sentence="The caller is not let in: 403 forbidden The signature is not allowed.",
        remedy="aws sts get-caller-identity",
    ),
    Fault(
        name="the throttle is used up",
        web={"GET /v1/models": problem_reply(429, "rate_limited", "Too many requests.")},
        check="caller",
        severity="warning",
        sentence="The throttle of the gateway is used up at the moment.",
        remedy=AGAIN,
    ),
    Fault(
        name="the function is misconfigured",
        web={"GET /v1/models": problem_reply(500, "misconfigured", "A setting is wrong.")},
        check="caller",
        severity="problem",
        sentence="A caller gets 500 misconfigured A setting is wrong.",
        remedy=LOGS,
    ),
    Fault(
        name="the bucket refuses the signature",
        web={"GET /images/one.png": httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>")},
        check="image URL",
        severity="problem",
        sentence="A presigned URL replies with 403: the bucket refuses what the function has signed.",
        remedy=DEPLOY,
    ),
    Fault(
        name="the URL brings a page",
        web={"GET /images/one.png": httpx.Response(200, html="<html>")},
        check="image URL",
        severity="problem",
        sentence="A presigned URL brings text/html; charset=utf-8 instead of image/png.",
        remedy=DEPLOY,
    ),
    Fault(
        name="the history has another form",
        web={"GET /v1/generations": httpx.Response(200, json={"items": []})},
        check="image URL",
        severity="warning",
        sentence="The reply has another form than this command knows (KeyError), so it is not checked.",
        remedy=AGAIN,
    ),
    Fault(
        name="a preflight fails",
        web={"OPTIONS /v1/text-to-image": httpx.Response(500)},
        check="preflights",
        severity="problem",
        sentence=f"A preflight from {APP} gets 500 instead of 204.",
        remedy=DEPLOY,
    ),
    Fault(
        name="a preflight is for another page",
        web=preflight(access_control_allow_origin="https://two.example"),
        check="preflights",
        severity="problem",
        sentence=f"A preflight from {APP} is allowed for https://two.example.",
        remedy=DEPLOY,
    ),
    Fault(
        name="a preflight is for nobody",
        web=preflight(),
        check="preflights",
        severity="problem",
        sentence=f"A preflight from {APP} is allowed for no origin.",
        remedy=DEPLOY,
    ),
    Fault(
        name="a preflight allows too little",
        web=preflight(
            access_control_allow_origin="*",
            access_control_allow_methods="GET",
            access_control_allow_headers="Content-Type, X-Api-Key",
        ),
        check="preflights",
        severity="problem",
        sentence=f"A preflight from {APP} does not allow POST, authorization.",
        remedy=DEPLOY,
    ),
    Fault(
        name="the webhook secret is gone",
        aws={"secretsmanager.get_secret_value": ("ResourceNotFoundException", "")},
        check="webhook signature",
        severity="problem",
        sentence="The secret that call-backs are signed with is gone, or is being deleted.",
        remedy=f"aws secretsmanager restore-secret --secret-id {SECRET_ARN} --region {REGION}",
    ),
    Fault(
        name="the webhook secret is no secret",
        aws={"secretsmanager.get_secret_value": {"SecretString": "a"}},
        check="webhook signature",
        severity="problem",
        sentence="No call-back can be signed so that a receiver accepts it: The webhook secret is not base64 text.",
        remedy=f"aws secretsmanager put-secret-value --secret-id {SECRET_ARN} "
        f'--secret-string "$(openssl rand -base64 48)" --region {REGION}',
    ),
)
PROOFS: Final = (
    Fault(
        name="the account has no agreement",
        web={"POST /v1/text-to-image": problem_reply(500, "misconfigured", "The model is not set up.")},
        check="proof",
        severity="problem",
        sentence="No image was made: 500 misconfigured The model is not set up.",
        remedy=LOGS,
        prove=True,
    ),
    Fault(
        name="the day's images are used up",
        web={"POST /v1/text-to-image": problem_reply(429, "quota_exceeded", "No image is left.")},
        check="proof",
        severity="problem",
        sentence="No image was made: 429 quota_exceeded No image is left.",
        remedy=f"{AGAIN} PROVE=1",
        prove=True,
    ),
    Fault(
        name="the URL brings other bytes",
        web={
            "GET /images/one.png": httpx.Response(
                200, content=picture() + b"!", headers={"content-type": "image/png"}
            )
        },
        check="proof",
        severity="problem",
        sentence="The URL brings other bytes than the ones that were stored.",
        remedy=DEPLOY,
        prove=True,
    ),
    Fault(
        name="the bytes are no image",
        web=made(b"no image"),
        check="proof",
        severity="problem",
        sentence="The model's image is not a PNG of a plausible length.",
        remedy=LOGS,
        prove=True,
    ),
    Fault(
        name="the image has no mark",
        web=made(picture(marked=False)),
        check="proof",
        severity="warning",
        sentence="The image does not say that it is generated.",
        remedy=LOGS,
        prove=True,
    ),
)
REACHES: Final = (
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
FAULTS: Final = (*(*IDENTITY, *ACCOUNTS, *MODELS, *DEPLOYMENTS, *SERVICES, *PROOFS, *REACHES),)
