"""`make drill` on the deployed stack: the next model serves, a request that pins the model fails, and it is over."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3

from tests.support.fakes import CORE
from tests.support.local_instances import ENVIRON
from tests.support.stack_callers import keys_of
from tools.checkout import CHECKOUT

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack, StandIn


def test_a_drill_shows_what_callers_will_get_and_ends(
    stack: Stack, stand_in: StandIn, api: httpx.Client
) -> None:
    """SDXL has ended, so nothing is left in a drill of Stable Image Core; afterwards it serves as before."""
    stand_in.paint_once()
    done = subprocess.run(  # noqa: S603 - the command of the checkout
        [sys.executable, "-m", "operating", "--stage", "local", "drill", "--model", CORE],
        cwd=CHECKOUT,
        env={**ENVIRON, "IMAGEGEN_LOCAL_DIR": str(stack.folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    began, pinned, other, ended = done.stdout.splitlines()
    assert began.startswith(f"{CORE} counts as retired in the stage local now, until ")
    assert pinned.startswith(
        f"A request that pins it gets 503 model_retired: The model {CORE} has been retired "
    )
    assert other.startswith(
        "Any other request gets 503 model_retired: Every model of this deployment has been "
    )
    assert ended == "The drill is over: the functions call every model again."

    again = api.post(
        "/text-to-image", json={"text_prompts": [{"text": "after the drill"}]}
    ).raise_for_status()
    assert again.json()["model"] == CORE
    client = boto3.client("lambda", **stack.aws())
    environments = [
        each.get("Environment", {}).get("Variables", {}) for each in client.list_functions()["Functions"]
    ]
    assert [each["DRILL"] for each in environments if "DRILL" in each] == ["", ""]
    keys = [key for key in keys_of(stack).list() if key.name.startswith("drill ")]
    assert {key.state(datetime.now(tz=UTC)) for key in keys} == {"revoked"}
