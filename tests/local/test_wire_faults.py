"""Each fault of the wire has its error code, counts as paid or unbilled, and has its number of requests.

The stand-in model and a server that responds byte by byte stand for AWS, on real sockets; the clients are the deployed
ones.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.bedrock import BedrockRuntime
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.s3 import S3Images
from imagegen.adapters.system import SystemClock
from imagegen.contracts.generation_request import GenerationRequest
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import ImagegenError
from imagegen.generations.ports import Clock
from imagegen.models.registry import resolve
from local import certificates
from local.bedrock.settings import Settings
from local.bedrock.stand_in import StandIn
from tests.support.direct_calls import waiting
from tests.support.fakes import CORE
from tests.support.far_side import session
from tests.support.faulty_server import (
    CLOSED,
    HANGING,
    FaultyServer,
    Reply,
    cut,
    dripping,
    stalled,
    whole,
)
from tests.support.stand_in_calls import eventually
from tests.support.world import World, world

REQUEST = GenerationRequest(task=TextToImage(text_prompts=(Prompt(text="tea"),), seed=7))
WHOLE = resolve(CORE, region="us-west-2")
STREAMED = replace(WHOLE, model=replace(WHOLE.model, streams=True))
HTML = b"<html><body><h1>Sorry</h1></body></html>"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients reach loopback directly, whatever proxy this machine has."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    """Yield a stand-in model for these tests only, which answers at once."""
    with StandIn(settings=Settings(instant=True)) as far:
        yield far


@pytest.fixture
def model(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return the stand-in without rules and calls of other tests, and let the clients find it as Bedrock."""
    stand_in.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", stand_in.url)
    return stand_in


PATIENT, HASTY = 60.0, 1.0
"""Seconds that a call may take: more than any answer needs, and few for answers that never come."""


def direct() -> DirectSession:
    """Return the deployed calls of the model and of the stores."""
    return DirectSession(session(), url_suffix="amazonaws.com", clock=SystemClock())


def runtime(*, model_timeout: float = PATIENT, clock: Clock | None = None) -> BedrockRuntime:
    """Return the deployed adapter of Bedrock's runtime."""
    client = direct().runtime(
        clients.bedrock_runtime(session(), region="us-west-2", model_timeout=model_timeout)
    )
    return BedrockRuntime({"us-west-2": client}, model_timeout=model_timeout, clock=clock or SystemClock())


def service(*, streams: bool = False, ends: str = "") -> World:
    """Return the whole use case over fakes, except the model, which is called over the wire.

    Only a call that must end as `model_timeout` has a short time-out.
    """
    made = world(models=(CORE,))
    made.attempts.caller.runtime = runtime(model_timeout=HASTY if ends == "model_timeout" else PATIENT)
    made.attempts.caller.refs = (STREAMED if streams else WHOLE,)
    return made


@dataclass(frozen=True)
class Ending:
    """How a generation ended: its code, whether it counts as paid, and the calls that reached the model."""

    code: str
    paid: bool
    calls: int


def ending(made: World, *, calls: Callable[[], int]) -> Ending:
    """Submit a generation that fails, check that the error and the record agree, and return how it ended."""
    with pytest.raises(ImagegenError) as raised:
        made.submitter.submit(
            REQUEST,
            owner="alice",
            fingerprint="a",
            key="k" * 16,
            asynchronous=False,
            deadline=made.deadline(66),
        )
    record = made.store.only()
    assert record.failure is not None
    assert record.state == "failed"
    assert record.failure.code == raised.value.kind.code
    assert record.paid_attempts == int(record.failure.paid)
    assert made.quotas.taken["alice", "2026-11-25"].images == int(record.failure.paid)
    assert made.images.objects == {}
    return Ending(record.failure.code, record.failure.paid, calls())


def arrived(model: StandIn, expected: int) -> int:
    """Wait for the expected calls, since one that was given up may arrive late, and return the number of calls."""
    eventually(lambda: int(model.calls()["calls"]) >= expected)
    return int(model.calls()["calls"])


def error(name: str, **options: Any) -> dict[str, Any]:
    """Return the action that answers with an error of the service model."""
    return {"type": "error", "name": name, **options}


