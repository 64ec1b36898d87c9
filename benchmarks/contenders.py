"""The functions that are compared, the environment that a deployment gives them, and the events that they are sent."""

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import Contender
from benchmarks.installed import Installed
from local.demo import REQUEST

REGION: Final = "us-east-1"
KEY_ID: Final = "k" * 12
SETTINGS: Final[Mapping[str, str]] = {
    "STAGE": "dev",
    "BUCKET_NAME": "pictures",
    "TABLE_NAME": "generations",
    "URL_SUFFIX": "amazonaws.com",
    "KEY_TABLE_NAME": "keys",
    "QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/jobs",
    "DEAD_LETTER_QUEUE_ARN": f"arn:aws:sqs:{REGION}:123456789012:dead",
    "CALL_BACK_QUEUE_ARN": f"arn:aws:sqs:{REGION}:123456789012:call-backs",
    "MODELS": "stability.stable-diffusion-xl-v1,stability.stable-image-core-v1:1",
    "MODEL_TIMEOUT": "60",
    "FUNCTION_TIMEOUT": "80",
    "GATEWAY_TIMEOUT": "29",
    "URL_TTL": "3600",
    "S3_ADDRESSING_STYLE": "virtual",
    "CORS_ORIGINS": "*",
    "RECORD_RETENTION_DAYS": "90",
    "MAX_PAID_ATTEMPTS": "1",
    "DAILY_IMAGES_PER_CALLER": "",
    "DAILY_IMAGES": "",
    "DAILY_USD_PER_CALLER": "",
    "DAILY_USD": "",
    "IMAGES_PER_MINUTE_PER_CALLER": "",
    "QUEUED_JOBS_PER_CALLER": "",
    "OPENAI_MODEL_ALIASES": "gpt-image-*=auto,dall-e-*=auto",
    "WEBHOOK_SECRET_ARN": "",
    "WEBHOOK_LOOPBACK": "false",
    "MARK_IMAGES": "true",
    "EMBED_PROMPT": "false",
    "DRILL": "",
    "OWNER_SALT": "salt",
    "POWERTOOLS_SERVICE_NAME": "imagegen",
    "POWERTOOLS_METRICS_NAMESPACE": "imagegen",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}
"""The variables that the stack gives to the functions; a test compares the names with the template's."""

_SERVICES: Final = ("BEDROCK_RUNTIME", "S3", "DYNAMODB", "SQS", "SECRETS_MANAGER")
_NUMBERS: Final = count(1)


def contenders(installed: Installed, *, address: str, authority: Path) -> Mapping[str, Contender]:
    """Return every function to measure, by its name; all services of AWS are at this one address, over TLS."""
    variables = {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_CA_BUNDLE": str(authority),
        **{f"AWS_ENDPOINT_URL_{service}": address for service in _SERVICES},
        **SETTINGS,
    }
    beside = (installed.floors, installed.sdk, installed.function)
    listed = {
        "sdk alone": ("sdk_alone.lambda_handler", beside),
        "by hand": ("hand_signed.lambda_handler", beside),
        "naive": ("naive.lambda_handler", beside),
        "powertools": ("powertools_pydantic.lambda_handler", beside),
        "api": ("imagegen.api_handler.lambda_handler", (installed.function,)),
        "worker": ("imagegen.worker_handler.lambda_handler", (installed.function,)),
        "authorizer": ("imagegen.authorizer_handler.lambda_handler", (installed.authorizer,)),
        "api, table counted": ("table_counted.lambda_handler", (installed.function, installed.floors)),
    }
    return {
        name: Contender(name=name, handler=handler, folders=folders, variables=variables)
        for name, (handler, folders) in listed.items()
    }


def generation_event() -> dict[str, Any]:
    """Return the event of one synchronous request that differs from all before it."""
    text = f"Sri lanka tea plantation, number {next(_NUMBERS)}."
    return event("POST", "/text-to-image", {**REQUEST, "text_prompts": [{"text": text}]})


def event(
    method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the event that API Gateway sends for a request with an accepted API key."""
    sent = {"Host": "api.example", "x-api-key": "ig_k", "Content-Type": "application/json", **(headers or {})}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "requestId": "request",
            "stage": "v1",
            "httpMethod": method,
            "path": f"/v1{path}",
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {"principalId": KEY_ID, "keyId": KEY_ID, "limits": "{}"},
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
