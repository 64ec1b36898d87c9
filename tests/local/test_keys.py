"""API keys on the deployed stack: spellings, refusals that cost nothing, rotation, revocation, no secret anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import boto3
import pytest

from imagegen.keys.api_key import ApiKey
from imagegen.keys.authorizer import CACHE_FOR
from tests.support.depth import ENVIRON as DEPTH
from tests.support.depth import at_depth
from tests.support.local_instances import ENVIRON
from tests.support.stack_callers import awaited, fresh_key, id_of, keys_of, logged
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn

UNAUTHENTICATED: Final = int(DEPTH.get("UNAUTHENTICATED", at_depth(thorough=1_000, usual=44)))
"""Requests; `UNAUTHENTICATED=10000` takes minutes."""
CALLERS: Final = 8
FAILING: Final = 2
"""Requests with two different keys. The authorizer answers each with an error, which costs a process of it."""
WITHIN: Final = 30
"""Seconds within which a revoked key must be refused."""
TEA: Final = {"text_prompts": [{"text": "tea"}]}


@dataclass(frozen=True, kw_only=True)
class Revoked:
    """A key that worked until it was revoked, and the moment of that."""

    key: str
    at: float


@pytest.fixture(scope="module", autouse=True)
def revoked(stack: Stack, anonymous: httpx.Client) -> Revoked:
    """Revoke a key before the other tests, so that the last one has little to wait for."""
    key = fresh_key(stack)
    assert anonymous.get("/generations", headers={"x-api-key": key}).status_code == 200
    keys_of(stack).revoke(id_of(key))
    return Revoked(key=key, at=time.monotonic())


@pytest.fixture(autouse=True)
def instant(stand_in: StandIn) -> None:
    """Let the model answer at once."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/generations"),
        ("GET", "/models"),
        ("GET", "/engines/list"),
        ("POST", "/text-to-image"),
        ("POST", "/images/generations"),
        ("POST", "/generation/stable-diffusion-xl-1024-v1-0/text-to-image"),
    ],
)
def test_a_key_means_the_same_in_both_spellings_on_every_route(
    stack: Stack, anonymous: httpx.Client, method: str, path: str
) -> None:
    """A client that can set only a bearer token reaches every route."""
    key = stack.state.api_key
    body = {"prompt": "tea"} if "images" in path else TEA
    json_ = body if method == "POST" else None
    spellings = ({"x-api-key": key}, {"Authorization": f"Bearer {key}"})
    answers = [anonymous.request(method, path, json=json_, headers=sent) for sent in spellings]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_both_spellings_are_one_caller(stack: Stack, anonymous: httpx.Client) -> None:
    """What one made, the other finds."""
    key = fresh_key(stack)
    made = anonymous.post("/text-to-image", json=TEA, headers={"Authorization": f"bearer {key}"}).json()
    assert anonymous.get(f"/generations/{made['id']}", headers={"X-API-KEY": key}).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "sk-1"}, {"Authorization": "Bearer undefined"}])
