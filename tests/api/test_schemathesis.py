"""The service behaves as its OpenAPI document says, shown with generated requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from imagegen.generations.stored_record import to_json
from imagegen.http import surface
from imagegen.http.app import create_app
from tests.support.agreement import is_beyond_a_schema
from tests.support.events import KEY, event, send
from tests.support.fakes import world
from tests.support.gateway import wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

pytestmark = pytest.mark.slow

EXAMPLE_ID: Final = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"
OWN: Final = "GET /openapi.json"
"""The route of the document itself, which gets no generated requests."""

cases: Counter[str] = Counter()


def app() -> APIGatewayRestResolver:
    """Return a new service with one generation, which has the example id of the document."""
    service = world()
    fresh = create_app(service.services)
    send(fresh, event("POST", "/text-to-image", {"text_prompts": [{"text": "tea"}]}))
    record = replace(service.store.only(), id=EXAMPLE_ID)
    ((_, image),) = service.images.objects.values()
    service.images.objects[record.owner, record.id] = (b"", image)
    service.store.items[record.id] = to_json(record)
    return fresh


@schemathesis.hook
def before_load_schema(
    context: schemathesis.HookContext,  # noqa: ARG001 - the hook's shape
    raw_schema: dict[str, Any],
) -> None:
    """Leave the pattern of `webhook_url` alone: to find the longest text of it, or one that is no URI, takes 10 s."""
    url = raw_schema["components"]["schemas"]["TextToImageRequest"]["properties"]["webhook_url"]
    del url["maxLength"], url["format"]


config = schemathesis.Config.from_dict({"auth": {"openapi": {"ApiKey": {"api_key": KEY}}}})
schema = schemathesis.openapi.from_wsgi(surface.path_of("showOpenApi"), app=wsgi(app), config=config)


@pytest.fixture(scope="module", autouse=True)
def enough_cases() -> Iterator[None]:
    """Check after a whole run that there were enough cases."""
    yield
    if set(cases) >= {f"{route.method} {route.path}" for route in surface.ROUTES} - {OWN}:
        assert sum(cases.values()) >= 5_000


@schema.parametrize()
@settings(max_examples=370, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(case: schemathesis.Case[Any]) -> None:
    """Each reply has a documented status, type, headers and members.

    Bad data is refused, good data is taken, and an API key is required; no reply has a status of 500 or more.
    """
    cases[case.operation.label] += 1
    response = case.call()
    refused = response.status_code in {400, 422} and is_beyond_a_schema(case, response.json())
    case.validate_response(response, excluded_checks=[positive_data_acceptance] if refused else [])
