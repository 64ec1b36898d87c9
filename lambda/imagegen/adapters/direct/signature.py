"""Signs a request with Signature Version 4, as botocore would, without loading botocore.

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
from urllib.parse import quote

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The credentials of the signer. Only temporary ones, such as those of a function's role, have a session token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed(
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    path: str = "/",
    body_hash: str,
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers of a request without a query, signed.

    Args:
        headers: All headers that the signature covers, `Host` among them.
        method: The method of HTTP.
        path: The path as it is sent, percent-encoded.
        body_hash: What `hash_of` returns for the body.
        credentials: Who signs.
        region: The region that the request is sent to.
        service: The name that the service has in signatures.
        now: The time in UTC. AWS refuses a signature that is five minutes away from its own clock.
    """
    time = _time(now)
    sent = {**headers, "X-Amz-Date": time}
    if credentials.session_token:
        sent["X-Amz-Security-Token"] = credentials.session_token
    canonical = {name.lower(): " ".join(sent[name].split()) for name in sorted(sent, key=str.lower)}
    names = ";".join(canonical)
    # Every service but S3 encodes the path of a signature once more.
    named = path if service == "s3" else quote(path, safe="/~")
    lines = (f"{name}:{value}" for name, value in canonical.items())
    request = "\n".join((method, named, "", *lines, "", names, body_hash))
    scope = (time[:8], region, service, "aws4_request")
    authorization = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{'/'.join(scope)}, SignedHeaders={names}, "
        f"Signature={_signature(request, time=time, scope=scope, credentials=credentials)}"
    )
    return {**sent, "Authorization": authorization}


def presigned_query(
    query: Mapping[str, str],
    *,
    host: str,
    path: str,
    expires_in: int,
    credentials: Credentials,
    region: str,
    now: datetime,
) -> str:
    """Return the query of a URL that lets whoever has it read an object of S3.

    It follows the Amazon S3 API reference, "Authenticating requests: using query parameters".

    Args:
        query: What the URL asks for.
        host: The host of the URL, with a port that is not the usual one.
        path: The path of the URL, percent-encoded.
        expires_in: How many seconds the URL works, at most 604,800.
        credentials: Who signs.
        region: The region of the bucket.
        now: The time in UTC, from which the seconds count.
    """
    time = _time(now)
    scope = (time[:8], region, "s3", "aws4_request")
    members = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{'/'.join(scope)}",
        "X-Amz-Date": time,
        "X-Amz-Expires": str(expires_in),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session_token:
        members["X-Amz-Security-Token"] = credentials.session_token
    encoded = "&".join(f"{quote(name, safe='')}={quote(members[name], safe='')}" for name in sorted(members))
    request = "\n".join(("GET", path, encoded, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"))
    signature = _signature(request, time=time, scope=scope, credentials=credentials)
    return f"{encoded}&X-Amz-Signature={signature}"


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of a body in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _time(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}"


def _signature(request: str, *, time: str, scope: tuple[str, ...], credentials: Credentials) -> str:
    to_sign = "\n".join((_ALGORITHM, time, "/".join(scope), hash_of(request.encode())))
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope:
        key = _mac(key, part)
    return _mac(key, to_sign).hex()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
