"""Derives the owner of a generation from the principal that the gateway verified, never from an unchecked header."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imagegen.errors import Unauthorized

Headers = Mapping[str, Sequence[str]]
"""The values of each header by its name in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalKind:
    """One way in which the gateway says who the caller is.

    `find` returns the principal, or None if the gateway says it in another way. Kinds with the same `prefix` give the
    same principal the same owner.
    """

    prefix: str
    find: Callable[[Mapping[str, Any], Headers], str | None]


def owner_of(context: Mapping[str, Any], headers: Headers) -> str:
    """Return the owner (26 letters and digits) of what a request makes, by the event's `requestContext`.

    See the API Gateway developer guide, "$context variables".

    Raises:
        Unauthorized: there is no verified principal, or more than one key to choose from.
    """
    for kind in PRINCIPALS:
        principal = kind.find(context, headers)
        if principal:
            # The prefix keeps an API key from ever being taken for an ARN of the same text.
            digest = hashlib.sha256(f"{kind.prefix}:{principal}".encode()).digest()
            # 26 characters of base32 are 130 bits, too many for two owners to meet by chance.
            return b32encode(digest).decode().lower()[:26]
    raise Unauthorized("The request needs one API key in the x-api-key header.")


def _signer(context: Mapping[str, Any], _: Headers) -> str | None:
    """Return the ARN whose signature the gateway checked; of an assumed role, without the session."""
    # Whoever assumes a role chooses the session's name. So all sessions of a role are one owner.
    arn = (context.get("identity") or {}).get("userArn") or ""
    return str(arn.rpartition("/")[0] if ":assumed-role/" in arn else arn)


def _checked_key(context: Mapping[str, Any], _: Headers) -> str | None:
    return (context.get("identity") or {}).get("apiKey")


def _sent_key(_: Mapping[str, Any], headers: Headers) -> str | None:
    # Some gateways check the key and pass the header on, but do not name the key in the event. With two keys in the
    # header, nobody could say which one was checked.
    keys = set(headers.get("x-api-key") or ())
    return keys.pop() if len(keys) == 1 else None


PRINCIPALS: Final = (
    PrincipalKind(prefix="iam", find=_signer),
    PrincipalKind(prefix="key", find=_checked_key),
    PrincipalKind(prefix="key", find=_sent_key),
)
"""The first kind that finds a principal decides, so what the gateway reports comes before the caller's header."""
