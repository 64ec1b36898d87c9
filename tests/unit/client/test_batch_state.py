"""The keys of a batch are the same in every run, and other lines have other keys."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from imagegen_client import ImageRequest
from imagegen_client.command_line.batch_input import Item
from imagegen_client.command_line.batch_state import NAME, Done, Planned, State, _begin
from imagegen_client.errors import InvalidConfiguration

URL = "https://api.example.com/v1"


def items(*prompts: str) -> list[Item]:
    """Return one item for each prompt."""
    return [
        Item(line=number, request=ImageRequest(prompt=each)) for number, each in enumerate(prompts, start=1)
    ]


def keys(folder: Path, *prompts: str) -> list[str]:
    """Return the keys that a run in this folder would use."""
    return [each.key for each in State.open(folder, url=URL).plan(items(*prompts))]


def finish(folder: Path, planned: Planned, *, cost: float = 0.04) -> None:
    """Put a picture in place, and write it down."""
    (folder / planned.file).write_bytes(b"png")
    State.open(folder, url=URL).add(Done(key=planned.key, file=planned.file, id="gen_a", cost_usd=cost))


def test_a_second_run_has_the_same_keys(tmp_path: Path) -> None:
    """They have the form that the service takes, and no two are equal: also not those of equal lines."""
    first = keys(tmp_path, "tea", "tea", "mist")
    assert keys(tmp_path, "tea", "tea", "mist") == first
    assert len(set(first)) == 3
    assert all(re.fullmatch("[a-z0-9]{16,64}", each) for each in first)


def test_keys_outlive_an_update_of_the_command(tmp_path: Path) -> None:
    """With other keys, an update in the middle of a batch would pay for everything again."""
    (tmp_path / NAME).write_text(f'{{"batch": "{"0" * 32}", "url": "{URL}"}}\n', encoding="utf-8")
    request = ImageRequest(prompt="tea", negative=("people",), seed=7, style_preset="anime", extras={"a": 1})
    (planned,) = State.open(tmp_path, url=URL).plan([Item(line=1, request=request)])
    assert planned.key == "0a946a080b96311a9cae06d65291304868899e0ed39d1cf2"


def test_another_folder_is_another_batch(tmp_path: Path) -> None:
    """The same line is another picture there."""
    (tmp_path / "other").mkdir()
    assert keys(tmp_path, "tea") != keys(tmp_path / "other", "tea")


def test_lines_that_move_keep_their_keys(tmp_path: Path) -> None:
    """A new line at the top does not make everything be paid for again."""
    tea, second_tea, mist = keys(tmp_path, "tea", "tea", "mist")
    assert keys(tmp_path, "new", "mist", "tea", "tea")[1:] == [mist, tea, second_tea]


def test_a_picture_that_is_there_is_done(tmp_path: Path) -> None:
    """It keeps its file when lines move; without the file it is not done, and has the same key."""
    (planned,) = State.open(tmp_path, url=URL).plan(items("tea"))
    assert (planned.file, planned.done) == ("0001-tea.png", None)
    finish(tmp_path, planned)
    new, old = State.open(tmp_path, url=URL).plan(items("tea two", "tea"))
    assert old.done is not None
    assert (old.key, old.file, new.file, new.done) == (planned.key, "0001-tea.png", "0001-tea-two.png", None)
    (tmp_path / "0001-tea.png").unlink()
    (gone,) = State.open(tmp_path, url=URL).plan(items("tea"))
    assert (gone.key, gone.file, gone.done) == (planned.key, "0001-tea.png", None)


def test_a_file_has_the_suffix_of_its_format(tmp_path: Path) -> None:
    """A line of the batch may ask for another format."""
    item = Item(line=1, request=ImageRequest(prompt="tea", output_format="webp"), output=None)
    (planned,) = State.open(tmp_path, url=URL).plan([item])
    assert planned.file == "0001-tea.webp"


def test_two_lines_never_have_the_same_file(tmp_path: Path) -> None:
    """A name that is taken is made different by the key."""
    named = [
        Item(line=1, request=ImageRequest(prompt="tea"), output="tea.png"),
        Item(line=2, request=ImageRequest(prompt="mist"), output="tea.png"),
    ]
    first, second = State.open(tmp_path, url=URL).plan(named)
    assert (first.file, second.file) == ("tea.png", f"tea-{second.key[:8]}.png")


@pytest.mark.parametrize(
    "torn",
    [
        '{"key": "abc',
        "\x00\xff",
        '{"key": 1}\n[]\n',
        '{"key": [], "file": "a", "id": "gen_a", "cost_usd": 0.04}',
        '{"key": "a", "file": "a", "id": "gen_a", "cost_usd": "0.04"}',
        '{"lost": "a", "cost_usd": null}',
        '{"name": {}, "attempt": 1}',
        '{"name": "a", "attempt": "1"}',
        '{"lost": "a", "cost_usd": NaN}',
        "[" * 100_000,
    ],
    ids=range(10),
)
def test_a_line_that_a_dying_run_left_half_written_does_no_harm(tmp_path: Path, torn: str) -> None:
    """It is left out, and what is written after it is read."""
    (planned,) = State.open(tmp_path, url=URL).plan(items("tea"))
    with (tmp_path / NAME).open("a", encoding="latin-1") as file:
        file.write(torn)
    finish(tmp_path, planned)
    state = State.open(tmp_path, url=URL)
    (again,) = state.plan(items("tea"))
    assert again.done is not None
    assert state.cost_usd == 0.04


def test_a_batch_belongs_to_its_service(tmp_path: Path) -> None:
    """Another service does not know the keys, so everything would be paid for again."""
    State.open(tmp_path, url=URL)
    with pytest.raises(InvalidConfiguration, match="a batch of another service"):
        State.open(tmp_path, url="https://other.example.com/v1")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00"])
def test_a_damaged_state_is_a_sentence(tmp_path: Path, text: str) -> None:
    """To begin anew would pay for everything again, so that is left to the person."""
    (tmp_path / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match="is damaged"):
        State.open(tmp_path, url=URL)


def test_costs_are_those_of_all_runs(tmp_path: Path) -> None:
    """A failure that may have been paid counts, once."""
    state = State.open(tmp_path, url=URL)
    tea, mist = state.plan(items("tea", "mist"))
    finish(tmp_path, tea)
    state = State.open(tmp_path, url=URL)
    state.lose(mist, 0.08)
    state.lose(mist, 0.08)
    assert State.open(tmp_path, url=URL).cost_usd == pytest.approx(0.12)


def test_a_failure_that_ends_in_its_picture_is_paid_once(tmp_path: Path) -> None:
    """The key is the same, in whichever order the two were written down."""
    state = State.open(tmp_path, url=URL)
    tea, mist = state.plan(items("tea", "mist"))
    assert state.lose(tea, 0.04) == pytest.approx(0.04)
    assert state.lose(tea, 0.04) == 0.0
    state.add(Done(key=tea.key, file=tea.file, id="gen_a", cost_usd=0.04))
    assert state.cost_usd == pytest.approx(0.04)
    state.add(Done(key=mist.key, file=mist.file, id="gen_b", cost_usd=0.04))
    assert state.lose(mist, 0.04) == 0.0
    assert state.cost_usd == pytest.approx(0.08)
    assert State.open(tmp_path, url=URL).cost_usd == pytest.approx(0.08)


def test_a_line_that_is_paid_again_has_another_key_from_then_on(tmp_path: Path) -> None:
    """Its place in the batch stays."""
    state = State.open(tmp_path, url=URL)
    tea, mist = state.plan(items("tea", "mist"))
    renewed = state.renewed(tea)
    assert renewed.key != tea.key
    assert keys(tmp_path, "tea", "mist") == [renewed.key, mist.key]


def test_two_runs_that_begin_at_once_are_one_batch(tmp_path: Path) -> None:
    """The second finds the first one's name, although it saw no file when it looked."""
    _begin(tmp_path / NAME, {"batch": "first", "url": URL})
    _begin(tmp_path / NAME, {"batch": "second", "url": URL})
    assert (tmp_path / NAME).read_text(encoding="utf-8").count("first") == 1
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some memory cards and network folders have none."""

    def refuse(_: Path, __: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    first = keys(tmp_path, "tea")
    assert keys(tmp_path, "tea") == first
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
