"""What the stand-in paints, without a server."""

import io
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from local.bedrock.gallery import Gallery
from local.bedrock.picture_request import PictureRequest
from local.bedrock.sdxl import SIZES, STYLE_PRESETS
from local.painter import paint
from local.painter.painting import CAPTION, caption_height
from local.painter.places import LANDS, place_of
from local.painter.scenes import SCENES
from local.painter.styles import STYLES, style_of

CHECKOUT = Path(__file__).parents[2]
TEA = PictureRequest(
    prompts=(("Sri lanka tea plantation.", 1.0),), seed=4, width=1024, height=1024, style="photographic"
)
ONE_OF_EACH_SCENE = ["tea", "sea", "desert", "city", "forest", "mountains", "meadow", "hills"]
IN_ANOTHER_PROCESS = """
import hashlib, sys
from tests.unit.test_painting import TEA, file_of
print(hashlib.sha256(file_of(TEA)).hexdigest())
"""


def asked(
    text: str = "a quiet place", *, seed: int = 1, style: str = "", size: tuple[int, int] = (1024, 1024)
) -> PictureRequest:
    """Return a request for a picture."""
    return PictureRequest(prompts=((text, 1.0),), seed=seed, width=size[0], height=size[1], style=style)


def file_of(request: PictureRequest, *, blurred: bool = False, output_format: str = "png") -> bytes:
    """Return the file that the painter makes of a request."""
    return paint(
        prompts=request.prompts,
        seed=request.seed,
        width=request.width,
        height=request.height,
        style=request.style,
        blurred=blurred,
        output_format=output_format,
    )


def picture_of(request: PictureRequest, *, blurred: bool = False) -> Image.Image:
    """Return the picture in that file."""
    return Image.open(io.BytesIO(file_of(request, blurred=blurred)))


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of two pictures' channels, 0…255."""
    return float(np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).mean())


def test_the_same_request_gives_the_same_bytes() -> None:
    """Painting twice makes one file."""
    assert file_of(TEA) == file_of(TEA)


def test_another_process_paints_the_same_bytes() -> None:
    """No hash of a string, no clock and no order of a set is in a picture."""
    result = subprocess.run(  # noqa: S603 - a program of this file's own
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        cwd=CHECKOUT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == sha256(file_of(TEA)).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        asked("Sri lanka tea plantation.", seed=4, style="cinematic"),
        asked("Sri lanka tea plantation.", seed=5, style="photographic"),
        asked("Sri lanka tea plantation at night.", seed=4, style="photographic"),
        asked("A tea plantation in Sri lanka.", seed=4, style="photographic"),
        asked("The sea.", seed=4, style="photographic"),
    ],
    ids=["style", "seed", "light", "wording", "place"],
)
def test_a_different_request_is_visibly_different(other: PictureRequest) -> None:
    """One word, seed or style more is another picture, far beyond its grain."""
    assert difference(picture_of(TEA), picture_of(other)) > 8


def test_a_negative_prompt_makes_another_picture() -> None:
    """What is to be avoided is part of the request."""
    avoiding = PictureRequest(
        prompts=(*TEA.prompts, ("rain", -1.0)), seed=4, width=1024, height=1024, style="photographic"
    )

    assert difference(picture_of(TEA), picture_of(avoiding)) > 8


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_picture_has_the_size_that_was_asked_for(size: tuple[int, int]) -> None:
    """All nine sizes of the contract are painted as they are."""
    assert picture_of(asked(size=size)).size == size


@pytest.mark.parametrize("word", ONE_OF_EACH_SCENE)
def test_a_png_is_as_large_as_a_real_one(word: str) -> None:
    """At 1024x1024 every scene makes a file of 1 to 2 MB."""
    assert 1_000_000 <= len(file_of(asked(word))) <= 2_000_000


@pytest.mark.parametrize("style", STYLE_PRESETS)
def test_a_style_keeps_the_file_in_that_range(style: str) -> None:
    """A flat style, too, carries grain."""
    assert 1_000_000 <= len(file_of(asked("a city at night", style=style))) <= 2_000_000


