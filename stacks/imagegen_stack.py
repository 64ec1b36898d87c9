"""The stack: makes the constructs, connects them, grants their rights and names the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_

from stacks.authentication import AUTHENTICATION
from stacks.concurrency import queue_concurrency, warn_about_a_small_account
from stacks.encryption_key import EncryptionKey
from stacks.functions import Function, WorkerFunction, environment
from stacks.generation_queue import GenerationQueue
from stacks.generation_table import DUE_INDEX, OWNER_INDEX, GenerationTable
from stacks.gradual_deployment import handler_of
from stacks.http_api import HttpApi
from stacks.image_bucket import ImageBucket
from stacks.model_access import concurrency_for, invoke_models, resolve_models, warn_about_ended_models
from stacks.permissions_boundary import limit_roles
from stacks.stage import StageConfig, stack_name
from stacks.webhook_secret import WebhookSecret

if TYPE_CHECKING:
    from constructs import Construct


class ImagegenStack(Stack):
    """One stage of the service; `today` decides which of its models have reached their end of life."""

    def __init__(
        self,
        scope: Construct,
        *,
        config: StageConfig,
        code: lambda_.Code,
        authorizer_code: lambda_.Code,
        env: Environment,
        today: date,
    ) -> None:
        super().__init__(
            scope,
            stack_name(config.name),
            env=env,
            description="imagegen: text to image on Amazon Bedrock.",
        )
        self.models = models = resolve_models(config.models, region=self.region)
        warn_about_ended_models(models, stack=self, today=today)

        limit_roles(self, config=config)
        key = EncryptionKey(self, "Encryption", config=config) if config.encryption == "kms" else None
        self.encryption_key = kms_key = key.key if key else None
        bucket = ImageBucket(self, "Images", config=config, key=kms_key)
        table = GenerationTable(self, "Generations", config=config, key=kms_key)
        queue = GenerationQueue(self, "Jobs", config=config, key=kms_key)
        secret = WebhookSecret(self, "Webhooks", key=kms_key) if config.webhooks else None
        variables = environment(
            self, config=config, bucket=bucket, table=table, queue=queue, webhook_secret=secret
        )
        api = self._make_api(config, code=code, variables=variables, key=kms_key)
        concurrency = queue_concurrency(config, derived=concurrency_for(models, today=today))
        warn_about_a_small_account(config, queue=concurrency, stack=self)
        worker = self._make_worker(
            config, code=code, variables=variables, key=kms_key, concurrency=concurrency
        )
        callers = AUTHENTICATION[config.api_auth]
        handler = handler_of(self, config=config, function=api.function)
        http_api = HttpApi(
            self,
            "Http",
            config=config,
            authentication=callers,
            handler=handler,
            authorizer_code=authorizer_code,
            key=key,
        )

        # What the stacks beside this one refer to.
        self.api, self.worker, self.authorizer = api, worker, http_api.authorizer_function
        self.http_api, self.queue, self.table = http_api, queue, table
        self.api_host = http_api.host
        self.images_origin = bucket.origin(config.s3_addressing_style)
        self._allow(bucket=bucket, secret=secret, key=key)
        worker.poll(queue)
        worker.sweep_every_minute()
        self._name_outputs(bucket=bucket, secret=secret)

    def _make_api(
        self, config: StageConfig, *, code: lambda_.Code, variables: Mapping[str, str], key: kms.Key | None
    ) -> Function:
        return Function(
            self,
            "Api",
            config=config,
            code=code,
            handler="imagegen.api_handler.lambda_handler",
            description="Serves the HTTP API of imagegen.",
            environment=variables,
            key=key,
            reserved_concurrency=config.api_concurrency,
            snapstart=config.snapstart,
        )

    def _make_worker(
        self,
        config: StageConfig,
        *,
        code: lambda_.Code,
        variables: Mapping[str, str],
        key: kms.Key | None,
        concurrency: int,
    ) -> WorkerFunction:
        return WorkerFunction(
            self,
            "Worker",
            config=config,
            code=code,
            environment=variables,
            key=key,
            concurrency=concurrency,
        )

    def _allow(self, *, bucket: ImageBucket, secret: WebhookSecret | None, key: EncryptionKey | None) -> None:
        """Give each function the rights that it uses, and no other."""
        api, worker, table, queue = self.api, self.worker, self.table, self.queue
        # Exact statements instead of CDK's grants: see docs/decisions/0014-rights-are-written-out.md.
        for function in (api, worker):
            function.allow(*invoke_models(self.models, stack=self))
            function.allow(bucket.use_images(), table.use_items(), queue.send())
        api.allow(table.query(OWNER_INDEX))
        worker.allow(table.query(DUE_INDEX), queue.consume(), *queue.send_call_backs())
        if secret:
            worker.allow(secret.read())
        if key:
            _allow_key(key, api=api, worker=worker, signs=bool(secret))

    def _name_outputs(self, *, bucket: ImageBucket, secret: WebhookSecret | None) -> None:
        """Name what operators and the commands look up."""
        queue, http_api = self.queue, self.http_api
        outputs = {
            "ApiId": http_api.api.rest_api_id,
            "ApiUrl": http_api.url,
            "BucketName": bucket.bucket.bucket_name,
            "TableName": self.table.table.table_name,
            "QueueUrl": queue.queue.queue_url,
            "DeadLetterQueueUrl": queue.dead_letters.queue_url,
            "ApiLogGroup": self.api.log_group.log_group_name,
            "WorkerLogGroup": self.worker.log_group.log_group_name,
            "AccessLogGroup": http_api.access_logs.log_group_name,
        }
        if queue.call_backs and queue.dead_call_backs:
            outputs["CallBackQueueUrl"] = queue.call_backs.queue_url
            outputs["DeadCallBackQueueUrl"] = queue.dead_call_backs.queue_url
        if secret:
            outputs["WebhookSecretArn"] = secret.arn
        if self.encryption_key:
            outputs["EncryptionKeyArn"] = self.encryption_key.key_arn
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def _allow_key(key: EncryptionKey, *, api: Function, worker: Function, signs: bool) -> None:
    """Let the functions read and write what is encrypted, through the services that they call."""
    used = ("dynamodb", "s3", "sqs")
    api.allow(key.decrypt(*used), key.encrypt("s3", "sqs"))
    worker.allow(key.decrypt(*used, *(("secretsmanager",) if signs else ())), key.encrypt("s3", "sqs"))
