"""How logs and records are read: pages, limits, and every refusal in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from benchmarks.account.evidence import gather
from benchmarks.account.logs import Logs, Span
from benchmarks.account.places import Places, find
from benchmarks.account.sizes import Records
from imagegen.generations.generation import StoredImage
from imagegen.generations.stored_record import to_json
from tests.support.account_lines import Recorded, access, charge, image, report
from tests.support.fakes import CORE
from tests.support.records import ENDED
from tools.failures import LocalError

SPAN = Span(begin=datetime(2026, 11, 28, 1, tzinfo=UTC), end=datetime(2026, 11, 29, 1, tzinfo=UTC))
BEGIN, END = 1_795_827_600_000, 1_795_914_000_000
PLACES = Places(functions={"api": "A", "worker": "W", "authorizer": "K"}, gateway="G", table="T")
DRAWN = StoredImage(
    model=CORE, seed=1, width=1344, height=768, bytes=9, sha256="00", content_type="image/png"
)


def asked(group: str, phrase: str, *, token: str = "") -> dict[str, Any]:
    """Return the request for a page of a group."""
    return {
        "logGroupName": group,
        "startTime": BEGIN,
        "endTime": END,
        "filterPattern": phrase,
        **({"nextToken": token} if token else {}),
    }


def page(*messages: str, following: str = "") -> dict[str, Any]:
    """Return one page of log events."""
    events = [{"logStreamName": "s", "timestamp": BEGIN, "message": message} for message in messages]
    return {"events": events, **({"nextToken": following} if following else {})}


def logs(*, most: int = 100) -> tuple[Recorded, Logs]:
    """Return what has no replies yet."""
    recorded = Recorded.of("logs")
    return recorded, Logs(client=recorded.client, span=SPAN, most=most)


def test_every_page_is_read_and_an_empty_one_is_not_the_last() -> None:
    """CloudWatch pages by what it has searched, not by what it has found."""
    recorded, reader = logs()
    phrase = '"REPORT RequestId"'
    recorded.stubber.add_response("filter_log_events", page("1", following="x"), asked("A", phrase))
    recorded.stubber.add_response("filter_log_events", page(following="y"), asked("A", phrase, token="x"))
    recorded.stubber.add_response("filter_log_events", page("2"), asked("A", phrase, token="y"))
    assert reader.lines("A", containing="REPORT RequestId") == ["1", "2"]
    recorded.stubber.assert_no_pending_responses()


def test_a_group_with_too_many_lines_asks_for_fewer_hours() -> None:
    """Lines are held in memory."""
    recorded, reader = logs(most=1)
    recorded.stubber.add_response("filter_log_events", page("1", "2", following="x"), asked("A", ""))
    with pytest.raises(
        LocalError, match=r"^The log group A has more than 1 lines in 24 hours .* fewer hours\.$"
    ):
        reader.lines("A")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ResourceNotFoundException", "The log group A does not exist any more: deploy the stage again."),
        (
            "AccessDeniedException",
            "Your credentials may not read the log group A: allow logs:FilterLogEvents on it.",
        ),
        (
            "ThrottlingException",
            "AWS throttles the reading of the log group A: try again in a minute, or set HOURS to fewer hours.",
        ),
    ],
)
def test_a_refusal_is_one_sentence(code: str, sentence: str) -> None:
    """It says what to do."""
    recorded, reader = logs()
    recorded.stubber.add_client_error("filter_log_events", code)
    with pytest.raises(LocalError) as caught:
        reader.lines("A")
    assert str(caught.value) == sentence


def test_any_other_refusal_stays_what_it_is() -> None:
    """The command shows AWS's own sentence."""
    recorded, reader = logs()
    recorded.stubber.add_client_error("filter_log_events", "UnrecognizedClientException")
    with pytest.raises(ClientError):
        reader.lines("A")


def item(id_: str, **changes: Any) -> dict[str, Any]:
    """Return a record as the table returns it."""
    record = replace(ENDED, id=id_, **{"image": DRAWN, "content_type": "image/png", **changes})
    return {"id": {"S": id_}, "record": {"S": to_json(record)}}


def request_for(*ids: str) -> dict[str, Any]:
    """Return the request for some records."""
    wanted = {
        "Keys": [{"id": {"S": id_}} for id_ in ids],
        "ProjectionExpression": "id, #record",
        "ExpressionAttributeNames": {"#record": "record"},
    }
    return {"RequestItems": {"T": wanted}}


def records() -> tuple[Recorded, Records, list[float]]:
    """Return a table without replies, and how long it waits."""
    recorded = Recorded.of("dynamodb")
    waits: list[float] = []
    return recorded, Records(client=recorded.client, table="T", wait=waits.append), waits


def test_sizes_are_read_a_hundred_at_a_time_and_what_is_left_over_again() -> None:
    """A record that is gone, has no image, or is of another release, has no size."""
    recorded, table, waits = records()
    ids = [f"g{number}" for number in range(101)]
    left = request_for("g1")["RequestItems"]
    first = {"Responses": {"T": [item("g0")]}, "UnprocessedKeys": left}
    odd = [
        item("g1"),
        item("g2", image=None),
        {"id": {"S": "g3"}, "record": {"S": "{}"}},
        {"id": {"S": "g4"}},
    ]
    recorded.stubber.add_response("batch_get_item", first, request_for(*ids[:100]))
    recorded.stubber.add_response("batch_get_item", {"Responses": {"T": odd}}, {"RequestItems": left})
    recorded.stubber.add_response("batch_get_item", {"Responses": {}}, request_for("g100"))
    assert table.sizes(ids) == {"g0": "1344x768", "g1": "1344x768"}
    assert waits == [0.1]
    recorded.stubber.assert_no_pending_responses()


