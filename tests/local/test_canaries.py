"""A prompt that nobody else uses is sent down every path that fails, and then looked for everywhere.

In this process: the API and the worker with the deployed adapters over the emulator and a stand-in model whose error
messages quote the prompt; what they log and count is captured. Over HTTP: the deployed functions and their logs.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import boto3
import pytest
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.adapters.telemetry import PowertoolsObserver, create_logger
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.canary import Canary
from tests.support.deployed_stack import Stack, StandIn
from tests.support.events import event
from tests.support.fakes import CORE, FakeClock, FakeDeadline
from tests.support.quoting import MODEL_FAILURES, OTHER_REFUSALS, REFUSED, asking, model_failures
from tests.support.real_parts import Poller, ShiftedClock
from tests.support.stack_callers import awaited, logged, polled

if TYPE_CHECKING:
    import httpx
    from mypy_boto3_s3 import S3Client

Create = Callable[..., Canary]

NEVER_ENDING: Final = ("stall", "hang")
"""Failures of the model that only its time-out ends."""
PORTS: Final = ("store", "images", "runtime", "queue", "quotas")


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """A stand-in model that answers at once."""
    with Model(settings=ModelSettings(instant=True)) as far:
        yield far


@pytest.fixture(scope="module")
def variables(stack: Stack, model: Model) -> Iterator[Mapping[str, str]]:
    """The functions' environment with a table, a queue and a bucket of these tests' own."""
    bucket = f"canaries-{secrets.token_hex(4)}"
    boto3.client("s3", **stack.aws()).create_bucket(Bucket=bucket)
    own = {
        **real_parts.own_environment(stack),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
        "BUCKET_NAME": bucket,
        "MODELS": CORE,
        "MODEL_TIMEOUT": "60",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    with real_parts.entered(own):
        yield own


@pytest.fixture(scope="module")
def session() -> boto3.session.Session:
    """One session for all the services that are wired."""
    return boto3.session.Session()


@pytest.fixture(scope="module")
def poller(stack: Stack, variables: Mapping[str, str]) -> Poller:
    """What takes the messages of the tests' own queue."""
    return real_parts.poller(stack, variables["QUEUE_URL"])


@pytest.fixture(scope="module")
def s3(stack: Stack) -> S3Client:
    """The operator's client of S3."""
    client: S3Client = boto3.client("s3", **stack.aws())
    return client


@pytest.fixture
def create(
    variables: Mapping[str, str],
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    session: boto3.session.Session,
    s3: S3Client,
    poller: Poller,
) -> Iterator[Create]:
    """Make a canary, in a service whose settings may be wrong.

    To be called by a test, not by a fixture: what is written is captured anew when the test itself begins.
    """
    model.reset()

    def create(**wrong: str) -> Canary:
        # loggers live as long as the process, with the standard output they were made for: one for each test
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", secrets.token_hex(8))
        metrics = Metrics()
        metrics.clear_metrics()
        observer = PowertoolsObserver(logger=create_logger(), metrics=metrics)
        caplog.set_level(logging.DEBUG)
        clock = FakeClock()
        hasty = ShiftedClock(inner=clock, ahead=timedelta(0))
        service = real_parts.rewired(
            real_parts.wired({**variables, **wrong}, observer=observer, session=session),
            lambda name, port: hasty if name == "clock" else port,
        )
        return Canary(
            prompt=f"kestrel{secrets.token_hex(12)}",
            service=service,
            observer=observer,
            poller=poller,
            clock=clock,
            s3=s3,
            bucket=variables["BUCKET_NAME"],
            capsys=capsys,
            caplog=caplog,
        )

    yield create
    model.reset()


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_request_is_not_quoted(create: Create, name: str) -> None:
    """Neither to the caller nor in the logs, whatever is wrong with it."""
    canary = create()
    answer = canary.ask(event("POST", "/text-to-image", REFUSED[name](canary.prompt)))
    assert 400 <= answer.status < 500
    canary.assert_silence(answer)


@pytest.mark.parametrize("name", OTHER_REFUSALS)
def test_a_prompt_in_the_wrong_place_is_not_quoted(create: Create, name: str) -> None:
    """Headers, paths, queries, and the other two contracts."""
    canary = create()
    canary.assert_silence(canary.ask(OTHER_REFUSALS[name](canary.prompt)))


def test_two_requests_of_one_key_are_not_quoted(create: Create, model: Model) -> None:
    """The second differs from the first; both have the prompt."""
    canary = create()
    model.configure({"action": "filtered"})
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    requests = [asking(canary.prompt), asking(canary.prompt, seed=5)]
    answers = [canary.ask(event("POST", "/text-to-image", body, headers=headers)) for body in requests]
    assert [answer.json["code"] for answer in answers] == ["content_filtered", "idempotency_conflict"]
    canary.assert_silence(*answers)


@pytest.mark.parametrize("name", MODEL_FAILURES)
def test_a_prompt_that_the_model_fails_on_is_not_quoted(create: Create, model: Model, name: str) -> None:
    """Bedrock's messages may quote the prompt, and so may its answers; none is passed on."""
    canary = create(MODEL_TIMEOUT="1" if name in NEVER_ENDING else "60")
    model.configure({"action": model_failures(canary.prompt)[name]})
    answer = canary.ask(event("POST", "/text-to-image", asking(canary.prompt)))
    assert model.calls(prompt=canary.prompt, last=0)["calls"] > 0
    canary.assert_silence(answer)


