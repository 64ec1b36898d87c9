"""The settings of one stage, and one sentence for each mistake in them.

The values come from `stages` in `cdk.json`. `-c config='key=value key=value'` overrides single settings; a list is
written with commas. `docs/configuration.md` says what each setting does.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from imagegen import settings
from imagegen.models.registry import resolve
from imagegen.settings import Ge, Le, Predicate, SettingType
from stacks.origins import as_browsers_write
from stacks.setting_types import (
    GRADUAL,
    AnomalyMonitorArn,
    ApiAuth,
    ApiDeployment,
    CertificateArn,
    DomainName,
    Email,
    Encryption,
    EndpointUrl,
    HostedZoneId,
    LogRetentionDays,
    MonthlyUsd,
    OwnerSalt,
    Platform,
    PolicyArn,
    RetentionDays,
    UserPoolArn,
    WafRequests,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LOCAL_STAGE: Final = "local"
"""The stage that `make up` deploys to the emulator."""
LOOPBACK_PARAMETER: Final = "WebhookLoopback"
"""The parameter of the template that switches `webhook_loopback` on; only `make up` sets it."""

STAGE_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")
PLAYGROUND: Final = "playground"
MONITORING: Final = "monitoring"
BESIDE: Final = (PLAYGROUND, MONITORING)
"""How the names of the stacks end that a stage may have beside the service's own."""
# A function also claims the key, stores the image and records the outcome.
SECONDS_BESIDE_THE_MODEL = 20
# Lambda takes 4096 bytes of environment, measured as JSON; what has no length of its own needs at most 2016 of them:
# AWS Lambda developer guide, "Lambda quotas".
BYTES_FOR_LISTS = 4096 - 2106
WITHOUT_BOUND: Final = ("cors_origins", "models", "openai_model_aliases", "bedrock_endpoint_url")
"""The settings in the functions' environment that may be of any length."""
NOT_IN_THE_EMULATOR: Final = ("waf", "domain_name", "snapstart")
"""Settings that ask for what the emulator of AWS does not have."""
# S3 counts days from the next midnight UTC, and removes an object some time after the last one.
LIFECYCLE_SLACK_DAYS = 2
# Whether an entry names a model does not depend on the region. The stack resolves it again for its own.
_ANY_REGION = "us-east-1"
_WHOLE = re.compile(r"-?[0-9]{1,12}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?")
_NOTHING = ("", "null", "none")
_FLAGS: Mapping[str, object] = {"true": True, "false": False}


class StageError(ValueError):
    """The operator's configuration cannot be used; the message is one sentence that names the setting."""


def _all_different(values: tuple[str, ...]) -> bool:
    return len(set(values)) == len(values)


def _are_origins(values: tuple[str, ...]) -> bool:
    return values == ("*",) or all(as_browsers_write(value) for value in values)


