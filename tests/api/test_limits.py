"""The limits of a request can be used together: its largest form is accepted, and its record fits the table."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any, Final

import pytest

from imagegen.contracts.text_to_image import parameters, schema
from imagegen.errors import ImagegenError
from imagegen.generations.generation import Failure
from imagegen.generations.stored_record import to_json
from imagegen.http import strict_json, surface
from imagegen.http.app import create_app
from tests.support.events import event, send
from tests.support.hostile import AT_ONCE
from tests.support.largest import LARGEST, LONGEST_TEXT, OF_LETTERS, escaped
from tests.support.world import World, world

ITEM_LIMIT: Final = 400 * 1024
"""In bytes, names of attributes included: DynamoDB's developer guide, "Quotas", item size."""
BESIDE_THE_RECORD: Final = 1024
"""More than the other attributes of an item have; each of them is an id, a time, a state or a number."""
MAX_PROBLEM: Final = 4096
"""More than a failure has: its detail and field errors are part of a problem."""


def sent(service: World, body: str) -> tuple[int, Any]:
    """Send a body to our own route, and return the reply's status and members."""
    request = event("POST", "/text-to-image", body, headers={"Prefer": "respond-async"})
    reply = send(create_app(service.services), request)
    return reply.status, reply.json


def test_the_largest_request_in_the_longest_escaping_is_accepted() -> None:
    """Every field is at its limit, every character is escaped, and the body is below the limit of bodies."""
    service = world()
    body = escaped(LARGEST)
    assert len(body) < surface.MAX_BODY
    assert sent(service, body)[0] == 202
    (item,) = service.store.items.values()
    assert [prompt["text"] for prompt in json.loads(item)["request"]["image"]["text_prompts"]] == [
        LONGEST_TEXT
    ] * parameters.MAX_PROMPTS


def test_a_body_of_the_limit_is_accepted_and_one_byte_more_is_not() -> None:
    """The limit counts every byte, spaces too."""
    padding = " " * (surface.MAX_BODY - len(escaped(LARGEST)))
    assert sent(world(), escaped(LARGEST) + padding)[0] == 202
    service = world()
    status, problem = sent(service, escaped(LARGEST) + padding + " ")
    assert (status, problem["code"]) == (413, "payload_too_large")
    assert service.store.items == {}


@pytest.mark.parametrize(
    "extras",
    [
        OF_LETTERS,
        {"a": "\x01" * ((parameters.MAX_EXTRAS_LENGTH - len('{"a":""}')) // 6)},
        {"a": "\U0001f375" * ((parameters.MAX_EXTRAS_LENGTH - len('{"a":""}')) // 4)},
        {"a": [1e15] * ((parameters.MAX_EXTRAS_LENGTH - len('{"a":[]}')) // len("1000000000000000.0,"))},
    ],
    ids=["letters", "control characters", "emoji", "numbers"],
)
def test_the_longest_record_fits_an_item_of_the_table(extras: dict[str, Any]) -> None:
    """The record of the largest request, with an error of the greatest length, is far below the table's limit."""
    service = world()
    assert sent(service, escaped({**LARGEST, "extras": extras}))[0] == 202
    ((id_, _),) = service.store.items.items()
    record = service.store.get(id_)
    assert record is not None
    failed = replace(record, failure=Failure(code="internal_error", detail="x" * MAX_PROBLEM, paid=False))
    longest = len(to_json(failed).encode()) + BESIDE_THE_RECORD
    assert longest < 250 * 1024
    assert ITEM_LIMIT - longest > 150 * 1024


def test_extras_beyond_their_limit_are_refused_by_name() -> None:
    """One byte more is refused, however it was written, and the error says the limit."""
    for extras in (
        {"a": OF_LETTERS["a"] + "x"},
        {"a": "\x01" * 170},
        {"a": "\U0001f375" * 255},
        {"a": [1e15] * 60},
    ):
        service = world()
        status, problem = sent(service, escaped({**LARGEST, "extras": extras}))
        assert (status, problem["code"]) == (400, "invalid_parameter")
        assert problem["errors"] == [
            {"field": "extras", "message": "must be an object of at most 1024 bytes of JSON"}
        ]
        assert service.store.items == {}


def names(count: int, length: int) -> str:
    """Return members of so many different names, each of at least this length."""
    return ",".join(f'"{number:0{length}d}":1' for number in range(count))


@pytest.mark.parametrize(
    "body",
    [
        "{" + names(26_000, 5) + "}",
        "{" + names(3_700, 64) + "}",
        '{"text_prompts":[{' + names(26_000, 5) + "}]}",
        '{"text_prompts":[' + ",".join(["1"] * 130_000) + "]}",
        '{"text_prompts":[' + ",".join(["{}"] * 87_000) + "]}",
        '{"text_prompts":[{"text":"' + "\\u202a" * 43_000 + '"}]}',
        '{"text_prompts":[{"text":"' + "\\u200b" * 2_000 + '"}]}',
        '{"text_prompts":[{"text":"x"}],"extras":{"a":[' + ",".join(["[]"] * 87_000) + "]}}",
        '{"text_prompts":[{"text":"x"}],"webhook_url":"https://' + "a." * 130_000 + '"}',
        '{"text_prompts":[{"text":"x"}],"model":"' + "\\u0000" * 43_000 + '"}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_hostile_members_are_refused_at_once(body: str) -> None:
    """The contract's checks take a fraction of a second for the largest body."""
    assert len(body) < surface.MAX_BODY
    started = time.process_time()
    with pytest.raises(ImagegenError):
        schema.parse(strict_json.loads(body.encode(), max_bytes=surface.MAX_BODY))
    assert time.process_time() - started < AT_ONCE
