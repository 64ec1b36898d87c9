"""The environment gives complete settings, or an error that lists everything that is wrong with it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from imagegen.errors import Misconfigured
from imagegen.settings import Settings
from tests.support.environment import ENVIRONMENT

DOLLARS = "must be a number from 0 to 100000 with at most 6 decimals"
NOT_DOLLARS = (
    "-1",
    "-0",
    "+1",
    "1.",
    ".5",
    "1,5",
    "1_0",
    " 1",
    "$1",
    "1e3",
    "1E-3",
    "0.0000001",
    "1.0000000",
    "nan",
    "inf",
    "Infinity",
    "null",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "9" * 5000,
)


def test_every_field_is_a_variable_of_its_name_in_capitals() -> None:
    """Each field has one variable, and each variable of ours has one field."""
    assert {field.name.upper() for field in fields(Settings)} == set(ENVIRONMENT)


def test_an_environment_is_read_whole() -> None:
    """Variables that are not ours are ignored."""
    assert Settings.from_environment({**ENVIRONMENT, "PATH": "/bin"}) == Settings(
        stage="dev",
        bucket_name="pictures",
        table_name="generations",
        url_suffix="amazonaws.com",
        queue_url="https://sqs.us-west-2.amazonaws.com/123456789012/jobs",
        dead_letter_queue_arn="arn:aws:sqs:us-west-2:123456789012:dead",
        call_back_queue_arn="arn:aws:sqs:us-west-2:123456789012:call-backs",
        models=("stability.stable-diffusion-xl-v1", "stability.stable-image-core-v1:1"),
        model_timeout=60,
        function_timeout=80,
        gateway_timeout=29,
        url_ttl=3600,
        s3_addressing_style="virtual",
        cors_origins=(),
        record_retention_days=90,
        max_paid_attempts=1,
        daily_images_per_caller=None,
        daily_images=None,
        daily_usd_per_caller=None,
        daily_usd=None,
        images_per_minute_per_caller=None,
        queued_jobs_per_caller=None,
        webhook_secret_arn="",
        webhook_loopback=False,
        mark_images=True,
        embed_prompt=False,
        drill="",
        owner_salt="salt-of-this-deployment",
        openai_model_aliases=("gpt-image-*=auto", "dall-e-*=auto"),
    )


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("MODELS", " a , b,, c ,", ("a", "b", "c")),
        ("MODEL_TIMEOUT", "1", 1),
        ("MODEL_TIMEOUT", "270", 270),
        ("FUNCTION_TIMEOUT", "10", 10),
        ("FUNCTION_TIMEOUT", "300", 300),
        ("URL_TTL", "60", 60),
        ("URL_TTL", "3600", 3600),
        ("S3_ADDRESSING_STYLE", "path", "path"),
        ("CORS_ORIGINS", "https://a.example,https://b.example", ("https://a.example", "https://b.example")),
        ("RECORD_RETENTION_DAYS", "3650", 3650),
        ("MAX_PAID_ATTEMPTS", "10", 10),
        ("DAILY_IMAGES_PER_CALLER", "5", 5),
        ("DAILY_IMAGES", "0", 0),
        ("DAILY_IMAGES_PER_CALLER", "1000000", 1_000_000),
        ("DAILY_IMAGES", "10000000", 10_000_000),
        ("DAILY_USD_PER_CALLER", "0", 0.0),
        ("DAILY_USD_PER_CALLER", "14.0", 14.0),
        ("DAILY_USD_PER_CALLER", "100000.000000", 100_000.0),
        ("DAILY_USD", "0.000001", 0.000001),
        ("DAILY_USD", "1000000", 1_000_000.0),
        ("DAILY_USD", "", None),
        ("IMAGES_PER_MINUTE_PER_CALLER", "0", 0),
        ("IMAGES_PER_MINUTE_PER_CALLER", "10000", 10_000),
        ("QUEUED_JOBS_PER_CALLER", "1000000", 1_000_000),
        ("OPENAI_MODEL_ALIASES", "", ()),
        ("OPENAI_MODEL_ALIASES", "a/b*=c:1, d=auto", ("a/b*=c:1", "d=auto")),
        ("WEBHOOK_SECRET_ARN", "arn:aws:secretsmanager:…", "arn:aws:secretsmanager:…"),
        ("CALL_BACK_QUEUE_ARN", "", ""),
        ("WEBHOOK_LOOPBACK", "true", True),
        ("WEBHOOK_LOOPBACK", "false", False),
    ],
)
def test_a_value_within_its_bounds_is_read(name: str, value: str, read: Any) -> None:
    """Each variable is converted to the type of its field."""
    found = getattr(Settings.from_environment({**ENVIRONMENT, name: value}), name.lower())
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("BUCKET_NAME", "", "is empty"),
        ("TABLE_NAME", "", "is empty"),
        ("QUEUE_URL", "", "is empty"),
        ("DEAD_LETTER_QUEUE_ARN", "", "is empty"),
        ("MODELS", "", "is empty"),
        ("MODELS", " , ", "is empty"),
        ("MODEL_TIMEOUT", "0", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "271", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "60.5", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "-1", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", " 60", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "6_0", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "\N{ARABIC-INDIC DIGIT SIX}", "must be a whole number from 1 to 270"),
        ("MODEL_TIMEOUT", "9" * 5000, "must be a whole number from 1 to 270"),
        ("FUNCTION_TIMEOUT", "9", "must be a whole number from 10 to 300"),
        ("FUNCTION_TIMEOUT", "301", "must be a whole number from 10 to 300"),
        ("URL_TTL", "59", "must be a whole number from 60 to 3600"),
        ("URL_TTL", "3601", "must be a whole number from 60 to 3600"),
        ("S3_ADDRESSING_STYLE", "auto", "must be one of virtual, path"),
        ("RECORD_RETENTION_DAYS", "3651", "must be a whole number from 1 to 3650"),
        ("MAX_PAID_ATTEMPTS", "0", "must be a whole number from 1 to 10"),
        ("MAX_PAID_ATTEMPTS", "11", "must be a whole number from 1 to 10"),
        ("DAILY_IMAGES_PER_CALLER", "-1", "must be a whole number from 0 to 1000000"),
        ("DAILY_IMAGES_PER_CALLER", "1000001", "must be a whole number from 0 to 1000000"),
        ("DAILY_IMAGES", "10000001", "must be a whole number from 0 to 10000000"),
        ("DAILY_IMAGES", "none", "must be a whole number from 0 to 10000000"),
        *[("DAILY_USD_PER_CALLER", value, DOLLARS) for value in NOT_DOLLARS],
        ("DAILY_USD_PER_CALLER", "100000.000001", DOLLARS),
        ("DAILY_USD", "1000000.000001", "must be a number from 0 to 1000000 with at most 6 decimals"),
        ("IMAGES_PER_MINUTE_PER_CALLER", "10001", "must be a whole number from 0 to 10000"),
        ("IMAGES_PER_MINUTE_PER_CALLER", "1.5", "must be a whole number from 0 to 10000"),
        ("QUEUED_JOBS_PER_CALLER", "1000001", "must be a whole number from 0 to 1000000"),
        *[("WEBHOOK_LOOPBACK", value, "must be true or false") for value in ("", "True", "1", "yes")],
    ],
)
def test_a_value_beyond_its_bounds_is_refused_by_name(name: str, value: str, why: str) -> None:
    """The error names the allowed values; it leaves the value out, because it may be a misplaced secret."""
    with pytest.raises(Misconfigured) as raised:
        Settings.from_environment({**ENVIRONMENT, name: value})
    assert raised.value.detail == f"The environment cannot be used: {name} {why}."


def test_everything_that_is_wrong_is_named_at_once() -> None:
    """The error lists missing and unreadable variables in the order of the fields."""
    with pytest.raises(Misconfigured) as raised:
        Settings.from_environment({"MODELS": "", "URL_TTL": "0", "CORS_ORIGINS": ""})
    assert raised.value.detail == (
        "The environment cannot be used: STAGE is missing; BUCKET_NAME is missing; TABLE_NAME is missing; "
        "URL_SUFFIX is missing; QUEUE_URL is missing; "
        "DEAD_LETTER_QUEUE_ARN is missing; CALL_BACK_QUEUE_ARN is missing; MODELS is empty; MODEL_TIMEOUT is missing; "
        "FUNCTION_TIMEOUT is missing; GATEWAY_TIMEOUT is missing; "
        "URL_TTL must be a whole number from 60 to 3600; S3_ADDRESSING_STYLE is missing; "
        "RECORD_RETENTION_DAYS is missing; MAX_PAID_ATTEMPTS is missing; "
        "DAILY_IMAGES_PER_CALLER is missing; DAILY_IMAGES is missing; DAILY_USD_PER_CALLER is missing; "
        "DAILY_USD is missing; IMAGES_PER_MINUTE_PER_CALLER is missing; QUEUED_JOBS_PER_CALLER is missing; "
        "OPENAI_MODEL_ALIASES is missing; "
        "WEBHOOK_SECRET_ARN is missing; WEBHOOK_LOOPBACK is missing; MARK_IMAGES is missing; "
        "EMBED_PROMPT is missing; DRILL is missing; OWNER_SALT is missing."
    )
