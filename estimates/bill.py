"""What images cost: for one of them, and for a month of them, by service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from estimates.idle import Line
from estimates.prices import DAYS, HOURS, each
from estimates.usage import IMAGE_BYTES, RECORD_BYTES, Way, usage
from imagegen.generations.charges import MICRO
from imagegen.models.registry import Model, resolve
from stacks.stage import StageConfig

SERIES: Final = (
    "BudgetUsed",
    "GenerationTime",
    "ImagesGenerated",
    "ModelTime",
    "Spend by key",
    "Spend by model",
)
"""The metrics of a month in which one model and one key make images, and nothing fails."""
_ANY_REGION: Final = "us-east-1"


def serving(config: StageConfig, *, today: date) -> Model:
    """Return the model that draws for a stage: the first of its list that has not ended.

    Without one that lives, it is the first of the list: the operator may host it.
    """
    refs = [resolve(entry, region=_ANY_REGION) for entry in config.models]
    living = (ref for ref in refs if ref.lifecycle.status(today) != "end_of_life")
    return next(living, refs[0]).model


def image(config: StageConfig, way: Way, *, today: date) -> list[Line]:
    """Return what one image costs, with its storage for as long as it is kept, and one download."""
    asked = usage(config, way)
    kept = config.image_retention_days / DAYS
    recorded = config.record_retention_days / DAYS
    logged = config.log_retention_days / DAYS
    queue = each("queue_request") + each("fair_request")
    # The index of a caller's history holds the record a second time; only the table is backed up.
    stored = RECORD_BYTES * (2 * each("table_byte") + each("recovery_byte")) * recorded
    prices = {
        ("Bedrock", "the model"): serving(config, today=today).price.micro_usd(None) / MICRO,
        ("API Gateway", "requests"): asked.api_requests * each("api_request"),
        ("Lambda", "functions"): asked.invocations * each("invocation")
        + asked.gb_seconds * each("gb_second"),
        ("DynamoDB", "writes and reads"): asked.write_units * each("write") + asked.read_units * each("read"),
        ("DynamoDB", "the record, kept"): stored,
        ("S3", "PUT and GET"): each("put") + each("get"),
        ("S3", "the image, kept"): IMAGE_BYTES * each("bucket_byte") * kept,
        ("S3", "one download"): IMAGE_BYTES * each("internet_byte"),
        ("SQS", "messages"): asked.queue_requests * queue,
        ("CloudWatch", "logs"): asked.log_bytes * (each("log_byte") + each("kept_log_byte") * logged),
    }
    return [Line(service=service, what=what, usd=usd) for (service, what), usd in prices.items() if usd]


def metrics(images: int) -> Line:
    """Return what the metrics of a month cost: each is paid for the hours in which it has a value."""
    hours = min(images, HOURS)
    usd = len(SERIES) * each("metric") * hours / HOURS
    return Line(service="CloudWatch", what="metrics", usd=usd)


def month(
    config: StageConfig, images: int, way: Way, *, idle: Sequence[Line], today: date
) -> dict[str, float]:
    """Return the dollars of a month by service, the dearest first; images come evenly over its hours."""
    made = [
        Line(service=line.service, what=line.what, usd=line.usd * images)
        for line in image(config, way, today=today)
    ]
    return by_service([*idle, *made, metrics(images)])


def by_service(lines: Iterable[Line]) -> dict[str, float]:
    """Return the sum of each service, the dearest first."""
    sums: dict[str, float] = {}
    for line in lines:
        sums[line.service] = sums.get(line.service, 0) + line.usd
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def total(lines: Iterable[Line]) -> float:
    """Return the sum of some lines."""
    return sum(line.usd for line in lines)
