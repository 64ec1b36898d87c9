"""A failure is a sentence or two that say what happened, whether it was paid for, and what to do."""

from __future__ import annotations

import sys

import pytest
from rich.table import Table

from imagegen_client import errors
from imagegen_client.command_line.reporting import (
    StdoutClosed,
    dollars,
    problem,
    say,
    sentence,
    shown,
    who_of,
    write_table,
)
from imagegen_client.errors import ERROR_TYPES, FieldError

KEY = "k" * 16
STILL = "The image is still being made."
CODES: dict[type[object], tuple[str, int]] = {
    errors.CallerError: ("caller", 2),
    errors.WaitError: ("time", 3),
    errors.OperatorError: ("operator", 4),
    errors.ServiceError: ("service", 5),
}


@pytest.mark.parametrize("kind", ERROR_TYPES.values(), ids=lambda kind: kind.code)
def test_the_exit_code_says_who_can_act(kind: type[errors.ImagegenError]) -> None:
    """So does the JSON."""
    error = kind("Something is so.")
    assert who_of(error) == CODES[kind.__bases__[0]]
    assert (problem(error)["who"], problem(error)["exit_code"]) == who_of(error)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in ERROR_TYPES.values() if kind is not errors.InProgress],
    ids=lambda kind: kind.code,
)
@pytest.mark.parametrize("charged", ["no", "yes", "maybe"])
def test_a_sentence_says_whether_it_was_paid_for(
    kind: type[errors.ImagegenError], charged: errors.Charged
) -> None:
    """In plain words, whatever the code."""
    words = {"no": "Nothing was paid", "yes": "The request was paid for", "maybe": "Nobody can know whether"}
    assert words[charged] in sentence(kind("Something is so.", charged=charged))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            errors.InProgress(STILL, generation_id="gen_a"),
            "`imagegen save gen_a` waits for it, and gets it at no further cost.",
        ),
        (
            errors.InProgress(STILL, idempotency_key=KEY),
            f"To ask again without paying twice, add `--idempotency-key {KEY}`.",
        ),
    ],
)
def test_a_picture_that_is_being_made_may_be_paid_for(error: errors.InProgress, words: str) -> None:
    """The service says that the repeated request was not paid; people ask about the picture."""
    assert sentence(error) == f"{STILL} It is not done, and may be paid for. {words}"
    assert problem(error)["charged"] == "maybe"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.ConnectionLost("Lost.", idempotency_key=KEY), f"add `--idempotency-key {KEY}`"),
        (
            errors.ModelTimeout("Late.", replayed=True, idempotency_key=KEY),
            "Another key makes another picture",
        ),
        (errors.BadModelResponse("Bad.", generation_id="gen_a"), "Another key makes another picture"),
        (errors.StoreFailed("Full.", generation_id="gen_a"), "`imagegen save gen_a`"),
        (errors.InProgress("Still.", generation_id="gen_a"), "`imagegen save gen_a`"),
        (errors.Gone("Gone.", generation_id="gen_a"), "`imagegen again gen_a`"),
        (errors.QuotaExceeded("Used up.", retry_after=7200.0), "Try again in 2 hours. `imagegen usage`"),
        (errors.RateLimited("Slow down.", retry_after=90.0), "Try again in 90 seconds"),
        (errors.Misconfigured("Broken.", request_id="r-1"), "Tell the operator. Request id: r-1."),
        (errors.Unauthorized("No."), "`imagegen config`"),
        (
            errors.InvalidParameter(
                "2 are wrong.", fields=[FieldError(field="steps", message="must be small")]
            ),
            "steps must be small.",
        ),
    ],
)
def test_a_sentence_says_what_to_do(error: errors.ImagegenError, words: str) -> None:
    """What helps depends on what is known."""
    assert words in sentence(error)


def test_a_batch_knows_its_keys() -> None:
    """The advice is to run it again."""
    lost = errors.ConnectionLost("Lost.", idempotency_key=KEY)
    assert KEY not in sentence(lost, in_batch=True)
    assert "run the same command again" in sentence(lost, in_batch=True)
    assert "--pay-again" in sentence(errors.ModelTimeout("Late.", replayed=True), in_batch=True)


def test_nothing_that_is_shown_moves_the_cursor() -> None:
    """A reply cannot change the terminal."""
    assert shown("a\x1b[2Jb\x9bc\u202ed\udc80e\nf") == "a [2Jb c d e\nf"


def test_a_table_for_a_closed_stdout_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has no object for it then."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(StdoutClosed):
        write_table(Table())


def test_words_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich would make pictures of some, and colours of others: also in the name of a file."""
    table = Table("id")
    table.add_row(":cat:")
    say(":cat: [red]x[/]")
    write_table(table)
    written = capsys.readouterr()
    assert written.err == ":cat: [red]x[/]\n"
    assert ":cat:" in written.out


def test_amounts_are_in_cents_where_that_is_exact() -> None:
    """A cheaper model costs fractions of a cent."""
    assert [dollars(each) for each in (None, 0.0, 0.04, 0.8, 0.0042, 12)] == [
        "",
        "$0.00",
        "$0.04",
        "$0.80",
        "$0.0042",
        "$12.00",
    ]
