"""The adapter of the model: one call is one request, each end has one meaning, no vendor's text passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import pytest
import urllib3
from botocore import exceptions as botocore

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.bedrock import MAX_ANSWER, BedrockRuntime
from imagegen.errors import ImagegenError, VendorRefusal
from imagegen.models.registry import ModelRef, resolve
from local.bedrock import event_stream
from tests.support.fakes import CORE, FakeClock
from tests.support.far_side import Body, FarSide, Reply, answer, failing, refusal, session
from tests.support.sdk_clients import sdk_model

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from imagegen.adapters.direct.runtime_client import DirectRuntime

URL = "https://far.example"
WHOLE = resolve(CORE, region="us-west-2")
STREAMED = replace(WHOLE, model=replace(WHOLE.model, streams=True))


def far_away(*replies: Reply, clock: FakeClock | None = None) -> tuple[BedrockRuntime, FarSide]:
    """Return a runtime over these responses, and the requests that it sends; a call may take a minute."""
    client = clients.bedrock_runtime(session(), region="us-west-2", model_timeout=60)
    far = FarSide(client, *replies)
    return BedrockRuntime({"us-west-2": sdk_model(client)}, model_timeout=60, clock=clock or FakeClock()), far


def error_of(*replies: Reply, ref: ModelRef = WHOLE) -> ImagegenError:
    """Return the error of a call that gets these responses."""
    runtime, far = far_away(*replies)
    with pytest.raises(ImagegenError) as raised:
        runtime.invoke(ref, b"{}")
    assert len(far.requests) == 1
    return raised.value


def streamed(*parts: bytes) -> AWSResponse:
    """Return a response in the encoding of event streams."""
    return answer(body=b"".join(parts), headers={"content-type": event_stream.CONTENT_TYPE})


def test_a_call_is_one_post_of_the_body_to_the_model() -> None:
    """The answer comes back unchanged."""
    runtime, far = far_away(answer(body=b'{"images":[]}'))
    assert runtime.invoke(WHOLE, b'{"prompt":"tea"}') == b'{"images":[]}'
    (request,) = far.requests
    host = "https://bedrock-runtime.us-west-2.amazonaws.com"
    assert request.url == f"{host}/model/stability.stable-image-core-v1%3A1/invoke"
    assert far.bodies == [b'{"prompt":"tea"}']
    assert request.headers["Content-Type"] == b"application/json"
    assert request.headers["Accept"] == b"application/json"


MODELLED: Final = [
    ("ThrottlingException", 429, errors.ModelThrottled),
    ("ServiceQuotaExceededException", 400, errors.ModelThrottled),
    ("ModelNotReadyException", 429, errors.ModelUnavailable),
    ("ValidationException", 400, errors.InvalidParameter),
    ("AccessDeniedException", 403, errors.Misconfigured),
    ("ResourceNotFoundException", 404, errors.ModelRetired),
    ("ModelTimeoutException", 408, errors.ModelTimeout),
    ("ModelErrorException", 424, errors.BadModelResponse),
    ("InternalServerException", 500, errors.OutcomeUnknown),
    ("ServiceUnavailableException", 503, errors.OutcomeUnknown),
]
"""Each error of botocore's service model, its status, and what it is for a caller."""


