"""Each action of a rule has its effect on a call, as the caller sees it."""

import base64
import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from local.bedrock.refusals import ACCOUNT, STATUS_OF
from local.bedrock.rules import ACTIONS
from local.bedrock.stand_in import StandIn
from tests.support.stand_in_calls import (
    CORE,
    MODELLED,
    SDXL,
    core,
    eventually,
    invoke,
    picture,
    refusal,
    sdxl,
)

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


def test_every_modelled_error_is_known(client: "BedrockRuntimeClient") -> None:
    """The stand-in's table has the names and the statuses of botocore's service model."""
    operation = client.meta.service_model.operation_model("InvokeModelWithResponseStream")
    modelled = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in operation.error_shapes}

    assert modelled == STATUS_OF


@pytest.mark.parametrize("name", MODELLED)
def test_a_modelled_error_arrives_as_its_class(
    bedrock: StandIn, client: "BedrockRuntimeClient", name: str
) -> None:
    """The client raises the exception of that name, with the status of the service model."""
    bedrock.configure({"action": {"type": "error", "name": name, "message": "So it is."}})
    error = refusal(client, CORE, core())

    assert isinstance(error, getattr(client.exceptions, name))
    assert error.response["Error"] == {"Code": name, "Message": "So it is."}
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == STATUS_OF[name]


