r"""Which texts a prompt may have: any Unicode that a reader can see and that cannot deceive.

Three things are refused: control characters except tab, newline and return; the bidirectional embeddings, overrides
and isolates U+202A-202E and U+2066-2069, which make one text look like another; and a text that is not empty but has
nothing visible. Everything else is allowed, also private-use characters and noncharacters (Unicode corrigendum 9). The
contract allows the empty text.
"""

from __future__ import annotations

import re
from typing import Final

# Python, Rust and ECMAScript must read the patterns alike: pydantic enforces them with Rust's engine, and the OpenAPI
# document publishes them.
_UNSAFE: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
SAFE: Final = rf"^[^{_UNSAFE}]*$"
"""A text without refused characters."""

# White space, format characters and Default_Ignorable_Code_Point; the Hangul fillers and U+2800 look blank.
_INVISIBLE: Final = (
    r"\t\n\r \xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
# Kept apart, because the three languages write characters beyond U+FFFF in different ways.
_INVISIBLE_BEYOND_BMP: Final = (
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_VISIBLE: Final = re.compile(f"[^{_INVISIBLE}{_INVISIBLE_BEYOND_BMP}]")
# Half of a surrogate pair is no text to pydantic, so its engine for patterns never meets one.
_PLAIN: Final = re.compile(rf"[^{_UNSAFE}\ud800-\udfff]*")

SAFE_AND_VISIBLE: Final = rf"^(?:[^{_UNSAFE}]*[^{_UNSAFE}{_INVISIBLE}][^{_UNSAFE}]*)?$"
"""The rules of `SAFE` and `has_content` in one pattern, as far as the patterns of all three languages can say them."""


def is_plain(text: str) -> bool:
    """Say whether the text has no refused character: what `SAFE` says, for Python's engine."""
    return _PLAIN.fullmatch(text) is not None


def has_content(text: str) -> bool:
    """Say whether the text is empty or has something visible."""
    return not text or _VISIBLE.search(text) is not None
