"""Measures how much of a model's quota the workers use while they drain a backlog, and how many calls that takes."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx

from benchmarks.local_stack import FOLDER, instant_model
from benchmarks.results import Figure, single
from local import life_cycle
from local.aws import client_options
from local.certificates import trust
from local.ports import free_offset
from local.state import State
from local.variables import Variables
from tools.checkout import CHECKOUT
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

JOBS = 300
PER_SECOND = 8
BURST = PER_SECOND
"""How many calls the model takes at once after a rest: as many as in one second."""
AT_ONCE = 4
PATIENCE = 300.0
POLLED_EVERY = 0.05
OFTEN = 0.005
ENDED = {"succeeded", "failed"}


@dataclass(frozen=True, kw_only=True)
class Drain:
    """The figures of a drained backlog: how its jobs ended, and the model's calls.

    `seconds` are those from the first image to the last. `busy_seconds` end when fewer jobs were left than there are
    workers, and `busy_billed` counts the images until then.
    """

    jobs: int
    ended: Mapping[str, int]
    paid_attempts: int
    calls: int
    billed: int
    seconds: float
    busy_billed: int
    busy_seconds: float

    @property
    def used(self) -> float:
        """The share of the allowed calls that was used; the burst at the beginning counts as allowed."""
        return self.billed / (BURST + PER_SECOND * self.seconds)

    @property
    def used_while_busy(self) -> float:
        """The same while every worker had a job."""
        return self.busy_billed / (BURST + PER_SECOND * self.busy_seconds)

    def figures(self) -> list[Figure]:
        """Return the shares of the quota that were used, and how many calls that took."""
        refused = (self.calls - self.billed) / self.jobs
        failed = self.jobs - self.ended.get("succeeded", 0)
        return [
            single("drain rate / model quota", self.used, unit="", must=0.97, aim=0.99, better="higher"),
            single("  while every worker has a job", self.used_while_busy, unit="", better="higher"),
            single("  calls refused for the rate, for each job", refused, unit="", compared=False),
            single("  jobs that did not succeed", failed, unit="", must=0),
            single("  calls billed more than jobs", self.billed - self.jobs, unit="", must=0),
        ]


def measure() -> Drain:
    """Deploy a stack, fill its queue, let the workers drain it, and take the stack down again.

    Raises:
        LocalError: the jobs did not end.
    """
    with instant_model() as url:
        variables = Variables(bedrock_url=url, folder=FOLDER, port_offset=free_offset())
        try:
            return on(life_cycle.up(variables), url)
        finally:
            life_cycle.down(FOLDER)


def on(ready: State, url: str, *, jobs: int = JOBS) -> Drain:
    """Measure a stack that is ready, by the address of its model.

    Raises:
        LocalError: the jobs did not end.
    """
    headers = {"x-api-key": ready.api_key, "Prefer": "respond-async"}
    verify = trust(_authority(ready))
    with (
        httpx.Client(base_url=url, trust_env=False, timeout=30) as model,
        httpx.Client(
            base_url=ready.api_url, headers=headers, verify=verify, trust_env=False, timeout=60
        ) as api,
    ):
        _warm_up(ready, api, model)
        limit = {"action": {"type": "rate_limit", "per_second": PER_SECOND, "burst": BURST}}
        model.post("/_control/rules", json=limit).raise_for_status()
        with _event_source_off(ready):
            # The queue is filled first, so that the workers and not the client decide the speed.
            ids = submit(api, jobs)
        # Looked for often, because an image that is seen late counts as made in less time.
        first = awaited(lambda: calls_of(model)["billed"] > 0, every=OFTEN)
        enough = max(1, jobs - _worker_concurrency())
        awaited(lambda: calls_of(model)["billed"] >= enough)
        busy_billed, busy = calls_of(model)["billed"], time.monotonic()
        last = awaited(lambda: calls_of(model)["billed"] >= jobs)
        calls = calls_of(model)
        records = _ended(ready, ids)
        return Drain(
            jobs=jobs,
            ended=Counter(record["state"] for record in records),
            paid_attempts=sum(record["paid_attempts"] for record in records),
            calls=calls["calls"],
            billed=calls["billed"],
            seconds=last - first,
            busy_billed=busy_billed,
            busy_seconds=busy - first,
        )


def _warm_up(ready: State, api: httpx.Client, model: httpx.Client) -> None:
    """Start every environment of the worker, and then set the counts of calls to zero."""
    concurrency = _worker_concurrency()
    # Each environment takes the emulator seconds to start, which would count as the workers' time; a slow model keeps
    # them all busy at once.
    model.post("/_control/rules", json={"latency": 1}).raise_for_status()
    ids: list[str] = []
    while calls_of(model)["peak_in_flight"] < concurrency:
        ids += submit(api, concurrency)
        time.sleep(1)
    _ended(ready, ids)
    model.post("/_control/reset").raise_for_status()


def _authority(ready: State) -> Path | None:
    return Path(ready.ca_bundle) if ready.ca_bundle else None


def _worker_concurrency() -> int:
    stages = json.loads((CHECKOUT / "cdk.json").read_text(encoding="utf-8"))["context"]["stages"]
    return int(stages["local"]["worker_concurrency"])


def submit(api: httpx.Client, jobs: int) -> list[str]:
    """Submit this many jobs, which wait in the queue, and return their ids."""

    def ask(number: int) -> str:
        body = {"text_prompts": [{"text": f"backlog {number}"}]}
        return str(api.post("/text-to-image", json=body).raise_for_status().json()["id"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, range(jobs)))


@contextmanager
def _event_source_off(ready: State) -> Iterator[None]:
    """Keep the worker away from the queue while it is filled."""
    client = boto3.client(
        "lambda", **client_options(endpoint_url=ready.aws_endpoint_url, ca_bundle=_authority(ready))
    )
    queue = ready.queue_url.rsplit("/", 1)[-1]
    sources = client.list_event_source_mappings()["EventSourceMappings"]
    own = next(source["UUID"] for source in sources if source["EventSourceArn"].endswith(f":{queue}"))
    client.update_event_source_mapping(UUID=own, Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=own, Enabled=True)


def calls_of(model: httpx.Client) -> dict[str, Any]:
    """Return what the stand-in counts of its calls."""
    report: dict[str, Any] = model.get("/_control/calls", params={"last": 0}).raise_for_status().json()
    return report


def _ended(ready: State, ids: list[str]) -> list[dict[str, Any]]:
    """Return the records of jobs, once all have ended."""
    options = client_options(endpoint_url=ready.aws_endpoint_url, ca_bundle=_authority(ready))
    dynamodb: DynamoDBClient = boto3.client("dynamodb", **options)
    records: list[dict[str, Any]] = []

    def have_ended() -> bool:
        pages = dynamodb.get_paginator("scan").paginate(TableName=ready.table)
        items = [item for page in pages for item in page["Items"] if item["id"]["S"] in wanted]
        records[:] = [json.loads(item["record"]["S"]) for item in items]
        return len(records) == len(wanted) and all(record["state"] in ENDED for record in records)

    wanted = set(ids)
    awaited(have_ended)
    return records


def awaited(condition: Callable[[], bool], *, every: float = POLLED_EVERY) -> float:
    """Return the time at which a condition is first found true."""
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > ends_at:
            raise LocalError(f"The backlog was not drained within {PATIENCE:.0f} s.")
        time.sleep(every)
    return time.monotonic()
