"""What a run of a batch does with files, failures and costs, over a server in this process."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
import pytest

from imagegen import errors as service
from imagegen_client import AsyncClient, ImageRequest, Retries
from imagegen_client.command_line.batch_input import Item
from imagegen_client.command_line.batch_run import Run
from imagegen_client.command_line.batch_state import State
from tests.support.client_steps import API_KEY, URL, generation, problem

# The event loop wakes itself up through a pair of sockets that leads nowhere else.
pytestmark = pytest.mark.enable_socket


@dataclass
class Service:
    """A service in miniature: each prompt is drawn once under each key, or fails as the test says."""

    failures: dict[str, type[service.ImagegenError]] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bucket_is_down: bool = False
    keys: dict[str, str] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service would."""
        if request.url.host == "bucket.example.com":
            if self.bucket_is_down:
                raise httpx.ConnectError("refused", request=request)
            return httpx.Response(200, content=request.url.path.encode())
        if request.method == "GET":
            failed = generation(
                status="failed", artifacts=[], error=problem(service.ContentFiltered), cost_usd=0.04
            )
            return httpx.Response(200, json=failed)
        key = request.headers["idempotency-key"]
        prompt = json.loads(request.content)["text_prompts"][0]["text"]
        self.asked.append(prompt)
        replayed = {"idempotent-replayed": "true"} if key in self.keys else {}
        self.keys[key] = prompt
        if prompt in self.failures:
            kind = self.failures[prompt]
            headers = {"location": "/v1/generations/gen_failed", "retry-after": "36000", **replayed}
            return httpx.Response(kind.kind.status, json=problem(kind), headers=headers)
        if not replayed:
            self.drawn.append(prompt)
        return httpx.Response(200, json=picture(prompt), headers=replayed)


def picture(prompt: str) -> dict[str, object]:
    """Return a generation whose picture is its own path."""
    whole = generation()
    path = f"/{prompt}.png"
    artifact = {
        **whole["artifacts"][0],
        "url": f"https://bucket.example.com{path}",
        "sha256": hashlib.sha256(path.encode()).hexdigest(),
    }
    return {**whole, "artifacts": [artifact]}


def ran(server: Service, folder: Path, *prompts: str, pay_again: bool = False, concurrency: int = 1) -> Run:
    """Run a batch of these prompts in a folder."""
    transport = httpx.MockTransport(server)
    client = AsyncClient(URL, API_KEY, retries=Retries(tries=2, first_pause=0.0), transport=transport)
    state = State.open(folder, url=URL)
    items = [
        Item(line=number, request=ImageRequest(prompt=each)) for number, each in enumerate(prompts, start=1)
    ]
    run = Run(
        client=client,
        state=state,
        folder=folder,
        planned=state.plan(items),
        as_json=False,
        asynchronous=False,
        pay_again=pay_again,
    )
    anyio.run(run.all, concurrency)
    return run


def files(folder: Path) -> dict[str, bytes]:
    """Return the pictures of a folder."""
    return {each.name: each.read_bytes() for each in folder.glob("*.png")}


def test_each_line_becomes_a_file(tmp_path: Path) -> None:
    """A second run asks for nothing."""
    server = Service()
    first = ran(server, tmp_path, "tea", "mist", "tea", concurrency=3)
    assert files(tmp_path) == {
        "0001-tea.png": b"/tea.png",
        "0002-mist.png": b"/mist.png",
        "0003-tea.png": b"/tea.png",
    }
    assert first.totals() == {
        "pictures": 3,
        "done": 3,
        "made_now": 3,
        "failed": 0,
        "cost_usd": 0.12,
        "cost_usd_now": 0.12,
    }
    second = ran(server, tmp_path, "tea", "mist", "tea")
    assert (len(server.asked), second.totals()["cost_usd_now"], second.exit_code) == (3, 0.0, 0)


