"""The owner of a generation comes from the principal that the gateway verified."""

from __future__ import annotations

from typing import Any

import pytest

from imagegen.errors import Unauthorized
from tests.support.events import KEY, OTHER_KEY, event, received

ARN = "arn:aws:iam::123456789012:user/alice"


def signed(**identity: str) -> dict[str, Any]:
    """Return an event without an API key, with this identity as the gateway reports it."""
    sent = event("GET", "/generations", key=None)
    sent["requestContext"]["identity"] |= identity
    return sent


def owner_of(sent: dict[str, Any]) -> str:
    """Return the owner of the generations that an event makes."""
    return received(sent).owner


def test_the_same_key_is_the_same_owner_and_another_key_another() -> None:
    """The owner depends on nothing but the API key, and does not contain it."""
    owner = owner_of(event("GET", "/generations"))
    assert owner == owner_of(event("POST", "/text-to-image", {"other": "request"}))
    assert owner != owner_of(event("GET", "/generations", key=OTHER_KEY))
    assert KEY not in owner
    assert len(owner) == 26
    assert owner.isalnum()


def test_the_key_that_the_gateway_reports_and_the_one_in_the_header_are_the_same_owner() -> None:
    """Some gateways report the API key that they checked, others only pass the header on."""
    assert owner_of(signed(apiKey=KEY)) == owner_of(event("GET", "/generations"))


def test_the_sessions_of_a_role_are_one_owner() -> None:
    """Whoever assumes a role chooses the session's name, so that name must not decide the owner."""
    role = "arn:aws:sts::123456789012:assumed-role/painters"
    owners = {owner_of(signed(userArn=f"{role}/{session}")) for session in ("alice", "bob")}
    other = owner_of(signed(userArn="arn:aws:sts::123456789012:assumed-role/others/alice"))
    assert len(owners) == 1
    assert other not in owners


def test_the_users_of_an_account_are_owners_of_their_own() -> None:
    """A user's whole ARN counts, with its path; only the session name of a role is cut off."""
    users = ("arn:aws:iam::123456789012:user/team/alice", "arn:aws:iam::123456789012:user/team/bob")
    assert len({owner_of(signed(userArn=user)) for user in users}) == 2


def test_a_header_with_a_single_value_serves_where_the_list_is_absent() -> None:
    """Some programs that invoke the function send only one of the two forms."""
    sent = event("GET", "/generations")
    owner = owner_of(sent)
    del sent["multiValueHeaders"]
    assert owner_of(sent) == owner


def test_the_kinds_of_principal_do_not_collide() -> None:
    """An API key that looks like a user's ARN gives another owner than that user."""
    owners = {owner_of(signed(userArn=ARN)), owner_of(signed(apiKey=ARN))}
    assert len(owners) == 2


@pytest.mark.parametrize("sent", [signed(userArn=ARN), signed(apiKey=KEY)])
def test_no_header_changes_a_verified_principal(sent: dict[str, Any]) -> None:
    """No header lets a caller pass for another."""
    owner = owner_of(sent)
    for name in ("x-api-key", "X-Owner", "X-Amzn-Oidc-Identity", "Authorization"):
        sent["multiValueHeaders"][name] = [OTHER_KEY]
        sent["headers"][name] = OTHER_KEY
    assert owner_of(sent) == owner


def test_a_signature_comes_before_a_key() -> None:
    """If the gateway verified a signature and an API key, the signature decides the owner."""
    assert owner_of(signed(userArn=ARN, apiKey=KEY)) == owner_of(signed(userArn=ARN))


def test_claims_that_no_authorizer_verified_are_nobody() -> None:
    """This deployment has no authorizer, so the service does not believe claims in its place."""
    sent = event("GET", "/generations", key=None)
    sent["requestContext"]["authorizer"] = {"claims": {"sub": "alice"}}
    with pytest.raises(Unauthorized):
        owner_of(sent)


def test_the_headers_case_does_not_matter() -> None:
    """Header names have no case."""
    sent = event("GET", "/generations", key=None, headers={"X-API-Key": KEY})
    assert owner_of(sent) == owner_of(event("GET", "/generations"))


@pytest.mark.parametrize(
    "keys", [[], [""], [KEY, OTHER_KEY], ["", KEY]], ids=["none", "empty", "two", "empty and one"]
)
def test_a_request_without_one_clear_principal_is_refused(keys: list[str]) -> None:
    """The service does not guess among several API keys, and an empty one does not count."""
    sent = event("GET", "/generations", key=None)
    sent["multiValueHeaders"]["x-api-key"] = keys
    with pytest.raises(Unauthorized):
        owner_of(sent)


def test_an_event_without_any_context_is_refused() -> None:
    """An event whose members are null is refused like one without a principal."""
    with pytest.raises(Unauthorized):
        owner_of({"requestContext": None, "multiValueHeaders": None})
