"""Headers, query and path parameters are read strictly, and each refusal names the parameter at fault."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.errors import InvalidParameter, NotFound
from imagegen.generations.repeats import RepeatSigns
from imagegen.http import surface
from imagegen.http.request import (
    cursor,
    download_name,
    generation_id,
    history_limit,
    idempotency_key,
    prefers_async,
)
from tests.support.events import Context, event, received
from tests.support.hostile import AT_ONCE


def test_an_event_is_unpacked_once() -> None:
    """A later change of the event does not change the request, and the request itself cannot be changed."""
    sent = event("post", "/v1/generations", headers={"Prefer": "respond-async"}, query={"limit": ["1", "2"]})
    request = received(sent, context=Context(milliseconds=1_500))
    sent.clear()
    assert (request.method, request.path, request.request_id) == ("POST", "/generations", "req-1")
    assert request.header("prefer") == ("respond-async",)
    assert request.prefers_async
    assert request.idempotency_key is None
    assert request.query == {"limit": ("1", "2")}
    assert request.deadline.remaining() == 1.5
    with pytest.raises(AttributeError):
        request.path = "/other"  # type: ignore[misc]  # the test shows that it cannot be set


def test_header_values_are_found_in_any_case() -> None:
    """Header names compare without case; the values of all spellings are kept in order."""
    sent = event("GET", "/models")
    sent["multiValueHeaders"] = {"Prefer": ["a", "b"], "prefer": ["c"], "Preferred": ["d"]}
    request = received(sent)
    assert request.header("PREFER") == ("a", "b", "c")
    assert request.header("accept") == ()


def test_a_single_value_serves_where_the_list_is_absent() -> None:
    """Some programs that invoke the function send only one of the two forms."""
    sent = event("GET", "/generations", headers={"Prefer": "wait=1"}, query={"limit": "5"})
    del sent["multiValueHeaders"], sent["multiValueQueryStringParameters"]
    request = received(sent)
    assert request.header("Prefer") == ("wait=1",)
    assert request.query == {"limit": ("5",)}


@pytest.mark.parametrize(
    ("path", "below"),
    [
        (f"{surface.BASE_PATH}/models", "/models"),
        ("/models", "/models"),
        (surface.BASE_PATH, "/"),
        (f"{surface.BASE_PATH}0/models", f"{surface.BASE_PATH}0/models"),
        ("", "/"),
        # The base path stands in front of this path once more, so the whole of it is the route's.
        (f"{surface.BASE_PATH}{surface.BASE_PATH}/models", f"{surface.BASE_PATH}{surface.BASE_PATH}/models"),
        (surface.BASE_PATH * 2, surface.BASE_PATH * 2),
    ],
)
def test_the_path_is_below_the_base_path(path: str, below: str) -> None:
    """The path loses the stage in front; a path from a custom domain name has no stage to lose."""
    assert received(event("GET", path)).path == below


def test_an_empty_event_is_a_request_that_says_nothing() -> None:
    """An event without any members gives a request, so that the service can still reply."""
    request = received({})
    assert (request.method, request.path, request.request_id) == ("", "/", "")
    assert (request.headers, request.query, request.content) == ({}, {}, None)


@pytest.mark.parametrize(
    "key", ["a" * 16, "Z" * 64, "0123456789-_azAZ", "3f2b8c1e-9f0d-4d7e-8a55-0c1d2e3f4a5b"]
)
def test_idempotency_keys_of_16_to_64_safe_characters_are_taken(key: str) -> None:
    """Keys of exactly 16 and of exactly 64 characters are allowed."""
    assert idempotency_key([key]) == key


def test_a_request_without_an_idempotency_key_has_none() -> None:
    """The header is optional."""
    assert idempotency_key([]) is None


@pytest.mark.parametrize(
    "values",
    [
        [""],
        ["a" * 15],
        ["a" * 65],
        ["a" * 16 + "\n"],
        [" " + "a" * 16],
        ['"' + "a" * 16 + '"'],
        ["a" * 15 + "é"],
        ["a" * 15 + "\u0660"],
        ["a" * 16 + "."],
        ["a" * 16 + "," + "a" * 16],
        ["a" * 16, "a" * 16],
        ["a" * 16, ""],
    ],
)
def test_other_idempotency_keys_are_refused_by_name(values: list[str]) -> None:
    """Malformed, empty and repeated headers name `Idempotency-Key`."""
    with pytest.raises(InvalidParameter) as caught:
        idempotency_key(values)
    assert [error.field for error in caught.value.errors] == ["Idempotency-Key"]


@pytest.mark.parametrize(
    "values",
    [
        ["respond-async"],
        ["Respond-Async"],
        ["respond-async, wait=10"],
        ["wait=10,respond-async"],
        ["return=minimal", "respond-async"],
        ["respond-async; foo=bar"],
        ["respond-async;"],
        ['respond-async=""'],
        ["respond-async="],
        ['foo="a,b", \trespond-async '],
        [",,respond-async,"],
    ],
)
def test_respond_async_is_found_among_other_preferences(values: list[str]) -> None:
    """Lists, repeated headers, parameters and case follow RFC 7240."""
    assert prefers_async(values) is True


@pytest.mark.parametrize("rest", ["", '""', '"x', "wait"])
def test_spaces_in_a_preference_cost_no_more_than_their_number(rest: str) -> None:
    """RFC 7240 allows them around an empty value; how the steps grow is a test of all regular expressions."""
    spaces = " " * 10_000
    assert prefers_async([f"respond-async={spaces}{rest}{spaces}"]) is (rest in {"", '""'})


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["wait=10"],
        ["respond-asynchronously"],
        ["no-respond-async"],
        ["respond-async=false"],
        ["respond async"],
        ['foo="respond-async"'],
        ['foo="a, respond-async"'],
        ['foo="\\", respond-async"'],
        ["foo; respond-async"],
        ['foo="unterminated, respond-async'],
    ],
)
def test_other_preferences_are_passed_over(values: list[str]) -> None:
    """Nothing but the preference itself makes a request asynchronous."""
    assert prefers_async(values) is False


@given(st.lists(st.text(), max_size=3))
def test_no_preference_raises(values: list[str]) -> None:
    """The parser ignores an unreadable preference, as the RFC demands, and still finds a readable one."""
    quoted = any('"' in value for value in values)
    assert prefers_async([*values, "respond-async"]) is True
    assert quoted or prefers_async(values) is any(
        re.match(r"[ \t]*respond-async[ \t]*(=[ \t]*)?(;|\Z)", part, re.IGNORECASE)
        for value in values
        for part in value.split(",")
    )


def test_a_hostile_preference_is_answered_at_once() -> None:
    """Ten kilobytes of quotes, commas and backslashes cost a fraction of a second."""
    started = time.process_time()
    for value in ('"' * 9_999, "," * 10_000, '"' + '\\"' * 5_000, "respond-async " + " " * 10_000 + "x"):
        assert prefers_async([value]) is False
    assert time.process_time() - started < AT_ONCE


def test_generation_ids_are_taken_as_they_are() -> None:
    """An id is `gen_` and 26 characters of base 32."""
    assert generation_id("gen_abcdefghijklmnopqrstuvwxyz") == "gen_abcdefghijklmnopqrstuvwxyz"
    assert generation_id("gen_234567abcdefghijklmnopqrst") == "gen_234567abcdefghijklmnopqrst"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gen_",
        "gen_" + "a" * 25,
        "gen_" + "a" * 27,
        "gen_" + "A" * 26,
        "gen_" + "1" * 26,
        "gen_" + "a" * 25 + "é",
        "gen_" + "a" * 26 + "\n",
        "Gen_" + "a" * 26,
        "a" * 30,
        "../" + "a" * 27,
        "quota##2026-01-01",
    ],
)
def test_other_ids_are_not_found(text: str) -> None:
    """A malformed id gets the same error as an unknown one, and the error does not repeat it."""
    with pytest.raises(NotFound, match="There is no such generation") as caught:
        generation_id(text)
    assert not caught.value.errors


@pytest.mark.parametrize(
    ("values", "limit"), [([], 20), (["1"], 1), (["20"], 20), (["99"], 99), (["100"], 100)]
)
def test_limits_from_1_to_100_are_taken(values: list[str], limit: int) -> None:
    """An absent limit means 20."""
    assert history_limit(values) == limit


@pytest.mark.parametrize(
    "values",
    [
        ["0"],
        ["101"],
        ["-1"],
        ["+1"],
        ["01"],
        ["1.0"],
        ["1e1"],
        [" 1"],
        ["1\n"],
        [""],
        ["\u0661"],
        ["x"],
        ["1", "1"],
        ["9" * 5_000],
    ],
    ids=lambda values: repr(values)[:20],
)
def test_other_limits_are_refused_by_name(values: list[str]) -> None:
    """A bad limit is an error, never a default."""
    with pytest.raises(InvalidParameter) as caught:
        history_limit(values)
    assert [error.field for error in caught.value.errors] == ["limit"]


@pytest.mark.parametrize(("values", "position"), [([], None), (["x"], "x"), (["x" * 256], "x" * 256)])
def test_a_cursor_is_passed_on_as_it_is(values: list[str], position: str | None) -> None:
    """The cursor is not decoded here, because only the table's adapter understands it."""
    assert cursor(values) == position


