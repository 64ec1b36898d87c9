"""The registry decides which model entries are valid, where a model is called, and when it ends."""

from __future__ import annotations

from datetime import date

import pytest

from imagegen.contracts.text_to_image.parameters import PARAMETERS, TextToImage
from imagegen.models.registry import MODELS, REGISTRY, LifecycleStatus, Model, resolve

SDXL = "stability.stable-diffusion-xl-v1"
PROVISIONED_SDXL = "stability.stable-diffusion-xl-v1:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
SD35 = "stability.sd3-5-large-v1:0"
OCTOBER_2026 = date(2026, 10, 15)
every_model = pytest.mark.parametrize("model", [pytest.param(model, id=model.id) for model in MODELS])


def test_ids_are_unique() -> None:
    """A second entry of one id would hide the first."""
    assert len(REGISTRY) == len(MODELS)


@pytest.mark.parametrize(
    ("id_", "day", "status"),
    [
        (SDXL, date(2024, 10, 15), "active"),
        (SDXL, date(2024, 10, 16), "legacy"),
        (SDXL, date(2025, 5, 19), "legacy"),
        (SDXL, date(2025, 5, 20), "end_of_life"),
        (SDXL, OCTOBER_2026, "end_of_life"),
        (PROVISIONED_SDXL, OCTOBER_2026, "end_of_life"),
        ("stability.stable-image-core-v1:0", date(2025, 9, 3), "active"),
        ("stability.stable-image-core-v1:0", date(2025, 9, 4), "end_of_life"),
        ("stability.stable-image-ultra-v1:0", date(2025, 9, 4), "end_of_life"),
        ("stability.sd3-large-v1:0", date(2025, 9, 4), "end_of_life"),
        (CORE, OCTOBER_2026, "active"),
        (ULTRA, OCTOBER_2026, "active"),
        (SD35, OCTOBER_2026, "active"),
    ],
)
def test_the_lifecycle_changes_on_the_announced_day(id_: str, day: date, status: LifecycleStatus) -> None:
    """The announced day itself is the first day of the new status."""
    assert REGISTRY[id_].lifecycle.status(day) == status


@every_model
def test_an_ended_model_names_a_registered_successor_that_lives(model: Model) -> None:
    """A warning or an error must not recommend a model that has ended as well."""
    if model.lifecycle.end_of_life_at is not None:
        assert model.lifecycle.successor is not None
        successor = REGISTRY[model.lifecycle.successor]
        assert successor.lifecycle.status(OCTOBER_2026) == "active"
        assert successor.on_demand


@pytest.mark.parametrize(
    ("id_", "per_minute"), [(CORE, 90), (ULTRA, 10), (SD35, 15), (SDXL, None), (PROVISIONED_SDXL, None)]
)
def test_the_quota_is_the_documented_one(id_: str, per_minute: int | None) -> None:
    """The quota counts requests a minute; a model that has ended has no quota."""
    assert REGISTRY[id_].requests_per_minute == per_minute


@pytest.mark.parametrize(
    ("id_", "dollars", "above_50_steps"),
    [(SDXL, 0.04, 0.08), (CORE, 0.04, None), (ULTRA, 0.14, None), (SD35, 0.08, None)],
)
def test_the_price_is_the_vendors(id_: str, dollars: float, above_50_steps: float | None) -> None:
    """SDXL costs twice as much from 51 steps on; the price of other models does not depend on steps."""
    price = REGISTRY[id_].price
    assert (price.per_image, price.above_50_steps) == (dollars, above_50_steps)


@every_model
def test_what_a_model_honours_is_named_in_the_contracts_words(model: Model) -> None:
    """`/v1/models` lists only parameters that a client can send."""
    assert set(model.dialect.translators[TextToImage.kind].honours) <= set(PARAMETERS)
    assert set(model.dialect.translators[TextToImage.kind].approximates) <= set(
        model.dialect.translators[TextToImage.kind].honours
    )


def test_no_registered_model_streams() -> None:
    """No image model streams today; the functions need another right for one that does."""
    assert [model.id for model in MODELS if model.streams] == []


@pytest.mark.parametrize(
    ("entry", "region", "target", "called_in"),
    [
        (SDXL, "us-east-1", SDXL, "us-east-1"),
        (SDXL, "us-west-2", SDXL, "us-west-2"),
        (SDXL, "eu-west-1", SDXL, "us-east-1"),
        (CORE, "us-west-2", CORE, "us-west-2"),
        (CORE, "us-east-1", CORE, "us-west-2"),
        (CORE, "ap-northeast-1", CORE, "us-west-2"),
        (f"us.{CORE}", "us-east-1", f"us.{CORE}", "us-east-1"),
        (f"us.{CORE}", "us-east-2", f"us.{CORE}", "us-east-2"),
        (f"us.{CORE}", "eu-west-1", f"us.{CORE}", "us-west-2"),
    ],
)
def test_a_model_is_called_where_it_is_offered(entry: str, region: str, target: str, called_in: str) -> None:
    """The deployment's region comes first, if the model is offered there; then the model's first region."""
    ref = resolve(entry, region=region)
    assert (ref.id, ref.target, ref.region) == (entry, target, called_in)


