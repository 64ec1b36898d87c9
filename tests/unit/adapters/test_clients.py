"""The clients keep their explicit settings, whatever the environment or the configuration file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from imagegen.adapters import clients
from tests.support import sdk_clients
from tests.support.far_side import FarSide, Reply, answer, new_session, refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

URL = "https://far.example"


@pytest.fixture(params=["nothing", "environment", "defaults mode", "configuration file"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ask for many attempts in each way that the SDK knows."""
    file = tmp_path / "config"
    file.write_text(
        "[default]\nmax_attempts = 7\nretry_mode = legacy\ns3 =\n  use_accelerate_endpoint = true\n"
        if request.param == "configuration file"
        else ""
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    if request.param == "environment":
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
        monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    if request.param == "defaults mode":
        monkeypatch.setenv("AWS_DEFAULTS_MODE", "in-region")


@pytest.mark.usefixtures("elsewhere")
def test_the_models_client_makes_one_attempt() -> None:
    """No variable and no configuration file changes the number."""
    config: Any = clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=60).meta.config
    assert config.retries == {"total_max_attempts": 1, "mode": "standard"}
    assert (config.connect_timeout, config.read_timeout) == (2, 60)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "failure",
    [
        refusal("ThrottlingException", 429),
        refusal("InternalServerException", 500),
        refusal("ServiceUnavailableException", 503),
        answer(502, b"<html>Bad Gateway</html>"),
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
    ],
    ids=["429", "500", "503", "HTML 502", "read time-out", "closed connection"],
)
def test_one_call_of_the_model_is_one_request(failure: Reply) -> None:
    """The SDK never repeats a call of a model."""
    client = clients.bedrock_runtime(new_session(), region="us-west-2", model_timeout=60)
    far = FarSide(client, failure)
    with pytest.raises(Exception):  # noqa: B017, PT011 - the adapter decides which error it becomes
        client.invoke_model(modelId="m", body=b"{}")
    assert len(far.requests) == 1


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "client",
    [
        lambda: clients.s3(new_session(), addressing_style="virtual"),
        lambda: sdk_clients.dynamodb(new_session()),
        lambda: clients.sqs(new_session()),
        lambda: clients.secretsmanager(new_session()),
    ],
    ids=["s3", "dynamodb", "sqs", "secretsmanager"],
)
def test_every_other_client_makes_three_attempts(client: Callable[[], BaseClient]) -> None:
    """Each attempt gives up after five seconds without a response."""
    config: Any = client().meta.config
    assert config.retries == {"total_max_attempts": 3, "mode": "standard"}
    assert (config.connect_timeout, config.read_timeout) == (2, 5)


@pytest.mark.usefixtures("elsewhere")
def test_the_bucket_is_asked_at_its_regional_host() -> None:
    """A configuration file that asks for the accelerated host changes nothing."""
    client = clients.s3(new_session(), addressing_style="virtual")
    far = FarSide(client, answer())
    client.head_object(Bucket="pictures", Key="k")
    assert far.requests[0].url == "https://pictures.s3.us-west-2.amazonaws.com/k"


def test_the_client_of_a_further_region_is_made_once_and_when_it_is_needed() -> None:
    """The first region is that of the model that is tried first."""
    made: list[str] = []

    def make(region: str) -> Any:
        made.append(region)
        return object()

    of = clients.OfRegions(make, regions=["us-west-2", "us-east-1", "us-west-2", "eu-west-1"])
    assert (made, len(of), list(of)) == (["us-west-2"], 3, ["us-west-2", "us-east-1", "eu-west-1"])
    assert of["us-east-1"] is of["us-east-1"]
    assert of["us-west-2"] is of["us-west-2"]
    assert made == ["us-west-2", "us-east-1"]


def test_the_clients_follow_the_environment_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The region is `AWS_DEFAULT_REGION`, which Lambda sets, and endpoints are those of every AWS SDK."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://all.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://queues.example")
    session = botocore.session.get_session()
    session.set_credentials("AKIDEXAMPLE", "secret")
    table, queue = sdk_clients.dynamodb(session), clients.sqs(session)
    model = clients.bedrock_runtime(session, region="us-west-2", model_timeout=60)
    assert [(client.meta.region_name, client.meta.endpoint_url) for client in (table, queue, model)] == [
        ("ap-northeast-1", "https://all.example"),
        ("ap-northeast-1", "https://queues.example"),
        ("us-west-2", "https://all.example"),
    ]
