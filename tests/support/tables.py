"""Clients whose requests to DynamoDB are answered by the stand-in of the benchmarks, without a socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.far_side import json_answer, new_session

if TYPE_CHECKING:
    import botocore.session
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from benchmarks.table_stand_in import Table


def session_of(table: Table) -> botocore.session.Session:
    """Return a session whose requests to DynamoDB a table answers."""

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        target: Any = request.headers["X-Amz-Target"]
        operation = (target if isinstance(target, str) else target.decode()).rpartition(".")[2]
        body: Any = request.body
        status, members = table.answer(operation, json.loads(body))
        return json_answer(members, status)

    made = new_session()
    made.register("before-send.dynamodb", send)  # type: ignore[arg-type]  # a returned response replaces the sending
    return made
