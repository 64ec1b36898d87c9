"""`make up` after one that was killed in the middle."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import httpx

from tests.support.deployed_stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.local_instances import Instance


def test_up_recovers_from_an_up_that_was_killed_while_deploying(
    create_instance: Callable[[str], Instance],
) -> None:
    """The next `up` finishes half a deployment, or makes it again, whatever is left of it."""
    instance = create_instance("interrupted")
    with instance.start_command("up") as interrupted:
        assert interrupted.stdout is not None
        said = list(itertools.takewhile(lambda line: "deploying" not in line, interrupted.stdout))
        assert interrupted.poll() is None, said
        time.sleep(2)
        interrupted.kill()
        interrupted.communicate()
    try:
        with Stack(state=instance.up(), folder=instance.folder).client() as client:
            assert client.get("/health").status_code == httpx.codes.OK
    finally:
        instance.down()
