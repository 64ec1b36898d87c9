"""Mistakes that the command `imagegen` notices without a service: each is one line, and no traceback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    """The command of somebody who has no service."""
    return CommandLine(folder=tmp_path)


@pytest.fixture
def stranger() -> Iterator[str]:
    """A server that is not imagegen."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_server_is_recognised(command: CommandLine, stranger: str) -> None:
    """The sentence says to check the base URL."""
    ended = command.run("models", "--url", stranger, "--api-key", "k")
    assert (ended.code, ended.err.count("\n")) == (5, 1)
    assert "Check that the base URL is the service's and ends in its stage" in ended.err


def test_a_service_that_is_not_there_is_a_sentence(command: CommandLine) -> None:
    """Nothing was sent, so nothing was paid."""
    ended = command.run("tea", "--url", "http://127.0.0.1:1/v1", "--api-key", "k", "--timeout", "1", "--json")
    found = json.loads(ended.err)
    assert (ended.code, found["code"], found["charged"]) == (3, "unreachable", "no")


def test_a_file_that_others_can_read_is_refused(command: CommandLine) -> None:
    """The sentence has the command that mends it."""
    assert (
        command.run("config", "--url", "http://127.0.0.1:1/v1", "--api-key", "-", given=b"ig_key\n").code == 0
    )
    (command.folder / "settings" / "config.json").chmod(0o644)
    ended = command.run("tea")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "chmod 600" in ended.err


def test_a_full_disk_is_a_sentence(command: CommandLine) -> None:
    """Also where it is the help that cannot be written."""
    ended = command.shell("imagegen --help > /dev/full")
    assert (ended.code, ended.err) == (2, "The output cannot be written: No space left on device.\n")
