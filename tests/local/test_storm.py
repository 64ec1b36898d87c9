"""Each idempotency key is paid once, however many duplicates and redeliveries come at the same time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import local
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagegen.http.app import create_app
from imagegen.worker import NotAcknowledged
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.bare_emulator import Emulator
from tests.support.depth import at_depth
from tests.support.events import event, received, send
from tests.support.fakes import CORE, FakeClock, FakeDeadline, FakeObserver
from tests.support.real_parts import Wired
from tests.support.storm import ALLOWED, DUPLICATES, Duplicate, billed, storm

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

KEYS: Final = at_depth(thorough=120, usual=25)
REDELIVERIES: Final = 3
AT_ONCE: Final = 20


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What is known after a storm: the statuses, the billed calls of each prompt, the images, and the quota units."""

    service: Wired
    statuses: Counter[int]
    billed: Counter[str]
    ids: Sequence[str]
    counted: int


class ThreadedApps:
    """The service's API for many threads: an app holds one request at a time, so each thread has its own app."""

    def __init__(self, service: Wired) -> None:
        self._service = service
        self._own = local()

    def send(self, duplicate: Duplicate) -> int:
        """Send a request, and return the status of the reply."""
        app: APIGatewayRestResolver | None = getattr(self._own, "app", None)
        if app is None:
            app = self._own.app = create_app(self._service.services)
        request = event("POST", "/text-to-image", duplicate.body, headers=duplicate.headers)
        return send(app, request).status


def redeliver(service: Wired, records: Sequence[dict[str, Any]]) -> None:
    """Let several workers take every message several times at once, as SQS may deliver it."""
    deliveries = [*records] * REDELIVERIES
    random.Random(200).shuffle(deliveries)  # noqa: S311 - an order, not a secret

    def take(record: dict[str, Any]) -> None:
        with suppress(NotAcknowledged):
            service.worker.take(SQSRecord(record), FakeDeadline(FakeClock()))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(take, deliveries))


@pytest.fixture(scope="module")
def in_process(emulator: Emulator) -> Iterator[Storm]:
    """Run a storm on the API and the worker in this process, over the emulator's table, bucket and queue.

    So many requests would keep the emulated gateway busy for minutes. So twenty threads here run the same code with the
    same adapters; the emulated DynamoDB still decides every conditional write.
    """
    with Model(settings=ModelSettings(instant=True, latency=0.05)) as model:
        variables = {
            **real_parts.own_environment(emulator),
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
            "MODELS": CORE,
            "DAILY_IMAGES_PER_CALLER": "100000",
        }
        with real_parts.entered(variables):
            service = real_parts.wired(variables, observer=FakeObserver())
            apps, poller = ThreadedApps(service), real_parts.poller(emulator, variables["QUEUE_URL"])
            with ThreadPoolExecutor(AT_ONCE) as pool:
                statuses = Counter(pool.map(apps.send, storm(KEYS, name="in-process")))
            records = list(poller.drain())
            redeliver(service, records)
            redeliver(service, records)
            owner = received(event("GET", "/generations")).owner
            page = service.service.history.page(owner=owner, limit=2 * KEYS, cursor=None)
            yield Storm(
                service=service,
                statuses=statuses,
                billed=billed(model.calls(last=0), name="in-process"),
                ids=[record.id for record in page.generations if record.state == "succeeded"],
                counted=counted(emulator, variables["TABLE_NAME"], owner),
            )


def counted(emulator: Emulator, table: str, owner: str) -> int:
    """Return the quota units that are counted for a caller, over all days."""
    items = boto3.client("dynamodb", **emulator.aws()).scan(
        TableName=table,
        FilterExpression="begins_with(id, :counter)",
        ExpressionAttributeValues={":counter": {"S": f"quota#{owner}#"}},
    )["Items"]
    return sum(int(item["images"]["N"]) for item in items)


def test_duplicates_and_redeliveries_are_one_paid_call_for_each_key(in_process: Storm) -> None:
    """Twenty requests of each key come at once, and each message is taken three times at once, and again later."""
    assert sum(in_process.statuses.values()) == KEYS * DUPLICATES
    assert len(in_process.billed) == KEYS
    assert set(in_process.billed.values()) == {1}


def test_every_duplicate_is_answered_as_one(in_process: Storm) -> None:
    """Each reply has the image, or the place where it will be, or says that it is being made; none is a failure."""
    assert set(in_process.statuses) == ALLOWED


def test_the_caller_has_one_image_for_each_key_afterwards(in_process: Storm) -> None:
    """Each key has one generation, and all of them succeeded."""
    assert len(set(in_process.ids)) == KEYS


def test_duplicates_give_their_unit_of_the_quota_back(in_process: Storm) -> None:
    """After the race, exactly the images that were made are counted."""
    assert in_process.counted == KEYS
