"""Which calls of AWS each request makes; `docs/data.md` says why each of them is needed.

The service is wired as its handlers wire it, over an account in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from imagegen.http.app import create_app
from tests.support.bare_emulator import Emulator
from tests.support.environment import ENVIRONMENT
from tests.support.events import Answer, event, send
from tests.support.fakes import FakeClock, FakeDeadline, FakeObserver, sdxl_answer
from tests.support.far_side import answer, new_session
from tests.support.ledger_scenario import sqs_record
from tests.support.real_parts import Wired, entered, wired
from tests.support.sdk_clients import sdk_alone

DATA: Final = Path(__file__).parents[2] / "docs" / "data.md"
REGION: Final = "us-east-1"
BODY: Final = {"text_prompts": [{"text": "tea"}]}
KEYED: Final = {"Idempotency-Key": "round-trips-of-a-key"}
MARKED: Final = {"x-stainless-retry-count": "1"}
JOB: Final = {"Prefer": "respond-async"}
LIMITED: Final = {"DAILY_IMAGES": "9", "IMAGES_PER_MINUTE_PER_CALLER": "9"}


class _InThisProcess(Emulator):
    """The account that moto stands in for."""

    def aws(self) -> dict[str, Any]:
        """Return what its clients need."""
        return {"region_name": REGION}


@dataclass(kw_only=True)
class Account:
    """The service in an account, and the calls that it has made since the last request or job began."""

    queue_url: str
    service: Wired
    calls: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request."""
        app = create_app(self.service.services)
        self.calls.clear()
        reply = send(app, event(method, path, body, headers=headers))
        assert reply.status < 300, reply.body
        return reply

    def create(self, **headers: str) -> str:
        """Send a request for an image, and return the generation's id."""
        return str(self.send("POST", "/text-to-image", BODY, **headers).json["id"])

    def work(self) -> None:
        """Let the worker take the message that is there."""
        queue = boto3.client("sqs", region_name=REGION)
        (message,) = queue.receive_message(QueueUrl=self.queue_url)["Messages"]
        self.calls.clear()
        self.service.worker.take(
            sqs_record(message, arn="arn:aws:sqs:us-east-1:1:jobs"), FakeDeadline(FakeClock())
        )


@pytest.fixture
def account(limits: Mapping[str, str]) -> Iterator[Account]:
    """Return the service in an account of its own, in which SDXL draws; presigned URLs are no calls."""
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": REGION}
    with entered(variables), mock_aws(), sdk_alone():
        place = _InThisProcess(endpoint_url="", ca_bundle=None)
        queue_url = place.create_queue()
        names = {
            "BUCKET_NAME": place.create_bucket(),
            "TABLE_NAME": place.create_table(),
            "QUEUE_URL": queue_url,
        }
        session = new_session(REGION)
        calls: list[str] = []
        events = session.get_component("event_emitter")
        events.register_first(
            "before-send", lambda event_name, **_: calls.append(event_name.rpartition(".")[2])
        )
        events.register(
            "before-send.bedrock-runtime.InvokeModel",
            lambda **_: answer(body=sdxl_answer()),
        )
        service = wired({**ENVIRONMENT, **names, **limits}, observer=FakeObserver(), session=session)
        yield Account(queue_url=queue_url, service=service, calls=calls)


def a_first_request(account: Account) -> None:
    """Send a request without a key."""
    account.create()


def a_first_request_with_a_key(account: Account) -> None:
    """Send a request with a key."""
    account.create(**KEYED)


def a_repeat_with_a_key(account: Account) -> None:
    """Send a request with a key twice."""
    account.create(**KEYED)
    account.create(**KEYED)


def a_marked_repeat(account: Account) -> None:
    """Send a request without a key twice, the second time with the mark of a repeat."""
    account.create()
    account.create(**MARKED)


def an_equal_request(account: Account) -> None:
    """Send a request without a key twice, for two pictures."""
    account.create()
    account.create()


def a_job_is_accepted(account: Account) -> None:
    """Send an asynchronous request."""
    account.create(**JOB)


def a_job_is_done(account: Account) -> None:
    """Let the worker do a job."""
    account.create(**JOB)
    account.work()


def a_look_up(account: Account) -> None:
    """Look up a generation."""
    account.send("GET", f"/generations/{account.create()}")


def a_page_of_the_history(account: Account) -> None:
    """Read the history, which has two generations."""
    account.create()
    account.create(**KEYED)
    account.send("GET", "/generations")


IMAGE: Final = ("InvokeModel", "PutObject", "PutItem")
CALLS: Final[Mapping[Callable[[Account], None], tuple[str, ...]]] = {
    a_first_request: ("PutItem", "UpdateItem", "PutItem", *IMAGE),
    a_first_request_with_a_key: ("GetItem", "UpdateItem", "PutItem", *IMAGE),
    a_repeat_with_a_key: ("GetItem", "HeadObject"),
    a_marked_repeat: ("GetItem", "GetItem", "GetItem", "HeadObject", "GetItem", "PutItem"),
    an_equal_request: ("PutItem", "GetItem", "PutItem", "UpdateItem", "PutItem", *IMAGE),
    a_job_is_accepted: ("UpdateItem", "PutItem", "SendMessage"),
    a_job_is_done: ("GetItem", "PutItem", *IMAGE, "UpdateItem"),
    a_look_up: ("GetItem", "HeadObject"),
    a_page_of_the_history: ("Query",),
}


@pytest.mark.parametrize("limits", [{}], ids=["no limit"])
@pytest.mark.parametrize("what", CALLS, ids=lambda what: what.__name__)
def test_a_request_makes_no_call_that_it_does_not_need(
    what: Callable[[Account], None], account: Account
) -> None:
    """It makes exactly these calls, in this order, and `docs/data.md` lists them."""
    what(account)
    assert tuple(account.calls) == CALLS[what]
    row = f"| {what.__name__.replace('_', ' ')} | {', '.join(f'`{call}`' for call in CALLS[what])} |"
    assert row in DATA.read_text(encoding="utf-8")


@pytest.mark.parametrize("limits", [LIMITED], ids=["limits"])
def test_a_limit_of_the_minute_and_one_of_the_deployment_cost_a_call_each(account: Account) -> None:
    """Each has a counter of its own."""
    a_first_request(account)
    first, update, *rest = CALLS[a_first_request]
    assert account.calls == [first, update, update, update, *rest]
