"""Signs a POST with Signature Version 4, as botocore would, without loading botocore.

It follows the AWS Identity and Access Management user guide, "Create a signed AWS API request". A test compares every
signature with botocore's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The credentials of the signer. Only temporary ones, such as those of a function's role, have a session token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed(
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a POST to the path `/` without a query, signed.

    Args:
        headers: All headers that the signature covers, `Host` among them.
        body: What is posted.
        credentials: Who signs.
        region: The region that the request is sent to.
        service: The name that the service has in signatures.
        now: The time in UTC. AWS refuses a signature that is five minutes away from its own clock.
    """
    time = f"{now:%Y%m%dT%H%M%SZ}"
    sent = {**headers, "X-Amz-Date": time}
    if credentials.session_token:
        sent["X-Amz-Security-Token"] = credentials.session_token
    canonical = {name.lower(): " ".join(sent[name].split()) for name in sorted(sent, key=str.lower)}
    names = ";".join(canonical)
    request = "\n".join(
        ("POST", "/", "", *(f"{name}:{value}" for name, value in canonical.items()), "", names, _hash(body))
    )
    scope = (time[:8], region, service, "aws4_request")
    to_sign = "\n".join((_ALGORITHM, time, "/".join(scope), _hash(request.encode())))
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope:
        key = _mac(key, part)
    credential = "/".join((credentials.access_key_id, *scope))
    authorization = (
        f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={_mac(key, to_sign).hex()}"
    )
    return {**sent, "Authorization": authorization}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
