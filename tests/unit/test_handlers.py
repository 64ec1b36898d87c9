"""The entry points read their settings from the environment, and log nothing of a request's content."""

from __future__ import annotations

import gc
import importlib
import json
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.support.environment import AUTHORIZERS_ENVIRONMENT, ENVIRONMENT
from tests.support.events import Context, event

PROMPT = "a-prompt-that-nobody-must-log"


@pytest.fixture
def handler_of(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[str], ModuleType]:
    """Return a function that imports an entry point anew, as configured to log as much as it can."""
    for name, value in {
        **ENVIRONMENT,
        **AUTHORIZERS_ENVIRONMENT,
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        # a logger keeps the standard output of the test that made it, so each test needs its own
        "POWERTOOLS_SERVICE_NAME": request.node.name,
        "POWERTOOLS_METRICS_NAMESPACE": "imagegen",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    }.items():
        monkeypatch.setenv(name, value)

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, f"imagegen.{name}", raising=False)
        return importlib.import_module(f"imagegen.{name}")

    return load


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        ("", "is not enabled in this deployment"),
        ("arn:aws:secretsmanager:us-west-2:123456789012:secret:hooks", "needs the header"),
    ],
)
def test_webhooks_are_on_where_the_deployment_has_a_secret_for_them(
    handler_of: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, arn: str, words: str
) -> None:
    """Webhooks are on if the deployment has a secret; without it, no receiver could verify a call-back."""
    load = handler_of
    monkeypatch.setenv("WEBHOOK_SECRET_ARN", arn)
    body = {"text_prompts": [{"text": PROMPT}], "webhook_url": "https://example.com/hook"}
    answer = load("api_handler").lambda_handler(event("POST", "/text-to-image", body), Context())
    (error,) = json.loads(answer["body"])["errors"]
    assert (answer["statusCode"], error["field"]) == (400, "webhook_url")
    assert words in error["message"]


def test_a_request_is_answered_and_not_logged(
    handler_of: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """The reply comes, and the prompt is in neither standard output nor standard error."""
    door = handler_of("api_handler")
    body = {"text_prompts": [{"text": PROMPT}], "steps": 9}
    answer = door.lambda_handler(event("POST", "/text-to-image", body), Context())
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["code"] == "invalid_parameter"
    written = capsys.readouterr()
    assert PROMPT not in written.out + written.err


def test_without_a_webhook_secret_a_webhook_is_refused(handler_of: Callable[[str], ModuleType]) -> None:
    """A receiver could not check the signature; `WEBHOOK_SECRET_ARN` switches webhooks on."""
    body = {"text_prompts": [{"text": PROMPT}], "webhook_url": "https://receiver.example/hook"}
    request = event("POST", "/text-to-image", body, headers={"Prefer": "respond-async"})
    answer = json.loads(handler_of("api_handler").lambda_handler(request, Context())["body"])
    assert answer["code"] == "invalid_parameter"
    assert answer["errors"] == [{"field": "webhook_url", "message": "is not enabled in this deployment"}]


def test_the_log_carries_the_id_that_the_caller_was_told(
    handler_of: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator finds the log lines of a request by the `request_id` of its problem."""
    door = handler_of("api_handler")
    door.logger.info("before")
    answer = door.lambda_handler(event("POST", "/text-to-image", {"steps": 9}), Context())
    door.logger.info("looked for")
    request_id = json.loads(answer["body"])["request_id"]
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "looked for" in line]
    assert line["correlation_id"] == request_id == "req-1"


@pytest.mark.parametrize("name", ["api_handler", "worker_handler"])
def test_a_start_makes_the_clients_that_every_request_needs(
    handler_of: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Those of the queue, of the secret and of a second region wait until they are needed."""
    made: list[tuple[str, str | None]] = []
    create = botocore.session.Session.create_client

    def noted(session: botocore.session.Session, service: str, *args: Any, **kwargs: Any) -> Any:
        made.append((service, kwargs.get("region_name")))
        return create(session, service, *args, **kwargs)

    monkeypatch.setattr(botocore.session.Session, "create_client", noted)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("MODELS", "stability.stable-image-core-v1:1,stability.stable-diffusion-xl-v1")
    handler_of(name)
    assert sorted(made) == [("bedrock-runtime", "us-west-2"), ("s3", None)]


def test_clients_are_made_once_a_process_and_not_once_a_request(
    handler_of: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making an AWS client takes longer than the rest of a request."""
    made: list[str] = []
    create = botocore.session.Session.create_client

    def counted(session: botocore.session.Session, service: str, *args: Any, **kwargs: Any) -> Any:
        made.append(service)
        return create(session, service, *args, **kwargs)

    monkeypatch.setattr(botocore.session.Session, "create_client", counted)
    door = handler_of("api_handler")
    at_start = len(made)
    for _ in range(2):
        door.lambda_handler(event("GET", "/models"), Context())
        door.lambda_handler(event("POST", "/text-to-image", {"steps": 9}), Context())
    assert at_start == len(made) > 0


def message(body: str, arn: str) -> dict[str, Any]:
    """Return an event with one message."""
    record = {
        "messageId": "m-1",
        "receiptHandle": "r-1",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "us-west-2",
    }
    return {"Records": [record]}


def test_a_message_that_cannot_be_dealt_with_is_reported_as_failed(
    handler_of: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    """The handler reports the message as failed and raises nothing; here the table cannot be reached."""
    door = handler_of("worker_handler")
    answer = door.lambda_handler(message("gen_" + "a" * 26, "arn:aws:sqs:us-west-2:1:jobs"), Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert "is not acknowledged" in capsys.readouterr().out


@pytest.mark.parametrize(("says", "found"), [("ACTIVE", 0), ("LEGACY", 1)])
def test_the_daily_check_counts_what_it_finds(
    handler_of: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    says: str,
    found: int,
) -> None:
    """SDXL has ended, as the registry says; of Stable Image Core Bedrock says what the case says."""
    regions: list[str] = []

    def client(_: botocore.session.Session, service: str, *, region_name: str, **__: Any) -> Any:
        assert service == "bedrock"
        regions.append(region_name)
        return SimpleNamespace(get_foundation_model=answer)

    def answer(*, modelIdentifier: str) -> Any:  # noqa: N803 - the name of AWS's parameter
        if modelIdentifier.startswith("stability.stable-diffusion-xl"):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetFoundationModel")
        return {"modelDetails": {"modelLifecycle": {"status": says}}}

    monkeypatch.setattr(botocore.session.Session, "create_client", client)
    door = handler_of("lifecycle_handler")
    assert door.lambda_handler({"source": "aws.events"}, Context()) == {"findings": found}
    assert regions == ["us-west-2", "us-west-2"]
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["LifecycleChanges"] for line in written if "_aws" in line] == [[float(found)]]
    told = [line for line in written if line.get("message") == "a model's lifecycle needs attention"]
    assert [(line["reason"], line["registry"], line["bedrock"]) for line in told] == [
        ("changed", "active", "legacy")
    ] * found


def test_garbage_is_collected_again_once_a_handler_is_ready(handler_of: Callable[[str], ModuleType]) -> None:
    """An entry point turns the collector off while it is imported, and on again at the end."""
    for name in ("api_handler", "authorizer_handler", "worker_handler"):
        handler_of(name)
        assert gc.isenabled()


def test_a_handlers_name_is_the_one_that_is_deployed(handler_of: Callable[[str], ModuleType]) -> None:
    """The stack names each function by `imagegen.<entry point>.lambda_handler`."""
    names = ("api_handler", "authorizer_handler", "worker_handler")
    assert all(callable(handler_of(name).lambda_handler) for name in names)
