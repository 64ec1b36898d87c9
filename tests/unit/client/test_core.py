"""What the client sends, when it sends it again, and what it makes of the replies."""

from __future__ import annotations

import json

import pytest

from imagegen import errors as service
from imagegen_client import ImageRequest, errors
from imagegen_client.core import Send
from imagegen_client.failures import Outcome
from imagegen_client.replies import Generation
from tests.support.client_steps import (
    API_KEY,
    ID,
    KEY,
    LOST,
    REFUSED,
    URL,
    Clock,
    Ran,
    core,
    failed,
    generation,
    problem,
    reply,
    run,
    unfinished,
)

TEA = ImageRequest(prompt="tea")
DONE = reply(200, generation())


def made(*outcomes: Outcome, clock: Clock | None = None, **bounds: float) -> Ran[Generation]:
    """Ask for an image; these are the outcomes of the requests."""
    return run(core(clock, **bounds).generate(TEA, idempotency_key=KEY), outcomes, clock)


def test_an_image_is_asked_for_with_its_key() -> None:
    """The body has what was given, and nothing else."""
    ran = made(DONE)
    (sent,) = ran.sent
    assert (sent.method, sent.url) == ("POST", f"{URL}/text-to-image")
    assert json.loads(sent.content or b"") == {"text_prompts": [{"text": "tea"}]}
    assert sent.headers["Idempotency-Key"] == KEY
    assert sent.headers["x-api-key"] == API_KEY
    assert "Prefer" not in sent.headers
    assert ran.result is not None
    assert ran.result.image is not None
    assert (ran.result.cost_usd, ran.result.image.seed) == (0.04, 3407)


@pytest.mark.parametrize(
    "first",
    [
        REFUSED,
        LOST,
        reply(502, b"<html>"),
        failed(service.RateLimited, retry_after="1"),
        failed(service.ModelThrottled, retry_after="1"),
        failed(service.ModelUnavailable),
        failed(service.InternalError),
        failed(service.OutcomeUnknown),
        failed(service.ModelTimeout),
        failed(service.StoreFailed),
        failed(service.ModelRetired, body={"retryable": True}, retry_after="20"),
    ],
)
def test_what_may_end_otherwise_is_sent_again_with_the_same_key(first: Outcome) -> None:
    """The same key makes the repeat free of a second payment."""
    ran = made(first, DONE)
    assert ran.result is not None
    assert [each.headers["Idempotency-Key"] for each in ran.sent] == [KEY, KEY]
    assert ran.sent[0] == ran.sent[1]


@pytest.mark.parametrize(
    "first",
    [
        failed(service.InvalidParameter),
        failed(service.ContentFiltered),
        failed(service.BadModelResponse),
        failed(service.ModelRetired),
        failed(service.Misconfigured),
        failed(service.OutcomeUnknown, idempotent_replayed="true"),
        failed(service.ModelTimeout, idempotent_replayed="true"),
        failed(service.StoreFailed, idempotent_replayed="true"),
        failed(service.QuotaExceeded, retry_after="3600"),
        reply(404, b"<html>"),
        reply(200, b"<html>"),
        reply(200, {"id": ID}),
    ],
)
def test_what_would_end_in_the_same_way_is_not_sent_again(first: Outcome) -> None:
    """Neither are a recorded failure and a wait that is longer than the total time."""
    ran = made(first, DONE)
    assert len(ran.sent) == 1
    assert isinstance(ran.error, errors.ImagegenError)


@pytest.mark.parametrize("first", [LOST, failed(service.OutcomeUnknown), reply(502, b"<html>")])
def test_what_may_have_been_paid_is_never_sent_again_without_a_key(first: Outcome) -> None:
    """No method of the client sends such a request; the rule holds all the same."""
    bare = Send(method="POST", url=URL)
    assert not bare.free_to_repeat
    ended = errors.ConnectionLost("Lost.")
    assert core().retries.pause(ended, attempt=1, left=100, free=bare.free_to_repeat, chance=0) is None
    assert made(first, DONE).result is not None


