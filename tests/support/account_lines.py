"""Lines of the logs of a deployed stage, in the form that AWS documents, and clients that read recorded replies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.stub import Stubber

from tests.support.fakes import CORE


def report(id_: str, *, billed: int = 100, memory: int = 512, used: int = 80, more: str = "") -> str:
    """Return a report of Lambda's; `more` are its last members, each with a tab behind it."""
    return (
        f"REPORT RequestId: {id_}\tDuration: {billed - 0.5} ms\tBilled Duration: {billed} ms\t"
        f"Memory Size: {memory} MB\tMax Memory Used: {used} MB\t{more}\n"
    )


def image(id_: str, *, seconds: float, model_seconds: float, invocation: str, model: str = CORE) -> str:
    """Return a function's line about a finished image."""
    return json.dumps(
        {
            "level": "INFO",
            "message": "image generated",
            "function_request_id": invocation,
            "generation": id_,
            "model": model,
            "seconds": seconds,
            "model_seconds": model_seconds,
            "bytes": 1_800_000,
        }
    )


def charge(id_: str, micro_usd: int) -> str:
    """Return a function's line about what a generation cost."""
    return json.dumps(
        {"message": "charged", "generation": id_, "model": CORE, "key": "", "micro_usd": micro_usd}
    )


def access(latency: object, integration: object, authorizer: object) -> str:
    """Return a line of the access log, as far as it is read; the gateway writes every value as a text."""
    return json.dumps(
        {
            "request_id": "1",
            "latency_ms": str(latency),
            "integration_ms": str(integration),
            "authorizer_ms": str(authorizer),
        }
    )


@dataclass
class Recorded:
    """A client of AWS that gives recorded replies, and refuses any request that is not the next one."""

    client: Any
    stubber: Stubber

    @classmethod
    def of(cls, service: str) -> Recorded:
        """Return one without replies."""
        client = boto3.client(
            service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        stubber = Stubber(client)
        stubber.activate()
        return cls(client=client, stubber=stubber)
