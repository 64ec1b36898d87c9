"""`Client` on the deployed stack: it is told the truth, and pays once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from imagegen_client import Client, ImageRequest, Retries, errors
from local.certificates import trust
from tests.support.deployed_stack import Stack, StandIn
from tests.support.stack_callers import fresh_key


@pytest.fixture
def word(stand_in: StandIn) -> str:
    """A word that stands in the prompts of one test only; the model answers at once."""
    stand_in.client.post("/_control/rules", json={"instant": True}).raise_for_status()
    return f"tea{secrets.token_hex(8)}"


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    """The client of a caller without a history."""
    transport = httpx.HTTPTransport(verify=trust(stack.ca_bundle))
    with Client(stack.state.api_url, fresh_key(stack), transport=transport) as made:
        yield made


def test_a_picture_is_made_found_saved_and_removed(client: Client, word: str, tmp_path: Path) -> None:
    """Each reply of the service has the form that the client expects."""
    made = client.generate(ImageRequest(prompt=word, negative=["people"], seed=7, width=1344, height=768))
    assert made.image is not None
    assert (made.image.seed, made.image.width, made.image.height) == (7, 1344, 768)
    saved = client.download(made, tmp_path / "tea.png").read_bytes()
    assert hashlib.sha256(saved).hexdigest() == made.image.sha256
    assert [each.id for each in client.history(page_size=1)] == [made.id]
    assert client.usage(days=1).days[0].usd == made.cost_usd
    assert [model.id for model in client.models() if model.default] == [made.model]
    client.delete(made)
    with pytest.raises(errors.NotFound):
        client.get(made)


def test_a_job_is_waited_for(client: Client, word: str) -> None:
    """The same key finds it again."""
    key = secrets.token_hex(16)
    job = client.generate(word, idempotency_key=key, asynchronous=True, wait=False)
    done = client.wait(job)
    assert done.status == "succeeded"
    again = client.generate(word, idempotency_key=key, asynchronous=True)
    assert (again.id, again.replayed) == (job.id, True)


def test_a_request_that_outlives_its_connection_is_paid_once(
    stack: Stack, stand_in: StandIn, word: str
) -> None:
    """The client hangs up each second; its repeats are told to wait, and bring the image that the first began."""
    stand_in.set_rules({"prompt": word, "action": {"type": "latency", "seconds": 4}})
    transport = httpx.HTTPTransport(verify=trust(stack.ca_bundle))
    impatient = Retries(tries=100, reply_time=1.0, first_pause=0.1)
    with Client(stack.state.api_url, fresh_key(stack), retries=impatient, transport=transport) as client:
        made = client.generate(word)
    assert not made.replayed  # this call paid
    assert stand_in.calls(prompt=word)["billed"] == 1


def test_errors_of_the_service_are_those_of_the_client(client: Client, stand_in: StandIn, word: str) -> None:
    """A recorded failure comes once; the client does not ask again."""
    stand_in.set_rules({"prompt": word, "action": "filtered"})
    key = secrets.token_hex(16)
    with pytest.raises(errors.ContentFiltered) as first:
        client.generate(word, idempotency_key=key)
    assert (first.value.charged, first.value.replayed, first.value.idempotency_key) == ("yes", False, key)
    failed = client.get(first.value.generation_id or "")
    assert isinstance(failed.error, errors.ContentFiltered)
    with pytest.raises(errors.IdempotencyConflict):
        client.generate(f"{word} other", idempotency_key=key)
    with pytest.raises(errors.InvalidParameter) as wrong:
        client.generate(ImageRequest(prompt=word, steps=1, cfg_scale=99))
    assert {each.field for each in wrong.value.fields} == {"steps", "cfg_scale"}
    assert stand_in.calls(prompt=word)["calls"] == 1
