"""Lambda entry point of the worker: takes SQS messages and the minute's tick, returns the messages to redeliver."""

# ruff: noqa: E402

from __future__ import annotations

import gc

# Start-up objects live for ever; scanning them while they are made costs a sixth of a cold start, so the collector
# stays off until `gc.freeze()`.
gc.disable()

# botocore would import it some fifteen modules deep. There CPython's stack of frames crosses the end of its chunk of
# memory again and again, and each time maps and unmaps another chunk: 15 ms of a cold start.
import urllib3  # noqa: F401

# isort: split
import os
from typing import TYPE_CHECKING, Any

import botocore.session
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

# Neither pydantic nor `http/` is loaded by these, or each start of the worker would take 250 to 380 ms longer:
# see docs/decisions/0007-rooms-by-folder.md.
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.generations.retry import InvocationDeadline
from imagegen.settings import Settings
from imagegen.wiring import wire
from imagegen.worker import Worker, is_tick

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = create_logger()
# A batch has one message, so a failed message is a failed batch. Raising for it would hide which message it was.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
settings = Settings.from_environment(os.environ)  # noqa: TID251 - a handler passes the environment on
observer = PowertoolsObserver(logger=logger, metrics=create_metrics(stage=settings.stage))
service = wire(settings, session=botocore.session.get_session(), observer=observer)
worker = Worker(
    jobs=service.jobs,
    queue=service.ports.queue,
    randomness=service.ports.randomness,
    observer=observer,
    dead_letter_queue_arn=settings.dead_letter_queue_arn,
    call_back_queue_arn=settings.call_back_queue_arn,
)
# Everything above lives as long as the process, so the collector need never look at it again.
gc.freeze()
gc.enable()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the messages of an event, or sweep on a tick."""
    with observer.publishing():
        if is_tick(event):
            return {"due": worker.sweep()}
        deadline = InvocationDeadline(remaining_milliseconds=context.get_remaining_time_in_millis)

        def take(record: SQSRecord) -> None:
            worker.take(record, deadline)

        report = process_partial_response(
            event=event, record_handler=take, processor=processor, context=context
        )
        return dict(report)
