"""A prompt's text may have any characters, if some are visible and none can deceive a reader."""

from __future__ import annotations

import unicodedata

import pytest

from imagegen.contracts.text_to_image import schema
from imagegen.errors import InvalidParameter
from tests.support.tasks import text_to_image


def kept(text: str) -> str:
    """Return the text of a prompt as the service passes it on."""
    return text_to_image(schema.parse({"text_prompts": [{"text": text}]})).text_prompts[0].text


def refuses(text: str) -> bool:
    """Return whether a prompt of this text is refused, with the path of the text in the error."""
    try:
        kept(text)
    except InvalidParameter as exc:
        return [found.field for found in exc.errors] == ["text_prompts[0].text"]
    return False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sri lanka tea plantation.",
        "two\nlines\r\nand\ta tab",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "שלום עולם",
        "\u200fسلم\u200e\u061c",
        "می‌خواهم",
        "Z\u0351\u036b\u0343a\u0329lgo",
        "スリランカの茶畑",
        "हिन्दी க்ஷ",
        "e\u0301 vs é",
        "\ue000 private, \ufffe and \U0010ffff",
        "\u2028line\u2029paragraph",
        "\ufeffx",
        "\u0301",
        " . ",
        "\u06dd",
        "ﷺ",
        '{"json": true} <b>&amp;</b> %s ${x} \\u0000',
    ],
)
def test_unicode_is_welcome_and_kept_as_it_is(text: str) -> None:
    """The service does not normalise, trim or escape the text."""
    assert kept(text) == text


CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"]
BIDI = list("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("character", [*CONTROLS, *BIDI, "\ud800"], ids=lambda c: f"U+{ord(c):04X}")
def test_control_and_bidirectional_characters_are_refused(character: str) -> None:
    """Such characters can act, or make a text read as another, so they are refused in any position."""
    for text in (character, f"a{character}", f"{character}a", f"a\n{character}\nb"):
        assert refuses(text)


def test_every_control_character_is_among_those_tested() -> None:
    """The two lists have all of Unicode's control characters, embeddings, overrides and isolates."""
    everything = [chr(code) for code in range(0x110000)]
    assert [c for c in everything if unicodedata.category(c) == "Cc" and c not in "\t\n\r"] == CONTROLS
    acting = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert [c for c in everything if unicodedata.bidirectional(c) in acting] == BIDI


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "\n",
        "\t\r\n ",
        "\u00a0",
        "\u3000\u2003",
        "\u200b",
        "\u200d",
        "\u2060\ufeff",
        "\u00ad",
        "\u200e\u200f\u061c",
        "\u2028",
        "\u2800",
        "\u3164",
        "\uffa0",
        "\u115f\u1160",
        "\ufe0f",
        "\U000e0041\U000e0042",
        "\U000e0100",
        "\U0001d173",
        "\u180e",
        " \u200b" * 900,
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_a_text_in_which_nothing_is_visible_is_refused(text: str) -> None:
    """An empty text is allowed, but a text that only looks empty is refused."""
    assert refuses(text)


# Prepended marks of Arabic, Syriac and Kaithi are format characters, but visible ones.
DRAWN = {chr(c) for c in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}


def test_white_space_and_format_characters_are_all_invisible() -> None:
    """Spaces and format characters do not count as visible, except for the few that are."""
    invisible = (chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) in {"Zs", "Zl", "Zp", "Cf"})
    passing = {c for c in invisible if c not in BIDI and not refuses(c)}
    assert passing == {c for c in DRAWN if unicodedata.category(c) == "Cf"}
