"""Finds what a stage has deployed, in the operator's account or on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from local.aws import client_options, described_stack
from local.state import State
from local.variables import from_environment
from operating import clients
from stacks.credentials import check_place, check_profile, check_region
from stacks.stage import StageError, check_stage_name, stack_name
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOCAL = "local"
DEFAULT_REGION = "us-east-1"


def key_table(stage: str, *, environ: Mapping[str, str]) -> tuple[DynamoDBClient, str]:
    """Return a client for the table of a stage's keys, and the name of the table.

    Raises:
        LocalError: the stage is not deployed here, or its callers have no keys.
    """
    options = aws_options(stage, environ)
    outputs = _outputs(stage, options)
    table = outputs.get("KeyTableName")
    if table is None:
        raise LocalError(f"The stage {stage} has no API keys, because its api_auth is not key.")
    client: DynamoDBClient = clients.client("dynamodb", options)
    return client, table


def output(stage: str, name: str, *, environ: Mapping[str, str]) -> str:
    """Return an output of the stage's own stack.

    Raises:
        LocalError: the stage is not deployed here, or its stack has no such output.
    """
    outputs = _outputs(stage, aws_options(stage, environ))
    if name not in outputs:
        raise LocalError(f"The stack {stack_name(stage)} has no output {name}: deploy it again.")
    return outputs[name]


def aws_options(stage: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of `boto3.client(service, **options)` for the place where a stage is deployed.

    Raises:
        LocalError: the local service does not run, or the environment names no place in AWS.
    """
    if stage != LOCAL:
        try:
            check_stage_name(stage)
            check_place(environ)
            check_profile(environ)
            return {"region_name": _region(environ)}
        except StageError as error:
            raise LocalError(str(error)) from error
    state = State.read(from_environment(environ).folder)
    if state is None:
        raise LocalError("The local service does not run: `make up` starts it.")
    authority = Path(state.ca_bundle) if state.ca_bundle else None
    return client_options(endpoint_url=state.aws_endpoint_url, ca_bundle=authority)


def _region(environ: Mapping[str, str]) -> str:
    # The region that `make deploy` takes, so that both find the same stack: boto3 alone does not read AWS_REGION.
    region = environ.get("AWS_REGION") or boto3.session.Session().region_name or DEFAULT_REGION
    check_region(region, subject="The region of your AWS configuration")
    return region


def _outputs(stage: str, options: Mapping[str, Any]) -> dict[str, str]:
    name = stack_name(stage)
    found = described_stack(name, clients.client("cloudformation", options))
    if found is None:
        raise LocalError(
            f"There is no stack {name} in this account and region: `make deploy STAGE={stage}` deploys it."
        )
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
