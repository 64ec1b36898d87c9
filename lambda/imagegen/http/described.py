"""Describes the members of replies, for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class Described:
    """What JSON Schema says of a member besides its type: `description`, `examples`, bounds.

    It stands where pydantic's `Field` would, which the functions would have to load for nothing: no reply is checked.
    """

    def __init__(self, **keywords: Any) -> None:
        self._keywords = keywords

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the keywords; only `apidoc/` asks for it."""
        return {**handler(schema), **self._keywords}
