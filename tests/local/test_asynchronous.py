"""Asynchronous requests work on the deployed stack: queue, event source, sweep and dead-letter queue."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import boto3
import httpx
import pytest

from imagegen.http.app import create_app
from tests.support import real_parts
from tests.support.deployed_stack import Stack, StandIn
from tests.support.events import event, send
from tests.support.fakes import FakeObserver
from tests.support.stack_callers import await_empty, awaited, id_of, logged, polled

LONG_AGO = -600.0
"""Seconds. A queued record of that age is due."""


@pytest.fixture(autouse=True)
def instant(stand_in: StandIn) -> None:
    """Let the model answer at once."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()


@pytest.fixture
def prompt() -> str:
    """Return a prompt that nothing else uses."""
    return f"tea plantation {secrets.token_hex(8)}"


@dataclass
class NoQueue:
    """A queue that loses every message."""

    def send(self, id_: str) -> None:
        """Lose the message."""


@pytest.fixture
def claim(stack: Stack) -> Iterator[Callable[..., str]]:
    """Yield a function that claims a generation on the stack's table without a message, as if it died in between."""
    variables = real_parts.environment(stack)
    with real_parts.entered(variables):
        whole = real_parts.wired(variables, observer=FakeObserver())
        silent = real_parts.rewired(whole, lambda name, port: NoQueue() if name == "queue" else port)

        def claim(prompt: str, *, seconds: float = 0) -> str:
            app = create_app(real_parts.shifted(silent, seconds=seconds).services)
            body = {"text_prompts": [{"text": prompt}]}
            headers = {"Prefer": "respond-async"}
            request = event("POST", "/text-to-image", body, key=id_of(stack.state.api_key), headers=headers)
            id_: str = send(app, request).json["id"]
            return id_

        yield claim


def submit(api: httpx.Client, prompt: str) -> httpx.Response:
    """Ask for an image asynchronously."""
    body = {"text_prompts": [{"text": prompt}], "seed": 11}
    return api.post("/text-to-image", json=body, headers={"Prefer": "respond-async"})


def tick(stack: Stack) -> None:
    """Invoke the worker with a tick, as the schedule does every minute."""
    event_ = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event"}).encode()
    client = boto3.client("lambda", **stack.aws())
    answer = client.invoke(FunctionName=real_parts.function_name(stack, "Worker"), Payload=event_)
    assert "FunctionError" not in answer


def await_refusal(stack: Stack, id_: str) -> None:
    """Wait until the worker has logged that a job's message must come back."""

    def look() -> bool | None:
        lines = logged(stack, "WorkerLogs")
        return any(id_ in line and "not acknowledged" in line for line in lines) or None

    awaited(look, "a message that is not acknowledged")


def test_an_asynchronous_request_is_accepted_and_says_where_to_look(api: httpx.Client, prompt: str) -> None:
    """The reply is a 202 with the headers of RFC 7240, and a body of three members."""
    answer = submit(api, prompt)
    assert answer.status_code == httpx.codes.ACCEPTED
    accepted = answer.json()
    assert accepted.keys() == {"id", "status", "created_at"}
    assert accepted["status"] == "queued"
    assert answer.headers["Location"] == f"/v1/generations/{accepted['id']}"
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert int(answer.headers["Retry-After"]) > 0


def test_the_worker_makes_the_image_that_was_accepted(
    api: httpx.Client, anonymous: httpx.Client, stand_in: StandIn, prompt: str
) -> None:
    """Polling ends with success, the URL leads to the bytes that the record describes, and one call is billed."""
    done = polled(api, submit(api, prompt).json()["id"])
    assert done["status"] == "succeeded"
    (artifact,) = done["artifacts"]
    image = anonymous.get(artifact["url"]).raise_for_status().content
    assert hashlib.sha256(image).hexdigest() == artifact["sha256"]
    assert (len(image), artifact["seed"]) == (artifact["bytes"], 11)
    assert stand_in.calls(prompt=prompt)["billed"] == 1


def test_a_lost_message_is_sent_again_by_the_sweeper(
    api: httpx.Client,
    stack: Stack,
    stand_in: StandIn,
    claim: Callable[..., str],
    prompt: str,
) -> None:
    """The record was written and its message was not sent; the first tick after it is due sends the message."""
    id_ = claim(prompt, seconds=LONG_AGO)
    assert api.get(f"/generations/{id_}").json()["status"] == "queued"
    tick(stack)
    assert polled(api, id_)["status"] == "succeeded"
    assert stand_in.calls(prompt=prompt)["billed"] == 1


def test_a_job_in_the_dead_letter_queue_is_marked_failed_and_unpaid(
    api: httpx.Client, stack: Stack, stand_in: StandIn, claim: Callable[..., str], prompt: str
) -> None:
    """The caller sees the failure and may repeat the request, and the message is removed."""
    id_ = claim(prompt)
    sqs = boto3.client("sqs", **stack.aws())
    sqs.send_message(QueueUrl=stack.state.dlq_url, MessageBody=id_)
    failed = polled(api, id_)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "model_unavailable")
    assert failed["error"]["retryable"]
    assert stand_in.calls(prompt=prompt)["billed"] == 0
    await_empty(sqs, stack.state.dlq_url)


@pytest.mark.thorough
def test_jobs_that_the_model_throttles_come_back_and_finish(
    api: httpx.Client, stack: Stack, stand_in: StandIn, prompt: str
) -> None:
    """Their messages are not acknowledged while the model throttles; afterwards each job is paid once."""
    stand_in.set_rules({"prompt": prompt, "action": {"type": "error", "name": "ThrottlingException"}})
    ids = [submit(api, prompt).json()["id"] for _ in range(3)]
    for id_ in ids:
        await_refusal(stack, id_)
    assert {api.get(f"/generations/{id_}").json()["status"] for id_ in ids} <= {"queued", "running"}
    stand_in.client.delete("/_control/rules").raise_for_status()
    assert {polled(api, id_)["status"] for id_ in ids} == {"succeeded"}
    assert stand_in.calls(prompt=prompt)["billed"] == len(ids)


def test_an_asynchronous_failure_is_shown_where_the_image_would_be(
    api: httpx.Client, stand_in: StandIn, prompt: str
) -> None:
    """The look-up itself succeeds and shows the failure, and the model was called once."""
    stand_in.set_rules({"prompt": prompt, "action": "filtered"})
    failed = polled(api, submit(api, prompt).json()["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "content_filtered")
    assert "artifacts" not in failed
    assert stand_in.calls(prompt=prompt)["billed"] == 1
