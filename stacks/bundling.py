"""Makes the functions' zip without Docker: pinned wheels for the platform, our package, and bytecode.

The uv or the pip of the running interpreter takes the wheels from its cache or the registry and checks every hash. What
is built is kept under `.build/`, named by the hash of its inputs: the packages alone, and everything together. Equal
inputs give equal files on every machine. See `docs/decisions/0013-a-directory-instead-of-docker.md`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_

from stacks import service_data, zip_contents
from stacks.setting_types import Platform
from stacks.zip_contents import SERVICE, Contents
from tools.registries import uv_environment

RUNTIME_PYTHON = (3, 13)
RUNTIME_VERSION = ".".join(map(str, RUNTIME_PYTHON))
KEPT_BUILDS = 4  # a few, so that switching branches or platforms does not build again
# What pip has to be told for uv's `aarch64-manylinux2014`: the two names of one platform.
WHEELS = ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
# What an installer notes about itself: the hashes of scripts that name this machine's Python, and its own name.
INSTALLERS_NOTES = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json")
DATE = 315_532_800.0  # 1 January 1980, the first day that a zip can hold
# The code that decides what a zip holds, besides its inputs.
_MAKERS = tuple(Path(str(module.__file__)) for module in (service_data, zip_contents))


class BundlingError(RuntimeError):
    """The zip cannot be made on this machine; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The inputs of a zip: the checkout, what it takes of it, the platform of its wheels, and the Python that compiles.

    A zip for this machine is for that Python, if one is named; otherwise it is for this interpreter.
    """

    root: Path
    platform: Platform
    compiler: Path | None
    contents: Contents = SERVICE

    @property
    def requirements(self) -> Path:
        """The hash-pinned list of the zips' packages."""
        return self.root / "lambda" / "requirements.txt"

    @property
    def package(self) -> Path:
        """The service's own code."""
        return self.root / "lambda" / "imagegen"

    def fingerprint(self) -> str:
        """Return a hash of every input of the zip."""
        sources = [self.package / name for name in self._sources()]
        # A new release of a package changes no zip that holds none.
        packages = (
            self._makers if self.contents.has_packages else (Path(__file__), Path(str(zip_contents.__file__)))
        )
        return self._hash((*packages, *sources), of=self.contents.name)

    def build(self) -> Path:
        """Return the directory of the zip's content; build it if it is not there."""

        def fill(content: Path) -> None:
            if self.contents.has_packages:
                shutil.copytree(self._packages(), content, copy_function=_link, dirs_exist_ok=True)
            for name in self._sources():
                copy = content / "imagegen" / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.package / name, copy)
            self._compile(content / "imagegen", root=content)

        return self._kept(self.contents.name, self.fingerprint(), fill)

    @property
    def _makers(self) -> tuple[Path, ...]:
        return (Path(__file__), *_MAKERS, self.requirements)

    def _sources(self) -> list[str]:
        """Return the files of our package that the zip holds, relative to it, as POSIX writes and sorts them."""
        found = (p for p in self.package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        names = sorted(path.relative_to(self.package).as_posix() for path in found)
        return [name for name in names if self.contents.holds_part(name)]

    def _packages(self) -> Path:
        """Return the directory of the packages alone, so that a change of our code does not fetch them again."""

        def fill(content: Path) -> None:
            self._install(content)
            _prune(content)
            self._compile(content, root=content)

        return self._kept("packages", self._hash(self._makers, of="packages"), fill)

    def _kept(self, name: str, fingerprint: str, fill: Callable[[Path], None]) -> Path:
        target = self.root / ".build" / f"{name}-{fingerprint[:16]}"
        if target.is_dir():
            os.utime(target)  # the least recently used are removed first
            return target
        target.parent.mkdir(exist_ok=True)
        # Built elsewhere and renamed, so that an interrupted or a concurrent build leaves no half-made directory.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as scratch:
            content = Path(scratch) / "content"
            fill(content)
            _make_alike(content)
            try:
                content.rename(target)
            except OSError:
                # A concurrent build of the same inputs may have been first.
                if not target.is_dir():
                    raise
        os.utime(target)
        _forget_old(target.parent, name)
        return target

    def _hash(self, inputs: Sequence[Path], *, of: str) -> str:
        digest = hashlib.sha256(of.encode())
        for path in inputs:
            # As POSIX writes it, so that every system sorts and names the files alike.
            inside = path.is_relative_to(self.package)
            digest.update(f"{path.relative_to(self.package).as_posix() if inside else path.name}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        runs_on: str = self.platform
        if self.platform == "host":
            # Wheels for this machine differ by system and interpreter.
            runs_on += f" {platform.platform()} {_release(self._python())}"
        digest.update(f"{runs_on} {self.compiler is not None}".encode())
        return digest.hexdigest()

    def _python(self) -> Path:
        """Return the Python that the wheels are chosen by."""
        ours = Path(sys.executable)
        return self.compiler or ours if self.platform == "host" else ours

    def _install(self, target: Path) -> None:
        # uv is in requirements.txt and takes seconds where pip takes half a minute. Both write the same files.
        options = "--quiet --only-binary :all: --require-hashes --no-deps"
        environ: Mapping[str, str] = os.environ  # noqa: TID251 - pip and uv find mirror and proxy there
        ours = Path(sys.executable)
        uv = _uv()
        if uv is not None:
            tool = [
                uv,
                *["pip", "install", "--color", "never", "--link-mode", "copy", "--python"],
                str(self._python()),
            ]
            environ = {**environ, **uv_environment(environ, python=ours)}
            if self.platform != "host":
                options += f" --python-platform {self.platform} --python-version {RUNTIME_VERSION}"
        elif importlib.util.find_spec("pip") is not None:
            tool = [
                *[str(ours), "-m", "pip", "--python", str(self._python()), "install"],
                *["--no-input", "--no-color", "--no-user", "--no-compile"],
            ]
            if self.platform != "host":
                tags = " ".join(f"--platform {tag}" for tag in WHEELS)
                options += f" {tags} --implementation cp --python-version {RUNTIME_VERSION}"
        else:
            raise BundlingError(
                f"Neither uv nor pip is installed for {ours}, and one of them fetches the functions' packages: "
                "install requirements.txt into its environment."
            )
        files = ["--target", str(target), "-r", str(self.requirements)]
        _run(
            [*tool, *options.split(), *files],
            environ=environ,
            failure="The functions' packages could not be installed",
        )

    def _compile(self, folder: Path, *, root: Path) -> None:
        if self.compiler is None:
            return
        # Unchecked, because the dates in a zip mean nothing. `-p` records the paths inside Lambda.
        options = "-q --invalidation-mode unchecked-hash -p /var/task"
        _run(
            # One process, in the order of the names and without random hashes: else the bytes of one file could
            # depend on what its process compiled before.
            [str(self.compiler), "-m", "compileall", *options.split(), "-s", str(root), str(folder)],
            environ={**os.environ, "PYTHONHASHSEED": "0"},  # noqa: TID251 - the rest is none of our business
            failure="The functions' bytecode could not be compiled",
        )


def _forget_old(folder: Path, name: str) -> None:
    built = sorted(folder.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in built[KEPT_BUILDS:]:
        shutil.rmtree(old, ignore_errors=True)


def function_code(*, root: Path, target: Platform, contents: Contents = SERVICE) -> lambda_.Code:
    """Return the code of functions, built from the checkout at `root`.

    Raises:
        BundlingError: uv and pip are missing, or a package cannot be downloaded or has another hash.
    """
    bundle = Bundle(root=root, platform=target, compiler=find_compiler(target), contents=contents)
    # Said once, though there are two zips.
    if bundle.compiler is None and contents is SERVICE:
        sys.stderr.write(
            f"Warning: no working Python {RUNTIME_VERSION} was found, so the zip ships without bytecode and its "
            f"functions start about 3.6 times slower; install Python {RUNTIME_VERSION} and run this again.\n"
        )
    return lambda_.Code.from_asset(
        str(bundle.build()), asset_hash=bundle.fingerprint(), asset_hash_type=AssetHashType.CUSTOM
    )


def find_compiler(target: Platform) -> Path | None:
    """Return a Python of the version that runs the zip, or None; Lambda ignores the bytecode of any other version."""
    return Path(sys.executable) if target == "host" else find_runtime_python()


def find_runtime_python() -> Path | None:
    """Return a Python of this machine that has Lambda's version, or None."""
    if sys.version_info[:2] == RUNTIME_PYTHON:
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
    uv = _uv()
    if uv is None:
        return None
    command = [uv, "python", "find", "--no-python-downloads", RUNTIME_VERSION]
    found = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 - arguments of our own
    return found.stdout.strip() or None


def _uv() -> str | None:
    """Return the uv of this interpreter's packages; one on the path may be of another version."""
    if importlib.util.find_spec("uv") is None:
        return None
    from uv import find_uv_bin  # noqa: PLC0415 - not every environment has it

    try:
        return find_uv_bin()
    except FileNotFoundError:
        return None


def _version(python: Path) -> tuple[int, ...] | None:
    release = _release(python)
    return tuple(int(part) for part in release.split(".")[:2]) if release else None


def _release(python: Path) -> str | None:
    """Return the version of a Python with its release, such as 3.13.0; None if it does not run."""
    if python == Path(sys.executable):
        return platform.python_version()
    # The name proves nothing: it may be a shim for a version that is not installed.
    try:
        reported = subprocess.run(  # noqa: S603 - arguments of our own
            [str(python), "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            check=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return reported.stdout.strip()


def _prune(content: Path) -> None:
    # Console scripts hold the path of this machine's Python, so equal trees would give different zips.
    shutil.rmtree(content / "bin", ignore_errors=True)
    (content / ".lock").unlink(missing_ok=True)
    for name in INSTALLERS_NOTES:
        for note in content.glob(f"*.dist-info/{name}"):
            note.unlink()
    zip_contents.remove_what_never_runs(content)
    data = content / "botocore" / "data"
    if data.is_dir():
        service_data.prune_service_data(data)


def _make_alike(content: Path) -> None:
    """Give every file the rights and the date that it has on every machine."""
    for path in (content, *content.rglob("*")):
        # The zip keeps the rights, and Lambda's user could not read files that were made with a strict umask.
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (DATE, DATE))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _run(command: Sequence[str], *, environ: Mapping[str, str], failure: str) -> None:
    done = subprocess.run(  # noqa: S603 - arguments of our own
        command, env=dict(environ), capture_output=True, check=False, text=True
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[-600:]
        raise BundlingError(f"{failure}: {reason}")
