"""What an operator can set for one stage, and the sentence that answers each mistake.

The values come from `stages` in `cdk.json`; `-c config='key=value key=value'` overrides single keys, lists
with commas. `docs/configuration.md` says what each key does.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

STAGE_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")
MAX_FUNCTION_TIMEOUT = 300
# S3 expires by the day, from the midnight after, and some time later.
LIFECYCLE_SLACK_DAYS = 2
# The retention periods that CloudWatch Logs accepts.
LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?/?")
_WHOLE = re.compile(r"-?\d{1,12}")
_DECIMAL = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?")
_NOTHING = ("", "null", "none")


class StageError(ValueError):
    """The operator's configuration cannot be used; the message is one sentence that names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How one key is checked: what is allowed in words, and the test of a value from JSON.

    `from_text` turns the text of an override into the JSON value that `cdk.json` would hold, and returns
    the text itself where it cannot, so that `accepts` refuses it with the same sentence.
    """

    allowed: str
    accepts: Callable[[Any], bool]
    from_text: Callable[[str], object]


def _whole_from_text(text: str) -> object:
    return int(text) if _WHOLE.fullmatch(text) else text


def _decimal_from_text(text: str) -> object:
    return float(text) if _DECIMAL.fullmatch(text) else text


def _list_from_text(text: str) -> object:
    return [item.strip() for item in text.split(",") if item.strip()]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(low: int, high: int) -> Setting:
    return Setting(
        allowed=f"a whole number from {low} to {high}",
        accepts=lambda value: _is_whole(value) and low <= value <= high,
        from_text=_whole_from_text,
    )


def _decimal(low: float, high: float) -> Setting:
    return Setting(
        allowed=f"a number from {low} to {high}",
        accepts=lambda value: (_is_whole(value) or isinstance(value, float)) and low <= value <= high,
        from_text=_decimal_from_text,
    )


def _choice(*options: str | int) -> Setting:
    numbers = all(_is_whole(option) for option in options)
    return Setting(
        allowed=f"one of {', '.join(str(option) for option in options)}",
        accepts=lambda value: not isinstance(value, bool) and value in options,
        from_text=_whole_from_text if numbers else str,
    )


def _flag() -> Setting:
    words: dict[str, object] = {"true": True, "false": False}
    return Setting(
        allowed="true or false",
        accepts=lambda value: isinstance(value, bool),
        from_text=lambda text: words.get(text.lower(), text),
    )


def _text(allowed: str, pattern: re.Pattern[str]) -> Setting:
    return Setting(
        allowed=allowed,
        accepts=lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None,
        from_text=str,
    )


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _models() -> Setting:
    return Setting(
        allowed="a list of one or more different model ids or ARNs",
        accepts=lambda value: (
            _is_list_of_text(value)
            and len(value) > 0
            and all(item and not re.search(r"[\s,]", item) for item in value)
            and len(set(value)) == len(value)
        ),
        from_text=_list_from_text,
    )


def _origins() -> Setting:
    return Setting(
        allowed="a list of origins like https://app.example.com, or * alone, or nothing",
        accepts=lambda value: (
            _is_list_of_text(value)
            and (list(value) == ["*"] or all(_ORIGIN.fullmatch(item) is not None for item in value))
            and len(set(value)) == len(value)
        ),
        from_text=_list_from_text,
    )


def _or_null(setting: Setting) -> Setting:
    return Setting(
        allowed=f"{setting.allowed}, or null for none",
        accepts=lambda value: value is None or setting.accepts(value),
        from_text=lambda text: None if text.lower() in _NOTHING else setting.from_text(text),
    )


def _key(setting: Setting, default: object) -> Any:
    return field(default=default, metadata={"setting": setting})


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """Everything that may differ between two stages; the defaults suit a stage for development."""

    name: str
    models: tuple[str, ...] = _key(
        _models(), ("stability.stable-diffusion-xl-v1", "stability.stable-image-core-v1:1")
    )
    model_timeout: int = _key(_whole(1, 270), 60)
    memory_mb: int = _key(_whole(256, 3008), 512)
    url_ttl: int = _key(_whole(60, 3600), 3600)
    image_retention_days: int = _key(_whole(1, 3650), 7)
    record_retention_days: int = _key(_whole(1, 3650), 30)
    log_retention_days: int = _key(_choice(*LOG_RETENTION_DAYS), 14)
    log_level: str = _key(_choice(*LOG_LEVELS), "INFO")
    cors_origins: tuple[str, ...] = _key(_origins(), ())
    throttle_rate: float | None = _key(_or_null(_decimal(0.1, 10_000)), 5)
    throttle_burst: int | None = _key(_or_null(_whole(1, 5_000)), 10)
    monthly_requests: int | None = _key(_or_null(_whole(1, 1_000_000_000)), 100_000)
    daily_images_per_caller: int | None = _key(_or_null(_whole(0, 1_000_000)), 100)
    daily_images: int | None = _key(_or_null(_whole(0, 10_000_000)), 500)
    max_paid_attempts: int = _key(_whole(1, 10), 1)
    worker_concurrency: int | None = _key(_or_null(_whole(2, 1000)), None)
    reserve_concurrency: bool = _key(_flag(), default=True)
    retain_data: bool = _key(_flag(), default=False)
    api_auth: Literal["api_key", "iam"] = _key(_choice("api_key", "iam"), "api_key")
    webhooks: bool = _key(_flag(), default=True)
    bundle_platform: Literal["aarch64-manylinux2014", "host"] = _key(
        _choice("aarch64-manylinux2014", "host"), "aarch64-manylinux2014"
    )
    s3_addressing_style: Literal["virtual", "path"] = _key(_choice("virtual", "path"), "virtual")
    bedrock_endpoint_url: str | None = _key(
        _or_null(_text("an http or https URL without a path", _URL)), None
    )

    @property
    def function_timeout(self) -> int:
        """Seconds a function may run: the model's time and 20 for everything else, within 10–300."""
        return min(MAX_FUNCTION_TIMEOUT, max(10, self.model_timeout + 20))

    @property
    def queue_visibility(self) -> int:
        """Seconds a message stays hidden: six time-outs, as Lambda asks of a queue that it polls."""
        return 6 * self.function_timeout

    @classmethod
    def from_json(cls, *, name: str, values: Mapping[str, object]) -> Self:
        """Return the stage that `cdk.json` and its overrides describe.

        Raises:
            StageError: a key is unknown, or its value is not allowed.
        """
        known = settings()
        for key, value in values.items():
            if key not in known:
                raise StageError(f"The key {key!r} of stage {name!r} is unknown{_did_you_mean(key, known)}")
            _check(key=key, value=value, setting=known[key])
        frozen = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        config = cls(name=name, **frozen)  # type: ignore[arg-type]  # each was checked by its Setting
        least = config.image_retention_days + LIFECYCLE_SLACK_DAYS
        if config.record_retention_days < least:
            raise StageError(
                f"record_retention_days is {config.record_retention_days} (int); it must be at least {least}, "
                f"{LIFECYCLE_SLACK_DAYS} more than image_retention_days, so that no image outlives its record."
            )
        if (config.throttle_rate is None) != (config.throttle_burst is None):
            raise StageError("throttle_rate and throttle_burst must both be numbers or both be null.")
        return config


