"""One request as the routes see it: the API Gateway event, unpacked once and frozen.

One pure function reads each header and each query parameter. It takes the list of values that the client sent, which
may be empty.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from imagegen.contracts.refusals import refusal, unknown_field
from imagegen.errors import InvalidJson, UnsupportedMediaType, invalid, no_such_generation
from imagegen.generations.generation import ID_PATTERN
from imagegen.generations.repeats import RepeatSigns
from imagegen.generations.retry import InvocationDeadline
from imagegen.http import strict_json
from imagegen.http.identity import key_id, own_limits, owner_of
from imagegen.http.surface import BASE_PATH, Route

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
DEFAULT_DAYS: Final = 7
MAX_DAYS: Final = 31
MAX_CURSOR_LENGTH: Final = 256
MAX_DOWNLOAD_LENGTH: Final = 128
"""In characters: the longest file name that `download` may ask for."""

_GENERATION_ID: Final = re.compile(ID_PATTERN)
_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,3}")
_SECONDS: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
# These repeat 5xx, lost connections and time-outs of their own by themselves, and nothing in the repeat says so.
_REPEATS_SILENTLY: Final = re.compile(r"\A(?:curl|Wget)/|(?:\A| )ai-sdk[-/]", re.IGNORECASE)
_END_OF_TIME: Final = 253_402_300_800_000
"""The year 10000 in milliseconds since 1970: Python's calendar ends before it."""
_NOT_IN_A_FILE_NAME: Final = frozenset('/\\"')
_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}")
# The possessive quantifiers (`++`, `*+`) keep a hostile header from being tried in every way that it can be split.
_PREFERENCE: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+"?)++')
# RFC 7240 §2: a preference may carry an empty value, and parameters behind a semicolon.
_RESPOND_ASYNC: Final = re.compile(
    r'[ \t]*+respond-async[ \t]*+(?:=[ \t]*+(?:""[ \t]*+)?)?(?:;|\Z)', re.IGNORECASE
)
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = rf'(?P<name>{_WORD})=(?P<value>{_WORD}|"(?:[^"\\]|\\.)*+")'
_MEDIA_TYPE: Final = re.compile(r"[ \t]*application/json", re.IGNORECASE)
_NEXT_PARAMETER: Final = re.compile(rf"[ \t]*;[ \t]*(?:{_PARAMETER})?")


