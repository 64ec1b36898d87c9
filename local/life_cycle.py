"""Starts, checks and stops the parts of the service in their order."""

import datetime as dt
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx

from imagegen.adapters.key_table.table import DynamoDbKeys
from local import certificates, emulator, gateway, keys, playground, processes, stand_in, state
from local.aws import client_options
from local.certificates import Certificates
from local.deployment import ROLE as DEPLOYMENT
from local.deployment import STACK, Deployment
from local.state import State
from local.variables import Variables
from tools.failures import LocalError

MARK = "imagegen-local.tag"
READY_TIMEOUT = 60.0


def up(variables: Variables) -> State:
    """Start what does not run, deploy what is not deployed, and return once the API replies.

    Raises:
        LocalError: one sentence that says what is in the way.
    """
    with _alone(variables.folder):
        _claim(variables.folder)
        files = _certificates(variables)
        deployment = Deployment(variables=variables, certificates=files)
        # Before anything starts, so that a wrong CONFIG leaves no half of a service behind.
        deployment.check()
        # An `up` that was killed may have left its CDK running.
        processes.stop(variables.folder, role=DEPLOYMENT)
        with deployment.compiled_meanwhile():
            _start(variables, files, deployment)
            if not deployment.is_current():
                state.file(variables.folder).unlink(missing_ok=True)
                deployment.bring_up_to_date()
        # Written last: clients take the file as the sign that the service is ready.
        ready = _describe(variables, deployment, files)
        _wait_until_ready(ready, log=emulator.service(variables, files).log)
        ready.write(variables.folder)
        return ready


def down(folder: Path) -> bool:
    """Stop everything that belongs to the folder and remove it; return False when there was nothing.

    Raises:
        LocalError: a process does not end, or the folder was not made by `up`.
    """
    if not folder.parent.is_dir():
        return False
    with _alone(folder):
        stopped = processes.stop(folder)
        existed = folder.is_dir()
        if existed:
            _require_mark(folder)
            shutil.rmtree(folder)
        return bool(stopped) or existed


def _start(variables: Variables, files: Certificates | None, deployment: Deployment) -> None:
    """Start the emulator, the stand-in and the playground, unless they run already as these variables ask."""
    wanted = emulator.service(variables, files)
    page = playground.service(variables, files)
    model = None if variables.bedrock_url else stand_in.service(variables)
    if not processes.is_running(wanted) or deployment.is_stuck():
        state.file(variables.folder).unlink(missing_ok=True)
        deployment.record.unlink(missing_ok=True)
        processes.stop(variables.folder, role=emulator.ROLE)
        # A new emulator starts empty, so the files of the old one are of no use.
        shutil.rmtree(wanted.working_folder, ignore_errors=True)
        print("up: starting the emulator of AWS…", flush=True)
        emulator.start(wanted, variables, files)
    if model is None:
        processes.stop(variables.folder, role=stand_in.ROLE)
    elif not processes.is_running(model):
        processes.stop(variables.folder, role=stand_in.ROLE)
        print("up: starting the stand-in model…", flush=True)
        processes.start_listening(model, name=stand_in.NAME)
    if not processes.is_running(page):
        processes.stop(variables.folder, role=playground.ROLE)
        print("up: starting the playground…", flush=True)
        processes.start_listening(page, name=playground.NAME)


def _describe(variables: Variables, deployment: Deployment, files: Certificates | None) -> State:
    outputs = deployment.outputs()
    authority = files.authority if files else None
    api = gateway.connect(endpoint_url=variables.aws_endpoint_url, ca_bundle=authority, outputs=outputs)
    api_key, other_api_key = _keys(variables, outputs, authority)
    return State(
        api_url=api.address(),
        api_key=api_key,
        other_api_key=other_api_key,
        aws_endpoint_url=variables.aws_endpoint_url,
        bedrock_url=variables.bedrock_endpoint_url,
        web_url=variables.web_url,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        queue_url=outputs["QueueUrl"],
        dlq_url=outputs["DeadLetterQueueUrl"],
        stack=STACK,
        webhook_secret=_webhook_secret(variables, outputs, authority),
        ca_bundle=str(authority) if authority else None,
    )


def _keys(variables: Variables, outputs: Mapping[str, str], authority: Path | None) -> tuple[str, str]:
    """Return the keys of the two callers; with another `api_auth` than `key` there are none."""
    if "KeyTableName" not in outputs:
        return "", ""
    options = client_options(endpoint_url=variables.aws_endpoint_url, ca_bundle=authority)
    table = DynamoDbKeys(client=boto3.client("dynamodb", **options), table=outputs["KeyTableName"])
    first, second = keys.ensure(table, folder=variables.folder)
    return first, second


def _webhook_secret(variables: Variables, outputs: Mapping[str, str], authority: Path | None) -> str:
    """Return the secret that receivers verify call-backs with."""
    if "WebhookSecretArn" not in outputs:
        return ""
    options = client_options(endpoint_url=variables.aws_endpoint_url, ca_bundle=authority)
    client = boto3.client("secretsmanager", **options)
    secret: str = client.get_secret_value(SecretId=outputs["WebhookSecretArn"])["SecretString"]
    return secret


def _wait_until_ready(ready: State, *, log: Path) -> None:
    """Wait until the service is healthy and serves a caller."""
    verify = certificates.trust(Path(ready.ca_bundle) if ready.ca_bundle else None)
    deadline = time.monotonic() + READY_TIMEOUT
    with httpx.Client(verify=verify, trust_env=False, timeout=30) as client:
        while True:
            try:
                health = client.get(f"{ready.api_url}/health")
                # Health touches nothing; the history needs the key, the function and the table.
                response = client.get(
                    f"{ready.api_url}/generations?limit=1", headers={"x-api-key": ready.api_key}
                )
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                # Without a key, the gateway's refusal is all that can be seen from here.
                refused = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
                expected = (httpx.codes.OK,) if ready.api_key else refused
                if health.is_success and response.status_code in expected:
                    return
                problem = f"health replies {health.status_code}, and a caller with a key gets {response.status_code}"
            if time.monotonic() > deadline:
                print(processes.log_tail(log), file=sys.stderr)
                raise LocalError(
                    f"The service is deployed but not ready: {problem}; {log} ends as shown above."
                )
            time.sleep(0.5)


def _certificates(variables: Variables) -> Certificates | None:
    if not variables.strict:
        return None
    return certificates.ensure(variables.folder / "tls", now=dt.datetime.now(tz=dt.UTC))


def _claim(folder: Path) -> None:
    """Make the folder and mark it as ours; refuse one with other files in it."""
    # `down` removes the whole folder, so IMAGEGEN_LOCAL_DIR=~ must not get this far.
    if folder.is_dir() and any(folder.iterdir()):
        _require_mark(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / MARK).write_text("Made by `make up` of imagegen, removed by `make down`.\n", encoding="utf-8")


def _require_mark(folder: Path) -> None:
    if not (folder / MARK).is_file():
        raise LocalError(
            f"{folder} holds files that do not belong to the local service: move them away first."
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one `up` or `down` work on a folder at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The lock is on the parent, because `down` removes the folder itself.
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
