"""The calls without the SDK's client find their endpoints, credentials and proxies where the SDK finds them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import NoCredentialsError
from botocore.httpsession import where

from imagegen.adapters import clients
from imagegen.adapters.direct.connection import host_of, trusting
from imagegen.adapters.direct.session import DirectSession
from imagegen.adapters.direct.signature import Credentials
from imagegen.errors import Misconfigured
from tests.support import sdk_clients
from tests.support.fakes import FakeClock
from tests.support.far_side import new_session

SUFFIXES = {
    "us-east-1": "amazonaws.com",
    "eu-central-1": "amazonaws.com",
    "us-gov-west-1": "amazonaws.com",
    "cn-north-1": "amazonaws.com.cn",
    "eusc-de-east-1": "amazonaws.eu",
}
CONFIGURED = {
    "nothing": {},
    "all services": {"AWS_ENDPOINT_URL": "http://localhost:1"},
    "this service": {
        "AWS_ENDPOINT_URL": "http://localhost:1",
        "AWS_ENDPOINT_URL_DYNAMODB": "https://localhost:2",
    },
    "another service": {"AWS_ENDPOINT_URL_SQS": "http://localhost:3"},
}


def direct(session: Any, *, url_suffix: str = "amazonaws.com") -> DirectSession:
    """Return what makes the calls of a session."""
    return DirectSession(session, url_suffix=url_suffix, clock=FakeClock())


def connections_of(table: Any) -> Any:
    """Return the connections of a table."""
    return table._calls._sender


@pytest.mark.parametrize("region", SUFFIXES)
@pytest.mark.parametrize("variables", CONFIGURED.values(), ids=CONFIGURED)
def test_the_table_is_at_the_sdks_address(
    variables: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds in every partition, and with an endpoint in the environment."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    session = new_session(region)
    connections = connections_of(direct(session, url_suffix=SUFFIXES[region]).table())
    assert f"{connections.scheme}://{connections.host}" == sdk_clients.dynamodb(session).meta.endpoint_url


def test_an_endpoint_in_a_configuration_file_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK reads it as well."""
    file = tmp_path / "config"
    file.write_text("[default]\nendpoint_url = http://localhost:4\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    assert connections_of(direct(new_session()).table()).host == "localhost:4"


@pytest.mark.parametrize("style", ["virtual", "path"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1"])
def test_a_bucket_is_at_the_sdks_address(style: clients.AddressingStyle, region: str) -> None:
    """The bucket's name is in the host or in the path; the SDK decides."""
    session = new_session(region)
    client = clients.s3(session, addressing_style=style)
    asked = {"Bucket": "pictures", "Key": "images/a~b/c d.png"}
    theirs = client.generate_presigned_url("get_object", Params=asked)
    ours = direct(session).bucket(client).generate_presigned_url("get_object", Params=asked, ExpiresIn=9)
    assert ours.partition("?")[0] == theirs.partition("?")[0]


def test_credentials_are_asked_for_at_each_call() -> None:
    """Those of a snapshot expire, and the SDK fetches new ones when they are asked for."""
    session = new_session()
    session.set_credentials("first", "secret", "token")
    calls = direct(session)
    assert calls._credentials() == Credentials(
        access_key_id="first", secret_access_key="secret", session_token="token"
    )
    session.set_credentials("second", "secret")
    assert calls._credentials() == Credentials(access_key_id="second", secret_access_key="secret")


def test_credentials_that_expire_are_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is how a function restored from a snapshot gets its own."""
    session, handed_out = new_session(), iter(("first", "second"))

    def fetch() -> dict[str, str]:
        return {
            "access_key": next(handed_out),
            "secret_key": "secret",
            "token": "token",
            "expiry_time": (datetime.now(UTC) + timedelta(seconds=1)).isoformat(),
        }

    from botocore.credentials import RefreshableCredentials  # noqa: PLC0415

    expiring = RefreshableCredentials.create_from_metadata(fetch(), fetch, "container-role")
    monkeypatch.setattr(session, "get_credentials", lambda: expiring)
    assert direct(session)._credentials().access_key_id == "second"


@pytest.mark.parametrize("found", [None, BotocoreCredentials("", "")], ids=["none", "empty"])
def test_without_credentials_nothing_is_sent(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the SDK's."""
    session = new_session()
    monkeypatch.setattr(session, "get_credentials", lambda: found)
    with pytest.raises(NoCredentialsError):
        direct(session).table().get_item(TableName="t", Key={"id": {"S": "x"}})
    with pytest.raises(NoCredentialsError):
        direct(session).runtime(
            clients.bedrock_runtime(session, region="us-west-2", model_timeout=60)
        ).invoke_model(modelId="m", body=b"{}", contentType="application/json", accept="application/json")


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://user:word@proxy:3128"}, "http://user:word@proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "amazonaws.com"}, None),
    ],
)
def test_a_proxy_is_the_sdks(
    variables: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table over https; its connection goes through the proxy, with the table's host as its aim."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    connection = connections_of(direct(new_session()).table()).take()._connection
    expected = ("proxy", 3128) if proxy else ("dynamodb.us-west-2.amazonaws.com", 443)
    assert (connection.host, connection.port) == expected
    assert connection._tunnel_host == ("dynamodb.us-west-2.amazonaws.com" if proxy else None)


def test_a_proxy_over_tls_is_refused_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address may hold a password."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "https://user:hush@proxy")
    with pytest.raises(Misconfigured) as raised:
        direct(new_session()).table()
    assert raised.value.detail == "HTTPS_PROXY must be http:// and a host."


def test_an_endpoint_with_a_path_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The direct calls would go elsewhere than the SDK's; one slash is no path."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1/")
    assert connections_of(direct(new_session()).table()).host == "localhost:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1/gateway")
    session = new_session()
    model = clients.bedrock_runtime(session, region="us-west-2", model_timeout=60)
    for make in (direct(session).table, lambda: direct(session).runtime(model)):
        with pytest.raises(Misconfigured) as raised:
            make()
        assert raised.value.detail == (
            "The endpoint of an AWS service must be a scheme and a host, without a path."
        )


def test_configured_endpoints_are_ignored_where_the_sdk_ignores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is the SDK's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert connections_of(direct(new_session()).table()).host == "dynamodb.us-west-2.amazonaws.com"


def test_a_bucket_that_cannot_be_reached_directly_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the first put: by then an image is paid for."""
    monkeypatch.setenv("HTTPS_PROXY", "https://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "dynamodb.us-west-2.amazonaws.com")
    session = new_session()
    direct(session).table()
    with pytest.raises(Misconfigured):
        direct(session).bucket(clients.s3(session, addressing_style="virtual"))


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://s3.Example.com:443", "s3.example.com"),
        ("http://s3.example.com:80", "s3.example.com"),
        ("https://s3.example.com:80", "s3.example.com:80"),
        ("https://s3.example.com:4443", "s3.example.com:4443"),
        ("http://user:word@[::1]:4566", "[::1]:4566"),
        ("https://localhost", "localhost"),
    ],
)
def test_a_host_is_signed_as_a_browser_sends_it(endpoint: str, host: str) -> None:
    """In small letters, and without the port that the scheme has anyway."""
    assert host_of(endpoint) == host


def test_authorities_are_checked_as_strictly_as_by_the_sdk() -> None:
    """From 3.13 on, Python alone would refuse some of those that inspect the traffic of companies."""
    assert not trusting().verify_flags & ssl.VERIFY_X509_STRICT
    assert trusting().verify_mode is ssl.CERT_REQUIRED
    assert trusting().check_hostname


def test_all_connections_share_the_roots_and_read_them_when_one_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading them takes ten times as long as a call."""
    read: list[str | None] = []

    def trusting(ca_bundle: str | None = None) -> Any:
        read.append(ca_bundle)
        return botocore.session  # only its identity counts

    monkeypatch.setattr("imagegen.adapters.direct.session.trusting", trusting)
    monkeypatch.setenv("AWS_CA_BUNDLE", "/roots.pem")
    calls = direct(new_session())
    table, other = calls.table(), calls.table(attempts=1)
    assert read == []
    monkeypatch.setattr("imagegen.adapters.direct.session.Connection", lambda *_, **options: options["trust"])
    assert connections_of(table).take() is connections_of(other).take()
    assert read == ["/roots.pem"]


def test_the_roots_are_botocores_unless_the_environment_names_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are in the zip, and the SDK's clients trust the same ones."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    listed = ssl.create_default_context(cafile=where()).get_ca_certs()
    assert direct(new_session())._trusted().get_ca_certs() == listed
    assert any("Amazon Root CA 1" in str(root["subject"]) for root in listed)
