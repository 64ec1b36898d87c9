"""The queues of the worker: of asynchronous generations and of their call-backs, each with a dead-letter queue."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.encryption_key import DATA_KEY_HOURS
from stacks.stage import StageConfig

# A delivery counts even if the worker postpones the message because the model is busy. The worker waits up to a minute
# between two deliveries, so fifty of them last about 45 minutes while the model takes no request at all.
MAX_DELIVERIES = 50


class GenerationQueue(Construct):
    """Encrypted, TLS-only queues; a message carries a generation's id, its claim and its owner's hash."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, key: kms.Key | None
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue, self.dead_letters = _queues(self, "Queue", "DeadLetters", config=config, key=key)
        self.call_backs: sqs.Queue | None = None
        self.dead_call_backs: sqs.Queue | None = None
        if config.webhooks:
            # Nobody takes call-backs out of their dead-letter queue: the records say which ones are due, and the sweep
            # sends those again.
            self.call_backs, self.dead_call_backs = _queues(
                self, "CallBacks", "DeadCallBacks", config=config, key=key
            )

    def send(self) -> iam.PolicyStatement:
        """Return the right to put a message on the queue of jobs."""
        return iam.PolicyStatement(
            sid="SendToQueue", actions=["sqs:SendMessage"], resources=[self.queue.queue_arn]
        )

    def send_call_backs(self) -> tuple[iam.PolicyStatement, ...]:
        """Return the right to put a message on the queue of call-backs, if there is one."""
        if not self.call_backs:
            return ()
        arns = [self.call_backs.queue_arn]
        return (iam.PolicyStatement(sid="SendCallBacks", actions=["sqs:SendMessage"], resources=arns),)

    def consume(self) -> iam.PolicyStatement:
        """Return the rights to poll the queues, which Lambda needs, and to postpone a message."""
        consumed = (self.queue, self.dead_letters, self.call_backs)
        return iam.PolicyStatement(
            sid="ConsumeQueues",
            actions=[
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            resources=[queue.queue_arn for queue in consumed if queue],
        )


def _queues(
    scope: Construct, construct_id: str, dead_id: str, *, config: StageConfig, key: kms.Key | None
) -> tuple[sqs.Queue, sqs.Queue]:
    """Return a queue, and the one of what it gave up."""
    dead = _queue(scope, dead_id, config=config, key=key, retention=Duration.days(14))
    redrive = sqs.DeadLetterQueue(queue=dead, max_receive_count=MAX_DELIVERIES)
    queue = _queue(
        scope, construct_id, config=config, key=key, retention=Duration.days(4), dead_letter_queue=redrive
    )
    return queue, dead


def _queue(
    scope: Construct,
    construct_id: str,
    *,
    config: StageConfig,
    key: kms.Key | None,
    retention: Duration,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    return sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        data_key_reuse=Duration.hours(DATA_KEY_HOURS) if key else None,
        enforce_ssl=True,
        visibility_timeout=Duration.seconds(config.queue_visibility),
        retention_period=retention,
        dead_letter_queue=dead_letter_queue,
        removal_policy=RemovalPolicy.DESTROY,
    )
