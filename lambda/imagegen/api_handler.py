"""Lambda entry point of the HTTP API: takes API Gateway's events, returns the replies."""

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
from aws_lambda_powertools.logging import correlation_paths

from imagegen.adapters.snapshot import prepare_for_snapshots
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.http.app import Services, create_app
from imagegen.settings import Settings
from imagegen.wiring import wire

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = create_logger()
settings = Settings.from_environment(os.environ)  # noqa: TID251 - a handler passes the environment on
observer = PowertoolsObserver(logger=logger, metrics=create_metrics(stage=settings.stage))
service = wire(settings, session=botocore.session.get_session(), observer=observer)
app = create_app(
    Services(
        submitter=service.submitter,
        history=service.history,
        models=service.models,
        cors_origins=settings.cors_origins,
        webhooks=bool(settings.webhook_secret_arn),
        webhook_loopback=settings.webhook_loopback,
        owner_salt=settings.owner_salt,
        openai_model_aliases=settings.openai_model_aliases,
        observer=observer,
        clock=service.ports.clock,
    )
)
# No request waits for a snapshot, so it has what some requests need later.
prepare_for_snapshots(
    load=["imagegen.contracts.text_to_image.schema", "imagegen.http.compat.openai.images_request"]
)
# Everything above lives as long as the process, so the collector need never look at it again.
gc.freeze()
gc.enable()


@logger.inject_lambda_context(log_event=False, correlation_id_path=correlation_paths.API_GATEWAY_REST)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request."""
    with observer.publishing():
        return app.resolve(event, context)
