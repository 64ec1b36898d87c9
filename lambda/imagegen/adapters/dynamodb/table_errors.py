"""What every class of this folder does with an error of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import ClientError

from imagegen.errors import InternalError, Misconfigured

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_MISCONFIGURED: Final = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a call of the table raises into `Misconfigured` or `InternalError`."""
    try:
        yield
    except Exception as exc:
        code = exc.response.get("Error", {}).get("Code") if isinstance(exc, ClientError) else None
        if code in _MISCONFIGURED:
            raise Misconfigured("The table is missing, or the service has no right to use it.") from exc
        raise InternalError("The table did not respond.") from exc


def refusing_item(exc: ClientError) -> Mapping[str, Any]:
    """Return the item on which the condition failed, empty if the table does not send it; re-raise other errors."""
    if exc.response.get("Error", {}).get("Code") != _CONDITION_FAILED:
        raise exc
    response: Mapping[str, Any] = exc.response
    return response.get("Item") or {}
