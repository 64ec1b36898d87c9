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
from tests.support.depth import THOROUGH, at_depth
from tests.support.events import KEY, event, send
from tests.support.gateway import wsgi
from tests.support.world import world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

pytestmark = pytest.mark.slow

EXAMPLE_ID: Final = "gen_3nq7v5kd2wzr6xj4tm5yhb2c7a"
OWN: Final = "GET /openapi.json"
"""The route of the document itself, which gets no generated requests."""

cases: Counter[str] = Counter()


class Service:
    """A service in which the document's example id exists, and which forgets what each request did."""

    def __init__(self) -> None:
        self._world = world()
        self._app = create_app(self._world.services)
        send(self._app, event("POST", "/text-to-image", {"text_prompts": [{"text": "tea"}]}))
        record = replace(self._world.store.only(), id=EXAMPLE_ID)
        ((_, image),) = self._world.images.objects.values()
        self._items = {record.id: to_json(record)}
        self._objects = {(record.owner, record.id): (b"", image)}

    def __call__(self) -> APIGatewayRestResolver:
        """Return the app, as it was at the beginning."""
        self._world.store.items = dict(self._items)
        self._world.images.objects = dict(self._objects)
        self._world.store.index.clear()
        self._world.quotas.taken.clear()
        self._world.queue.sent.clear()
        return self._app


config = schemathesis.Config.from_dict(
    {
        "auth": {"openapi": {"ApiKey": {"api_key": KEY}}},
        # The boundary cases of each schema, some 2,000: to make them costs each process seconds when it starts.
        "phases": {"coverage": {"enabled": THOROUGH}},
    }
)
schema = schemathesis.openapi.from_wsgi(surface.path_of("showOpenApi"), app=wsgi(Service()), config=config)
webhook_url = schema.raw_schema["components"]["schemas"]["TextToImageRequest"]["properties"]["webhook_url"]
# To find the longest text of its pattern, or one that is no URI, takes schemathesis 10 s in each process.
del webhook_url["maxLength"], webhook_url["format"]


@pytest.fixture(scope="module", autouse=True)
def enough_cases() -> Iterator[None]:
    """Check after a whole run that there were enough cases."""
    yield
    if set(cases) >= {f"{route.method} {route.path}" for route in surface.ROUTES} - {OWN}:
        assert sum(cases.values()) >= at_depth(thorough=3_000, usual=150), cases


@schema.parametrize()
@settings(
    max_examples=at_depth(thorough=200, usual=18), deadline=None, suppress_health_check=list(HealthCheck)
)
def test_every_answer_is_as_documented(case: schemathesis.Case[Any]) -> None:
    """Each reply has a documented status, type, headers and members.

    Bad data is refused, good data is taken, and an API key is required; no reply has a status of 500 or more.
    """
    cases[case.operation.label] += 1
    response = case.call()
    refused = response.status_code in {400, 422} and is_beyond_a_schema(case, response.json())
    case.validate_response(response, excluded_checks=[positive_data_acceptance] if refused else [])
