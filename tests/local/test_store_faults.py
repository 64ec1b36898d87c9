"""Each fault of the wire between the service and its stores has its error code and its number of requests.

A server that responds byte by byte stands for S3, DynamoDB and SQS; the clients are the deployed ones.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from imagegen.adapters import clients
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.dynamodb import DynamoDbGenerations, DynamoDbQuotas
from imagegen.adapters.s3 import S3Images
from imagegen.adapters.sqs import SqsQueue
from imagegen.adapters.system import SystemClock
from imagegen.errors import ImagegenError
from imagegen.generations.charges import Charge, QuotaLimits
from imagegen.generations.generation import StoredImage
from tests.support.direct_calls import waiting
from tests.support.fakes import CORE, FakeObserver, FakeRandomness
from tests.support.far_side import session
from tests.support.faulty_server import CLOSED, HANGING, FaultyServer, Reply, Request, Script, cut, whole
from tests.support.records import ENDED, NEXT, NOW, RECORD
from tests.support.tasks import image_name

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HTML = b"<html><body><h1>Sorry</h1></body></html>"
XML = b"<?xml version='1.0'?><Error><Code>%b</Code><Message>no</Message></Error>"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients reach loopback directly, whatever proxy this machine has."""
    monkeypatch.setenv("NO_PROXY", "*")


NAME = image_name("alice", "gen_1")
IMAGE = StoredImage(model=CORE, seed=7, width=64, height=64, bytes=3, sha256="00", content_type="image/png")
FOUND = [
    "x-amz-meta-model: m",
    "x-amz-meta-seed: 7",
    "x-amz-meta-width: 64",
    "x-amz-meta-height: 64",
    "x-amz-meta-sha256: 00",
    "Content-Type: image/png",
]


def direct() -> DirectSession:
    """Return the deployed calls of the stores."""
    return DirectSession(session(), url_suffix="amazonaws.com", clock=SystemClock())


def bucket() -> S3Images:
    """Return the deployed adapter of S3, with the path style that an emulator needs."""
    client = direct().bucket(clients.s3(session(), addressing_style="path"))
    return S3Images(client=client, bucket="pictures", url_ttl=60, clock=SystemClock())


def table() -> DynamoDbGenerations:
    """Return the deployed adapter of the table."""
    return DynamoDbGenerations(client=direct().table(), table="generations")


def counters(once: Callable[[], DynamoDBClient] | None = None) -> DynamoDbQuotas:
    """Return the deployed adapter of the counters; only the caller's images are limited."""
    return DynamoDbQuotas(
        client=direct().table(),
        once=once or (lambda: direct().table(attempts=1)),
        table="generations",
        limits=QuotaLimits(daily_images_per_caller=5),
        clock=SystemClock(),
        randomness=FakeRandomness(),
        observer=FakeObserver(),
    )


def queue() -> SqsQueue:
    """Return the deployed adapter of the queue."""
    return SqsQueue(client=lambda: clients.sqs(session()), queue_url="http://localhost/000000000000/jobs")


def failed_condition(item: Any) -> Reply:
    """Return the refusal of a conditional write, which holds the item that is there."""
    members = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": item}
    return whole(400, json.dumps(members).encode())


def refused_over_itself(request: Request) -> Reply:
    """Return the refusal of a repeated write that the table has made already."""
    return failed_condition(json.loads(request.body)["Item"])


def refused_over_its_count(request: Request) -> Reply:
    """Return the refusal of a repeated count that the table has made already."""
    stamp = json.loads(request.body)["ExpressionAttributeValues"][":stamp"]
    return failed_condition({"images": {"N": "5"}, "stamp": stamp})


def throttled(code: str) -> Reply:
    """Return the error by which a JSON service throttles."""
    return whole(400, json.dumps({"__type": f"com.amazonaws#{code}", "message": "slow down"}).encode())


def put() -> str:
    """Store an image."""
    bucket().put(NAME, b"png", IMAGE)
    return "stored"


def write() -> str:
    """Write a version."""
    return table().write(NEXT, replacing=RECORD).version


def count() -> str:
    """Take a quota unit."""
    counters().take("alice", "2026-11-25", Charge(images=1), own={})
    return "counted"


def give_back() -> str:
    """Give a quota unit back."""
    counters().correct("alice", "2026-11-25", Charge(images=-1))
    return "given back"


def send() -> str:
    """Send a job."""
    queue().send(ENDED)
    return "sent"


def postpone() -> str:
    """Postpone a job."""
    queue().postpone("receipt", queue_arn="arn:aws:sqs:us-east-1:000000000000:jobs", seconds=1)
    return "postponed"


def delete() -> str:
    """Remove an image."""
    bucket().delete(NAME)
    return "deleted"


OPERATIONS: Mapping[str, Callable[[], str]] = {
    "put": put,
    "find": lambda: str(bucket().find(NAME)),
    "read": lambda: str(bucket().read(NAME)),
    "delete": delete,
    "get": lambda: str(table().get("gen_1")),
    "write": write,
    "history": lambda: str(len(table().of_owner("alice", limit=5, cursor=None).generations)),
    "due": lambda: str(len(table().due(NOW, limit=5))),
    "count": count,
    "give back": give_back,
    "send": send,
    "postpone": postpone,
}

SLOW_DOWN = whole(503, XML % b"SlowDown")
DENIED = whole(403, XML % b"AccessDenied")
OK = whole(200, b"{}")

