"""A stage's settings are checked, each mistake gives one sentence, and overrides replace single settings."""

from __future__ import annotations

from typing import Final

import pytest
from pydantic import ValidationError

from imagegen.models.registry import MODELS
from stacks.stage import (
    BYTES_FOR_LISTS,
    StageConfig,
    StageError,
    load_stage,
    stack_name,
    stack_names,
)
from tests.support.synthesis import CONTEXT, ROOT, STAGES, stage_config

LISTED = ["stability.stable-image-core-v1:1"]


def test_a_share_of_the_api_function_is_a_reservation() -> None:
    """A stage that reserves nothing cannot have one."""
    with pytest.raises(StageError, match="api_concurrency is a reservation"):
        StageConfig.from_json(name="dev", values={"api_concurrency": 5, "reserve_concurrency": False})


@pytest.mark.parametrize("entry", ["", "a b", "foo", "stability.stable-image-core-v1:1,"])
def test_a_model_that_is_not_registered_is_refused_by_its_name(entry: str) -> None:
    """The error comes before anything is built or started."""
    with pytest.raises(StageError) as caught:
        StageConfig.from_json(name="dev", values={"models": [*LISTED, entry]})
    assert str(caught.value).startswith(f"models: {entry!r} is not a registered model; ")


def test_an_alias_of_a_model_that_is_not_listed_is_refused_by_its_name() -> None:
    """The sentence lists the models that an alias may stand for."""
    values = {"models": LISTED, "openai_model_aliases": ["dall-e-3=stability.sd3-5-large-v1:0"]}
    with pytest.raises(StageError, match=r"must be one of auto, stability\.stable-image-core-v1:1\."):
        StageConfig.from_json(name="dev", values=values)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("https://App.Example.com:443/", "https://app.example.com"),
        ("HTTPS://app.example.com", "https://app.example.com"),
        ("https://app.example.com/", "https://app.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:08080", "http://localhost:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
        ("Capacitor://localhost/", "capacitor://localhost"),
    ],
)
def test_an_origin_that_no_browser_writes_is_refused_with_the_one_that_it_writes(
    text: str, written: str
) -> None:
    """It would deploy, and the pages would be refused, because origins are compared as text."""
    with pytest.raises(StageError) as caught:
        StageConfig.from_json(name="dev", values={"cors_origins": ["https://a.example", text]})
    sentence = f"cors_origins: a browser writes {text!r} as {written}, so write it like that."
    assert str(caught.value) == sentence
    assert StageConfig.from_json(name="dev", values={"cors_origins": [written]}).cors_origins == (written,)


