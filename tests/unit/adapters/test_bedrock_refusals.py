"""Refusals as accounts have met them: what each is, and that nobody's prompt can make one of them.

`tests/data/refusals.json` has their texts, as people have reported them in public; ids and names are replaced.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final

import pytest

from imagegen import errors
from imagegen.adapters.bedrock.refusal_texts import REFUSALS
from imagegen.adapters.bedrock.refusals import reason_of, refusal_of
from imagegen.adapters.bedrock.runtime import ERRORS
from imagegen.errors import ImagegenError

REPORTED: Final[dict[str, list[dict[str, str]]]] = json.loads(
    (Path(__file__).parents[2] / "data/refusals.json").read_text(encoding="utf-8")
)
CASES: Final = [
    pytest.param(reason, one["exception"], one["message"], id=f"{reason} {number}")
    for reason, reported in REPORTED.items()
    for number, one in enumerate(reported)
]
PREFIX: Final = "The model returned the following errors: "
OF_THE_ACCOUNT: Final = {
    "payment",
    "marketplace_agreement",
    "model_access",
    "organization_policy",
    "not_authorized",
    "account_blocked",
    "credentials",
    "region",
    "inference_profile",
    "unsupported_operation",
}
KINDS: Final[dict[str, type[ImagegenError]]] = {
    **dict.fromkeys(OF_THE_ACCOUNT, errors.Misconfigured),
    "end_of_life": errors.ModelRetired,
    "legacy": errors.ModelRetired,
    "unknown_identifier": errors.ModelRetired,
    "throttled": errors.ModelThrottled,
    "daily_quota": errors.ModelThrottled,
    "content_filter": errors.ContentFiltered,
}


def test_every_cause_was_met_by_somebody() -> None:
    """A cause without a reported text would be a guess."""
    assert {one.reason for one in REFUSALS} == set(REPORTED) == set(KINDS)


@pytest.mark.parametrize(("reason", "exception", "message"), CASES)
def test_a_reported_refusal_is_known_by_its_whole_text(reason: str, exception: str, message: str) -> None:
    """With other apostrophes, spaces and full stops it is the same."""
    variants = (
        message,
        message.rstrip("."),
        f"{message.rstrip('.')}.",
        message.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
        message.replace(" ", "  "),
        f" {message}\n",
    )
    for variant in variants:
        found = refusal_of(exception, variant)
        assert found is not None, variant
        assert (found.reason, found.error) == (reason, KINDS[reason])


@pytest.mark.parametrize(("reason", "exception", "message"), CASES)
def test_a_text_inside_another_text_is_not_the_refusal(reason: str, exception: str, message: str) -> None:  # noqa: ARG001 - the cases have them
    """Bedrock quotes the prompt in some messages; whatever stands around a quotation makes it another text."""
    for quoted in (
        f"Malformed input request: {message}",
        f"The prompt '{message}' is not valid.",
        f"{message} is not a valid prompt",
        f"tea {message}",
        f"{message} tea",
        f'{{"detail": "{message}"}}',
        f"Value '{message}' at 'body' failed to satisfy constraint: Member must satisfy it",
        f"1 validation error detected: Value '{message}' at 'body' failed to satisfy constraint: none",
    ):
        assert refusal_of("ValidationException", quoted) is None, quoted


@pytest.mark.parametrize(("reason", "exception", "message"), CASES)
def test_what_a_model_says_retires_none_even_word_for_word(reason: str, exception: str, message: str) -> None:
    """Its words may be a prompt and nothing else. Two refusals were reported with these words in front of them."""
    found = refusal_of(exception, PREFIX + message.removeprefix(PREFIX))
    assert found is None or found.error is not errors.ModelRetired
    if exception in ERRORS:  # those of AWS's front end mean one thing, whatever they say
        assert (found is not None) is (reason in {"model_access", "content_filter"})


@pytest.mark.parametrize(("reason", "exception", "message"), CASES)
def test_a_text_counts_only_with_an_exception_that_has_carried_it(
    reason: str, exception: str, message: str
) -> None:
    """A prompt that Bedrock repeats word for word in a ValidationException says nothing about the account's models."""
    seen = {one["exception"] for one in REPORTED[reason] if one["message"] == message}
    for other in (
        {"ValidationException", "ThrottlingException", "ServiceUnavailableException"} - seen - {exception}
    ):
        found = refusal_of(other, message)
        assert found is None or found.reason in {reason, "account_blocked", "model_access"}, other
        assert found is None or other in found.exceptions
        if reason in {"end_of_life", "legacy"}:
            assert found is None


@pytest.mark.parametrize(
    "name",
    ["ModelTimeoutException", "ModelErrorException", "ModelStreamErrorException", "InternalServerException"],
)
def test_after_a_call_that_may_be_paid_no_text_counts(name: str) -> None:
    """The model may have worked, whatever it says."""
    for reported in REPORTED.values():
        assert all(refusal_of(name, one["message"]) is None for one in reported)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ThrottlingException", "throttled"),
        ("ServiceQuotaExceededException", "quota"),
        ("AccessDeniedException", "unexplained"),
        ("ValidationException", "unexplained"),
    ],
)
def test_a_refusal_that_no_text_describes_is_named_by_its_exception(name: str, reason: str) -> None:
    """The log says so, and has Bedrock's id of the request for AWS's support."""
    assert reason_of(name, refusal_of(name, "Words that nobody has seen.")) == reason


@pytest.mark.parametrize(
    "attack",
    [
        "User: " + "a" * 100_000,
        "Access to " + "a " * 50_000 + "models",
        "Model access is denied due to " + "User: a is not authorized to perform: " * 2_000,
        "1 validation error detected: Value '" + "a" * 3_900 + "'",
        "1 validation error detected: Value 'a' at 'modelId' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: " + "a" * 3_000,
        "This Model is marked by provider as Legacy" + " and" * 900,
        "." * 3_999,
        " " * 1_000_000,
    ],
    ids=lambda attack: attack[:20],
)
def test_no_message_costs_much(attack: Any) -> None:
    """Each expression is bounded. The CPU time is compared with that of a message that fits, many times over."""
    began = time.process_time()
    for _ in range(20):
        refusal_of("ValidationException", "tea")
    usual = time.process_time() - began
    began = time.process_time()
    refusal_of("ValidationException", attack)
    assert time.process_time() - began < 1 + usual
