"""Lists what the functions' zips hold: packages, our own modules, and what is removed because it never runs.

See `docs/decisions/0120-the-zip-holds-what-runs.md`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REMOVED: Final[Mapping[str, str]] = {
    "aws_lambda_powertools/event_handler/openapi/swagger_ui": "The API serves a document of its own, and no page.",
    "aws_lambda_powertools/utilities/auth_alpha": "API Gateway and the authorizer check who calls.",
    "aws_lambda_powertools/utilities/circuit_breaker": "Retries are in `generations/retry.py`.",
    "aws_lambda_powertools/utilities/data_masking": "The functions log no content.",
    "aws_lambda_powertools/utilities/feature_flags": "Settings are in the environment.",
    "aws_lambda_powertools/utilities/idempotency": "The record of a generation does that.",
    "aws_lambda_powertools/utilities/kafka": "No event comes from Kafka.",
    "aws_lambda_powertools/utilities/parameters": "The adapter of Secrets Manager reads the one secret.",
    "aws_lambda_powertools/utilities/streaming": "No object is read in parts.",
    "dateutil/zoneinfo": "The time zones of the world; AWS writes times in UTC.",
    "pydantic/mypy.py": "A plug-in of mypy.",
    "pydantic/v1": "The whole of pydantic 1, for those who still use it.",
    "urllib3/contrib/emscripten": "It runs in a browser only.",
}
"""What is removed from the packages, and why nothing needs it. See `tests/infrastructure/test_zip_contents.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What one zip holds."""

    name: str
    """The zip's name below `.build/`."""
    has_packages: bool = True
    """Whether it holds the packages of `lambda/requirements.txt`."""
    parts: tuple[str, ...] | None = None
    """The folders and modules of our package; None stands for all of it."""

    def holds_part(self, path: str) -> bool:
        """Say whether the zip holds a file of our package; the path is relative to it, as POSIX writes it."""
        return self.parts is None or any(path == part or path.startswith(f"{part}/") for part in self.parts)


SERVICE: Final = Contents(name="function")
"""The zip of the api function, the worker and the check of the models' lifecycles."""
AUTHORIZER: Final = Contents(
    name="authorizer",
    has_packages=False,
    parts=(
        "__init__.py",
        "adapters/__init__.py",
        "adapters/direct/__init__.py",
        "adapters/direct/connection.py",
        "adapters/direct/resending.py",
        "adapters/direct/signature.py",
        "adapters/direct/table_calls.py",
        "adapters/key_table/__init__.py",
        "adapters/key_table/items.py",
        "adapters/key_table/look_up.py",
        "adapters/system.py",
        "authorizer_handler.py",
        "authorizer_settings.py",
        "contracts/__init__.py",
        "contracts/text_to_image/__init__.py",
        "contracts/text_to_image/parameters.py",
        "errors.py",
        "keys",
    ),
)
"""The zip of the authorizer: what its handler loads, and nothing else."""


def remove_what_never_runs(content: Path) -> None:
    """Remove from a folder of packages what `REMOVED` lists."""
    for name in REMOVED:
        path = content / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