def _as_browsers_write_them(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        written = as_browsers_write(value)
        if written not in {None, value}:
            raise StageError(f"cors_origins: a browser writes {value!r} as {written}, so write it like that.")
    return values


def _all_registered(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        try:
            resolve(entry, region=_ANY_REGION)
        except ValueError as error:
            raise StageError(f"models: {error}") from error
    return entries


# A description replaces the words that are derived from the type. Lists are not strict, because JSON has no tuples,
# and strict pydantic takes nothing but a tuple for one.
ListedModels = Annotated[
    settings.Models,
    Predicate(_all_different),
    AfterValidator(_all_registered),
    Field(strict=False, description="a list of one or more different model ids or ARNs"),
]
CorsOrigins = Annotated[
    tuple[str, ...],
    Predicate(_all_different),
    Predicate(_are_origins),
    AfterValidator(_as_browsers_write_them),
    Field(
        strict=False,
        description="a list of origins like https://app.example.com or capacitor://localhost, or * alone, or nothing",
    ),
]
ModelAliases = Annotated[
    settings.ModelAliases,
    Predicate(_all_different),
    Field(
        strict=False,
        description="a list of different entries pattern=model, or nothing",
    ),
]


class StageConfig(BaseModel):
    """The settings that may differ between two stages; the defaults suit a stage for development."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    models: ListedModels = ("stability.stable-diffusion-xl-v1", "stability.stable-image-core-v1:1")
    model_timeout: settings.ModelTimeout = 60
    gateway_timeout: settings.GatewayTimeout = 29
    memory_mb: Annotated[int, Ge(256), Le(3008)] = 512
    url_ttl: settings.UrlTtl = settings.MAX_URL_TTL
    image_retention_days: RetentionDays = 7
    record_retention_days: settings.RecordRetentionDays = 30
    log_retention_days: LogRetentionDays = 14
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    gateway_log_role: bool = True
    method_metrics: bool = False
    cors_origins: CorsOrigins = ()
    throttle_rate: Annotated[float, Ge(0.1), Le(10_000)] | None = 50
    throttle_burst: Annotated[int, Ge(1), Le(5_000)] | None = 100
    daily_images_per_caller: settings.DailyImagesPerCaller | None = 100
    daily_images: settings.DailyImages | None = 500
    # What these images cost at most: the dearest registered model takes $0.14 for each.
    daily_usd_per_caller: settings.DailyUsdPerCaller | None = 14.0
    daily_usd: settings.DailyUsd | None = 70.0
    # A third of the quota of the quickest registered model. It also bounds what costs nothing and so meets no budget.
    images_per_minute_per_caller: settings.ImagesPerMinutePerCaller | None = 30
    queued_jobs_per_caller: settings.QueuedJobsPerCaller | None = 1000
    max_paid_attempts: settings.MaxPaidAttempts = 1
    worker_concurrency: Annotated[int, Ge(2), Le(1000)] | None = None
    api_deployment: ApiDeployment = "all_at_once"
    snapstart: bool = False
    api_concurrency: Annotated[int, Ge(1), Le(1000)] | None = None
    reserve_concurrency: bool = True
    account_concurrency: Annotated[int, Ge(10), Le(100_000)] | None = None
    retain_data: bool = False
    owner_salt: OwnerSalt | None = None
    api_auth: ApiAuth = "key"
    user_pool_arn: UserPoolArn | None = None
    webhooks: bool = True
    webhook_loopback: bool = False
    mark_images: bool = True
    embed_prompt: bool = False
    playground: bool = False
    tracing: bool = False
    monitoring: bool = False
    alarm_email: Email | None = None
    monthly_budget_usd: MonthlyUsd | None = None
    cost_anomaly_usd: MonthlyUsd | None = None
    cost_anomaly_monitor_arn: AnomalyMonitorArn | None = None
    encryption: Encryption = "aws"
    bucket_access_logs: bool = False
    waf: bool = False
    waf_requests: WafRequests = 3000
    domain_name: DomainName | None = None
    certificate_arn: CertificateArn | None = None
    hosted_zone_id: HostedZoneId | None = None
    permissions_boundary: PolicyArn | None = None
    bundle_platform: Platform = "aarch64-manylinux2014"
    s3_addressing_style: settings.S3AddressingStyle = "virtual"
    bedrock_endpoint_url: EndpointUrl | None = None
    openai_model_aliases: ModelAliases = ("gpt-image-*=auto", "dall-e-*=auto")

    @property
    def function_timeout(self) -> int:
        """Seconds that Lambda lets a function run."""
        return self.model_timeout + SECONDS_BESIDE_THE_MODEL

    @property
    def queue_visibility(self) -> int:
        """Seconds that a received message stays hidden: six function time-outs, as Lambda's guide for SQS advises."""
        return 6 * self.function_timeout

    @classmethod
    def from_json(cls, *, name: str, values: Mapping[str, object]) -> Self:
        """Return the stage that `cdk.json` and its overrides describe.

        Raises:
            StageError: a setting is unknown, or its value is not allowed.
        """
        for key in values:
            if key not in SETTINGS:
                raise StageError(
                    f"The setting {key!r} of stage {name!r} is unknown{_did_you_mean(key, SETTINGS)}"
                )
        try:
            return cls.model_validate({**values, "name": name})
        except ValidationError as error:
            raise _first_mistake(error.errors()[0], values=values) from error

    @model_validator(mode="after")
    def _check_records_outlive_images(self) -> Self:
        least = self.image_retention_days + LIFECYCLE_SLACK_DAYS
        if self.record_retention_days < least:
            raise StageError(
                f"record_retention_days is {self.record_retention_days} (int); it must be at least {least}, "
                f"{LIFECYCLE_SLACK_DAYS} more than image_retention_days, so that no image outlives its record."
            )
        return self

    @model_validator(mode="after")
    def _check_aliases_lead_somewhere(self) -> Self:
        enabled = ("auto", *(resolve(entry, region=_ANY_REGION).id for entry in self.models))
        for entry in self.openai_model_aliases:
            model = entry.partition("=")[2]
            if model not in enabled:
                raise StageError(
                    f"openai_model_aliases has {entry!r}; the model must be one of {', '.join(enabled)}."
                )
        return self

    @model_validator(mode="after")
    def _check_lists_fit_into_the_environment(self) -> Self:
        sizes = {key: _bytes_in_environment(getattr(self, key)) for key in WITHOUT_BOUND}
        if sum(sizes.values()) > BYTES_FOR_LISTS:
            each = ", ".join(f"{key} takes {size}" for key, size in sizes.items() if size)
            raise StageError(
                f"{each} bytes of a function's environment, with commas; together they may take {BYTES_FOR_LISTS}, "
                "because Lambda limits an environment to 4 KB."
            )
        return self

    @model_validator(mode="after")
    def _check_throttle_is_whole(self) -> Self:
        if (self.throttle_rate is None) != (self.throttle_burst is None):
            raise StageError("throttle_rate and throttle_burst must both be numbers or both be null.")
        return self

    @model_validator(mode="after")
    def _check_api_may_reserve(self) -> Self:
        if self.api_concurrency is not None and not self.reserve_concurrency:
            raise StageError(
                "api_concurrency is a reservation, so it must be null if reserve_concurrency is false."
            )
        return self

    @model_validator(mode="after")
    def _check_the_emulator_can_deploy(self) -> Self:
        if self.api_deployment in GRADUAL and self.name == LOCAL_STAGE:
            raise StageError(
                f"api_deployment must be all_at_once in the stage {LOCAL_STAGE!r}, not {self.api_deployment}, because "
                "the emulator has no CodeDeploy."
            )
        return self

    @model_validator(mode="after")
    def _check_loopback_is_local(self) -> Self:
        if self.webhook_loopback and self.name != LOCAL_STAGE:
            raise StageError(
                f"webhook_loopback may be true only in the stage {LOCAL_STAGE!r}, not in {self.name!r}, because a "
                "function in an account must never call its own host or plain http."
            )
        return self

    @model_validator(mode="after")
    def _check_prompt_has_a_mark(self) -> Self:
        if self.embed_prompt and not self.mark_images:
            raise StageError(
                "embed_prompt must be false if mark_images is false: the prompt is part of the mark."
            )
        return self

    @model_validator(mode="after")
    def _check_playground_has_keys(self) -> Self:
        if self.playground and self.api_auth != "key":
            raise StageError(
                f"playground needs api_auth key, not {self.api_auth}, because the page sends API keys."
            )
        return self

    @model_validator(mode="after")
    def _check_monitoring(self) -> Self:
        for key in ("alarm_email", "monthly_budget_usd", "cost_anomaly_usd"):
            if getattr(self, key) is not None and not self.monitoring:
                raise StageError(f"{key} needs monitoring true, because the stack of the alarms uses it.")
        if self.cost_anomaly_monitor_arn is not None and self.cost_anomaly_usd is None:
            raise StageError(
                "cost_anomaly_monitor_arn needs cost_anomaly_usd, the least amount to be told of."
            )
        if self.monitoring and self.name == LOCAL_STAGE:
            raise StageError(
                f"monitoring must be false in the stage {LOCAL_STAGE!r}, because the emulator has no metrics."
            )
        return self

    @model_validator(mode="after")
    def _check_user_pool(self) -> Self:
        if (self.user_pool_arn is not None) != (self.api_auth == "cognito"):
            raise StageError("user_pool_arn must be set if api_auth is cognito, and only then.")
        return self

    @model_validator(mode="after")
    def _check_domain_is_whole(self) -> Self:
        if (self.domain_name is None) != (self.certificate_arn is None):
            raise StageError("domain_name and certificate_arn must both be set or both be null.")
        if self.hosted_zone_id is not None and self.domain_name is None:
            raise StageError(
                "hosted_zone_id must be null if domain_name is null: it is where that name is recorded."
            )
        return self

    @model_validator(mode="after")
    def _check_emulator_has_it(self) -> Self:
        if self.name != LOCAL_STAGE:
            return self
        for key in NOT_IN_THE_EMULATOR:
            if getattr(self, key) != type(self).model_fields[key].default:
                raise StageError(
                    f"{key} cannot be set in the stage {LOCAL_STAGE!r}, because the emulator does not have it."
                )
        return self


def _bytes_in_environment(value: str | tuple[str, ...] | None) -> int:
    text = value if isinstance(value, str) else ",".join(value or ())
    # As JSON, without the quotation marks, in UTF-8.
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _types() -> dict[str, SettingType]:
    hints = get_type_hints(StageConfig, include_extras=True)
    return {key: SettingType.of(hints[key]) for key in StageConfig.model_fields if key != "name"}


SETTINGS: Final[Mapping[str, SettingType]] = _types()
"""The type of each setting of a stage, in the order of the documentation."""


def allowed(key: str) -> str:
    """Return in words which values a setting may have."""
    type_ = SETTINGS[key]
    own = [limit.description for limit in type_.limits if isinstance(limit, FieldInfo) and limit.description]
    words = own[0] if own else type_.in_words()
    return f"{words}, or null for none" if type_.optional else words


def stack_name(stage: str) -> str:
    """Return the name of a stage's stack, which its API has as well."""
    return f"imagegen-{stage}"


def playground_stack_name(stage: str) -> str:
    """Return the name of the stack of a stage's playground."""
    return f"{stack_name(stage)}-{PLAYGROUND}"


def monitoring_stack_name(stage: str) -> str:
    """Return the name of the stack that watches a stage."""
    return f"{stack_name(stage)}-{MONITORING}"


def stack_names(stage: str) -> tuple[str, ...]:
    """Return the name of every stack that a stage may have, the service's own first."""
    return stack_name(stage), playground_stack_name(stage), monitoring_stack_name(stage)


def check_stage_name(name: str) -> None:
    """Make sure that a stack can have the name of the stage.

    Raises:
        StageError: it has other characters, or too many, or the stack would be another stage's.
    """
    if STAGE_NAME.fullmatch(name) is None:
        raise StageError(
            f"The stage name {name!r} must be 1 to 20 lower-case letters, digits and inner hyphens."
        )
    for purpose in BESIDE:
        # `make destroy STAGE=dev` deletes imagegen-dev-monitoring, so that must not be the service of another stage.
        if name.endswith(f"-{purpose}"):
            owner = name.removesuffix(f"-{purpose}")
            raise StageError(
                f"The stage name {name!r} must not end with -{purpose}: "
                f"{stack_name(name)} is the name of a stack of the stage {owner!r}."
            )


def load_stage(*, name: object, stages: object, overrides: object) -> StageConfig:
    """Return the stage called `name`; the arguments are the raw context values of the CDK app.

    Raises:
        StageError: there is no such stage, or a setting or an override of it is not allowed.
    """
    if not isinstance(stages, Mapping) or not stages:
        raise StageError("stages must be an object in the context of cdk.json, with one object per stage.")
    if not isinstance(name, str) or name not in stages:
        close = _did_you_mean(str(name), stages)
        raise StageError(f"stage is {name!r}, but cdk.json has only {', '.join(sorted(stages))}{close}")
    check_stage_name(name)
    values = stages[name]
    if not isinstance(values, Mapping):
        raise StageError(f"stages.{name} in cdk.json is of type {_type(values)}; it must be an object.")
    return StageConfig.from_json(name=name, values={**values, **_read_overrides(overrides)})


def _read_overrides(text: object) -> dict[str, object]:
    if text is None:
        return {}
    if not isinstance(text, str):
        raise StageError(f"config is of type {_type(text)}; it must be text like 'key=value key=value'.")
    # Bytes of a variable that are not UTF-8 come as halves of surrogate pairs, which nothing can write again.
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise StageError("config must be UTF-8 text.")
    values: dict[str, object] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise StageError(f"{word!r} in config is not of the form key=value.")
        if key not in SETTINGS:
            raise StageError(f"The setting {key!r} in config is unknown{_did_you_mean(key, SETTINGS)}")
        values[key] = _from_text(SETTINGS[key], value)
    return values


def _from_text(type_: SettingType, text: str) -> object:
    """Return the value that `cdk.json` would hold, or the text itself, which the model then refuses as text."""
    if type_.optional and text.lower() in _NOTHING:
        return None
    if type_.is_list:
        return [item.strip() for item in text.split(",") if item.strip()]
    if type_.bare is bool:
        return _FLAGS.get(text.lower(), text)
    if type_.bare is float:
        return float(text) if _DECIMAL.fullmatch(text) else text
    if type_.bare is int or any(isinstance(choice, int) for choice in type_.choices):
        return int(text) if _WHOLE.fullmatch(text) else text
    return text


def _first_mistake(error: ErrorDetails, *, values: Mapping[str, Any]) -> StageError:
    rule = error.get("ctx", {}).get("error")
    if isinstance(rule, StageError):
        return rule
    key = str(error["loc"][0])
    return StageError(f"{key} is {values[key]!r} ({_type(values[key])}); it must be {allowed(key)}.")


def _type(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _did_you_mean(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else "."
