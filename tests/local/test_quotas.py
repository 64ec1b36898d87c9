"""Daily limits hold on the emulator's table, also in many threads: each image is counted before the model is called.

The `local` stage has no limits, so the service is wired in this process with limits of its own.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from imagegen.http.app import create_app
from local.bedrock.settings import Settings as ModelSettings
from local.bedrock.stand_in import StandIn as Model
from tests.support import real_parts
from tests.support.bare_emulator import Emulator
from tests.support.events import KEY, OTHER_KEY, Answer, event, send
from tests.support.fakes import CORE, FakeObserver

Send = Callable[..., Answer]

LIMIT: Final = 5
REQUESTS: Final = 20


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """Yield a stand-in model that answers at once."""
    with Model(settings=ModelSettings(instant=True)) as far:
        yield far


@pytest.fixture
def limited(emulator: Emulator, model: Model) -> Iterator[Callable[..., Send]]:
    """Yield a function that wires the service with limits, over a table in which nothing is counted yet."""
    model.reset()
    variables = {
        **real_parts.own_environment(emulator),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url,
        "MODELS": CORE,
    }

    def limited(**limits: str) -> Send:
        service = real_parts.wired({**variables, **limits}, observer=FakeObserver())

        def ask(text: str, *, key: str = KEY, idempotency_key: str | None = None) -> Answer:
            headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
            body = {"text_prompts": [{"text": text}]}
            request = event("POST", "/text-to-image", body, key=key, headers=headers)
            return send(create_app(service.services), request)

        return ask

    with real_parts.entered(variables):
        yield limited


def test_a_caller_gets_its_images_of_the_day_and_not_one_more(
    limited: Callable[..., Send], model: Model
) -> None:
    """The limit holds however many ask at once; the other requests cost nothing, and are told when to come back."""
    ask = limited(DAILY_IMAGES_PER_CALLER=str(LIMIT))
    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(ask, [f"tea {number}" for number in range(REQUESTS)]))
    assert Counter(answer.status for answer in answers) == {200: LIMIT, 429: REQUESTS - LIMIT}
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json["code"] == "quota_exceeded"
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600 + 1
    assert model.calls(last=0)["calls"] == LIMIT


def test_one_caller_does_not_use_up_the_images_of_another(limited: Callable[..., Send]) -> None:
    """Each caller has a counter of its own."""
    ask = limited(DAILY_IMAGES_PER_CALLER="1")
    assert [ask("tea", key=key).status for key in (KEY, KEY, OTHER_KEY)] == [200, 429, 200]


def test_all_callers_share_the_images_of_the_deployment(limited: Callable[..., Send]) -> None:
    """A caller that the deployment's limit refuses keeps its own quota unit."""
    ask = limited(DAILY_IMAGES="1", DAILY_IMAGES_PER_CALLER="1")
    assert [ask("tea", key=key).status for key in (KEY, OTHER_KEY)] == [200, 429]
    later = limited(DAILY_IMAGES="", DAILY_IMAGES_PER_CALLER="1")
    assert later("tea", key=OTHER_KEY).status == 200


def test_no_images_a_day_switches_the_model_off(limited: Callable[..., Send], model: Model) -> None:
    """With a limit of 0 the deployment is switched off."""
    assert limited(DAILY_IMAGES="0")("tea").status == 429
    assert model.calls(last=0)["calls"] == 0


def test_what_the_model_refuses_unbilled_is_given_back(limited: Callable[..., Send], model: Model) -> None:
    """A refusal by the model uses no quota unit; a filtered image was paid, so it uses one."""
    model.configure({"prompt": "refused", "action": {"type": "error", "name": "ValidationException"}})
    model.configure({"prompt": "blurred", "action": "filtered"})
    ask = limited(DAILY_IMAGES_PER_CALLER="1")
    assert [ask(text).status for text in ("refused", "refused", "blurred", "tea")] == [400, 400, 422, 429]


def test_a_repeated_request_is_answered_also_when_the_day_is_used_up(limited: Callable[..., Send]) -> None:
    """The image was counted when it was made, so the repeated request takes no quota unit."""
    ask = limited(DAILY_IMAGES_PER_CALLER="1")
    key = secrets.token_hex(16)
    answers = [ask("tea", idempotency_key=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[1].headers["idempotent-replayed"] == "true"
