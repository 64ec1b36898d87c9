"""Lambda entry point of the daily check of the models' lifecycles; the monitoring stack invokes it.

It has a function of its own, because the functions that serve requests may not ask Bedrock about models.
"""

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

from imagegen.adapters import clients
from imagegen.adapters.model_catalogue import BedrockCatalogue
from imagegen.adapters.system import SystemClock
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.models.lifecycle_check import check
from imagegen.models.registry import resolve
from imagegen.settings import LifecycleSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = create_logger()
settings = LifecycleSettings.from_environment(os.environ)  # noqa: TID251 - a handler passes the environment on
observer = PowertoolsObserver(logger=logger, metrics=create_metrics(stage=settings.stage))
session = botocore.session.get_session()
refs = tuple(resolve(entry, region=session.get_config_variable("region")) for entry in settings.models)
catalogue = BedrockCatalogue(lambda region: clients.bedrock(session, region=region))
# Everything above lives as long as the process, so the collector need never look at it again.
gc.freeze()
gc.enable()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(_: dict[str, Any], __: LambdaContext) -> dict[str, Any]:
    """Check every listed model; return how many findings there are."""
    with observer.publishing():
        findings = tuple(check(refs, catalogue=catalogue, today=SystemClock().now().date()))
        observer.lifecycles_checked(findings, models=len(refs))
        return {"findings": len(findings)}
