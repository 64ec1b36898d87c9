"""Sends one request to the local service as a caller would, and saves the picture."""

import hashlib
import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.certificates import trust
from local.state import State
from tools.failures import LocalError

REQUEST: Mapping[str, Any] = {
    "text_prompts": [{"text": "Sri lanka tea plantation.", "weight": 1}],
    "cfg_scale": 10,
    "seed": 0,
    "steps": 50,
    "samples": 1,
    "style_preset": "photographic",
}
TIMEOUT = 120.0


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A downloaded picture, which matches what the reply described."""

    path: Path
    model: str
    seed: int
    seconds: float


def make_picture(ready: State, *, folder: Path) -> Picture:
    """Send the request, download the artifact through its presigned URL, and save it to the folder.

    Raises:
        LocalError: the service refused or failed, or the picture is not the one that it described.
    """
    started = time.monotonic()
    verify = trust(Path(ready.ca_bundle) if ready.ca_bundle else None)
    # `trust_env=False`, because a connection over loopback must not go through the operator's proxy.
    with httpx.Client(verify=verify, trust_env=False, timeout=TIMEOUT) as client:
        try:
            response = client.post(
                f"{ready.api_url}/text-to-image", json=REQUEST, headers={"x-api-key": ready.api_key}
            )
            body = _body(response)
            artifact = body["artifacts"][0]
            image = client.get(artifact["url"])
        except httpx.TransportError as error:
            raise LocalError(f"The service cannot be reached: {type(error).__name__}: {error}.") from error
    _check(image, artifact)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{body['id']}.png"
    path.write_bytes(image.content)
    seconds = time.monotonic() - started
    return Picture(path=path, model=body["model"], seed=artifact["seed"], seconds=seconds)


def curl_line(ready: State) -> str:
    """Return the same request as a `curl` command line, ready to paste."""
    words = ["curl", "-sS"]
    if ready.ca_bundle:
        words += ["--cacert", ready.ca_bundle]
    words += ["-H", f"x-api-key: {ready.api_key}", "-H", "content-type: application/json"]
    return shlex.join([*words, "-d", json.dumps(REQUEST), f"{ready.api_url}/text-to-image"])


def report(picture: Picture, ready: State, *, relative_to: Path, painted: bool) -> str:
    """Say what was made and how to make another, and whether the stand-in `painted` it."""
    path = picture.path.relative_to(relative_to) if picture.path.is_relative_to(relative_to) else picture.path
    lines = [
        f"picture    {path}",
        f"model      {picture.model}{' (the local stand-in painted in its place)' if painted else ''}",
        f"seed       {picture.seed}",
        f"time       {picture.seconds:.2f} s",
        f"API key    {ready.api_key}",
        f"playground {ready.web_url}",
        "",
        "Another one:",
        curl_line(ready),
        "",
        "The service stays up; `make down` stops it.",
    ]
    return "\n".join(lines)


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if response.status_code != httpx.codes.OK or not isinstance(body, dict):
        said = body.get("detail") or body.get("message") if isinstance(body, dict) else None
        raise LocalError(f"The service replied {response.status_code}: {said or 'nothing that can be read'}")
    return body


def _check(image: httpx.Response, artifact: Mapping[str, Any]) -> None:
    if not image.is_success:
        raise LocalError(f"The picture's presigned URL replied {image.status_code}.")
    if (
        hashlib.sha256(image.content).hexdigest() != artifact["sha256"]
        or len(image.content) != artifact["bytes"]
    ):
        raise LocalError("The picture that was downloaded is not the one that the service described.")
