"""The measurement of a drained backlog works on a deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import drain

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack, StandIn

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def test_every_job_is_paid_once_and_the_quota_is_not_overrun(stack: Stack, stand_in: StandIn) -> None:
    """The stand-in bills no call beyond its rate, and no job fails because of refused calls."""
    stand_in.paint_once()
    drained = drain.on(stack.state, stack.state.bedrock_url, jobs=20)
    assert dict(drained.ended) == {"succeeded": 20}
    assert drained.paid_attempts == drained.billed == 20
    assert drained.calls > drained.billed
    assert 10 <= drained.busy_billed <= 20
