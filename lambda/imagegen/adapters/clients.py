"""The AWS clients, made once for each process, with explicit time-outs and retries.

None of this may be left to botocore's defaults: they send 3 to 5 requests for one call that timed out, and sign
URLs with SigV2 (`docs/decisions/0040-one-request-for-one-call.md`). Endpoints follow `AWS_ENDPOINT_URL` and
`AWS_ENDPOINT_URL_<SERVICE>` as in every AWS SDK. They are botocore's own, without boto3, which the functions would load
for nothing (`docs/decisions/0122-the-functions-use-botocore.md`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

from botocore.config import Config

from imagegen.adapters.direct.connection import CONNECT_TIMEOUT, READ_TIMEOUT
from imagegen.adapters.direct.resending import ATTEMPTS

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")
Client = TypeVar("Client")

AddressingStyle = Literal["virtual", "path"]

_MAKING: Final = threading.Lock()


def made_once(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that makes something when it is first called, once, however many threads call it."""
    made: list[T] = []

    def get() -> T:
        # One lock for all, because a session must not make two clients at the same time.
        with _MAKING:
            if not made:
                made.append(make())
        return made[0]

    return get


class OfRegions(Mapping[str, Client]):
    """Clients by region: that of the first region is made at once, the others when they are first asked for."""

    def __init__(self, make: Callable[[str], Client], *, regions: Sequence[str]) -> None:
        self._clients = {region: made_once(partial(make, region)) for region in regions}
        self._clients[regions[0]]()

    def __getitem__(self, region: str) -> Client:
        return self._clients[region]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)


def bedrock_runtime(session: Session, *, region: str, model_timeout: float) -> BedrockRuntimeClient:
    """Return a client that sends exactly one request for one call, whatever `AWS_MAX_ATTEMPTS` says."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=model_timeout,
        # Not `max_attempts`, which counts retries: with 1 it sends two requests.
        retries={"total_max_attempts": 1, "mode": "standard"},
        # A model may work for minutes without sending a byte.
        tcp_keepalive=True,
    )
    return cast(
        "BedrockRuntimeClient", session.create_client("bedrock-runtime", region_name=region, config=config)
    )


def bedrock(session: Session, *, region: str) -> BedrockClient:
    """Return a client for Bedrock's control plane, which tells what is known of a model."""
    return cast(
        "BedrockClient", session.create_client("bedrock", region_name=region, config=_service_config())
    )


def s3(session: Session, *, addressing_style: AddressingStyle) -> S3Client:
    """Return a client whose presigned URLs are SigV4 on the bucket's regional host."""
    config = Config(
        signature_version="s3v4",
        s3={
            "addressing_style": addressing_style,
            # The global host may redirect a request to a new bucket, but a signature holds for one host only.
            "us_east_1_regional_endpoint": "regional",
            "use_accelerate_endpoint": False,
            # The signature covers the checksum, and that covers the body. Hashing the body again costs time.
            "payload_signing_enabled": False,
        },
    )
    return cast("S3Client", session.create_client("s3", config=_service_config().merge(config)))


def sqs(session: Session) -> SQSClient:
    """Return a client for the queue."""
    return cast("SQSClient", session.create_client("sqs", config=_service_config()))


def secretsmanager(session: Session) -> SecretsManagerClient:
    """Return a client for the webhook secret."""
    return cast("SecretsManagerClient", session.create_client("secretsmanager", config=_service_config()))


def _service_config() -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
