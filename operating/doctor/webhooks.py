"""Whether call-backs can be signed with the deployed secret, so that a receiver can verify them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from botocore.exceptions import ClientError
from standardwebhooks import Webhook, WebhookVerificationError

from imagegen.adapters.system import SystemClock
from imagegen.adapters.webhook import SignedCallbacks
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import Misconfigured
from imagegen.generations.generation import Generation
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, skipped

URL: Final = "http://127.0.0.1:1/doctor"
"""Where the call-back is addressed to. Nothing is sent there, because the receiver is in this process."""
ACCEPTED: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
PATIENCE: Final = 5.0
"""Seconds for a call-back that never leaves this process."""
_GONE: Final = frozenset({"ResourceNotFoundException", "InvalidRequestException"})


class _Receiver:
    """The receiver's end of a connection, as far as a call-back uses it: keeps what is sent, and accepts it."""

    def __init__(self) -> None:
        self.received = b""
        self._reply = ACCEPTED

    def settimeout(self, seconds: float) -> None:
        """Do nothing: nobody waits."""

    def sendall(self, part: bytes) -> None:
        """Receive a part of the request."""
        self.received += bytes(part)

    def recv(self, size: int) -> bytes:
        """Return what is left of the reply."""
        part, self._reply = self._reply[:size], self._reply[size:]
        return part

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def signature(examined: Examined) -> Iterator[Finding]:
    """Let the service's own code sign a call-back with the deployed secret, and verify it as a receiver does."""
    arn = examined.service.outputs.get("WebhookSecretArn", "")
    if not arn:
        yield skipped("Requests may not name a webhook_url (webhooks is false).")
        return
    try:
        secret = examined.client("secretsmanager").get_secret_value(SecretId=arn).get("SecretString", "")
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        yield problem(
            "The secret that call-backs are signed with is gone, or is being deleted.",
            examined.aws(f"secretsmanager restore-secret --secret-id {arn}"),
        )
        return
    renew = examined.aws(
        f'secretsmanager put-secret-value --secret-id {arn} --secret-string "$(openssl rand -base64 48)"'
    )
    try:
        body, headers = signed(secret)
        Webhook(secret).verify(body, dict(headers))
    except (Misconfigured, WebhookVerificationError) as error:
        why = error.detail if isinstance(error, Misconfigured) else error
        yield problem(f"No call-back can be signed so that a receiver accepts it: {why}", renew)
        return
    yield fine("A call-back is signed with the deployed secret, and a receiver with that secret accepts it.")


def signed(secret: str) -> tuple[str, Mapping[str, str]]:
    """Return body and headers of a call-back that the service's own code has sent.

    Raises:
        Misconfigured: nothing can be signed with the secret.
    """
    receiver: Any = _Receiver()
    callbacks = SignedCallbacks(
        secret=lambda: secret,
        clock=SystemClock(),
        loopback=True,
        connect=lambda *_: receiver,
        patience=PATIENCE,
    )
    callbacks.deliver(URL, generation=_ended())
    head, _, body = receiver.received.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().splitlines()[1:])
    return body.decode(), {name.lower(): value for name, _, value in lines}


def _ended() -> Generation:
    """Return a generation that exists nowhere."""
    now = datetime.now(tz=UTC)
    return Generation(
        id="gen_" + "a" * 26,
        owner="doctor",
        fingerprint="doctor",
        request=GenerationRequest(
            task=TextToImage(text_prompts=(Prompt(text="a lighthouse"),), seed=1), webhook_url=URL
        ),
        asynchronous=True,
        created_at=now,
        expires_at=now + timedelta(days=1),
        state="succeeded",
        version="doctor",
        claim="doctor",
        quota_day=f"{now:%Y-%m-%d}",
    )