# The operation, the far side's responses (the last is repeated), the outcome, and the number of requests.
STORE_ENDINGS: list[tuple[str, list[Script], str, int]] = [
    ("put", [CLOSED, whole()], "stored", 2),
    ("put", [SLOW_DOWN, whole()], "stored", 2),
    ("put", [whole(500, HTML), whole()], "stored", 2),
    ("put", [SLOW_DOWN], "store_failed", 3),
    ("put", [CLOSED], "store_failed", 3),
    ("put", [whole(502, HTML)], "store_failed", 3),
    ("put", [DENIED], "store_failed", 1),
    ("put", [whole(403, HTML)], "store_failed", 1),
    ("find", [whole(404)], "None", 1),
    ("find", [whole(403)], "None", 1),
    ("find", [whole(200, headers=["Content-Type: text/html"])], "None", 1),
    ("find", [whole(400)], "internal_error", 2),  # the SDK sends one more request for the bucket's region
    ("find", [whole(503), whole(404)], "None", 2),
    ("find", [CLOSED], "internal_error", 3),
    ("find", [whole(503)], "internal_error", 3),
    ("read", [whole(200, b"png", FOUND)], "b'png'", 1),
    ("read", [DENIED], "None", 1),
    ("read", [cut(200, b"png")], "internal_error", 1),
    ("read", [CLOSED, whole(200, b"png")], "b'png'", 2),
    ("delete", [whole(204)], "deleted", 1),
    ("delete", [CLOSED, whole(204)], "deleted", 2),
    ("delete", [DENIED], "misconfigured", 1),
    ("delete", [whole(500, XML % b"InternalError")], "internal_error", 3),
    ("get", [OK], "None", 1),
    ("get", [throttled("ThrottlingException"), OK], "None", 2),
    ("get", [throttled("ProvisionedThroughputExceededException")], "internal_error", 3),
    ("get", [whole(500, b"{}")], "internal_error", 3),
    ("get", [CLOSED], "internal_error", 3),
    ("get", [cut(200, b'{"Item":{}}')], "internal_error", 3),
    ("get", [cut(200, b'{"Item":{}}'), OK], "None", 2),
    ("get", [throttled("AccessDeniedException")], "misconfigured", 1),
    ("get", [throttled("ResourceNotFoundException")], "misconfigured", 1),
    ("get", [whole(400, b"\xff")], "internal_error", 1),
    ("write", [OK], "second", 1),
    ("write", [CLOSED, refused_over_itself], "second", 2),
    ("write", [whole(500, b"{}"), refused_over_itself], "second", 2),
    ("write", [throttled("ThrottlingException"), OK], "second", 2),
    ("write", [cut(200, b"{}"), refused_over_itself], "second", 2),
    ("write", [CLOSED], "internal_error", 3),
    ("history", [whole(200, b'{"Items":[]}')], "0", 1),
    ("history", [whole(503, HTML)], "internal_error", 3),
    ("due", [whole(200, b'{"Items":[]}')], "0", 8),
    ("due", [CLOSED], "internal_error", 3),
    ("count", [OK], "counted", 1),
    ("count", [CLOSED, refused_over_its_count], "counted", 2),
    ("count", [failed_condition({"images": {"N": "5"}, "stamp": {"S": "other"}})], "quota_exceeded", 1),
    ("count", [throttled("ThrottlingException")], "internal_error", 3),
    ("give back", [OK], "given back", 1),
    ("give back", [CLOSED], "internal_error", 1),  # not repeated: better a count too high than too low
    ("give back", [throttled("ThrottlingException")], "internal_error", 1),
    ("send", [OK], "sent", 1),
    ("send", [CLOSED, OK], "sent", 2),
    ("send", [throttled("ThrottlingException"), OK], "sent", 2),
    ("send", [whole(503, HTML)], "internal_error", 3),
    ("send", [throttled("QueueDoesNotExist")], "misconfigured", 1),
    ("postpone", [OK], "postponed", 1),
    ("postpone", [CLOSED], "internal_error", 3),
]


def outcome(operation: str) -> str:
    """Return the result of an operation, or the code of its error."""
    try:
        return OPERATIONS[operation]()
    except ImagegenError as exc:
        return exc.kind.code


@pytest.mark.parametrize(("operation", "script", "expected", "requests"), STORE_ENDINGS)
def test_a_fault_of_a_store_has_its_code_and_its_number_of_requests(
    operation: str, script: list[Script], expected: str, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is sent three times at most, if repeating can help; a write that was made already is recognised."""
    with FaultyServer(*script) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert outcome(operation) == expected
    assert len(server.requests) == requests


def test_a_silent_store_is_asked_again_after_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request gets no response, so the SDK sends a second one, which succeeds."""
    with FaultyServer(HANGING, OK) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        began = time.monotonic()
        assert outcome("get") == "None"
        assert time.monotonic() - began >= 5
    assert len(server.requests) == 2


def test_what_is_given_back_never_goes_over_a_connection_that_was_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection may have died since it was used, and the one request that may be sent would be lost with it."""
    wait = waiting(monkeypatch)
    with FaultyServer(*[whole(200, b"{}")] * 3) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        quotas = counters(once=clients.made_once(lambda: direct().table(attempts=1)))
        for pause in (20, 20.5, 0):
            quotas.correct("alice", "2026-11-25", Charge(images=-1))
            wait(pause)
    first, second, third = (request.connection for request in server.requests)
    assert first == second
    assert second != third
