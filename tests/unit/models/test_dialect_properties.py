"""Properties of every dialect, for all valid tasks and all possible answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any, TypeVar

import pytest

from imagegen.contracts.text_to_image import parameters
from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage
from imagegen.errors import BadModelResponse, ContentFiltered, UnsupportedParameter
from imagegen.models.dialect import Artifact, Translation
from imagegen.models.registry import MODELS, Model
from local.bedrock.catalogue import MODELS as STAND_IN_MODELS
from tests.support import bodies
from tests.support.translations import CORE, prompts, translated

pytestmark = pytest.mark.slow

Made = TypeVar("Made")
ONE_OF_EACH_DIALECT = {id(model.dialect): model for model in MODELS}.values()
every_dialect = pytest.mark.parametrize(
    "model", [pytest.param(model, id=model.id) for model in ONE_OF_EACH_DIALECT]
)

STABLE_IMAGE_MEMBERS = {"prompt", "negative_prompt", "aspect_ratio", "seed", "output_format", "mode"}
SDXL_MEMBERS = set(bodies.FIELDS) - {"model", "strict", "webhook_url"}

TASKS = 500
"""How many tasks, and answers of each kind, are made by chance."""
WEIGHTS = (1.0, 0.0, -0.0, -1.0, 0.5, 1.5, 1e308, -1e308, 5e-324)


def prompt_text(random: Random) -> str:
    """Return a text of any characters, one in the signs of a weighted prompt, or one of about the longest allowed."""
    kind = random.randrange(3)
    if kind == 0:
        return bodies.text(random, longest=60)
    if kind == 1:
        return "".join(random.choices("ab():.,0123456789 \n", k=random.randint(0, 60)))
    return "x" * random.randint(1990, parameters.MAX_PROMPT_LENGTH)


def any_task(random: Random) -> TextToImage:
    """Return any task that the contract allows."""
    width, height = random.choice(parameters.SIZES)
    prompts = (
        Prompt(text=prompt_text(random), weight=random.choice((*WEIGHTS, float(bodies.number(random)))))
        for _ in range(random.randint(1, parameters.MAX_PROMPTS))
    )
    return TextToImage(
        text_prompts=tuple(prompts),
        width=width,
        height=height,
        cfg_scale=random.uniform(parameters.MIN_CFG_SCALE, parameters.MAX_CFG_SCALE),
        clip_guidance_preset=random.choice(parameters.CLIP_GUIDANCE_PRESETS),
        sampler=random.choice((None, *parameters.SAMPLERS)),
        seed=random.choice((parameters.MIN_SEED, parameters.MAX_SEED, random.randint(1, 2**32 - 1))),
        steps=random.randint(parameters.MIN_STEPS, parameters.MAX_STEPS),
        style_preset=random.choice((None, *parameters.STYLE_PRESETS)),
        extras={
            bodies.text(random): bodies.json_value(random, names=bodies.HARD)
            for _ in range(random.randint(0, 3))
        },
    )


@cache
def made(make: Callable[[Random], Made]) -> tuple[Made, ...]:
    """Return what a function makes by chance, the same in every run."""
    return tuple(make(Random(f"{make.__name__} {number}")) for number in range(TASKS))  # noqa: S311 - no secrets


LIKE_A_GROUP = ("(", ")", "\\(", "\\)", "\\", ":1.2)", ": .5 )", ":", "(tea:1.2)", "word", " ", ",")


def prompt_in_marks(random: Random) -> Prompt:
    """Return a prompt with a text of any characters among the marks of weighted groups."""
    pieces = [
        random.choice((*LIKE_A_GROUP, bodies.text(random, longest=5))) for _ in range(random.randint(1, 15))
    ]
    return Prompt(text="".join(pieces), weight=random.choice((1.0, 0.5, 2.0, 0.0004, -0.0004, -1.0)))


def prompts_in_marks(random: Random) -> tuple[Prompt, ...]:
    """Return two to four such prompts."""
    return tuple(prompt_in_marks(random) for _ in range(random.randint(2, 4)))


def _unbalanced(text: str) -> int:
    """Return how many parentheses without a backslash have no partner."""
    opened = alone = 0
    for parenthesis in re.findall(r"(?<!\\)(?:\\\\)*([()])", text):
        if parenthesis == "(":
            opened += 1
        elif opened:
            opened -= 1
        else:
            alone += 1
    return opened + alone


@pytest.mark.parametrize("model_id", CORE)
def test_translating_adds_no_parenthesis_without_a_partner(model_id: str) -> None:
    """Only a text that is sent untouched may hold one, and then the caller wrote it so."""
    for texts in made(prompts_in_marks):
        sent = translated(model_id, text_prompts=texts).body["prompt"]
        positive = [prompt for prompt in texts if round(prompt.weight, 3) > 0 and prompt.text.strip()]
        untouched = [prompt.text for prompt in positive if prompt.weight == 1 or len(positive) == 1]
        assert _unbalanced(sent) <= sum(map(_unbalanced, untouched)), texts


@pytest.mark.parametrize("model_id", CORE)
def test_a_weighted_text_keeps_its_words_and_no_part_of_a_mark(model_id: str) -> None:
    """What is sent of the text has no parenthesis, no backslash that was in front of one, and every other character."""
    for text in (prompt.text for prompt in made(prompt_in_marks)):
        sent = translated(model_id, **prompts(("x", 0.5), ("y", 0.5), (text, 0.5))).body["prompt"]
        sent = sent.removeprefix("(x:0.5), (y:0.5)")
        inside = sent.removeprefix(", (").removesuffix(":0.5)")
        left = re.sub(r":\s*[+-]?[0-9.]+\s*\)|\\*[()]", "", text)
        assert not set("()") & set(inside), text
        assert "".join(inside.split()) == "".join(left.split()), text


def _translated(model: Model, task: TextToImage) -> Translation | None:
    """Return the translation, or None if all prompts together are too long for the model."""
    try:
        return model.dialect.translators[TextToImage.kind].translate(task)
    except UnsupportedParameter:
        assert sum(len(prompt.text) for prompt in task.text_prompts) > 9_000
        return None


@every_dialect
def test_every_valid_task_becomes_a_body_that_the_strict_model_accepts(model: Model) -> None:
    """The stand-in refuses what the real model refuses, and it accepts the body."""
    stand_in = STAND_IN_MODELS[model.id].dialect
    assert stand_in is not None
    members = SDXL_MEMBERS if model.dialect.name == "sdxl" else STABLE_IMAGE_MEMBERS
    translations = [found for task in made(any_task) if (found := _translated(model, task))]
    assert len(translations) > TASKS / 2
    for translation in translations:
        stand_in.read(json.loads(json.dumps(translation.body, allow_nan=False)))
        assert set(translation.body) <= members


@every_dialect
def test_what_is_named_is_what_the_registry_announces(model: Model) -> None:
    """An ignored parameter is not honoured, or is an unusable seed; no parameter is in both lists."""
    translator = model.dialect.translators[TextToImage.kind]
    for task in made(any_task):
        translation = _translated(model, task)
        if translation is not None:
            not_honoured = set(parameters.PARAMETERS) - set(translator.honours)
            assert set(translation.ignored) - {"seed"} <= not_honoured, task
            assert set(translation.approximated) <= set(translator.approximates), task
            assert not set(translation.ignored) & set(translation.approximated), task


@every_dialect
def test_a_parameter_left_at_its_default_is_never_named(model: Model) -> None:
    """`ignored` and `approximated` name only parameters whose value differs from the default."""
    default = TextToImage(text_prompts=())
    for task in made(task_near_the_defaults):
        translation = _translated(model, task)
        if translation is not None:
            named = {*translation.ignored, *translation.approximated}
            assert not [name for name in named if getattr(task, name) == getattr(default, name)], task


def task_near_the_defaults(random: Random) -> TextToImage:
    """Return a task with about half of its parameters at their defaults."""
    task, default = any_task(random), TextToImage(text_prompts=())
    groups = (("width", "height"), ("cfg_scale",), ("clip_guidance_preset",), ("sampler",), ("steps",))
    left = [group for group in (*groups, ("style_preset",), ("extras",)) if random.random() < 0.5]
    return replace(task, **{name: getattr(default, name) for group in left for name in group})


@every_dialect
def test_translating_is_repeatable_and_survives_the_record(model: Model) -> None:
    """A task that was stored in a record and read again has the same translation."""
    for task in made(any_task):
        recorded = TextToImage.from_parameters(json.loads(json.dumps(task.parameters())))
        assert _translated(model, recorded) == _translated(model, task)


def _read(model: Model, answer: bytes) -> tuple[Artifact, ...]:
    """Return the images, or nothing if the answer is refused with one of the two documented errors."""
    try:
        return model.dialect.artifacts(answer, seed=7)
    except (ContentFiltered, BadModelResponse):
        return ()


BAD_ANSWERS = (
    b"",
    b"null",
    b"\xff\xfe",
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b"9" * 10_000,
    b'{"artifacts": ' + b"9" * 10_000 + b"}",
)


@every_dialect
def test_any_bytes_are_refused_as_a_bad_answer(model: Model) -> None:
    """Bytes that do not make an answer, however deep or long, raise no undocumented exception."""
    for answer in (*BAD_ANSWERS, *made(bodies.any_bytes)):
        assert _read(model, answer) == (), answer[:300]


def either(random: Random, *values: object) -> Any:
    """Return one of the values, or any value of JSON."""
    return random.choice(values) if random.random() < 0.7 else bodies.json_value(random)


def several(random: Random, *values: object) -> Any:
    """Return a list of up to three such values, or any value of JSON."""
    return either(random, [either(random, *values) for _ in range(random.randint(0, 3))])


def some_of(random: Random, members: dict[str, Any]) -> dict[str, Any]:
    """Return the members, each in four of five cases."""
    return {name: value for name, value in members.items() if random.random() < 0.8}


def sdxl_answer(random: Random) -> dict[str, Any]:
    """Return an answer in the words of SDXL."""
    reasons = (*["SUCCESS"] * 4, "ERROR", "CONTENT_FILTERED", "success", None)
    artifacts = [
        some_of(
            random,
            {
                "seed": either(random, 0, 7, -1, 2**32, random.randint(1, 2**32 - 1)),
                "base64": either(random, "AAAA", "AA", "AA AA", "", "\u2603"),
                "finishReason": either(random, *reasons),
                "finishedReason": either(random, *reasons),
            },
        )
        for _ in range(random.randint(0, 3))
    ]
    return some_of(
        random,
        {
            "result": either(random, *["success"] * 3, "error"),
            "name": either(random, "invalid_prompts", "other"),
            "artifacts": either(random, artifacts),
        },
    )


def stable_image_answer(random: Random) -> dict[str, Any]:
    """Return an answer in the words of Stable Image."""
    filtered = ("Filter reason: prompt", "Filter reason: new", "Inference error")
    return some_of(
        random,
        {
            "seeds": several(random, 0, 7, -1, 2**32),
            "finish_reasons": several(random, None, None, None, *filtered),
            "images": several(random, "AAAA", "AAAA", "AA", ""),
        },
    )


@every_dialect
@pytest.mark.parametrize("make", [sdxl_answer, stable_image_answer, bodies.json_value])
def test_an_answer_gives_images_with_a_usable_seed_or_one_of_two_errors(
    model: Model, make: Callable[[Random], Any]
) -> None:
    """Any JSON gives images with a seed of the contract, or a documented error."""
    read = [_read(model, json.dumps(answer).encode()) for answer in made(make)]
    for artifact in (artifact for artifacts in read for artifact in artifacts):
        assert artifact.image
        assert type(artifact.seed) is int
        assert 1 <= artifact.seed <= parameters.MAX_SEED
    if make.__name__.startswith(model.dialect.name):
        assert any(read)


def spelled(random: Random) -> str:
    """Return an answer of SDXL in which images, look-alikes and escapes stand in any order and spelling."""
    texts = (
        "AAAA",
        "AA/A",
        "BBBB",
        "AA",
        "",
        "\x00cut",
        "AA\nAA",
        "\u2603",
        '"base64": "BBBB',
        "\\",
        ',"images":["AAAA"]',
    )
    names = ("base64", "images", 'x"base64', "x\\base64", "note", "base64 ")

    def some(members: dict[str, Any]) -> dict[str, Any]:
        members |= {
            random.choice(names): random.choice((random.choice(texts), [random.choice(texts)]))
            for _ in range(2)
        }
        return dict(random.sample(list(members.items()), len(members)))

    artifact = some({"finishReason": "SUCCESS", "seed": 7})
    artifact.setdefault("base64", random.choice(texts))
    answer = some({"result": "success", "artifacts": [artifact]})
    text = json.dumps(
        answer,
        ensure_ascii=random.random() < 0.5,
        indent=random.choice((None, 1)),
        separators=random.choice(((",", ":"), (" , ", " : "))),
    )
    text = text.replace("/", random.choice(("/", "\\/", "\\u002f"))).replace(
        "AAA", random.choice(("AAA", "A\\u0041A"))
    )
    # The last of two members of one name counts.
    return text.replace('"base64"', random.choice(('"base64"', '"base64":"BBBB","base64"')))


def test_an_answer_gives_the_image_that_a_json_parser_would_find() -> None:
    """In UTF-16 nothing is cut out of an answer, so that a JSON parser reads all of it."""
    model = next(model for model in MODELS if model.dialect.name == "sdxl")
    found = set()
    for text in made(spelled):
        read, parsed = (_read(model, text.encode(encoding)) for encoding in ("utf-8", "utf-16"))
        assert read == parsed, text
        found |= {artifact.image for artifact in read}
    assert len(found) > 2
