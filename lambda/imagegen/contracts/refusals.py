"""Names fields and words refusals, so that a problem stays within 4 KB and quotes no value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from imagegen.errors import MAX_FIELD_ERRORS, FieldError, ImagegenError, InvalidParameter, UnknownParameter

MAX_FIELD_LENGTH: Final = 64
"""An error repeats at most so many characters of a field name that the caller invented."""

_MAX_EXPLANATION: Final = 600

Location = tuple[int | str, ...]
"""The names and indexes that lead to a field, outermost first."""


def field_path(location: Location) -> str:
    """Return a location as `text_prompts[0].text`, in at most `MAX_FIELD_LENGTH` printable ASCII characters.

    The contract's own names are ASCII. Other characters of an unknown name are escaped, so that they cannot deceive.
    """
    # Cut before it is escaped: the name may be as long as the body.
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{part[: MAX_FIELD_LENGTH + 1]}" for part in location
    )
    path = "".join(parts).removeprefix(".")
    printable = "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in path)
    return printable if len(printable) <= MAX_FIELD_LENGTH else f"{printable[: MAX_FIELD_LENGTH - 3]}..."


def unknown_field(location: Location, *, known: Iterable[str]) -> FieldError:
    """Return the error for an unknown name; it suggests a known name that is similar."""
    # Cut first: `get_close_matches` takes quadratic time.
    name = str(location[-1])[:MAX_FIELD_LENGTH].lower()
    near = get_close_matches(name, list(known), n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return FieldError(field=field_path(location), message=f"is not a parameter{hint}")


def refusal(
    *, unknown: Sequence[FieldError] = (), invalid: Sequence[FieldError] = ()
) -> UnknownParameter | InvalidParameter:
    """Return the error for a refused request, with every fault; one unknown name makes it `unknown_parameter`."""
    found = (*unknown, *invalid)
    detail = f"{found[0].field} {found[0].message}." if len(found) == 1 else _summary(unknown, invalid)
    if len(found) > MAX_FIELD_ERRORS:
        detail += f" The first {MAX_FIELD_ERRORS} are listed."
    # A misspelt name often explains the other errors as well.
    kind = UnknownParameter if unknown else InvalidParameter
    return kind(detail, errors=found[:MAX_FIELD_ERRORS])


def _summary(unknown: Sequence[FieldError], invalid: Sequence[FieldError]) -> str:
    counts = ((len(unknown), "known"), (len(invalid), "valid"))
    parts = (f"{n} {'parameter is' if n == 1 else 'parameters are'} not {what}" for n, what in counts if n)
    return f"{' and '.join(parts)}."


def explained(error: ImagegenError) -> str:
    """Return an error's sentence with its field errors, for bodies without a list of them; at most 600 characters."""
    told = [f"{item.field} {item.message}" for item in error.errors[:MAX_FIELD_ERRORS]]
    if not told or (len(told) == 1 and error.errors[0].message in error.detail):
        return error.detail
    return f"{error.detail} {'; '.join(told)}."[:_MAX_EXPLANATION]
