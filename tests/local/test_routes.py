"""The measurement of the routes works on a deployed stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import routes
from imagegen.http.surface import ROUTES
from local.processes import PROC

if TYPE_CHECKING:
    from tests.support.deployed_stack import Stack, StandIn

pytestmark = pytest.mark.slow


def test_every_route_and_number_of_clients_is_measured(stack: Stack, stand_in: StandIn) -> None:
    """Each route accepts its request, and there are at least as many environments as clients."""
    stand_in.paint_once()
    measured = routes.on(stack.state, folder=stack.folder, warm_up=0, repeated=1, clients=(1, 2), seconds=0.1)
    assert {name: len(series.seconds) for name, series in measured.routes.items()} == {
        route.name: 1 for route in ROUTES
    }
    assert [one.clients for one in measured.throughputs] == [1, 2]
    assert all(one.per_second > 0 for one in measured.throughputs)
    if PROC.is_dir():
        assert measured.throughputs[1].environments >= 2
