"""The XMP packet says that an image is generated, by which model and under which id, and nothing else unless asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.generations.marks import MAX_PROMPT_BYTES, Marking, packet, prompt_information, says_generated
from tests.support.marks import GENERATED, properties

TEA = {"text": "Sri lanka tea plantation.", "weight": 1.0}


def test_the_packet_says_that_a_model_made_the_image() -> None:
    """The properties are IPTC's and XMP's own; no prompt, no owner and no time are among them."""
    marking = Marking()
    assert properties(marking.packet(id_="gen_a", model="m", parameters={"text_prompts": [TEA]})) == {
        "Iptc4xmpExt:DigitalSourceType": GENERATED,
        "Iptc4xmpExt:AISystemUsed": "m",
        "xmp:CreatorTool": "m",
        "dc:identifier": "gen_a",
    }


def test_the_prompt_is_embedded_only_if_asked_for() -> None:
    """It is IPTC's property for what a model was asked."""
    xmp = Marking(prompts=True).packet(id_="gen_a", model="m", parameters={"text_prompts": [TEA]})
    assert properties(xmp)["Iptc4xmpExt:AIPromptInformation"] == TEA["text"]


def test_a_packet_has_the_wrapper_that_programs_search_for() -> None:
    """A program that does not know the file's format finds the packet by it, and must not change it."""
    xmp = packet(id_="gen_a", model="m")
    assert xmp.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert xmp.endswith(b'<?xpacket end="r"?>')


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_text_makes_a_packet_that_can_be_read(prompt: str, model: str) -> None:
    """What XML cannot hold is replaced, and everything else comes back as it was."""
    found = properties(packet(id_="gen_a", model=model, prompt=prompt))
    written = found.get("Iptc4xmpExt:AIPromptInformation") or ""
    assert len(written) == len(prompt)
    assert all(other in {one, "\ufffd"} for one, other in zip(prompt, written, strict=True))


def test_half_a_surrogate_pair_is_a_question_mark() -> None:
    """It has no bytes in UTF-8."""
    found = properties(packet(id_="gen_a", model="m", prompt="a\ud800b"))
    assert found["Iptc4xmpExt:AIPromptInformation"] == "a?b"


@pytest.mark.parametrize("text", ["<&>\"'", "a\r\nb\rc\t", " both ends ", "]]>", "日本語 🍵"])
def test_what_xml_has_signs_of_its_own_for_survives(text: str) -> None:
    """A prompt can neither end its element nor lose its line breaks."""
    assert properties(packet(id_="gen_a", model="m", prompt=text))["Iptc4xmpExt:AIPromptInformation"] == text


@pytest.mark.parametrize(("length", "held"), [(MAX_PROMPT_BYTES, True), (MAX_PROMPT_BYTES + 1, False)])
def test_a_prompt_that_is_too_long_is_left_out(length: int, held: bool) -> None:  # noqa: FBT001
    """The rest of the mark is written all the same."""
    found = properties(packet(id_="gen_a", model="m", prompt="x" * length))
    assert ("Iptc4xmpExt:AIPromptInformation" in found) is held
    assert found["Iptc4xmpExt:DigitalSourceType"] == GENERATED


def test_several_prompts_are_lines_of_weight_and_text() -> None:
    """So what was to be avoided is told from what was to be drawn."""
    task = TextToImage(text_prompts=(Prompt(text="tea"), Prompt(text="people", weight=-0.5)))
    assert prompt_information(task.parameters()) == "1: tea\n-0.5: people"
    alone = TextToImage(text_prompts=(Prompt(text="people", weight=-1.0),))
    assert prompt_information(alone.parameters()) == "-1: people"
    assert prompt_information({}) == ""


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (GENERATED.encode(), True),
        (GENERATED.replace("http:", "https:").encode(), True),
        (b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture", False),
        (b"", False),
    ],
)
def test_another_writers_word_for_generated_is_recognised(said: bytes, found: bool) -> None:  # noqa: FBT001
    """Both spellings of the scheme are in use."""
    assert says_generated(b"<x>" + said + b"</x>") is found
