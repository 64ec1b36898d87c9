"""`make openapi` writes the document to the file that the function serves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from apidoc.document import document, written

TARGET: Final = Path(__file__).parents[1] / "lambda" / "imagegen" / "http" / "openapi.json"

if __name__ == "__main__":
    TARGET.write_text(written(document()), encoding="utf-8")
