"""The REST API in front of the api function: authentication, throttles, CORS and the access log."""

from __future__ import annotations

import json
from typing import Final, cast

from aws_cdk import Aws, Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from imagegen.http import surface
from stacks.authentication import AUTHORIZER, Authentication
from stacks.custom_domain import CustomDomain
from stacks.encryption_key import EncryptionKey
from stacks.firewall import Firewall
from stacks.functions import Function
from stacks.gateway_responses import EXPOSED_HEADERS, add_gateway_responses
from stacks.log_group import LogGroup
from stacks.stage import StageConfig, stack_name

OPEN_PATHS = tuple(path.removeprefix("/") for path in surface.OPEN_PATHS)
DOCUMENT_PATH: Final = surface.route_named("showOpenApi").path
# API Gateway throttles each of its methods apart, so callers who look images up take nothing from those who make them:
# see docs/decisions/0017-a-throttle-for-each-method.md.
METHODS: Final = ("GET", "POST", "ANY")
OPEN_METHODS: Final = {
    path: ("GET", "ANY") if f"/{path}" == DOCUMENT_PATH else ("ANY",) for path in OPEN_PATHS
}
DOCUMENTS_SHARE: Final = 10
"""The document has this part of the throttle: a reply is 200 KB, anybody may ask for it, and traffic out is paid."""
SENT_HEADERS = tuple(name.lower() for name in surface.SENT_HEADERS)
COMPRESSED_FROM = 8192
"""The size in bytes of a reply from which on API Gateway may compress it: `openapi.json`, and long histories."""
# Neither a query string nor a key is logged: $context.path has no query, and the key is named by its id.
ACCESS_LOG_FIELDS = {
    "time": "$context.requestTimeEpoch",
    "request_id": "$context.requestId",
    "extended_request_id": "$context.extendedRequestId",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "error_type": "$context.error.responseType",
    "error_message": "$context.error.message",
    "integration_error": "$context.integration.error",
    "response_bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_ms": "$context.integration.latency",
    "integration_status": "$context.integration.integrationStatus",
    "source_ip": "$context.identity.sourceIp",
    "key_id": "$context.authorizer.keyId",
    "subject": "$context.authorizer.claims.sub",
    "authorizer_ms": "$context.authorizer.latency",
    "authorizer_error": "$context.authorizer.error",
    "user_arn": "$context.identity.userArn",
}