def origins(size: int) -> list[str]:
    """Return different origins that take so many bytes with their commas."""
    made = [f"https://app-{number:04}.example.com" for number in range(size // 29)]
    return [*made[:-1], f"{made[-1]}.{'a' * (size - len(','.join(made)) - 1)}"]


DEFAULTS = StageConfig(name="dev")
ROOM = BYTES_FOR_LISTS - len(",".join(DEFAULTS.models)) - len(",".join(DEFAULTS.openai_model_aliases))


def test_origins_and_models_may_fill_the_environment_of_a_function() -> None:
    """That is about 65 origins of an ordinary length."""
    config = StageConfig.from_json(name="dev", values={"cors_origins": origins(ROOM)})
    assert len(",".join(config.cors_origins)) == ROOM
    assert len(config.cors_origins) >= 65


def test_origins_that_do_not_fit_into_the_environment_are_refused() -> None:
    """Otherwise Lambda would refuse the function in the middle of a deployment."""
    sentence = (
        rf"^cors_origins takes {ROOM + 1}, models takes \d+, openai_model_aliases takes \d+ bytes of a function's "
        r"environment, with commas; together they may take 1990, because Lambda limits an environment to 4 KB\.$"
    )
    with pytest.raises(StageError, match=sentence):
        StageConfig.from_json(name="dev", values={"cors_origins": origins(ROOM + 1)})


LONG: Final = (
    ("cors_origins", [f"https://app-{number}.example.com" for number in range(110)], "takes 2969"),
    ("openai_model_aliases", [f"model-{number:03}=auto" for number in range(160)], "takes 2399"),
)


@pytest.mark.parametrize(("key", "value", "takes"), LONG, ids=[f"{each[0]}-{len(each[1])}" for each in LONG])
def test_every_setting_without_a_bound_counts(key: str, value: object, takes: str) -> None:
    """Each is counted in bytes as Lambda measures it, and the sentence names it."""
    with pytest.raises(StageError, match=f"{key} {takes}"):
        StageConfig.from_json(name="dev", values={key: value})


def test_an_endpoint_counts_beside_the_lists() -> None:
    """It has a bound, but one of the four together may be what is too much."""
    values = {"cors_origins": origins(ROOM), "bedrock_endpoint_url": "http://127.0.0.1:4580"}
    with pytest.raises(StageError, match="bedrock_endpoint_url takes 21 bytes"):
        StageConfig.from_json(name="dev", values=values)


def test_overrides_that_are_not_utf_8_are_one_sentence() -> None:
    """Python hands such bytes on as halves of surrogate pairs."""
    with pytest.raises(StageError, match=r"^config must be UTF-8 text\.$"):
        load_stage(name="dev", stages=CONTEXT["stages"], overrides="openai_model_aliases=\udcff=auto")


def test_the_defaults_are_allowed() -> None:
    """Pydantic itself does not check the defaults."""
    defaults = StageConfig(name="dev")
    assert StageConfig.from_json(name="dev", values=defaults.model_dump(exclude={"name"})) == defaults


def test_a_stage_does_not_name_itself() -> None:
    """The name of a stage is its key in cdk.json, so `name` is not a setting."""
    with pytest.raises(StageError, match="The setting 'name' of stage 'dev' is unknown"):
        StageConfig.from_json(name="dev", values={"name": "prod"})


def test_a_config_is_frozen() -> None:
    """All constructs share one config, so nobody may change it."""
    with pytest.raises(ValidationError, match="frozen"):
        StageConfig(name="dev").model_timeout = 5  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_those_that_are_near() -> None:
    """A misspelled setting is not ignored; the error suggests the right name."""
    with pytest.raises(
        StageError, match=r"'model_timout' of stage 'dev' is unknown; did you mean model_timeout"
    ):
        StageConfig.from_json(name="dev", values={"model_timout": 5})


def test_an_unknown_stage_is_refused_with_those_that_exist() -> None:
    """The error lists the stages of cdk.json."""
    with pytest.raises(
        StageError,
        match=r"stage is 'prd', but cdk.json has only dev, local, prod, staging; did you mean prod\?",
    ):
        stage_config("prd")


@pytest.mark.parametrize("name", ["Dev", "a_b", "-a", "a-", "a" * 21, ""])
def test_a_stage_name_must_suit_a_stack_name(name: str) -> None:
    """The name becomes part of the stack's name."""
    with pytest.raises(StageError, match="must be 1 to 20 lower-case letters"):
        load_stage(name=name, stages={name: {}}, overrides=None)


@pytest.mark.parametrize("of", ["dev", "prod"])
def test_no_stage_has_the_name_of_a_stack_beside_another_stage(of: str) -> None:
    """Else destroying the one would delete the service of the other."""
    own, *others = stack_names(of)
    assert others
    for other in others:
        name = other.removeprefix(stack_name(""))
        with pytest.raises(StageError, match=rf"must not end with -.*: {other} is .* of the stage '{of}'"):
            load_stage(name=name, stages={name: CONTEXT["stages"]["dev"]}, overrides=None)
    assert own == stack_name(of)


@pytest.mark.parametrize("name", ["monitoring", "playground", "monitoring-dev"])
def test_other_stages_may_be_called_after_what_they_are_for(name: str) -> None:
    """Only the end of a name is what the stacks beside a stage have."""
    assert load_stage(name=name, stages={name: CONTEXT["stages"]["dev"]}, overrides=None).name == name


@pytest.mark.parametrize("stages", [None, {}, [], "dev"])
def test_stages_must_be_an_object(stages: object) -> None:
    """An app that runs without cdk.json gets this error."""
    with pytest.raises(StageError, match=r"stages must be an object in the context of cdk\.json"):
        load_stage(name="dev", stages=stages, overrides=None)


def test_a_stage_must_be_an_object() -> None:
    """The error names the stage and the type that was given."""
    with pytest.raises(StageError, match=r"stages.dev in cdk.json is of type list; it must be an object"):
        load_stage(name="dev", stages={"dev": []}, overrides=None)


def test_images_never_outlive_their_records() -> None:
    """Otherwise a caller could no longer delete an image whose record is gone."""
    with pytest.raises(StageError, match="record_retention_days is 8"):
        StageConfig.from_json(name="dev", values={"image_retention_days": 7, "record_retention_days": 8})
    config = StageConfig.from_json(name="dev", values={"image_retention_days": 7, "record_retention_days": 9})
    assert config.record_retention_days == 9


@pytest.mark.parametrize("key", ["throttle_rate", "throttle_burst"])
def test_a_throttle_is_whole_or_absent(key: str) -> None:
    """API Gateway takes a rate and a burst only together."""
    with pytest.raises(StageError, match="throttle_rate and throttle_burst must both be"):
        StageConfig.from_json(name="dev", values={key: None})


@pytest.mark.parametrize(("model_timeout", "function_timeout"), [(1, 21), (5, 25), (60, 80), (270, 290)])
def test_all_time_outs_derive_from_that_of_the_model(model_timeout: int, function_timeout: int) -> None:
    """The function's time-out is 20 s longer than the model's, and a message stays hidden six times that long."""
    config = stage_config("dev", f"model_timeout={model_timeout}")
    assert config.function_timeout == function_timeout
    assert config.queue_visibility == 6 * function_timeout


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("model_timeout=5", "model_timeout", 5),
        ("daily_images_per_caller=5", "daily_images_per_caller", 5),
        ("daily_images=0", "daily_images", 0),
        ("daily_images=null", "daily_images", None),
        ("daily_images=", "daily_images", None),
        ("daily_usd=0.5", "daily_usd", 0.5),
        ("daily_usd_per_caller=3", "daily_usd_per_caller", 3),
        ("daily_usd_per_caller=null", "daily_usd_per_caller", None),
        ("images_per_minute_per_caller=2", "images_per_minute_per_caller", 2),
        ("queued_jobs_per_caller=none", "queued_jobs_per_caller", None),
        ("throttle_rate=2.5", "throttle_rate", 2.5),
        ("throttle_rate=2", "throttle_rate", 2),
        ("retain_data=true", "retain_data", True),
        ("webhooks=FALSE", "webhooks", False),
        ("log_retention_days=30", "log_retention_days", 30),
        ("log_level=ERROR", "log_level", "ERROR"),
        ("cors_origins=", "cors_origins", ()),
        (
            "cors_origins=https://a.example,https://b.example",
            "cors_origins",
            ("https://a.example", "https://b.example"),
        ),
        ("models=stability.sd3-5-large-v1:0", "models", ("stability.sd3-5-large-v1:0",)),
        ("bedrock_endpoint_url=http://127.0.0.1:9", "bedrock_endpoint_url", "http://127.0.0.1:9"),
        ("bedrock_endpoint_url=none", "bedrock_endpoint_url", None),
    ],
)
def test_an_override_reads_like_its_value_in_json(override: str, key: str, value: object) -> None:
    """`-c config=` takes the same values as cdk.json."""
    config = stage_config("dev", override)
    assert getattr(config, key) == value
    assert type(getattr(config, key)) is type(value) or isinstance(value, int | float)


