"""The queue's door: SQS messages and the schedule's ticks in, the messages that must come back out."""

# ruff: noqa: E402

from __future__ import annotations

import gc

# Collecting among objects that will last costs a sixth of a cold start: not before they are all made and set aside.
gc.disable()

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from imagegen.adapters.telemetry import PowertoolsObserver, create_logger
from imagegen.generations.retry import InvocationDeadline
from imagegen.settings import Settings
from imagegen.wiring import wire
from imagegen.worker import is_tick

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = create_logger()
observer = PowertoolsObserver(logger=logger, metrics=Metrics())
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
worker = wire(
    Settings.from_environment(os.environ),  # noqa: TID251 - a handler passes the environment on
    session=boto3.session.Session(),
    observer=observer,
).worker
gc.freeze()
gc.enable()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take the event's messages, or sweep."""
    with observer.publishing():
        if is_tick(event):
            return {"due": worker.sweep()}
        deadline = InvocationDeadline(remaining_milliseconds=context.get_remaining_time_in_millis)

        def take(record: SQSRecord) -> None:
            worker.take(record, deadline)

        answer = process_partial_response(
            event=event, record_handler=take, processor=processor, context=context
        )
        return dict(answer)