class InvocationContext(Protocol):
    """The part of Lambda's context that a request needs."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left of the invocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Nothing reads the event again.

    `path` is below the base path and begins with a slash. Names of headers are in lower case. `route` is the row of the
    route table that the request matched, or `surface.NO_ROUTE` in the shape of its path. `content` is the body as the
    gateway passed it on, in base64 if `is_base64`. `gateway` is the event's `requestContext`.
    """

    route: Route
    method: str
    path: str
    request_id: str
    headers: Mapping[str, tuple[str, ...]]
    query: Mapping[str, tuple[str, ...]]
    content: str | None
    is_base64: bool
    gateway: Mapping[str, Any]
    deadline: InvocationDeadline
    owner_salt: str = field(repr=False)

    @classmethod
    def from_event(
        cls, event: Mapping[str, Any], context: InvocationContext, *, route: Route, owner_salt: str
    ) -> Request:
        """Return the request that a REST API's proxy event carries."""
        # API Gateway sends null for what a request does not have. See its developer guide, "Input format of a Lambda
        # function for proxy integration".
        gateway = event.get("requestContext") or {}
        return cls(
            route=route,
            method=str(event.get("httpMethod") or "").upper(),
            path=below_base(event),
            request_id=str(gateway.get("requestId") or ""),
            headers=_by_lower_name(_values_of(event, "headers")),
            query=_values_of(event, "queryStringParameters"),
            content=event.get("body"),
            is_base64=bool(event.get("isBase64Encoded")),
            gateway=gateway,
            deadline=InvocationDeadline(remaining_milliseconds=context.get_remaining_time_in_millis),
            owner_salt=owner_salt,
        )

    def header(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, whatever the case of its name."""
        return self.headers.get(name.lower(), ())

    @property
    def owner(self) -> str:
        """The owner of what this request makes.

        Raises:
            Unauthorized: the gateway verified nobody.
        """
        return owner_of(self.gateway, salt=self.owner_salt)

    @property
    def own_limits(self) -> Mapping[str, float | None]:
        """The limits of the caller's API key, by the setting that each overrides."""
        return own_limits(self.gateway)

    @property
    def key_id(self) -> str:
        """The id of the caller's API key, or nothing if the caller was verified in another way."""
        return key_id(self.gateway)

    @property
    def idempotency_key(self) -> str | None:
        """The key under which the request may be repeated.

        Raises:
            InvalidParameter: the header is malformed.
        """
        return idempotency_key(self.header("Idempotency-Key"))

    @property
    def repeat_signs(self) -> RepeatSigns:
        """What the request tells about being a repeat."""
        return replace(repeat_signs(self.headers), arrived=arrived(self.gateway))

    @property
    def prefers_async(self) -> bool:
        """Whether the client asks for a reply before the image is made."""
        return prefers_async(self.header("Prefer"))

    def has(self, tag: str) -> bool:
        """Say whether the client has the version with this entity tag already."""
        return has_version(self.header("If-None-Match"), tag)

    def body(self, max_bytes: int) -> bytes:
        """Return the bytes that the client sent; empty if there is no body.

        Raises:
            UnsupportedMediaType: the type is not JSON, the charset not UTF-8, or the body is compressed.
            PayloadTooLarge: the body is certainly longer than `max_bytes`; `strict_json.loads` checks exactly.
            InvalidJson: the event's base64 or text cannot be turned into bytes.
        """
        _check_type(self.header("Content-Type"))
        _check_encoding(self.header("Content-Encoding"))
        if self.content is None:
            return b""
        if self.is_base64:
            # The fewest bytes that so much base64 can stand for: an oversized body is refused before it is decoded.
            strict_json.check_size(len(self.content) // 4 * 3 - 2, max_bytes=max_bytes)
            try:
                return base64.b64decode(self.content, validate=True)
            except ValueError as exc:
                raise InvalidJson("The body is not valid base64.") from exc
        # Each character takes at least one byte, so a text of more characters is certainly too long.
        strict_json.check_size(len(self.content), max_bytes=max_bytes)
        try:
            return self.content.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise InvalidJson("The body is not UTF-8.") from exc

    def members(self, max_bytes: int) -> dict[str, Any]:
        """Return the members of the JSON object that the body is.

        Raises:
            UnsupportedMediaType, PayloadTooLarge, InvalidJson: the body is not a JSON object that is accepted here.
        """
        return strict_json.loads(self.body(max_bytes), max_bytes=max_bytes)


def below_base(event: Mapping[str, Any]) -> str:
    """Return the path of an event without the base path; it begins with a slash."""
    # API Gateway leaves the stage out of `path`, but a custom domain name's base path stands in it. The request's
    # context has the whole path: if the base path stands there twice, the second one is part of the route's path.
    path = str(event.get("path") or "")
    whole = str((event.get("requestContext") or {}).get("path") or path)
    if _is_below(BASE_PATH, path) and not _is_below(BASE_PATH * 2, whole):
        path = path.removeprefix(BASE_PATH)
    return path or "/"


def check_query(query: Iterable[str], route: Route) -> None:
    """Refuse query parameters that a route does not take.

    Raises:
        UnknownParameter: at least one name is not in the route's row.
    """
    unknown = [unknown_field((name,), known=route.query) for name in query if name not in route.query]
    if unknown:
        raise refusal(unknown=unknown)


def _is_below(base: str, path: str) -> bool:
    return path == base or path.startswith(f"{base}/")


def _values_of(event: Mapping[str, Any], member: str) -> dict[str, tuple[str, ...]]:
    """Return an event's `headers` or `queryStringParameters`, each with all its values."""
    # API Gateway sends both forms. The one with a single value for each name keeps only the last of several.
    many: Mapping[str, Sequence[str]] | None = event.get(f"multiValue{member[0].upper()}{member[1:]}")
    if many is not None:
        return {name: tuple(values) for name, values in many.items()}
    return {name: (value,) for name, value in (event.get(member) or {}).items()}


def _by_lower_name(headers: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    # Two spellings of one name are one header that was sent twice (RFC 9110 §5.1).
    lowered: dict[str, tuple[str, ...]] = {}
    for name, values in headers.items():
        lowered[name.lower()] = lowered.get(name.lower(), ()) + values
    return lowered


def idempotency_key(values: Sequence[str]) -> str | None:
    """Return the value of `Idempotency-Key`, or None if it was not sent.

    Raises:
        InvalidParameter: it is repeated, or anything but 16–64 of `A-Za-z0-9_-`.
    """
    if not values:
        return None
    if len(values) > 1 or not _IDEMPOTENCY_KEY.fullmatch(values[0]):
        raise invalid(
            "Idempotency-Key", "must be sent once and have 16 to 64 characters of A-Z, a-z, 0-9, _ and -"
        )
    return values[0]


def repeat_signs(headers: Mapping[str, Sequence[str]]) -> RepeatSigns:
    """Return what a client's own headers tell about being a repeat; what cannot be read counts as absent.

    OpenAI's clients number their attempts, and say for how many seconds they wait.
    """
    counts = headers.get("x-stainless-retry-count", ())
    waits = [
        max(float(value), 1.0)
        for name in ("x-stainless-read-timeout", "x-stainless-timeout")
        for value in headers.get(name, ())
        if _SECONDS.fullmatch(value)
    ]
    agent = " ".join(headers.get("user-agent", ()))
    return RepeatSigns(
        marked=any(_COUNT.fullmatch(value) for value in counts),
        connection=min(waits, default=math.inf),
        # LiteLLM's router repeats over OpenAI's client, and reads its raw replies.
        silent=_REPEATS_SILENTLY.search(agent) is not None or "x-stainless-raw-response" in headers,
    )


def arrived(gateway: Mapping[str, Any]) -> datetime | None:
    """Return when the gateway received the request; None if it does not say so."""
    epoch = gateway.get("requestTimeEpoch")
    # In milliseconds: see API Gateway's developer guide, "$context variables". A bool is an int to Python.
    if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 < epoch < _END_OF_TIME:
        return None
    return datetime.fromtimestamp(epoch / 1000, tz=UTC)


def prefers_async(values: Sequence[str]) -> bool:
    """Say whether `Prefer` asks for `respond-async`; every other preference, also `wait`, is ignored (RFC 7240)."""
    return any(
        _RESPOND_ASYNC.match(preference.group()) is not None
        for value in values
        for preference in _PREFERENCE.finditer(value)
    )


def has_version(values: Sequence[str], tag: str) -> bool:
    """Say whether `If-None-Match` names an entity tag, by the weak comparison of RFC 9110 §13.1.2."""
    # A header that is sent several times is one list.
    return any(
        value.strip() == "*" or tag.removeprefix("W/") in _ENTITY_TAG.findall(value) for value in values
    )


def generation_id(text: str) -> str:
    """Return the id from a path.

    Raises:
        NotFound: no generation can have this id.
    """
    if not _GENERATION_ID.fullmatch(text):
        raise no_such_generation()
    return text


def history_limit(values: Sequence[str]) -> int:
    """Return how many generations a page of the history has, by the query parameter `limit`.

    Raises:
        InvalidParameter: it is repeated, or anything but an integer from 1 to 100.
    """
    if not values:
        return DEFAULT_LIMIT
    if len(values) > 1 or not _LIMIT.fullmatch(values[0]) or int(values[0]) > MAX_LIMIT:
        raise invalid("limit", f"must be sent once and be an integer from 1 to {MAX_LIMIT}")
    return int(values[0])


def usage_days(values: Sequence[str]) -> int:
    """Return how many days of usage to show, by the query parameter `days`; today is the first.

    Raises:
        InvalidParameter: it is repeated, or anything but an integer from 1 to 31.
    """
    if not values:
        return DEFAULT_DAYS
    if len(values) > 1 or not _LIMIT.fullmatch(values[0]) or int(values[0]) > MAX_DAYS:
        raise invalid("days", f"must be sent once and be an integer from 1 to {MAX_DAYS}")
    return int(values[0])


def cursor(values: Sequence[str]) -> str | None:
    """Return the query parameter `cursor`, or None if it was not sent; the table's adapter reads it.

    Raises:
        InvalidParameter: it is repeated, empty or too long to be one of ours.
    """
    if not values:
        return None
    if len(values) > 1 or not 0 < len(values[0]) <= MAX_CURSOR_LENGTH:
        raise invalid("cursor", "must be sent once and be the next_cursor of an earlier reply")
    return values[0]


def download_name(values: Sequence[str]) -> str | None:
    """Return the file name that the query parameter `download` asks for, or None if it was not sent.

    Raises:
        InvalidParameter: it is repeated, or anything but 1–128 printable characters without slash, backslash and quote.
    """
    if not values:
        return None
    name = values[0]
    # To Python, bidirectional overrides and line separators are not printable: a name must not look like another one.
    if (
        len(values) > 1
        or not 0 < len(name) <= MAX_DOWNLOAD_LENGTH
        or not name.isprintable()
        or not name.strip()
        or set(name) & _NOT_IN_A_FILE_NAME
    ):
        raise invalid(
            "download",
            f"must be sent once and be a file name of 1 to {MAX_DOWNLOAD_LENGTH} printable characters, "
            'without /, \\ and "',
        )
    return name


def _check_type(values: Sequence[str]) -> None:
    if not values:
        return
    if len(values) > 1:
        raise UnsupportedMediaType("The request has more than one Content-Type.")
    if not _is_json(values[0]):
        raise UnsupportedMediaType("Content-Type must be application/json; a charset must be utf-8.")


def _is_json(value: str) -> bool:
    # RFC 9110 §8.3: one media type, in any case. Of its parameters only `charset` could change how the bytes are read;
    # the others mean nothing for JSON and are ignored (RFC 8259 §11).
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
