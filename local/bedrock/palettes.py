"""Which place, light and colours the words of a prompt call for."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from local.bedrock.fields import Plane, generator

Rgb = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Light:
    """A time of day: colours of the sky from the top down, and of the sun or moon."""

    top: Rgb
    middle: Rgb
    horizon: Rgb
    sun: Rgb
    shade: float = 1.0
    stars: bool = False


@dataclass(frozen=True, kw_only=True)
class Land:
    """The colours of a place: its ground in shadow and in light, and what shines in it."""

    dark: Rgb
    lit: Rgb
    accents: tuple[Rgb, ...] = ()


LIGHTS: Final[dict[str, Light]] = {
    "day": Light(top=(58, 118, 178), middle=(138, 186, 216), horizon=(226, 236, 234), sun=(255, 250, 236)),
    "dawn": Light(top=(92, 122, 158), middle=(196, 184, 190), horizon=(252, 218, 186), sun=(255, 236, 206)),
    "golden": Light(top=(98, 128, 152), middle=(224, 192, 146), horizon=(255, 218, 148), sun=(255, 242, 200)),
    "dusk": Light(
        top=(38, 44, 88), middle=(142, 84, 120), horizon=(252, 148, 96), sun=(255, 200, 130), shade=0.72
    ),
    "mist": Light(top=(150, 172, 180), middle=(192, 206, 206), horizon=(232, 235, 228), sun=(250, 246, 232)),
    "night": Light(
        top=(8, 13, 36),
        middle=(22, 38, 76),
        horizon=(62, 84, 118),
        sun=(236, 240, 248),
        shade=0.4,
        stars=True,
    ),
    "neon": Light(
        top=(16, 8, 44),
        middle=(88, 20, 110),
        horizon=(250, 70, 160),
        sun=(255, 214, 120),
        shade=0.6,
        stars=True,
    ),
}

LANDS: Final[dict[str, Land]] = {
    "tea": Land(dark=(24, 58, 22), lit=(148, 182, 58)),
    "hills": Land(dark=(44, 70, 38), lit=(158, 172, 84)),
    "meadow": Land(
        dark=(46, 84, 38),
        lit=(136, 170, 72),
        accents=((232, 72, 70), (250, 208, 78), (250, 240, 246), (206, 110, 190), (120, 110, 220)),
    ),
    "forest": Land(dark=(12, 34, 32), lit=(58, 98, 74)),
    "mountains": Land(dark=(46, 54, 74), lit=(170, 160, 156)),
    "sea": Land(dark=(14, 58, 86), lit=(116, 186, 196)),
    "desert": Land(dark=(142, 78, 46), lit=(240, 186, 116)),
    "city": Land(
        dark=(22, 26, 42), lit=(70, 76, 104), accents=((255, 214, 138), (255, 236, 200), (160, 214, 255))
    ),
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


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is to be painted, before any style."""

    kind: str
    light: Light
    land: Land


def place_of(text: str, style: str) -> Place:
    """Return the place that the words name; one that depends on the text alone when they name none."""
    words = text.lower()
    rng = generator("place", text)
    kind = _first(words, _PLACE_WORDS) or str(rng.choice(_UNNAMED))
    light = _first(words, _LIGHT_WORDS) or str(rng.choice(_USUAL_LIGHTS[kind]))
    if style == "neon-punk":
        light = "neon"
    return Place(kind=kind, light=LIGHTS[light], land=LANDS[kind])


def style_of(text: str, style: str) -> str:
    """Return the style preset, or the one that the words of the prompt ask for."""
    if style:
        return style
    words = text.lower()
    spoken = {
        "line art": "line-art",
        "neon punk": "neon-punk",
        "3d model": "3d-model",
        "watercolor": "digital-art",
    }
    for phrase, preset in spoken.items():
        if phrase in words:
            return preset
    for preset in _SPOKEN_PRESETS:
        if preset in words or preset.replace("-", " ") in words:
            return preset
    return ""


_SPOKEN_PRESETS: Final = (
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "fantasy-art",
    "isometric",
    "low-poly",
    "modeling-compound",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
)


def column(colour: Rgb | Plane) -> Plane:
    """Return a colour as three planes of one pixel, 0…1, to be broadcast."""
    scale = 1.0 if isinstance(colour, np.ndarray) else 255.0
    return (np.asarray(colour, np.float32) / np.float32(scale)).reshape(3, 1, 1)


def mixed(first: Plane, second: Plane, part: float) -> Plane:
    """Return a colour between two."""
    return first + (second - first) * np.float32(part)


def _first(words: str, table: dict[str, str]) -> str | None:
    found = [
        (match.start(), name)
        for name, pattern in table.items()
        if (match := re.search(rf"\b({pattern})\b", words))
    ]
    return min(found)[1] if found else None