def test_the_service_says_when_to_come_again() -> None:
    """Without its word, each pause is twice as long as the one before."""
    told = made(failed(service.RateLimited, retry_after="17"), DONE)
    own = made(REFUSED, REFUSED, REFUSED, DONE)
    assert told.pauses == [17.0]
    assert own.pauses == [0.25, 0.5, 1.0]


def test_tries_are_bounded() -> None:
    """The last error is raised."""
    ran = made(REFUSED, tries=3)
    assert len(ran.sent) == 3
    assert isinstance(ran.error, errors.Unreachable)


@pytest.mark.parametrize("outcome", [failed(service.InternalError), reply(502, b"<html>")])
def test_a_defect_is_tried_three_times(outcome: Outcome) -> None:
    """It mostly stays, and nobody should wait for minutes to be told so."""
    assert len(made(outcome, tries=12).sent) == 3


def test_time_is_bounded_also_while_the_image_is_made() -> None:
    """A running image is asked for until the total time ends, however many tries that takes."""
    clock = Clock()
    ran = made(failed(service.InProgress, retry_after="2"), clock=clock, tries=2, total_time=21.0)
    assert len(ran.sent) == 11
    assert clock.seconds == 1020.0
    assert isinstance(ran.error, errors.InProgress)
    assert ran.error.idempotency_key == KEY


def test_a_running_image_is_waited_for() -> None:
    """The repeat brings the image that the first request began."""
    ran = made(
        LOST,
        failed(service.InProgress, retry_after="2"),
        reply(200, generation(), idempotent_replayed="true"),
    )
    assert ran.result is not None
    assert [each.method for each in ran.sent] == ["POST"] * 3


