"""The example of the Amazon Bedrock user guide runs against the deployed stack without a change.

`tests/data/seed_sample.py.txt` is the guide's code. The copy that it was taken from had lost its line breaks, two times
`logger.info(`, and what is after `image =`, up to the end of the `try`; these were put back. Nothing else differs.
boto3 sends a bearer token over https only, so the example itself runs with STRICT=1. Without it, its request is sent.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

if TYPE_CHECKING:
    import httpx

    from tests.support.deployed_stack import Stack

SAMPLE: Final = Path(__file__).parents[1] / "data" / "seed_sample.py.txt"
REQUEST: Final[dict[str, Any]] = {
    "text_prompts": [{"text": "Sri lanka tea plantation."}],
    "cfg_scale": 10,
    "seed": 0,
    "steps": 50,
    "samples": 1,
    "style_preset": "photographic",
}
VIEWER: Final = '#!/bin/sh\nexec cp "$1" "$SHOWN"\n'
"""Takes the place of `xdg-open`, with which Pillow's `image.show()` shows a picture."""


def run(stack: Stack, *, folder: Path, key: str) -> tuple[str, Path]:
    """Run the example in a process that has only the documented variables, and return its output and its picture."""
    viewer, shown = folder / "xdg-open", folder / "shown.png"
    viewer.write_text(VIEWER, encoding="utf-8")
    viewer.chmod(0o700)
    variables = {
        "PATH": os.pathsep.join([str(folder), os.defpath]),
        "HOME": str(folder),
        "NO_PROXY": "*",
        "SHOWN": str(shown),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": stack.state.api_url,
        "AWS_BEARER_TOKEN_BEDROCK": key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CA_BUNDLE": str(stack.ca_bundle),
    }
    # The viewer has the same output, so this returns only after it has ended as well.
    done = subprocess.run(  # noqa: S603 - it runs what is in the test's data
        [sys.executable, "-c", SAMPLE.read_text(encoding="utf-8")],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, shown


def test_the_guides_example_gets_its_picture(stack: Stack, anonymous: httpx.Client, tmp_path: Path) -> None:
    """It needs only an endpoint, a key and a region."""
    if stack.ca_bundle:
        output, shown = run(stack, folder=tmp_path, key=stack.state.api_key)
        assert output.splitlines() == [
            "success",
            "Finished generating text with SDXL model stability.stable-diffusion-xl-v1.",
        ]
        picture = shown.read_bytes()
    else:
        bearer = {"Authorization": f"Bearer {stack.state.api_key}"}
        answer = anonymous.post(
            "/model/stability.stable-diffusion-xl-v1/invoke", json=REQUEST, headers=bearer
        ).raise_for_status()
        assert answer.json()["result"] == "success"
        picture = base64.b64decode(answer.json()["artifacts"][0]["base64"], validate=True)
    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.size) == ("PNG", (1024, 1024))


def test_the_guides_example_prints_the_sentence_of_a_refusal(
    stack: Stack, anonymous: httpx.Client, tmp_path: Path
) -> None:
    """With an unknown key it ends in its own `ClientError`, and no picture is shown."""
    if stack.ca_bundle:
        output, shown = run(stack, folder=tmp_path, key="not-a-key-0123456789")
        assert output.startswith("A client error occured: ")
        assert not shown.exists()
    else:
        refused = anonymous.post(
            "/model/stability.stable-diffusion-xl-v1/invoke",
            content=json.dumps(REQUEST),
            headers={"Authorization": "Bearer not-a-key-0123456789", "Content-Type": "application/json"},
        )
        assert refused.status_code in {401, 403}
