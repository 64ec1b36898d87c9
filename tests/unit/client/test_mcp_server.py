"""What the MCP server tells an agent about a failure, and the key of a call."""

from __future__ import annotations

import pytest

from imagegen_client import ImageRequest, errors
from imagegen_client.mcp_server import _media_type, key_of, told

AGAIN = "The same call brings this answer again and costs nothing; raise `variation` to pay once more."
SAFE = "Repeat the same call: it is not paid twice."
ID = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"


@pytest.mark.parametrize(
    ("error", "cost", "next_step"),
    [
        (errors.ContentFiltered("It was stopped.", generation_id=ID), "It was paid.", AGAIN),
        (errors.OutcomeUnknown("It ended.", replayed=True), "It may have been paid.", AGAIN),
        (errors.OutcomeUnknown("The gateway gave up."), "It may have been paid.", SAFE),
        (errors.ConnectionLost("No reply came."), "It may have been paid.", SAFE),
        (errors.UnexpectedReply("A page came.", charged="maybe"), "It may have been paid.", SAFE),
        (
            errors.InProgress("It is being made.", generation_id=ID),
            "It is paid when it is done.",
            "get_image",
        ),
        (errors.Gone("It was deleted.", generation_id=ID), "Nothing was paid.", AGAIN),
        (
            errors.RateLimited("Too fast.", retry_after=7),
            "Nothing was paid.",
            "Repeat the call after 7 seconds.",
        ),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_a_failure_says_whether_to_pay_again(error: errors.ImagegenError, cost: str, next_step: str) -> None:
    """Only a failure that the service keeps needs another variation."""
    text = str(told(error, makes=True))
    assert cost in text
    assert next_step in text
    assert (AGAIN in text) == (next_step == AGAIN)
    assert text.endswith(f"(code: {error.code})")


def test_a_look_up_never_advises_to_pay() -> None:
    """It makes nothing."""
    assert "variation" not in str(told(errors.Gone("It was deleted.")))


def test_the_key_is_that_of_the_arguments() -> None:
    """A golden key: another one would make agents pay again after an update."""
    request = ImageRequest(prompt="tea", seed=7)
    assert key_of(request, variation=0) == "mcp-75e02b3c29ae45dd742dd7fb84de8963fa3ac2cbc94b7bd8"
    keys = {key_of(request, variation=1), key_of(ImageRequest(prompt="tea"), variation=0)}
    assert key_of(request, variation=0) not in keys


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF", "image/webp"),
        (b"GIF8", None),
    ],
)
def test_an_image_has_its_media_type(head: bytes, name: str | None) -> None:
    """By its first bytes."""
    assert _media_type(head + b"more") == name
