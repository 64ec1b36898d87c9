"""Other people's clients, from their registries, work with a base URL and an API key alone, and lose no error.

`make clients` runs these tests. They install every client first, so they need the registries.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pytest
from PIL import Image

from tests.support.client_programs import Program, keep, picture

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    import httpx

    from tests.support.deployed_stack import Stack, StandIn

PROMPT: Final = "Sri lanka tea plantation."
WRONG_KEY: Final = "not-a-key-0123456789"
PYTHON: Final = (
    Program(name="python/openai-3", refused_key="openai.AuthenticationError"),
    Program(name="python/openai-2", refused_key="openai.AuthenticationError"),
    Program(name="python/openai-1", refused_key="openai.AuthenticationError"),
    Program(name="python/langchain"),
    Program(
        name="python/litellm",
        refused_key="litellm.AuthenticationError",
        refused_prompt="litellm.BadRequestError",
        failed="litellm.BadGatewayError",
    ),
    Program(name="python/llama-index"),
    Program(name="python/haystack"),
    # Its tools never raise: an agent reads what they return.
    Program(
        name="python/agno",
        refused_key="Failed to generate image: Error code: 401",
        refused_prompt="Failed to generate image: Error code: 400",
        failed="Failed to generate image: Error code: 502",
    ),
    Program(name="python/crewai", why_not_empty="The tool itself says that a description is required."),
    Program(
        name="python/semantic-kernel",
        refused_key="ServiceResponseException: Failed to generate image: Error code: 401",
        refused_prompt="ServiceResponseException: Failed to generate image: Error code: 400",
        failed="ServiceResponseException: Failed to generate image: Error code: 502",
        why_not_empty="The client itself raises that a prompt is required.",
    ),
    Program(
        name="python/stabilityai",
        refused_key="stabilityai.exceptions.ApiKeyIsMissingOrInvalid",
        refused_prompt="stabilityai.exceptions.YouAreHoldingItWrong",
        failed="ClientResponseError: 502",
        why_not_empty="The client itself raises that a prompt is required.",
        mute="It raises by the status alone and never reads the body of an error.",
    ),
    Program(
        name="python/boto3",
        refused_key="AccessDeniedException",
        refused_prompt="ValidationException",
        failed="ModelErrorException",
        why_not_empty="The contract of SDXL allows an empty text.",
    ),
)
NODE: Final = (
    Program(name="node/openai"),
    Program(
        name="node/ai-sdk-openai",
        refused_key="AI_APICallError",
        refused_prompt="AI_APICallError",
        failed="AI_RetryError",
    ),
    Program(
        name="node/ai-sdk-openai-compatible",
        refused_key="AI_APICallError",
        refused_prompt="AI_APICallError",
        failed="AI_RetryError",
    ),
    Program(name="node/langchain"),
    Program(
        name="node/stability-ai",
        refused_key="StabilityAIUnauthorizedError",
        refused_prompt="StabilityAIInvalidRequestError",
        failed="StabilityAIUnknownError",
        why_not_empty="The contract of SDXL allows an empty text.",
    ),
)


@pytest.fixture(params=(*PYTHON, *NODE), ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    """Each client in turn."""
    chosen: Program = request.param
    return chosen


def test_the_clients_own_call_makes_a_picture(
    program: Program, stack: Stack, stand_in: StandIn, anonymous: httpx.Client, tmp_path: Path
) -> None:
    """One picture is painted, and the client hands it to its caller."""
    done = program.run(stack, key=stack.state.api_key, prompt=PROMPT, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    png = picture(done.stdout, anonymous=anonymous)
    keep(png, name=program.name)
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.size) == ("PNG", (1024, 1024))
    assert stand_in.calls()["painted"] == 1


def test_a_wrong_key_is_told_in_the_clients_own_words(
    program: Program, stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """The client raises its own exception, with this service's sentence."""
    done = program.run(stack, key=WRONG_KEY, prompt=PROMPT, folder=tmp_path)
    assert_told(program, done, program.refused_key, "Send it as x-api-key or as a bearer token")
    assert stand_in.calls()["calls"] == 0


def test_a_refused_prompt_is_told_in_the_clients_own_words(
    program: Program, stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """Likewise for a request that the service refuses before it pays."""
    done = program.run(stack, key=stack.state.api_key, prompt=program.prompt, folder=tmp_path)
    assert_told(
        program, done, program.refused_prompt, "without bidirectional overrides or control characters"
    )
    assert stand_in.calls()["calls"] == 0


def test_what_may_have_been_paid_is_not_repeated(
    program: Program, stack: Stack, stand_in: StandIn, tmp_path: Path
) -> None:
    """Many clients repeat a 502 by themselves: `X-Should-Retry` stops some, and the others get the recorded failure."""
    stand_in.set_rules({"action": {"type": "error", "name": "InternalServerException"}})
    # A prompt of its own: the failure of one client is the reply to an equal request of the next.
    done = program.run(stack, key=stack.state.api_key, prompt=f"{PROMPT} {program.name}", folder=tmp_path)
    assert_told(program, done, program.failed, "The call to the model ended without an answer")
    assert stand_in.calls()["billed"] == 1


def assert_told(program: Program, done: CompletedProcess[str], words: str, sentence: str) -> None:
    """Check that a client told a failure in its own words and, if it can, with the service's sentence."""
    said = done.stdout + done.stderr
    told = [line for line in said.splitlines() if words in line]
    assert told, said[-4000:]
    # In the same line, because some programs also print the whole body of the reply.
    assert any(sentence in line for line in told) is not bool(program.mute), said[-4000:]
