"""Derives the owner of a generation from the principal that the gateway verified, and from nothing else."""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagegen.errors import Unauthorized


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalKind:
    """One way in which the gateway says who the caller is.

    `find` returns the principal, or None if the gateway says it in another way.
    """

    prefix: str
    find: Callable[[Mapping[str, Any]], str | None]


def owner_of(context: Mapping[str, Any], *, salt: str) -> str:
    """Return the owner (26 letters and digits) of what a request makes, by the event's `requestContext`.

    The salt is the deployment's own. It keeps a stranger who sees an owner in a URL from finding out by trying whose
    it is. See the API Gateway developer guide, "$context variables".

    Raises:
        Unauthorized: there is no verified principal.
    """
    for kind in PRINCIPALS:
        principal = kind.find(context)
        if principal:
            # The prefix keeps the id of a key from ever being taken for an ARN of the same text.
            digest = hashlib.sha256(f"{salt}:{kind.prefix}:{principal}".encode()).digest()
            # 26 characters of base32 are 130 bits, too many for two owners to meet by chance.
            return b32encode(digest).decode().lower()[:26]
    raise Unauthorized("The request needs an API key, as x-api-key or as a bearer token.")


def key_id(context: Mapping[str, Any]) -> str:
    """Return the id of the API key that the authorizer accepted, or nothing for another kind of principal."""
    return _key(context) or ""


def own_limits(context: Mapping[str, Any]) -> Mapping[str, float | None]:
    """Return the limits that the caller's key has by itself, by the name of the setting.

    None means that the key has no such limit. For a name that is absent the deployment's limit holds.
    """
    limits = json.loads((context.get("authorizer") or {}).get("limits") or "{}")
    return {name: limits[name] for name in OWN_LIMITS if name in limits}


def _signer(context: Mapping[str, Any]) -> str | None:
    """Return the ARN whose signature the gateway checked; of an assumed role, without the session."""
    # Whoever assumes a role chooses the session's name. So all sessions of a role are one owner.
    arn = (context.get("identity") or {}).get("userArn") or ""
    return str(arn.rpartition("/")[0] if ":assumed-role/" in arn else arn)


def _key(context: Mapping[str, Any]) -> str | None:
    """Return the id of the key that the authorizer accepted; a rotated key keeps its id."""
    return (context.get("authorizer") or {}).get("keyId")


def _subject(context: Mapping[str, Any]) -> str | None:
    """Return the user of the pool whose token the gateway checked."""
    claims = (context.get("authorizer") or {}).get("claims") or {}
    # A token that a machine got for itself names no user, but its client.
    return claims.get("sub") or claims.get("client_id")


PRINCIPALS: Final = (
    PrincipalKind(prefix="iam", find=_signer),
    PrincipalKind(prefix="key", find=_key),
    PrincipalKind(prefix="cognito", find=_subject),
)
"""The first kind that finds a principal decides. A deployment has one kind, and clients can set none of them."""

OWN_LIMITS: Final = ("daily_images_per_caller", "daily_usd_per_caller", "images_per_minute_per_caller")
"""The limits that a key may have: `LIMITS` of `imagegen.keys.stored_key`, which this room does not import."""