@pytest.mark.parametrize("name", MODEL_FAILURES)
def test_a_queued_prompt_that_the_model_fails_on_is_not_quoted(
    create: Create, model: Model, name: str
) -> None:
    """The worker logs no more than the API does."""
    canary = create(MODEL_TIMEOUT="1" if name in NEVER_ENDING else "60")
    model.configure({"action": model_failures(canary.prompt)[name]})
    canary.accept()
    canary.work()
    assert model.calls(prompt=canary.prompt, last=0)["calls"] > 0
    canary.assert_silence()


@pytest.mark.parametrize("name", ["BUCKET_NAME", "TABLE_NAME", "QUEUE_URL"])
def test_a_prompt_is_not_quoted_where_the_stores_fail(create: Create, name: str) -> None:
    """What is missing is named by its kind; the SDK's errors are not passed on."""
    missing = "http://127.0.0.1/000000000000/missing" if name == "QUEUE_URL" else "imagegen-missing"
    canary = create(**{name: missing})
    body = asking(canary.prompt)
    if name == "QUEUE_URL":
        canary.accept()
        canary.assert_silence()
    else:
        canary.assert_silence(canary.ask(event("POST", "/text-to-image", body)))


@pytest.mark.parametrize("port", [port for port in PORTS if port != "queue"])
def test_a_defect_on_the_way_is_not_quoted(create: Create, port: str) -> None:
    """An error that nobody expected may say anything; its class and place are logged, its text is not."""
    canary = create()
    answer = canary.ask(event("POST", "/text-to-image", asking(canary.prompt)), service=canary.broken(port))
    assert answer.status >= 500
    canary.assert_silence(answer)


def test_a_defect_of_the_queue_is_not_quoted(create: Create) -> None:
    """The record is there, and the caller hears of a defect."""
    canary = create()
    request = event("POST", "/text-to-image", asking(canary.prompt), headers={"Prefer": "respond-async"})
    canary.assert_silence(canary.ask(request, service=canary.broken("queue")))


def test_a_job_that_is_buried_is_not_quoted(create: Create) -> None:
    """The dead-letter queue's door says what failed, not what was asked."""
    canary = create()
    canary.accept()
    for record in canary.poller.drain():
        dead = {**record, "eventSourceARN": canary.service.worker.dead_letter_queue_arn}
        with canary.observer.publishing():
            canary.service.worker.take(SQSRecord(dead), FakeDeadline(canary.clock))
        canary.poller.acknowledge(record)
    canary.assert_silence()


def test_a_sweep_over_broken_records_is_not_quoted(create: Create) -> None:
    """The schedule's door, where looking for the image fails."""
    canary = create()
    canary.accept()
    late = real_parts.shifted(canary.broken("images", "queue"), seconds=7200)
    with canary.observer.publishing():
        assert late.worker.sweep() > 0
    canary.assert_silence()


def test_a_message_carries_the_id_and_nothing_else(create: Create) -> None:
    """Neither its body nor its attributes know the prompt; the record, which belongs to the caller, does."""
    canary = create()
    canary.accept()
    sent = list(canary.poller.drain())
    (record,) = [record for record in sent if canary.prompt in _record(canary, record["body"])]
    assert record["body"].startswith("gen_")
    assert canary.prompt not in json.dumps(sent)


def test_an_image_says_nothing_of_its_prompt(create: Create) -> None:
    """Neither its key nor its metadata, nor what is logged of a success."""
    canary = create()
    canary.accept()
    assert canary.work() == 0
    heard = canary.capsys.readouterr().out
    assert "image generated" in heard
    assert canary.prompt not in heard
    canary.assert_silence()


def _record(canary: Canary, id_: str) -> str:
    return str(canary.service.service.submitter.ledger.get(id_))


def test_the_deployed_functions_log_no_prompt(api: httpx.Client, stack: Stack, stand_in: StandIn) -> None:
    """Through both doors, with success, refusal, filter, a message that quotes, and an answer that is none."""
    prompt = f"kestrel{secrets.token_hex(12)}"
    rules = [
        {"prompt": f"{prompt} {name}", "action": action}
        for name, action in model_failures(prompt).items()
        if name in DEPLOYED_FAILURES
    ]
    stand_in.client.post("/_control/rules", json={"instant": True, "rules": rules}).raise_for_status()
    refused = [api.post("/text-to-image", json=asking(prompt, seed=prompt))]
    refused += [api.post("/text-to-image", json=asking(f"{prompt} {name}")) for name in DEPLOYED_FAILURES]
    queued = [
        api.post("/text-to-image", json=asking(text), headers={"Prefer": "respond-async"}).json()["id"]
        for text in (prompt, *(f"{prompt} {name}" for name in DEPLOYED_FAILURES))
    ]
    ended = [polled(api, id_) for id_ in queued]

    def look() -> list[str] | None:
        lines = logged(stack)
        return lines if all(any(id_ in line for line in lines) for id_ in queued) else None

    lines = awaited(look, "a line about each job")
    assert [generation["status"] for generation in ended] == ["succeeded", *["failed"] * 3]
    assert {answer.is_error for answer in refused} == {True}
    assert quoted(prompt, lines) == []
    assert quoted(prompt, [f"{answer.text} {answer.headers}" for answer in refused]) == []
    assert quoted(prompt, [json.dumps(generation.get("error")) for generation in ended]) == []


DEPLOYED_FAILURES: Final = ("ValidationException", "prompt filter", "a reason that quotes")


def quoted(prompt: str, texts: Sequence[str]) -> list[str]:
    """Return the texts that a prompt is in."""
    return [text for text in texts if prompt in text]
