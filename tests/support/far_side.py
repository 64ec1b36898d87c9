"""The far side of an AWS client without a socket: botocore signs, sends to this module, parses and retries as usual."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.session
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.session import Session

REGION = "us-west-2"


def new_session(region: str = REGION) -> Session:
    """Return a session that reads environment and files anew; its credentials give no access to anything."""
    made = botocore.session.get_session()
    made.set_credentials("AKIDEXAMPLE", "secret", "token")
    made.set_config_variable("region", region)
    return made


class Body(io.BytesIO):
    """A body on a pretended socket; `during_read` is called before each read of at most `part` bytes."""

    def __init__(
        self, content: bytes, *, part: int = 1 << 20, during_read: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(content)
        self.timeouts: list[float] = []
        self._part = part
        self._during_read = during_read
        connection = SimpleNamespace(settimeout=self.timeouts.append)
        self.fp = SimpleNamespace(raw=SimpleNamespace(_sock=connection))

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `part` of the bytes that are left."""
        self._during_read()
        return super().read(self._part if size is None or size < 0 else min(size, self._part))

    read1 = read


def failing(error: Exception) -> Body:
    """Return a body that raises an error when it is read."""

    def fail() -> None:
        raise error

    return Body(b"{}", during_read=fail)


def answer(
    status: int = 200, body: bytes | Body = b"", headers: Mapping[str, str] | None = None
) -> AWSResponse:
    """Return a response as it arrives; it states its true length unless the headers state another."""
    stream = body if isinstance(body, Body) else Body(body)
    told = {"content-length": str(len(stream.getvalue())), **(headers or {})}
    raw = urllib3.HTTPResponse(
        stream,
        headers=told,
        status=status,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )
    return parsed(status, raw)


def parsed(status: int, raw: urllib3.HTTPResponse) -> AWSResponse:
    """Return botocore's form of a response of urllib3's."""
    headers: Any = raw.headers
    return AWSResponse("https://far.example", status, headers, raw)


def json_answer(members: Mapping[str, Any], status: int = 200) -> AWSResponse:
    """Return a response of an AWS JSON service."""
    return answer(status, json.dumps(members).encode())


def refusal(code: str, status: int = 400, message: str = "", **members: Any) -> AWSResponse:
    """Return an error of the service model, as the JSON services send it."""
    text = json.dumps({"__type": f"com.amazonaws#{code}", "message": message, **members})
    return answer(status, text.encode(), {"x-amzn-errortype": code})


@cache
def session(region: str = REGION) -> Session:
    """Return the session that most tests share, because loading the SDK's data takes time."""
    return new_session(region)


Reply = AWSResponse | Exception | Callable[[AWSPreparedRequest], AWSResponse]


class FarSide:
    """Responds to a client's requests from a script, and keeps the requests."""

    def __init__(self, client: BaseClient, *replies: Reply) -> None:
        self.requests: list[AWSPreparedRequest] = []
        self.bodies: list[bytes] = []
        self._replies = list(replies)
        client.meta.events.register("before-send", self._send)  # type: ignore[arg-type]  # a returned response replaces the sending

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The JSON bodies of the requests."""
        return [json.loads(body) for body in self.bodies]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        body: Any = request.body
        self.bodies.append(body.read() if hasattr(body, "read") else body or b"")
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, AWSResponse) else reply(request)
