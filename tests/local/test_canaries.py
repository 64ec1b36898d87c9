"""No failure quotes a prompt: each test sends a prompt that nothing else uses, and then looks for it everywhere.

Most tests run the API and the worker in this process, with the deployed adapters over the emulator. Their stand-in
model quotes the prompt in its error messages, and their logs and metrics are captured.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import boto3
import botocore.session
import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.bare_emulator import Emulator
from tests.support.canary import Canary
from tests.support.events import event
from tests.support.fakes import CORE, FakeClock, FakeDeadline
from tests.support.quoting import MODEL_FAILURES, OTHER_REFUSALS, REFUSED, asking, model_failures
from tests.support.real_parts import Poller, ShiftedClock

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

Create = Callable[..., Canary]

NEVER_ENDING: Final = ("stall", "hang")
"""The failures of the model that only end by the time-out of the call."""
PORTS: Final = ("store", "images", "runtime", "queue", "quotas")


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """Yield a stand-in model that answers at once."""
    with Model(settings=ModelSettings(instant=True)) as far:
        yield far


@pytest.fixture(scope="module")
def variables(emulator: Emulator, model: Model) -> Iterator[Mapping[str, str]]:
    """Yield the functions' environment, with a table, a queue and a bucket for these tests only."""
    own = {
        **real_parts.own_environment(emulator),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
        "MODELS": CORE,
        "MODEL_TIMEOUT": "60",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    with real_parts.entered(own):
        yield own


@pytest.fixture(scope="module")
def session() -> Session:
    """Return the session that all wired services share."""
    return botocore.session.get_session()


@pytest.fixture(scope="module")
def poller(emulator: Emulator, variables: Mapping[str, str]) -> Poller:
    """Return the poller of these tests' own queue."""
    return real_parts.poller(emulator, variables["QUEUE_URL"])


@pytest.fixture(scope="module")
def s3(emulator: Emulator) -> S3Client:
    """Return the operator's client of S3."""
    client: S3Client = boto3.client("s3", **emulator.aws())
    return client


@pytest.fixture
def create(
    variables: Mapping[str, str],
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    session: Session,
    s3: S3Client,
    poller: Poller,
) -> Iterator[Create]:
    """Yield a function that makes a canary, in a service whose settings may be wrong.

    A test must call the function, and not a fixture, because the capture of output starts anew when the test begins.
    """
    model.reset()

    def create(**wrong: str) -> Canary:
        # A logger lives as long as the process and keeps its first standard output, so each test needs its own.
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", secrets.token_hex(8))
        metrics = create_metrics(stage="local")
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
    """The prompt is neither in the reply nor in the logs, whatever is wrong with the request."""
    canary = create()
    answer = canary.ask(event("POST", "/text-to-image", REFUSED[name](canary.prompt)))
    assert 400 <= answer.status < 500
    canary.assert_silence(answer)


@pytest.mark.parametrize("name", OTHER_REFUSALS)
def test_a_prompt_in_the_wrong_place_is_not_quoted(create: Create, name: str) -> None:
    """The prompt may be in a header, a path, a query, or a body of the other two shapes."""
    canary = create()
    canary.assert_silence(canary.ask(OTHER_REFUSALS[name](canary.prompt)))


def test_two_requests_of_one_key_are_not_quoted(create: Create, model: Model) -> None:
    """The second request differs from the first one, and both have the prompt."""
    canary = create()
    model.configure({"action": "filtered"})
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    requests = [asking(canary.prompt), asking(canary.prompt, seed=5)]
    answers = [canary.ask(event("POST", "/text-to-image", body, headers=headers)) for body in requests]
    assert [answer.json["code"] for answer in answers] == ["content_filtered", "idempotency_conflict"]
    canary.assert_silence(*answers)


@pytest.mark.parametrize("name", MODEL_FAILURES)
def test_a_prompt_that_the_model_fails_on_is_not_quoted(create: Create, model: Model, name: str) -> None:
    """Bedrock's error messages and answers may quote the prompt; the service passes none of them on."""
    canary = create(MODEL_TIMEOUT="1" if name in NEVER_ENDING else "60")
    model.configure({"action": model_failures(canary.prompt)[name]})
    answer = canary.ask(event("POST", "/text-to-image", asking(canary.prompt)))
    assert model.calls(prompt=canary.prompt, last=0)["calls"] > 0
    canary.assert_silence(answer)


@pytest.mark.parametrize("name", MODEL_FAILURES)
def test_a_queued_prompt_that_the_model_fails_on_is_not_quoted(
    create: Create, model: Model, name: str
) -> None:
    """The worker does not log the prompt either."""
    canary = create(MODEL_TIMEOUT="1" if name in NEVER_ENDING else "60")
    model.configure({"action": model_failures(canary.prompt)[name]})
    canary.accept()
    canary.work()
    assert model.calls(prompt=canary.prompt, last=0)["calls"] > 0
    canary.assert_silence()


@pytest.mark.parametrize("name", ["BUCKET_NAME", "TABLE_NAME", "QUEUE_URL"])
def test_a_prompt_is_not_quoted_where_the_stores_fail(create: Create, name: str) -> None:
    """The error names the kind of the missing resource, and the SDK's own error is not passed on."""
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
    """The text of a defect may say anything, so only its class and its place are logged."""
    canary = create()
    answer = canary.ask(event("POST", "/text-to-image", asking(canary.prompt)), service=canary.broken(port))
    assert answer.status >= 500
    canary.assert_silence(answer)


def test_a_defect_of_the_queue_is_not_quoted(create: Create) -> None:
    """The record was written before, and the reply says only that there was a defect."""
    canary = create()
    request = event("POST", "/text-to-image", asking(canary.prompt), headers={"Prefer": "respond-async"})
    canary.assert_silence(canary.ask(request, service=canary.broken("queue")))


def test_a_job_that_is_buried_is_not_quoted(create: Create) -> None:
    """The worker logs of a dead letter what failed, and not the request."""
    canary = create()
    canary.accept()
    for record in canary.poller.drain():
        dead = {**record, "eventSourceARN": canary.service.worker.dead_letter_queue_arn}
        with canary.observer.publishing():
            canary.service.worker.take(SQSRecord(dead), FakeDeadline(canary.clock))
        canary.poller.acknowledge(record)
    canary.assert_silence()


def test_a_sweep_over_broken_records_is_not_quoted(create: Create) -> None:
    """The sweep looks for images and queues messages, and both fail with an error that quotes the prompt."""
    canary = create()
    canary.accept()
    late = real_parts.shifted(canary.broken("images", "queue"), seconds=7200)
    with canary.observer.publishing():
        assert late.worker.sweep() > 0
    canary.assert_silence()


def test_a_message_carries_the_id_and_nothing_else(create: Create) -> None:
    """The message's body and attributes do not hold the prompt. Only the record, which belongs to the caller, does."""
    canary = create()
    canary.accept()
    sent = list(canary.poller.drain())
    (record,) = [record for record in sent if canary.prompt in _record(canary, record["body"])]
    assert record["body"].startswith("gen_")
    assert canary.prompt not in json.dumps(sent)


def test_an_image_says_nothing_of_its_prompt(create: Create) -> None:
    """The prompt is not in the object key, not in the metadata, and not in what is logged of a success."""
    canary = create()
    canary.accept()
    assert canary.work() == 0
    heard = canary.capsys.readouterr().out
    assert "image generated" in heard
    assert canary.prompt not in heard
    canary.assert_silence()


def _record(canary: Canary, id_: str) -> str:
    return str(canary.service.service.submitter.ledger.get(id_))
