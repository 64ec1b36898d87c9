"""What an image of a stage costs: what Lambda billed and the model charged, and the rest as `make cost` computes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean
from typing import Any, Final

from benchmarks.account.evidence import Evidence
from benchmarks.account.lines import Image, Invocation
from benchmarks.account.places import FunctionName
from estimates import bill
from estimates.usage import Way, api_requests
from imagegen.generations.charges import MICRO
from imagegen.models.registry import REGISTRY
from stacks.stage import StageConfig

WAYS: Final[tuple[tuple[FunctionName, Way], ...]] = (("api", "synchronous"), ("worker", "asynchronous"))
"""The function that makes the images of each way of asking."""
MEASURED: Final = ("Bedrock", "Lambda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the price of an image: who charges it, and the dollars."""

    name: str
    usd: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The average cost of the images that were asked for in one way."""

    way: Way
    images: int
    parts: Sequence[Part]

    @property
    def together(self) -> float:
        """The whole price of an image."""
        return sum(part.usd for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        parts = {part.name: part.usd for part in self.parts}
        return {"way": self.way, "images": self.images, "usd": parts, "together": self.together}


def costs(evidence: Evidence, *, config: StageConfig) -> Sequence[Cost]:
    """Return what an image costs, for each way in which images were asked for."""
    return [
        Cost(way=way, images=len(images), parts=list(_parts(evidence, images, way=way, config=config)))
        for name, way in WAYS
        if (images := evidence.images.get(name, ()))
    ]


def _parts(evidence: Evidence, images: Sequence[Image], *, way: Way, config: StageConfig) -> Iterator[Part]:
    model = fmean(_micro_usd(evidence, image) for image in images) / MICRO
    yield Part(name="Bedrock, charged by the model's price", usd=model)
    yield Part(name="Lambda, billed", usd=_lambda(evidence, images, way=way))
    today: date = evidence.span.end.date()
    sums = bill.by_service(
        line for line in bill.image(config, way, today=today) if line.service not in MEASURED
    )
    yield from (Part(name=f"{service}, computed", usd=usd) for service, usd in sums.items())


def _micro_usd(evidence: Evidence, image: Image) -> float:
    """Return what was charged for an image, or the price of its model if the span has no line `charged` of it."""
    if image.generation in evidence.charged:
        return evidence.charged[image.generation]
    model = REGISTRY.get(image.model)
    return model.price.micro_usd(None) if model else 0


def _lambda(evidence: Evidence, images: Sequence[Image], *, way: Way) -> float:
    """Return what Lambda charges for one image: for making it, for asking about it, and for checking the keys."""
    makers = {image.request_id for image in evidence.all_images}
    every = [each for name, _ in WAYS for each in evidence.invocations.get(name, ())]
    mine = {image.request_id for image in images}
    making = [each for each in every if each.request_id in mine]
    asking = [each for each in evidence.invocations.get("api", ()) if each.request_id not in makers]
    requests = api_requests(way)
    return (
        _mean(making)
        + (_mean(asking) * requests if way != "synchronous" else 0)
        + _mean(evidence.invocations.get("authorizer", ())) * requests
    )


def _mean(invocations: Sequence[Invocation]) -> float:
    return fmean(each.usd for each in invocations) if invocations else 0
