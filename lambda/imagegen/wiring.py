"""The one place where settings become clients, clients adapters, and adapters the services."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from imagegen.adapters import clients
from imagegen.adapters.bedrock import BedrockRuntime
from imagegen.adapters.dynamodb import DynamoDbGenerations, DynamoDbQuotas
from imagegen.adapters.s3 import S3Images
from imagegen.adapters.secretsmanager import SecretsManager
from imagegen.adapters.sqs import SqsJobs
from imagegen.adapters.system import SystemChance, SystemClock
from imagegen.adapters.webhook import SignedCallbacks
from imagegen.errors import Misconfigured
from imagegen.generations.attempts import Attempts
from imagegen.generations.ledger import Ledger, Limits
from imagegen.generations.model_caller import ModelCaller
from imagegen.generations.submit import Generator
from imagegen.http.app import Services
from imagegen.models.registry import ModelRef, resolve
from imagegen.worker import Worker

if TYPE_CHECKING:
    import boto3

    from imagegen.generations.ports import Observer
    from imagegen.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """Everything that the two doors call."""

    services: Services
    worker: Worker


def wire(settings: Settings, *, session: boto3.session.Session, observer: Observer) -> Wired:
    """Return the services of a deployment.

    Raises:
        Misconfigured: a listed model is not registered.
    """
    clock, chance = SystemClock(), SystemChance()
    refs = _refs(settings, region=session.region_name)
    dynamodb = clients.dynamodb(session)
    style = cast("clients.AddressingStyle", settings.s3_addressing_style)
    runtime = BedrockRuntime(
        {
            region: clients.bedrock_runtime(session, region=region, model_timeout=settings.model_timeout)
            for region in {ref.region for ref in refs}
        },
        model_timeout=settings.model_timeout,
        clock=clock,
    )
    queue = SqsJobs(client=clients.sqs(session), queue_url=settings.queue_url)
    images = S3Images(
        client=clients.s3(session, addressing_style=style),
        bucket=settings.bucket_name,
        url_ttl=settings.url_ttl,
        clock=clock,
    )
    ledger = Ledger(
        store=DynamoDbGenerations(client=dynamodb, table=settings.table_name),
        clock=clock,
        chance=chance,
        limits=Limits(
            function_timeout=settings.function_timeout,
            max_paid_attempts=settings.max_paid_attempts,
            record_retention_days=settings.record_retention_days,
        ),
    )
    quotas = DynamoDbQuotas(
        client=dynamodb,
        once=cache(lambda: clients.dynamodb(session, attempts=1)),
        table=settings.table_name,
        per_caller=settings.daily_images_per_caller,
        overall=settings.daily_images,
        clock=clock,
        chance=chance,
    )
    attempts = Attempts(
        caller=ModelCaller(
            refs=refs,
            runtime=runtime,
            clock=clock,
            chance=chance,
            observer=observer,
            model_timeout=settings.model_timeout,
        ),
        images=images,
        ledger=ledger,
        quotas=quotas,
        clock=clock,
        chance=chance,
        observer=observer,
    )
    generator = Generator(
        attempts=attempts,
        images=images,
        ledger=ledger,
        quotas=quotas,
        queue=queue,
        webhook=SignedCallbacks(secret=lambda: _secret(settings, session), clock=clock),
        observer=observer,
    )
    services = Services(
        generator=generator,
        models=refs,
        cors_origins=settings.cors_origins,
        webhooks=bool(settings.webhook_secret_arn),
        observer=observer,
        today=lambda: clock.now().date(),
    )
    worker = Worker(
        generator=generator,
        queue=queue,
        chance=chance,
        observer=observer,
        dead_letter_queue_arn=settings.dead_letter_queue_arn,
    )
    return Wired(services=services, worker=worker)


def _refs(settings: Settings, *, region: str) -> tuple[ModelRef, ...]:
    try:
        return tuple(resolve(entry, region=region) for entry in settings.models)
    except ValueError as exc:
        raise Misconfigured(f"MODELS cannot be used: {exc}") from exc


def _secret(settings: Settings, session: boto3.session.Session) -> str:
    return SecretsManager(client=clients.secretsmanager(session), arn=settings.webhook_secret_arn).read()
