"""Lambda entry point of the authorizer: takes API Gateway's questions about requests, returns policies.

It loads neither the HTTP API nor Powertools nor the SDK, because every request of a cold deployment waits for it: see
`docs/decisions/0121-the-authorizer-signs-its-own-call.md`.
"""

# ruff: noqa: E402

from __future__ import annotations

import gc

# As in `api_handler.py`: start-up objects live for ever, so the collector stays off until `gc.freeze()`.
gc.disable()

import os
from typing import Any

from imagegen.adapters.direct.connection import Connection, trusting
from imagegen.adapters.direct.signature import Credentials
from imagegen.adapters.direct.table_calls import TableCalls
from imagegen.adapters.key_table.look_up import KeyLookUp
from imagegen.adapters.system import SystemClock
from imagegen.authorizer_settings import AuthorizerSettings
from imagegen.keys.authorizer import Authorizer

settings = AuthorizerSettings.from_environment(os.environ)  # noqa: TID251 - a handler passes the environment on
clock = SystemClock()
# Reading the roots takes longer than the rest of the start. Lambda gives the start more CPU than it gives a request.
connection = Connection(settings.endpoint, trust=trusting(settings.ca_bundle), proxy=settings.proxy)
credentials = Credentials(
    access_key_id=settings.access_key_id,
    secret_access_key=settings.secret_access_key,
    session_token=settings.session_token,
)
calls = TableCalls(connection, region=settings.region, credentials=lambda: credentials, now=clock.now)
authorizer = Authorizer(keys=KeyLookUp(calls=calls, table=settings.key_table_name), clock=clock)
# Everything above lives as long as the process, so the collector need never look at it again.
gc.freeze()
gc.enable()


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Decide about one request."""
    return authorizer.decide(event)
