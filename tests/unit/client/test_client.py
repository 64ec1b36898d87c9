"""Both clients over a server in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from imagegen import errors as service
from imagegen_client import AsyncClient, Client, Generation, ImageRequest, Retries, errors
from tests.support.client_steps import API_KEY, ID, KEY, PNG, URL, generation, problem

FAST = Retries(first_pause=0.0, longest_pause=0.0)


class Server:
    """A service in miniature: it keeps what it was asked, and fails first as often as it is told."""

    def __init__(self, *, failures: int = 0) -> None:
        self.failures = failures
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service would."""
        self.asked.append(request)
        if self.failures:
            self.failures -= 1
            raise httpx.ReadError("reset", request=request)
        if request.url.host == "bucket.example.com":
            return httpx.Response(200, content=PNG)
        path = f"{request.method} {request.url.path.removeprefix('/v1')}"
        return ROUTES[path](request)


def page(request: httpx.Request) -> httpx.Response:
    """Return one of two pages."""
    last = "cursor" in request.url.params
    body = {
        "generations": [generation(id=f"gen_{'b' if last else 'a'}")],
        "totals": {"images": 1, "cost_usd": 0.04},
        "next_cursor": None if last else "more",
    }
    return httpx.Response(200, json=body)


MODEL = {
    "id": "m",
    "name": "M",
    "default": True,
    "lifecycle": {"status": "legacy", "legacy_at": "2026-01-31", "end_of_life_at": None, "successor": None},
    "region": "us-west-2",
    "price_per_image": 0.04,
    "prices": [{"max_steps": 50, "usd": 0.04}],
    "honours": ["seed"],
}
USAGE = {
    "days": [{"date": "2026-11-03", "images": 2, "usd": 0.08}],
    "limits": {"daily_images": None, "daily_usd": 1.5},
    "remaining": {"images": None, "usd": 1.42},
}
ROUTES: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "POST /text-to-image": lambda _: httpx.Response(200, json=generation()),
    f"GET /generations/{ID}": lambda _: httpx.Response(200, json=generation(request={"steps": 30})),
    f"DELETE /generations/{ID}": lambda _: httpx.Response(204),
    "GET /generations": page,
    "GET /models": lambda _: httpx.Response(200, json={"models": [MODEL]}),
    "GET /usage": lambda _: httpx.Response(200, json=USAGE),
    "GET /generations/gen_other": lambda _: httpx.Response(404, json=problem(service.NotFound)),
}


def client_of(server: Server, retries: Retries = FAST) -> Client:
    """Return a client of the server."""
    return Client(URL, API_KEY, retries=retries, transport=httpx.MockTransport(server))


def test_a_picture_is_made_and_saved(tmp_path: Path) -> None:
    """The file has exactly the bytes that the service stored, and its folder nothing else."""
    with client_of(Server()) as client:
        made = client.generate(ImageRequest(prompt="tea", negative=["people"], seed=7))
        assert client.download(made, tmp_path / "tea.png") == tmp_path / "tea.png"
    assert (tmp_path / "tea.png").read_bytes() == PNG
    assert [each.name for each in tmp_path.iterdir()] == ["tea.png"]


def test_every_attempt_of_a_call_has_the_same_random_key() -> None:
    """Another call has another one."""
    server = Server(failures=2)
    with client_of(server) as client:
        client.generate("tea")
        client.generate("tea")
    keys = [request.headers["idempotency-key"] for request in server.asked]
    assert len(keys) == 4
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_given_key_is_used() -> None:
    """A program that keeps the key can repeat the call after a crash."""
    server = Server()
    with client_of(server) as client:
        client.generate("tea", idempotency_key=KEY)
    assert server.asked[0].headers["idempotency-key"] == KEY
    assert json.loads(server.asked[0].content) == {"text_prompts": [{"text": "tea"}]}


def test_the_history_goes_over_all_pages() -> None:
    """A page is fetched when its first generation is wanted."""
    server = Server()
    with client_of(server) as client:
        history = client.history(page_size=1)
        assert next(history).id == "gen_a"
        assert len(server.asked) == 1
        assert [each.id for each in history] == ["gen_b"]


def test_models_and_usage_are_typed() -> None:
    """A limit that is null is none."""
    with client_of(Server()) as client:
        (model,) = client.models()
        usage = client.usage(days=7)
    assert (model.id, model.lifecycle, model.end_of_life_at) == ("m", "legacy", None)
    assert (model.prices[0].usd, str(model.legacy_at)) == (0.04, "2026-01-31")
    assert usage.limits == {"daily_images": None, "daily_usd": 1.5}
    assert (usage.images_left, usage.usd_left, usage.days[0].images) == (None, 1.42, 2)


def test_a_generation_is_looked_up_and_removed() -> None:
    """A generation or its id is taken."""
    with client_of(Server()) as client:
        found = client.get(ID)
        assert found.request == {"steps": 30}
        assert client.wait(found) == found
        client.delete(found)
        with pytest.raises(errors.NotFound):
            client.get("gen_other")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """What stood there before is still there."""
    (tmp_path / "tea.png").mkdir()
    with client_of(Server()) as client, pytest.raises(OSError, match=r"tea\.png"):
        client.download(ID, tmp_path / "tea.png")
    assert [each.name for each in tmp_path.iterdir()] == ["tea.png"]


# The event loop wakes itself up through a pair of sockets that leads nowhere else.
@pytest.mark.enable_socket
def test_the_asynchronous_client_does_the_same(tmp_path: Path) -> None:
    """Each method has the result that `Client` has."""
    server = Server(failures=1)

    async def use() -> tuple[Generation, list[str]]:
        transport = httpx.MockTransport(server)
        async with AsyncClient(URL, API_KEY, retries=FAST, transport=transport) as client:
            made = await client.generate("tea", idempotency_key=KEY)
            await client.download(made, tmp_path / "tea.png")
            assert await client.wait(ID) == await client.get(made)
            assert [model.id for model in await client.models()] == ["m"]
            assert (await client.usage()).usd_left == 1.42
            await client.delete(ID)
            with pytest.raises(errors.NotFound):
                await client.get("gen_other")
            return made, [each.id async for each in client.history()]

    made, history = asyncio.run(use())
    assert (made.id, history) == (ID, ["gen_a", "gen_b"])
    assert (tmp_path / "tea.png").read_bytes() == PNG
    assert [each.headers["idempotency-key"] for each in server.asked[:2]] == [KEY, KEY]