@pytest.mark.parametrize(("code", "status", "kind"), MODELLED)
def test_a_modelled_error_is_known_by_its_code(code: str, status: int, kind: type[ImagegenError]) -> None:
    """The status is no help: Bedrock sends 400 for an exceeded quota."""
    assert type(error_of(refusal(code, status))) is kind


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("UnrecognizedClientException", 403, errors.Misconfigured),
        ("ExpiredTokenException", 403, errors.Misconfigured),
        ("InvalidSignatureException", 403, errors.Misconfigured),
        ("IncompleteSignature", 400, errors.Misconfigured),
        ("UnknownOperationException", 404, errors.Misconfigured),
        ("TooManyRequestsException", 429, errors.ModelThrottled),
        ("NeverSeenException", 424, errors.OutcomeUnknown),
        ("NeverSeenException", 408, errors.OutcomeUnknown),
        ("NeverSeenException", 500, errors.OutcomeUnknown),
    ],
)
def test_an_error_that_is_not_modelled_counts_as_paid_unless_the_door_refused_it(
    code: str, status: int, kind: type[ImagegenError]
) -> None:
    """AWS's front end refuses bad signatures before a model is called; an unknown error may come after it."""
    assert type(error_of(refusal(code, status))) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, errors.OutcomeUnknown),
        (403, errors.Misconfigured),
        (429, errors.ModelThrottled),
        (502, errors.OutcomeUnknown),
        (503, errors.OutcomeUnknown),
        (504, errors.OutcomeUnknown),
    ],
)
def test_a_page_of_html_is_known_by_its_status(status: int, kind: type[ImagegenError]) -> None:
    """A proxy between us and Bedrock does not send Bedrock's error codes."""
    assert type(error_of(answer(status, b"<html><h1>Sorry</h1></html>"))) is kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The provided model identifier is invalid.", errors.ModelRetired),
        (
            "Invocation of model ID x with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t supported.",
            errors.Misconfigured,
        ),
        ("invalid_prompts: your prompt was refused", errors.ContentFiltered),
        ("The model returned the following errors: invalid_prompts", errors.ContentFiltered),
        ("Malformed input request: tea invalid_prompts: tea", errors.InvalidParameter),
        ('{"detail":"Invalid field cfg_scale"}', errors.InvalidParameter),
    ],
)
def test_some_validation_errors_are_not_about_the_shape_of_the_request(
    message: str, kind: type[ImagegenError]
) -> None:
    """The adapter tells them apart by their message, because Bedrock has no codes for them."""
    assert type(error_of(refusal("ValidationException", 400, message))) is kind


def test_a_refusal_carries_its_reason_and_bedrocks_id_of_the_request() -> None:
    """The caller gets our sentence; Bedrock's own is dropped."""
    message = "Operation not allowed"
    reply = refusal("ValidationException", 400, message)
    reply.headers["x-amzn-RequestId"] = "0a1b2c3d-0000-4000-8000-123456789abc"
    error = error_of(reply)
    assert type(error) is errors.Misconfigured
    assert error.refusal == VendorRefusal(
        reason="account_blocked", request_id="0a1b2c3d-0000-4000-8000-123456789abc"
    )
    assert message not in error.detail


@pytest.mark.parametrize("message", ["null", "{}", '["Operation not allowed"]', "5", "true"])
@pytest.mark.parametrize(("code", "status", "kind"), MODELLED)
def test_a_message_that_is_no_text_leaves_the_exception(
    code: str, status: int, kind: type[ImagegenError], message: str
) -> None:
    """A refusal stays unbilled, whatever the far side has put into it."""
    reply = answer(status, f'{{"message": {message}}}'.encode())
    reply.headers["x-amzn-errortype"] = code
    assert type(error_of(reply)) is kind


@pytest.mark.parametrize("id_", ["", "my secret prompt", "x" * 65, 'a"b'])
def test_what_is_no_request_id_is_not_logged(id_: str) -> None:
    """It could be text from elsewhere."""
    reply = refusal("ThrottlingException", 429)
    reply.headers["x-amzn-RequestId"] = id_
    assert error_of(reply).refusal == VendorRefusal(reason="throttled")


@pytest.mark.parametrize(
    ("code", "status", "message", "lasting"),
    [
        ("ResourceNotFoundException", 404, "This model version has reached the end of its life.", True),
        ("ResourceNotFoundException", 404, "Words that nobody has seen.", False),
        ("ValidationException", 400, "The provided model identifier is invalid.", False),
    ],
)
def test_only_the_vendors_own_words_make_a_retirement_certain(
    code: str, status: int, message: str, *, lasting: bool
) -> None:
    """The others may be about one request."""
    error = error_of(refusal(code, status, message))
    assert type(error) is errors.ModelRetired
    assert error.refusal is not None
    assert error.refusal.lasting is lasting


def test_too_many_connections_is_an_answer_and_unbilled() -> None:
    """Any other ServiceUnavailableException may come after the model has worked."""
    busy = refusal(
        "ServiceUnavailableException", 503, "Too many connections, please wait before trying again."
    )
    assert type(error_of(busy)) is errors.ModelThrottled


