"""The body of an API Gateway proxy event as bytes, if its headers say JSON in UTF-8 and nothing else.

`Content-Type` follows RFC 9110 §8.3: absent, or `application/json` once, in any case. A `charset` other than
utf-8 is refused; other well-formed parameters have no meaning for JSON and are passed over (RFC 8259 §11).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Final

from imagegen.errors import InvalidJson, UnsupportedMediaType
from imagegen.http.request import header_values
from imagegen.http.strict_json import MAX_BODY_BYTES, check_size

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = rf'(?P<name>{_WORD})=(?P<value>{_WORD}|"(?:[^"\\]|\\.)*+")'
_MEDIA_TYPE: Final = re.compile(r"[ \t]*application/json", re.IGNORECASE)
_NEXT_PARAMETER: Final = re.compile(rf"[ \t]*;[ \t]*(?:{_PARAMETER})?")


def body_of(
    body: str | None,
    *,
    is_base64_encoded: bool,
    headers: Mapping[str, Sequence[str]],
    max_bytes: int = MAX_BODY_BYTES,
) -> bytes:
    """Return the bytes that the client sent; none where there is no body.

    Raises:
        UnsupportedMediaType: the type is not JSON, the charset not UTF-8, or the body is compressed.
        PayloadTooLarge: the body is certainly longer than `max_bytes`; `strict_json.loads` checks exactly.
        InvalidJson: the event's base64 or text stands for no bytes.
    """
    _check_type(header_values(headers, "content-type"))
    _check_encoding(header_values(headers, "content-encoding"))
    if body is None:
        return b""
    if is_base64_encoded:
        check_size(len(body) // 4 * 3 - 2, max_bytes=max_bytes)
        try:
            return base64.b64decode(body, validate=True)
        except ValueError as exc:
            raise InvalidJson("The body is not valid base64.") from exc
    check_size(len(body), max_bytes=max_bytes)
    try:
        return body.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise InvalidJson("The body is not UTF-8.") from exc


def _check_type(values: Sequence[str]) -> None:
    if not values:
        return
    if len(values) > 1:
        raise UnsupportedMediaType("The request has more than one Content-Type.")
    if not _is_json(values[0]):
        raise UnsupportedMediaType("Content-Type must be application/json, with charset=utf-8 if any.")


def _is_json(value: str) -> bool:
    media_type = _MEDIA_TYPE.match(value)
    if media_type is None:
        return False
    position = media_type.end()
    while parameter := _NEXT_PARAMETER.match(value, position):
        position = parameter.end()
        name, given = parameter["name"], parameter["value"]
        if name is not None and name.lower() == "charset" and given.strip('"').lower() != "utf-8":
            return False
    return not value[position:].strip(" \t")


def _check_encoding(values: Sequence[str]) -> None:
    encodings = {encoding.strip(" \t").lower() for value in values for encoding in value.split(",")}
    if encodings - {"identity", ""}:
        raise UnsupportedMediaType("Content-Encoding must be identity or absent.")
