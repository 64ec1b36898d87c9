"""The models that the stand-in knows, and which of them a model identifier means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from local.bedrock.picture_request import Dialect
from local.bedrock.refusals import UNKNOWN_MODEL, invalid
from local.bedrock.sdxl import Sdxl
from local.bedrock.stable_image import StableImage


@dataclass(frozen=True, kw_only=True)
class Model:
    """A base model.

    Attributes:
        dialect: None for a model that is only known to be retired.
        end_of_life: Whether Bedrock has retired it (as of October 2026).
    """

    id: str
    dialect: Dialect | None
    end_of_life: bool = False


_SDXL: Final = Sdxl()
_CORE: Final = StableImage()
_ULTRA: Final = StableImage(takes_mode=True)
_SD3: Final = StableImage(takes_mode=True, largest_seed=4294967294, output_formats=("png", "jpeg", "webp"))

MODELS: Final[dict[str, Model]] = {
    model.id: model
    for model in (
        Model(id="stability.stable-diffusion-xl-v1", dialect=_SDXL, end_of_life=True),
        Model(id="stability.stable-diffusion-xl-v1:0", dialect=_SDXL, end_of_life=True),
        Model(id="stability.stable-image-core-v1:1", dialect=_CORE),
        Model(id="stability.stable-image-ultra-v1:1", dialect=_ULTRA),
        Model(id="stability.sd3-5-large-v1:0", dialect=_SD3),
        Model(id="stability.stable-image-core-v1:0", dialect=_CORE, end_of_life=True),
        Model(id="stability.stable-image-ultra-v1:0", dialect=_ULTRA, end_of_life=True),
        Model(id="stability.sd3-large-v1:0", dialect=_SD3, end_of_life=True),
        # These are here only because they have ended, so that a caller sees what Bedrock says of them.
        Model(id="amazon.titan-image-generator-v1", dialect=None, end_of_life=True),
        Model(id="amazon.titan-image-generator-v1:0", dialect=None, end_of_life=True),
        Model(id="amazon.titan-image-generator-v2:0", dialect=None, end_of_life=True),
        Model(id="amazon.nova-canvas-v1:0", dialect=None, end_of_life=True),
    )
}

# The prefixes of geographic profiles: Bedrock user guide, "Supported Regions and models for inference profiles".
_GEOGRAPHY: Final = re.compile(r"(us-gov|us|eu|apac|ap|au|ca|jp|sa|me|af|global)\.")
_ARN: Final = re.compile(
    r"arn:[a-z-]+:(?P<service>bedrock|sagemaker):[a-z0-9-]+:\d*:(?P<kind>[a-z-]+)/(?P<name>.+)"
)
# Kinds of ARN whose name the caller chose, so that it does not say which model it is.
_OWN_KINDS: Final = frozenset(
    {
        "application-inference-profile",
        "custom-model",
        "custom-model-deployment",
        "endpoint",
        "imported-model",
        "provisioned-model",
    }
)


@dataclass(frozen=True, kw_only=True)
class Meant:
    """The model that an identifier means.

    Attributes:
        own: Whether it is the caller's own capacity, to which Bedrock's end-of-life dates do not apply.
    """

    model: Model
    own: bool = False


def resolve(identifier: str, *, aliases: Mapping[str, str], speaks_sdxl: bool) -> Meant:
    """Return the base model behind an id, a geographic profile or an ARN.

    An ARN of the caller's own capacity (provisioned, imported, application profile, SageMaker endpoint) does not
    name its model. `aliases` may name it; otherwise the dialect of the request's body decides (`speaks_sdxl`).

    Raises:
        RefusedError: The identifier names an unknown model.
    """
    if identifier in aliases:
        return Meant(model=MODELS[aliases[identifier]], own=True)
    arn = _ARN.fullmatch(identifier)
    if arn and arn["kind"] in _OWN_KINDS:
        named = MODELS.get(_without_geography(arn["name"]))
        default = "stability.stable-diffusion-xl-v1" if speaks_sdxl else "stability.stable-image-core-v1:1"
        return Meant(model=named or MODELS[default], own=True)
    name = arn["name"] if arn and arn["kind"] in {"foundation-model", "inference-profile"} else identifier
    model = MODELS.get(_without_geography(name))
    if model is None:
        raise invalid(UNKNOWN_MODEL)
    return Meant(model=model)


def _without_geography(name: str) -> str:
    return _GEOGRAPHY.sub("", name, count=1) if _GEOGRAPHY.match(name) else name