def test_overrides_win_over_the_stage_and_combine() -> None:
    """Settings that are not overridden keep the stage's value."""
    config = stage_config("prod", "model_timeout=5  daily_images_per_caller=7")
    assert (config.model_timeout, config.daily_images_per_caller) == (5, 7)
    assert config.retain_data


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model_timeout", r"'model_timeout' in config is not of the form key=value\."),
        ("model_timout=5", r"The setting 'model_timout' in config is unknown; did you mean model_timeout"),
        ("model_timeout=5s", r"model_timeout is '5s' \(str\); it must be a whole number from 1 to 270\."),
        ("model_timeout=²", r"model_timeout is '²' \(str\)"),
        ("webhooks=yes", r"webhooks is 'yes' \(str\); it must be true or false\."),
        ("models=", r"models is \[\] \(list\)"),
        (
            "daily_usd=0.0000001",
            r"daily_usd is '0\.0000001' \(str\); it must be a number from 0 to 1000000 with at most 6 decimals",
        ),
        ("daily_usd=1e3", r"daily_usd is '1e3' \(str\)"),
    ],
)
def test_a_wrong_override_is_answered_in_one_sentence(override: str, sentence: str) -> None:
    """A wrong override gives the same sentence as a wrong value in cdk.json."""
    with pytest.raises(StageError, match=sentence):
        stage_config("dev", override)


def test_overrides_must_be_text() -> None:
    """CDK's context may hold a value of any type."""
    with pytest.raises(StageError, match="config is of type dict"):
        load_stage(name="dev", stages=CONTEXT["stages"], overrides={"model_timeout": 5})


def test_the_stages_for_development_promotion_and_this_machine_exist() -> None:
    """`make synth`, `make deploy`, `make up` and the pipeline use these names."""
    assert set(CONTEXT["stages"]) == {*STAGES, "staging"}


