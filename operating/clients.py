"""Makes AWS clients for the operator's commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3

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
