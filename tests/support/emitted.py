"""What the running service writes for CloudWatch: each metric brought about through the real code over fakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from imagegen import errors
from imagegen.adapters.dynamodb import DynamoDbQuotas
from imagegen.adapters.telemetry import PowertoolsObserver, create_logger, create_metrics
from imagegen.errors import ImagegenError, VendorRefusal
from imagegen.generations.charges import QuotaLimits
from imagegen.generations.ledger import Limits
from imagegen.http.app import create_app
from imagegen.models.lifecycle_check import Reported, check
from imagegen.wiring import assemble
from tests.support import sdk_clients
from tests.support.events import event, send
from tests.support.fakes import CORE
from tests.support.far_side import FarSide, json_answer, session
from tests.support.scenarios import TEA
from tests.support.world import world

if TYPE_CHECKING:
    import pytest

    from imagegen.generations.ports import Quotas
    from tests.support.fakes import Answer

LIMITS: Final = Limits(
    function_timeout=80, model_timeout=60, connection=29, max_paid_attempts=1, record_retention_days=30
)
POWERTOOLS: Final = ("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE")


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """One metric of one line: its namespace, its name, its dimensions and its values."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    values: tuple[float, ...]


def observer_of(environment: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> PowertoolsObserver:
    """Return the observer of a function with this environment, which a template has."""
    for name in POWERTOOLS:
        monkeypatch.setenv(name, environment[name])
    metrics = create_metrics(stage=environment["STAGE"])
    # Powertools keeps what it has read before for the whole process.
    metrics.provider.service = environment["POWERTOOLS_SERVICE_NAME"]
    metrics.provider.namespace = environment["POWERTOOLS_METRICS_NAMESPACE"]
    return PowertoolsObserver(logger=create_logger(), metrics=metrics)


def emitted(output: str) -> Iterator[Emitted]:
    """Yield every metric that standard output has, as CloudWatch reads it.

    See the Amazon CloudWatch user guide, "Specification: Embedded metric format".
    """
    for line in output.splitlines():
        members = json.loads(line)
        for directive in members.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    values = members[metric["Name"]]
                    yield Emitted(
                        namespace=directive["Namespace"],
                        name=metric["Name"],
                        dimensions={name: members[name] for name in names},
                        values=tuple(values if isinstance(values, list) else [values]),
                    )


def _request(observer: PowertoolsObserver, *answers: Answer, quotas: Quotas | None = None) -> None:
    """Send one request for an image through the app and the use case."""
    service = world(answers=answers, models=[CORE])
    ports = replace(service.service.ports, observer=observer, quotas=quotas or service.quotas)
    assembled = assemble(ports, LIMITS, models=service.service.models)
    services = replace(
        service.services, submitter=assembled.submitter, history=assembled.history, observer=observer
    )
    with observer.publishing():
        send(create_app(services), event("POST", "/text-to-image", TEA))


def _refused(observer: PowertoolsObserver, error: ImagegenError, reason: str) -> None:
    _request(observer, replace(error, refusal=VendorRefusal(reason=reason)))


def _use_most_of_the_budget(observer: PowertoolsObserver) -> None:
    client = sdk_clients.dynamodb(session())
    used = {"images": {"N": "450"}, "micro_usd": {"N": "18000000"}, "stamp": {"S": "other"}}
    FarSide(client, json_answer({}), json_answer({"Attributes": used}), json_answer({}), json_answer({}))
    service = world()
    _request(
        observer,
        quotas=DynamoDbQuotas(
            client=client,
            once=lambda: client,
            table="generations",
            limits=QuotaLimits(daily_images=500, daily_micro_usd=70_000_000),
            clock=service.clock,
            randomness=service.randomness,
            observer=observer,
        ),
    )


def _check_lifecycles(observer: PowertoolsObserver) -> None:
    class EndOfCore:
        def lifecycle(self, model: str, *, region: str) -> Reported:  # noqa: ARG002 - the port's shape
            return Reported(status="legacy")

    refs = world(models=[CORE]).service.models
    with observer.publishing():
        findings = tuple(check(refs, catalogue=EndOfCore(), today=date(2026, 11, 25)))
        observer.lifecycles_checked(findings, models=len(refs))


OCCASIONS: Final[Mapping[str, Callable[[PowertoolsObserver], None]]] = {
    "Faults": lambda observer: _request(observer, errors.BadModelResponse("Broken.")),
    "ModelTime": _request,
    "GenerationTime": _request,
    "ImagesGenerated": _request,
    "GenerationsFailed": lambda observer: _request(observer, errors.BadModelResponse("Broken.")),
    "ModelRetired": lambda observer: _refused(observer, errors.ModelRetired("Gone."), "end_of_life"),
    "ModelRetries": lambda observer: _request(observer, errors.ModelThrottled("Busy.")),
    "RefusalsToMend": lambda observer: _refused(observer, errors.Misconfigured("No."), "payment"),
    "ModelRefusals": lambda observer: _refused(observer, errors.Misconfigured("No."), "payment"),
    "Spend": _request,
    "BudgetUsed": _use_most_of_the_budget,
    "LifecycleChanges": _check_lifecycles,
}
"""What brings each of the service's own metrics about."""
