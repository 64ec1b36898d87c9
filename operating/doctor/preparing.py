"""Finds out which stage is to be examined, and makes the clients that reach its account and its service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import boto3
import httpx
from botocore.config import Config
from botocore.credentials import Credentials

from imagegen.keys.api_key import ApiKey
from local.certificates import trust
from local.state import State
from local.variables import from_environment
from operating import clients, deploying
from operating.doctor.callers import Caller, WithHeader, WithSignature
from operating.doctor.examined import Examined, Plan
from operating.stage import aws_options
from stacks.cdk_json import stages_of
from stacks.concurrency import LEAST_UNRESERVED, beside_the_queue, queue_concurrency, reservation
from stacks.model_access import LEAST_CONCURRENCY, SECONDS_AN_IMAGE_TAKES, concurrency_for, resolve_models
from stacks.stage import LOCAL_STAGE, StageConfig, StageError, load_stage
from tools.checkout import CHECKOUT
from tools.failures import LocalError

# A region or an endpoint that does not reply must not hold up every check for minutes.
_PATIENCE: Final = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})
# A connection to the gateway lasts for 29 seconds, unless the account has a higher quota.
_WEB_PATIENCE: Final = httpx.Timeout(60, connect=5)
_IN_A_HEADER: Final = re.compile("[!-~]+")


def prepare(stage: str, environ: Mapping[str, str], *, web: httpx.Client) -> Examined:
    """Return the stage that is to be examined, and the ways to reach it.

    Raises:
        LocalError: the stage, or the operator's configuration, cannot be used.
    """
    config = _config(stage, environ)
    state = _state(environ) if stage == LOCAL_STAGE else None
    options = {"config": _PATIENCE, **aws_options(stage, environ)}
    region: str = options["region_name"]

    def client(service: str, there: str) -> Any:
        return clients.client(service, {**options, "region_name": there})

    return Examined(
        stage=stage,
        config=config,
        words=" ".join(environ.get("CONFIG", "").split()),
        profile=environ.get("AWS_PROFILE", ""),
        from_variables=bool(environ.get("AWS_ACCESS_KEY_ID")),
        region=region,
        plan=plan_of(config, region=region, today=datetime.now(tz=UTC).date()),
        clients=client,
        web=web,
        address=state.api_url if state else "",
        caller=_caller(config, options, given=environ.get("API_KEY", "").strip(), state=state),
    )


def plan_of(config: StageConfig, *, region: str, today: date) -> Plan:
    """Return what a deployment of these settings would be.

    Raises:
        LocalError: the stage cannot be deployed so; synthesizing it would fail with the same sentence.
    """
    try:
        models = resolve_models(config.models, region=region)
        queue = queue_concurrency(config, derived=concurrency_for(models, today=today))
    except StageError as error:
        raise LocalError(str(error)) from error
    return Plan(
        models=models,
        queue=queue,
        beside=beside_the_queue(config),
        reserved=reservation(config, queue=queue) if config.reserve_concurrency else 0,
        kept=LEAST_UNRESERVED,
        least_queue=LEAST_CONCURRENCY,
        seconds_an_image=SECONDS_AN_IMAGE_TAKES,
    )


def web(stage: str, environ: Mapping[str, str]) -> httpx.Client:
    """Return the client for the stage's service; to the one on this machine it goes without a proxy."""
    headers = {"user-agent": "imagegen-doctor"}
    if stage != LOCAL_STAGE:
        return httpx.Client(timeout=_WEB_PATIENCE, headers=headers)
    state = _state(environ)
    authority = Path(state.ca_bundle) if state and state.ca_bundle else None
    return httpx.Client(timeout=_WEB_PATIENCE, headers=headers, verify=trust(authority), trust_env=False)


def _config(stage: str, environ: Mapping[str, str]) -> StageConfig:
    words = " ".join(environ.get("CONFIG", "").split())
    if stage != LOCAL_STAGE:
        order = deploying.Order(
            command="doctor", stage=stage, config=words, has_terminal=False, environ=environ
        )
        return deploying.check(order)
    try:
        return load_stage(name=LOCAL_STAGE, stages=stages_of(CHECKOUT), overrides=words)
    except StageError as error:
        raise LocalError(str(error)) from error


def _state(environ: Mapping[str, str]) -> State | None:
    return State.read(from_environment(environ).folder)


def _caller(
    config: StageConfig, options: Mapping[str, Any], *, given: str, state: State | None
) -> Caller | None:
    """Return who asks the service: whoever the operator names; locally, the service's own first key."""
    if config.api_auth == "iam":
        own = state is not None and Credentials(
            options["aws_access_key_id"], options["aws_secret_access_key"]
        )
        credentials = own or boto3.session.Session().get_credentials()
        return WithSignature(credentials=credentials, region=options["region_name"]) if credentials else None
    secret = given or (state.api_key if state else "")
    if not secret:
        return None
    # Not shown in any sentence: whatever it is, somebody took it for a secret.
    if config.api_auth == "key" and ApiKey.parse(secret) is None:
        raise LocalError("API_KEY is not an API key of this service: `make key` prints one, such as ig_….")
    if _IN_A_HEADER.fullmatch(secret) is None:
        raise LocalError("API_KEY has a character that no token has, such as a space or the end of a line.")
    return WithHeader(name="x-api-key" if config.api_auth == "key" else "authorization", secret=secret)