@pytest.mark.parametrize(
    ("before", "replayed"),
    [
        ([], True),
        ([REFUSED], True),
        ([failed(service.RateLimited, retry_after="1")], True),
        ([failed(service.InProgress, retry_after="1")], True),
        ([failed(service.InProgress, retry_after="1"), LOST], True),
        ([LOST], False),
        ([LOST, failed(service.InProgress, retry_after="1")], False),
        ([REFUSED, LOST], False),
        ([reply(502, b"<html>")], False),
        ([failed(service.OutcomeUnknown)], False),
        ([failed(service.InternalError)], False),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_image_of_an_earlier_call_is_told_from_one_of_this_call(
    before: list[Outcome], *, replayed: bool, asynchronous: bool
) -> None:
    """The service calls every repeat one; but what a lost attempt of this call began, this call paid."""
    status, body = (202, unfinished("running")) if asynchronous else (200, generation())
    outcomes = [*before, reply(status, body, idempotent_replayed="true"), DONE]
    ran = run(core().generate(TEA, idempotency_key=KEY, asynchronous=asynchronous), outcomes)
    assert ran.result is not None
    assert (ran.result.ended, ran.result.replayed) == (True, replayed)


def test_waiting_for_a_running_image_uses_up_no_try() -> None:
    """A connection that is lost afterwards is tried again."""
    waiting = failed(service.InProgress, retry_after="1")
    assert made(waiting, waiting, waiting, LOST, DONE, tries=2).result is not None


@pytest.mark.parametrize("key", ["short", "x" * 65, "ключ-ключ-ключ-ключ", "a b" * 8, ""])
def test_a_key_that_no_service_takes_is_not_sent(key: str) -> None:
    """The error names the header, as the service's does."""
    ran = run(core().generate(TEA, idempotency_key=key), [DONE])
    assert ran.sent == []
    assert isinstance(ran.error, errors.InvalidParameter)
    assert ran.error.fields[0].field == "Idempotency-Key"


def test_a_job_is_waited_for() -> None:
    """The client waits as long as the reply says, and then looks until the image is done."""
    ran = run(
        core().generate(TEA, idempotency_key=KEY, asynchronous=True),
        [
            reply(202, unfinished(), retry_after="2", location=f"/v1/generations/{ID}"),
            reply(200, {**unfinished("running"), "request": {}, "cost_usd": 0.04}),
            DONE,
        ],
    )
    assert [each.method for each in ran.sent] == ["POST", "GET", "GET"]
    assert ran.sent[0].headers["Prefer"] == "respond-async"
    assert ran.pauses == [2.0, 0.5]
    assert ran.result is not None
    assert ran.result.ended


def test_a_job_need_not_be_waited_for() -> None:
    """The reply is the queued generation."""
    ran = run(
        core().generate(TEA, idempotency_key=KEY, asynchronous=True, wait=False), [reply(202, unfinished())]
    )
    assert ran.result is not None
    assert (ran.result.id, ran.result.status, ran.result.image) == (ID, "queued", None)


def test_a_job_that_failed_is_its_error() -> None:
    """The error names the generation and the key."""
    ended = {
        **unfinished("failed"),
        "error": problem(service.ContentFiltered),
        "cost_usd": 0.04,
        "request": {},
    }
    ran = run(
        core().generate(TEA, idempotency_key=KEY, asynchronous=True),
        [reply(202, unfinished()), reply(200, ended)],
    )
    assert isinstance(ran.error, errors.ContentFiltered)
    assert (ran.error.generation_id, ran.error.idempotency_key, ran.error.charged) == (ID, KEY, "yes")


def test_waiting_for_a_job_ends() -> None:
    """The error says which generation to look up later."""
    clock = Clock()
    ran = run(core(clock, total_time=30.0).wait(ID), [reply(200, unfinished("running"))], clock)
    assert isinstance(ran.error, errors.InProgress)
    assert ran.error.generation_id == ID
    assert clock.seconds <= 1030.0


@pytest.mark.parametrize("lookup", [REFUSED, LOST, reply(502, b"<html>"), failed(service.InternalError)])
def test_a_job_that_cannot_be_looked_up_is_still_being_made(lookup: Outcome) -> None:
    """It was accepted, and may be paid for, whatever became of the question."""
    ran = run(
        core().generate(TEA, idempotency_key=KEY, asynchronous=True), [reply(202, unfinished()), lookup]
    )
    assert isinstance(ran.error, errors.InProgress)
    assert (ran.error.generation_id, ran.error.idempotency_key) == (ID, KEY)
    assert "could not be asked" in ran.error.detail
    asked = run(core().wait(ID), [lookup]).error
    assert not isinstance(asked, errors.InProgress)


def test_a_failed_generation_can_be_looked_up() -> None:
    """To look is no failure."""
    ended = {**unfinished("failed"), "error": problem(service.ModelTimeout), "cost_usd": 0.04, "request": {}}
    ran = run(core().get(ID), [reply(200, ended)])
    assert ran.result is not None
    assert isinstance(ran.result.error, errors.ModelTimeout)


def test_an_id_stays_within_its_path() -> None:
    """Nothing that is passed as an id reaches another route."""
    ran = run(core().get("../models?x=#"), [DONE])
    assert ran.sent[0].url == f"{URL}/generations/..%2Fmodels%3Fx%3D%23"


@pytest.mark.parametrize(
    "body",
    [b"<html>Welcome</html>", b"", b'{"id": "gen_a", "sta', b"[" * 100_000, b"\xff", {"id": "gen_a"}],
    ids=["page", "nothing", "half", "nested", "not text", "another form"],
)
@pytest.mark.parametrize("status", [200, 202])
def test_a_success_that_cannot_be_read_may_be_paid_for(status: int, body: object) -> None:
    """The image may be there, so the error names the key that brings it."""
    error = made(reply(status, body, x_request_id="r-1")).error
    assert isinstance(error, errors.UnexpectedReply)
    assert (error.charged, error.idempotency_key, error.request_id) == ("maybe", KEY, "r-1")


def test_a_success_without_its_image_is_waited_for() -> None:
    """A server in between may answer with an earlier state."""
    ran = made(reply(200, unfinished("running")), DONE)
    assert ran.result is not None
    assert [each.method for each in ran.sent] == ["POST", "GET"]
    failure = generation(status="failed", artifacts=[], error=problem(service.ContentFiltered))
    error = made(reply(200, failure)).error
    assert isinstance(error, errors.ContentFiltered)
    assert (error.charged, error.generation_id) == ("yes", ID)


@pytest.mark.parametrize(
    "request_",
    [
        ImageRequest(prompt="tea", cfg_scale=float("nan")),
        ImageRequest(prompt="tea", cfg_scale=float("inf")),
        ImageRequest(prompt="tea", extras={"a": {1, 2}}),
        ImageRequest(prompt="caf\udce9"),
    ],
    ids=["not a number", "infinite", "no JSON", "not text"],
)
def test_what_json_cannot_express_is_not_sent(request_: ImageRequest) -> None:
    """Python would write words that no JSON reader takes, and half characters from a command line in Latin-1."""
    ran = run(core().generate(request_, idempotency_key=KEY), [DONE])
    assert isinstance(ran.error, errors.InvalidParameter)
    assert (ran.sent, ran.error.charged) == ([], "no")


def test_an_id_that_is_not_text_is_looked_up_as_any_other() -> None:
    """A word of the command line that is not UTF-8 comes with surrogates."""
    ran = run(core().get("\udcff/.."), [failed(service.NotFound)])
    assert ran.sent[0].url == f"{URL}/generations/%ED%B3%BF%2F.."
    assert isinstance(ran.error, errors.NotFound)


def test_a_lost_deletion_is_not_an_error() -> None:
    """The repeat finds nothing, because the first attempt had removed it."""
    assert run(core().delete(ID), [LOST, failed(service.NotFound)]).error is None
    assert isinstance(run(core().delete(ID), [failed(service.NotFound)]).error, errors.NotFound)
    assert isinstance(run(core().delete(ID), [REFUSED, failed(service.NotFound)]).error, errors.NotFound)


def test_the_history_is_asked_for_page_by_page() -> None:
    """The cursor goes back as it came."""
    page = {"generations": [generation()], "totals": {"images": 1, "cost_usd": 0.04}, "next_cursor": "a/b="}
    ran = run(core().history_page(limit=5, cursor="a/a="), [reply(200, page)])
    assert ran.sent[0].url == f"{URL}/generations?limit=5&cursor=a%2Fa%3D"
    assert ran.result is not None
    assert (ran.result.images, ran.result.next_cursor) == (1, "a/b=")


def test_a_history_that_goes_round_ends() -> None:
    """A program that follows the cursors would ask for ever."""
    page = {"generations": [], "totals": {"images": 0, "cost_usd": 0}, "next_cursor": "a"}
    assert isinstance(run(core().history_page(cursor="a"), [reply(200, page)]).error, errors.UnexpectedReply)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api",
        "ftp://a/v1",
        "https://",
        "https://a b/v1",
        "https://[::1",
        "https://a:x/v1",
        "https://a/v1?x=1",
        "https://me@a/v1",
        "https://:secret@a/v1",
        "https://@a/v1",
        "https://a/v1?",
        "https://a/v1#",
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    """Nothing is sent."""
    with pytest.raises(errors.InvalidConfiguration, match="base URL"):
        core().__class__(**{**vars(core()), "base_url": url})


@pytest.mark.parametrize("key", ["", "a b", "ключ", "a\n"])
def test_an_api_key_that_is_none_is_refused(key: str) -> None:
    """It could not be sent, or would be another header."""
    with pytest.raises(errors.InvalidConfiguration, match="API key"):
        core().__class__(**{**vars(core()), "api_key": key})


def test_secrets_are_in_no_representation() -> None:
    """A log of the objects shows neither API key nor prompt."""
    assert API_KEY not in repr(core())
    assert API_KEY not in repr(made(DONE).sent)
    assert "tea" not in repr(made(DONE).sent)
    assert "Signature" not in repr(made(DONE).result)
