"""Replies that no version of this client has seen are still errors that say what to do."""

from __future__ import annotations

import pytest

from imagegen import errors as service
from imagegen_client import errors
from imagegen_client.failures import NoReply, failure_of, problem_error
from tests.support.client_steps import KEY, problem, reply


@pytest.mark.parametrize(
    ("status", "family"),
    [(400, errors.CallerError), (429, errors.WaitError), (500, errors.ServiceError)],
)
def test_a_code_of_a_later_version_has_its_family(status: int, family: type[errors.ImagegenError]) -> None:
    """The code is kept, and the problem's own words about repeats and payment hold."""
    found = failure_of(
        reply(status, problem(service.InvalidJson, code="new", status=status, charged="maybe"))
    )
    assert type(found) is family
    assert (found.code, found.charged, found.retryable) == ("new", "maybe", False)


def test_a_page_of_a_proxy_may_hide_a_paid_image() -> None:
    """Only a request that makes an image can have been paid for, and the same key makes the repeat free."""
    page = reply(502, b"<html>Bad gateway</html>")
    making, reading = failure_of(page, idempotency_key=KEY), failure_of(page)
    assert isinstance(making, errors.UnexpectedReply)
    assert (making.charged, making.retryable, making.idempotency_key) == ("maybe", True, KEY)
    assert isinstance(reading, errors.UnexpectedReply)
    assert reading.charged == "no"


def test_a_page_of_another_server_says_to_check_the_url() -> None:
    """The usual mistake is a base URL without its stage."""
    found = failure_of(reply(403, {"message": "Missing Authentication Token"}))
    assert isinstance(found, errors.UnexpectedReply)
    assert not found.retryable
    assert "ends in its stage, such as /v1" in found.detail


def test_the_gateways_own_413_is_a_body_that_is_too_large() -> None:
    """API Gateway writes it before the service could (docs/errors.md)."""
    found = failure_of(reply(413, {"message": "Request Too Long"}))
    assert isinstance(found, errors.PayloadTooLarge)


@pytest.mark.parametrize("text", ["soon", "-1", "", "1.5", "²"])
def test_a_retry_after_that_is_no_number_is_ignored(text: str) -> None:
    """The client then waits as long as it would without the header."""
    assert reply(503, {}, retry_after=text).retry_after is None


@pytest.mark.parametrize("text", ["9" * 12, "9" * 400, "9" * 10_000])
def test_a_retry_after_of_ages_is_a_year(text: str) -> None:
    """Such a number would be infinite, which is neither a sentence nor JSON."""
    assert reply(503, {}, retry_after=text).retry_after == 365 * 86400.0


def test_a_failure_that_nests_for_ever_is_still_one() -> None:
    """Python stops reading it; so it is a page of another server."""
    found = failure_of(reply(500, b"[" * 100_000), idempotency_key=KEY)
    assert isinstance(found, errors.UnexpectedReply)


def test_a_connection_that_was_never_made_cost_nothing() -> None:
    """After one that was, nobody can know."""
    refused = failure_of(NoReply(sent=False, why="No."))
    unknown = failure_of(NoReply(sent=False, why="No.", lasting=True))
    lost = failure_of(NoReply(sent=True, why="No."), idempotency_key=KEY)
    assert isinstance(refused, errors.Unreachable)
    assert (refused.charged, refused.retryable) == ("no", True)
    assert isinstance(unknown, errors.InvalidConfiguration)
    assert (unknown.charged, unknown.retryable) == ("no", False)
    assert isinstance(lost, errors.ConnectionLost)
    assert (lost.charged, lost.idempotency_key) == ("maybe", KEY)


def test_a_problem_with_strange_members_is_still_an_error() -> None:
    """Whatever stands in it, the client raises one of its own exceptions."""
    found = problem_error(
        {"code": "gone", "errors": [1, {}], "charged": [], "retryable": "yes", "status": "x"}
    )
    assert isinstance(found, errors.Gone)
    assert (found.charged, found.retryable, found.status) == ("no", False, None)
