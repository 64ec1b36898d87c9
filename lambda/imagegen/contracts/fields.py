"""Derives the words of an error, which say what a field may hold, from the field's own definition.

The words follow from the type, the bounds, the lengths and the choices that pydantic checks, so a changed bound changes
its sentence. `Words` replaces them in the few fields where they would not help.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import core_schema

from imagegen.contracts.refusals import Location, field_path, unknown_field
from imagegen.errors import MAX_FIELD_ERRORS, FieldError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

_COUNTED: Final[dict[Any, tuple[str, str]]] = {str: ("a string", "characters"), list: ("an array", "items")}
_UNBOUNDED: Final[dict[Any, str]] = {bool: "true or false", dict: "an object"}
_ANY_OBJECT: Final = "an object whose names are Unicode text"
"""What a body has to be; also said in an error that belongs to no field."""


@dataclass(frozen=True, slots=True)
class Words:
    """A field's own words after "must be", in place of the derived ones."""

    text: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Allows one of these texts: pydantic checks it; the JSON Schema and the error list the values."""

    values: Sequence[str]

    @property
    def text(self) -> str:
        """The words that follow "must be" in an error."""
        return f"one of {', '.join(self.values)}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Check the value after its type."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """List the values."""
        return {**handler(schema), "enum": [*self.values]}

    def _checked(self, value: str) -> str:
        if value not in self.values:
            raise ValueError("not one of the values")
        return value


def field_errors(
    exc: ValidationError, body: type[BaseModel]
) -> tuple[Sequence[FieldError], Sequence[FieldError]]:
    """Return the errors of unknown names, then those of values that are not allowed."""
    unknown: list[FieldError] = []
    invalid: list[FieldError] = []
    # With `include_input` the errors would hold the caller's values, and prompts among them.
    for error in exc.errors(include_url=False, include_context=False, include_input=False):
        location = error["loc"]
        if error["type"] == "extra_forbidden":
            # A body has room for 30,000 names, and a suggestion for each would take seconds. Only a few are told.
            known = _model_at(body, location[:-1]).model_fields if len(unknown) < MAX_FIELD_ERRORS else ()
            unknown.append(unknown_field(location, known=known))
        else:
            required = "is required and " if error["type"] == "missing" else ""
            message = f"{required}must be {_allowed_at(body, location)}"
            invalid.append(FieldError(field=field_path(location) or "body", message=message))
    # pydantic reports a value that fits no member of a union once for each member.
    return list(dict.fromkeys(unknown)), list(dict.fromkeys(invalid))


def _model_at(body: type[BaseModel], location: Location) -> type[BaseModel]:
    annotation, _ = _found(body, location)
    return annotation if _is_model(annotation) else body


def _allowed_at(body: type[BaseModel], location: Location) -> str:
    annotation, metadata = _found(body, location)
    return _allowed(annotation, metadata) if location and annotation is not None else _ANY_OBJECT


def _found(body: type[BaseModel], location: Location) -> tuple[Any, Sequence[object]]:
    """Return the type and metadata of the field at a location; None if the definition has no such field."""
    annotation: Any = body
    metadata: Sequence[object] = ()
    for part in location:
        if isinstance(part, str) and _is_model(annotation) and part in annotation.model_fields:
            field = annotation.model_fields[part]
            annotation, metadata = _without_none(field.annotation), field.metadata
        elif isinstance(part, int) and get_origin(annotation) is list:
            (annotation,), metadata = get_args(annotation), ()
        else:
            return None, ()
    return annotation, metadata


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation
    members = [member for member in get_args(annotation) if member is not types.NoneType]
    return members[0] if len(members) == 1 else annotation


def _allowed(annotation: Any, metadata: Sequence[object]) -> str:
    own = next((item for item in metadata if isinstance(item, Words | OneOf)), None)
    return _derived(_without_none(annotation), metadata) if own is None else own.text


def _derived(annotation: Any, metadata: Sequence[object]) -> str:
    kind = get_origin(annotation) or annotation
    if kind is Literal:
        return OneOf(get_args(annotation)).text
    if _is_model(annotation):
        return _object(annotation)
    if kind in {int, float}:
        return _number(kind, _bounds(metadata, "ge", "le"))
    if kind in _COUNTED:
        noun, unit = _COUNTED[kind]
        return noun + _counted(_bounds(metadata, "min_length", "max_length"), unit)
    return _UNBOUNDED[kind]


def _object(model: type[BaseModel]) -> str:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    optional = [name for name, field in model.model_fields.items() if not field.is_required()]
    wanted = f" and, optionally, {', '.join(optional)}" if optional else ""
    return f"an object with {', '.join(required)}{wanted}"


def _number(kind: type[int | float], bounds: tuple[Any, Any]) -> str:
    low, high = bounds
    noun, written = ("an integer", "d") if kind is int else ("a number", "g")
    # A float without bounds is the weight of a prompt, which only has to be finite.
    if low is None or high is None:
        return noun if kind is int else "a finite number"
    return f"the integer {low}" if low == high else f"{noun} from {low:{written}} to {high:{written}}"


def _counted(bounds: tuple[Any, Any], unit: str) -> str:
    low, high = bounds
    if high is None:
        return ""
    return f" of at most {high} {unit}" if low is None else f" of {low} to {high} {unit}"


def _bounds(metadata: Sequence[object], low: str, high: str) -> tuple[Any, Any]:
    def bound(name: str) -> Any:
        return next((getattr(item, name) for item in metadata if getattr(item, name, None) is not None), None)

    return bound(low), bound(high)