def test_every_style_of_the_contract_has_a_finish() -> None:
    """A style preset always changes the picture."""
    assert {"", *STYLE_PRESETS} == set(STYLES)


@pytest.mark.parametrize("word", ONE_OF_EACH_SCENE)
def test_a_word_names_its_scene(word: str) -> None:
    """The scenes are reached by their own names."""
    assert place_of(f"A picture of {word}", "").kind == word


def test_every_land_has_a_scene() -> None:
    """A palette without a painter would fail only for its own prompts."""
    assert set(LANDS) == set(SCENES) == set(ONE_OF_EACH_SCENE)


def test_a_prompt_of_no_known_word_has_a_place_all_the_same() -> None:
    """An empty prompt, or another script, is painted too."""
    assert {place_of("", "").kind, place_of("紅茶の農園", "").kind} <= set(SCENES)


def test_words_ask_for_a_style_where_no_preset_can() -> None:
    """A dialect without style presets says the style in the prompt."""
    assert style_of("a village, pixel art style", "") == "pixel-art"
    assert style_of("a village as line-art", "") == "line-art"
    assert style_of("a watercolor of a village", "") == "digital-art"
    assert style_of("enhance the village", "") == ""


def test_a_preset_wins_over_the_words() -> None:
    """The parameter is what was asked for."""
    assert style_of("a village, pixel art style", "origami") == "origami"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_caption_stands_in_a_dark_bar_at_the_bottom(size: tuple[int, int]) -> None:
    """Light letters on a dark ground, on the left, at every size."""
    picture = np.asarray(picture_of(asked("a bright day", size=size)).convert("L"))
    bar = picture[-caption_height(*size) :]
    letters = bar[:, : size[0] // 3]

    assert CAPTION == "local stand-in"
    assert np.median(bar) < 100
    assert (letters > 200).mean() > 0.015


def test_the_caption_can_be_read_when_the_picture_is_blurred() -> None:
    """A filtered picture is stamped after it is blurred."""
    bar = slice(1024 - caption_height(1024, 1024), 1024)
    blurred = np.asarray(picture_of(TEA, blurred=True).convert("L"))[bar]

    assert (blurred[:, :300] > 200).mean() > 0.015


def test_a_blurred_picture_has_lost_its_edges() -> None:
    """Neighbouring rows of a filtered picture differ by little but grain."""
    sharp, blurred = (
        np.asarray(picture_of(TEA, blurred=flag).convert("L"), np.float32)[600:980] for flag in (False, True)
    )

    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.6 * np.abs(np.diff(sharp, axis=0)).mean()


@pytest.mark.parametrize(("output_format", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_file_is_of_the_format_asked_for(output_format: str, name: str) -> None:
    """The three formats of the family are written."""
    with Image.open(io.BytesIO(file_of(asked(), output_format=output_format))) as image:
        assert (image.format, image.size) == (name, (1024, 1024))


def test_a_png_says_in_its_metadata_that_no_model_painted_it() -> None:
    """Cropping the caption does not make it a model's picture."""
    with Image.open(io.BytesIO(file_of(asked()))) as image:
        assert "local stand-in" in image.info["Software"]


@pytest.mark.parametrize("size", [(64, 64), (64, 2048), (2048, 64), (101, 333)], ids=str)
def test_odd_sizes_are_painted_too(size: tuple[int, int]) -> None:
    """A rule may ask for a wrong size, however small."""
    assert picture_of(asked("forest", size=size)).size == size


def test_the_gallery_keeps_what_it_has_painted() -> None:
    """The same request is answered with the very same text."""
    gallery = Gallery()

    assert gallery.picture(TEA) is gallery.picture(TEA)


def test_an_instant_gallery_paints_one_picture_a_size() -> None:
    """Prompt and seed are passed over, the size is not."""
    gallery = Gallery()
    first = gallery.picture(asked("sea", seed=1), instant=True)

    assert gallery.picture(asked("city", seed=2), instant=True) is first
    assert gallery.picture(asked("city", seed=2, size=(1344, 768)), instant=True) != first
