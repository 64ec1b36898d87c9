"""The requests that other people's tools send, as recorded in `tests/data/tools`, get what each tool reads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.support.depth import at_depth
from tests.support.recorded_tools import (
    REASON_PHRASE,
    Look,
    Refusal,
    Tool,
    ToolRequest,
    decoded,
    filled,
    images_in,
    tools,
    values_at,
)

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn

PROMPT: Final = "Sri lanka tea plantation."
WRONG_KEY: Final = "not-a-key-0123456789"
TOOLS: Final = [pytest.param(tool, id=tool.id) for tool in tools()]
REQUESTS: Final = [
    pytest.param(tool, request, id=f"{tool.id}: {request.name}")
    for tool in tools()
    for request in at_depth(thorough=tool.requests, usual=tool.requests[:1])
]
LOOKS: Final = [
    pytest.param(tool, look, id=f"{tool.id}: {look.name}") for tool in tools() for look in tool.looks
]
REFUSALS: Final = [
    pytest.param(tool, refusal, id=f"{tool.id}: {refusal.name}")
    for tool in tools()
    for refusal in tool.refusals
]


def sent(
    client: httpx.Client,
    stack: Stack,
    tool: Tool,
    request: ToolRequest,
    *,
    key: str = "",
    prompt: str = PROMPT,
) -> httpx.Response:
    """Send one recorded request, as the tool does that has only the base URL and the key."""
    return client.post(
        tool.url(stack.state.api_url, tool.path),
        params=dict(request.query),
        headers=tool.headers_with(key or stack.state.api_key, request.headers),
        json=filled(request.body, prompt),
    )


def downloaded(client: httpx.Client, tool: Tool, url: str) -> bytes:
    """Fetch a URL as the tool does; what comes must call itself an image, and end as the tool expects."""
    assert urlsplit(url).path.endswith(tool.suffix)
    answer = client.get(url, headers=dict(tool.download_headers)).raise_for_status()
    assert answer.headers["content-type"] == "image/png"
    return answer.content


def shown_error(tool: Tool, answer: httpx.Response) -> Any:
    """Return what the tool shows of an error."""
    if tool.reads_error == REASON_PHRASE:
        return answer.reason_phrase
    (text,) = values_at(tool.reads_error, answer.json())
    return text


@pytest.mark.parametrize(("tool", "request_"), REQUESTS)
def test_a_tool_gets_its_images(
    tool: Tool, request_: ToolRequest, stack: Stack, stand_in: StandIn, anonymous: httpx.Client
) -> None:
    """It reads whole PNG files of the expected size where it looks for them, and no image more is paid."""
    answer = sent(anonymous, stack, tool, request_)
    assert answer.status_code == 200, answer.text[:2000]
    found = images_in(answer.json(), request_, takes_all=tool.takes_all)
    pngs = [decoded(text) if form == "base64" else downloaded(anonymous, tool, text) for form, text in found]
    for png in pngs:
        with Image.open(io.BytesIO(png)) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("PNG", request_.size)
    assert (len(pngs), len(set(pngs))) == (request_.shown, request_.pictures)
    # A call that a retired model refuses is not paid, so only what was painted counts.
    assert stand_in.calls()["painted"] == request_.pictures


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("key", "prompt", "status", "reason", "sentence"),
    [
        pytest.param(
            WRONG_KEY, PROMPT, 401, "Unauthorized", "Send it as x-api-key or as a bearer token", id="key"
        ),
        pytest.param("", "", 400, "Bad Request", "prompt must be a string of 1 to", id="prompt"),
    ],
)
def test_a_tool_can_show_why_it_was_refused(
    tool: Tool,
    key: str,
    prompt: str,
    status: int,
    reason: str,
    sentence: str,
    stack: Stack,
    stand_in: StandIn,
    anonymous: httpx.Client,
) -> None:
    """The sentence stands where the tool reads it, and nothing is paid."""
    answer = sent(anonymous, stack, tool, tool.requests[0], key=key, prompt=prompt)
    assert answer.status_code == status
    assert (reason if tool.reads_error == REASON_PHRASE else sentence) in shown_error(tool, answer)
    assert stand_in.calls()["calls"] == 0


@pytest.mark.parametrize(("tool", "look"), LOOKS)
def test_a_tool_finds_what_it_looks_up(tool: Tool, look: Look, stack: Stack, anonymous: httpx.Client) -> None:
    """What it reads is there, and the first of the models is the one that means any."""
    answer = anonymous.get(
        tool.url(stack.state.api_url, look.path), headers=tool.headers_with(stack.state.api_key)
    )
    assert answer.status_code == 200
    assert values_at(look.reads, answer.json())[0] == "auto"


@pytest.mark.parametrize(("tool", "look"), LOOKS)
def test_a_tool_learns_from_its_look_up_that_the_key_is_wrong(
    tool: Tool, look: Look, stack: Stack, anonymous: httpx.Client
) -> None:
    """That is how these tools check a key."""
    answer = anonymous.get(tool.url(stack.state.api_url, look.path), headers=tool.headers_with(WRONG_KEY))
    assert answer.status_code == 401
    assert "Send it as x-api-key or as a bearer token" in shown_error(tool, answer)


@pytest.mark.parametrize(("tool", "refusal"), REFUSALS)
def test_what_a_tool_cannot_have_is_refused_in_words(
    tool: Tool, refusal: Refusal, stack: Stack, stand_in: StandIn, anonymous: httpx.Client
) -> None:
    """The sentence says what is not possible, also on paths that do not exist, and nothing is paid."""
    answer = anonymous.post(
        tool.url(stack.state.api_url, refusal.path),
        headers=tool.headers_with(stack.state.api_key),
        json=filled(refusal.body, PROMPT),
    )
    assert answer.status_code == refusal.status
    (sentence,) = values_at("error.message", answer.json())
    assert refusal.sentence in sentence
    assert stand_in.calls()["calls"] == 0
