"""Finds what a stage has deployed, in the operator's account or on this machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.http import surface
from imagegen.keys.api_key import ApiKey
from local.aws import client_options, described_stack
from local.certificates import trust
from local.state import State
from local.variables import from_environment
from operating import clients
from operating.drill import Reply
from operating.functions import Functions
from operating.keys import Keys
from operating.stack import functions_with_models, has_published_version
from stacks.credentials import check_place, check_profile, check_region
from stacks.stage import LOCAL_STAGE, StageError, check_stage_name, stack_name
from tools.failures import LocalError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

LONGEST_REPLY: Final = 310.0
"""Seconds that a reply may take: as long as a gateway may wait, and a little more."""
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


def functions(stage: str, *, environ: Mapping[str, str]) -> Functions:
    """Return the functions of a stage that call models.

    Raises:
        LocalError: the stage is not deployed here.
    """
    options = aws_options(stage, environ)
    return _functions(
        stage,
        cloudformation=clients.client("cloudformation", options),
        client=clients.client("lambda", options),
    )


def changeable_functions(stage: str, *, environ: Mapping[str, str]) -> Functions:
    """Return the functions of a stage that call models, as `functions_to_change` does."""
    options = aws_options(stage, environ)
    return functions_to_change(
        stage,
        cloudformation=clients.client("cloudformation", options),
        client=clients.client("lambda", options),
    )


def functions_to_change(
    stage: str, *, cloudformation: CloudFormationClient, client: LambdaClient
) -> Functions:
    """Return the functions of a stage that call models, so that their variables can be changed.

    Raises:
        LocalError: the stage is not deployed here, or a change would not reach its callers.
    """
    found = _functions(stage, cloudformation=cloudformation, client=client)
    if has_published_version(stack_name(stage), cloudformation):
        raise LocalError(
            f"Callers of the stage {stage} reach a published version of the api function, which nothing but a "
            f"deployment changes: run `make deploy STAGE={stage} CONFIG='snapstart=false api_deployment=all_at_once'` "
            "first."
        )
    return found


def _functions(stage: str, *, cloudformation: CloudFormationClient, client: LambdaClient) -> Functions:
    check_deployed(stage, cloudformation)
    names = functions_with_models(stack_name(stage), cloudformation).values()
    return Functions(client=client, names=tuple(names))


def address(stage: str, *, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    """Return the base URL of a stage, and the certificate authority of its server where that is our own.

    Raises:
        LocalError: the stage is not deployed here, or the local service does not run.
    """
    if stage != LOCAL_STAGE:
        return output(stage, "ApiUrl", environ=environ), None
    state = _local_state(environ)
    return state.api_url, Path(state.ca_bundle) if state.ca_bundle else None


@contextmanager
def caller(
    stage: str, *, purpose: str, environ: Mapping[str, str]
) -> Iterator[Callable[[Mapping[str, Any]], Reply] | None]:
    """Yield a function that asks the stage for an image with an API key of its own.

    The key is made for the first request, and revoked afterwards; its name begins with the purpose. Where callers have
    no keys, None is yielded.

    Raises:
        LocalError: the stage is not deployed here.
    """
    options = aws_options(stage, environ)
    outputs = _outputs(stage, options)
    if "KeyTableName" not in outputs:
        yield None
        return
    table = DynamoDbKeys(client=clients.client("dynamodb", options), table=outputs["KeyTableName"])
    url, authority = address(stage, environ=environ)
    keys = Keys(table=table)
    path = surface.route_named("createGeneration").path
    made: list[ApiKey] = []
    # No proxy is meant for an address of this machine.
    client = httpx.Client(
        base_url=url, verify=trust(authority), trust_env=stage != LOCAL_STAGE, timeout=LONGEST_REPLY
    )

    def send(body: Mapping[str, Any]) -> Reply:
        if not made:
            made.append(keys.create(name=f"{purpose} {secrets.token_hex(4)}", expires_in=timedelta(hours=1)))
        try:
            response = client.post(path, json=body, headers={"x-api-key": made[0].text})
            return Reply(status=response.status_code, body=response.json())
        except httpx.TransportError as error:
            raise LocalError(f"The service cannot be reached: {type(error).__name__}: {error}.") from error
        except ValueError as error:
            raise LocalError("The service replied with something that is no JSON.") from error

    try:
        with client:
            yield send
    finally:
        for key in made:
            keys.revoke(key.id)


def check_deployed(stage: str, cloudformation: CloudFormationClient) -> None:
    """Make sure that the stack of a stage is there.

    Raises:
        LocalError: it is not.
    """
    if described_stack(stack_name(stage), cloudformation) is None:
        raise not_deployed(stage)


def not_deployed(stage: str) -> LocalError:
    """Return what an operator is told about a stage that is not there."""
    return LocalError(
        f"There is no stack {stack_name(stage)} in this account and region: `make deploy STAGE={stage}` deploys it."
    )


def aws_options(stage: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of `boto3.client(service, **options)` for the place where a stage is deployed.

    Raises:
        LocalError: the local service does not run, or the environment names no place in AWS.
    """
    if stage != LOCAL_STAGE:
        try:
            check_stage_name(stage)
            check_place(environ)
            check_profile(environ)
            return {"region_name": _region(environ)}
        except StageError as error:
            raise LocalError(str(error)) from error
    state = _local_state(environ)
    authority = Path(state.ca_bundle) if state.ca_bundle else None
    return client_options(endpoint_url=state.aws_endpoint_url, ca_bundle=authority)


def _local_state(environ: Mapping[str, str]) -> State:
    state = State.read(from_environment(environ).folder)
    if state is None:
        raise LocalError("The local service does not run: `make up` starts it.")
    return state


def _region(environ: Mapping[str, str]) -> str:
    # The region that `make deploy` takes, so that both find the same stack: boto3 alone does not read AWS_REGION.
    region = environ.get("AWS_REGION") or boto3.session.Session().region_name or DEFAULT_REGION
    check_region(region, subject="The region of your AWS configuration")
    return region


def _outputs(stage: str, options: Mapping[str, Any]) -> dict[str, str]:
    name = stack_name(stage)
    found = described_stack(name, clients.client("cloudformation", options))
    if found is None:
        raise not_deployed(stage)
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
