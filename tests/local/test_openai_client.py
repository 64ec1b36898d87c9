"""The real `openai` package works with the deployed stack: it makes images, and raises its own errors."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest
from PIL import Image

from local.certificates import trust

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn

PROMPT = "Sri lanka tea plantation, seen by another client."


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """Yield OpenAI's client, set up as in docs/api.md."""
    transport = httpx2.Client(verify=trust(stack.ca_bundle), trust_env=False)
    with openai.OpenAI(
        base_url=stack.state.api_url,
        api_key=stack.state.api_key,
        http_client=transport,
    ) as made:
        yield made


def size_of(png: bytes) -> tuple[int, int]:
    """Return the width and height of a picture."""
    with Image.open(io.BytesIO(png)) as picture:
        return picture.size


def test_a_url_leads_to_the_picture(client: openai.OpenAI, anonymous: httpx.Client) -> None:
    """The URL needs no API key, and the picture has the size that was asked for."""
    answer = client.images.generate(prompt=PROMPT, size="1344x768", model="auto")
    assert answer.data is not None
    url = answer.data[0].url
    assert url is not None
    assert size_of(anonymous.get(url).raise_for_status().content) == (1344, 768)


def test_base64_is_the_picture(client: openai.OpenAI) -> None:
    """The reply holds the whole picture, in the default size."""
    answer = client.images.generate(prompt=PROMPT, response_format="b64_json", quality="hd", user="u-17")
    assert answer.data is not None
    encoded = answer.data[0].b64_json
    assert encoded is not None
    assert size_of(base64.b64decode(encoded, validate=True)) == (1024, 1024)


def test_n_pictures_are_n_calls(client: openai.OpenAI, stand_in: StandIn) -> None:
    """Each picture has a URL of its own."""
    answer = client.images.generate(prompt=PROMPT, n=3, style="vivid")
    assert answer.data is not None
    assert len({image.url for image in answer.data}) == 3
    assert painted(stand_in) == 3


def painted(stand_in: StandIn) -> int:
    """Return how many pictures the stand-in made."""
    return int(stand_in.calls()["painted"])


def test_a_bad_size_raises_the_clients_own_error(client: openai.OpenAI) -> None:
    """The error has the members that callers of the client read."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt=PROMPT, size="0x512")
    assert (caught.value.status_code, caught.value.param, caught.value.code) == (
        400,
        "size",
        "invalid_parameter",
    )
    assert caught.value.type == "invalid_request_error"


def test_a_key_makes_repeating_safe(client: openai.OpenAI, stand_in: StandIn) -> None:
    """The second request gets the picture of the first, and another request with the same key raises an error."""
    key = {"Idempotency-Key": "an-order-of-another-client"}
    for _ in range(2):
        client.images.generate(prompt=PROMPT, extra_headers=key)
    assert painted(stand_in) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        client.images.generate(prompt="Another one.", extra_headers=key)


def test_what_may_have_been_paid_is_not_repeated_by_the_client(
    client: openai.OpenAI, stand_in: StandIn
) -> None:
    """By itself the client would repeat a 5xx twice."""
    stand_in.set_rules({"action": {"type": "error", "name": "InternalServerException"}})
    with pytest.raises(openai.InternalServerError):
        client.images.generate(prompt=PROMPT, model="stability.stable-image-core-v1:1")
    assert stand_in.calls()["calls"] == 1


def test_an_unknown_key_raises_the_clients_own_error(stack: Stack) -> None:
    """The gateway refuses the API key, and the client raises its own class for that."""
    with (
        openai.OpenAI(
            base_url=stack.state.api_url,
            api_key="not-a-key-0123456789",
            http_client=httpx2.Client(verify=trust(stack.ca_bundle), trust_env=False),
        ) as stranger,
        pytest.raises(openai.AuthenticationError, match="Send it as x-api-key or as a bearer token"),
    ):
        stranger.images.generate(prompt=PROMPT)
