"""Describes what a request carries besides its body: headers, query and path parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from imagegen.generations.generation import ID_PATTERN
from imagegen.http import request
from imagegen.http.compat.bedrock import SDXL, SDXL_IDS
from imagegen.http.compat.stability import ENGINES, SDXL_ENGINE


def _either(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


# `Idempotency-Key` is not here: Postman makes one up when it imports the document, switches it on, and sends that one
# with every request. The document's description says how to send it.
PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` (RFC 7240) gets a 202 at once; other preferences have no effect.",
    "required": False,
    "schema": {"type": "string"},
}
ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The generation's id.",
    "schema": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
    "example": "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a",
}
MODEL: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "`auto`, or the id of an enabled model.",
    "schema": {"type": "string", "minLength": 1},
    "example": "auto",
}
LIMIT: Final = {
    "name": "limit",
    "in": "query",
    "description": "The most generations on one page.",
    "schema": {
        "type": "integer",
        "minimum": 1,
        "maximum": request.MAX_LIMIT,
        "default": request.DEFAULT_LIMIT,
    },
}
DAYS: Final = {
    "name": "days",
    "in": "query",
    "description": "How many days to show; today is the first.",
    "schema": {
        "type": "integer",
        "minimum": 1,
        "maximum": request.MAX_DAYS,
        "default": request.DEFAULT_DAYS,
    },
}
CURSOR: Final = {
    "name": "cursor",
    "in": "query",
    "description": "Where the page starts: the `next_cursor` of the page before.",
    "schema": {"type": "string", "minLength": 1, "maxLength": request.MAX_CURSOR_LENGTH},
}
DOWNLOAD: Final = {
    "name": "download",
    "in": "query",
    "description": "The file name under which a browser saves the image, instead of showing it.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": request.MAX_DOWNLOAD_LENGTH,
        "pattern": r'^[^\x00-\x1f\x7f"/\\]*$',
    },
    "example": "tea.png",
}
ENGINE: Final = {
    "name": "engine_id",
    "in": "path",
    "required": True,
    "description": f"{_either(ENGINES)} for any model of the deployment, or the id of an enabled model to pin it.",
    "schema": {"type": "string", "minLength": 1},
    "example": SDXL_ENGINE,
}
MODEL_ID: Final = {
    "name": "modelId",
    "in": "path",
    "required": True,
    "description": f"{_either(SDXL_IDS)} for any model of the deployment, or the id of an enabled model to pin it.",
    "schema": {"type": "string", "minLength": 1},
    "example": SDXL,
}