def test_whoever_has_no_good_key_gets_a_401_that_says_how(
    anonymous: httpx.Client, headers: dict[str, str]
) -> None:
    """The reply is a whole problem, and names the scheme."""
    answer = anonymous.get("/generations", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Send it as x-api-key or as a bearer token" in answer.json()["detail"]


def test_two_different_keys_are_refused(stack: Stack, anonymous: httpx.Client) -> None:
    """Also if both are good."""
    headers = {"x-api-key": stack.state.api_key, "Authorization": f"Bearer {stack.state.other_api_key}"}
    answer = anonymous.get("/generations", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert "two different keys" in answer.json()["detail"]


def stored(stack: Stack) -> dict[str, list[str]]:
    """Return every item of every table, in a fixed order; of a generation only the id.

    The worker's sweep may change a generation of an earlier test, so its other members say nothing about this one.
    """
    dynamodb = boto3.client("dynamodb", **stack.aws())
    return {
        name: sorted(
            json.dumps(item["id"] if "state" in item else item, sort_keys=True, default=str)
            for page in dynamodb.get_paginator("scan").paginate(TableName=name)
            for item in page["Items"]
        )
        for name in dynamodb.list_tables()["TableNames"]
    }


def strangers(stack: Stack) -> list[dict[str, str]]:
    """Return the headers of requests that nobody lets in, each in another form."""
    unknown = ApiKey.create(lambda count: bytes(range(count))).text
    # The right id with another secret, so that the authorizer has something to find.
    wrong = stack.state.api_key[:-1] + ("b" if stack.state.api_key.endswith("a") else "a")
    return [
        {},
        {"x-api-key": ""},
        {"x-api-key": unknown},
        {"x-api-key": wrong},
        {"Authorization": f"Bearer {unknown}"},
        {"Authorization": f"Bearer {wrong}"},
        {"Authorization": f"Basic {wrong}"},
        {"x-api-key": unknown, "Authorization": f"Bearer {unknown}"},
        {"x-api-key": "sk-1"},
        {"x-api-key": "ig_" + "a" * 8_000},
        {"Authorization": "Bearer " + "\t" * 4_000 + unknown},
    ]


@pytest.mark.thorough
def test_unauthenticated_requests_reach_neither_the_function_nor_a_table(
    stack: Stack, anonymous: httpx.Client, api: httpx.Client
) -> None:
    """The authorizer refuses each, in whatever form; the api function logs nothing, and no item changes."""
    api.get("/generations").raise_for_status()
    before = stored(stack), len(logged(stack, "ApiLogs"))
    assert before[1] > 0
    forms = strangers(stack)

    def post(number: int) -> int:
        sent = forms[number % len(forms)]
        return anonymous.post("/text-to-image", json=TEA, headers=sent).status_code

    with ThreadPoolExecutor(CALLERS) as pool:
        refused = Counter(pool.map(post, range(UNAUTHENTICATED)))
    both = {"x-api-key": stack.state.api_key, "Authorization": f"Bearer {stack.state.other_api_key}"}
    failed = [anonymous.post("/text-to-image", json=TEA, headers=both).status_code for _ in range(FAILING)]
    assert (refused, failed) == ({401: UNAUTHENTICATED}, [400] * FAILING)
    assert (stored(stack), len(logged(stack, "ApiLogs"))) == before


@pytest.mark.thorough
def test_a_rotated_key_keeps_its_history_and_both_secrets_work_in_the_grace(
    stack: Stack, anonymous: httpx.Client
) -> None:
    """The owner is the id of the key."""
    old = fresh_key(stack)
    made = anonymous.post("/text-to-image", json=TEA, headers={"x-api-key": old}).json()
    new = keys_of(stack).rotate(id_of(old), grace=timedelta(hours=1)).text
    assert new != old
    look = [anonymous.get(f"/generations/{made['id']}", headers={"x-api-key": old}).status_code]

    def with_the_new_one() -> int | None:
        status = anonymous.get(f"/generations/{made['id']}", headers={"x-api-key": new}).status_code
        return None if status == 401 else status

    # A process that has just read the key goes by that for half a minute.
    assert [*look, awaited(with_the_new_one, "the new secret")] == [200, 200]


def test_a_key_may_allow_fewer_images_than_the_deployment(stack: Stack, anonymous: httpx.Client) -> None:
    """Its own limit holds on every route; another key is not affected."""
    key = keys_of(stack).create(name="one-image", limits={"daily_images_per_caller": 1}).text
    headers = {"x-api-key": key}
    answers = [anonymous.post("/text-to-image", json=TEA, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["code"] == "quota_exceeded"


@pytest.fixture
def secrets_of_the_run(stack: Stack) -> tuple[str, ...]:
    """Return the secret parts of the keys that this module and the stack use."""
    keys = (ApiKey.parse(stack.state.api_key), ApiKey.parse(fresh_key(stack)))
    return tuple(key.secret for key in keys if key)


def test_no_secret_is_in_template_log_or_table(
    stack: Stack, api: httpx.Client, secrets_of_the_run: tuple[str, ...]
) -> None:
    """Searched for by value; the digest is all that the key table has."""
    api.get("/generations").raise_for_status()
    described = boto3.client("cloudformation", **stack.aws()).get_template(StackName=stack.state.stack)
    dynamodb = boto3.client("dynamodb", **stack.aws())
    tables = [dynamodb.scan(TableName=name)["Items"] for name in dynamodb.list_tables()["TableNames"]]
    everything = json.dumps([described["TemplateBody"], tables, logged(stack)], default=str)
    assert "digest" in everything
    assert [secret for secret in secrets_of_the_run if secret in everything] == []


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an operator's command for the stack of these tests."""
    folder = stack.folder
    return subprocess.run(  # noqa: S603 - the checkout's own Python and arguments of this file
        [sys.executable, "-m", "operating", "--stage", "local", *arguments],
        cwd=CHECKOUT,
        env={**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_operator_makes_lists_limits_rotates_and_revokes_keys(
    stack: Stack, anonymous: httpx.Client
) -> None:
    """The key is the last line, and is shown once; the list has no secret."""
    made = run(stack, "key", "--name", "alice", "--days", "90", "--daily-images", "20")
    assert made.returncode == 0, made.stderr
    key = made.stdout.splitlines()[-1]
    assert anonymous.get("/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    listed = run(stack, "keys").stdout
    (row,) = [line for line in listed.splitlines() if " alice " in line]
    assert row.startswith(id_of(key))
    assert "active" in row
    assert "daily_images_per_caller=20" in row
    assert key not in listed
    limited = run(stack, "limit", "--key", id_of(key), "--daily-images", "none", "--daily-usd", "12.5")
    assert limited.stdout == (
        f"The limits of the key {id_of(key)} are now daily_images_per_caller=none daily_usd_per_caller=12.5. "
        "The change holds everywhere within 30 seconds.\n"
    )
    assert "daily_images_per_caller=none daily_usd_per_caller=12.5" in run(stack, "keys").stdout
    rotated = run(stack, "rotate", "--key", id_of(key), "--grace", "0")
    assert id_of(rotated.stdout.splitlines()[-1]) == id_of(key)
    assert "The old key is refused everywhere within 30 seconds." in rotated.stdout
    assert run(stack, "revoke", "--key", id_of(key)).returncode == 0
    assert "revoked" in run(stack, "keys").stdout


MISTAKES: Final = (
    (("key",), "NAME must be"),
    (("key", "--name", "bob", "--days", "0"), "DAYS must be a whole number from 1 to 3650, not '0'."),
    (("key", "--name", "bob", "--daily-images", "-1"), "DAILY_IMAGES must be a whole number from 0"),
    (("key", "--name", "bob", "--daily-usd", "x"), "DAILY_USD must be a number from 0 to 100000"),
    (("limit", "--daily-usd", "1"), "KEY is missing"),
    (("limit", "--key", "abc"), "There is nothing to change: set DAILY_IMAGES"),
    (("limit", "--key", "abc", "--daily-usd", "1"), "There is no key 'abc': `make keys` lists the ids."),
    (
        ("key", "--name", "local"),
        "There is a key named local: rotate or revoke it, or choose another NAME.",
    ),
    (("revoke",), "KEY is missing"),
    (("revoke", "--key", "abc"), "There is no key 'abc': `make keys` lists the ids."),
    (("rotate", "--key", "abc", "--grace", "x"), "GRACE must be a whole number from 0 to 720, not 'x'."),
)


@pytest.mark.parametrize(("arguments", "said"), at_depth(thorough=MISTAKES, usual=MISTAKES[::5]))
def test_an_operators_mistake_is_one_sentence(stack: Stack, arguments: tuple[str, ...], said: str) -> None:
    """The sentence names what is wrong and what is allowed."""
    done = run(stack, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_a_revoked_key_is_refused_within_half_a_minute(
    stack: Stack, anonymous: httpx.Client, revoked: Revoked
) -> None:
    """Every process of the authorizer reads a key again after half a minute."""
    assert CACHE_FOR.total_seconds() <= WITHIN
    time.sleep(max(0.0, revoked.at + CACHE_FOR.total_seconds() + 1 - time.monotonic()))
    answers = {
        anonymous.get("/generations", headers={"x-api-key": revoked.key}).status_code for _ in range(5)
    }
    assert answers == {401}
    assert "revoked" in run(stack, "keys").stdout
