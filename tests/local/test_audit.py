"""pip-audit and npm themselves, with databases of vulnerabilities on this machine: what they report is understood."""

from __future__ import annotations

import gzip
import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.local_instances import ENVIRON
from tools.audit import Audit, Done, audit_node, audit_python
from tools.checkout import CHECKOUT
from tools.pins import packages_of, pins_of

LOCK = "lambda/requirements.txt"
BAD = {"six", "preact"}
"""What the databases know a vulnerability of."""
ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "summary": "It does too much.",
    "affected": [
        {
            "package": {"name": "six", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Databases(ThreadingHTTPServer):
    """OSV's database for Python, and the one of npm's registry; both know only what a test tells them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bad: set[str] = set()
        self.is_silent = False
        self.asked: set[str] = set()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Databases

    def do_POST(self) -> None:
        """Answer a question about vulnerabilities."""
        body = self.rfile.read(int(self.headers["content-length"]))
        asked = json.loads(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
        if self.server.is_silent:
            self._reply(405, {})
        elif self.path == "/osv":
            name = asked["package"]["name"]
            self.server.asked.add(name)
            self._reply(200, {"vulns": [ADVISORY]} if name in self.server.bad else {})
        else:
            self.server.asked |= set(asked)
            known = {
                name: [{"id": 1, "url": "", "title": "", "severity": "high", "vulnerable_versions": "<99"}]
                for name in self.server.bad & set(asked)
            }
            self._reply(200, known)

    def do_GET(self) -> None:
        """Describe a package of npm, as far as npm needs it to say what is affected."""
        self._reply(200, {"name": self.path[1:], "versions": {}, "dist-tags": {}})

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _reply(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def databases() -> Iterator[Databases]:
    """Serve the databases for one test."""
    with Databases() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def audited(databases: Databases, tmp_path: Path) -> Audits:
    """Return what runs the real tools with these databases."""
    return Audits(databases=databases, home=tmp_path)


class Audits:
    """Runs the tools with the databases of a test, and nothing of this machine's configuration."""

    def __init__(self, *, databases: Databases, home: Path) -> None:
        self._databases = databases
        self._home = home

    def python(self) -> Audit:
        """Audit the packages of the zip."""
        (audit,) = audit_python([LOCK], run=self._run)
        return audit

    def node(self) -> Audit:
        """Audit the packages of npm for vulnerabilities."""
        return next(iter(audit_node(run=self._run)))

    def _run(self, command: Sequence[str]) -> Done:
        there = () if command[0] == "npm" else ("-s", "osv", "--osv-url", f"{self._databases.url}/osv")
        done = subprocess.run(  # noqa: S603 - the tools of the audit
            [command[0], *there, *command[1:]],
            cwd=CHECKOUT,
            env={
                "PATH": ENVIRON["PATH"],
                "HOME": str(self._home),
                "npm_config_registry": self._databases.url,
                "npm_config_fetch_retries": "0",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Done(status=done.returncode, out=done.stdout, err=done.stderr)


def test_pip_audit_reports_each_package_that_it_has_looked_up(audited: Audits, databases: Databases) -> None:
    """The database was asked about all of them."""
    pins = pins_of((CHECKOUT / LOCK).read_text(encoding="utf-8"))
    assert audited.python() == Audit(subject=LOCK, looked_up=len(pins), problems=[])
    assert databases.asked == {pin.name for pin in pins}


def test_pip_audit_reports_a_vulnerability(audited: Audits, databases: Databases) -> None:
    """The sentence names what mends it."""
    databases.bad = BAD
    audit = audited.python()
    assert audit.looked_up == len(pins_of((CHECKOUT / LOCK).read_text(encoding="utf-8")))
    assert [problem.split(" has ")[1] for problem in audit.problems] == [
        "GHSA-aaaa-bbbb-cccc, mended in 99.0."
    ]


def test_a_database_that_does_not_answer_fails_the_audit(audited: Audits, databases: Databases) -> None:
    """Each tool has its own words for it."""
    databases.is_silent = True
    for audit in (audited.python(), audited.node()):
        assert audit.looked_up == 0
        assert "reported nothing" in audit.problems[0]


def test_npm_reports_how_many_packages_it_has_looked_up(audited: Audits, databases: Databases) -> None:
    """The registry was asked about all of them."""
    packages = packages_of((CHECKOUT / "package-lock.json").read_text(encoding="utf-8"))
    audit = audited.node()
    assert (audit.looked_up, audit.problems) == (len(packages), [])
    assert databases.asked == {package.name for package in packages}


def test_npm_reports_a_vulnerability(audited: Audits, databases: Databases) -> None:
    """Of one that the playground loads."""
    databases.bad = BAD
    assert audited.node().problems == [
        "preact has a vulnerability of severity high: `npm audit` says in which versions."
    ]
