"""Turns settings into AWS clients, clients into adapters, and adapters into the parts of `generations/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imagegen.adapters import clients
from imagegen.adapters.bedrock import BedrockRuntime
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.dynamodb import DynamoDbGenerations, DynamoDbQuotas, DynamoDbRecentRequests
from imagegen.adapters.s3 import S3Images
from imagegen.adapters.secretsmanager import SecretsManager
from imagegen.adapters.sqs import SqsQueue, sibling
from imagegen.adapters.system import SystemClock, SystemRandomness
from imagegen.adapters.webhook import SignedCallbacks
from imagegen.errors import Misconfigured
from imagegen.generations.attempts import Attempts
from imagegen.generations.charges import QuotaLimits, micro_usd
from imagegen.generations.drill import drilled
from imagegen.generations.history import History
from imagegen.generations.jobs import Jobs
from imagegen.generations.ledger import Ledger, Limits
from imagegen.generations.marks import Marking
from imagegen.generations.model_caller import ModelCaller
from imagegen.generations.ports import Observer, Ports
from imagegen.generations.repeats import Repeats
from imagegen.generations.submit import Submitter
from imagegen.models.registry import ModelRef, resolve

if TYPE_CHECKING:
    from botocore.session import Session

    from imagegen.settings import Settings

_DEFAULT_MARKING: Final = Marking()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts that the functions call, and the ports and models that these are made of."""

    submitter: Submitter
    history: History
    jobs: Jobs
    models: Sequence[ModelRef]
    ports: Ports


def assemble(
    ports: Ports, limits: Limits, *, models: Sequence[ModelRef], marking: Marking = _DEFAULT_MARKING
) -> Service:
    """Connect the parts of `generations/` with each other and with the ports, real ones or a test's."""
    ledger = Ledger(
        store=ports.store,
        quotas=ports.quotas,
        clock=ports.clock,
        randomness=ports.randomness,
        observer=ports.observer,
        limits=limits,
    )
    attempts = Attempts(
        caller=ModelCaller(
            refs=models,
            runtime=ports.runtime,
            clock=ports.clock,
            randomness=ports.randomness,
            observer=ports.observer,
            model_timeout=limits.model_timeout,
        ),
        images=ports.images,
        ledger=ledger,
        clock=ports.clock,
        randomness=ports.randomness,
        observer=ports.observer,
        marking=marking,
    )
    repeats = Repeats(
        recent=ports.recent,
        ledger=ledger,
        clock=ports.clock,
        randomness=ports.randomness,
        observer=ports.observer,
    )
    submitter = Submitter(
        attempts=attempts,
        ledger=ledger,
        quotas=ports.quotas,
        repeats=repeats,
        queue=ports.queue,
        clock=ports.clock,
        observer=ports.observer,
    )
    jobs = Jobs(
        attempts=attempts,
        ledger=ledger,
        quotas=ports.quotas,
        queue=ports.queue,
        call_backs=ports.call_backs,
        webhook=ports.webhook,
        observer=ports.observer,
    )
    history = History(attempts=attempts, images=ports.images, ledger=ledger)
    return Service(submitter=submitter, history=history, jobs=jobs, models=models, ports=ports)


def wire(settings: Settings, *, session: Session, observer: Observer) -> Service:
    """Return the service of a deployment.

    Raises:
        Misconfigured: a listed model is not registered.
    """
    models = _models(settings, region=session.get_config_variable("region"))
    limits = Limits(
        function_timeout=settings.function_timeout,
        model_timeout=settings.model_timeout,
        connection=settings.connection,
        max_paid_attempts=settings.max_paid_attempts,
        record_retention_days=settings.record_retention_days,
    )
    return assemble(
        aws_ports(settings, models=models, session=session, observer=observer),
        limits,
        models=models,
        marking=Marking(images=settings.mark_images, prompts=settings.embed_prompt),
    )


def aws_ports(
    settings: Settings, *, models: Sequence[ModelRef], session: Session, observer: Observer
) -> Ports:
    """Return the real ports: AWS, the web, the machine's clock and its randomness."""
    clock, randomness = SystemClock(), SystemRandomness()
    direct = DirectSession(session, url_suffix=settings.url_suffix, clock=clock)
    dynamodb = direct.table()
    # Only asynchronous requests and failed messages need the queue, and only call-backs the secret.
    sqs = clients.made_once(lambda: clients.sqs(session))
    secrets = clients.made_once(lambda: clients.secretsmanager(session))
    # One client for each region: an entry of the list may be called in a region other than the function's own.
    runtimes = clients.OfRegions(
        lambda region: direct.runtime(
            clients.bedrock_runtime(session, region=region, model_timeout=settings.model_timeout)
        ),
        regions=[ref.region for ref in models],
    )
    return Ports(
        runtime=drilled(
            BedrockRuntime(runtimes, model_timeout=settings.model_timeout, clock=clock),
            settings.drill,
            clock=clock,
        ),
        images=S3Images(
            client=direct.bucket(clients.s3(session, addressing_style=settings.s3_addressing_style)),
            bucket=settings.bucket_name,
            url_ttl=settings.url_ttl,
            clock=clock,
        ),
        store=DynamoDbGenerations(client=dynamodb, table=settings.table_name),
        quotas=DynamoDbQuotas(
            client=dynamodb,
            # Few requests take a unit back, so the second client is made by the first one that does.
            once=clients.made_once(lambda: direct.table(attempts=1)),
            table=settings.table_name,
            limits=_quota_limits(settings),
            clock=clock,
            randomness=randomness,
            observer=observer,
        ),
        recent=DynamoDbRecentRequests(client=dynamodb, table=settings.table_name),
        queue=SqsQueue(client=sqs, queue_url=settings.queue_url),
        call_backs=SqsQueue(client=sqs, queue_url=sibling(settings.queue_url, settings.call_back_queue_arn)),
        # The secret is read for the first call-back. The api function never sends one, and has no right to read it.
        webhook=SignedCallbacks(
            secret=lambda: SecretsManager(client=secrets(), arn=settings.webhook_secret_arn).read(),
            clock=clock,
            loopback=settings.webhook_loopback,
        ),
        clock=clock,
        randomness=randomness,
        observer=observer,
    )


def _quota_limits(settings: Settings) -> QuotaLimits:
    return QuotaLimits(
        daily_images_per_caller=settings.daily_images_per_caller,
        daily_micro_usd_per_caller=micro_usd(settings.daily_usd_per_caller),
        images_per_minute_per_caller=settings.images_per_minute_per_caller,
        queued_jobs_per_caller=settings.queued_jobs_per_caller,
        daily_images=settings.daily_images,
        daily_micro_usd=micro_usd(settings.daily_usd),
    )


def _models(settings: Settings, *, region: str) -> tuple[ModelRef, ...]:
    try:
        return tuple(resolve(entry, region=region) for entry in settings.models)
    except ValueError as exc:
        raise Misconfigured(f"MODELS cannot be used: {exc}") from exc