# The fake clock leaves a second for retries. The fakes choose pauses of 0.1, 0.2, 0.4 and 0.8 s, so four calls fit.
ENDINGS = [
    (error("ThrottlingException"), Ending("model_throttled", paid=False, calls=4)),
    (error("ServiceQuotaExceededException"), Ending("model_throttled", paid=False, calls=4)),
    (error("ModelNotReadyException"), Ending("model_unavailable", paid=False, calls=4)),
    (error("ValidationException"), Ending("invalid_parameter", paid=False, calls=1)),
    (error("AccessDeniedException"), Ending("misconfigured", paid=False, calls=1)),
    (error("ResourceNotFoundException"), Ending("model_retired", paid=False, calls=1)),
    (error("ModelTimeoutException"), Ending("model_timeout", paid=True, calls=1)),
    (error("ModelErrorException"), Ending("bad_model_response", paid=True, calls=1)),
    (error("InternalServerException"), Ending("outcome_unknown", paid=True, calls=1)),
    (error("ServiceUnavailableException"), Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "retired"}, Ending("model_retired", paid=False, calls=1)),
    ({"type": "legacy"}, Ending("model_retired", paid=False, calls=1)),
    ({"type": "status", "status": 403}, Ending("misconfigured", paid=False, calls=1)),
    ({"type": "status", "status": 429}, Ending("model_throttled", paid=False, calls=4)),
    ({"type": "status", "status": 500}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "status", "status": 502}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "status", "status": 503}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "status", "status": 504}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "status", "status": 200}, Ending("bad_model_response", paid=True, calls=1)),
    ({"type": "hang"}, Ending("model_timeout", paid=True, calls=1)),
    ({"type": "latency", "seconds": 60}, Ending("model_timeout", paid=True, calls=1)),
    ({"type": "close"}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "cut"}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "stall"}, Ending("model_timeout", paid=True, calls=1)),
    ({"type": "malformed"}, Ending("bad_model_response", paid=True, calls=1)),
    ({"type": "bad_base64"}, Ending("bad_model_response", paid=True, calls=1)),
    ({"type": "not_png"}, Ending("bad_model_response", paid=True, calls=1)),
    ({"type": "empty"}, Ending("bad_model_response", paid=True, calls=1)),
    ({"type": "failed"}, Ending("bad_model_response", paid=True, calls=1)),
    ({"type": "filtered"}, Ending("content_filtered", paid=True, calls=1)),
]
STREAM_ENDINGS = [
    (error("ThrottlingException"), Ending("model_throttled", paid=False, calls=4)),
    (error("ModelTimeoutException"), Ending("model_timeout", paid=True, calls=1)),
    (error("InternalServerException"), Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "status", "status": 502}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "hang"}, Ending("model_timeout", paid=True, calls=1)),
    ({"type": "close"}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "cut"}, Ending("outcome_unknown", paid=True, calls=1)),
    ({"type": "stall"}, Ending("model_timeout", paid=True, calls=1)),
    *(
        ({"type": "stream_error", "name": name, "after": after}, Ending(code, paid, calls))
        for name, after, code, paid, calls in (
            ("internalServerException", 0, "outcome_unknown", True, 1),
            ("internalServerException", 1, "outcome_unknown", True, 1),
            ("modelStreamErrorException", 0, "bad_model_response", True, 1),
            ("modelStreamErrorException", 1, "bad_model_response", True, 1),
            ("validationException", 0, "invalid_parameter", False, 1),
            ("validationException", 1, "outcome_unknown", True, 1),
            ("throttlingException", 0, "model_throttled", False, 4),
            ("throttlingException", 1, "outcome_unknown", True, 1),
            ("modelTimeoutException", 0, "model_timeout", True, 1),
            ("modelTimeoutException", 1, "model_timeout", True, 1),
            ("serviceUnavailableException", 0, "outcome_unknown", True, 1),
            ("serviceUnavailableException", 1, "outcome_unknown", True, 1),
        )
    ),
]


def named(value: Any) -> str | None:
    """Return the test id of a row's action."""
    return "-".join(map(str, value.values())) if isinstance(value, dict) else ""


@pytest.mark.parametrize(("action", "expected"), ENDINGS, ids=named)
def test_a_fault_of_the_model_has_its_code_its_price_and_its_number_of_calls(
    model: StandIn, action: dict[str, Any], expected: Ending
) -> None:
    """A call that counts as paid is not repeated; an unbilled one that may work later is, while there is time."""
    model.configure({"action": action, "model": CORE})
    made = service(ends=expected.code)
    assert ending(made, calls=lambda: arrived(model, expected.calls)) == expected