@pytest.mark.parametrize("values", [[""], ["x" * 257], ["x", "x"]])
def test_what_cannot_be_a_cursor_is_refused_by_name(values: list[str]) -> None:
    """A repeated, empty or overlong cursor is refused."""
    with pytest.raises(InvalidParameter) as caught:
        cursor(values)
    assert [error.field for error in caught.value.errors] == ["cursor"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([], None),
        (["tea.png"], "tea.png"),
        (["a"], "a"),
        (["a" * 128], "a" * 128),
        (["Tée 茶 🍵.png"], "Tée 茶 🍵.png"),
        (["50% off; 'new'.png"], "50% off; 'new'.png"),
    ],
)
def test_a_download_name_is_taken_as_it_is(values: list[str], name: str | None) -> None:
    """Letters of every script and blanks are allowed; without the parameter there is no name."""
    assert download_name(values) == name


@pytest.mark.parametrize(
    "values",
    [
        [""],
        [" "],
        ["a" * 129],
        ["a.png", "a.png"],
        ["a/b"],
        ["a\\b"],
        ['a"b'],
        ["a\nb"],
        ["a\x00b"],
        ["a\x7fb"],
        ["photo\u202egnp.exe"],
        ["a\u2028b"],
        ["\ud800"],
    ],
)
def test_other_download_names_are_refused_by_name(values: list[str]) -> None:
    """A name can neither leave the header or the folder that it is for, nor look like another one."""
    with pytest.raises(InvalidParameter) as caught:
        download_name(values)
    assert [error.field for error in caught.value.errors] == ["download"]


