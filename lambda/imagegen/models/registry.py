"""The registry: every model that this service can call, and what is known of it.

A model is data (`Model`) with a dialect, which is a module of pure functions. A model entry in `cdk.json` has one of
three forms; `resolve` turns it into a model reference (`ModelRef`):

    stability.stable-image-core-v1:1              the model itself, on demand
    us.stability.stable-image-core-v1:1           a geographic inference profile in front of it
    stability.stable-image-core-v1:1@arn:aws:…    an inference profile, provisioned or imported model, or endpoint

An id that is not registered is an error, never a guess. Dates, regions and prices follow the Amazon Bedrock user
guide ("Model lifecycle", "Supported foundation models") and price list as of October 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, Literal

from imagegen.models import sdxl, stable_image
from imagegen.models.dialect import Dialect

LifecycleStatus = Literal["active", "legacy", "end_of_life"]
Host = Literal["on_demand", "profile", "provisioned", "imported", "endpoint"]
"""Where a model runs: on Bedrock, called directly or through a profile, or on the operator's own capacity."""

# Another geography is one more row. `us` is the only one in which a registered model is offered.
GEOGRAPHIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"us": ("us-east-1", "us-east-2", "us-west-2")}
)
"""The regions that a geographic inference profile sends requests to. Its id is `us.` and the model's id."""

