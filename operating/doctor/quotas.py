"""How many requests a minute Bedrock takes from this account, against what the worker sends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from imagegen.models.registry import ModelRef
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, skipped, warning

MILLISECONDS: Final = 1000
"""In a second."""
SECONDS: Final = 60
"""In a minute."""
PAGE: Final = 100
"""The most quotas that Service Quotas lists at once."""
# Service Quotas: "On-demand model inference requests per minute for Stability.ai Stable Image Core"; the Bedrock user
# guide also has "InvokeModel" in place of "model inference", and "Cross-Region" for profiles.
_REQUESTS: Final = re.compile(
    r"(?P<how>on-demand|cross-region)\b.* requests per minute for (?P<model>.+)", re.IGNORECASE
)
_VENDOR: Final = re.compile(r"^stability\W?ai\W+", re.IGNORECASE)
_VERSION: Final = re.compile(r"\s+v?\d+(?:\.\d+)?$", re.IGNORECASE)


def requests(examined: Examined) -> Iterator[Finding]:
    """Compare the account's quota of each model that has not ended with what the worker may send."""
    if examined.config.bedrock_endpoint_url:
        yield skipped("Another Bedrock than AWS's serves the models (bedrock_endpoint_url).")
        return
    today = examined.now().date()
    # Bedrock has more than a thousand quotas in a region.
    listed = cache(lambda region: all_quotas(examined, "bedrock", region=region))
    for ref in examined.plan.models:
        if ref.host not in {"on_demand", "profile"} or ref.lifecycle.status(today) == "end_of_life":
            continue
        yield _finding(examined, ref, quota_of(ref, listed(ref.region)))


def _finding(examined: Examined, ref: ModelRef, quota: Mapping[str, Any] | None) -> Finding:
    queue, each = examined.plan.queue, examined.plan.seconds_an_image
    sent = queue * SECONDS // each
    if quota is None:
        return skipped(
            f"Service Quotas names no requests a minute for {ref.id} in {ref.region}, so {queue} images at once are "
            "not compared with it.",
            examined.aws("service-quotas list-service-quotas --service-code bedrock", region=ref.region),
        )
    allowed = int(quota["Value"])
    ask = raise_command(examined, quota, to=max(sent, ref.model.requests_per_minute or 0), region=ref.region)
    if allowed == 0:
        return problem(f"The account may not send {ref.id} any request in {ref.region}: its quota is 0.", ask)
    if allowed < sent:
        fits = max(examined.plan.least_queue, allowed * each // SECONDS)
        mend = examined.deploy(f"worker_concurrency={fits}") if fits < queue else ask
        return warning(
            f"The worker makes {queue} images at once, about {sent} requests a minute, but the account may send "
            f"{ref.id} only {allowed} in {ref.region}: the others wait and are tried again.",
            mend,
        )
    return fine(
        f"The account may send {ref.id} {allowed} requests a minute in {ref.region}; the worker sends about {sent}."
    )


def quota_of(ref: ModelRef, quotas: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the quota of a model's requests a minute, by its name; of two names the more exact one counts."""
    how = "cross-region" if ref.host == "profile" else "on-demand"
    found = {
        _VENDOR.sub("", match["model"]).lower(): quota
        for quota in quotas
        if (match := _REQUESTS.search(quota.get("QuotaName", ""))) and match["how"].lower() == how
    }
    name = ref.model.name.lower()
    without_version = {_VERSION.sub("", named): quota for named, quota in found.items()}
    return found.get(name) or without_version.get(_VERSION.sub("", name))


def all_quotas(examined: Examined, service: str, *, region: str = "") -> list[dict[str, Any]]:
    """Return every quota of a service, as it holds in this account."""
    pages = examined.client("service-quotas", region).get_paginator("list_service_quotas")
    most = {"PageSize": PAGE}
    found = pages.paginate(ServiceCode=service, PaginationConfig=most)
    return [quota for page in found for quota in page.get("Quotas", [])]


def raise_command(examined: Examined, quota: Mapping[str, Any], *, to: int, region: str = "") -> str:
    """Return the command that asks AWS for a higher quota."""
    return examined.aws(
        f"service-quotas request-service-quota-increase --service-code {quota['ServiceCode']} "
        f"--quota-code {quota['QuotaCode']} --desired-value {to}",
        region=region,
    )
