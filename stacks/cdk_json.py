"""Reads `cdk.json`, which an operator writes by hand."""

from __future__ import annotations

import json
from pathlib import Path

from stacks.stage import StageError


def stages_of(checkout: Path) -> object:
    """Return the stages that `cdk.json` of a checkout describes, unread.

    Raises:
        StageError: the file is missing, or is no JSON with a context in it.
    """
    path = checkout / "cdk.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # An escape may stand for half of a character, which no environment and no template can hold.
        json.dumps(content, ensure_ascii=False).encode()
    except OSError as error:
        raise StageError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise StageError(f"{path} is not written in UTF-8.") from error
    except UnicodeEncodeError as error:
        raise StageError(f"{path} has an escape that stands for half of a character.") from error
    except (RecursionError, ValueError) as error:
        if not isinstance(error, json.JSONDecodeError):
            raise StageError(f"{path} is nested too deeply, or has a number that is too long.") from error
        raise StageError(
            f"{path} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    context = content.get("context") if isinstance(content, dict) else None
    if not isinstance(context, dict):
        raise StageError(f"{path} must be an object with the member context, which has the stages.")
    return context.get("stages")
