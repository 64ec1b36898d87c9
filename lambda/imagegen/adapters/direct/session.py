"""Makes the direct calls of one process from a session of botocore, which knows credentials, endpoints and roots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from imagegen.adapters.direct.bucket_client import DirectBucket
from imagegen.adapters.direct.connection import READ_TIMEOUT, Connection, trusting
from imagegen.adapters.direct.connections import IDLE_LIMIT, Connections
from imagegen.adapters.direct.resending import ATTEMPTS
from imagegen.adapters.direct.runtime_client import DirectRuntime
from imagegen.adapters.direct.signature import Credentials
from imagegen.adapters.direct.table_calls import TableCalls
from imagegen.adapters.direct.table_client import DirectTable
from imagegen.errors import Misconfigured

if TYPE_CHECKING:
    import ssl

    from botocore.session import Session
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from imagegen.generations.ports import Clock

_LONGEST_REPLY: Final = 8_000_000
"""In bytes. A reply of DynamoDB holds at most 1 MB of items, which are longer as JSON."""


class DirectSession:
    """What the direct calls share. The types of table and bucket are those of the SDK's clients, whose place they take.

    `url_suffix` is the end of AWS's addresses in the partition, such as `amazonaws.com`.
    """

    def __init__(self, session: Session, *, url_suffix: str, clock: Clock) -> None:
        self._session = session
        self._url_suffix = url_suffix
        self._clock = clock
        self._trust: ssl.SSLContext | None = None

    def table(self, *, attempts: int = ATTEMPTS) -> DynamoDBClient:
        """Return what calls DynamoDB; `attempts` is how many requests one call sends at most."""
        # What is sent once must not go over a connection that may be gone.
        idle_limit = IDLE_LIMIT if attempts == 1 else None
        connections = self._connections(self._endpoint("dynamodb"), idle_limit=idle_limit)
        calls = TableCalls(
            connections,
            region=self._session.get_config_variable("region"),
            credentials=self._credentials,
            now=self._clock.now,
            attempts=attempts,
        )
        return cast("DynamoDBClient", DirectTable(calls))

    def bucket(self, client: S3Client) -> S3Client:
        """Return a client that stores objects itself.

        Raises:
            Misconfigured: a direct call cannot go where the client goes.
        """
        # Now, because an image that is made has to get there.
        _check_path(client.meta.endpoint_url)
        _proxy_for(client.meta.endpoint_url)
        direct = DirectBucket(
            client, connect=self._connections, credentials=self._credentials, now=self._clock.now
        )
        return cast("S3Client", direct)

    def runtime(self, client: BedrockRuntimeClient) -> DirectRuntime:
        """Return what calls models; `client` calls those that stream."""
        return DirectRuntime(
            client,
            connections=self._connections(
                client.meta.endpoint_url,
                read_timeout=client.meta.config.read_timeout,  # type: ignore[attr-defined]  # the stubs lack it
                # A model may work for minutes without sending a byte.
                keep_alive=True,
                idle_limit=IDLE_LIMIT,
            ),
            credentials=self._credentials,
            now=self._clock.now,
        )

    def _connections(
        self,
        endpoint: str,
        *,
        read_timeout: float = READ_TIMEOUT,
        keep_alive: bool = False,
        idle_limit: float | None = None,
    ) -> Connections:
        _check_path(endpoint)
        proxy = _proxy_for(endpoint)
        return Connections(
            endpoint,
            lambda: Connection(
                endpoint,
                trust=self._trusted(),
                proxy=proxy,
                read_timeout=read_timeout,
                keep_alive=keep_alive,
                longest=_LONGEST_REPLY,
            ),
            idle_limit=idle_limit,
        )

    def _endpoint(self, service: str) -> str:
        """Return the address that the SDK would use, without loading the description of the service."""
        configured: str | None = None
        if not self._session.get_config_variable("ignore_configured_endpoint_urls"):
            configured = ConfiguredEndpointProvider(
                full_config=self._session.full_config,
                scoped_config=self._session.get_scoped_config(),
                client_name=service,
            ).provide()
        return (
            configured
            or f"https://{service}.{self._session.get_config_variable('region')}.{self._url_suffix}"
        )

    def _credentials(self) -> Credentials:
        # They may be new ones each time: those of a snapshot expire.
        found = self._session.get_credentials()
        current = found.get_frozen_credentials() if found else None
        if current is None or not current.access_key or not current.secret_key:
            raise NoCredentialsError
        return Credentials(
            access_key_id=current.access_key,
            secret_access_key=current.secret_key,
            session_token=current.token or "",
        )

    def _trusted(self) -> ssl.SSLContext:
        # Reading the roots takes ten times as long as a call, so all connections share them.
        if self._trust is None:
            self._trust = trusting(
                self._session.get_config_variable("ca_bundle") or get_cert_path(verify=True)
            )
        return self._trust


def _check_path(endpoint: str) -> None:
    """Refuse an endpoint that the direct calls cannot have.

    Raises:
        Misconfigured: it has a path.
    """
    if urlsplit(endpoint).path.strip("/"):
        raise Misconfigured("The endpoint of an AWS service must be a scheme and a host, without a path.")


def _proxy_for(endpoint: str) -> str | None:
    """Return the proxy that the SDK would use.

    Raises:
        Misconfigured: it is reached over TLS.
    """
    proxy: str | None = get_environ_proxies(endpoint).get("https")
    if not proxy or endpoint.startswith("http:"):
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(url).scheme != "http":
        # Without the address, which may hold a password.
        raise Misconfigured("HTTPS_PROXY must be http:// and a host.")
    return url
