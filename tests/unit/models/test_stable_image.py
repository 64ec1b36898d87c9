"""The Stable Image dialects translate seeds, sizes, styles and long prompts into what the models take."""

from __future__ import annotations

import pytest

from imagegen.contracts.text_to_image.parameters import SIZES, STYLE_PRESETS
from imagegen.errors import UnsupportedParameter
from imagegen.models.stable_image import ASPECT_RATIOS, STYLE_WORDS
from tests.support.translations import CORE, SD3, ULTRA, prompts, translated


@pytest.mark.parametrize("model_id", SD3)
def test_a_seed_beyond_sd3s_bound_becomes_the_bound_and_is_named(model_id: str) -> None:
    """SD3's greatest seed is one less than the contract's, so the changed seed is named as ignored."""
    translation = translated(model_id, seed=4294967295, steps=31)
    assert (translation.body["seed"], translation.seed) == (4294967294, 4294967294)
    assert translation.ignored == ("seed", "steps")


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((1024, 1024), "1:1"),
        ((1152, 896), "5:4"),
        ((1216, 832), "3:2"),
        ((1344, 768), "16:9"),
        ((1536, 640), "21:9"),
        ((640, 1536), "9:21"),
        ((768, 1344), "9:16"),
        ((832, 1216), "2:3"),
        ((896, 1152), "4:5"),
    ],
)
def test_each_size_becomes_the_nearest_ratio(size: tuple[int, int], ratio: str) -> None:
    """The table lists all nine sizes of the contract."""
    width, height = size
    body = translated(CORE[0], width=width, height=height).body
    assert body["aspect_ratio"] == ratio


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("3d-model", "3D model render"),
        ("analog-film", "analog film photograph"),
        ("anime", "anime style"),
        ("cinematic", "cinematic film still"),
        ("comic-book", "comic book illustration"),
        ("digital-art", "digital art"),
        ("enhance", "highly detailed, enhanced"),
        ("fantasy-art", "fantasy art"),
        ("isometric", "isometric illustration"),
        ("line-art", "line art drawing"),
        ("low-poly", "low poly art"),
        ("modeling-compound", "sculpted in modeling compound"),
        ("neon-punk", "neon punk style"),
        ("origami", "folded paper origami"),
        ("photographic", "photograph, photorealistic"),
        ("pixel-art", "pixel art"),
        ("tile-texture", "seamless tile texture"),
    ],
)
def test_each_style_becomes_words_at_the_end(preset: str, words: str) -> None:
    """The table lists all seventeen style presets."""
    body = translated(CORE[0], style_preset=preset).body
    assert body["prompt"] == f"A tea plantation, {words}"


def test_sizes_and_styles_are_all_translated() -> None:
    """The dialect's two tables have exactly the values of the contract."""
    assert set(ASPECT_RATIOS) == set(SIZES)
    assert set(STYLE_WORDS) == set(STYLE_PRESETS)


def test_prompts_of_ten_thousand_characters_together_are_sent() -> None:
    """Four texts of 1998 characters, one of 2000 and four separators of two are exactly the model's limit."""
    texts = prompts(*(("a" * 1998, 1.0),) * 4, ("a" * 2000, 1.0))
    assert len(translated(CORE[0], **texts).body["prompt"]) == 10_000


@pytest.mark.parametrize("weight", [1.0, -1.0])
@pytest.mark.parametrize("model_id", [*CORE, *ULTRA, *SD3])
def test_longer_prompts_are_refused_by_name_without_being_quoted(model_id: str, weight: float) -> None:
    """One character more is refused before the model is called; negative prompts have the same limit."""
    texts = prompts(*(("a" * 1998, weight),) * 3, ("a" * 1999, weight), ("a" * 2000, weight))
    with pytest.raises(UnsupportedParameter) as caught:
        translated(model_id, **texts)
    assert [error.field for error in caught.value.errors] == ["text_prompts"]
    assert "aaa" not in f"{caught.value}{caught.value.errors}"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (r"saber \(fate\), sword", "saber fate, sword"),
        (r"smile :\), \(o_o\)", "smile :, o_o"),
        (r"twice escaped \\(fate\\)", "twice escaped fate"),
        ("misty (hills:1.2) at dawn", "misty hills at dawn"),
        ("(masterpiece:1.4), (best quality:1.2), 1girl", "masterpiece, best quality, 1girl"),
        ("(red:1.2)(blue:0.8)", "red blue"),
        ("((very (deep:1.1)) lake:1.3) shore", "very deep lake shore"),
        ("(hills : 1.2 )", "hills"),
        ("(hills:.5) (lake:-1) (shore:+2)", "hills lake shore"),
        (r"(kaguya \(character\):1.2)", "kaguya character"),
        ("f(x) at 16:9, 12:30 o'clock", "f x at 16:9, 12:30 o'clock"),
        ("a smile :)", "a smile :"),
        ("open ((and never closed", "open and never closed"),
        ("[hills:lake:0.5] <lora:ink:0.8>", "[hills:lake:0.5] <lora:ink:0.8>"),
        ("C:\\temp", "C:\\temp"),
    ],
)
def test_marks_inside_a_weighted_text_are_left_out_whole(text: str, sent: str) -> None:
    """An escape goes with its parenthesis, an inner weight with its group; the words of both stay."""
    body = translated(CORE[0], **prompts(("tea", 1.0), (text, 0.5))).body
    assert body["prompt"] == f"tea, ({sent}:0.5)"
    untouched = translated(CORE[0], **prompts(("tea", 1.0), (text, 1.0))).body
    assert untouched["prompt"] == f"tea, {text}"


@pytest.mark.parametrize("text", ["()", r"\(\)", "((:1.2))", " ( ) "])
def test_a_weighted_text_of_marks_alone_is_left_out(text: str) -> None:
    """No empty group is sent."""
    assert translated(CORE[0], **prompts(("tea", 1.0), (text, 0.5))).body["prompt"] == "tea"