def settings() -> dict[str, Setting]:
    """Return how each key of a stage is checked, in the order of the documentation."""
    return {
        known.name: known.metadata["setting"]
        for known in dataclasses.fields(StageConfig)
        if "setting" in known.metadata
    }


def load_stage(*, name: object, stages: object, overrides: object) -> StageConfig:
    """Return the stage called `name`; the arguments are the raw context values of the CDK app.

    Raises:
        StageError: there is no such stage, or one of its values or overrides is not allowed.
    """
    if not isinstance(stages, Mapping) or not stages:
        raise StageError("stages must be an object in the context of cdk.json, with one object per stage.")
    if not isinstance(name, str) or name not in stages:
        close = _did_you_mean(str(name), stages)
        raise StageError(f"stage is {name!r}, but cdk.json has only {', '.join(sorted(stages))}{close}")
    if STAGE_NAME.fullmatch(name) is None:
        raise StageError(
            f"The stage name {name!r} must be 1 to 20 lower-case letters, digits and inner hyphens."
        )
    values = stages[name]
    if not isinstance(values, Mapping):
        raise StageError(f"stages.{name} in cdk.json is of type {_type(values)}; it must be an object.")
    return StageConfig.from_json(name=name, values={**values, **_read_overrides(overrides)})


def _read_overrides(text: object) -> dict[str, object]:
    if text is None:
        return {}
    if not isinstance(text, str):
        raise StageError(f"config is of type {_type(text)}; it must be text like 'key=value key=value'.")
    known = settings()
    values: dict[str, object] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise StageError(f"{word!r} in config is not of the form key=value.")
        if key not in known:
            raise StageError(f"The key {key!r} in config is unknown{_did_you_mean(key, known)}")
        values[key] = known[key].from_text(value)
    return values


def _check(*, key: str, value: object, setting: Setting) -> None:
    if not setting.accepts(value):
        raise StageError(f"{key} is {value!r} ({_type(value)}); it must be {setting.allowed}.")


def _type(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _did_you_mean(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else "."
