"""Every option of every command is given once, and is seen in what the command asks the service for, or writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import typer.main

from imagegen_client import AsyncClient, Retries
from imagegen_client.command_line import agents, making
from imagegen_client.command_line.app import ORDER, app
from imagegen_client.command_line.options import Service
from imagegen_client.command_line.program import main
from tests.support.client_steps import ID, KEY, PNG, generation
from tests.unit.client.test_client import ROUTES

# The event loop wakes itself up through a pair of sockets that leads nowhere else.
pytestmark = pytest.mark.enable_socket

GROUP: Final[Any] = typer.main.get_command(app)
URL: Final = "https://flag.example.com/v1"
HOOK: Final = "https://hook.example.com/"

SERVICE: Final = ("--url", URL, "--api-key", "flag-key", "--json")
LOOKS: Final = (
    *("--negative", "people", "--negative", "cars", "--add", "0.5:mist", "--weight", "2", "--style", "anime"),
    *("--cfg-scale", "10", "--clip-guidance", "FAST_BLUE", "--sampler", "K_EULER", "--steps", "50"),
    *("--extras", '{"a": 1}', "--output-format", "jpeg", "--model", "m", "--strict"),
)
SIZE: Final = ("--size", "1344x768")
SIDES: Final = ("--width", "1344", "--height", "768", "--no-strict")
MAKING: Final = (
    *("-o", "tea.png", "--force", "-n", "2", "--async", "--wait", "--timeout", "60"),
    *("--webhook-url", HOOK, "--idempotency-key", KEY),
)
BODY: Final = {
    "width": 1344,
    "height": 768,
    "cfg_scale": 10.0,
    "clip_guidance_preset": "FAST_BLUE",
    "sampler": "K_EULER",
    "steps": 50,
    "style_preset": "anime",
    "extras": {"a": 1},
    "output_format": "jpeg",
    "model": "m",
    "strict": True,
}
AVOIDED: Final = [{"text": "people", "weight": -1.0}, {"text": "cars", "weight": -1.0}]
PROMPTS: Final = [{"text": "tea", "weight": 2.0}, {"text": "mist", "weight": 0.5}, *AVOIDED]

COMMANDS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "generate": (
        ("generate", "tea", "--seed", "7", *MAKING, *LOOKS, *SIZE, *SERVICE),
        ("generate", "tea", "--async", "--no-wait", *SIDES, *SERVICE),
    ),
    "batch": (
        (
            *("batch", "lines", "-o", "out", "--concurrency", "2", "--format", "jsonl", "--seed", "7"),
            *("--async", "--timeout", "60", "--pay-again", *LOOKS, *SIZE, *SERVICE),
        ),
        ("batch", "lines", "-o", "sides", *SIDES, *SERVICE),
    ),
    "again": (
        ("again", ID, "--seed", "+1", *MAKING, *LOOKS, *SIZE, *SERVICE),
        ("again", ID, "--async", "--no-wait", *SIDES, *SERVICE),
    ),
    "history": (("history", "--limit", "1", *SERVICE), ("history", "--all", *SERVICE)),
    "show": (("show", ID, *SERVICE),),
    "save": (("save", ID, "-o", "tea.png", "--force", *SERVICE),),
    "open": (("open", ID, *SERVICE),),
    "delete": (("delete", ID, "--yes", *SERVICE),),
    "models": (("models", *SERVICE),),
    "usage": (("usage", "--days", "3", *SERVICE),),
    "config": (("config", *SERVICE),),
    "mcp": (("mcp", "--http", "--port", "8809", *SERVICE),),
}


@dataclass
class World:
    """The service, as it was asked, and the person's folder; and how long each command would have tried."""

    folder: Path
    asked: list[httpx.Request] = field(default_factory=list)
    retries: list[Retries] = field(default_factory=list)
    served: list[tuple[Service, int | None]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service would."""
        if request.url.host == "bucket.example.com":
            return httpx.Response(200, content=PNG)
        self.asked.append(request)
        if request.method == "GET" and request.url.path.endswith(ID):
            asked_for = {"text_prompts": [{"text": "tea", "weight": 1.0}], "seed": 7}
            return httpx.Response(200, json=generation(request=asked_for))
        return ROUTES[f"{request.method} {request.url.path.removeprefix('/v1')}"](request)

    @property
    def posts(self) -> list[httpx.Request]:
        """The requests for a picture."""
        return [each for each in self.asked if each.method == "POST"]

    def bodies(self) -> list[dict[str, Any]]:
        """Return what was asked for."""
        return [json.loads(each.content) for each in self.posts]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Let the commands talk to a service in this process, in a folder with lines and a picture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEGEN_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("IMAGEGEN_URL", "https://environment.example.com/v1")
    monkeypatch.setenv("IMAGEGEN_API_KEY", "environment-key")
    (tmp_path / "lines").write_text('{"prompt": "tea"}\n', encoding="utf-8")
    for name in ("tea.png", "tea-1.png", "tea-2.png"):
        (tmp_path / name).write_bytes(b"old")
    world = World(folder=tmp_path)

    def client(url: str, api_key: str, *, retries: Retries) -> AsyncClient:
        world.retries.append(retries)
        return AsyncClient(url, api_key, retries=retries, transport=httpx.MockTransport(world))

    async def serve(service: Service, port: int | None) -> None:
        world.served.append((service, port))

    monkeypatch.setattr(making, "AsyncClient", client)
    monkeypatch.setattr(agents, "_serve", serve)
    yield world
    asked = {(each.url.host, each.headers["x-api-key"]) for each in world.asked}
    assert asked <= {("flag.example.com", "flag-key")}


def run(command: str) -> None:
    """Give a command every option."""
    assert [main(list(arguments)) for arguments in COMMANDS[command]] == [0] * len(COMMANDS[command])


@pytest.mark.parametrize("command", ORDER)
def test_no_option_is_left_out(command: str) -> None:
    """A new option has to be given below, and its effect to be looked at."""
    given = {word for arguments in COMMANDS[command] for word in arguments if word.startswith("-")}
    names = [
        each
        for option in GROUP.commands[command].params
        if option.param_type_name == "option" and option.name != "help"
        for each in (option.opts, option.secondary_opts)
        if each
    ]
    assert [each for each in names if not given & set(each)] == []


@pytest.mark.parametrize("command", ["generate", "again"])
def test_pictures_are_asked_for_as_the_options_say(world: World, command: str) -> None:
    """`-n 2` asks twice, with the next seed; the files are replaced, because --force says so."""
    run(command)
    seed = 7 if command == "generate" else 8
    first, second, sides = world.bodies()
    whole = {"text_prompts": PROMPTS, **BODY, "webhook_url": HOOK}
    assert sorted([first["seed"], second["seed"]]) == [seed, seed + 1]
    assert [{**each, "seed": 0} for each in (first, second)] == [{**whole, "seed": 0}] * 2
    assert (sides["width"], sides["height"], sides["strict"]) == (1344, 768, False)
    assert {each.headers["prefer"] for each in world.posts} == {"respond-async"}
    assert {each.headers["idempotency-key"] for each in world.posts[:2]} == {KEY, making.nth_key(KEY, 1)}
    assert 60.0 in {each.total_time for each in world.retries}
    assert [(world.folder / name).read_bytes() for name in ("tea-1.png", "tea-2.png")] == [PNG, PNG]


def test_a_batch_is_made_as_the_options_say(world: World) -> None:
    """The line is read as JSON, because --format says so."""
    run("batch")
    first, sides = world.bodies()
    assert first == {"text_prompts": [{"text": "tea", "weight": 2.0}, *PROMPTS[1:]], **BODY, "seed": 7}
    assert (sides["width"], sides["height"], sides["strict"]) == (1344, 768, False)
    assert world.posts[0].headers["prefer"] == "respond-async"
    assert "prefer" not in world.posts[1].headers
    assert world.retries[0].total_time == 60.0
    assert len([*(world.folder / "out").glob("*.jpg")]) == 1


def test_what_there_is_is_shown_as_the_options_say(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, each writes JSON to stdout."""
    for command in ("history", "show", "save", "open", "delete", "models", "usage", "config"):
        run(command)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["id"] for each in lines[:3]] == ["gen_a", "gen_a", "gen_b"]
    assert [str(each.url.query, "ascii") for each in world.asked if each.url.query] == [
        "limit=1",
        "limit=100",
        "limit=100&cursor=more",
        "days=3",
    ]
    assert (world.folder / "tea.png").read_bytes() == PNG
    assert [each.method for each in world.asked].count("DELETE") == 1
    saved = json.loads((world.folder / "settings" / "config.json").read_text(encoding="utf-8"))
    assert saved == {"url": URL, "api_key": "flag-key"}
    assert lines[-1]["url_from"] == "environment"
    assert {each.tries for each in world.retries} == {5}  # nobody waits minutes to hear that a URL is wrong


def test_agents_are_served_as_the_options_say(world: World) -> None:
    """`tests/local/test_mcp.py` speaks to the server itself."""
    run("mcp")
    assert world.served == [(Service(url=URL, api_key="flag-key", json=True), 8809)]
