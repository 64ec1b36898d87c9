"""The HTTP door: API Gateway's events in, its answers out."""

# ruff: noqa: E402

from __future__ import annotations

import gc

# Collecting among objects that will last costs a sixth of a cold start: not before they are all made and set aside.
gc.disable()

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.logging import correlation_paths

from imagegen.adapters.telemetry import PowertoolsObserver, create_logger
from imagegen.http.app import create_app
from imagegen.settings import Settings
from imagegen.wiring import wire

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = create_logger()
observer = PowertoolsObserver(logger=logger, metrics=Metrics())
app = create_app(
    wire(
        Settings.from_environment(os.environ),  # noqa: TID251 - a handler passes the environment on
        session=boto3.session.Session(),
        observer=observer,
    ).services
)
gc.freeze()
gc.enable()


@logger.inject_lambda_context(log_event=False, correlation_id_path=correlation_paths.API_GATEWAY_REST)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    with observer.publishing():
        return app.resolve(event, context)