@pytest.mark.parametrize(
    ("code", "status"), [("ServiceUnavailableException", 503), ("NeverSeenException", 418)]
)
def test_a_refusal_in_an_answer_that_may_be_paid_is_no_refusal(code: str, status: int) -> None:
    """The text of a refusal counts only where the exception says that no model has worked."""
    assert type(error_of(refusal(code, status, "Operation not allowed"))) is errors.OutcomeUnknown


def test_a_prompt_that_quotes_a_refusal_retires_no_model() -> None:
    """The attack: a validation error that quotes the prompt would have made every caller's model look retired."""
    quoted = (
        "Malformed input request: 'The provided model identifier is invalid.', please reformat your input"
    )
    assert type(error_of(refusal("ValidationException", 400, quoted))) is errors.InvalidParameter


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (botocore.EndpointConnectionError(endpoint_url=URL), errors.ModelUnavailable),
        (botocore.ConnectTimeoutError(endpoint_url=URL), errors.ModelUnavailable),
        (botocore.ProxyConnectionError(proxy_url=URL), errors.ModelUnavailable),
        (botocore.ReadTimeoutError(endpoint_url=URL), errors.ModelTimeout),
        (botocore.ConnectionClosedError(endpoint_url=URL), errors.OutcomeUnknown),
        (botocore.SSLError(endpoint_url=URL, error=OSError()), errors.OutcomeUnknown),
        (botocore.HTTPClientError(error="what"), errors.OutcomeUnknown),
        (botocore.NoCredentialsError(), errors.Misconfigured),
        (botocore.CredentialRetrievalError(provider="p", error_msg="e"), errors.Misconfigured),
        (KeyError("a defect of the SDK"), errors.OutcomeUnknown),
        (RecursionError(), errors.OutcomeUnknown),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_certainly_reached_no_model_is_unbilled_and_all_else_is_not(
    failure: Exception, kind: type[ImagegenError]
) -> None:
    """No foreign exception leaves the adapter, and every error keeps its cause."""
    error = error_of(failure)
    assert type(error) is kind
    assert error.__cause__ is failure


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (urllib3.exceptions.ReadTimeoutError(None, URL, "t"), errors.ModelTimeout),  # type: ignore[arg-type]
        (urllib3.exceptions.ProtocolError("cut"), errors.OutcomeUnknown),
        (urllib3.exceptions.SSLError("bad record"), errors.OutcomeUnknown),
        (TimeoutError(), errors.ModelTimeout),
        (ConnectionResetError(), errors.OutcomeUnknown),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("ref", [WHOLE, STREAMED], ids=["whole", "streamed"])
def test_a_body_that_fails_while_it_is_read_counts_as_paid(
    ref: ModelRef, status: int, failure: Exception, kind: type[ImagegenError]
) -> None:
    """The body is read after the call; botocore translates only some of the errors of reading."""
    assert type(error_of(answer(status, failing(failure)), ref=ref)) is kind


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"null", b'"text"'])
def test_an_error_whose_body_botocore_cannot_read_counts_as_paid(body: bytes) -> None:
    """Botocore's parser can raise any exception."""
    assert type(error_of(answer(503, body))) is errors.OutcomeUnknown


@dataclass
class TimedModel:
    """Takes so many seconds until an answer begins, and notes how long its body may take and be."""

    clock: FakeClock
    takes: float
    seconds: float = 0
    longest: int = 0

    def invoke_model(self, **_: str | bytes) -> TimedModel:
        """Begin to answer."""
        self.clock.sleep(self.takes)
        return self

    def read(self, *, seconds: float, longest: int) -> bytes:
        """Return the body."""
        self.seconds, self.longest = seconds, longest
        return b"{}"


@pytest.mark.parametrize(("takes", "left"), [(0, 60), (41.5, 18.5), (58, 2), (59.9, 2), (75, 2)])
def test_a_body_may_take_what_is_left_and_two_seconds_at_least(takes: float, left: float) -> None:
    """A body that begins at the last moment is paid, and is read."""
    model = TimedModel(clock=FakeClock(), takes=takes)
    runtime = BedrockRuntime({"us-west-2": cast("DirectRuntime", model)}, model_timeout=60, clock=model.clock)
    assert runtime.invoke(WHOLE, b"{}") == b"{}"
    assert model.seconds == pytest.approx(left)
    assert model.longest == MAX_ANSWER


