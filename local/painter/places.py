"""Finds the place, the light and the colours that the words of a prompt ask for."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from local.painter.noise import Plane, generator


@dataclass(frozen=True)
class Light:
    """A time of day: colours (six hex digits) of the sky from the top down, and of the sun or moon.

    Attributes:
        shade: The land's brightness, 1 by day.
    """

    top: str
    middle: str
    horizon: str
    sun: str
    shade: float = 1.0
    stars: bool = False


@dataclass(frozen=True)
class Land:
    """The colours of a place: its ground in shadow and in light, and its flowers or windows."""

    dark: str
    lit: str
    accents: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place to paint, before any style."""

    kind: str
    light: Light
    land: Land


LIGHTS: Final = {
    "day": Light("3a76b2", "8abad8", "e2ecea", "fffaec"),
    "dawn": Light("5c7a9e", "c4b8be", "fcdaba", "ffecce"),
    "golden": Light("628098", "e0c092", "ffda94", "fff2c8"),
    "dusk": Light("262c58", "8e5478", "fc9460", "ffc882", shade=0.72),
    "mist": Light("96acb4", "c0cece", "e8ebe4", "faf6e8"),
    "night": Light("080d24", "16264c", "3e5476", "ecf0f8", shade=0.4, stars=True),
    "neon": Light("10082c", "58146e", "fa46a0", "ffd678", shade=0.6, stars=True),
}
LANDS: Final = {
    "tea": Land("183a16", "94b63a"),
    "hills": Land("2c4626", "9eac54"),
    "meadow": Land("2e5426", "88aa48", ("e84846", "fad04e", "faf0f6", "ce6ebe", "786edc")),
    "forest": Land("0c2220", "3a624a"),
    "mountains": Land("2e364a", "aaa09c"),
    "sea": Land("0e3a56", "74bac4"),
    "desert": Land("8e4e2e", "f0ba74"),
    "city": Land("161a2a", "464c68", ("ffd68a", "ffecc8", "a0d6ff")),
}

_PLACE_WORDS: Final = {
    "tea": "tea|plantations?|terraces?|terraced|rice|paddy|vineyards?|ceylon|lanka",
    "sea": "sea|oceans?|beach|beaches|waves?|islands?|coast|ships?|boats?|harbou?r|water|fish|whales?|surf",
    "desert": "deserts?|dunes?|sand|sahara|camels?|mars|cactus|canyon",
    "city": "city|cities|street|streets|skyline|buildings?|towers?|tokyo|york|london|urban|cyberpunk|robots?|cars?",
    "forest": "forests?|trees?|woods?|pines?|jungle|fox|foxes|bears?|deer|wolf|owl|cabin",
    "mountains": "mountains?|alps|peaks?|snow|snowy|glaciers?|lakes?|himalayas?|fjords?|castles?|dragons?",
    "meadow": "meadows?|flowers?|gardens?|field|fields|spring|tulips?|rose|roses|lavender|poppy|poppies|cats?|dogs?",
    "hills": "hills?|valleys?|countryside|village|farms?|grass|green|rolling",
}
_LIGHT_WORDS: Final = {
    "neon": "neon|cyberpunk|synthwave|vaporwave",
    "night": "night|midnight|moon|moonlit|moonlight|stars?|starry|space|galaxy|dark",
    "dusk": "sunset|dusk|evening|twilight",
    "dawn": "dawn|sunrise|morning",
    "golden": "golden|autumn|warm|gold|summer",
    "mist": "mist|misty|fog|foggy|haze|rain|rainy|clouds?",
    "day": "day|noon|sunny|bright|blue",
}
_USUAL_LIGHTS: Final = {
    "tea": ("dawn", "golden", "mist", "day"),
    "sea": ("day", "dusk", "golden", "dawn"),
    "desert": ("golden", "day", "dusk", "dawn"),
    "city": ("dusk", "night", "dusk", "dawn"),
    "forest": ("mist", "dawn", "golden", "dusk"),
    "mountains": ("day", "dawn", "dusk", "golden"),
    "meadow": ("day", "golden", "dawn", "dusk"),
    "hills": ("day", "dawn", "golden", "mist"),
}
_UNNAMED: Final = ("hills", "mountains", "sea", "forest", "desert", "meadow")


def place_of(text: str, style: str) -> Place:
    """Return the place that the words name first; without such a word, one that depends on the text alone."""
    words = text.lower()
    rng = generator("place", text)
    kind = _first(words, _PLACE_WORDS) or str(rng.choice(_UNNAMED))
    light = _first(words, _LIGHT_WORDS) or str(rng.choice(_USUAL_LIGHTS[kind]))
    return Place(kind=kind, light=LIGHTS["neon" if style == "neon-punk" else light], land=LANDS[kind])


def rgb(colour: str) -> tuple[int, ...]:
    """Return a colour's three parts, 0…255."""
    return tuple(bytes.fromhex(colour))


def column(colour: str) -> Plane:
    """Return a colour as three planes of one pixel, 0…1, to be broadcast."""
    return np.asarray(rgb(colour), np.float32).reshape(3, 1, 1) / np.float32(255)


def mixed(first: Plane, second: Plane, part: float | Plane) -> Plane:
    """Return colours between two."""
    return first + (second - first) * part


def _first(words: str, table: dict[str, str]) -> str | None:
    found = [
        (match.start(), name) for name, of in table.items() if (match := re.search(rf"\b({of})\b", words))
    ]
    return min(found)[1] if found else None
