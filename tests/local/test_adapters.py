"""The emulator's S3, DynamoDB and SQS understand the adapters' calls, and the calls have the right effect."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import botocore.session
import httpx
import pytest

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.dynamodb import DynamoDbGenerations, DynamoDbQuotas
from imagegen.adapters.s3 import S3Images
from imagegen.adapters.sqs import SqsQueue
from imagegen.adapters.system import SystemClock, SystemRandomness
from imagegen.generations.charges import NOTHING, Charge, QuotaLimits
from imagegen.generations.generation import Generation, StoredImage
from local.certificates import trust
from tests.support.bare_emulator import Emulator
from tests.support.fakes import CORE, FakeObserver, png
from tests.support.real_parts import queue_arn
from tests.support.records import ENDED, NEXT, RECORD
from tests.support.tasks import image_name

if TYPE_CHECKING:
    from botocore.session import Session

PNG = png(64, 64)
IMAGE = StoredImage(
    model=CORE,
    seed=7,
    width=64,
    height=64,
    bytes=len(PNG),
    sha256=hashlib.sha256(PNG).hexdigest(),
    content_type="image/png",
)
DAY = "2026-11-25"
IMAGE_UNIT = Charge(images=1)


@pytest.fixture
def session(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session like a function's own, with the operator's rights."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint_url)
    monkeypatch.setenv("NO_PROXY", "*")
    if emulator.ca_bundle:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(emulator.ca_bundle))
    made = botocore.session.get_session()
    made.set_credentials("test", "test")
    made.set_config_variable("region", "us-east-1")
    return made


@pytest.fixture
def stores(session: Session) -> DirectSession:
    """Return what makes the clients of the stores, as in a deployment."""
    return DirectSession(session, url_suffix="amazonaws.com", clock=SystemClock())


@pytest.fixture(scope="module")
def table_name(emulator: Emulator) -> str:
    """Return a table as the stack has it."""
    return emulator.create_table()


@pytest.fixture(scope="module")
def bucket_name(emulator: Emulator) -> str:
    """Return a bucket."""
    return emulator.create_bucket()


@pytest.fixture
def table(table_name: str, stores: DirectSession) -> DynamoDbGenerations:
    """Return the adapter of the table."""
    return DynamoDbGenerations(client=stores.table(), table=table_name)


@pytest.fixture
def owner() -> str:
    """Return an owner that no other test has."""
    return f"owner-{secrets.token_hex(8)}"


def record(owner: str, number: int = 0) -> Generation:
    """Return a new queued generation; a higher number makes it later."""
    return replace(
        RECORD,
        id=f"gen_{SystemRandomness().token()}",
        owner=owner,
        created_at=RECORD.created_at + timedelta(seconds=number),
        due_at=None,
    )


def quotas(
    table_name: str,
    stores: DirectSession,
    *,
    per_caller: int | None,
    overall: int | None,
    observer: FakeObserver | None = None,
) -> DynamoDbQuotas:
    """Return counters in the table."""
    return DynamoDbQuotas(
        client=stores.table(),
        once=lambda: stores.table(attempts=1),
        table=table_name,
        limits=QuotaLimits(daily_images_per_caller=per_caller, daily_images=overall),
        clock=SystemClock(),
        randomness=SystemRandomness(),
        observer=observer or FakeObserver(),
    )


@pytest.fixture
def images(bucket_name: str, session: Session, stores: DirectSession) -> S3Images:
    """Return the adapter of the bucket."""
    client = stores.bucket(clients.s3(session, addressing_style="path"))
    return S3Images(client=client, bucket=bucket_name, url_ttl=60, clock=SystemClock())


def test_of_two_versions_one_is_written(table: DynamoDbGenerations, owner: str) -> None:
    """The loser gets the version that is current, and a repeated write recognises itself."""
    first = record(owner)
    second = replace(NEXT, id=first.id, owner=owner, version="second")
    third = replace(second, version="third")
    assert table.write(first, replacing=None) is first
    assert table.write(first, replacing=None) is first
    assert table.write(second, replacing=None) == first
    assert table.write(second, replacing=first) is second
    assert table.write(third, replacing=first) == second
    assert table.get(first.id) == second


def test_a_history_is_read_page_by_page(table: DynamoDbGenerations, owner: str) -> None:
    """The pages are newest first and without deleted generations, and the last page says that it is the last."""
    written = [record(owner, number) for number in range(5)]
    for one in written:
        table.write(one, replacing=None)
    gone = replace(written[2], state="deleted", version="gone")
    table.write(gone, replacing=written[2])
    first = table.of_owner(owner, limit=2, cursor=None)
    second = table.of_owner(owner, limit=2, cursor=first.next_cursor)
    assert first.generations == (written[4], written[3])
    assert second.generations == (written[1], written[0])
    assert second.next_cursor is None
    assert table.of_owner("nobody", limit=2, cursor=first.next_cursor).generations == ()


def test_what_is_due_is_found(table: DynamoDbGenerations, owner: str) -> None:
    """The index does not return a record that is not due yet, or no longer due."""
    now = datetime(2001, 1, 1, tzinfo=UTC)
    due, later = (
        replace(record(owner), due_at=now),
        replace(record(owner), due_at=now + timedelta(microseconds=1)),
    )
    for one in (due, later):
        table.write(one, replacing=None)
    assert table.due(now, limit=10) == [due.id]
    for one in (due, later):
        table.write(replace(one, due_at=None, version="done"), replacing=one)
    assert table.due(now + timedelta(days=1), limit=10) == []


def test_a_counter_stops_at_its_limit_whoever_counts_at_once(
    table_name: str, stores: DirectSession, owner: str
) -> None:
    """Of forty calls, eight at a time, exactly seven are let through."""
    counter = quotas(table_name, stores, per_caller=7, overall=None)

    def take(_: int) -> bool:
        try:
            counter.take(owner, DAY, IMAGE_UNIT, own={})
        except errors.QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert sum(pool.map(take, range(40))) == 7


def test_a_counter_never_falls_below_zero(table_name: str, stores: DirectSession, owner: str) -> None:
    """A unit that is given back too often does not raise the limit."""
    counter = quotas(table_name, stores, per_caller=1, overall=None)
    counter.correct(owner, DAY, NOTHING - IMAGE_UNIT)
    counter.take(owner, DAY, IMAGE_UNIT, own={})
    counter.correct(owner, DAY, NOTHING - IMAGE_UNIT)
    counter.correct(owner, DAY, NOTHING - IMAGE_UNIT)
    counter.take(owner, DAY, IMAGE_UNIT, own={})
    with pytest.raises(errors.QuotaExceeded):
        counter.take(owner, DAY, IMAGE_UNIT, own={})


def test_an_amount_that_is_not_counted_does_not_keep_the_others(
    table_name: str, stores: DirectSession, owner: str
) -> None:
    """A job of an earlier release was not counted as one; its image is given back, and its price is added."""
    counter = quotas(table_name, stores, per_caller=5, overall=None)
    for _ in range(2):
        counter.take(owner, DAY, IMAGE_UNIT, own={})
    counter.correct(owner, DAY, Charge(images=-1, micro_usd=40_000, jobs=-1))
    assert counter.usage(owner, [DAY]) == [Charge(images=1, micro_usd=40_000)]


def test_a_deployments_limit_leaves_the_callers_counter_alone(
    table_name: str, stores: DirectSession, owner: str
) -> None:
    """The caller's unit is given back if the deployment's limit refuses the image."""
    day = f"2026-11-25 {owner}"
    quotas(table_name, stores, per_caller=None, overall=1).take(owner, day, IMAGE_UNIT, own={})
    with pytest.raises(errors.QuotaExceeded, match="deployment"):
        quotas(table_name, stores, per_caller=2, overall=1).take(owner, day, IMAGE_UNIT, own={})
    quotas(table_name, stores, per_caller=2, overall=None).take(owner, day, IMAGE_UNIT, own={})


def test_a_write_tells_how_much_of_the_deployments_day_is_used(
    table_name: str, stores: DirectSession, owner: str
) -> None:
    """Also the one that is refused; nothing is read for it."""
    observer, day = FakeObserver(), f"2026-11-27 {owner}"
    counter = quotas(table_name, stores, per_caller=None, overall=4, observer=observer)
    for _ in range(4):
        counter.take(owner, day, IMAGE_UNIT, own={})
    with pytest.raises(errors.QuotaExceeded, match="deployment"):
        counter.take(owner, day, IMAGE_UNIT, own={})
    assert observer.used == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_counters_life_ends_by_itself(table_name: str, stores: DirectSession, owner: str) -> None:
    """A counter expires after 40 days, in seconds for the table's TTL; a second count does not delay that."""
    counter = quotas(table_name, stores, per_caller=5, overall=None)
    counter.take(owner, DAY, IMAGE_UNIT, own={})
    counter.take(owner, DAY, IMAGE_UNIT, own={})
    key = {"id": {"S": f"quota#{owner}#{DAY}"}}
    item = stores.table().get_item(TableName=table_name, Key=key)["Item"]
    left = int(item["expires_at"]["N"]) - datetime.now(UTC).timestamp()
    assert 40 * 86_400 - 60 < left <= 40 * 86_400
    assert item["images"] == {"N": "2"}