def test_an_arn_is_called_in_its_own_region_under_the_models_own_id() -> None:
    """Clients pin the model by its id, and the account's ARN stays inside the deployment."""
    arn = "arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abcdefghijkl"
    ref = resolve(f"{PROVISIONED_SDXL}@{arn}", region="us-east-1")
    assert (ref.id, ref.target, ref.region) == (PROVISIONED_SDXL, arn, "eu-central-1")


@pytest.mark.parametrize(
    ("arn", "status"),
    [
        ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", "end_of_life"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "end_of_life"),
        ("arn:aws:bedrock:us-east-1:123456789012:imported-model/abc", "active"),
        ("arn:aws:sagemaker:us-east-1:123456789012:endpoint/sdxl", "active"),
    ],
)
def test_what_the_operator_hosts_outlives_the_vendors_model(arn: str, status: LifecycleStatus) -> None:
    """The end of life applies to Bedrock's own model, and so to provisioned throughput."""
    ref = resolve(f"{SDXL}@{arn}", region="us-east-1")
    assert ref.lifecycle.status(OCTOBER_2026) == status


def test_a_provisioned_only_model_is_refused_on_demand() -> None:
    """Bedrock would refuse every on-demand call with a `ValidationException`."""
    with pytest.raises(ValueError, match=f"^'{PROVISIONED_SDXL}' exists only as provisioned throughput: "):
        resolve(PROVISIONED_SDXL, region="us-east-1")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("stability.stable-image-core-v1:2", f"did you mean {CORE}"),
        ("stability.stable-diffusion-xl-v0", f"did you mean {SDXL}"),
        ("amazon.nova-canvas-v1:0", "is not a registered model"),
        ("anthropic.claude", "the registered models are "),
        ("", "is not a registered model"),
        (f" {CORE}", "is not a registered model"),
        (f"{CORE}@", "must continue after '@'"),
        (f"us.{CORE}@arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a", "is not a registered"),
        (f"eu.{CORE}", "is not a registered model"),
        (f"global.{CORE}", "is not a registered model"),
        ("us.amazon.nova-canvas-v1:0", "is not a registered model"),
        ("us.", "is not a registered model"),
        ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a", "is not a registered model"),
        ("@arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a", "is not a registered model"),
    ],
)
def test_an_entry_that_names_no_model_is_refused_in_one_sentence(entry: str, sentence: str) -> None:
    """An unknown id gives an error with a hint, and is never taken for SDXL."""
    with pytest.raises(ValueError, match=r"^'") as caught:
        resolve(entry, region="us-west-2")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arn",
    [
        "*",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/*",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc?",
        "arn:aws:bedrock:*:123456789012:provisioned-model/abc",
        "arn:aws:bedrock:us-east-1:*:provisioned-model/abc",
        "arn:aws:bedrock:us-east-1::provisioned-model/abc",
        "arn:aws:bedrock::123456789012:provisioned-model/abc",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a b",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc\n",
        "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc",
        "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
        "arn:aws:s3:us-east-1:123456789012:provisioned-model/abc",
        "arn:aws:sagemaker:us-east-1:123456789012:provisioned-model/abc",
        "arn:aws:bedrock:us-east-1:123456789012:endpoint/abc",
        "provisioned-model/abc",
    ],
)
def test_an_arn_that_is_not_exact_or_not_callable_is_refused(arn: str) -> None:
    """A wildcard here would become a wildcard in the functions' rights."""
    with pytest.raises(ValueError, match="must continue after '@' with an exact ARN of one of: "):
        resolve(f"{CORE}@{arn}", region="us-west-2")


@pytest.mark.parametrize("name", [f"us.{ULTRA}", f"eu.{CORE}", CORE, "us.", "abcdefghijkl"])
def test_a_profile_of_another_model_is_refused(name: str) -> None:
    """Otherwise a model would get a body in another model's dialect."""
    arn = f"arn:aws:bedrock:us-west-2:123456789012:inference-profile/{name}"
    with pytest.raises(ValueError, match="continues with an inference profile that is not one of"):
        resolve(f"{CORE}@{arn}", region="us-west-2")
