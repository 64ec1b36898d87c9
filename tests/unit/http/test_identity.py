"""The owner of a generation comes from the principal that the gateway verified, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen.errors import Unauthorized
from imagegen.http import identity
from imagegen.keys.stored_key import LIMITS
from tests.support.events import KEY, OTHER_KEY, SALT, authorized, event, received

ARN = "arn:aws:iam::123456789012:user/alice"
SUBJECT = "5f2c1f0e-7a0b-4a3e-9d64-0c1d2e3f4a5b"


def signed(arn: str = ARN) -> dict[str, Any]:
    """Return an event whose AWS signature the gateway has checked."""
    sent = event("GET", "/generations", key=None)
    sent["requestContext"]["identity"] |= {"userArn": arn}
    return sent


def with_key(key: str = KEY, **limits: float | None) -> dict[str, Any]:
    """Return an event whose API key the authorizer has accepted."""
    sent = event("GET", "/generations", key=None)
    sent["requestContext"]["authorizer"] = authorized(key, **limits)
    return sent


def with_token(**claims: str) -> dict[str, Any]:
    """Return an event whose token of a user pool the gateway has checked."""
    sent = event("GET", "/generations", key=None)
    sent["requestContext"]["authorizer"] = {"claims": claims or {"sub": SUBJECT}}
    return sent


def owner_of(sent: dict[str, Any]) -> str:
    """Return the owner of the generations that an event makes."""
    return received(sent).owner


def test_the_same_key_is_the_same_owner_and_another_key_another() -> None:
    """The owner depends on the id of the key alone, and does not contain it."""
    owner = owner_of(with_key())
    assert owner == owner_of(event("POST", "/text-to-image", {"other": "request"}))
    assert owner != owner_of(with_key(OTHER_KEY))
    assert KEY not in owner
    assert len(owner) == 26
    assert owner.isalnum()


@pytest.mark.parametrize("sent", [signed(), with_key(), with_token()], ids=["signature", "key", "token"])
def test_two_deployments_have_no_owner_in_common(sent: dict[str, Any]) -> None:
    """Whoever sees an owner in a URL cannot find out by trying names which principal it is."""
    owners = {identity.owner_of(sent["requestContext"], salt=salt) for salt in (SALT, "another")}
    assert len(owners) == 2


def test_the_sessions_of_a_role_are_one_owner() -> None:
    """Whoever assumes a role chooses the session's name, so that name must not decide the owner."""
    role = "arn:aws:sts::123456789012:assumed-role/painters"
    owners = {owner_of(signed(f"{role}/{session}")) for session in ("alice", "bob")}
    other = owner_of(signed("arn:aws:sts::123456789012:assumed-role/others/alice"))
    assert len(owners) == 1
    assert other not in owners


def test_the_users_of_an_account_are_owners_of_their_own() -> None:
    """A user's whole ARN counts, with its path; only the session name of a role is cut off."""
    users = ("arn:aws:iam::123456789012:user/team/alice", "arn:aws:iam::123456789012:user/team/bob")
    assert len({owner_of(signed(user)) for user in users}) == 2


def test_a_users_token_and_a_machines_token_name_their_owners() -> None:
    """A token that a client got for itself has no subject of its own, but the client's id."""
    owners = {owner_of(with_token()), owner_of(with_token(client_id="4k1"))}
    assert len(owners) == 2
    assert owner_of(with_token(sub=SUBJECT, client_id="4k1")) == owner_of(with_token())


def test_the_kinds_of_principal_do_not_collide() -> None:
    """A key and a subject that look like a user's ARN give other owners than that user."""
    assert len({owner_of(signed()), owner_of(with_key(ARN)), owner_of(with_token(sub=ARN))}) == 3


@pytest.mark.parametrize("sent", [signed(), with_key(), with_token()], ids=["signature", "key", "token"])
def test_no_header_changes_a_verified_principal(sent: dict[str, Any]) -> None:
    """No header lets a caller pass for another."""
    owner = owner_of(sent)
    for name in ("x-api-key", "X-Owner", "X-Amzn-Oidc-Identity", "Authorization"):
        sent["multiValueHeaders"][name] = [OTHER_KEY]
        sent["headers"][name] = OTHER_KEY
    assert owner_of(sent) == owner


def test_a_key_in_a_header_alone_is_nobody() -> None:
    """Only the gateway says who calls: a header that nobody checked names no owner."""
    sent = event(
        "GET", "/generations", key=None, headers={"x-api-key": KEY, "Authorization": f"Bearer {KEY}"}
    )
    sent["requestContext"]["identity"]["apiKey"] = KEY
    with pytest.raises(Unauthorized):
        owner_of(sent)


@pytest.mark.parametrize("authorizer", [None, {}, {"keyId": ""}, {"claims": None}, {"claims": {}}])
def test_an_authorizer_that_names_nobody_is_nobody(authorizer: dict[str, Any] | None) -> None:
    """An empty principal does not count."""
    sent = event("GET", "/generations", key=None)
    sent["requestContext"]["authorizer"] = authorizer
    with pytest.raises(Unauthorized):
        owner_of(sent)


def test_an_event_without_any_context_is_refused() -> None:
    """An event whose members are null is refused like one without a principal."""
    with pytest.raises(Unauthorized):
        owner_of({"requestContext": None, "multiValueHeaders": None})


def test_the_id_of_a_key_says_who_is_billed() -> None:
    """A principal of another kind has none."""
    assert received(with_key()).key_id == KEY
    assert received(signed()).key_id == ""


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"daily_images_per_caller": 3},
        {"daily_usd_per_caller": 0.000001, "daily_images_per_caller": None},
        {"daily_usd_per_caller": 12.5, "daily_images_per_caller": 0, "images_per_minute_per_caller": 2},
    ],
)
def test_a_key_may_have_limits_of_its_own(limits: dict[str, float | None]) -> None:
    """None is a limit as well: the key has none, whatever the deployment's is."""
    assert received(with_key(KEY, **limits)).own_limits == limits


@pytest.mark.parametrize("sent", [signed(), with_token(), event("GET", "/generations", key=None)])
def test_whoever_has_no_key_has_no_limits_of_their_own(sent: dict[str, Any]) -> None:
    """The deployment's limits hold."""
    assert identity.own_limits(sent["requestContext"]) == {}


def test_a_limit_of_a_later_release_is_passed_over() -> None:
    """During a deployment the authorizer may be newer than the api function."""
    sent = with_key(daily_images_per_caller=3, weekly_images_per_caller=5)
    assert identity.own_limits(sent["requestContext"]) == {"daily_images_per_caller": 3}


def test_the_limits_that_are_read_are_those_that_a_key_may_have() -> None:
    """The two rooms do not import each other."""
    assert identity.OWN_LIMITS == LIMITS
