"""The one call that the authorizer makes: DynamoDB's `GetItem`, signed and sent without the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from imagegen.adapters.direct.connection import FAILURES, UnusableError
from imagegen.adapters.direct.resending import RefusedError
from imagegen.adapters.direct.table_calls import TableCalls
from imagegen.adapters.key_table.items import stored_key
from imagegen.errors import InternalError, Misconfigured
from imagegen.keys.stored_key import StoredKey

_MISCONFIGURED: Final = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}
)


class KeyLookUp:
    """Reads single keys of the table."""

    def __init__(self, *, calls: TableCalls, table: str) -> None:
        self._calls = calls
        self._table = table

    def get(self, id_: str) -> StoredKey | None:
        """Return what is stored of a key, read consistently, so that a new key works at once.

        Raises:
            Misconfigured: the table is missing, or may not be read.
            InternalError: there was no response that tells whether there is such a key.
        """
        asked = {"TableName": self._table, "Key": {"id": {"S": id_}}, "ConsistentRead": True}
        try:
            # Repeating a read is safe.
            return self._calls.call("GetItem", asked, read=lambda reply: _key_of(reply, id_=id_))
        except RefusedError as exc:
            if exc.code in _MISCONFIGURED:
                raise Misconfigured(
                    "The table of keys is missing, or the authorizer has no right to read it."
                ) from exc
            raise InternalError("The table of keys did not respond.") from exc
        except FAILURES as exc:
            raise InternalError("The table of keys did not respond.") from exc


def _key_of(reply: Mapping[str, Any], *, id_: str) -> StoredKey | None:
    if not reply:
        return None
    try:
        stored = stored_key(reply["Item"])
    except (KeyError, ValueError) as exc:
        raise UnusableError("The response holds no key.") from exc
    if stored.id != id_:
        raise UnusableError("The response holds another key.")
    return stored
