"""Makes AWS clients for the operator's commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tools.failures import LocalError


def client(service: str, options: Mapping[str, Any]) -> Any:
    """Return a client; `options` are keyword arguments of `boto3.client`.

    Raises:
        LocalError: the operator's configuration of AWS has a value that cannot be used.
    """
    make: Any = boto3.client
    try:
        return make(service, **options)
    except ValueError as error:  # an endpoint, or a number, in the variables or in ~/.aws/config
        raise LocalError(f"Your AWS configuration cannot be used: {error}.") from error


def failure(error: BotoCoreError | ClientError) -> str:
    """Return the sentence for a request that AWS refused, or that did not reach it."""
    # Its subclasses have sentences of their own; the text of the class itself may quote a header with credentials.
    if type(error) is HTTPClientError:
        return "A request to AWS could not be sent: look for a character in your AWS configuration that is wrong."
    return f"A request to AWS failed: {error}"
