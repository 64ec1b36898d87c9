"""Reads the environment into one frozen value, and says what each setting may be.

The stacks check an operator's configuration against the same types, so a bound is written here and nowhere else.
`docs/configuration.md` lists every setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    Self,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from imagegen.errors import Misconfigured

MAX_URL_TTL: Final = 3600
"""Seconds that a presigned URL may be valid. The bucket refuses every older signature."""

USD_DECIMALS: Final = 6
"""How many decimals a number of dollars may have."""


class Limit:
    """One limit of a setting. pydantic reads it as well, because it unpacks into a limit of `annotated_types`.

    That package describes how, under `GroupedMetadata`. Importing it takes 4 ms, which the functions save.
    """

    __is_annotated_types_grouped_metadata__ = True

    def __init__(self, value: Any) -> None:
        self.value = value

    def __iter__(self) -> Iterator[object]:
        import annotated_types  # noqa: PLC0415 - only pydantic asks

        yield getattr(annotated_types, type(self).__name__)(self.value)


class Ge(Limit):
    """The least number."""


class Le(Limit):
    """The greatest number."""


class MinLen(Limit):
    """The least number of characters or items."""


class Predicate(Limit):
    """A function that says whether a value is allowed."""


_ALIAS: Final = re.compile(r"[A-Za-z0-9._:/*-]{1,256}=[A-Za-z0-9._:-]{1,256}")


def are_aliases(entries: tuple[str, ...]) -> bool:
    """Say whether each entry is `pattern=model`; a `*` in a pattern stands for any text."""
    return all(_ALIAS.fullmatch(entry) for entry in entries)


def is_whole_micro_dollars(dollars: float) -> bool:
    """Say whether a number of dollars has at most six decimals, because dollars are counted in millionths."""
    return round(dollars, USD_DECIMALS) == dollars


NotEmpty = Annotated[str, MinLen(1)]
Models = Annotated[tuple[str, ...], MinLen(1)]
# May be longer than a connection lasts: the image is still made after that, and kept.
ModelTimeout = Annotated[int, Ge(1), Le(270)]
FunctionTimeout = Annotated[int, Ge(10), Le(300)]
# Above 29, only in an account whose quota was raised: API Gateway developer guide, "Amazon API Gateway quotas".
GatewayTimeout = Annotated[int, Ge(1), Le(300)]
UrlTtl = Annotated[int, Ge(60), Le(MAX_URL_TTL)]
S3AddressingStyle = Literal["virtual", "path"]
ModelAliases = Annotated[tuple[str, ...], Predicate(are_aliases)]
RecordRetentionDays = Annotated[int, Ge(1), Le(3650)]
MaxPaidAttempts = Annotated[int, Ge(1), Le(10)]
DailyImagesPerCaller = Annotated[int, Ge(0), Le(1_000_000)]
DailyImages = Annotated[int, Ge(0), Le(10_000_000)]
DailyUsdPerCaller = Annotated[float, Ge(0), Le(100_000), Predicate(is_whole_micro_dollars)]
DailyUsd = Annotated[float, Ge(0), Le(1_000_000), Predicate(is_whole_micro_dollars)]
ImagesPerMinutePerCaller = Annotated[int, Ge(0), Le(10_000)]
QueuedJobsPerCaller = Annotated[int, Ge(0), Le(1_000_000)]

_NUMBERS: Final[Mapping[type, str]] = {int: "a whole number", float: "a number"}
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_PATTERNS: Final[Mapping[type, re.Pattern[str]]] = {
    int: re.compile(r"[0-9]{1,10}"),
    float: re.compile(rf"[0-9]{{1,10}}(?:\.[0-9]{{1,{USD_DECIMALS}}})?"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment tells api function and worker; each field is a variable of the same name in capitals.

    `model_timeout`, `function_timeout`, `gateway_timeout` and `url_ttl` are seconds; `daily_usd` and its like are
    dollars. A limit of None means unlimited, 0 refuses all. `queued_jobs_per_caller` counts the unfinished asynchronous
    generations of a caller that were accepted on one day (UTC).
    `url_suffix` is the end of AWS's addresses in the partition.
    Without webhooks, `call_back_queue_arn` and `webhook_secret_arn` are empty.
    `webhook_loopback` lets call-backs go to 127.0.0.1 over plain http; only the stage of one machine may set it.
    `mark_images` writes into each image that it is generated, and `embed_prompt` the prompt beside that mark.
    `drill` is empty, or says which model counts as retired until when, as `make drill` writes it.
    `stage` is a dimension of every metric. `owner_salt` makes the owners of this deployment unlike those of any other.
    """

    stage: NotEmpty
    bucket_name: NotEmpty
    table_name: NotEmpty
    url_suffix: NotEmpty
    queue_url: NotEmpty
    dead_letter_queue_arn: NotEmpty
    call_back_queue_arn: str
    models: Models
    model_timeout: ModelTimeout
    function_timeout: FunctionTimeout
    gateway_timeout: GatewayTimeout
    url_ttl: UrlTtl
    s3_addressing_style: S3AddressingStyle
    cors_origins: tuple[str, ...]
    record_retention_days: RecordRetentionDays
    max_paid_attempts: MaxPaidAttempts
    daily_images_per_caller: DailyImagesPerCaller | None
    daily_images: DailyImages | None
    daily_usd_per_caller: DailyUsdPerCaller | None
    daily_usd: DailyUsd | None
    images_per_minute_per_caller: ImagesPerMinutePerCaller | None
    queued_jobs_per_caller: QueuedJobsPerCaller | None
    openai_model_aliases: ModelAliases
    webhook_secret_arn: str
    webhook_loopback: bool
    mark_images: bool
    embed_prompt: bool
    drill: str
    owner_salt: NotEmpty

    @property
    def connection(self) -> int:
        """Seconds that a connection lasts: until the gateway gives up, or the function is stopped."""
        return min(self.gateway_timeout, self.function_timeout)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            Misconfigured: variables are missing or have a value that is not allowed; the sentence names all of them.
        """
        return cls(**_values(cls, environment))


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSettings:
    """What the environment tells the function that checks the models' lifecycles."""

    stage: NotEmpty
    models: Models

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> LifecycleSettings:
        """Read the settings.

        Raises:
            Misconfigured: a variable is missing or empty.
        """
        return cls(**_values(cls, environment))


