"""Who owns a generation: a hash of the principal that the gateway verified, never of a header it did not check."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from typing import Any

from imagegen.errors import Unauthorized
from imagegen.http.request import header_values, values_of


def owner_of(event: Mapping[str, Any]) -> str:
    """Return the owner (26 letters and digits) for an API Gateway REST event.

    An IAM caller is its ARN, a token's bearer its `sub`; otherwise it is the API key that the gateway checked. All
    sessions of an assumed role are one owner, since whoever assumes it chooses the session's name.
    See the API Gateway developer guide, "$context variables".

    Raises:
        Unauthorized: the event carries no verified principal, or more than one key to choose from.
    """
    context = event.get("requestContext") or {}
    identity = context.get("identity") or {}
    claims = (context.get("authorizer") or {}).get("claims") or {}
    if identity.get("userArn"):
        return _hashed("iam", _without_session(identity["userArn"]))
    if claims.get("sub"):
        return _hashed("sub", claims["sub"])
    if identity.get("apiKey"):
        return _hashed("key", identity["apiKey"])
    keys = set(header_values(values_of(event, "headers"), "x-api-key"))
    if len(keys) != 1 or not all(keys):
        raise Unauthorized("The request needs one API key in the x-api-key header.")
    return _hashed("key", keys.pop())


def _without_session(arn: str) -> str:
    """Return an assumed role's ARN without its session: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION."""
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


def _hashed(kind: str, principal: str) -> str:
    digest = hashlib.sha256(f"{kind}:{principal}".encode()).digest()
    return b32encode(digest).decode().lower()[:26]