@pytest.fixture
def download(emulator: Emulator) -> Iterator[httpx.Client]:
    """Yield a client that knows nothing but URLs."""
    with httpx.Client(verify=trust(emulator.ca_bundle), trust_env=False, timeout=120) as client:
        yield client


def test_an_image_that_was_damaged_on_the_way_is_not_stored(images: S3Images, owner: str) -> None:
    """S3 compares the body with the SHA-256 that describes it."""
    with pytest.raises(errors.StoreFailed):
        images.put(image_name(owner, "gen_1"), PNG[:-1], IMAGE)
    assert images.find(image_name(owner, "gen_1")) is None


def test_an_image_makes_the_whole_round(images: S3Images, owner: str, download: httpx.Client) -> None:
    """An image is put, found, read, downloaded by its URL and removed."""
    assert images.find(image_name(owner, "gen_1")) is None
    assert images.read(image_name(owner, "gen_1")) is None
    images.put(image_name(owner, "gen_1"), PNG, IMAGE)
    images.put(image_name(owner, "gen_1"), PNG, IMAGE)
    assert images.find(image_name(owner, "gen_1")) == IMAGE
    assert images.read(image_name(owner, "gen_1")) == PNG
    downloaded = download.get(images.url(image_name(owner, "gen_1")).url)
    assert (downloaded.status_code, downloaded.content) == (200, PNG)
    assert downloaded.headers["content-type"] == "image/png"
    images.delete(image_name(owner, "gen_1"))
    images.delete(image_name(owner, "gen_1"))
    assert images.find(image_name(owner, "gen_1")) is None
    assert download.get(images.url(image_name(owner, "gen_1")).url).status_code == 404


