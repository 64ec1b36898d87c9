"""The deployed stack serves the committed document, and its replies to generated requests are as documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apidoc.document import document
from tests.support.depth import at_depth

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# tests/api covers the boundary cases, by the thousand and in this process.
config = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
schema = schemathesis.openapi.from_dict(document(), config=config)


def test_the_stack_serves_the_document_without_a_key(anonymous: httpx.Client) -> None:
    """The document is the committed one."""
    answer = anonymous.get("/openapi.json").raise_for_status()
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document()


@schema.parametrize()
@settings(
    max_examples=at_depth(thorough=25, usual=3),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_of_the_stack_is_as_documented(case: schemathesis.Case[Any], stack: Stack) -> None:
    """Statuses, media types, headers and members are as documented, also through API Gateway."""
    verify = str(stack.ca_bundle) if stack.ca_bundle else True
    # In both spellings, in place of the keys that schemathesis makes up: two different ones are refused.
    key = stack.state.api_key
    headers = {"x-api-key": key, "Authorization": f"Bearer {key}"}
    response = case.call(base_url=stack.state.api_url, headers=headers, verify=verify)
    case.validate_response(response, checks=CHECKS, headers=headers)