def test_a_table_that_gives_nothing_is_asked_six_times() -> None:
    """Each time after a longer pause."""
    recorded, table, waits = records()
    for _ in range(6):
        recorded.stubber.add_response(
            "batch_get_item", {"Responses": {}, "UnprocessedKeys": request_for("g")["RequestItems"]}
        )
    with pytest.raises(LocalError, match=r"^DynamoDB throttles the reading of the table T: try again"):
        table.sizes(["g"])
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]


def answered(recorded: Recorded, *, images: str, charges: str) -> None:
    """Give the replies to everything that is read of a stage."""
    replies = [
        ("A", '"image generated"', images),
        ("W", '"image generated"', ""),
        ("A", '"charged"', charges),
        ("W", '"charged"', ""),
        ("A", '"REPORT RequestId"', report("1")),
        ("W", '"REPORT RequestId"', ""),
        ("K", '"REPORT RequestId"', report("2", more="Init Duration: 9 ms\t")),
        ("G", "", access(5, 4, "-")),
    ]
    for group, phrase, line in replies:
        recorded.stubber.add_response("filter_log_events", page(*line.splitlines()[:1]), asked(group, phrase))


def test_everything_is_gathered() -> None:
    """Without a right on the table only the sizes are missing, and the note says which right."""
    recorded, reader = logs()
    answered(
        recorded,
        images=image("gen_1", seconds=2, model_seconds=1.5, invocation="1"),
        charges=charge("gen_1", 40_000),
    )
    far, table, _ = records()
    far.stubber.add_client_error("batch_get_item", "AccessDeniedException")
    evidence = gather(PLACES, logs=reader, records=table)
    assert {name: len(each) for name, each in evidence.invocations.items()} == {
        "api": 1,
        "worker": 0,
        "authorizer": 1,
    }
    assert [each.generation for each in evidence.images["api"]] == ["gen_1"]
    assert evidence.charged == {"gen_1": 40_000}
    assert [each.latency_ms for each in evidence.requests] == [5]
    assert [evidence.size(each) for each in evidence.all_images] == ["size unknown"]
    assert evidence.notes == [
        "The sizes are unknown. Your credentials may not read the table T: allow dynamodb:BatchGetItem on it."
    ]


def test_the_sizes_are_those_of_the_newest_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not matter which function made them; a note says how many are known."""
    monkeypatch.setattr("benchmarks.account.evidence.MOST_RECORDS", 1)
    recorded, reader = logs()
    lines = {
        "A": json.dumps(
            {**json.loads(image("new", seconds=2, model_seconds=1, invocation="1")), "timestamp": "2"}
        ),
        "W": json.dumps(
            {**json.loads(image("old", seconds=2, model_seconds=1, invocation="2")), "timestamp": "1"}
        ),
    }
    for phrase in ('"image generated"', '"charged"', '"REPORT RequestId"'):
        for group in ("A", "W"):
            found = page(lines[group]) if "image" in phrase else page()
            recorded.stubber.add_response("filter_log_events", found, asked(group, phrase))
    recorded.stubber.add_response("filter_log_events", page(), asked("G", ""))
    far, table, _ = records()
    far.stubber.add_response("batch_get_item", {"Responses": {"T": [item("new")]}}, request_for("new"))
    evidence = gather(replace(PLACES, functions={"api": "A", "worker": "W"}), logs=reader, records=table)
    assert [(each.generation, evidence.size(each)) for each in evidence.all_images] == [
        ("old", "size unknown"),
        ("new", "1344x768"),
    ]
    assert evidence.notes == ["The sizes are known of 1 of 2 images only."]


def stack(*resources: tuple[str, str]) -> Recorded:
    """Return CloudFormation with one stack of these logical ids and types."""
    recorded = Recorded.of("cloudformation")
    summaries = [
        {
            "LogicalResourceId": id_,
            "PhysicalResourceId": f"name of {id_}",
            "ResourceType": f"AWS::{type_}",
            "LastUpdatedTimestamp": SPAN.begin,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for id_, type_ in resources
    ]
    for _ in range(2):
        recorded.stubber.add_response("list_stack_resources", {"StackResourceSummaries": summaries})
    return recorded


PARTS = (
    ("ApiLogs1", "Logs::LogGroup"),
    ("ApiFunction2", "Lambda::Function"),
    ("WorkerLogs3", "Logs::LogGroup"),
    ("HttpAccessLogs4", "Logs::LogGroup"),
    ("GenerationsTable5", "DynamoDB::Table"),
)


def test_a_stage_without_keys_has_no_authorizer() -> None:
    """Its callers have AWS credentials, or tokens of Cognito."""
    found = find("imagegen-dev", cloudformation=stack(*PARTS).client)
    assert found == Places(
        functions={"api": "name of ApiLogs1", "worker": "name of WorkerLogs3"},
        gateway="name of HttpAccessLogs4",
        table="name of GenerationsTable5",
    )


@pytest.mark.parametrize("missing", [0, 2, 3, 4])
def test_a_stack_without_a_part_is_one_sentence(missing: int) -> None:
    """A deployment that failed half-way may lack one."""
    parts = [part for number, part in enumerate(PARTS) if number != missing]
    with pytest.raises(LocalError, match=r"^The stack imagegen-dev has not all of its log groups and tables"):
        find("imagegen-dev", cloudformation=stack(*parts).client)
