"""The environment of the functions, as a deployment sets it."""

from __future__ import annotations

ENVIRONMENT = {
    "STAGE": "dev",
    "BUCKET_NAME": "pictures",
    "TABLE_NAME": "generations",
    "URL_SUFFIX": "amazonaws.com",
    "QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/jobs",
    "DEAD_LETTER_QUEUE_ARN": "arn:aws:sqs:us-west-2:123456789012:dead",
    "CALL_BACK_QUEUE_ARN": "arn:aws:sqs:us-west-2:123456789012:call-backs",
    "MODELS": "stability.stable-diffusion-xl-v1,stability.stable-image-core-v1:1",
    "MODEL_TIMEOUT": "60",
    "FUNCTION_TIMEOUT": "80",
    "GATEWAY_TIMEOUT": "29",
    "URL_TTL": "3600",
    "S3_ADDRESSING_STYLE": "virtual",
    "CORS_ORIGINS": "",
    "RECORD_RETENTION_DAYS": "90",
    "MAX_PAID_ATTEMPTS": "1",
    "DAILY_IMAGES_PER_CALLER": "",
    "DAILY_IMAGES": "",
    "DAILY_USD_PER_CALLER": "",
    "DAILY_USD": "",
    "IMAGES_PER_MINUTE_PER_CALLER": "",
    "QUEUED_JOBS_PER_CALLER": "",
    "WEBHOOK_SECRET_ARN": "",
    "WEBHOOK_LOOPBACK": "false",
    "DRILL": "",
    "OWNER_SALT": "salt-of-this-deployment",
    "MARK_IMAGES": "true",
    "EMBED_PROMPT": "false",
    "OPENAI_MODEL_ALIASES": "gpt-image-*=auto,dall-e-*=auto",
}
CONNECTION = 29.0
"""Seconds that a connection lasts in this environment."""

AUTHORIZERS_ENVIRONMENT = {
    "KEY_TABLE_NAME": "keys",
    "URL_SUFFIX": "amazonaws.com",
    "AWS_REGION": "us-west-2",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
"""The environment of the authorizer, as a deployment and Lambda set it."""
