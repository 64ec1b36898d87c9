"""Decides for API Gateway whether a request may go on, by the API key that it carries in one of two headers.

See the API Gateway developer guide, "Use API Gateway Lambda authorizers". The gateway replies to a `Deny` with
ACCESS_DENIED, and to an error with exactly the text "Unauthorized" with UNAUTHORIZED. `stacks/gateway_responses.py`
makes a 401 of the first and a 400 of the second: see docs/decisions/0016-keys-of-our-own.md.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import StoredKey

CACHE_FOR: Final = timedelta(seconds=30)
"""How long a process goes by what it read about a key. A revoked key is refused everywhere after that."""

READ_AGAIN_AFTER: Final = timedelta(seconds=2)
"""A key that what was read does not accept may be one that was rotated just now. So it is looked up again, but not
more often than this."""

CACHED_KEYS: Final = 1_000

_BEARER: Final = re.compile(r"[ \t]*bearer[ \t]++(?P<token>[^ \t]++)[ \t]*", re.IGNORECASE)


class AmbiguousKeys(Exception):
    """The request carries two different keys; API Gateway knows this error by its text."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class KeyStore(Protocol):
    """Where the keys are kept."""

    def get(self, id_: str) -> StoredKey | None:
        """Return what is stored of a key, or None if there is no such key."""


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return it in UTC."""


class Authorizer:
    """Checks keys; it remembers what it read about a key for half a minute."""

    def __init__(self, *, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._known: OrderedDict[str, tuple[datetime, StoredKey]] = OrderedDict()

    def decide(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the policy for a request that the gateway asks about.

        Raises:
            AmbiguousKeys: the request carries two different keys.
        """
        sent = sent_keys(_headers(event))
        if len(sent) > 1:
            raise AmbiguousKeys
        stored = self._accepted(sent[0]) if sent else None
        return _policy("Deny") if stored is None else _policy("Allow", stored)

    def _accepted(self, text: str) -> StoredKey | None:
        key = ApiKey.parse(text)
        if key is None:
            # Whatever does not look like a key costs no read of the table.
            return None
        now = self._clock.now()
        stored = self._look_up(key, now)
        return stored if stored is not None and stored.accepts(key, now) else None

    def _look_up(self, key: ApiKey, now: datetime) -> StoredKey | None:
        read_at, known = self._known.get(key.id, (now, None))
        if known is not None:
            good_for = CACHE_FOR if known.accepts(key, now) else READ_AGAIN_AFTER
            if now < read_at + good_for:
                return known
        stored = self._keys.get(key.id)
        if stored is None:
            # Unknown ids are not remembered: a stranger could fill the memory with them.
            self._known.pop(key.id, None)
            return None
        self._known[key.id] = (now, stored)
        self._known.move_to_end(key.id)
        if len(self._known) > CACHED_KEYS:
            self._known.popitem(last=False)
        return stored


def sent_keys(headers: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the different keys that a request carries, in `x-api-key` or as a bearer token, in their order.

    An `Authorization` of another scheme is not for this service, and is passed over.
    """
    plain = [value.strip(" \t") for value in headers.get("x-api-key", ())]
    bearer = [
        found["token"] for value in headers.get("authorization", ()) if (found := _BEARER.fullmatch(value))
    ]
    return list(dict.fromkeys(key for key in (*plain, *bearer) if key))


def _headers(event: Mapping[str, Any]) -> dict[str, list[str]]:
    many: Mapping[str, Sequence[str]] = event.get("multiValueHeaders") or {
        name: [value] for name, value in (event.get("headers") or {}).items()
    }
    lowered: dict[str, list[str]] = {}
    for name, values in many.items():
        lowered.setdefault(name.lower(), []).extend(values)
    return lowered


def _policy(effect: str, stored: StoredKey | None = None) -> dict[str, Any]:
    # The gateway does not keep this policy, so it holds for one request, whatever resource it names. A method's ARN
    # holds the path as the client wrote it, and would not always match itself.
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": "*"}
    policy: dict[str, Any] = {
        "principalId": stored.id if stored else "nobody",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    if stored:
        # The gateway passes only texts, numbers and booleans on.
        policy["context"] = {"keyId": stored.id, "limits": json.dumps(dict(stored.limits))}
    return policy
