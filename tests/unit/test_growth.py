"""What `make bench` says of growth, and the tables that it is measured with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from benchmarks import growing_tables
from benchmarks.contenders import SETTINGS
from benchmarks.figures import Series
from benchmarks.growth import Growth, Sample, p95s
from imagegen.adapters.dynamodb import DynamoDbGenerations
from imagegen.adapters.key_table.table import DynamoDbKeys
from tests.support import sdk_clients
from tests.support.tables import session_of

if TYPE_CHECKING:
    from benchmarks.table_stand_in import Table

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def sample(*milliseconds: float, calls: float) -> Sample:
    """Return requests that took these times, half of each as CPU time."""
    seconds = tuple(one / 1000 for one in milliseconds)
    halves = tuple(one / 2 for one in seconds)
    return Sample(
        wall=Series(name="x", seconds=seconds),
        cpu=Series(name="x", seconds=halves),
        calls={"dynamodb Query": calls, "s3 HeadObject": 1.0},
    )


GROWTH = Growth(
    samples={
        "history, first page": {
            10: sample(4, calls=1),
            1_000: sample(5, calls=1),
            100_000: sample(6, calls=2),
        }
    }
)


def test_the_largest_size_is_compared_with_the_smallest() -> None:
    """Both ratios are judged, the time of each size is only shown, and one more call for more records is too many."""
    shown = {one.name: (round(one.value, 2), one.must, one.compared) for one in GROWTH.figures()}
    assert shown == {
        "history, first page: p95 of CPU time, 100,000 / 10": (1.5, 1.2, True),
        "history, first page: p95 of time, 100,000 / 10": (1.5, 1.2, False),
        "history, first page, of 10": (4, None, False),
        "history, first page, of 1,000": (5, None, False),
        "history, first page, of 100,000": (6, None, False),
        "calls of AWS more for the largest size than for the smallest": (1, 0, True),
    }


def test_each_group_of_requests_has_a_percentile_of_its_own() -> None:
    """One slow moment is in one group only; a series that is shorter than a group is one."""
    seconds = (*[1.0] * 20, *[1.0] * 17, 9.0, 9.0, 9.0, *[1.0] * 20)
    assert p95s(Series(name="x", seconds=seconds)) == [1.0, 9.0, 1.0]
    assert p95s(Series(name="x", seconds=(2.0, 2.0))) == [2.0]


def store(table: Table) -> DynamoDbGenerations:
    """Return the service's own adapter over a table."""
    client: Any = sdk_clients.dynamodb(session_of(table))
    return DynamoDbGenerations(client=client, table=SETTINGS["TABLE_NAME"])


def test_a_history_is_one_callers_newest_first() -> None:
    """Each has ended, and has an image of its own."""
    page = store(growing_tables.history(7, now=NOW)).of_owner(growing_tables.OWNER, limit=5, cursor=None)
    assert [one.id for one in page.generations] == [
        growing_tables.id_of(number) for number in (6, 5, 4, 3, 2)
    ]
    assert {one.state for one in page.generations} == {"succeeded"}
    made = [one.created_at for one in page.generations]
    assert {newer - older for newer, older in pairwise(made)} == {timedelta(seconds=1)}


def test_the_last_page_of_the_smallest_history_is_that_of_the_largest() -> None:
    """So one cursor works for all sizes."""
    small, large = (store(growing_tables.history(size, now=NOW)) for size in (10, 40))
    cursor = small.of_owner(growing_tables.OWNER, limit=5, cursor=None).next_cursor
    pages = [one.of_owner(growing_tables.OWNER, limit=5, cursor=cursor) for one in (small, large)]
    oldest = [growing_tables.id_of(number) for number in (4, 3, 2, 1, 0)]
    assert [[one.id for one in page.generations] for page in pages] == [oldest, oldest]
    assert [page.next_cursor for page in pages] == [None, None]


def test_all_jobs_are_due_and_queued() -> None:
    """The message of a job names it."""
    jobs = store(growing_tables.jobs(20, now=NOW))
    due = jobs.due(NOW, limit=100)
    assert len(due) == len(set(due)) == 20
    (message,) = growing_tables.message_of(3)["Records"]
    job = jobs.get(message["body"])
    assert job is not None
    assert (job.state, job.asynchronous) == ("queued", True)


def test_each_key_is_another() -> None:
    """The text of a key is accepted, and an added key joins the others."""
    table = growing_tables.keys(20, now=NOW)
    growing_tables.add_key(table, 77, now=NOW)
    client: Any = sdk_clients.dynamodb(session_of(table))
    keys = DynamoDbKeys(client=client, table=SETTINGS["KEY_TABLE_NAME"])
    assert len({key.digest for key in keys.all()}) == 21
    asked = growing_tables.key(77)
    stored = keys.get(asked.id)
    assert stored is not None
    assert stored.accepts(asked, NOW)
