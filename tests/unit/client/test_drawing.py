"""What `imagegen generate` says of a picture that is paid, or may be, over a server in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagegen_client import AsyncClient, Retries
from imagegen_client.command_line import making
from imagegen_client.command_line.program import main
from tests.support.client_steps import API_KEY, ID, KEY, PNG, URL, generation, unfinished

# The event loop wakes itself up through a pair of sockets that leads nowhere else.
pytestmark = pytest.mark.enable_socket

Answer = Callable[[httpx.Request], httpx.Response]
Serve = Callable[[Answer], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Serve:
    """Let the command talk to this function, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def use(answer: Answer) -> None:
        def connected(_: object, *, retries: Retries = making.PATIENT) -> AsyncClient:
            few = Retries(tries=2, first_pause=0.0, longest_pause=0.0, total_time=retries.total_time / 10)
            return AsyncClient(URL, API_KEY, retries=few, transport=httpx.MockTransport(answer))

        monkeypatch.setattr(making, "connected", connected)

    return use


def refused(request: httpx.Request) -> httpx.Response:
    """Make no connection."""
    raise httpx.ConnectError("refused", request=request)


def lost(request: httpx.Request) -> httpx.Response:
    """End the connection before the reply."""
    raise httpx.ReadError("reset", request=request)


def failure(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one failure that was written as JSON."""
    (line,) = capsys.readouterr().err.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.parametrize(
    ("download", "code"),
    [
        (refused, "download_failed"),
        (lost, "download_failed"),
        (lambda _: httpx.Response(503, content=b"<Error>"), "download_failed"),
        (lambda _: httpx.Response(302), "download_failed"),
        (lambda _: httpx.Response(200, content=b"<html>"), "damaged_image"),
    ],
    ids=["refused", "lost", "503", "302", "damaged"],
)
def test_a_picture_that_cannot_be_downloaded_is_paid_and_has_its_id(
    serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path, download: Answer, code: str
) -> None:
    """The bucket is another host than the service, so the one can fail while the other works."""

    def answer(request: httpx.Request) -> httpx.Response:
        made = httpx.Response(200, json=generation())
        return download(request) if request.url.host == "bucket.example.com" else made

    serve(answer)
    assert main(["tea"]) == 5
    (said,) = capsys.readouterr().err.splitlines()
    assert f"It is paid for: `imagegen save {ID}` gets it at no cost." in said
    assert "Nothing was paid" not in said
    assert "Nobody can know" not in said
    assert "base URL" not in said
    assert main(["tea", "--json"]) == 5
    found = failure(capsys)
    assert (found["code"], found["charged"], found["generation_id"]) == (code, "yes", ID)
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_of_one_of_several_pictures_holds_for_the_command(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its own key, a further picture would become the first one, and the others would be paid for again."""
    keys = [making.nth_key(KEY, number) for number in range(3)]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "bucket.example.com":
            return httpx.Response(200, content=b"\x89PNG the picture")
        asked.append(request.headers["idempotency-key"])
        number = keys.index(asked[-1])
        return lost(request) if number == 1 else httpx.Response(200, json=generation(id=f"gen_{number}"))

    serve(answer)
    assert main(["tea", "-n", "3", "--idempotency-key", KEY]) == 5
    assert f"add `--idempotency-key {KEY}`" in capsys.readouterr().err
    assert main(["tea", "-n", "3", "--idempotency-key", KEY, "--json"]) == 5
    assert failure(capsys)["idempotency_key"] == KEY
    assert set(asked) == set(keys)


def test_a_picture_that_is_not_done_in_time_may_be_paid_for(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says how to get it."""

    def answer(request: httpx.Request) -> httpx.Response:
        status = 202 if request.method == "POST" else 200
        return httpx.Response(status, json=unfinished("running"), headers={"retry-after": "0"})

    serve(answer)
    assert main(["tea", "--async", "--timeout", "1"]) == 3
    (said,) = capsys.readouterr().err.splitlines()
    assert "Nothing was paid" not in said
    assert f"may be paid for. `imagegen save {ID}` waits for it" in said
    assert main(["tea", "--async", "--timeout", "1", "--json"]) == 3
    found = failure(capsys)
    assert (found["code"], found["charged"], found["generation_id"]) == ("in_progress", "maybe", ID)


def test_a_defect_of_the_command_names_the_key(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback is for whoever mends it; the picture may be paid for all the same."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    serve(answer)
    with pytest.raises(ExceptionGroup):
        main(["tea", "--idempotency-key", KEY])
    assert f"add `--idempotency-key {KEY}`" in capsys.readouterr().err


@pytest.mark.parametrize("reply", [b"<html>Welcome</html>", b'{"id": "gen_a", "status": "succ'])
def test_a_success_that_cannot_be_read_names_the_key(
    serve: Serve, capsys: pytest.CaptureFixture[str], reply: bytes
) -> None:
    """With it, the same command brings the picture that may be there."""
    serve(lambda _: httpx.Response(200, content=reply))
    assert main(["tea", "--idempotency-key", KEY]) == 5
    (said,) = capsys.readouterr().err.splitlines()
    assert "Nobody can know whether the request was paid for." in said
    assert f"add `--idempotency-key {KEY}`" in said


def test_a_file_that_comes_meanwhile_is_not_replaced(
    serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Another command may have the same `-o`; the picture is kept by the service. --force replaces the file."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "bucket.example.com":
            (tmp_path / "tea.png").write_bytes(b"another one's")
            return httpx.Response(200, content=PNG)
        return httpx.Response(200, json=generation())

    serve(answer)
    assert main(["tea", "-o", "tea.png"]) == 2
    assert (
        f"tea.png: File exists. The picture is made and kept: `imagegen save {ID}" in capsys.readouterr().err
    )
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"another one's"]
    assert main(["tea", "-f", "-o", "tea.png"]) == 0
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [PNG]
    assert main(["tea"]) == main(["tea"]) == 0  # named by its id


def test_a_prompt_is_read_in_any_locale(serve: Serve) -> None:
    """In the locale C, Python reads each byte of a letter as half a character."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "bucket.example.com":
            return httpx.Response(200, content=PNG)
        asked.append(json.loads(request.content)["text_prompts"][0]["text"])
        return httpx.Response(200, json=generation())

    serve(answer)
    assert main([os.fsdecode("th\u00e9".encode())]) == 0
    assert main(["th\udcc3\udca9"]) == 0
    assert asked == ["th\u00e9"] * 2
