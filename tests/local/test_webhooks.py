"""Webhooks on the deployed stack: a receiver on this machine gets a call-back that it can verify."""

from __future__ import annotations

import base64
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import boto3
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from imagegen import VERSION
from stacks.webhook_secret import LENGTH
from tests.support.faulty_server import FaultyServer, whole
from tests.support.receivers import NEIGHBOURS
from tests.support.stack_callers import awaited, outputs_of, polled
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn
    from tests.support.faulty_server import Request

ASYNCHRONOUS = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def secret(stack: Stack) -> str:
    """Return the secret as an operator reads it, by the ARN in the stack's output."""
    client = boto3.client("secretsmanager", **stack.aws())
    text: str = client.get_secret_value(SecretId=outputs_of(stack)["WebhookSecretArn"])["SecretString"]
    return text


def ask(api: httpx.Client, url: str) -> httpx.Response:
    """Ask for an image that nobody has asked for, with this webhook."""
    body = {"text_prompts": [{"text": f"tea {secrets.token_hex(8)}"}], "webhook_url": url}
    return api.post("/text-to-image", json=body, headers=ASYNCHRONOUS)


def called_back(server: FaultyServer) -> Request:
    """Wait for the receiver's first request, and return it."""
    return awaited(lambda: next(iter(server.requests), None), "the call-back")


def test_the_secret_is_what_secrets_manager_would_generate(secret: str) -> None:
    """Letters and digits only, so that every library reads it as base64, strict ones as well."""
    assert re.fullmatch(rf"[A-Za-z0-9]{{{LENGTH}}}", secret)
    assert len(base64.b64decode(secret, validate=True)) == LENGTH * 6 // 8


def test_a_developer_finds_the_secret_in_the_state(stack: Stack, secret: str) -> None:
    """`make status` shows it."""
    assert stack.state.webhook_secret == secret


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_receiver_on_this_machine_can_verify_its_call_back(
    api: httpx.Client, stand_in: StandIn, secret: str, host: str
) -> None:
    """The signature holds for this secret and no other."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()
    with FaultyServer(whole(204)) as server:
        accepted = ask(api, f"http://{host}:{server.port}/hook?for=me")
        assert accepted.status_code == 202, accepted.text
        request = called_back(server)
    ended = polled(api, accepted.json()["id"])
    assert request.head.startswith("POST /hook?for=me HTTP/1.1\r\n")
    assert request.header("host") == f"{host}:{server.port}"
    assert request.header("user-agent") == f"imagegen/{VERSION}"
    headers = {
        name: request.header(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    event = Webhook(secret).verify(request.body, headers)
    assert (event["type"], event["data"]) == (
        "generation.succeeded",
        {"id": ended["id"], "status": "succeeded"},
    )
    with pytest.raises(WebhookVerificationError):
        Webhook(secret[::-1]).verify(request.body, headers)


@pytest.fixture
def documented(stack: Stack, tmp_path: Path) -> Iterator[tuple[int, IO[str]]]:
    """Run the receiver of `docs/local.md` for this stack, and yield its port and its output."""
    text = (CHECKOUT / "docs" / "local.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert (program.count('"127.0.0.1", 8000'), program.count(".local/")) == (1, 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    receiver = tmp_path / "receiver.py"
    receiver.write_text(program.replace("8000", str(port)).replace(".local/", f"{stack.folder}/"))
    with subprocess.Popen([sys.executable, receiver], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - a program of our docs
        assert process.stdout is not None
        awaited(lambda: is_open(port) or None, "the start of the receiver")
        try:
            yield port, process.stdout
        finally:
            process.kill()


def is_open(port: int) -> bool:
    """Say whether something listens on a port of this machine."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_the_receiver_of_the_docs_prints_a_verified_call_back(
    api: httpx.Client, stand_in: StandIn, documented: tuple[int, IO[str]]
) -> None:
    """A newcomer who pastes it sees the event."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()
    port, printed = documented
    accepted = ask(api, f"http://127.0.0.1:{port}/").json()
    assert f"'id': '{accepted['id']}', 'status': 'succeeded'" in printed.readline()


def test_the_deployed_service_refuses_what_resembles_this_machine(api: httpx.Client) -> None:
    """Each gets a 400 that names the field, before anything is queued."""
    answers = {url: ask(api, url) for url in NEIGHBOURS}
    taken = {url: answer.status_code for url, answer in answers.items() if answer.status_code != 400}
    assert taken == {}
    fields = [answer.json()["errors"][0]["field"] for answer in answers.values()]
    assert set(fields) == {"webhook_url"}
