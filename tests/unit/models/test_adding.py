"""A new model needs one entry in the registry, and one dialect if no known dialect fits."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from imagegen.contracts.text_to_image.parameters import Prompt, TextToImage, in_contract_order
from imagegen.models import stable_image
from imagegen.models.answers import Answer, seed_of
from imagegen.models.dialect import Artifact, Dialect, Translation, Translator
from imagegen.models.registry import REGISTRY, Lifecycle, Model, Price, resolve

REQUEST = TextToImage(text_prompts=(Prompt(text="tea"),), seed=7, steps=40, sampler="DDIM")


def _translate(request: TextToImage) -> Translation:
    """Return a body of one text and one seed."""
    ignored = request.beyond_default(("sampler", "steps"))
    body = {"text": request.text_prompts[0].text, "seed": request.seed}
    return Translation(body=body, seed=request.seed, ignored=in_contract_order(ignored))


def _artifacts(answer: bytes, *, seed: int | None = None) -> tuple[Artifact, ...]:
    """Return the only image of an answer."""
    read = Answer.of(answer)
    image = read.image(read.members.get("png"))
    return (Artifact(image=image, seed=seed_of(read.members.get("seed"), sent=seed)),)


KNOWN_DIALECT = Model(
    id="stability.stable-image-core-v2:0",
    name="Stable Image Core 2.0",
    dialect=stable_image.CORE,
    regions=("eu-west-1",),
    lifecycle=Lifecycle(),
    price=Price(per_image=0.05),
    requests_per_minute=60,
)
NEW_DIALECT = Model(
    id="example.painter-v1:0",
    name="Painter",
    dialect=Dialect(
        name="painter",
        translators={TextToImage.kind: Translator(translate=_translate, honours=("text_prompts", "seed"))},
        artifacts=_artifacts,
    ),
    regions=("us-east-1",),
    lifecycle=Lifecycle(),
    price=Price(per_image=0.01),
    requests_per_minute=None,
    streams=True,
)
EXTENDED = MappingProxyType({**REGISTRY, KNOWN_DIALECT.id: KNOWN_DIALECT, NEW_DIALECT.id: NEW_DIALECT})


def test_a_model_with_a_known_dialect_is_one_entry() -> None:
    """The entry is enough to call the model in its own region, in the words of its dialect."""
    ref = resolve("stability.stable-image-core-v2:0", region="us-east-1", registry=EXTENDED)
    assert (ref.target, ref.region) == ("stability.stable-image-core-v2:0", "eu-west-1")
    translation = ref.model.dialect.translators[TextToImage.kind].translate(REQUEST)
    assert translation.body == {"prompt": "tea", "aspect_ratio": "1:1", "seed": 7, "output_format": "png"}
    assert translation.ignored == ("sampler", "steps")


def test_a_model_with_a_new_dialect_is_one_dialect_and_one_entry() -> None:
    """Two pure functions are the dialect: one translates a task, one reads an answer."""
    ref = resolve("example.painter-v1:0", region="us-east-1", registry=EXTENDED)
    translation = ref.model.dialect.translators[TextToImage.kind].translate(REQUEST)
    assert translation == Translation(body={"text": "tea", "seed": 7}, seed=7, ignored=("sampler", "steps"))
    answer = json.dumps({"png": "AAAA", "seed": 0}).encode()
    (artifact,) = ref.model.dialect.artifacts(answer, seed=translation.seed)
    assert (artifact.image, artifact.seed) == (b"\x00\x00\x00", 7)


def test_an_added_model_has_the_profiles_of_its_geography() -> None:
    """A model that is offered in the United States has a `us.` profile; any other model has none."""
    assert resolve("us.example.painter-v1:0", region="us-west-2", registry=EXTENDED).region == "us-west-2"
    with pytest.raises(ValueError, match="is not offered in 'us'"):
        resolve("us.stability.stable-image-core-v2:0", region="us-west-2", registry=EXTENDED)


def test_the_registry_itself_is_unchanged() -> None:
    """The test passes a registry of its own, so the real one does not change."""
    assert "example.painter-v1:0" not in REGISTRY
    with pytest.raises(ValueError, match="is not a registered model"):
        resolve("example.painter-v1:0", region="us-east-1")