class HttpApi(Construct):
    """A regional REST API: one greedy path that needs authentication, two open ones, its own errors as problems."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StageConfig,
        authentication: Authentication,
        handler: lambda_.IFunction,
        authorizer_code: lambda_.Code,
        key: EncryptionKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._authentication = authentication
        make = authentication.authorizer
        self._authorizer = make(self, config, authorizer_code, key) if make else None
        self.access_logs = LogGroup(self, "AccessLogs", config=config, key=key.key if key else None)
        self.api = self._rest_api()
        add_gateway_responses(self.api, authentication=authentication, cors_origins=config.cors_origins)
        integration = apigateway.LambdaIntegration(
            handler, allow_test_invoke=False, timeout=Duration.seconds(config.gateway_timeout)
        )
        self._protected_path("{proxy+}", integration)
        for path in OPEN_PATHS:
            self._open_path(path, integration)
        if config.waf:
            Firewall(self, "Firewall", config=config, stage=self.api.deployment_stage)
        self._domain = (
            CustomDomain(self, "Domain", config=config, api=self.api) if config.domain_name else None
        )

    @property
    def authorizer_function(self) -> Function | None:
        """The function that checks API keys, if the callers have any."""
        found = self.node.try_find_child(AUTHORIZER)
        return found if isinstance(found, Function) else None

    @property
    def host(self) -> str:
        """The host that serves the API: the stage's domain, or else the regional endpoint."""
        if self._domain:
            return self._domain.name
        return f"{self.api.rest_api_id}.execute-api.{Stack.of(self).region}.{Aws.URL_SUFFIX}"

    @property
    def url(self) -> str:
        """The base URL, which ends in the stage's name."""
        return f"https://{self.host}/{surface.STAGE_NAME}"

    def _rest_api(self) -> apigateway.RestApi:
        api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=stack_name(self._config.name),
            description="Text to image on Amazon Bedrock.",
            endpoint_configuration=apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL]),
            # Whoever could still come by the other host would pass by the domain's certificate and names.
            disable_execute_api_endpoint=True if self._config.domain_name else None,
            # Stability's route replies to `Accept: image/png` with bytes. JSON is listed because API Gateway would
            # replace bytes that are not UTF-8 in a text; passed on as bytes, the function refuses them.
            binary_media_types=list(surface.BINARY_MEDIA_TYPES),
            # API Gateway compresses a reply for a client whose `Accept-Encoding` asks for it, whatever its type. AWS's
            # SDKs ask for no encoding. A short reply would not become shorter.
            min_compression_size=Size.bytes(COMPRESSED_FROM),
            # API Gateway writes logs only with this role. All APIs of an account and region share it, so it stays.
            cloud_watch_role=self._config.gateway_log_role,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN if self._config.gateway_log_role else None,
            deploy_options=apigateway.StageOptions(
                stage_name=surface.STAGE_NAME,
                access_log_destination=apigateway.LogGroupLogDestination(self.access_logs),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG_FIELDS)),
                # Execution logs would hold prompts and presigned URLs.
                data_trace_enabled=False,
                logging_level=apigateway.MethodLoggingLevel.OFF,
                # CloudWatch charges for each method's metrics. Those of the whole stage are free, and always there.
                metrics_enabled=self._config.method_metrics,
                # See docs/decisions/0102-tracing-by-the-platform-alone.md.
                tracing_enabled=self._config.tracing,
                throttling_rate_limit=self._config.throttle_rate,
                throttling_burst_limit=self._config.throttle_burst,
                method_options=self._document_options(),
            ),
        )
        # The stack names every output; this one is RestApi's own.
        api.node.try_remove_child("Endpoint")
        return api

    def _document_options(self) -> dict[str, apigateway.MethodDeploymentOptions] | None:
        rate, burst = self._config.throttle_rate, self._config.throttle_burst
        if rate is None or burst is None:
            return None
        # They take the place of the stage's settings as a whole, so all of those are repeated.
        return {
            f"{DOCUMENT_PATH}/GET": apigateway.MethodDeploymentOptions(
                data_trace_enabled=False,
                logging_level=apigateway.MethodLoggingLevel.OFF,
                metrics_enabled=self._config.method_metrics,
                throttling_rate_limit=rate / DOCUMENTS_SHARE,
                throttling_burst_limit=max(1, burst // DOCUMENTS_SHARE),
            )
        }

    def _protected_path(self, path: str, integration: apigateway.Integration) -> None:
        authentication = self._authentication
        resource = self.api.root.add_resource(path)
        for method in METHODS:
            resource.add_method(
                method,
                integration,
                authorization_type=authentication.authorization,
                authorizer=self._authorizer,
            )
        self._preflight(resource)

    def _open_path(self, path: str, integration: apigateway.Integration) -> None:
        # ANY, because API Gateway would reply to any other method with 404. The function replies with 405.
        resource = self.api.root.add_resource(path)
        for method in OPEN_METHODS[path]:
            resource.add_method(method, integration, authorization_type=apigateway.AuthorizationType.NONE)
        self._preflight(resource)

    def _preflight(self, resource: apigateway.Resource) -> None:
        # API Gateway handles preflights without a function: see docs/decisions/0011-cors-without-a-function.md.
        if not self._config.cors_origins:
            return
        preflight = resource.add_cors_preflight(
            allow_origins=list(self._config.cors_origins),
            allow_methods=[*surface.METHODS, "OPTIONS"],
            allow_headers=list(SENT_HEADERS),
            expose_headers=list(EXPOSED_HEADERS),
            max_age=Duration.hours(1),
        )
        read_as_text(preflight, api=self.api)


def read_as_text(preflight: apigateway.Method, *, api: apigateway.RestApi) -> None:
    """Let API Gateway read preflights although JSON is binary here, and deploy that.

    A preflight has no Content-Type, which counts as application/json. A mock integration cannot read bytes, and API
    Gateway would reply with 500. See its developer guide, "Content type conversions in API Gateway".
    """
    method = cast("apigateway.CfnMethod", preflight.node.default_child)
    method.add_property_override("Integration.ContentHandling", "CONVERT_TO_TEXT")
    # API Gateway serves the snapshot of a deployment. The CDK makes a new one if a method changes, but does not count
    # overrides; so an API that is already deployed would go on replying with 500.
    deployment = cast("apigateway.Deployment", api.latest_deployment)
    deployment.add_to_logical_id({preflight.node.path: "CONVERT_TO_TEXT"})
