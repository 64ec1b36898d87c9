"""The folder of this checkout, and a digest of its sources, which shows whether a product of them is out of date."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def digest_of(names: Iterable[str], *, root: Path = CHECKOUT) -> str:
    """Digest the names and contents of files and folders.

    Compiled Python is left out. A name that does not exist counts as an empty folder.
    """
    digest = sha256()
    for name in names:
        for path in sorted(_files(root / name)):
            # The length keeps the end of one file from being taken for the start of the next.
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (found for found in path.rglob("*") if found.is_file() and "__pycache__" not in found.parts)
