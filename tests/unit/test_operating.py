"""What an operator writes for the limits of a key, what the list shows of them, and changes that meet."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.stored_key import LIMITS, StoredKey
from operating import limits, stage
from operating.keys import Keys
from operating.limits import VARIABLES, Change
from tests.support import sdk_clients
from tests.support.far_side import FarSide, Reply, json_answer, refusal, session
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
    writer = FarSide(writing := sdk_clients.dynamodb(session()), json_answer({}))
    DynamoDbKeys(client=writing, table="keys").add(stored)
    client = sdk_clients.dynamodb(session())
    written = json_answer({}) if replaced else refusal("ConditionalCheckFailedException")
    found = {"Item": writer.sent[0]["Item"]}
    far = FarSide(client, json_answer(found), written, json_answer(found))
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


def refusing(_: ApiKey) -> None:
    """Show a key where there is no room for it."""
    raise OSError(28, "No space left on device")


def interrupted(_: ApiKey) -> None:
    """Show a key to somebody who does not wait for it."""
    raise KeyboardInterrupt


NO_KEYS = json_answer({"Items": []})
REFUSED = refusal("ConditionalCheckFailedException")


def stage_that_replies(*replies: Reply) -> tuple[Keys, FarSide]:
    """Return the keys of a stage whose table replies so."""
    client = sdk_clients.dynamodb(session())
    far = FarSide(client, *replies)
    return Keys(table=DynamoDbKeys(client=client, table="keys"), now=lambda: NOW), far


def item(stored: StoredKey) -> dict[str, Any]:
    """Return the table's answer that has a key."""
    keys, far = stage_that_replies(json_answer({}))
    keys.table.add(stored)
    return {"Item": far.sent[0]["Item"]}


@pytest.mark.parametrize(
    ("show", "why"), [(refusing, "No space left on device"), (interrupted, "interrupted")]
)
def test_a_key_that_could_not_be_shown_is_revoked(show: Callable[[ApiKey], None], why: str) -> None:
    """Its secret is lost, and its name is free again then."""
    keys, far = stage_that_replies(NO_KEYS, json_answer({}), json_answer({}))
    with pytest.raises(LocalError, match=rf"^The key \w+ could not be shown \({why}\), so it is revoked\.$"):
        keys.create(name="alice", show=show)
    assert far.sent[2]["Item"]["revoked_at"] == {"S": NOW.isoformat()}


def test_a_key_that_could_neither_be_shown_nor_revoked_is_named() -> None:
    """Whoever reads that can still revoke it."""
    keys, _ = stage_that_replies(NO_KEYS, json_answer({}), refusal("AccessDeniedException"), json_answer({}))
    with pytest.raises(
        LocalError, match=r"could not be revoked either: run `make revoke KEY=[a-z2-7]{12}`\.$"
    ):
        keys.create(name="alice", show=refusing)


@pytest.mark.parametrize("show", [refusing, interrupted])
def test_a_secret_that_could_not_be_shown_gives_its_place_back(show: Callable[[ApiKey], None]) -> None:
    """Nobody has the new one, and with a short `grace` nobody would have the old one for long."""
    keys, far = stage_that_replies(json_answer(item(STORED)), json_answer({}), json_answer({}))
    with pytest.raises(LocalError, match=r"could not be shown \(.*\), so its old secret holds again\.$"):
        keys.rotate(KEY.id, grace=timedelta(), show=show)
    assert far.sent[1]["Item"]["digest"] != {"S": KEY.digest}
    assert far.sent[2]["Item"] == item(STORED)["Item"]
    assert far.sent[2]["ExpressionAttributeValues"][":digest"] == far.sent[1]["Item"]["digest"]


def test_a_secret_that_could_neither_be_shown_nor_put_back_is_to_be_made_again() -> None:
    """Somebody else has changed the key in between."""
    other = item(STORED.revoke(now=NOW))
    keys, _ = stage_that_replies(json_answer(item(STORED)), json_answer({}), REFUSED, json_answer(other))
    with pytest.raises(LocalError, match="and its old secret could not be restored: rotate it again"):
        keys.rotate(KEY.id, grace=timedelta(), show=refusing)


def test_a_key_is_shown_though_the_answer_to_its_making_was_lost() -> None:
    """A repeated attempt is refused, because the first one has made it."""
    shown: list[ApiKey] = []
    keys, far = stage_that_replies(NO_KEYS, REFUSED, lambda _: json_answer({"Item": far.sent[1]["Item"]}))
    made = keys.create(name="alice", show=shown.append)
    assert shown == [made]


@pytest.mark.parametrize(
    "lost", [[REFUSED], [ReadTimeoutError(endpoint_url="table")] * 3], ids=["tried again", "given up"]
)
def test_a_new_secret_is_shown_though_the_answer_to_its_making_was_lost(lost: list[Reply]) -> None:
    """Otherwise it would be taken for somebody else's change, and be lost."""
    shown: list[ApiKey] = []
    keys, far = stage_that_replies(
        json_answer(item(STORED)), *lost, lambda _: json_answer({"Item": far.sent[1]["Item"]})
    )
    made = keys.rotate(KEY.id, grace=timedelta(), show=shown.append)
    assert shown == [made]
