"""The whole service over a pretended AWS that counts what a bill or a limit counts: units, requests, bytes.

Everything is real down to botocore, which signs and parses as usual; no socket is opened. The table keeps what is
put, so that what is read is there, and every condition counts as met: one request at a time meets no race.
"""

from __future__ import annotations

import io
import json
import logging
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.settings import Settings
from imagegen.wiring import Service, wire
from tests.support.environment import ENVIRONMENT
from tests.support.fakes import SDXL, stable_image_answer
from tests.support.far_side import answer, json_answer, new_session, refusal
from tests.support.sdk_clients import sdk_alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

KILOBYTE: Final = 1024
LIMITED: Final = {
    "DAILY_IMAGES_PER_CALLER": "100",
    "DAILY_IMAGES": "500",
    "DAILY_USD_PER_CALLER": "14",
    "DAILY_USD": "70",
    "IMAGES_PER_MINUTE_PER_CALLER": "30",
    "QUEUED_JOBS_PER_CALLER": "1000",
}
"""The limits of the stage `dev`."""
INDEXES: Final = {"by_owner": (("owner", "created_at"), True), "by_due": (("due_shard", "due_at"), False)}
"""The keys of each index, and whether it holds whole items (`stacks/generation_table.py`)."""
LOG: Final = io.StringIO()
"""The lines of the log: Powertools has one logger for a process. The metrics go to the standard output."""

Item = dict[str, Any]


@dataclass
class Meter:
    """Counts requests by operation, the write units of each partition, and the read units."""

    requests: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    """Write units by the kind of partition: `gen`, `caller`, `deployment`, `minute`, `recent`, `by_owner`, `by_due`."""
    reads: float = 0
    items: dict[str, Item] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin to count anew; the table keeps its items."""
        self.requests.clear()
        self.writes.clear()
        self.reads = 0

    def respond(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        """Respond as the service would, and count."""
        service, operation = event_name.split(".")[1:]
        self.requests[f"{service}.{operation}"] += 1
        body: Any = request.body
        content = body.read() if hasattr(body, "read") else body or b""
        if service == "dynamodb":
            return json_answer(getattr(self, f"_{operation}")(json.loads(content)))
        if service == "bedrock-runtime":
            if SDXL in request.url:
                return refusal(
                    "ResourceNotFoundException",
                    404,
                    "This model version has reached the end of its life. Please refer to the AWS documentation "
                    "for more details.",
                )
            return answer(200, stable_image_answer(seed=json.loads(content)["seed"]))
        return json_answer({"MessageId": "m"}) if service == "sqs" else answer()

    def _PutItem(self, sent: Item) -> Item:  # noqa: N802 - the operation's name
        item = sent["Item"]
        key = item["id"]["S"]
        old = self.items.get(key)
        self.items[key] = item
        self.writes[kind_of(key)] += units(item, old)
        for name, (keys, whole) in INDEXES.items():
            self.writes[name] += index_units(old, item, keys, whole=whole)
        return {}

    def _UpdateItem(self, sent: Item) -> Item:  # noqa: N802 - likewise
        # A counter has less than a kilobyte.
        key = sent["Key"]["id"]["S"]
        item = self.items.setdefault(key, {"id": {"S": key}})
        for name in ("images", "micro_usd", "jobs"):
            added = int(sent["ExpressionAttributeValues"].get(f":{name}", {"N": "0"})["N"])
            item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + added)}
        self.writes[kind_of(key)] += 1
        return {"Attributes": item} if "ReturnValues" in sent else {}

    def _GetItem(self, sent: Item) -> Item:  # noqa: N802 - likewise
        found = self.items.get(sent["Key"]["id"]["S"])
        size = math.ceil(size_of(found) / (4 * KILOBYTE)) if found else 1
        self.reads += size if sent.get("ConsistentRead") else size / 2
        return {"Item": found} if found else {}

    def _Query(self, _: Item) -> Item:  # noqa: N802 - likewise
        # Eventually consistent; even an empty one costs half a unit.
        self.reads += 0.5
        return {"Items": [], "Count": 0}


def kind_of(key: str) -> str:
    """Return which kind of item a key belongs to; a counter of the day is the caller's or the deployment's."""
    if key.startswith("gen_"):
        return "gen"
    kind, _, owner = key.partition("#")
    return kind if kind != "quota" else ("deployment" if owner.startswith("#") else "caller")


def size_of(item: Mapping[str, Any]) -> int:
    """Return an item's size in bytes, as DynamoDB counts it: names and values in UTF-8."""
    return sum(
        len(name.encode()) + len(str(next(iter(value.values()))).encode()) for name, value in item.items()
    )


def units(new: Mapping[str, Any] | None, old: Mapping[str, Any] | None = None) -> int:
    """Return the write units of replacing one item by another: those of the larger one."""
    largest = max(size_of(item) for item in (new, old) if item is not None)
    return math.ceil(largest / KILOBYTE)


def index_units(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], keys: tuple[str, ...], *, whole: bool
) -> int:
    """Return the write units of an index when an item changes.

    See the DynamoDB developer guide, "Using Global Secondary Indexes", "Write capacity".
    """

    def entry(item: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if item is None or not all(name in item for name in keys):
            return None
        return item if whole else {name: item[name] for name in ("id", *keys)}

    before, after = entry(old), entry(new)
    if before is None or after is None:
        return units(before or after) if before or after else 0
    if before == after:
        return 0
    if any(before[name] != after[name] for name in keys):
        # The old entry is deleted, and a new one is put.
        return units(before) + units(after)
    return units(after, before)


@dataclass(frozen=True, kw_only=True)
class Metered:
    """The service, what writes its logs and metrics, and the meter of what it asks of AWS."""

    service: Service
    observer: PowertoolsObserver
    meter: Meter


def metered(**variables: str) -> Metered:
    """Return the service with the limits of `dev`, over a pretended AWS."""
    settings = Settings.from_environment({**ENVIRONMENT, **LIMITED, **variables})
    meter, session = Meter(), new_session()
    session.register("before-send", meter.respond)  # type: ignore[arg-type]  # a returned response replaces the sending
    logger = create_logger()
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(LOG)
    observer = PowertoolsObserver(logger=logger, metrics=create_metrics(stage=settings.stage))
    with sdk_alone():
        service = wire(settings, session=session, observer=observer)
    return Metered(service=service, observer=observer, meter=meter)