def test_a_picture_that_a_dying_run_had_put_in_place_is_kept(tmp_path: Path) -> None:
    """It is asked for under the same key, costs nothing, and gets no second file."""
    server = Service()
    ran(server, tmp_path, "tea")
    state = tmp_path / ".imagegen-batch.jsonl"
    state.write_text(state.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    again = ran(server, tmp_path, "tea")
    assert (files(tmp_path), server.drawn) == ({"0001-tea.png": b"/tea.png"}, ["tea"])
    assert (again.totals()["cost_usd"], again.totals()["cost_usd_now"]) == (0.04, 0.0)


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """The picture gets another name, and keeps it."""
    (tmp_path / "0001-tea.png").write_bytes(b"mine")
    server = Service()
    ran(server, tmp_path, "tea")
    found = files(tmp_path)
    assert found.pop("0001-tea.png") == b"mine"
    assert list(found.values()) == [b"/tea.png"]
    ran(server, tmp_path, "tea")
    assert (len(files(tmp_path)), len(server.asked)) == (2, 1)


def test_two_batches_at_once_in_one_folder_lose_no_picture(tmp_path: Path) -> None:
    """The other run puts another picture at this name while this one is being downloaded; both are kept."""
    server = Service()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "bucket.example.com":
            (tmp_path / "0001-tea.png").write_bytes(b"the other run's")
        return server(request)

    state = State.open(tmp_path, url=URL)
    run = Run(
        client=AsyncClient(URL, API_KEY, transport=httpx.MockTransport(answer)),
        state=state,
        folder=tmp_path,
        planned=state.plan([Item(line=1, request=ImageRequest(prompt="tea"))]),
        as_json=False,
        asynchronous=False,
        pay_again=False,
    )
    anyio.run(run.all, 1)
    assert sorted(files(tmp_path).values()) == [b"/tea.png", b"the other run's"]
    assert {each.suffix for each in tmp_path.iterdir()} == {".png", ".jsonl"}


def test_two_runs_of_one_batch_at_once_pay_once(tmp_path: Path) -> None:
    """The second began before the first had written anything down; it gets the same pictures under the same keys."""
    server = Service()
    early = State.open(tmp_path, url=URL)
    items = [Item(line=1, request=ImageRequest(prompt="tea"))]
    planned = early.plan(items)
    first = ran(server, tmp_path, "tea")
    run = Run(
        client=AsyncClient(URL, API_KEY, transport=httpx.MockTransport(server)),
        state=early,
        folder=tmp_path,
        planned=planned,
        as_json=False,
        asynchronous=False,
        pay_again=False,
    )
    anyio.run(run.all, 1)
    assert (server.drawn, files(tmp_path)) == (["tea"], {"0001-tea.png": b"/tea.png"})
    assert (first.totals()["cost_usd_now"], run.totals()["cost_usd_now"]) == (0.04, 0.0)
    assert State.open(tmp_path, url=URL).cost_usd == 0.04


def test_a_failure_of_one_line_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it cost is counted once, however often it is asked for."""
    server = Service(failures={"bad": service.ContentFiltered})
    for cost_now in (0.12, 0.0):
        run = ran(server, tmp_path, "bad", "tea", "mist")
        assert (run.exit_code, run.totals()["cost_usd"]) == (2, 0.12)
        assert run.totals()["cost_usd_now"] == cost_now
        assert "Line 1: Something is so. The request was paid for." in capsys.readouterr().err
    assert sorted(server.drawn) == ["mist", "tea"]


@pytest.mark.parametrize(
    "kind",
    [service.Unauthorized, service.QuotaExceeded, service.Misconfigured],
    ids=lambda kind: kind.kind.code,
)
def test_a_failure_that_all_lines_share_stops_the_batch(
    tmp_path: Path, kind: type[service.ImagegenError]
) -> None:
    """The next run begins with the line that failed."""
    server = Service(failures={"tea": kind})
    run = ran(server, tmp_path, "tea", "mist", "rain")
    assert (server.asked, run.totals()["failed"]) == (["tea"], 1)
    server.failures.clear()
    assert ran(server, tmp_path, "tea", "mist", "rain").totals()["done"] == 3


@pytest.mark.parametrize(("status", "asked"), [(200, 1), (302, 1), (404, 1), (502, 6)])
def test_a_server_that_is_not_imagegen_stops_the_batch(tmp_path: Path, status: int, asked: int) -> None:
    """Its pages are no pictures; but a proxy in between may only be busy, so its 502 is a failure of one line."""
    seen: list[httpx.Request] = []

    def page(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, content=b"<html>Welcome</html>")

    state = State.open(tmp_path, url=URL)
    prompts = ("tea", "mist", "rain")
    items = [Item(line=number, request=ImageRequest(prompt=each)) for number, each in enumerate(prompts)]
    retries = Retries(tries=2, first_pause=0.0)
    run = Run(
        client=AsyncClient(URL, API_KEY, retries=retries, transport=httpx.MockTransport(page)),
        state=state,
        folder=tmp_path,
        planned=state.plan(items),
        as_json=False,
        asynchronous=False,
        pay_again=False,
    )
    anyio.run(run.all, 1)
    assert (len(seen), run.exit_code) == (asked, 5)


def test_what_was_lost_is_paid_again_only_if_asked_for(tmp_path: Path) -> None:
    """The new key is kept for later runs."""
    server = Service(failures={"tea": service.ContentFiltered})
    ran(server, tmp_path, "tea")
    ran(server, tmp_path, "tea")
    assert len(server.keys) == 1
    ran(server, tmp_path, "tea", pay_again=True)
    assert len(server.keys) == 2
    server.failures.clear()
    run = ran(server, tmp_path, "tea", pay_again=True)
    assert (len(server.keys), run.totals()["done"]) == (2, 1)


def test_a_file_that_cannot_be_written_stops_the_batch(tmp_path: Path) -> None:
    """What is paid is not lost: the next run gets it under the same key."""
    server = Service()
    (tmp_path / "0001-tea.png").mkdir()
    (tmp_path / "more").write_bytes(b"")
    state = State.open(tmp_path, url=URL)
    item = Item(line=1, request=ImageRequest(prompt="tea"), output="more/tea.png")
    run = Run(
        client=AsyncClient(URL, API_KEY, transport=httpx.MockTransport(server)),
        state=state,
        folder=tmp_path,
        planned=state.plan([item]),
        as_json=False,
        asynchronous=False,
        pay_again=False,
    )
    with pytest.raises(OSError, match="more"):
        anyio.run(run.all, 1)
    (tmp_path / "more").unlink()
    assert ran(server, tmp_path, "tea").totals()["cost_usd_now"] == 0.0
    assert server.drawn == ["tea"]


def test_pictures_that_cannot_be_downloaded_are_paid_once(tmp_path: Path) -> None:
    """The batch stops at the first, and a later run gets it at no cost."""
    server = Service(bucket_is_down=True)
    for cost_now in (0.04, 0.0):
        run = ran(server, tmp_path, "tea", "mist")
        assert (run.exit_code, run.totals()["failed"]) == (5, 1)
        assert (run.totals()["cost_usd"], run.totals()["cost_usd_now"]) == (0.04, cost_now)
    assert server.drawn == ["tea"]
    server.bucket_is_down = False
    run = ran(server, tmp_path, "tea", "mist")
    assert (run.totals()["done"], server.drawn) == (2, ["tea", "mist"])
    assert (run.totals()["cost_usd"], run.totals()["cost_usd_now"]) == (0.08, 0.04)


def test_a_failure_that_cannot_be_written_down_stops_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may be full at any line of the state; the next run pays for nothing twice."""
    server = Service(failures={"bad": service.ContentFiltered})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(State, "_append", full)
        with pytest.raises(OSError, match="No space left on device"):
            ran(server, tmp_path, "bad", "tea", "mist")
    assert ran(server, tmp_path, "bad", "tea", "mist").totals()["cost_usd"] == 0.12
    assert (server.drawn, len(server.keys)) == (["tea", "mist"], 3)
