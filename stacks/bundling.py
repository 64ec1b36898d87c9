"""Makes the functions' zip without Docker: pinned wheels for the platform, our package, and bytecode.

uv takes the wheels from its cache or the registry and checks every hash. A build is kept under `.build/`, named by the
hash of its inputs. See `docs/decisions/0013-a-directory-instead-of-docker.md`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_

from stacks.stage import Platform

RUNTIME_PYTHON = (3, 13)
RUNTIME_VERSION = ".".join(map(str, RUNTIME_PYTHON))
# botocore describes some 400 services, and reading its directory costs start-up time.
KEPT_SERVICES = frozenset({"bedrock-runtime", "dynamodb", "s3", "secretsmanager", "sqs", "sts"})
KEPT_BUILDS = 4  # a few, so that switching branches or platforms does not build again
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


class BundlingError(RuntimeError):
    """The zip cannot be made on this machine; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The inputs of a zip: the checkout, the platform of its wheels, and the Python that compiles its bytecode."""

    root: Path
    platform: Platform
    compiler: Path | None

    @property
    def requirements(self) -> Path:
        """The hash-pinned list of the zip's packages."""
        return self.root / "lambda" / "requirements.txt"

    @property
    def package(self) -> Path:
        """The service's own code."""
        return self.root / "lambda" / "imagegen"

    def fingerprint(self) -> str:
        """Return a hash of every input of the zip."""
        digest = hashlib.sha256()
        for path in (Path(__file__), self.requirements, *_sources(self.package)):
            name = path.relative_to(self.package) if path.is_relative_to(self.package) else path.name
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        runs_on: str = self.platform
        if self.platform == "host":
            # Wheels for this machine differ by system and interpreter.
            runs_on += f" {platform.platform()} {platform.python_version()}"
        digest.update(f"{runs_on} {self.compiler is not None}".encode())
        return digest.hexdigest()

    def build(self) -> Path:
        """Return the directory of the zip's content; build it if it is not there."""
        target = self.root / ".build" / f"function-{self.fingerprint()[:16]}"
        if target.is_dir():
            os.utime(target)  # the least recently used are removed first
            return target
        target.parent.mkdir(exist_ok=True)
        # Built elsewhere and renamed, so that an interrupted or a concurrent build leaves no half-made directory.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as scratch:
            content = Path(scratch) / "content"
            self._install(content)
            _prune(content)
            shutil.copytree(self.package, content / "imagegen", ignore=_IGNORED)
            if self.compiler:
                _compile(content, compiler=self.compiler)
            try:
                content.rename(target)
            except OSError:
                # A concurrent build of the same inputs may have been first.
                if not target.is_dir():
                    raise
        _forget_old(target.parent)
        return target

    def _install(self, target: Path) -> None:
        options = "--quiet --color never --only-binary :all: --require-hashes --no-deps --link-mode copy"
        if self.platform != "host":
            options += f" --python-platform {self.platform} --python-version {RUNTIME_VERSION}"
        files = ["--python", sys.executable, "--target", str(target), "-r", str(self.requirements)]
        _run(
            [str(_uv()), "pip", "install", *options.split(), *files],
            failure="The functions' packages could not be installed",
        )


def _forget_old(folder: Path) -> None:
    built = sorted(folder.glob("function-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in built[KEPT_BUILDS:]:
        shutil.rmtree(old, ignore_errors=True)


def _sources(package: Path) -> list[Path]:
    return sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def function_code(*, root: Path, target: Platform) -> lambda_.Code:
    """Return the code of both functions, built from the checkout at `root`.

    Raises:
        BundlingError: uv is missing, or a package cannot be downloaded or has another hash.
    """
    bundle = Bundle(root=root, platform=target, compiler=find_compiler(target))
    if bundle.compiler is None:
        sys.stderr.write(
            f"Warning: no working Python {RUNTIME_VERSION} was found, so the zip ships without bytecode and its "
            f"functions start about 3.6 times slower; install Python {RUNTIME_VERSION} and run this again.\n"
        )
    return lambda_.Code.from_asset(
        str(bundle.build()), asset_hash=bundle.fingerprint(), asset_hash_type=AssetHashType.CUSTOM
    )


def find_compiler(target: Platform) -> Path | None:
    """Return a Python of the version that runs the zip, or None; Lambda ignores the bytecode of any other version."""
    if target == "host" or sys.version_info[:2] == RUNTIME_PYTHON:
        return Path(sys.executable)
    return next((python for python in _candidates() if _version(python) == RUNTIME_PYTHON), None)


def _candidates() -> Iterator[Path]:
    name = f"python{RUNTIME_VERSION}"
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
        # pyenv's shim fails unless its version is switched on; the versions are in a folder beside the shims.
        yield from sorted(Path(on_path).parent.parent.glob(f"versions/{RUNTIME_VERSION}*/bin/{name}"))
    known_to_uv = _python_known_to_uv()
    if known_to_uv:
        yield Path(known_to_uv)


def _python_known_to_uv() -> str | None:
    command = [str(_uv()), "python", "find", "--no-python-downloads", RUNTIME_VERSION]
    found = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - arguments of our own
    return found.stdout.strip() or None


def _version(python: Path) -> tuple[int, ...] | None:
    # The name proves nothing: it may be a shim for a version that is not installed.
    try:
        reported = subprocess.run(  # noqa: S603 - arguments of our own
            [str(python), "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            check=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(int(part) for part in reported.stdout.split())


def _uv() -> Path:
    # The uv on the path may be of another version.
    beside = Path(sys.executable).parent / "uv"
    if not os.access(beside, os.X_OK):
        raise BundlingError(
            f"uv is not installed beside {sys.executable}: run the app with the environment of requirements.lock."
        )
    return beside


def _prune(content: Path) -> None:
    # Console scripts hold the path of this machine's Python, so equal trees would give different zips.
    shutil.rmtree(content / "bin", ignore_errors=True)
    (content / ".lock").unlink(missing_ok=True)
    for entry in (content / "botocore" / "data").iterdir():
        if entry.is_dir() and entry.name not in KEPT_SERVICES:
            shutil.rmtree(entry)


def _compile(content: Path, *, compiler: Path) -> None:
    # Unchecked, because the dates in a zip mean nothing. `-p` records the paths inside Lambda.
    options = "-q -j 0 --invalidation-mode unchecked-hash -p /var/task"
    _run(
        [str(compiler), "-m", "compileall", *options.split(), "-s", str(content), str(content)],
        failure="The functions' bytecode could not be compiled",
    )


def _run(command: Sequence[str], *, failure: str) -> None:
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - arguments of our own
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[-600:]
        raise BundlingError(f"{failure}: {reason}")
