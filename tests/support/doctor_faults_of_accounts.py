"""The faults of an account: of credentials, clock, limits and models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from botocore.exceptions import (
    EndpointConnectionError,
    LoginRefreshRequired,
    NoCredentialsError,
    SSOTokenLoadError,
)

from tests.support.doctor import ACCOUNT, CORE, REGION, USER, WORDS, skewed
from tests.support.doctor_fault import (
    AGAIN,
    AGREE,
    BOOTSTRAP,
    LIST,
    NO_ROLE,
    NOT_DEPLOYED,
    ONLY_SDXL,
    OTHERS_ROLE,
    SLOW,
    SMALL,
    TWO,
    ULTRA,
    UNRESERVED,
    Fault,
    availability,
    deploy,
    lambda_limit,
    requests,
    timeout,
)

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
        name="session of aws login ended",
        aws={"sts.get_caller_identity": LoginRefreshRequired()},
        check="credentials",
        severity="problem",
        sentence="Your session has ended, or was never begun.",
        remedy="aws login --profile team",
        profile="team",
    ),
    Fault(
        name="credentials in variables ended",
        aws={"sts.get_caller_identity": ("ExpiredToken", "The security token is expired")},
        check="credentials",
        severity="problem",
        sentence="Your credentials have ended (ExpiredToken), and stand in variables of your shell.",
        remedy="unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN && aws sso login",
        from_variables=True,
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
        remedy=deploy(SMALL),
    ),
    Fault(
        name="one too few executions are free",
        aws={**lambda_limit(1000, free=122), **NOT_DEPLOYED},
        check="concurrency",
        severity="problem",
        sentence="The stage reserves 23 of 1000 concurrent executions of the account, of which 122 are free, and "
        "Lambda keeps 100 for functions without a reservation: AWS would refuse the deployment. Reserve nothing, or "
        "ask for a higher limit in Service Quotas.",
        remedy=deploy(SMALL.replace("10 ", "1000 ")),
    ),
    Fault(
        name="one too few executions are free beside those that are reserved",
        aws=lambda_limit(1000, free=99),
        check="concurrency",
        severity="problem",
        sentence="The stage reserves 23 of 1000 concurrent executions of the account, of which 122 are free, and "
        "Lambda keeps 100 for functions without a reservation: AWS would refuse the deployment. Reserve nothing, or "
        "ask for a higher limit in Service Quotas.",
        remedy=deploy(SMALL.replace("10 ", "1000 ")),
    ),
    Fault(
        name="an unreserved worker takes everything",
        aws=lambda_limit(10, free=10),
        words=f"{WORDS} {UNRESERVED}",
        check="concurrency",
        severity="problem",
        sentence="The worker may take 20 of the 10 concurrent executions of the account, and would leave 0 to "
        "requests.",
        remedy=deploy(SMALL),
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
        sentence="stability.stable-diffusion-xl-v1 ended on 2025-05-20, and no model follows it in the list.",
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