def test_a_stream_is_put_together_from_its_chunks() -> None:
    """The adapter asks for a stream if the registry says that the model streams."""
    runtime, far = far_away(streamed(event_stream.chunk(b'{"ima'), event_stream.chunk(b'ges":[]}')))
    assert runtime.invoke(STREAMED, b"{}") == b'{"images":[]}'
    assert str(far.requests[0].url).endswith("/invoke-with-response-stream")


@pytest.mark.parametrize(("beyond", "fits"), [(0, True), (1, False)])
def test_a_stream_has_the_same_longest_length(beyond: int, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    """What counts is the length of all chunks together."""
    parts = 8
    part = event_stream.chunk(bytes(MAX_ANSWER // parts))
    runtime, _ = far_away(streamed(*[part] * parts, event_stream.chunk(bytes(beyond))))
    try:
        assert len(runtime.invoke(STREAMED, b"{}")) == MAX_ANSWER
        assert fits
    except errors.BadModelResponse:
        assert not fits


@pytest.mark.parametrize(
    ("name", "at_once", "after_a_chunk"),
    [
        ("internalServerException", errors.OutcomeUnknown, errors.OutcomeUnknown),
        ("modelStreamErrorException", errors.BadModelResponse, errors.BadModelResponse),
        ("validationException", errors.InvalidParameter, errors.OutcomeUnknown),
        ("throttlingException", errors.ModelThrottled, errors.OutcomeUnknown),
        ("modelTimeoutException", errors.ModelTimeout, errors.ModelTimeout),
        ("serviceUnavailableException", errors.OutcomeUnknown, errors.OutcomeUnknown),
        ("neverSeenException", errors.OutcomeUnknown, errors.OutcomeUnknown),
    ],
)
def test_an_error_in_a_stream_is_unbilled_only_before_the_first_chunk(
    name: str, at_once: type[ImagegenError], after_a_chunk: type[ImagegenError]
) -> None:
    """A model that has sent a chunk has worked, so the call may be paid."""
    failure = event_stream.failure(name, "no")
    assert type(error_of(streamed(failure), ref=STREAMED)) is at_once
    assert type(error_of(streamed(event_stream.chunk(b"{"), failure), ref=STREAMED)) is after_a_chunk


def test_a_stream_that_is_damaged_counts_as_paid() -> None:
    """The checksum of the event shows the damage."""
    damaged = bytearray(event_stream.chunk(b"{}"))
    damaged[-1] ^= 1
    assert type(error_of(streamed(bytes(damaged)), ref=STREAMED)) is errors.OutcomeUnknown


def test_a_stream_that_drips_is_given_up_when_the_call_has_taken_too_long() -> None:
    """Each chunk arrives within the read time-out, but all of them together take too long."""
    clock = FakeClock()
    chunk = event_stream.chunk(b"x")
    body = Body(chunk * 10, part=len(chunk), during_read=lambda: clock.sleep(21))
    reply = answer(body=body, headers={"content-type": event_stream.CONTENT_TYPE})
    runtime, _ = far_away(reply, clock=clock)
    with pytest.raises(errors.ModelTimeout):
        runtime.invoke(STREAMED, b"{}")
    assert sum(clock.slept) == 63
    assert body.closed


@pytest.mark.parametrize("name", ["ValidationException", "InternalServerException", "NeverSeenException"])
def test_what_bedrock_says_is_not_passed_on(name: str) -> None:
    """Bedrock's message can quote the prompt."""
    error = error_of(refusal(name, 400, "prompt: my-secret-prompt"))
    assert "my-secret-prompt" not in f"{error} {error.detail} {error.errors}"


@pytest.mark.parametrize("code", ["ThrottlingException", "ModelNotReadyException"])
def test_what_will_pass_says_when_to_come_back(code: str) -> None:
    """The error has the seconds after which a client may try again."""
    assert error_of(refusal(code, 429)).retry_after == 5