@pytest.mark.parametrize(
    ("epoch", "arrived"),
    [
        (1_795_860_000_123, datetime(2026, 11, 28, 10, 0, 0, 123000, tzinfo=UTC)),
        *((epoch, None) for epoch in (None, 0, -1, True, 1.5, "1795860000123", 10**18)),
    ],
)
def test_a_request_is_as_old_as_the_gateway_says(epoch: object, arrived: datetime | None) -> None:
    """API Gateway tells it in milliseconds; without a time that can be one, the function's own clock counts."""
    sent = event("POST", "/text-to-image", {})
    sent["requestContext"]["requestTimeEpoch"] = epoch
    assert received(sent).repeat_signs.arrived == arrived


@pytest.mark.parametrize(
    ("headers", "signs"),
    [
        ({}, RepeatSigns()),
        ({"X-Stainless-Retry-Count": "0"}, RepeatSigns()),
        ({"X-Stainless-Retry-Count": "2"}, RepeatSigns(marked=True)),
        ({"X-Stainless-Retry-Count": "many"}, RepeatSigns()),
        ({"X-Stainless-Read-Timeout": "600"}, RepeatSigns(connection=600)),
        ({"X-Stainless-Read-Timeout": "4.5"}, RepeatSigns(connection=4.5)),
        ({"X-Stainless-Timeout": "3"}, RepeatSigns(connection=3)),
        ({"X-Stainless-Timeout": "0"}, RepeatSigns(connection=1)),
        ({"X-Stainless-Timeout": "-1"}, RepeatSigns()),
        ({"X-Stainless-Timeout": "1e3"}, RepeatSigns()),
        ({"User-Agent": "curl/8.5.0"}, RepeatSigns(silent=True)),
        ({"User-Agent": "Wget/1.21.4"}, RepeatSigns(silent=True)),
        ({"User-Agent": "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/22"}, RepeatSigns(silent=True)),
        ({"X-Stainless-Raw-Response": "true"}, RepeatSigns(silent=True)),
        ({"User-Agent": "libcurl/8.5.0"}, RepeatSigns()),
        ({"User-Agent": "python-requests/2.32"}, RepeatSigns()),
    ],
)
def test_the_signs_of_a_repeat_are_read_from_the_clients_own_headers(
    headers: dict[str, str], signs: RepeatSigns
) -> None:
    """What cannot be read counts as absent, and no client waits for less than a second."""
    assert received(event("POST", "/text-to-image", {}, headers=headers)).repeat_signs == signs