class SettingType(NamedTuple):
    """The parts of a setting's type: `int | None` within bounds is `int`, its bounds, and True for `optional`."""

    bare: Any
    limits: tuple[Any, ...]
    optional: bool

    @classmethod
    def of(cls, type_: Any) -> Self:
        """Return the parts of an annotated type."""
        # `Annotated[…] | None` is a `typing.Union`; `str | None` is a `types.UnionType`.
        optional = get_origin(type_) in {Union, UnionType}
        if optional:
            (type_,) = (each for each in get_args(type_) if each is not NoneType)
        if get_origin(type_) is Annotated:
            bare, *limits = get_args(type_)
            return cls(bare, tuple(limits), optional)
        return cls(type_, (), optional)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a `Literal`; empty for any other type."""
        return get_args(self.bare) if get_origin(self.bare) is Literal else ()

    @property
    def is_list(self) -> bool:
        """Whether it is a tuple of text, which an operator writes with commas."""
        return get_origin(self.bare) is tuple

    @property
    def low(self) -> Any:
        """The least number that is allowed."""
        return next(each.value for each in self.limits if isinstance(each, Ge))

    @property
    def high(self) -> Any:
        """The greatest number that is allowed."""
        return next(each.value for each in self.limits if isinstance(each, Le))

    @property
    def min_length(self) -> int:
        """How many characters or items there must be."""
        return next((each.value for each in self.limits if isinstance(each, MinLen)), 0)

    def in_words(self) -> str:
        """Return the words that follow "must be", for every value except None."""
        if self.bare is bool:
            return " or ".join(_FLAGS)
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        words = f"{_NUMBERS[self.bare]} from {self.low} to {self.high}"
        in_dollars = any(
            isinstance(each, Predicate) and each.value is is_whole_micro_dollars for each in self.limits
        )
        return f"{words} with at most {USD_DECIMALS} decimals" if in_dollars else words

    def read(self, text: str) -> Any:
        """Return the value that a variable's text stands for.

        Raises:
            ValueError: the value is not allowed; the message continues a sentence that begins with the variable's name.
        """
        # An environment has no null, so the stack writes an empty text for "unlimited".
        if self.optional and not text:
            return None
        if self.bare in _PATTERNS:
            # The pattern comes before `int`, which would refuse thousands of digits with a sentence of its own.
            if _PATTERNS[self.bare].fullmatch(text) and self.low <= self.bare(text) <= self.high:
                return self.bare(text)
            raise ValueError(f"must be {self.in_words()}")
        if self.bare is bool:
            if text in _FLAGS:
                return _FLAGS[text]
            raise ValueError(f"must be {self.in_words()}")
        if self.choices and text not in self.choices:
            raise ValueError(f"must be {self.in_words()}")
        value = tuple(item.strip() for item in text.split(",") if item.strip()) if self.is_list else text
        if len(value) < self.min_length:
            raise ValueError("is empty")
        if not all(limit.value(value) for limit in self.limits if isinstance(limit, Predicate)):
            raise ValueError("has an entry that is not allowed")
        return value


def _values(settings: type, environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    wrong = []
    for field, type_ in get_type_hints(settings, include_extras=True).items():
        name = field.upper()
        try:
            values[field] = SettingType.of(type_).read(environment[name])
        except KeyError:
            wrong.append(f"{name} is missing")
        except ValueError as exc:
            wrong.append(f"{name} {exc}")
    if wrong:
        raise Misconfigured(f"The environment cannot be used: {'; '.join(wrong)}.")
    return values
