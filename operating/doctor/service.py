"""Whether the deployed service replies, lets a caller in, and its images can be fetched."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from imagegen.http import serialize, surface
from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, skipped, warning

MOST_GENERATIONS: Final = 20
"""How many of the newest generations are looked through for an image."""
_GONE: Final = (httpx.codes.NOT_FOUND, httpx.codes.GONE)


def send(
    examined: Examined,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send a request of the caller's; `path` begins with the base path."""
    url = url_of(examined, path)
    caller = examined.caller
    proof = caller.headers(method, url, body=body) if caller else {}
    return examined.web.request(method, url, content=body or None, headers={**proof, **(headers or {})})


def url_of(examined: Examined, path: str) -> str:
    """Return the address of a path, which begins with the base path, at the deployed service."""
    return f"{examined.service.api_url.removesuffix(surface.BASE_PATH)}{path}"


def health(examined: Examined) -> Iterator[Finding]:
    """See whether the gateway and the api function reply at all."""
    url = url_of(examined, surface.path_of("showHealth"))
    reply = examined.web.get(url)
    if not reply.is_success:
        yield problem(f"{url} replies with {told(reply)}.", logs(examined, "ApiLogGroup"))
    elif _json(reply) != serialize.health():
        yield problem(f"Something else than this service replies at {url}.", f"curl -sSi {shlex.quote(url)}")
    else:
        yield fine(f"{examined.service.api_url} replies.")


def key(examined: Examined) -> Iterator[Finding]:
    """See whether a caller is let in."""
    if examined.caller is None:
        yield nobody(examined)
        return
    reply = send(examined, "GET", surface.path_of("listModels"))
    if reply.is_success:
        models = [each["id"] for each in reply.json()["models"]]
        yield fine(f"The caller is let in, and may use {', '.join(models)}.")
    elif reply.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        yield problem(f"The caller is not let in: {told(reply)}.", _other_credentials(examined))
    elif reply.status_code == httpx.codes.TOO_MANY_REQUESTS:
        yield warning("The throttle of the gateway is used up at the moment.", examined.again())
    else:
        yield problem(f"A caller gets {told(reply)}.", logs(examined, "ApiLogGroup"))


def image_url(examined: Examined) -> Iterator[Finding]:
    """See whether the presigned URL of an image that exists can be opened, by whoever has it."""
    if examined.caller is None:
        yield skipped("No presigned URL is opened, because no caller was given.")
        return
    artifact = newest_artifact(examined)
    if artifact is None:
        paid = "" if examined.is_local else ", which is paid"
        yield skipped(
            f"The caller has no image whose URL could be opened; the proof makes one{paid}.",
            examined.again(PROVE="1"),
        )
        return
    yield opened(examined, artifact, fetch(examined, artifact, headers={"range": "bytes=0-63"}))


def newest_artifact(examined: Examined) -> dict[str, Any] | None:
    """Return the caller's newest image that still exists, with a fresh URL; None if there is none."""
    path = f"{surface.path_of('listGenerations')}?limit={MOST_GENERATIONS}"
    listed = send(examined, "GET", path).raise_for_status().json()["generations"]
    for generation in listed:
        if generation["status"] != "succeeded":
            continue
        reply = send(examined, "GET", surface.generation_path(generation["id"]))
        if reply.status_code in _GONE:  # its lifetime has ended
            continue
        artifact: dict[str, Any] = reply.raise_for_status().json()["artifacts"][0]
        return artifact
    return None


def fetch(
    examined: Examined, artifact: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Open a presigned URL as anybody would: without credentials, which S3 would refuse beside a signature."""
    return examined.web.get(artifact["url"], headers=headers)


def opened(examined: Examined, artifact: Mapping[str, Any], reply: httpx.Response) -> Finding:
    """Return what opening a presigned URL has shown."""
    if not reply.is_success:
        return problem(
            f"A presigned URL replies with {reply.status_code}: the bucket refuses what the function has signed.",
            examined.deploy(),
        )
    kind = reply.headers.get("content-type", "") if reply.content else ""
    if kind != artifact["content_type"]:
        return problem(
            f"A presigned URL brings {kind or 'nothing'} instead of {artifact['content_type']}.",
            examined.deploy(),
        )
    return fine("A presigned URL opens without a key.")


def logs(examined: Examined, output: str) -> str:
    """Return the command that shows what a function has logged lately."""
    group = examined.service.outputs.get(output, "")
    if examined.is_local or not group:
        return examined.deploy()
    return examined.aws(f"logs tail {shlex.quote(group)} --since 15m")


def told(reply: httpx.Response) -> str:
    """Return a reply's status, with the code and the sentence of its problem."""
    body = _json(reply)
    words = [body.get(name, "") for name in ("code", "detail")] if isinstance(body, dict) else []
    return " ".join(filter(None, [str(reply.status_code), *map(str, words)])).rstrip(".")


def _json(reply: httpx.Response) -> Any:
    """Return a body, or None if it is not JSON."""
    try:
        return reply.json()
    except ValueError:
        return None


def nobody(examined: Examined) -> Finding:
    """Return that no caller was given, with the command that leads to one."""
    if examined.config.api_auth == "cognito":
        pool = str(examined.config.user_pool_arn).rpartition("/")[2]
        return warning(
            "No caller was given, so nothing is asked of the service: set API_KEY to a token of the user pool.",
            examined.aws(f"cognito-idp list-user-pool-clients --user-pool-id {pool}"),
        )
    return warning(
        "No caller was given, so nothing is asked of the service: make a key, and set API_KEY to it.",
        examined.make("key", NAME="doctor"),
    )


def _other_credentials(examined: Examined) -> str:
    if examined.config.api_auth == "key":
        return examined.make("keys")
    if examined.config.api_auth == "cognito":
        pool = str(examined.config.user_pool_arn).rpartition("/")[2]
        return examined.aws(f"cognito-idp describe-user-pool --user-pool-id {pool}")
    return "aws sts get-caller-identity"
