"""The figures of `estimates/usage.py` are what the service asks of AWS, counted over a pretended one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from estimates import usage
from estimates.bill import SERIES
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations.generation import Generation
from stacks.stage import StageConfig
from tests.support.fakes import FakeClock, FakeDeadline, FakeWebhook
from tests.support.metered import LOG, Metered, metered, size_of
from tests.support.use_case import OWNER

if TYPE_CHECKING:
    from estimates.usage import Way

SECRET: Final = "arn:aws:secretsmanager:us-west-2:123456789012:secret:webhooks"
WAYS: Final = tuple(usage.WRITES)
# As long as people's prompts are; the longest seed, because one of another length makes a record of another length.
REQUEST: Final = GenerationRequest(
    task=TextToImage(
        text_prompts=(Prompt(text="A tea plantation in the morning fog, " * 5),), seed=4294967295
    )
)
NUMBERS: Final = count()
CONTEXT_BYTES: Final = 220
"""What Lambda's context adds to each line: name, ARN and memory of the function, the request's id, a cold start."""


@pytest.fixture(scope="module")
def names() -> Iterator[None]:
    """Set the variables that Powertools reads by itself."""
    with pytest.MonkeyPatch.context() as patch:
        # As long as the real name. A logger of its own, because the one of a name keeps its stream for the process.
        patch.setenv("POWERTOOLS_SERVICE_NAME", "measured")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "imagegen")
        yield


@pytest.fixture(scope="module")
def whole(names: None) -> Metered:  # noqa: ARG001 - it sets variables
    """Return a service that has met the model that has ended, as a process does with its first image."""
    warm = metered(WEBHOOK_SECRET_ARN=SECRET)
    made(warm, "synchronous")
    return warm


def made(whole: Metered, way: Way) -> Generation:
    """Make one image in a way, and return its record; the meter then has what it took."""
    deadline = FakeDeadline(FakeClock())
    jobs = replace(whole.service.jobs, webhook=FakeWebhook())
    hook = "https://receiver.example/hook" if way == "with a call-back" else None
    whole.meter.forget()
    with whole.observer.publishing():
        record = whole.service.submitter.submit(
            replace(REQUEST, webhook_url=hook),
            owner=OWNER,
            fingerprint=f"fingerprint {next(NUMBERS)}",
            key=None,
            asynchronous=way != "synchronous",
            deadline=deadline,
            key_id="abcdefghij23",
        ).generation
        if way != "synchronous":
            jobs.work(record.id, deadline)
        if way == "with a call-back":
            jobs.call_back(record.id)
    ended = whole.service.ports.store.get(record.id)
    whole.meter.reads -= 1  # this look at the end
    assert ended is not None
    assert ended.state == "succeeded"
    return ended


@pytest.mark.parametrize("way", WAYS)
def test_the_write_units_are_those_of_the_code(whole: Metered, way: Way) -> None:
    """Of each kind of item and of each index."""
    made(whole, way)
    assert dict(whole.meter.writes) == usage.WRITES[way]


@pytest.mark.parametrize("way", WAYS)
def test_the_reads_and_messages_are_those_of_the_code(whole: Metered, way: Way) -> None:
    """Until the image is made."""
    made(whole, way)
    assert whole.meter.reads == usage.READS[way]
    assert whole.meter.requests["sqs.SendMessage"] == usage.MESSAGES[way]
    assert whole.meter.requests["s3.PutObject"] == 1


def test_without_limits_fewer_counters_are_written(names: None) -> None:  # noqa: ARG001 - it sets variables
    """The counter of the minute, and the deployment's of the day."""
    free = metered(DAILY_IMAGES="", DAILY_USD="", IMAGES_PER_MINUTE_PER_CALLER="")
    made(free, "synchronous")
    unlimited = StageConfig(name="dev", daily_images=None, daily_usd=None, images_per_minute_per_caller=None)
    assert dict(free.meter.writes) == usage.writes(unlimited, "synchronous")


def test_a_dearer_model_that_may_serve_costs_a_correction_of_each_counter(
    names: None,  # noqa: ARG001 - it sets variables
) -> None:
    """The page about scale says so: the deployment's counter then has two writes for each image."""
    models = "stability.stable-image-core-v1:1,stability.stable-image-ultra-v1:1"
    dearer = metered(MODELS=models)
    made(dearer, "synchronous")
    assert dearer.meter.writes["deployment"] == usage.WRITES["synchronous"]["deployment"] + 1


def test_a_record_is_as_long_as_assumed(whole: Metered) -> None:
    """The index holds it a second time."""
    ended = made(whole, "with a call-back")
    size = size_of(whole.meter.items[ended.id])
    assert 0.8 * usage.RECORD_BYTES < size <= usage.RECORD_BYTES


def test_the_metrics_of_an_image_are_those_of_the_bill(
    whole: Metered, capsys: pytest.CaptureFixture[str]
) -> None:
    """One model and one key make it, and nothing fails; each set of dimensions is a metric that is paid for."""
    made(whole, "synchronous")
    series = set()
    for line in capsys.readouterr().out.splitlines():
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]:
            (dimensions,) = directive["Dimensions"]
            third = "".join(f" by {name}" for name in dimensions if name not in {"stage", "service"})
            series |= {f"{metric['Name']}{third}" for metric in directive["Metrics"]}
    assert sorted(series) == sorted(SERIES)


@pytest.mark.parametrize("way", WAYS)
def test_the_log_of_an_image_is_as_long_as_assumed(
    whole: Metered, way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lambda's context adds members to each line of the functions, and Lambda itself writes three lines."""
    before = len(LOG.getvalue())
    made(whole, way)
    lines = LOG.getvalue()[before:].splitlines()
    metrics = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2 <= len(metrics)
    written = sum(map(len, [*lines, *metrics])) + CONTEXT_BYTES * len(lines) + usage.INVOCATION_LOG_BYTES
    assert 0.8 * usage.FUNCTION_LOG_BYTES < written <= usage.FUNCTION_LOG_BYTES
