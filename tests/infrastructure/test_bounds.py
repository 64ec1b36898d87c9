"""The operator's configuration and the functions' environment have the same bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_type_hints

import pytest

from imagegen.errors import Misconfigured
from imagegen.settings import MAX_URL_TTL, Settings, SettingType
from stacks.stage import SETTINGS, StageConfig, StageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.synthesis import Synthesized

FIELDS = {
    name: SettingType.of(type_) for name, type_ in get_type_hints(Settings, include_extras=True).items()
}
SHARED = {name: type_ for name, type_ in FIELDS.items() if name in SETTINGS and name != "owner_salt"}
NUMBERS = [name for name, type_ in SHARED.items() if type_.bare is int]
DOLLARS = [name for name, type_ in SHARED.items() if type_.bare is float]
FLAGS = [name for name, type_ in SHARED.items() if type_.bare is bool]
CHOICES = [name for name, type_ in SHARED.items() if type_.choices]


def stage_takes(key: str, value: object) -> bool:
    """Say whether an operator may set the value in `cdk.json`."""
    try:
        StageConfig.from_json(name="dev", values={"image_retention_days": 1, key: value})
    except StageError as error:
        # A record must outlive its image. That rule is about two settings, and not a bound of this one.
        return "so that no image outlives its record" in str(error)
    return True


def functions_take(stage: Synthesized, key: str, value: object) -> bool:
    """Say whether the functions start with the value in a stage's environment."""
    function = stage.one("AWS::Lambda::Function", named="WorkerFunction")
    environment = {name: str(text) for name, text in function["Environment"]["Variables"].items()}
    environment["WEBHOOK_LOOPBACK"] = "false"  # a parameter in the stage `local`
    try:
        Settings.from_environment({**environment, key.upper(): str(value)})
    except Misconfigured:
        return False
    return True


def test_every_shared_setting_is_a_number_dollars_a_choice_a_flag_or_a_list() -> None:
    """Each of the five kinds has a test below."""
    lists = [name for name, type_ in SHARED.items() if type_.is_list]
    assert {*NUMBERS, *DOLLARS, *CHOICES, *FLAGS, *lists} == set(SHARED)
    assert FLAGS == ["webhook_loopback", "mark_images", "embed_prompt"]
    assert lists == ["models", "cors_origins", "openai_model_aliases"]
    assert len(NUMBERS) == 9
    assert DOLLARS == ["daily_usd_per_caller", "daily_usd"]


@pytest.mark.parametrize("key", NUMBERS)
def test_both_sides_take_a_number_at_its_bounds_and_none_beyond(local: Synthesized, key: str) -> None:
    """The type in `imagegen.settings` has the bounds."""
    type_ = SHARED[key]
    values = (type_.low - 1, type_.low, type_.high, type_.high + 1)
    expected = [False, True, True, False]
    assert [stage_takes(key, value) for value in values] == expected
    assert [functions_take(local, key, value) for value in values] == expected


@pytest.mark.parametrize("key", DOLLARS)
def test_both_sides_take_dollars_at_their_bounds_and_to_the_millionth(local: Synthesized, key: str) -> None:
    """A number with more decimals is refused, and is not rounded."""
    low, high = SHARED[key].low, SHARED[key].high
    values = (low - 0.000001, low, low + 0.000001, low + 0.0000005, high - 0.000001, high, high + 0.000001)
    expected = [False, True, True, False, True, True, False]
    assert [stage_takes(key, value) for value in values] == expected
    assert [functions_take(local, key, f"{value:.7f}".removesuffix("0")) for value in values] == expected


@pytest.mark.parametrize("key", CHOICES)
def test_both_sides_take_the_same_words(local: Synthesized, key: str) -> None:
    """Both refuse every other word."""
    words = (*SHARED[key].choices, "other")
    expected = [*(True for _ in SHARED[key].choices), False]
    assert [stage_takes(key, word) for word in words] == expected
    assert [functions_take(local, key, word) for word in words] == expected


@pytest.mark.parametrize("key", FLAGS)
def test_both_sides_take_true_or_false_and_no_other_word(local: Synthesized, key: str) -> None:
    """A stage writes it as JSON; only the local stage may say true."""
    assert [stage_takes(key, value) for value in (False, "false", 0)] == [True, False, False]
    words = ("true", "false", "True", "1", "")
    assert [functions_take(local, key, word) for word in words] == [True, True, False, False, False]


def test_both_sides_want_a_model_and_no_origin(local: Synthesized) -> None:
    """A stage needs a model to serve anything. It needs no origin: without origins CORS is off."""
    assert (stage_takes("models", []), functions_take(local, "models", "")) == (False, False)
    assert (stage_takes("cors_origins", []), functions_take(local, "cors_origins", "")) == (True, True)


ALIASES: list[tuple[list[str], bool]] = [
    ([], True),
    (["a*=auto"], True),
    (["auto"], False),
    (["=auto"], False),
    (["a=b=auto"], False),
]


@pytest.mark.parametrize("case", ALIASES)
def test_both_sides_take_the_same_aliases(local: Synthesized, case: tuple[list[str], bool]) -> None:
    """An alias is a pattern and a model."""
    entries, taken = case
    assert stage_takes("openai_model_aliases", entries) is taken
    assert functions_take(local, "openai_model_aliases", ",".join(entries)) is taken


@pytest.mark.parametrize("key", [name for name, type_ in SHARED.items() if type_.optional])
def test_both_sides_read_nothing_as_unlimited(local: Synthesized, key: str) -> None:
    """Unlimited is null in `cdk.json`, and an empty variable in the environment."""
    assert (stage_takes(key, None), functions_take(local, key, "")) == (True, True)


def test_a_stage_may_keep_the_owners_of_a_former_stack(synthesized: Callable[..., Synthesized]) -> None:
    """Then `owner_salt` is what the functions read; without it they read the random part of the stack's id."""
    salt = "0a1b2c3d-0000-11ee-aaaa-0123456789ab"
    kept = synthesized("dev", f"owner_salt={salt}").one("AWS::Lambda::Function", named="ApiFunction")
    own = synthesized("dev", None).one("AWS::Lambda::Function", named="ApiFunction")
    assert kept["Environment"]["Variables"]["OWNER_SALT"] == salt
    assert "AWS::StackId" in str(own["Environment"]["Variables"]["OWNER_SALT"])
    assert [stage_takes("owner_salt", value) for value in (None, salt, "", "short", "a b c d e f g")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_every_model_time_out_gives_a_function_time_out_that_the_functions_take() -> None:
    """The functions also read the function's time-out, which derives from the model's."""
    for seconds in (SHARED["model_timeout"].low, SHARED["model_timeout"].high):
        config = StageConfig.from_json(name="dev", values={"model_timeout": seconds})
        assert FIELDS["function_timeout"].low <= config.function_timeout <= FIELDS["function_timeout"].high


def test_the_bucket_refuses_a_signature_older_than_any_url_may_be(any_stage: Synthesized) -> None:
    """The bucket's limit is the longest life of a URL, in milliseconds."""
    statements = any_stage.one("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    ages = [each["Condition"]["NumericGreaterThan"] for each in statements if "Numeric" in str(each)]
    assert ages == [{"s3:signatureAge": str(MAX_URL_TTL * 1000)}]
    assert SHARED["url_ttl"].high == MAX_URL_TTL
