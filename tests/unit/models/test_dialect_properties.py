"""Properties of every dialect, for all valid tasks and all possible answers."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagegen.contracts.text_to_image import parameters
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import BadModelResponse, ContentFiltered, UnsupportedParameter
from imagegen.models.dialect import Artifact, Translation
from imagegen.models.registry import MODELS, Model
from local.bedrock.catalogue import MODELS as STAND_IN_MODELS

pytestmark = pytest.mark.slow

EXAMPLES = settings(max_examples=100, deadline=None)
ONE_OF_EACH_DIALECT = {id(model.dialect): model for model in MODELS}.values()
every_dialect = pytest.mark.parametrize(
    "model", [pytest.param(model, id=model.id) for model in ONE_OF_EACH_DIALECT]
)

STABLE_IMAGE_MEMBERS = {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "mode"}
SDXL_MEMBERS = {
    "text_prompts",
    "height",
    "width",
    "cfg_scale",
    "clip_guidance_preset",
    "sampler",
    "samples",
    "seed",
    "steps",
    "style_preset",
    "extras",
}

texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab():.,0123456789 \n", max_size=60),
    st.text(alphabet="x", min_size=1990, max_size=parameters.MAX_PROMPT_LENGTH),
)
weights = st.one_of(
    st.sampled_from([1.0, 0.0, -0.0, -1.0, 0.5, 1.5, 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
prompts = st.builds(Prompt, text=texts, weight=weights)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def requests(draw: st.DrawFn) -> TextToImage:
    """Generate any task that the contract allows."""
    width, height = draw(st.sampled_from(parameters.SIZES))
    return TextToImage(
        text_prompts=tuple(draw(st.lists(prompts, min_size=1, max_size=parameters.MAX_PROMPTS))),
        width=width,
        height=height,
        cfg_scale=draw(st.floats(parameters.MIN_CFG_SCALE, parameters.MAX_CFG_SCALE)),
        clip_guidance_preset=draw(st.sampled_from(parameters.CLIP_GUIDANCE_PRESETS)),
        sampler=draw(st.none() | st.sampled_from(parameters.SAMPLERS)),
        seed=draw(st.integers(parameters.MIN_SEED, parameters.MAX_SEED)),
        steps=draw(st.integers(parameters.MIN_STEPS, parameters.MAX_STEPS)),
        style_preset=draw(st.none() | st.sampled_from(parameters.STYLE_PRESETS)),
        extras=draw(st.dictionaries(st.text(), json_values, max_size=3)),
    )


def _translated(model: Model, request: TextToImage) -> Translation | None:
    """Return the translation, or None if all prompts together are too long for the model."""
    try:
        return model.dialect.translators[TextToImage.kind].translate(request)
    except UnsupportedParameter:
        assert sum(len(prompt.text) for prompt in request.text_prompts) > 9_000
        return None


@every_dialect
@EXAMPLES
@given(request=requests())
def test_every_valid_request_becomes_a_body_that_the_strict_model_accepts(
    model: Model, request: TextToImage
) -> None:
    """The stand-in refuses what the real model refuses, and it accepts the body."""
    stand_in = STAND_IN_MODELS[model.id].dialect
    assert stand_in is not None
    translation = _translated(model, request)
    if translation is not None:
        stand_in.read(json.loads(json.dumps(translation.body, allow_nan=False)))
        assert set(translation.body) <= (
            SDXL_MEMBERS if model.dialect.name == "sdxl" else STABLE_IMAGE_MEMBERS
        )


@every_dialect
@EXAMPLES
@given(request=requests())
def test_what_is_named_is_what_the_registry_announces(model: Model, request: TextToImage) -> None:
    """An ignored parameter is not honoured, or is an unusable seed; no parameter is in both lists."""
    translation = _translated(model, request)
    if translation is not None:
        assert set(translation.ignored) - {"seed"} <= set(parameters.PARAMETERS) - set(
            model.dialect.translators[TextToImage.kind].honours
        )
        assert set(translation.approximated) <= set(model.dialect.translators[TextToImage.kind].approximates)
        assert not set(translation.ignored) & set(translation.approximated)


@every_dialect
@EXAMPLES
@given(request=requests())
def test_a_parameter_left_at_its_default_is_never_named(model: Model, request: TextToImage) -> None:
    """`ignored` and `approximated` name only parameters whose value differs from the default."""
    default = TextToImage(text_prompts=())
    at_default = {
        member.name
        for member in fields(request)
        if getattr(request, member.name) == getattr(default, member.name)
    }
    translation = _translated(model, request)
    if translation is not None:
        assert not at_default & {*translation.ignored, *translation.approximated}


@every_dialect
@EXAMPLES
@given(request=requests())
def test_translating_is_repeatable_and_survives_the_record(model: Model, request: TextToImage) -> None:
    """A task that was stored in a record and read again has the same translation."""
    recorded = TextToImage.from_parameters(json.loads(json.dumps(request.parameters())))
    assert _translated(model, recorded) == _translated(model, request)


def _read(model: Model, answer: bytes) -> tuple[Artifact, ...]:
    """Return the images, or nothing if the answer is refused with one of the two documented errors."""
    try:
        return model.dialect.artifacts(answer, seed=7)
    except (ContentFiltered, BadModelResponse):
        return ()


@every_dialect
@EXAMPLES
@given(answer=st.binary(max_size=200))
@example(answer=b"")
@example(answer=b"null")
@example(answer=b"\xff\xfe")
@example(answer=b"[" * 200_000)
@example(answer=b'{"a":' * 200_000)
@example(answer=b"9" * 10_000)
@example(answer=b'{"artifacts": ' + b"9" * 10_000 + b"}")
def test_any_bytes_are_refused_as_a_bad_answer(model: Model, answer: bytes) -> None:
    """Bytes that do not make an answer, however deep or long, raise no undocumented exception."""
    assert _read(model, answer) == ()


reasons = st.sampled_from(["SUCCESS", "ERROR", "CONTENT_FILTERED", "success", None]) | json_values
sdxl_artifacts = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers() | json_values,
        "base64": st.sampled_from(["AAAA", "AA", "AA AA", "", "\u2603"]) | json_values,
        "finishReason": reasons,
        "finishedReason": reasons,
    },
)
sdxl_answers = st.fixed_dictionaries(
    {},
    optional={
        "result": st.sampled_from(["success", "error"]) | json_values,
        "name": st.sampled_from(["invalid_prompts", "other"]) | json_values,
        "artifacts": st.lists(sdxl_artifacts | json_values, max_size=3) | json_values,
    },
)
stable_image_answers = st.fixed_dictionaries(
    {},
    optional={
        "seeds": st.lists(st.integers() | json_values, max_size=3) | json_values,
        "finish_reasons": st.lists(
            st.sampled_from(["Filter reason: prompt", "Filter reason: new", "Inference error", None])
            | json_values,
            max_size=3,
        )
        | json_values,
        "images": st.lists(st.sampled_from(["AAAA", "AA", ""]) | json_values, max_size=3) | json_values,
    },
)


@every_dialect
@EXAMPLES
@given(answer=sdxl_answers | stable_image_answers | json_values)
def test_an_answer_gives_images_with_a_usable_seed_or_one_of_two_errors(model: Model, answer: Any) -> None:
    """Any JSON gives images with a seed of the contract, or a documented error."""
    for artifact in _read(model, json.dumps(answer).encode()):
        assert artifact.image
        assert type(artifact.seed) is int
        assert 1 <= artifact.seed <= parameters.MAX_SEED
