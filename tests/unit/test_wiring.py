"""The wiring passes each setting of a deployment to the part that needs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from imagegen import errors
from imagegen.generations.charges import Charge
from imagegen.generations.ledger import Limits
from imagegen.generations.marks import Marking
from imagegen.settings import Settings
from imagegen.wiring import Service, wire
from tests.support.environment import ENVIRONMENT
from tests.support.fakes import FakeObserver
from tests.support.far_side import answer, new_session
from tests.support.sdk_clients import sdk_alone
from tests.support.use_case import KEY, OWNER, REQUEST

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.session import Session

SETTINGS = Settings.from_environment(ENVIRONMENT)


def wired(settings: Settings, *, session: Session | None = None) -> Service:
    """Wire a service over AWS clients that send nothing over the network."""
    return wire(settings, session=session or new_session(), observer=FakeObserver())


def test_the_limits_are_those_of_the_settings() -> None:
    """Every limit has its own setting; the numbers all differ, so that a mix-up would show."""
    service = wired(
        replace(
            SETTINGS,
            function_timeout=71,
            model_timeout=53,
            gateway_timeout=41,
            max_paid_attempts=3,
            record_retention_days=17,
        )
    )
    limits = Limits(
        function_timeout=71, model_timeout=53, connection=41, max_paid_attempts=3, record_retention_days=17
    )
    assert {part.ledger.limits for part in (service.submitter, service.history, service.jobs)} == {limits}
    assert service.submitter.attempts.caller.model_timeout == 53


@pytest.mark.parametrize(("images", "prompts"), [(True, False), (True, True), (False, False)])
def test_what_is_written_into_images_is_what_the_settings_say(images: bool, prompts: bool) -> None:  # noqa: FBT001
    """The two settings are not mixed up."""
    service = wired(replace(SETTINGS, mark_images=images, embed_prompt=prompts))
    assert service.jobs.attempts.marking == Marking(images=images, prompts=prompts)


@pytest.mark.parametrize(
    ("gateway", "function", "connection"), [(29, 80, 29), (120, 80, 80), (300, 290, 290)]
)
def test_a_connection_ends_with_the_function_at_the_latest(
    gateway: int, function: int, connection: int
) -> None:
    """A gateway that would wait for longer gets no reply any more."""
    service = wired(replace(SETTINGS, gateway_timeout=gateway, function_timeout=function))
    assert service.submitter.ledger.limits.connection == connection


@pytest.mark.parametrize("days", [1, 400])
def test_a_record_is_kept_for_the_days_of_the_settings(days: int) -> None:
    """The setting decides when a record expires."""
    service = wired(replace(SETTINGS, record_retention_days=days))
    draft = service.submitter.ledger.draft(
        REQUEST, owner=OWNER, fingerprint="fingerprint", key=KEY, asynchronous=True
    )
    assert draft.expires_at - draft.created_at == timedelta(days=days)


def test_giving_a_quota_unit_back_sends_one_request() -> None:
    """The client does not retry; a retry would give the unit back twice if the first request had arrived."""
    session, sent = new_session(), list[str]()

    def refuse(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request.url)
        return answer(500, b"{}")

    session.register("before-send.dynamodb", refuse)  # type: ignore[arg-type]  # a response replaces sending
    with sdk_alone():
        service = wired(replace(SETTINGS, daily_images_per_caller=5, daily_images=None), session=session)
    with pytest.raises(errors.InternalError):
        service.ports.quotas.correct(OWNER, "2026-11-25", Charge(images=-1))
    assert len(sent) == 1
