"""What an operator writes for the limits of a key, what the list shows of them, and changes that meet."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from imagegen.adapters import clients
from imagegen.adapters.key_table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import LIMITS, StoredKey
from operating import limits, stage
from operating.keys import Keys
from operating.limits import VARIABLES, Change
from tests.support.far_side import FarSide, json_answer, refusal, session
from tools.failures import LocalError

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NOTHING = dict.fromkeys(VARIABLES, "")
KEY = ApiKey.create(secrets.token_bytes)
STORED = StoredKey.of(KEY, name="alice", now=NOW, expires_at=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-central-1"),
    ],
)
def test_the_commands_look_where_the_cdk_deploys(
    variables: Mapping[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 alone reads AWS_DEFAULT_REGION, and the CDK reads AWS_REGION first."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert stage.aws_options("dev", variables) == {"region_name": region}


def test_each_limit_of_a_key_has_its_variable() -> None:
    """Whoever lets a key have another limit adds the variable as well."""
    assert tuple(variable.setting for variable in VARIABLES.values()) == LIMITS


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ({}, {}),
        ({"DAILY_IMAGES": "0"}, {"daily_images_per_caller": 0}),
        ({"DAILY_USD": "12.5"}, {"daily_usd_per_caller": 12.5}),
        (
            {"DAILY_IMAGES": "none", "DAILY_USD": "0.000001", "IMAGES_PER_MINUTE": "10000"},
            {
                "daily_images_per_caller": None,
                "daily_usd_per_caller": 0.000001,
                "images_per_minute_per_caller": 10_000,
            },
        ),
    ],
)
def test_a_new_key_has_the_limits_that_are_given(
    texts: Mapping[str, str], read: Mapping[str, float | None]
) -> None:
    """For those that are not given the stage's limits hold."""
    assert limits.read_limits({**NOTHING, **texts}) == read


def test_a_change_has_only_what_is_given() -> None:
    """The word `stage` takes a limit of the key away, and `none` takes every limit away."""
    texts = {"DAILY_IMAGES": "stage", "DAILY_USD": "", "IMAGES_PER_MINUTE": "none"}
    assert limits.read_change(texts) == Change(
        changed={"images_per_minute_per_caller": None}, dropped=frozenset({"daily_images_per_caller"})
    )


def test_a_change_of_nothing_is_one_sentence() -> None:
    """It names what can be given."""
    with pytest.raises(LocalError) as caught:
        limits.read_change(NOTHING)
    assert str(caught.value) == (
        "There is nothing to change: set DAILY_IMAGES, DAILY_USD, IMAGES_PER_MINUTE to a number, to none or to stage."
    )


MISTAKES = [
    ("DAILY_IMAGES", "-1", "a whole number from 0 to 1000000"),
    ("DAILY_IMAGES", "1000001", "a whole number from 0 to 1000000"),
    ("DAILY_IMAGES", "1.5", "a whole number from 0 to 1000000"),
    ("DAILY_USD", "1e3", "a number from 0 to 100000 with at most 6 decimals"),
    ("DAILY_USD", "nan", "a number from 0 to 100000 with at most 6 decimals"),
    ("DAILY_USD", "0.0000001", "a number from 0 to 100000 with at most 6 decimals"),
    ("DAILY_USD", "None", "a number from 0 to 100000 with at most 6 decimals"),
    ("IMAGES_PER_MINUTE", "10001", "a whole number from 0 to 10000"),
]


@pytest.mark.parametrize(("name", "text", "allowed"), MISTAKES)
def test_a_wrong_limit_is_one_sentence_that_names_variable_and_range(
    name: str, text: str, allowed: str
) -> None:
    """Only a key that exists can go back to the limits of the stage."""
    with pytest.raises(LocalError) as caught:
        limits.read_limits({**NOTHING, name: text})
    assert str(caught.value) == f"{name} must be {allowed}, or none, not {text!r}."
    with pytest.raises(LocalError) as caught:
        limits.read_change({**NOTHING, name: text})
    assert str(caught.value) == f"{name} must be {allowed}, or none or stage, not {text!r}."


def test_a_new_key_has_no_limit_to_go_back_from() -> None:
    """The word `stage` is refused, because leaving the variable out says the same."""
    with pytest.raises(LocalError, match="or none, not 'stage'"):
        limits.read_limits({**NOTHING, "DAILY_USD": "stage"})


@pytest.mark.parametrize(
    ("own", "shown"),
    [
        ({}, "those of the stage"),
        (
            {"daily_usd_per_caller": 12.5, "daily_images_per_caller": None},
            "daily_images_per_caller=none daily_usd_per_caller=12.5",
        ),
        ({"daily_usd_per_caller": 0.000001}, "daily_usd_per_caller=0.000001"),
        ({"daily_usd_per_caller": 100_000.0}, "daily_usd_per_caller=100000"),
        ({"daily_usd_per_caller": 99_999.999999}, "daily_usd_per_caller=99999.999999"),
        (
            {"daily_images_per_caller": 100, "daily_usd_per_caller": 0.0},
            "daily_images_per_caller=100 daily_usd_per_caller=0",
        ),
    ],
)
def test_limits_are_shown_as_an_operator_writes_them(own: Mapping[str, float | None], shown: str) -> None:
    """No number has an exponent, and none is rounded."""
    assert limits.in_words(own) == shown


def keys(stored: StoredKey, *, replaced: bool = True, now: datetime = NOW) -> tuple[Keys, FarSide]:
    """Return the keys of a stage that has one key, which somebody else may be changing."""
    writer = FarSide(writing := clients.dynamodb(session()), json_answer({}))
    DynamoDbKeys(client=writing, table="keys").add(stored)
    client = clients.dynamodb(session())
    written = json_answer({}) if replaced else refusal("ConditionalCheckFailedException")
    far = FarSide(client, json_answer({"Item": writer.sent[0]["Item"]}), written)
    return Keys(table=DynamoDbKeys(client=client, table="keys"), now=lambda: now), far


def test_a_change_of_limits_changes_nothing_else() -> None:
    """Secret, name and times of the key stay."""
    changed, far = keys(STORED.limit({"daily_images_per_caller": 20}))
    limited = changed.limit(KEY.id, changed={"daily_usd_per_caller": 12.5})
    assert limited == STORED.limit({"daily_images_per_caller": 20, "daily_usd_per_caller": 12.5})
    assert far.sent[1]["Item"]["digest"] == {"S": KEY.digest}


def test_a_change_that_meets_another_one_says_so() -> None:
    """The other one stands, and the operator looks at it first."""
    changed, _ = keys(STORED, replaced=False)
    with pytest.raises(LocalError, match="Somebody else has just changed the key"):
        changed.limit(KEY.id, changed={"daily_usd_per_caller": 12.5})


@pytest.mark.parametrize(
    ("stored", "now", "state"),
    [(STORED.revoke(now=NOW), NOW, "revoked"), (STORED, NOW + timedelta(days=1), "expired")],
)
def test_the_limits_of_a_key_that_no_longer_works_are_not_changed(
    stored: StoredKey, now: datetime, state: str
) -> None:
    """Whoever does that has probably taken one id for another."""
    changed, far = keys(stored, now=now)
    with pytest.raises(LocalError, match=f"The key {KEY.id} is {state}: make a new one with `make key`"):
        changed.limit(KEY.id, changed={"daily_usd_per_caller": 12.5})
    assert len(far.sent) == 1
