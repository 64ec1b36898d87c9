"""ExifTool, as `package.json` installs it for the tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

EXIFTOOL: Final = Path(__file__).parents[2] / "node_modules" / "exiftool-vendored.pl" / "bin" / "exiftool"


class NoPerlError(Exception):
    """Perl is not installed; the message says how to install it."""


def perl(*, path: str | None = None) -> str:
    """Return the path of Perl, in which ExifTool is written; `path` replaces the variable PATH.

    Raises:
        NoPerlError: there is none.
    """
    found = shutil.which("perl", path=path)
    if found is None:
        raise NoPerlError(
            "The tests of pictures need Perl, and there is none on PATH: install it (apt-get install perl on Debian "
            "and Ubuntu) and run the tests again."
        )
    return found


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what ExifTool reads in each file, by group and name, and its warnings of a full validation."""
    # -a: also what is there twice. -G1: with the group. -struct: structures as they are. -n: values as they stand.
    options = ["-json", "-a", "-G1", "-struct", "-n", "-validate", "-warning", "-all"]
    done = subprocess.run(  # noqa: S603 - the checkout's own program, and files of the test
        [perl(), str(EXIFTOOL), *options, *map(str, paths)], capture_output=True, text=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
