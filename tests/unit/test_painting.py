"""The pictures that the painter paints for the stand-in, tested without a server."""

import io
import subprocess
import sys
from functools import cache
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
from tests.support.depth import at_depth

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


painted = cache(file_of)


def picture_of(request: PictureRequest, *, blurred: bool = False) -> Image.Image:
    """Return the picture that the painter paints for a request."""
    return Image.open(io.BytesIO(painted(request, blurred=blurred)))


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of two pictures' channels, from 0 to 255."""
    return float(np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).mean())


def test_the_same_request_gives_the_same_bytes() -> None:
    """The painter makes identical files of equal requests."""
    assert file_of(TEA) == file_of(TEA)


def test_another_process_paints_the_same_bytes() -> None:
    """A picture depends on no string hash, no clock and no order of a set."""
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
    """Another word, seed or style gives another picture; the difference is far larger than the grain."""
    assert difference(picture_of(TEA), picture_of(other)) > 8


def test_a_negative_prompt_makes_another_picture() -> None:
    """A prompt of negative weight changes the picture, because it is part of the request."""
    avoiding = PictureRequest(
        prompts=(*TEA.prompts, ("rain", -1.0)), seed=4, width=1024, height=1024, style="photographic"
    )

    assert difference(picture_of(TEA), picture_of(avoiding)) > 8


@pytest.mark.parametrize("size", at_depth(thorough=SIZES, usual=SIZES[1::4]), ids=str)
def test_a_picture_has_the_size_that_was_asked_for(size: tuple[int, int]) -> None:
    """The painter paints all nine sizes of the contract exactly."""
    assert picture_of(asked(size=size)).size == size


@pytest.mark.parametrize("word", ONE_OF_EACH_SCENE)
def test_a_png_is_as_large_as_a_real_one(word: str) -> None:
    """At 1024x1024 every scene makes a file of 1 to 2 MB."""
    assert 1_000_000 <= len(file_of(asked(word))) <= 2_000_000


@pytest.mark.parametrize("style", at_depth(thorough=STYLE_PRESETS, usual=STYLE_PRESETS[::3]))
def test_a_style_keeps_the_file_in_that_range(style: str) -> None:
    """Flat styles have grain as well, so no style makes a file smaller than 1 MB or larger than 2 MB."""
    assert 1_000_000 <= len(file_of(asked("a city at night", style=style))) <= 2_000_000


def test_every_style_of_the_contract_has_a_finish() -> None:
    """The painter has an entry for every style preset, and one for no style."""
    assert {"", *STYLE_PRESETS} == set(STYLES)


@pytest.mark.parametrize("word", ONE_OF_EACH_SCENE)
def test_a_word_names_its_scene(word: str) -> None:
    """The name of a scene in a prompt chooses that scene."""
    assert place_of(f"A picture of {word}", "").kind == word


def test_every_land_has_a_scene() -> None:
    """Every palette has a scene that uses it; a missing scene would fail only for certain prompts."""
    assert set(LANDS) == set(SCENES) == set(ONE_OF_EACH_SCENE)


def test_a_prompt_of_no_known_word_has_a_place_all_the_same() -> None:
    """An empty prompt and a prompt in another script get a known scene as well."""
    assert {place_of("", "").kind, place_of("紅茶の農園", "").kind} <= set(SCENES)


def test_words_ask_for_a_style_where_no_preset_can() -> None:
    """The painter finds the style in the prompt, for dialects that have no style presets."""
    assert style_of("a village, pixel art style", "") == "pixel-art"
    assert style_of("a village as line-art", "") == "line-art"
    assert style_of("a watercolor of a village", "") == "digital-art"
    assert style_of("enhance the village", "") == ""


def test_a_preset_wins_over_the_words() -> None:
    """The style preset counts when the prompt names another style."""
    assert style_of("a village, pixel art style", "origami") == "origami"


@pytest.mark.parametrize("size", at_depth(thorough=SIZES, usual=SIZES[::3]), ids=str)
def test_the_caption_stands_in_a_dark_bar_at_the_bottom(size: tuple[int, int]) -> None:
    """At every size, the caption has light letters on a dark bar, and starts on the left."""
    picture = np.asarray(picture_of(asked("a bright day", size=size)).convert("L"))
    bar = picture[-caption_height(*size) :]
    letters = bar[:, : size[0] // 3]

    assert CAPTION == "local stand-in"
    assert np.median(bar) < 100
    assert (letters > 200).mean() > 0.015


def test_the_caption_can_be_read_when_the_picture_is_blurred() -> None:
    """The painter writes the caption after it blurs a filtered picture."""
    bar = slice(1024 - caption_height(1024, 1024), 1024)
    blurred = np.asarray(picture_of(TEA, blurred=True).convert("L"))[bar]

    assert (blurred[:, :300] > 200).mean() > 0.015


def test_a_blurred_picture_has_lost_its_edges() -> None:
    """Neighbouring rows of a filtered picture differ by little more than the grain."""
    sharp, blurred = (
        np.asarray(picture_of(TEA, blurred=flag).convert("L"), np.float32)[600:980] for flag in (False, True)
    )

    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.6 * np.abs(np.diff(sharp, axis=0)).mean()


@pytest.mark.parametrize(("output_format", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_the_file_is_of_the_format_asked_for(output_format: str, name: str) -> None:
    """The painter writes the three formats that Stable Image offers."""
    with Image.open(io.BytesIO(file_of(asked(), output_format=output_format))) as image:
        assert (image.format, image.size) == (name, (1024, 1024))


def test_a_png_says_in_its_metadata_that_no_model_painted_it() -> None:
    """The metadata still names the stand-in when somebody crops the caption."""
    with Image.open(io.BytesIO(file_of(asked()))) as image:
        assert "local stand-in" in image.info["Software"]


@pytest.mark.parametrize("size", [(64, 64), (64, 2048), (2048, 64), (101, 333)], ids=str)
def test_odd_sizes_are_painted_too(size: tuple[int, int]) -> None:
    """The painter paints any size, because a rule may ask for a wrong one."""
    assert picture_of(asked("forest", size=size)).size == size


def test_the_gallery_keeps_what_it_has_painted() -> None:
    """The gallery returns the same string object for an equal request."""
    gallery = Gallery()

    assert gallery.picture(TEA) is gallery.picture(TEA)


def test_an_instant_gallery_paints_one_picture_a_size() -> None:
    """An instant gallery ignores prompt and seed; only the size makes another picture."""
    gallery = Gallery()
    first = gallery.picture(asked("sea", seed=1), instant=True)

    assert gallery.picture(asked("city", seed=2), instant=True) is first
    assert gallery.picture(asked("city", seed=2, size=(1344, 768)), instant=True) != first
