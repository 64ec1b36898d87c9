"""Digests of source files, by which a running or deployed thing is recognised as up to date."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from local.variables import CHECKOUT


def of_sources(names: Iterable[str], *, root: Path = CHECKOUT) -> str:
    """Digest files and folders by name and content, compiled Python left out; what is not there counts as empty."""
    digest = sha256()
    for name in names:
        for path in sorted(_files(root / name)):
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (found for found in path.rglob("*") if found.is_file() and "__pycache__" not in found.parts)
