"""Reads a model's answer: JSON bytes, strict base64 and seeds. No error quotes the answer."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import pybase64

from imagegen.contracts.text_to_image.parameters import MAX_SEED, MIN_SEED
from imagegen.errors import BadModelResponse, ContentFiltered

# The possessive quantifiers keep the search linear: `\s*\[?\s*` could be tried in many ways.
_IMAGE: Final = re.compile(rb'"(?:base64|images)"\s*+:\s*+(?:\[\s*+)?"')
MAX_VALUES: Final = 100_000
"""How many values an answer may hold. Each takes up to 300 bytes of memory, however short it is."""
# Stands in the parsed answer where the image was. A NUL cannot stand in base64.
_CUT: Final = "\x00cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer's members, and the first image's base64 if it was cut out before parsing."""

    members: Mapping[str, Any] = field(repr=False)
    _cut: memoryview | None = field(repr=False, default=None)

    @classmethod
    def of(cls, answer: bytes) -> Self:
        """Return an answer that is a JSON object.

        Raises:
            BadModelResponse: the answer is not a JSON object, or has more than `MAX_VALUES` values.
        """
        # Parsing the megabytes of base64 as JSON takes seven times as long as decoding them where they are:
        # see docs/decisions/0021-reading-answers.md.
        answer, cut = _cut_out(answer)
        # Every value but the first stands behind one of these. Strings may hold them too, but base64 does not.
        if sum(map(answer.count, (b",", b"[", b"{"))) >= MAX_VALUES:
            raise BadModelResponse("The model's answer has too many values.")
        try:
            members = json.loads(answer)
        except (ValueError, RecursionError) as exc:
            raise BadModelResponse("The model's answer is not JSON.") from exc
        if not isinstance(members, dict):
            raise BadModelResponse("The model's answer is not a JSON object.")
        return cls(members=members, _cut=cut)

    def image(self, member: Any) -> bytes:
        """Return what a base64 member holds.

        Raises:
            BadModelResponse: the member is not strict base64, so it might decode to other bytes than were sent.
        """
        if not isinstance(member, str) or not member:
            raise BadModelResponse("The model's answer has no image.")
        source = self._cut if self._cut is not None and member == _CUT else member
        try:
            return pybase64.b64decode(source, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise BadModelResponse("The model's image is not valid base64.") from exc


def _cut_out(answer: bytes) -> tuple[bytes, memoryview | None]:
    """Return an answer with `_CUT` in place of its first image, and that image; or the answer as it is, and None."""
    opening = _IMAGE.search(answer)
    if opening is None:
        return answer, None
    start, end = opening.end(), answer.find(b'"', opening.end())
    # Base64 has no backslash. If there is one, only a JSON parser can say where the text ends.
    if end <= start or answer.find(b"\\", start, end) >= 0:
        return answer, None
    head, tail = answer[:start], answer[end:]
    # In UTF-16, other characters have the bytes of the opening. Such an answer begins with a mark or holds a NUL.
    if not head.isascii() or b"\0" in head:
        return answer, None
    # An answer could hold the mark itself. JSON has one spelling for its NUL.
    if any(b"\\u0000" in part for part in (head, tail)):
        return answer, None
    return head + json.dumps(_CUT)[1:-1].encode() + tail, memoryview(answer)[start:end]


def seed_of(reported: Any, *, sent: int | None) -> int | None:
    """Return the seed that an answer reports; if that is absent, 0 or not a seed, return the one that was sent."""
    # An odd seed must not cost an image that was paid. `type`, because to `isinstance` true is an integer.
    is_seed = type(reported) is int and MIN_SEED < reported <= MAX_SEED
    return reported if is_seed else sent


def filtered(reason: str, *, seed: int | None) -> ContentFiltered:
    """Return the error for a filtered answer; `reason` is one of the dialect's own words, never the answer's."""
    with_seed = "" if seed is None else f", seed {seed}"
    return ContentFiltered(
        f"The model's content filter stopped the image (finish reason {reason}{with_seed})."
    )
