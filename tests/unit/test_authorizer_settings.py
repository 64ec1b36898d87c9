"""The authorizer's environment gives complete settings, with the endpoint and proxy that the SDK would use."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.utils import get_environ_proxies

from imagegen.authorizer_settings import AuthorizerSettings
from imagegen.errors import Misconfigured
from tests.support.environment import AUTHORIZERS_ENVIRONMENT

REGIONS = (
    *("us-east-1", "eu-central-2", "ap-southeast-7", "il-central-1", "us-gov-west-1", "cn-northwest-1"),
    *("us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1"),
)
ENDPOINT = "https://dynamodb.us-west-2.amazonaws.com"
ELSEWHERE = {"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:2"}
PROXY = "http://proxy.example:8080"


def read(**variables: str) -> AuthorizerSettings:
    """Return the settings of the usual environment with these variables in addition."""
    return AuthorizerSettings.from_environment({**AUTHORIZERS_ENVIRONMENT, **variables})


def test_an_environment_is_read_whole() -> None:
    """Other variables are ignored."""
    assert read(PATH="/bin") == AuthorizerSettings(
        key_table_name="keys",
        region="us-west-2",
        endpoint=ENDPOINT,
        access_key_id="AKIDEXAMPLE",
        secret_access_key="secret",
        session_token="token",
        ca_bundle=None,
        proxy=None,
    )


def test_the_settings_do_not_show_what_is_secret() -> None:
    """Settings may be part of a traceback."""
    shown = repr(
        read(AWS_SESSION_TOKEN="hush", AWS_SECRET_ACCESS_KEY="hush", HTTPS_PROXY="http://hush:hush@p")
    )
    assert "hush" not in shown


def test_the_error_names_every_variable_that_is_missing_or_empty() -> None:
    """So one deployment can repair all of them."""
    with pytest.raises(Misconfigured) as raised:
        AuthorizerSettings.from_environment({"KEY_TABLE_NAME": "", "AWS_REGION": "us-west-2"})
    assert raised.value.detail == (
        "The environment cannot be used: KEY_TABLE_NAME is empty; URL_SUFFIX is missing; "
        "AWS_ACCESS_KEY_ID is missing; AWS_SECRET_ACCESS_KEY is missing."
    )


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, ENDPOINT),
        (ELSEWHERE, "http://localhost:2"),
        ({**ELSEWHERE, "AWS_ENDPOINT_URL_DYNAMODB": ""}, "http://localhost:1"),
        ({"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_DYNAMODB": ""}, ENDPOINT),
    ],
)
def test_the_environment_says_where_dynamodb_is(variables: dict[str, str], endpoint: str) -> None:
    """As in every AWS SDK, the variable of the service comes first, and an empty one does not count."""
    assert read(**variables).endpoint == endpoint


@pytest.mark.parametrize(("variable", "file"), [("/ca.pem", "/ca.pem"), ("", None)])
def test_the_environment_says_which_roots_to_trust(variable: str, file: str | None) -> None:
    """An empty variable leaves the choice to the system."""
    assert read(AWS_CA_BUNDLE=variable).ca_bundle == file


@pytest.mark.parametrize("region", REGIONS)
def test_the_address_is_the_sdks_in_every_partition(region: str) -> None:
    """The stack knows the suffix of its partition, and the SDK has the list of all."""
    session = botocore.session.get_session()
    partitions = session.get_component("data_loader").load_data("endpoints")["partitions"]
    (suffix,) = [each["dnsSuffix"] for each in partitions if region in each["regions"]]
    client = session.create_client("dynamodb", region, aws_access_key_id="x", aws_secret_access_key="x")
    assert read(AWS_REGION=region, URL_SUFFIX=suffix).endpoint == client.meta.endpoint_url


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment without the proxies of this machine."""
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "localhost,.amazonaws.com"}, None),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "dynamodb.us-west-2.amazonaws.com"}, None),
        ({"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*", "no_proxy": ""}, PROXY),
    ],
)
def test_a_proxy_is_the_one_that_the_sdk_would_use(
    no_proxies: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    """A function in a closed network reaches DynamoDB as its other functions do."""
    for name, value in variables.items():
        no_proxies.setenv(name, value)
    assert get_environ_proxies(ENDPOINT).get("https") == proxy
    assert read(**variables).proxy == proxy


def test_a_proxy_without_a_scheme_speaks_http() -> None:
    """The SDK takes it in this way as well."""
    assert read(HTTPS_PROXY="proxy.example:8080").proxy == PROXY


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"AWS_ENDPOINT_URL": "localhost:8000"},
            "The address of DynamoDB must be https:// or http:// and a host.",
        ),
        ({"AWS_ENDPOINT_URL": "https://"}, "The address of DynamoDB must be https:// or http:// and a host."),
        ({"HTTPS_PROXY": "http://user:pa/ss@proxy:3128"}, "HTTPS_PROXY must be http:// and a host."),
        ({"HTTPS_PROXY": "https://proxy"}, "HTTPS_PROXY must be http:// and a host."),
        ({"HTTPS_PROXY": "socks5://proxy"}, "HTTPS_PROXY must be http:// and a host."),
    ],
)
def test_an_address_that_cannot_be_used_ends_the_start(variables: dict[str, str], sentence: str) -> None:
    """The sentence does not repeat it, because an address may hold a password."""
    with pytest.raises(Misconfigured) as refused:
        read(**variables)
    assert (refused.value.detail, refused.value.__cause__) == (sentence, None)
