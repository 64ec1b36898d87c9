"""The Lambda functions, their environment, and the events that invoke the worker."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Aws, CfnParameter, Duration, Fn
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from imagegen.settings import USD_DECIMALS
from stacks.bundling import RUNTIME_VERSION
from stacks.concurrency import DEAD_LETTER_CONCURRENCY, beside_the_queue, call_back_concurrency
from stacks.generation_queue import GenerationQueue
from stacks.generation_table import GenerationTable
from stacks.image_bucket import ImageBucket
from stacks.log_group import LogGroup
from stacks.stage import LOOPBACK_PARAMETER, StageConfig
from stacks.webhook_secret import WebhookSecret

SERVICE = "imagegen"


class Function(Construct):
    """One Lambda function with its own role and log group; it may do only what `allow` adds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: lambda_.Code,
        handler: str,
        description: str,
        environment: Mapping[str, str],
        key: kms.Key | None,
        reserved_concurrency: int | None = None,
        timeout: int | None = None,
        memory_mb: int | None = None,
        snapstart: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = LogGroup(self, "Logs", config=config, key=key)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.allow(
            iam.PolicyStatement(
                sid="WriteLogs",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime(
                f"python{RUNTIME_VERSION}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=True
            ),
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            handler=handler,
            timeout=Duration.seconds(timeout or config.function_timeout),
            memory_size=memory_mb or config.memory_mb,
            environment=dict(environment),
            reserved_concurrent_executions=reserved_concurrency,
            role=self.role,
            log_group=self.log_group,
            # With the right to send traces, which knows no narrower resource than all.
            tracing=lambda_.Tracing.ACTIVE if config.tracing else None,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snapstart else None,
        )

    def allow(self, *statements: iam.PolicyStatement) -> None:
        """Add rights to the function's role."""
        for statement in statements:
            self.role.add_to_policy(statement)


class WorkerFunction(Function):
    """Makes the queued images, sends call-backs, fails what is in the dead-letter queue, and sweeps every minute."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        code: lambda_.Code,
        environment: Mapping[str, str],
        key: kms.Key | None,
        concurrency: int,
    ) -> None:
        # Without it, Lambda's throttle could use up a message's deliveries before any worker has tried it:
        # see docs/decisions/0012-the-worker-reserves-its-concurrency.md.
        reserved = concurrency + beside_the_queue(config)
        super().__init__(
            scope,
            construct_id,
            config=config,
            code=code,
            handler="imagegen.worker_handler.lambda_handler",
            description="Makes the images that were asked for asynchronously.",
            environment=environment,
            key=key,
            reserved_concurrency=reserved if config.reserve_concurrency else None,
        )
        self._concurrency = concurrency
        self._call_back_concurrency = call_back_concurrency(config)

    def poll(self, queue: GenerationQueue) -> None:
        """Let the queues invoke the worker, with one message for each invocation, within its reserved concurrency."""
        self._source("QueueSource", queue.queue, concurrency=self._concurrency)
        self._source("DeadLetterSource", queue.dead_letters, concurrency=DEAD_LETTER_CONCURRENCY)
        if queue.call_backs:
            self._source("CallBackSource", queue.call_backs, concurrency=self._call_back_concurrency)

    def sweep_every_minute(self) -> None:
        """Invoke the worker every minute, so that it finds overdue generations."""
        # No retries: the next tick is only a minute away, and finds the same records. The event rule's own policy ends
        # where Lambda has accepted the event. From there on Lambda would repeat a failed tick twice, for up to six
        # hours: AWS Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation".
        self.function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))
        target = targets.LambdaFunction(self.function, retry_attempts=0, max_event_age=Duration.minutes(1))
        events.Rule(
            self,
            "Sweep",
            description="Sends overdue generations of imagegen to the queue again.",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[target],
        )

    def _source(self, construct_id: str, queue: sqs.IQueue, *, concurrency: int) -> None:
        # SqsEventSource would also grant sqs:GetQueueUrl, which nothing needs:
        # see docs/decisions/0014-rights-are-written-out.md.
        lambda_.EventSourceMapping(
            self,
            construct_id,
            target=self.function,
            event_source_arn=queue.queue_arn,
            # An image can take as long as the function may run, so an invocation has time for one.
            batch_size=1,
            max_concurrency=concurrency,
            report_batch_item_failures=True,
        )


def environment(
    scope: Construct,
    *,
    config: StageConfig,
    bucket: ImageBucket,
    table: GenerationTable,
    queue: GenerationQueue,
    webhook_secret: WebhookSecret | None,
) -> dict[str, str]:
    """Return the environment of api function and worker: every field of `imagegen.settings.Settings`, in capitals."""
    variables = {
        "STAGE": config.name,
        "BUCKET_NAME": bucket.bucket.bucket_name,
        "TABLE_NAME": table.table.table_name,
        "URL_SUFFIX": Aws.URL_SUFFIX,
        "QUEUE_URL": queue.queue.queue_url,
        "DEAD_LETTER_QUEUE_ARN": queue.dead_letters.queue_arn,
        "CALL_BACK_QUEUE_ARN": queue.call_backs.queue_arn if queue.call_backs else "",
        "MODELS": ",".join(config.models),
        "MODEL_TIMEOUT": str(config.model_timeout),
        "FUNCTION_TIMEOUT": str(config.function_timeout),
        "GATEWAY_TIMEOUT": str(config.gateway_timeout),
        "URL_TTL": str(config.url_ttl),
        "S3_ADDRESSING_STYLE": config.s3_addressing_style,
        "CORS_ORIGINS": ",".join(config.cors_origins),
        "RECORD_RETENTION_DAYS": str(config.record_retention_days),
        "MAX_PAID_ATTEMPTS": str(config.max_paid_attempts),
        "DAILY_IMAGES_PER_CALLER": _or_empty(config.daily_images_per_caller),
        "DAILY_IMAGES": _or_empty(config.daily_images),
        "DAILY_USD_PER_CALLER": _or_empty(config.daily_usd_per_caller),
        "DAILY_USD": _or_empty(config.daily_usd),
        "IMAGES_PER_MINUTE_PER_CALLER": _or_empty(config.images_per_minute_per_caller),
        "QUEUED_JOBS_PER_CALLER": _or_empty(config.queued_jobs_per_caller),
        "WEBHOOK_SECRET_ARN": webhook_secret.arn if webhook_secret else "",
        "MARK_IMAGES": str(config.mark_images).lower(),
        "EMBED_PROMPT": str(config.embed_prompt).lower(),
        "WEBHOOK_LOOPBACK": _loopback(scope) if config.webhook_loopback else "false",
        # The random part of the stack's id. Owners are hashed with it, so nobody can guess one from a name.
        "OWNER_SALT": config.owner_salt or Fn.select(2, Fn.split("/", Aws.STACK_ID)),
        # Only `make drill` sets it, and each deployment that changes the environment clears it.
        "DRILL": "",
        "OPENAI_MODEL_ALIASES": ",".join(config.openai_model_aliases),
        "POWERTOOLS_SERVICE_NAME": SERVICE,
        "POWERTOOLS_METRICS_NAMESPACE": SERVICE,
        "POWERTOOLS_LOG_LEVEL": config.log_level,
    }
    if config.bedrock_endpoint_url:
        # The SDK reads this one by itself.
        variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = config.bedrock_endpoint_url
    return variables


def _loopback(scope: Construct) -> str:
    """Return what whoever deploys the template says; without a word, as in an account, it is `false`."""
    parameter = CfnParameter(
        scope,
        LOOPBACK_PARAMETER,
        default="false",
        allowed_values=["false", "true"],
        description="Whether call-backs may go to 127.0.0.1 over plain http; for the emulator only.",
    )
    return parameter.value_as_string


def _or_empty(number: float | None) -> str:
    if number is None:
        return ""
    # `str` would write 0.000001 with an exponent and -0.0 with a sign, and the functions read neither.
    return str(number) if isinstance(number, int) else f"{number:z.{USD_DECIMALS}f}"