def test_staging_is_production_with_other_numbers() -> None:
    """So its template has the same resources, and what serves there serves in production; only its data may go."""
    staging, prod = (stage_config(name).model_dump() for name in ("staging", "prod"))
    differ = {key for key in prod if staging[key] != prod[key]}
    assert differ == {
        *("name", "retain_data"),
        *("image_retention_days", "record_retention_days", "log_retention_days"),
        *("daily_images_per_caller", "daily_images", "daily_usd_per_caller", "daily_usd"),
    }
    numbers = differ - {"name", "retain_data"}
    assert not any(None in (staging[key], prod[key]) for key in numbers)


def test_the_page_names_every_number_of_staging() -> None:
    """The table of settings has no column for it."""
    stage = stage_config("staging")
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (told,) = (
        " ".join(each.split()) for each in page.split("\n\n") if each.startswith("The stage `staging`")
    )
    assert f"({stage.daily_images} images and ${stage.daily_usd:.2f} for all callers, " in told
    assert f"{stage.daily_images_per_caller} images and ${stage.daily_usd_per_caller:.2f} for each)" in told
    assert (
        f"(images {stage.image_retention_days} day, records {stage.record_retention_days}, "
        f"logs {stage.log_retention_days})" in told
    )


def test_the_local_stage_has_no_throttle_no_quota_and_no_budget() -> None:
    """On this machine only `CONFIG` sets limits."""
    local = stage_config("local")
    limits = (local.throttle_rate, local.throttle_burst)
    assert limits == (None, None)
    assert (local.daily_images_per_caller, local.daily_images) == (None, None)
    assert (local.daily_usd_per_caller, local.daily_usd) == (None, None)
    assert (local.images_per_minute_per_caller, local.queued_jobs_per_caller) == (None, None)
    assert (local.bundle_platform, local.s3_addressing_style, local.retain_data) == ("host", "path", False)


def test_the_stages_in_the_cloud_bound_what_a_day_can_cost() -> None:
    """Only an operator can choose an unlimited bill; it is never a default."""
    for stage in ("dev", "prod"):
        config = stage_config(stage)
        assert config.daily_images is not None
        assert config.daily_images_per_caller is not None
        assert config.daily_usd is not None
        assert config.daily_usd_per_caller is not None
        assert config.queued_jobs_per_caller is not None
        assert config.max_paid_attempts == 1


@pytest.mark.parametrize("config", [StageConfig(name="dev"), stage_config("dev"), stage_config("prod")])
def test_the_dollars_of_a_day_are_what_its_images_cost_at_most(config: StageConfig) -> None:
    """An operator who lists a dearer model finds both limits of the same size."""
    dearest = max(model.price.per_image for model in MODELS)
    assert config.daily_images is not None
    assert config.daily_images_per_caller is not None
    assert config.daily_usd == pytest.approx(config.daily_images * dearest)
    assert config.daily_usd_per_caller == pytest.approx(config.daily_images_per_caller * dearest)


POOL = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_Callers"


@pytest.mark.parametrize("override", ["api_auth=cognito", f"user_pool_arn={POOL}"])
def test_a_user_pool_and_its_kind_of_authentication_go_together(override: str) -> None:
    """One without the other is a mistake, which the error names."""
    with pytest.raises(StageError, match="user_pool_arn must be set if api_auth is cognito, and only then"):
        stage_config("dev", override)
    assert stage_config("dev", f"api_auth=cognito user_pool_arn={POOL}").user_pool_arn == POOL


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "local"])
def test_only_the_local_stage_may_call_receivers_on_its_own_machine(stage: str) -> None:
    """A function in an account must never call its own host, or plain http."""
    assert not stage_config(stage).webhook_loopback
    with pytest.raises(StageError) as caught:
        stage_config(stage, "webhook_loopback=true")
    assert str(caught.value) == (
        f"webhook_loopback may be true only in the stage 'local', not in '{stage}', because a function in an account "
        "must never call its own host or plain http."
    )


def test_a_stage_of_another_name_cannot_call_its_own_machine_either() -> None:
    """What counts is the name, not the other settings."""
    values = {**CONTEXT["stages"]["local"], "webhook_loopback": True}
    with pytest.raises(StageError, match="only in the stage 'local', not in 'locally'"):
        StageConfig.from_json(name="locally", values=values)


def test_a_prompt_needs_a_mark_that_it_is_part_of() -> None:
    """Without the mark the setting would have no effect, and the operator would not notice."""
    assert stage_config("dev", "embed_prompt=true").embed_prompt
    with pytest.raises(StageError, match="embed_prompt must be false if mark_images is false"):
        stage_config("dev", "embed_prompt=true mark_images=false")
