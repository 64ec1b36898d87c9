"""Describes the members of replies, for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


class Described:
    """What JSON Schema says of a member besides its type: `description`, `examples`, bounds.

    It takes the place of pydantic's `Field`. No reply is checked, so loading pydantic for this would be wasted.
    """

    def __init__(self, **keywords: Any) -> None:
        self._keywords = keywords

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the keywords; only `apidoc/` calls this."""
        return {**handler(schema), **self._keywords}
