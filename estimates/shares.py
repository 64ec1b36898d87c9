"""What each setting of a stage changes in its costs. Every setting is here, or among those that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from estimates.bill import image, total
from estimates.idle import Line, snapshot
from estimates.prices import each
from estimates.usage import Way
from stacks.http_api import METHODS, OPEN_METHODS
from stacks.stage import StageConfig

METRICS_OF_A_METHOD: Final = 5
"""Count, 4XXError, 5XXError, Latency and IntegrationLatency: API Gateway developer guide, "Amazon API Gateway
dimensions and metrics". The two of a cache have no values here."""

IDLE: Final[Mapping[str, tuple[str, ...]]] = {
    "webhooks": ("Webhooks", "WorkerCallBackSource"),
}
"""How the names begin of the resources that a setting adds, and that cost something by being there."""

FIREWALL_RULES: Final = 2
"""The rules of the web ACL that `waf` makes (`stacks/firewall.py`)."""

ADDED: Final[Mapping[str, tuple[str, float]]] = {
    "waf": ("true", each("web_acl") + FIREWALL_RULES * each("waf_rule")),
    "encryption": ("kms", each("kms_key")),
    "api_deployment": ("canary", each("alarm")),
}
"""Settings that add resources to the stack of the service: a value that does, and what these cost in an idle month."""

BY_THE_IMAGE: Final[Mapping[str, float]] = {"waf": each("waf_request"), "tracing": each("trace")}
"""What some settings cost for each image on top, if it takes one request, and if each request is traced."""

VARIANTS: Final[Mapping[str, tuple[str, Way]]] = {
    "models": ("stability.stable-image-ultra-v1:1", "synchronous"),
    "memory_mb": ("1024", "synchronous"),
    "image_retention_days": ("30", "synchronous"),
    "record_retention_days": ("90", "synchronous"),
    "log_retention_days": ("90", "synchronous"),
    "daily_images": ("null daily_usd=null", "synchronous"),
    "images_per_minute_per_caller": ("null", "synchronous"),
    "api_auth": ("iam", "synchronous"),
}
"""Settings that change what an image costs, each with another value, and the way of which the change is shown."""

FREE: Final = (
    "model_timeout",
    "gateway_timeout",
    "url_ttl",
    "log_level",
    "gateway_log_role",
    "throttle_rate",
    "throttle_burst",
    "daily_images_per_caller",
    "daily_usd_per_caller",
    "queued_jobs_per_caller",
    "worker_concurrency",
    "api_concurrency",
    "reserve_concurrency",
    "account_concurrency",
    "owner_salt",
    "user_pool_arn",
    "webhook_loopback",
    "mark_images",
    "embed_prompt",
    "bundle_platform",
    "s3_addressing_style",
    "bedrock_endpoint_url",
    "openai_model_aliases",
    "alarm_email",
    "monthly_budget_usd",
    "cost_anomaly_usd",
    "cost_anomaly_monitor_arn",
    "waf_requests",
    "domain_name",
    "certificate_arn",
    "hosted_zone_id",
    "permissions_boundary",
)
"""Settings that cost nothing by themselves. Some bound what others may spend."""

IN_WORDS: Final[Mapping[str, str]] = {
    "playground": (
        "{playground} idle; through CloudFront, requests cost ${edge:.3f} a thousand, and traffic ${traffic} a GB"
    ),
    "snapstart": "${snapshot:.2f} idle, for one version; ${restored:.2f} a thousand starts of the api function",
    "method_metrics": "up to ${methods:.2f} a month: {per_method} metrics for each of {count} methods that is called",
    "cors_origins": "${request:.4f} a thousand preflights; a browser asks once an hour for each path and method",
    "bucket_access_logs": "a line for each request to the bucket, stored for `log_retention_days`: next to nothing",
    "max_paid_attempts": "with 2, an attempt whose outcome is unknown may be paid a second time",
    "retain_data": "nothing while the stage lives; what is kept of a deleted one is paid as storage",
    "daily_usd": "see `daily_images`: the deployment's counter is written if either is set",
}
"""Settings of which the change is no single figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a setting changes: its value, dollars a month of an idle stage, and dollars a thousand images; or words."""

    setting: str
    value: str
    idle: float = 0
    thousand_images: float = 0
    words: str = ""


def variant(config: StageConfig, setting: str) -> StageConfig:
    """Return the stage with the other value of a setting, and what belongs to it."""
    first, *others = VARIANTS[setting][0].split()
    pairs = {setting: first, **dict(other.split("=") for other in others)}
    values = {name: _value(config, name, text) for name, text in pairs.items()}
    aliases = {"openai_model_aliases": ()} if setting == "models" else {}
    return config.model_copy(update={**values, **aliases})


def _value(config: StageConfig, name: str, text: str) -> object:
    if text == "null":
        return None
    if isinstance(getattr(config, name), tuple):
        return (text,)
    return int(text) if text.isdecimal() else text


def shares(
    config: StageConfig,
    *,
    idle: Callable[[StageConfig], Sequence[Line]],
    playground: Sequence[Line],
    monitoring: Sequence[Line],
    today: date,
) -> list[Share]:
    """Return the share of each setting that costs something, of a stage as it is; `idle` prices its template.

    `playground` and `monitoring` are the lines of the stacks that these settings add.
    """
    found = []
    lines = idle(config)
    for setting, names in IDLE.items():
        usd = total(line for line in lines if line.resource.startswith(names))
        found.append(Share(setting=setting, value="false", idle=-usd))
    found.append(Share(setting="monitoring", value="true", idle=total(monitoring)))
    for setting, (value, usd) in ADDED.items():
        by_image = 1_000 * BY_THE_IMAGE.get(setting, 0)
        found.append(Share(setting=setting, value=value, idle=usd, thousand_images=by_image))
    traced = 1_000 * BY_THE_IMAGE["tracing"]
    found.append(Share(setting="tracing", value="true", thousand_images=traced))
    for setting, (value, way) in VARIANTS.items():
        other = variant(config, setting)
        change = total(image(other, way, today=today)) - total(image(config, way, today=today))
        found.append(
            Share(
                setting=setting,
                value=value.replace(" ", ", "),
                idle=total(idle(other)) - total(lines),
                thousand_images=1_000 * change,
            )
        )
    count = len(METHODS) + sum(map(len, OPEN_METHODS.values()))
    facts = {
        "playground": f"${total(playground):.2f}",
        "edge": 1_000 * each("edge_request"),
        "traffic": f"{each('edge_byte') * 1e9:.3f}",
        "methods": count * METRICS_OF_A_METHOD * each("metric"),
        "per_method": METRICS_OF_A_METHOD,
        "count": count,
        "request": 1_000 * each("api_request"),
        "alarm": each("alarm"),
        "snapshot": snapshot(config.memory_mb),
        "restored": 1_000 * config.memory_mb / 1024 * each("restored_gb"),
    }
    found += [Share(setting=name, value="", words=words.format(**facts)) for name, words in IN_WORDS.items()]
    return found
