"""The adapter returns the secret's text, or raises an error of the deployment."""

from __future__ import annotations

import pytest

from imagegen import errors
from imagegen.adapters import clients
from imagegen.adapters.secretsmanager import SecretsManager
from tests.support.far_side import FarSide, Reply, answer, json_answer, refusal, session

ARN = "arn:aws:secretsmanager:us-west-2:123456789012:secret:webhook"


def far_away(reply: Reply) -> tuple[SecretsManager, FarSide]:
    """Return a secret over this response, and the requests that it sends."""
    client = clients.secretsmanager(session())
    return SecretsManager(client=client, arn=ARN), FarSide(client, reply)


def test_a_secret_is_read_by_its_arn() -> None:
    """The secret is returned as text."""
    secret, far = far_away(json_answer({"SecretString": "c2VjcmV0"}))
    assert secret.read() == "c2VjcmV0"
    assert far.sent == [{"SecretId": ARN}]


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ResourceNotFoundException"),
        refusal("AccessDeniedException"),
        json_answer({"SecretBinary": "AAAA"}),
        answer(400, b"\xff"),
    ],
    ids=["missing", "no right", "binary", "no text"],
)
def test_a_secret_that_cannot_be_read_is_the_deployments_fault(failure: Reply) -> None:
    """Each of these failures raises `Misconfigured`."""
    secret, _ = far_away(failure)
    with pytest.raises(errors.Misconfigured):
        secret.read()
