"""Duplicates over HTTP: the deployed gateway, functions and queue pay once for each idempotency key."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import boto3
import httpx

from tests.support.deployed_stack import Stack, StandIn
from tests.support.depth import at_depth
from tests.support.stack_callers import polled
from tests.support.storm import ALLOWED, Duplicate, billed, storm

KEYS: Final = at_depth(thorough=20, usual=4)
AT_ONCE: Final = 8
"""Each request needs its own environment of the emulated function, which takes seconds to start."""


def test_duplicates_over_http_are_one_paid_call_for_each_key(stack: Stack, stand_in: StandIn) -> None:
    """The requests go through the deployed gateway, functions and queue; each 202 has its message sent once more."""
    stand_in.client.post("/_control/rules", json={"instant": True, "latency": 0.05}).raise_for_status()
    sqs = boto3.client("sqs", **stack.aws())
    redeliver = partial(sqs.send_message, QueueUrl=stack.state.queue_url)
    with stack.client(api_key=stack.state.api_key) as client, ThreadPoolExecutor(AT_ONCE) as pool:

        def post(duplicate: Duplicate) -> httpx.Response:
            answer = client.post("/text-to-image", json=duplicate.body, headers=duplicate.headers)
            if answer.status_code == httpx.codes.ACCEPTED:
                redeliver(MessageBody=answer.json()["id"])
            return answer

        answers = list(pool.map(post, storm(KEYS, name="over-http")))
        ids = {answer.json()["id"] for answer in answers if answer.status_code != httpx.codes.CONFLICT}
        behind_them = post(Duplicate(key="behind-all-others", prompt="(behind)", asynchronous=True))
        ended = [polled(client, id_)["status"] for id_ in (*ids, behind_them.json()["id"])]
    assert {answer.status_code for answer in answers} <= ALLOWED
    assert Counter(ended) == {"succeeded": KEYS + 1}
    assert billed(stand_in.calls(), name="over-http") == {
        f"(over-http {number})": 1 for number in range(KEYS)
    }
