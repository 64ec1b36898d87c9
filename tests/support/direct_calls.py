"""What calls AWS without the SDK's client, as it is deployed but without pauses, and what the tests send with it."""

from __future__ import annotations

import hashlib
import json
import ssl
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagegen.adapters import clients
from imagegen.adapters.bedrock import BedrockRuntime
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.system import SystemClock
from imagegen.models.registry import resolve
from local import certificates
from tests.support.fakes import CORE
from tests.support.far_side import new_session
from tests.support.faulty_server import Reply, whole

if TYPE_CHECKING:
    import pytest

ITEM = {"id": {"S": "gen_1"}, "images": {"N": "3"}, "é": {"S": "tea ☕ \x7f"}}

PNG = bytes(range(256)) * 700

PUT = {
    "Bucket": "pictures",
    "Key": "images/alice~1/gen_1.png",
    "Body": PNG,
    "ContentType": "image/png",
    "CacheControl": "private, no-cache",
    "Metadata": {"model": CORE, "seed": "7"},
    "ChecksumSHA256": b64encode(hashlib.sha256(PNG).digest()).decode(),
}

INVOKE = {
    "modelId": "arn:aws:bedrock:us-west-2:1:imported-model/a b",
    "body": b'{"prompt": "tea"}',
    "contentType": "application/json",
    "accept": "application/json",
}

IMAGE = b'{"images": ["' + b"x" * 200_000 + b'"]}'


class Tls:
    """A certificate of this machine, and the authority that signed it."""

    def __init__(self, folder: Path) -> None:
        files = certificates.ensure(folder, now=datetime.now(UTC))
        self.authority = files.authority
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(files.certificate, files.key)


def direct() -> DirectSession:
    """Return the deployed calls, which find the server through the environment."""
    return DirectSession(new_session(), url_suffix="amazonaws.com", clock=SystemClock())


def table(*, attempts: int = 3) -> Any:
    """Return what calls the table, without pauses."""
    made: Any = direct().table(attempts=attempts)
    made._calls._sleep = lambda _: None
    return made


def bucket() -> Any:
    """Return what stores objects, without pauses."""
    made: Any = direct().bucket(clients.s3(new_session(), addressing_style="path"))
    made._sleep = lambda _: None
    return made


def runtime(*, model_timeout: float = 60.0) -> Any:
    """Return what calls a model."""
    client = clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=model_timeout)
    return direct().runtime(client)


def waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what lets so many seconds pass for the connections that no call uses."""
    now = [1000.0]
    monkeypatch.setattr("imagegen.adapters.direct.connections.time.time", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def adapter_of(client: Any, *, model_timeout: float = 60.0) -> BedrockRuntime:
    """Return the adapter around what calls a model."""
    return BedrockRuntime({"us-west-2": client}, model_timeout=model_timeout, clock=SystemClock())


def answered(adapter: BedrockRuntime) -> bytes:
    """Return the answer of a model."""
    return adapter.invoke(resolve(CORE, region="us-west-2"), b"{}")


def refused(code: str, **members: Any) -> Reply:
    """Return an error of DynamoDB."""
    return whole(400, json.dumps({"__type": f"x#{code}", **members}).encode())
