"""Every line of a batch is read before anything is asked for, and a line that cannot be used is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from imagegen_client import ImageRequest, Prompt
from imagegen_client.command_line import batch_input
from imagegen_client.command_line.batch_input import Item


def read(text: str, source: str = "tea.txt") -> list[Item]:
    """Return the items of a text."""
    return batch_input.items(text, source=source, kind="auto")


def test_each_line_that_is_not_blank_is_a_prompt() -> None:
    """Line numbers are those of the file."""
    assert [(item.line, item.request.prompt) for item in read("tea\r\n\n  \n a {green} one \n#4")] == [
        (1, "tea"),
        (4, "a {green} one"),
        (5, "#4"),
    ]


def test_separators_within_a_line_do_not_end_it() -> None:
    """Python's `splitlines` would make two prompts, and two payments, of each."""
    assert len(read("one\u2028line\x0band\x0cmore\x85here")) == 1


def test_a_line_may_be_an_object() -> None:
    """It has the fields of the API, and shorter words for the prompts."""
    line = {"prompt": "tea", "negative": "people", "seed": 0, "style_preset": "anime", "output": "a/tea.png"}
    whole = {"text_prompts": [{"text": "tea"}, {"text": "mist", "weight": 0.5}], "strict": True}
    first, second, third = read("\n".join([json.dumps(line), json.dumps(whole), '"a text"']))
    assert first == Item(
        line=1,
        request=ImageRequest(prompt="tea", negative=("people",), seed=0, style_preset="anime"),
        output="a/tea.png",
    )
    assert second.request == ImageRequest(
        prompt=(Prompt(text="tea"), Prompt(text="mist", weight=0.5)), strict=True
    )
    assert third.request.prompt == "a text"


@pytest.mark.parametrize(
    ("source", "kind", "count"),
    [
        ("a.jsonl", "auto", None),
        ("a.ndjson", "auto", None),
        ("-", "auto", 2),
        ("a.jsonl", "text", 2),
        ("-", "jsonl", None),
    ],
)
def test_the_name_or_the_first_line_says_what_a_line_is(
    source: str, kind: batch_input.Format, count: int | None
) -> None:
    """The option says it as well."""
    text = "tea\n{not json"
    if count is None:
        with pytest.raises(typer.BadParameter, match="line 1 is not JSON"):
            batch_input.items(text, source=source, kind=kind)
    else:
        assert len(batch_input.items(text, source=source, kind=kind)) == count


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is neither a text nor an object"),
        ("1", "is neither a text nor an object"),
        ("{}", "needs either a text `prompt`"),
        ('{"prompt": 1}', "needs either a text `prompt`"),
        ('{"prompt": "a", "text_prompts": []}', "needs either a text `prompt`"),
        ('{"text_prompts": [{"text": 1}]}', "needs either a text `prompt`"),
        ('{"text_prompts": [{"text": "a", "colour": 1}]}', "needs either a text `prompt`"),
        ('{"prompt": "a", "colour": "b"}', "unknown member 'colour'"),
        ('{"prompt": "a", "prompt": "b"}', "member 'prompt' twice"),
        ('{"prompt": "a", "cfg_scale": NaN}', "has NaN, which is not JSON"),
        ('{"prompt": "a", "cfg_scale": 1e999}', "has a number that is too large"),
        ('{"prompt": "a", "extras": {"a": ' + "[" * 200 + "]" * 200 + "}}", "is nested too deeply"),
        ('{"prompt": " "}', "has a blank prompt"),
        ('""', "has a blank prompt"),
        ('{"prompt": "a", "negative": 1}', "has a `negative`"),
        ('{"prompt": "a", "output": "/etc/passwd"}', "has an `output`"),
        ('{"prompt": "a", "output": "../a.png"}', "has an `output`"),
        ('{"prompt": "a", "output": ""}', "has an `output`"),
        ('{"prompt": "a", "output": 1}', "has an `output`"),
        ('{"prompt": "a", "output": "a\\u0000"}', "has an `output`"),
        ('{"prompt": "a", "output": "a\\ud800"}', "has an `output`"),
        ('{"prompt": "a", "output": "' + "é" * 128 + '"}', "has an `output`"),
        ('{"prompt": "a", "output": "."}', "has an `output`"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line: str, why: str) -> None:
    """The sentence says that nothing was asked for."""
    with pytest.raises(typer.BadParameter, match="line 2") as caught:
        read('{"prompt": "good"}\n' + line)
    assert why in caught.value.message
    assert "Nothing was asked for yet" in caught.value.message


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    """Missing, a folder, not text, and no path at all."""
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbftea")
    for name, why in (
        ("none", "No such file"),
        (".", "directory"),
        ("latin", "not UTF-8"),
        ("a\0b", "not a path"),
    ):
        with pytest.raises(typer.BadParameter, match=why):
            batch_input.read(str(tmp_path / name))
    assert batch_input.read(str(tmp_path / "marked")) == "tea"