@pytest.mark.parametrize(("action", "expected"), STREAM_ENDINGS, ids=named)
def test_a_fault_of_a_stream_has_its_code_its_price_and_its_number_of_calls(
    model: StandIn, action: dict[str, Any], expected: Ending
) -> None:
    """An error event of a stream is unbilled only before the first chunk."""
    model.configure({"action": action, "model": CORE})
    made = service(streams=True, ends=expected.code)
    assert ending(made, calls=lambda: arrived(model, expected.calls)) == expected


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_a_model_that_is_busy_twice_draws_at_the_third_call(model: StandIn, streams: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only one of the three calls is billed."""
    model.configure({"action": error("ThrottlingException"), "times": 2})
    made = service(streams=streams)
    done = made.submitter.submit(
        REQUEST, owner="alice", fingerprint="a", key=None, asynchronous=False, deadline=made.deadline()
    )
    assert done.generation.state == "succeeded"
    assert (model.calls()["calls"], model.calls()["billed"]) == (3, 1)


def test_a_model_that_nobody_listens_for_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is refused, so no request was sent and nothing is paid."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{port}")
    assert ending(service(), calls=lambda: 0) == Ending("model_unavailable", paid=False, calls=0)


def refused(code: str, status: int) -> Reply:
    """Return an error of AWS's front end, which stands before every service."""
    body = json.dumps({"message": "The security token included in the request is expired"}).encode()
    return whole(status, body, [f"x-amzn-errortype: {code}"])


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused("ExpiredTokenException", 403), Ending("misconfigured", paid=False, calls=1)),
        (refused("InvalidSignatureException", 403), Ending("misconfigured", paid=False, calls=1)),
        (refused("NeverSeenException", 418), Ending("outcome_unknown", paid=True, calls=1)),
        (whole(429, HTML), Ending("model_throttled", paid=False, calls=4)),
        (whole(503, b"\xff"), Ending("outcome_unknown", paid=True, calls=1)),
        (cut(503, HTML), Ending("outcome_unknown", paid=True, calls=1)),
        (stalled(503, HTML), Ending("model_timeout", paid=True, calls=1)),
        (cut(200, b"{}"), Ending("outcome_unknown", paid=True, calls=1)),
        (stalled(200, b"{}"), Ending("model_timeout", paid=True, calls=1)),
        (whole(200, b"{}", length=1_000), Ending("model_timeout", paid=True, calls=1)),
        (dripping(b"x" * 200, pause=0.5), Ending("model_timeout", paid=True, calls=1)),
        (Reply(content=b"SSH-2.0\r\n\r\n", ending="close"), Ending("outcome_unknown", paid=True, calls=1)),
        (HANGING, Ending("model_timeout", paid=True, calls=1)),
        (CLOSED, Ending("outcome_unknown", paid=True, calls=1)),
    ],
    ids=[
        "expired",
        "signature",
        "new code",
        "429 page",
        "503 no text",
        "503 cut",
        "503 stalled",
        "cut",
        "stalled",
        "too long a length",
        "dripping",
        "not HTTP",
        "silent",
        "closed",
    ],
)
def test_whatever_else_answers_has_a_code_and_a_price(
    reply: Reply, expected: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No exception of the SDK escapes, and no call takes longer than the model may take."""
    with FaultyServer(reply) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        made = service(ends=expected.code)
        began = time.monotonic()
        assert ending(made, calls=lambda: len(server.requests)) == expected
        assert time.monotonic() - began < 60  # a dripping body would take 100 s, and silence would never end


def test_a_connection_is_used_again_but_not_after_it_was_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function may have been frozen in between, and the far side may have closed the connection."""
    wait = waiting(monkeypatch)
    with FaultyServer(whole(200, b"x" * 100_000)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        adapter = runtime()
        for idle in (0, 19, 21, 0):
            wait(idle)
            assert len(adapter.invoke(WHOLE, b"{}")) == 100_000
    assert [request.connection for request in server.requests] == [1, 1, 2, 2]


def test_a_connection_whose_answer_was_given_up_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the rest of that answer would be read as the next answer."""
    with FaultyServer(stalled(200, b"{}"), whole(200, b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        adapter = runtime(model_timeout=HASTY)
        with pytest.raises(errors.ModelTimeout):
            adapter.invoke(WHOLE, b"{}")
        assert adapter.invoke(WHOLE, b"{}") == b"{}"
    assert [request.connection for request in server.requests] == [1, 2]


def test_the_same_holds_over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TLS has another kind of socket; a whole answer is still read, and a stalled one is still given up."""
    issued = certificates.ensure(tmp_path, now=datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(issued.authority))
    with FaultyServer(whole(200, b"x" * 100_000), stalled(200, b"{}"), CLOSED, tls=context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        adapter = runtime(model_timeout=2)
        assert len(adapter.invoke(WHOLE, b"{}")) == 100_000
        with pytest.raises(errors.ModelTimeout):
            adapter.invoke(WHOLE, b"{}")
        with pytest.raises(errors.OutcomeUnknown):
            adapter.invoke(WHOLE, b"{}")
    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_an_image_that_cannot_be_stored_is_paid_and_tried_until_the_deadline(
    model: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the put is repeated; the model is not called again."""
    denied = whole(403, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>")
    with FaultyServer(denied) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        made = service()
        client = direct().bucket(clients.s3(session(), addressing_style="path"))
        images = S3Images(client=client, bucket="pictures", url_ttl=60, clock=SystemClock())
        attempts = replace(made.attempts, images=images)
        submitter = replace(made.submitter, attempts=attempts)
        made = replace(made, service=replace(made.service, submitter=submitter))
        assert ending(made, calls=lambda: int(model.calls()["calls"])) == Ending(
            "store_failed", paid=True, calls=1
        )
    assert made.clock.slept[:6] == pytest.approx([0.075, 0.15, 0.3, 0.6, 1.2, 1.5])
    assert 66 - 4 < sum(made.clock.slept) < 66
    assert len(server.requests) == len(made.clock.slept) + 1
