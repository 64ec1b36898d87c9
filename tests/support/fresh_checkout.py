"""A fresh clone of this checkout, and the commands that its users run in it: make, and the plain CDK."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.checkout import CHECKOUT

ENVIRON: Final[Mapping[str, str]] = os.environ  # noqa: TID251 - where this machine's registry and caches are
KEPT: Final = {
    name: value
    for name, value in ENVIRON.items()
    if name.startswith(("HOME", "PIP_", "UV_", "SSL_", "XDG_")) or name.lower().endswith("_proxy")
}
NOWHERE: Final = "http://127.0.0.1:9"
WITHOUT_NETWORK: Final = {
    **dict.fromkeys(("UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL", "npm_config_registry"), NOWHERE),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), NOWHERE),
    **dict.fromkeys(("NO_PROXY", "no_proxy", "PIP_FIND_LINKS", "UV_FIND_LINKS"), ""),
    "PIP_NO_CACHE_DIR": "1",
    "UV_NO_CACHE": "1",
}
"""No registry, index, proxy, cache or folder of packages leads anywhere."""
NO_ACCOUNT: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
QUICKLY: Final = {"CDK_VALIDATION": "false"}
"""CDK's own check of the template takes two thirds of a synthesis; `tests/infrastructure` applies it to every stage."""
STAMP: Final = """
from tools.set_up import steps
for step in steps():
    step.marker.write_text(" ".join(step.fingerprint()))
"""
MARKER: Final = ".set-up"
COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended; at a terminal, everything that it said is in `said`."""

    status: int
    said: str
    errors: str = ""

    @property
    def text(self) -> str:
        """Everything that it said, wherever."""
        return self.said + self.errors


@dataclass(frozen=True, kw_only=True)
class FreshCheckout:
    """A clone in a folder of its own; `programs` are on PATH before those of the system."""

    root: Path
    programs: tuple[Path, ...]
    variables: Mapping[str, str]

    def run(self, *command: str, environ: Mapping[str, str] | None = None, at_terminal: bool = False) -> Done:
        """Run a command in the clone, with nothing of the caller's environment but what reaches the registry."""
        path = os.pathsep.join([*map(str, self.programs), "/usr/bin", "/bin"])
        whole = {
            "PATH": path,
            "LANG": "C.UTF-8",
            **KEPT,
            **NO_ACCOUNT,
            **QUICKLY,
            **self.variables,
            **(environ or {}),
        }
        if at_terminal:
            return _run_at_terminal(command, folder=self.root, environ={**whole, "TERM": "xterm"})
        done = subprocess.run(  # noqa: S603 - programs of the clone and of the system
            command,
            cwd=self.root,
            env=whole,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )
        return Done(status=done.returncode, said=done.stdout, errors=done.stderr)

    def make(
        self, target: str, *arguments: str, environ: Mapping[str, str], at_terminal: bool = False
    ) -> Done:
        """Run a target of the Makefile."""
        return self.run(
            "make", "--no-print-directory", target, *arguments, environ=environ, at_terminal=at_terminal
        )

    def cdk(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Done:
        """Run the plain CDK."""
        return self.run("npx", "cdk", *arguments, "--no-notices", environ=environ)


def clone(root: Path) -> None:
    """Copy everything of this checkout that Git would not ignore, and link what `npm ci` installs."""
    ignored = (CHECKOUT / ".gitignore").read_text(encoding="utf-8").split()
    leave_out = shutil.ignore_patterns(".git", *(name.rstrip("/") for name in ignored))
    shutil.copytree(CHECKOUT, root, ignore=leave_out)
    # A link to the set-up's marker would be written through, into this checkout.
    leave_out = shutil.ignore_patterns(MARKER)
    folder = root / "node_modules"
    shutil.copytree(CHECKOUT / "node_modules", folder, ignore=leave_out, symlinks=True, copy_function=_link)


def plain_checkout(root: Path) -> FreshCheckout:
    """Return a clone as users of the plain CDK have it: some environment is active, and there is no `.venv`."""
    clone(root)
    _make_environment(root / "my-env")
    tools = _programs(root, "node", "npx")
    variables = {
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "1",
        "npm_config_update_notifier": "false",
    }
    return FreshCheckout(root=root, programs=(root / "my-env" / "bin", tools), variables=variables)


def made_checkout(root: Path) -> FreshCheckout:
    """Return a clone as `make set-up` leaves it; `tests/local/test_set_up.py` tries the set-up itself."""
    clone(root)
    _make_environment(root / ".venv")
    emulator = root / ".venv" / "emulator" / "bin"
    emulator.mkdir(parents=True)
    (emulator / "python").symlink_to(os.path.realpath(sys.executable))
    tools = _programs(root, "node")
    # The set-up compares the Python that runs it.
    (tools / "python3").symlink_to(os.path.realpath(sys.executable))
    checkout = FreshCheckout(root=root, programs=(tools,), variables={})
    done = checkout.run("python3", "-c", STAMP)
    assert done == Done(status=0, said="")
    return checkout


def _make_environment(folder: Path) -> None:
    """Make a virtual environment with this one's packages, uv's program included, and without a registry."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "of_the_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")


def _programs(root: Path, *names: str) -> Path:
    folder = root.with_name(f"{root.name}-programs")
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None, f"{name} is not on PATH"
        (folder / name).symlink_to(os.path.realpath(found))
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _run_at_terminal(command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> Done:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(  # noqa: S603 - likewise
            command,
            cwd=folder,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            said = b"".join(iter(lambda: _read(ours), b""))
    finally:
        os.close(ours)
    text = COLOURS.sub("", said.decode()).replace("\r\n", "\n")
    return Done(status=process.returncode, said=text)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's way to say that nobody has the other end open any more
        return b""