# No part may hold a wildcard: an ARN names one resource, and the stack allows the functions exactly that.
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:(?P<service>bedrock|sagemaker):(?P<region>[a-z]{2}[a-z0-9-]*-\d):(?P<account>\d{12})"
    r":(?P<kind>[a-z-]+)/(?P<name>[A-Za-z0-9][A-Za-z0-9.:_-]*)"
)
_KINDS: Final[Mapping[tuple[str, str], Host]] = MappingProxyType(
    {
        ("bedrock", "inference-profile"): "profile",
        ("bedrock", "application-inference-profile"): "profile",
        ("bedrock", "provisioned-model"): "provisioned",
        ("bedrock", "imported-model"): "imported",
        ("sagemaker", "endpoint"): "endpoint",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """The announced dates at which the vendor makes a model legacy and ends it; `successor` is a registered id."""

    legacy_at: date | None = None
    end_of_life_at: date | None = None
    successor: str | None = None

    def status(self, today: date) -> LifecycleStatus:
        """Return the status on a day."""
        if self.end_of_life_at is not None and today >= self.end_of_life_at:
            return "end_of_life"
        if self.legacy_at is not None and today >= self.legacy_at:
            return "legacy"
        return "active"


STEPS_AT_FIRST_PRICE: Final = 50
"""The most steps at the lower price of a model with two prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """In US dollars for one image; `above_50_steps` is set if the vendor charges more for more steps."""

    per_image: float
    above_50_steps: float | None = None

    def micro_usd(self, steps: int | None) -> int:
        """Return the price of one image in whole micro-dollars; `steps` is None for a task without them."""
        dear = self.above_50_steps is not None and steps is not None and steps > STEPS_AT_FIRST_PRICE
        usd = self.above_50_steps if dear else self.per_image
        return round((usd or 0) * 1_000_000)

    @property
    def highest_micro_usd(self) -> int:
        """The price of an image of the most steps, in whole micro-dollars."""
        return max(self.micro_usd(None), self.micro_usd(STEPS_AT_FIRST_PRICE + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: its id, dialect, regions on Bedrock, lifecycle, price and quota (requests a minute)."""

    id: str
    name: str
    dialect: Dialect
    regions: tuple[str, ...]
    lifecycle: Lifecycle
    price: Price
    requests_per_minute: int | None
    on_demand: bool = True
    """Whether Bedrock serves the id without an ARN of the operator's own."""
    streams: bool = False
    """Whether to call `InvokeModelWithResponseStream`; no current image model supports it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A model entry that was resolved: which model it is, what to send as `modelId`, and to which region."""

    id: str
    model: Model
    target: str
    region: str
    host: Host = "on_demand"
    destinations: tuple[str, ...] = ()
    """The regions that a profile may send a request to."""

    @property
    def lifecycle(self) -> Lifecycle:
        """Return the lifecycle of this entry; an imported model or endpoint has none, because the operator hosts it."""
        return Lifecycle() if self.host in {"imported", "endpoint"} else self.model.lifecycle


def _stable_image(
    id_: str,
    name: str,
    price: float,
    *,
    dialect: Dialect,
    requests_per_minute: int | None,
    lifecycle: Lifecycle | None = None,
) -> Model:
    return Model(
        id=id_,
        name=name,
        dialect=dialect,
        regions=("us-west-2",),
        lifecycle=lifecycle or Lifecycle(),
        price=Price(per_image=price),
        requests_per_minute=requests_per_minute,
    )


_CORE: Final = "stability.stable-image-core-v1:1"
_ULTRA: Final = "stability.stable-image-ultra-v1:1"
_SD35: Final = "stability.sd3-5-large-v1:0"
_SDXL_LIFECYCLE: Final = Lifecycle(
    legacy_at=date(2024, 10, 16), end_of_life_at=date(2025, 5, 20), successor=_CORE
)


def _ended(successor: str) -> Lifecycle:
    return Lifecycle(end_of_life_at=date(2025, 9, 4), successor=successor)


def _sdxl(id_: str, *, on_demand: bool = True) -> Model:
    return Model(
        id=id_,
        name="SDXL 1.0",
        dialect=sdxl.DIALECT,
        regions=("us-east-1", "us-west-2"),
        lifecycle=_SDXL_LIFECYCLE,
        price=Price(per_image=0.04, above_50_steps=0.08),
        requests_per_minute=None,
        on_demand=on_demand,
    )


MODELS: Final[tuple[Model, ...]] = (
    # SDXL has ended on Bedrock, and still serves behind an endpoint or an imported model of the operator's own.
    _sdxl("stability.stable-diffusion-xl-v1"),
    _sdxl("stability.stable-diffusion-xl-v1:0", on_demand=False),
    _stable_image(_CORE, "Stable Image Core 1.1", 0.04, dialect=stable_image.CORE, requests_per_minute=90),
    _stable_image(_ULTRA, "Stable Image Ultra 1.1", 0.14, dialect=stable_image.ULTRA, requests_per_minute=10),
    _stable_image(
        _SD35, "Stable Diffusion 3.5 Large", 0.08, dialect=stable_image.SD35_LARGE, requests_per_minute=15
    ),
    _stable_image(
        "stability.stable-image-core-v1:0",
        "Stable Image Core 1.0",
        0.04,
        dialect=stable_image.CORE,
        requests_per_minute=None,
        lifecycle=_ended(_CORE),
    ),
    _stable_image(
        "stability.stable-image-ultra-v1:0",
        "Stable Image Ultra 1.0",
        0.14,
        dialect=stable_image.ULTRA,
        requests_per_minute=None,
        lifecycle=_ended(_ULTRA),
    ),
    _stable_image(
        "stability.sd3-large-v1:0",
        "Stable Diffusion 3 Large",
        0.08,
        dialect=stable_image.SD35_LARGE,
        requests_per_minute=None,
        lifecycle=_ended(_SD35),
    ),
)
"""Every registered model, the oldest family first."""

REGISTRY: Final[Mapping[str, Model]] = MappingProxyType({model.id: model for model in MODELS})


def resolve(entry: str, *, region: str, registry: Mapping[str, Model] = REGISTRY) -> ModelRef:
    """Return the model reference of a list entry, for a deployment in `region`.

    A model that Bedrock offers in `region` is called there, otherwise in the first region that offers it; a
    geographic profile likewise, and an ARN in its own region.

    Raises:
        ValueError: the entry names no registered model, or cannot be called as one; the message is one sentence.
    """
    # The id names the dialect, the ARN what is called: an ARN alone does not say which model is behind it
    # (docs/decisions/0022-entries-of-the-model-list.md).
    base_id, at, arn = entry.partition("@")
    if at:
        return _hosted(entry, arn, _registered(base_id, registry))
    geography, dot, rest = entry.partition(".")
    if dot and geography in GEOGRAPHIES:
        return _profile(entry, geography, _registered(rest, registry), region)
    model = _registered(entry, registry)
    # An error and not a warning, because every single call would fail.
    if not model.on_demand:
        raise ValueError(
            f"{entry!r} exists only as provisioned throughput: write {entry}@ followed by the ARN of yours."
        )
    home = region if region in model.regions else model.regions[0]
    return ModelRef(id=model.id, model=model, target=model.id, region=home)


def _registered(id_: str, registry: Mapping[str, Model]) -> Model:
    model = registry.get(id_)
    if model is None:
        near = get_close_matches(id_, registry, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the registered models are {', '.join(registry)}."
        raise ValueError(f"{id_!r} is not a registered model; {hint}")
    return model


def _profile(entry: str, geography: str, model: Model, region: str) -> ModelRef:
    destinations = GEOGRAPHIES[geography]
    offered = [home for home in model.regions if home in destinations]
    if not offered:
        raise ValueError(
            f"{entry!r} is not an inference profile: {model.id} is not offered in {geography!r}."
        )
    home = region if region in destinations else offered[0]
    return ModelRef(
        id=entry, model=model, target=entry, region=home, host="profile", destinations=destinations
    )


def _hosted(entry: str, arn: str, model: Model) -> ModelRef:
    match = _ARN.fullmatch(arn)
    host = _KINDS.get((match["service"], match["kind"])) if match else None
    if match is None or host is None:
        kinds = ", ".join(f"{service} {kind}" for service, kind in _KINDS)
        raise ValueError(f"{entry!r} must continue after '@' with an exact ARN of one of: {kinds}.")
    destinations: tuple[str, ...] = ()
    if match["kind"] == "inference-profile":
        geography, _, behind = match["name"].partition(".")
        # The name of a geographic profile holds the model's id, so a wrong pair of id and ARN is found here.
        if behind != model.id or geography not in GEOGRAPHIES:
            raise ValueError(f"{entry!r} continues with an inference profile that is not one of {model.id}.")
        destinations = GEOGRAPHIES[geography]
    elif host == "profile":
        # The ARN of an application profile does not say whether it copies a model or a geographic profile.
        destinations = next((there for there in GEOGRAPHIES.values() if match["region"] in there), ())
    return ModelRef(
        id=model.id,
        model=model,
        target=arn,
        region=match["region"],
        host=host,
        destinations=destinations,
    )