@pytest.fixture
def queue_url(session: Session, owner: str) -> Iterator[str]:
    """Yield a queue that no function listens to."""
    client = clients.sqs(session)
    url = client.create_queue(QueueName=owner, Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    yield url
    client.delete_queue(QueueUrl=url)


def test_a_job_is_received_again_when_it_was_put_off(session: Session, queue_url: str) -> None:
    """A message that is postponed by no time comes back at once, and its body is the id."""
    client = clients.sqs(session)
    queue = SqsQueue(client=lambda: client, queue_url=queue_url)
    queue.send(ENDED)
    (first,) = client.receive_message(QueueUrl=queue_url, MessageAttributeNames=["claim"])["Messages"]
    assert first["MessageAttributes"]["claim"]["StringValue"] == ENDED.claim
    assert "Messages" not in client.receive_message(QueueUrl=queue_url)
    queue.postpone(first["ReceiptHandle"], queue_arn=queue_arn(queue_url), seconds=-5)
    (second,) = client.receive_message(QueueUrl=queue_url, WaitTimeSeconds=2)["Messages"]
    assert first["Body"] == second["Body"] == ENDED.id


def test_what_is_not_there_is_the_deployments_fault(session: Session, stores: DirectSession) -> None:
    """A table or queue that does not exist is `misconfigured`."""
    with pytest.raises(errors.Misconfigured):
        DynamoDbGenerations(client=stores.table(), table="no-such-table").get("gen_1")
    with pytest.raises(errors.Misconfigured):
        SqsQueue(
            client=lambda: clients.sqs(session), queue_url="http://localhost/000000000000/no-such-queue"
        ).send(ENDED)
