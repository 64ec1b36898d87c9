"""The calls of AWS that stand in the source of the adapters, read from its syntax trees."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Final

import botocore.session
from botocore import xform_name

from tests.support.synthesis import ROOT

ADAPTERS: Final = ROOT / "lambda" / "imagegen" / "adapters"
STREAMING: Final = "invoke_model_with_response_stream"
"""No registered model streams, so no role has the right and no function makes the call."""
PRESIGNED: Final = "get_object"
"""A URL is opened with the right of its signer, so signing counts as the call that it is for."""


@cache
def services() -> frozenset[str]:
    """Return the names of the services for which `adapters/clients.py` makes a client of the SDK."""
    source = (ADAPTERS / "clients.py").read_text(encoding="utf-8")
    return frozenset(re.findall(r'\.(?:create_)?client\(\s*"([a-z0-9-]+)"', source))


@cache
def direct() -> frozenset[str]:
    """Return the methods that take the place of the SDK's, without those that leave the call to it."""
    return frozenset(
        node.name
        for path in ADAPTERS.glob("direct/*_client.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and node.name in methods() - {PRESIGNED}
        and f"self._client.{node.name}" not in ast.unparse(node)
    )


@cache
def methods() -> frozenset[str]:
    """Return the methods of AWS's clients that are called in the adapters, whatever the client is called there."""
    loader = botocore.session.get_session()
    known = {
        xform_name(name)
        for service in (*services(), "dynamodb")
        for name in loader.get_service_model(service).operation_names
    }
    called = {
        node.func.attr
        for path in ADAPTERS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return frozenset(called & known | ({PRESIGNED} if "generate_presigned_url" in called else set()))
