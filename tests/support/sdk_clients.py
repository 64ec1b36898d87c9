"""The SDK's clients, where a test needs them in place of the calls that the service makes without the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.config import Config

from imagegen import wiring
from imagegen.adapters.direct.connection import CONNECT_TIMEOUT, READ_TIMEOUT
from imagegen.adapters.direct.resending import ATTEMPTS

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from imagegen.adapters.direct.runtime_client import DirectRuntime


def dynamodb(session: Session, *, attempts: int = ATTEMPTS) -> DynamoDBClient:
    """Return the SDK's client of DynamoDB, as patient as the service is."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    return cast("DynamoDBClient", session.create_client("dynamodb", config=config))


@dataclass(frozen=True)
class SdkAnswer:
    """Has the method of an `Answer`, over a body of the SDK's."""

    body: Any

    def read(self, *, seconds: float, longest: int) -> bytes:
        """Return the body. What comes from a script of this process takes no time."""
        assert seconds > 0
        content: bytes = self.body.read()
        assert len(content) <= longest
        return content


@dataclass(frozen=True)
class _SdkModel:
    client: BedrockRuntimeClient

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def invoke_model(self, **parameters: Any) -> SdkAnswer:
        """Call a model with the SDK's client."""
        return SdkAnswer(self.client.invoke_model(**parameters)["body"])


def sdk_model(client: BedrockRuntimeClient) -> DirectRuntime:
    """Return what takes the place of a `DirectRuntime`, and leaves every call to the SDK."""
    return cast("DirectRuntime", _SdkModel(client))


@dataclass(frozen=True)
class SdkSession:
    """Has the methods of `DirectSession`, and leaves every call to the SDK."""

    session: Session

    def table(self, *, attempts: int = ATTEMPTS) -> DynamoDBClient:
        """Return the SDK's client of DynamoDB."""
        return dynamodb(self.session, attempts=attempts)

    def bucket(self, client: S3Client) -> S3Client:
        """Return the client as it is."""
        return client

    def runtime(self, client: BedrockRuntimeClient) -> DirectRuntime:
        """Return the client with the answers of a direct one."""
        return sdk_model(client)


@contextmanager
def sdk_alone() -> Iterator[None]:
    """Let `wire` leave every call to the SDK, so that a test can take its calls in this process."""

    def make(session: Session, **_: Any) -> SdkSession:
        return SdkSession(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "DirectSession", make)
        yield
