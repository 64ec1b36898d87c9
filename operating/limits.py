"""The limits of one API key, as an operator writes them and as `make keys` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imagegen.settings import (
    USD_DECIMALS,
    DailyImagesPerCaller,
    DailyUsdPerCaller,
    ImagesPerMinutePerCaller,
    SettingType,
)
from tools.failures import LocalError

NO_LIMIT: Final = "none"
OF_THE_STAGE: Final = "stage"


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of `make key` and `make limit`: the setting that it overrides for one key, and what it may be."""

    setting: str
    type: SettingType


VARIABLES: Final[Mapping[str, Variable]] = {
    "DAILY_IMAGES": Variable(setting="daily_images_per_caller", type=SettingType.of(DailyImagesPerCaller)),
    "DAILY_USD": Variable(setting="daily_usd_per_caller", type=SettingType.of(DailyUsdPerCaller)),
    "IMAGES_PER_MINUTE": Variable(
        setting="images_per_minute_per_caller", type=SettingType.of(ImagesPerMinutePerCaller)
    ),
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an operator changes: limits with their numbers, None for no limit; and limits that are the stage's again."""

    changed: Mapping[str, float | None]
    dropped: frozenset[str]


def read_limits(texts: Mapping[str, str]) -> Mapping[str, float | None]:
    """Return the limits of a new key, by the name of the setting; `texts` has a text for each variable.

    Raises:
        LocalError: a text is neither empty, `none`, nor a number that is allowed.
    """
    return {
        VARIABLES[name].setting: _read(name, text, words=(NO_LIMIT,)) for name, text in texts.items() if text
    }


def read_change(texts: Mapping[str, str]) -> Change:
    """Return the change of a key's limits; whatever has an empty text stays as it is.

    Raises:
        LocalError: a text is not allowed, or all are empty.
    """
    given = {name: text for name, text in texts.items() if text}
    if not given:
        raise LocalError(
            f"There is nothing to change: set {', '.join(VARIABLES)} to a number, to {NO_LIMIT} or to {OF_THE_STAGE}."
        )
    dropped = {name for name, text in given.items() if text == OF_THE_STAGE}
    return Change(
        changed={
            VARIABLES[name].setting: _read(name, text, words=(NO_LIMIT, OF_THE_STAGE))
            for name, text in given.items()
            if name not in dropped
        },
        dropped=frozenset(VARIABLES[name].setting for name in dropped),
    )


def in_words(limits: Mapping[str, float | None]) -> str:
    """Return the limits of a key in one line, such as `daily_images_per_caller=none daily_usd_per_caller=12.5`."""
    shown = " ".join(f"{name}={_shown(number)}" for name, number in sorted(limits.items()))
    return shown or "those of the stage"


def _read(name: str, text: str, *, words: tuple[str, ...]) -> float | None:
    if text == NO_LIMIT:
        return None
    try:
        number: float = VARIABLES[name].type.read(text)
    except ValueError as error:
        raise LocalError(f"{name} {error}, or {' or '.join(words)}, not {text!r}.") from error
    return number


def _shown(number: float | None) -> str:
    if number is None:
        return NO_LIMIT
    return str(number) if isinstance(number, int) else f"{number:.{USD_DECIMALS}f}".rstrip("0").rstrip(".")
