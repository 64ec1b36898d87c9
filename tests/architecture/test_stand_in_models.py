"""The stand-in's catalogue and the service's registry list the same models."""

from datetime import date

import pytest

from imagegen.models.registry import REGISTRY
from local.bedrock.catalogue import MODELS
from local.bedrock.sdxl import Sdxl
from local.bedrock.stable_image import StableImage

CALLABLE = {model.id: model for model in MODELS.values() if model.dialect is not None}
# the day that the catalogue and the registry describe
AS_OF = date(2026, 10, 1)
DIALECTS = {"sdxl": Sdxl, "stable_image": StableImage}


def test_the_stand_in_answers_for_every_registered_model_and_no_other() -> None:
    """A model that only one of the two lists could not be tried on this machine."""
    assert set(CALLABLE) == set(REGISTRY)


@pytest.mark.parametrize("id_", sorted(CALLABLE.keys() & REGISTRY.keys()))
def test_both_say_the_same_of_a_model(id_: str) -> None:
    """The dialect is the same, and so is whether the model has ended."""
    registered, known = REGISTRY[id_], CALLABLE[id_]

    assert isinstance(known.dialect, DIALECTS[registered.dialect.name])
    assert known.end_of_life == (registered.lifecycle.status(AS_OF) == "end_of_life")
