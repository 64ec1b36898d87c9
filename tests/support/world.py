"""`world()`: a whole service over the fakes of its ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from imagegen.generations.attempts import Attempts
from imagegen.generations.charges import QuotaLimits
from imagegen.generations.history import History
from imagegen.generations.jobs import Jobs
from imagegen.generations.ledger import Ledger, Limits
from imagegen.generations.marks import Marking
from imagegen.generations.ports import Ports
from imagegen.generations.submit import Submitter
from imagegen.http.app import Services
from imagegen.models.registry import resolve
from imagegen.wiring import Service, assemble
from imagegen.worker import Worker
from tests.support.environment import CONNECTION, ENVIRONMENT
from tests.support.fakes import (
    CALL_BACK_ARN,
    CORE,
    DLQ_ARN,
    SDXL,
    Answer,
    FakeClock,
    FakeDeadline,
    FakeImages,
    FakeObserver,
    FakeQueue,
    FakeQuotas,
    FakeRandomness,
    FakeRecentRequests,
    FakeRuntime,
    FakeStore,
    FakeWebhook,
)


@dataclass
class World:
    """A whole service whose ports are fakes."""

    clock: FakeClock
    randomness: FakeRandomness
    runtime: FakeRuntime
    images: FakeImages
    store: FakeStore
    quotas: FakeQuotas
    recent: FakeRecentRequests
    queue: FakeQueue
    call_backs: FakeQueue
    webhook: FakeWebhook
    observer: FakeObserver
    service: Service
    services: Services
    worker: Worker

    @property
    def submitter(self) -> Submitter:
        """The part that accepts requests."""
        return self.service.submitter

    @property
    def history(self) -> History:
        """The part that shows and deletes generations."""
        return self.service.history

    @property
    def jobs(self) -> Jobs:
        """The part that the worker calls."""
        return self.service.jobs

    @property
    def ledger(self) -> Ledger:
        """The ledger of the records."""
        return self.service.submitter.ledger

    @property
    def attempts(self) -> Attempts:
        """The part that runs and ends attempts."""
        return self.service.submitter.attempts

    @property
    def stored_image(self) -> bytes:
        """The bytes of the only image in the bucket."""
        ((content, _),) = self.images.objects.values()
        return content

    def deadline(self, seconds: float = 80.0) -> FakeDeadline:
        """Return a deadline that is so many seconds away."""
        return FakeDeadline(self.clock, seconds)


def world(
    *,
    models: Sequence[str] = (SDXL, CORE),
    answers: Sequence[Answer] = (),
    max_paid_attempts: int = 1,
    quota: int | None = None,
    quota_limits: QuotaLimits = QuotaLimits(),  # noqa: B008 - frozen
    cors_origins: Sequence[str] = (),
    webhooks: bool = True,
    webhook_loopback: bool = False,
    record_retention_days: int = 30,
    connection: float = CONNECTION,
    day: date = date(2026, 11, 25),
    openai_model_aliases: Sequence[str] = ("gpt-image-*=auto", "dall-e-*=auto"),
    marking: Marking = Marking(),  # noqa: B008 - frozen
) -> World:
    """Return a service whose ports are fakes; every model answers with an image unless `answers` are scripted."""
    clock = FakeClock(datetime(day.year, day.month, day.day, 12, 0, tzinfo=UTC))
    randomness, observer = FakeRandomness(), FakeObserver()
    runtime, images, store = FakeRuntime(list(answers)), FakeImages(clock), FakeStore()
    quotas = FakeQuotas(
        clock, replace(quota_limits, daily_images_per_caller=quota) if quota is not None else quota_limits
    )
    recent = FakeRecentRequests()
    queue, call_backs, webhook = FakeQueue(), FakeQueue(), FakeWebhook()
    ports = Ports(
        runtime=runtime,
        images=images,
        store=store,
        quotas=quotas,
        recent=recent,
        queue=queue,
        call_backs=call_backs,
        webhook=webhook,
        clock=clock,
        randomness=randomness,
        observer=observer,
    )
    limits = Limits(
        function_timeout=80,
        model_timeout=60,
        connection=connection,
        max_paid_attempts=max_paid_attempts,
        record_retention_days=record_retention_days,
    )
    service = assemble(
        ports,
        limits,
        models=tuple(resolve(entry, region="us-west-2") for entry in models),
        marking=marking,
    )
    services = Services(
        submitter=service.submitter,
        history=service.history,
        models=service.models,
        cors_origins=cors_origins,
        webhooks=webhooks,
        webhook_loopback=webhook_loopback,
        owner_salt=ENVIRONMENT["OWNER_SALT"],
        openai_model_aliases=openai_model_aliases,
        observer=observer,
        clock=clock,
    )
    worker = Worker(
        jobs=service.jobs,
        queue=queue,
        randomness=randomness,
        observer=observer,
        dead_letter_queue_arn=DLQ_ARN,
        call_back_queue_arn=CALL_BACK_ARN,
    )
    return World(
        clock=clock,
        randomness=randomness,
        runtime=runtime,
        images=images,
        store=store,
        quotas=quotas,
        recent=recent,
        queue=queue,
        call_backs=call_backs,
        webhook=webhook,
        observer=observer,
        service=service,
        services=services,
        worker=worker,
    )