@pytest.mark.parametrize(
    ("name", "billed"),
    [
        ("ThrottlingException", 0),
        ("ModelNotReadyException", 0),
        ("ServiceQuotaExceededException", 0),
        ("AccessDeniedException", 0),
        ("ModelTimeoutException", 1),
        ("ModelErrorException", 1),
        ("InternalServerException", 1),
        ("ServiceUnavailableException", 1),
    ],
)
def test_an_error_after_which_one_must_count_the_call_as_paid_is_billed(
    bedrock: StandIn, client: "BedrockRuntimeClient", name: str, billed: int
) -> None:
    """The call log counts a call as billed whenever it may be paid."""
    bedrock.configure({"action": {"type": "error", "name": name}})
    refusal(client, CORE, core())

    assert bedrock.calls()["billed"] == billed


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_bare_status_comes_with_a_page_of_html(
    bedrock: StandIn, client: "BedrockRuntimeClient", status: int
) -> None:
    """A proxy in front of the service answers so: without an error type and without JSON."""
    bedrock.configure({"action": {"type": "status", "status": status}})
    error = refusal(client, CORE, core())

    assert error.response["Error"]["Code"] == str(status)
    assert error.response["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "text/html"


@pytest.mark.parametrize(
    ("action", "words"), [("retired", "end of its life"), ("legacy", "marked by provider as Legacy")]
)
def test_a_living_model_can_be_told_to_be_gone(
    bedrock: StandIn, client: "BedrockRuntimeClient", action: str, words: str
) -> None:
    """A retired model and a legacy model both answer 404."""
    bedrock.configure({"action": action})
    error = refusal(client, CORE, core())

    assert isinstance(error, client.exceptions.ResourceNotFoundException)
    assert words in error.response["Error"]["Message"]


@pytest.mark.parametrize("reason", ACCOUNT)
def test_an_account_may_be_refused_for_many_reasons(
    bedrock: StandIn, client: "BedrockRuntimeClient", reason: str
) -> None:
    """The exception and its text are those that accounts have met, and nothing is billed."""
    bedrock.configure({"action": {"type": "account", "reason": reason}})
    error = refusal(client, CORE, core())
    name, message = ACCOUNT[reason]

    assert error.response["Error"] == {"Code": name, "Message": message}
    assert bedrock.calls()["billed"] == 0


def test_a_rate_limit_throttles_what_is_over_it(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """Two calls are let through; the third is refused and not billed."""
    bedrock.configure({"action": {"type": "rate_limit", "per_second": 0.001, "burst": 2}})
    invoke(client, CORE, core())
    invoke(client, CORE, core())
    error = refusal(client, CORE, core())

    assert isinstance(error, client.exceptions.ThrottlingException)
    assert bedrock.calls()["outcomes"] == {"success": 2, "ThrottlingException": 1}
    assert bedrock.calls()["billed"] == 2


def test_a_rate_limit_lets_calls_through_again(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """After a while at this rate, the next call is let through."""
    bedrock.configure({"action": {"type": "rate_limit", "per_second": 0.4, "burst": 1}})
    invoke(client, CORE, core())
    refusal(client, CORE, core())
    time.sleep(2.6)

    assert invoke(client, CORE, core())["finish_reasons"] == [None]


def test_latency_delays_the_answer(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The answer itself is a good one."""
    bedrock.configure({"action": {"type": "latency", "seconds": 0.4}})
    began = time.monotonic()
    invoke(client, CORE, core())

    assert time.monotonic() - began >= 0.4


def test_the_model_takes_the_time_that_is_set(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The setting `latency` delays pictures, but not refusals."""
    bedrock.configure({"latency": 1})
    header = "x-amzn-bedrock-invocation-latency"
    began = time.monotonic()
    refused = refusal(client, CORE, {}).response["ResponseMetadata"]["HTTPHeaders"]
    answer = client.invoke_model(modelId=CORE, body=json.dumps(core()))
    answer["body"].read()

    assert int(refused.get(header, 0)) < 1000
    assert time.monotonic() - began >= 1
    assert int(answer["ResponseMetadata"]["HTTPHeaders"][header]) >= 1000


def test_a_hanging_call_ends_in_the_clients_time_out(bedrock: StandIn, hasty: "BedrockRuntimeClient") -> None:
    """The stand-in never answers, and it notices that the client has gone."""
    bedrock.configure({"action": "hang"})
    with pytest.raises(ReadTimeoutError):
        hasty.invoke_model(modelId=CORE, body=json.dumps(core()))

    eventually(lambda: bedrock.calls()["in_flight"] == 0)
    assert bedrock.calls()["billed"] == 1


def test_a_closed_connection_is_one(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The client gets no byte of an answer."""
    bedrock.configure({"action": "close"})
    with pytest.raises(ConnectionClosedError):
        client.invoke_model(modelId=CORE, body=json.dumps(core()))

    assert bedrock.calls()["calls"] == 1


def test_a_cut_body_fails_while_it_is_read(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The call itself succeeds, as on a real network; only reading the body fails."""
    bedrock.configure({"action": "cut"})
    body = client.invoke_model(modelId=CORE, body=json.dumps(core()))["body"]

    with closing(body), pytest.raises(ResponseStreamingError):
        body.read()
    assert bedrock.calls()["billed"] == 1


def test_a_stalled_body_times_out_while_it_is_read(bedrock: StandIn, hasty: "BedrockRuntimeClient") -> None:
    """Half of the answer arrives, and then nothing more."""
    bedrock.configure({"action": "stall"})
    body = hasty.invoke_model(modelId=CORE, body=json.dumps(core()))["body"]

    with closing(body), pytest.raises(ReadTimeoutError):
        body.read()
    assert bedrock.calls()["billed"] == 1


def test_a_filtered_picture_of_sdxl_is_blurred(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The answer has a blurred picture of the usual size, and another finish reason."""
    plain = invoke(client, SDXL, sdxl())["artifacts"][0]
    bedrock.configure({"action": "filtered"})
    filtered = invoke(client, SDXL, sdxl(seed=9))["artifacts"][0]

    assert (filtered["finishReason"], filtered["seed"]) == ("CONTENT_FILTERED", 9)
    assert picture(filtered["base64"]).size == (1024, 1024)
    assert filtered["base64"] != plain["base64"]
    assert bedrock.calls()["outcomes"] == {"success": 1, "filtered": 1}


@pytest.mark.parametrize("reason", ["prompt", "output image", "input image"])
def test_a_filtered_answer_of_the_family_has_no_images(
    bedrock: StandIn, client: "BedrockRuntimeClient", reason: str
) -> None:
    """The answer has only the finish reason."""
    bedrock.configure({"action": {"type": "filtered", "reason": reason}})

    assert invoke(client, CORE, core()) == {"finish_reasons": [f"Filter reason: {reason}"]}


def test_a_prompt_filter_of_sdxl_answers_an_error_result(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The status is 200, and the result has no artifacts."""
    bedrock.configure({"action": {"type": "prompt_filter", "message": "No."}})
    answer = invoke(client, SDXL, sdxl())

    assert answer.pop("id")
    assert answer == {"result": "error", "name": "invalid_prompts", "message": "No."}


def test_a_prompt_filter_of_the_family_gives_its_reason(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The same action gives a finish reason in this dialect."""
    bedrock.configure({"action": "prompt_filter"})

    assert invoke(client, CORE, core()) == {"finish_reasons": ["Filter reason: prompt"]}


def test_a_failed_inference_says_so_in_either_dialect(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """The status is 200, and the answer has no picture."""
    bedrock.configure({"action": "failed"})

    assert invoke(client, SDXL, sdxl(seed=3))["artifacts"] == [
        {"seed": 3, "base64": "", "finishReason": "ERROR"}
    ]
    assert invoke(client, CORE, core()) == {"seeds": [7], "finish_reasons": ["Inference error"]}


def test_an_empty_answer_has_nothing_in_its_lists(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The answer is a success without a picture."""
    bedrock.configure({"action": "empty"})

    assert invoke(client, SDXL, sdxl()) == {"result": "success", "artifacts": []}
    assert invoke(client, CORE, core())["images"] == []


def test_a_seed_may_be_echoed_as_zero(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The real model was seen to do so; the picture is a good one."""
    bedrock.configure({"action": "zero_seed"})

    assert invoke(client, SDXL, sdxl(seed=5))["artifacts"][0]["seed"] == 0
    assert invoke(client, CORE, core())["seeds"] == [0]
    assert bedrock.calls()["painted"] == 2


def test_malformed_json_does_not_parse(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The body arrives whole, but its JSON is incomplete."""
    bedrock.configure({"action": "malformed"})
    body = client.invoke_model(modelId=CORE, body=json.dumps(core()))["body"].read()

    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_a_malformed_answer_can_be_given_word_for_word(
    bedrock: StandIn, client: "BedrockRuntimeClient"
) -> None:
    """A test can send any document in this way."""
    bedrock.configure({"action": {"type": "malformed", "body": '{"artifacts": null}'}})

    assert invoke(client, CORE, core()) == {"artifacts": None}


def test_bad_base64_does_not_decode(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """One character is outside the alphabet, and a lenient decoder would drop it."""
    bedrock.configure({"action": "bad_base64"})
    text = invoke(client, CORE, core())["images"][0]

    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(text, validate=True)


@pytest.mark.parametrize(("content", "begins"), [("jpeg", b"\xff\xd8\xff"), ("text", b"This")])
def test_a_picture_may_be_no_png(
    bedrock: StandIn, client: "BedrockRuntimeClient", content: str, begins: bytes
) -> None:
    """The base64 is good, but it holds something else."""
    bedrock.configure({"action": {"type": "not_png", "content": content}})

    assert base64.b64decode(invoke(client, CORE, core())["images"][0]).startswith(begins)


def test_a_picture_may_have_the_wrong_size(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The picture is a good PNG of another size."""
    bedrock.configure({"action": {"type": "wrong_size", "width": 64, "height": 128}})

    assert picture(invoke(client, SDXL, sdxl())["artifacts"][0]["base64"]).size == (64, 128)


def test_a_png_may_be_truncated(bedrock: StandIn, client: "BedrockRuntimeClient") -> None:
    """The PNG's signature and header are right, but its end is missing."""
    bedrock.configure({"action": "truncated_png"})
    raw = base64.b64decode(invoke(client, CORE, core())["images"][0])

    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(OSError, match="truncated"):
        picture(base64.b64encode(raw).decode())


def test_every_action_is_used_in_this_folder() -> None:
    """Nobody can rely on an action that has no test."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))

    assert [name for name in ACTIONS if f'"{name}"' not in source] == []
