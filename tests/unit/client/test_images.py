"""How the client downloads an image, and what it says if the bytes do not come."""

from __future__ import annotations

import pytest

from imagegen import errors as service
from imagegen_client import errors
from imagegen_client.failures import NoReply, Outcome
from tests.support.client_steps import (
    ID,
    LOST,
    PNG,
    REFUSED,
    core,
    failed,
    generation,
    problem,
    reply,
    run,
    unfinished,
)

DONE = reply(200, generation())
NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def test_an_image_is_fetched_without_the_api_key() -> None:
    """The URL is the right to read it."""
    done = run(core().get(ID), [DONE]).result
    assert done is not None
    ran = run(core().image(done), [reply(200, PNG)])
    assert ran.result == PNG
    assert dict(ran.sent[0].headers) == {}


def test_an_expired_url_is_renewed() -> None:
    """The generation is looked up again, and its fresh URL is used."""
    ran = run(core().image(ID), [DONE, reply(403, b"<Error>"), DONE, reply(200, PNG)])
    assert ran.result == PNG
    assert [each.url.partition("?")[0].rpartition("/")[2] for each in ran.sent] == [ID, "a.png", ID, "a.png"]


@pytest.mark.parametrize("content", [PNG[:-1], PNG + b"x", b"", PNG.replace(b"the", b"THE")])
def test_a_damaged_image_is_not_returned(content: bytes) -> None:
    """The SHA-256 is that of the record."""
    ran = run(core().image(ID), [DONE, reply(200, content)])
    assert isinstance(ran.error, errors.DamagedImage)


@pytest.mark.parametrize(
    "download",
    [
        [REFUSED],
        [LOST],
        [NoReply(sent=False, why="The host is not known.", lasting=True)],
        [reply(503, b"<Error>")],
        [failed(service.InternalError)],
        [reply(302, b"")],
        [reply(403, b"<Error>"), REFUSED],
        [reply(403, b"<Error>"), failed(service.Unauthorized)],
    ],
)
def test_a_download_that_fails_names_the_image_that_is_paid(download: list[Outcome]) -> None:
    """Whatever hinders the download, the generation has succeeded."""
    done = run(core().get(ID), [DONE]).result
    assert done is not None
    error = run(core().image(done), download).error
    assert isinstance(error, errors.DownloadFailed)
    assert (error.generation_id, error.charged, error.retryable) == (ID, "yes", True)
    assert "could not be downloaded from bucket.example.com" in error.detail
    assert "base URL" not in error.detail
    assert "Signature" not in error.detail


@pytest.mark.parametrize(
    "outcomes",
    [
        [REFUSED],
        [failed(service.NotFound)],
        [reply(200, unfinished("running"))],
        [reply(200, {**unfinished("failed"), "error": problem(service.StoreFailed)})],
        [DONE, reply(200, b"damaged")],
        [DONE, reply(403, b"<Error>"), failed(service.Gone)],
    ],
)
def test_every_failure_to_get_an_image_names_it(outcomes: list[Outcome]) -> None:
    """A program knows which image to get later."""
    error = run(core().image(ID), outcomes).error
    assert isinstance(error, errors.ImagegenError)
    assert error.generation_id == ID


def test_an_image_that_is_not_there_is_an_error() -> None:
    """Running, failed and removed ones are told apart."""
    running = run(core().image(ID), [reply(200, unfinished("running"))])
    broken = run(
        core().image(ID), [reply(200, {**unfinished("failed"), "error": problem(service.StoreFailed)})]
    )
    removed = run(core().image(ID), [DONE, reply(404, NO_SUCH_KEY), DONE, reply(404, NO_SUCH_KEY)])
    denied = run(core().image(ID), [DONE, reply(403, DENIED), DONE, reply(403, DENIED)])
    assert isinstance(running.error, errors.InProgress)
    assert isinstance(broken.error, errors.StoreFailed)
    assert isinstance(removed.error, errors.Gone)
    assert isinstance(denied.error, errors.Gone)


@pytest.mark.parametrize(
    "stranger",
    [
        reply(407, b"<html>Who are you?"),
        reply(403, b"<html>Blocked"),
        reply(404, b"<html>No such page"),
        reply(404, b"<Error><Code>NoSuchBucket</Code></Error>"),
        reply(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"),
        reply(400, DENIED),
        reply(413, b""),
        reply(429, b"<html>"),
    ],
)
def test_only_s3_says_that_an_image_has_been_removed(stranger: Outcome) -> None:
    """To make it again is paid, so a proxy must not be believed."""
    done = run(core().get(ID), [DONE]).result
    assert done is not None
    error = run(core().image(done), [stranger, DONE, stranger]).error
    assert isinstance(error, errors.DownloadFailed)
    assert "The server replied with the status" in error.detail
