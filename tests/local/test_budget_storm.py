"""Many requests at once against a small budget, over the emulator's table: exactly what it covers is paid."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread, local
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest

from imagegen.generations.charges import MICRO
from imagegen.http.app import create_app
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.depth import at_depth
from tests.support.events import event, received, send
from tests.support.fakes import CORE, FakeObserver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.bare_emulator import Emulator
    from tests.support.events import Answer

pytestmark = pytest.mark.slow

REQUESTS: Final = at_depth(thorough=1_000, usual=90)
COVERED: Final = at_depth(thorough=100, usual=9)
PRICE: Final = 40_000
AT_ONCE: Final = 50


def counter(emulator: Emulator, table: str, owner: str) -> dict[str, int]:
    """Return the numbers of a counter, over all days; the owner of the deployment's is empty."""
    items = boto3.client("dynamodb", **emulator.aws()).scan(
        TableName=table,
        FilterExpression="begins_with(id, :counter)",
        ExpressionAttributeValues={":counter": {"S": f"quota#{owner}#"}},
    )["Items"]
    return {name: sum(int(item[name]["N"]) for item in items) for name in ("images", "micro_usd")}


@contextmanager
def watched(emulator: Emulator, table: str, owner: str) -> Iterator[list[int]]:
    """Yield what a counter holds in micro-dollars again and again, and for the last time at the end."""
    seen: list[int] = []
    over = Event()

    def watch() -> None:
        while not over.is_set():
            seen.append(counter(emulator, table, owner)["micro_usd"])

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize("setting", ["DAILY_USD_PER_CALLER", "DAILY_USD"])
def test_exactly_what_the_budget_covers_is_paid(setting: str, emulator: Emulator) -> None:
    """Every other request is refused as a used-up quota, and the limited counter is exact and was never above it."""
    with Model(settings=ModelSettings(instant=True, latency=0.05)) as model:
        variables = {
            **real_parts.own_environment(emulator),
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
            "MODELS": CORE,
            "DAILY_IMAGES_PER_CALLER": "",
            "DAILY_IMAGES": "",
            setting: str(COVERED * PRICE / MICRO),
        }
        with real_parts.entered(variables):
            service = real_parts.wired(variables, observer=FakeObserver())
            own: Any = local()

            def ask(number: int) -> Answer:
                # An app serves one request at a time, so each thread has its own.
                own.app = getattr(own, "app", None) or create_app(service.services)
                body = {"text_prompts": [{"text": f"({setting} {number})"}]}
                headers = {"Idempotency-Key": f"budget-{number:016d}"}
                return send(own.app, event("POST", "/text-to-image", body, headers=headers))

            owner, table = received(event("GET", "/generations")).owner, variables["TABLE_NAME"]
            limited = owner if setting == "DAILY_USD_PER_CALLER" else ""
            with watched(emulator, table, limited) as seen, ThreadPoolExecutor(AT_ONCE) as pool:
                replies = list(pool.map(ask, range(REQUESTS)))
            counted = [counter(emulator, table, each) for each in {owner, limited}]
            pages = boto3.client("s3", **emulator.aws()).get_paginator("list_objects_v2")
            stored = sum(page["KeyCount"] for page in pages.paginate(Bucket=variables["BUCKET_NAME"]))
        paid = model.calls(last=0)["billed"]
    statuses = Counter(reply.status for reply in replies)
    assert (paid, stored) == (COVERED, COVERED)
    assert statuses == {200: COVERED, 429: REQUESTS - COVERED}
    assert {reply.json["code"] for reply in replies if reply.status == 429} == {"quota_exceeded"}
    assert counted == [{"images": COVERED, "micro_usd": COVERED * PRICE}] * len(counted)
    assert 0 < max(seen) <= COVERED * PRICE
