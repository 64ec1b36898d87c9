"""Whether the operator's account can be looked for at all; what the credentials may do is for AWS to say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from stacks.stage import StageError

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,10}){1,2}-[0-9]{1,2}")


def check_place(environ: Mapping[str, str]) -> None:
    """Make sure that region, endpoint and temporary folder are at least written as such.

    Raises:
        StageError: one of them is not; the sentence names the variable.
    """
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        region = environ.get(name)
        if region and _REGION.fullmatch(region) is None:
            raise StageError(f"{name} is {region!r}; it must be a region of AWS, such as us-east-1.")
    for name in (each for each in environ if each.startswith("AWS_ENDPOINT_URL")):
        # The value is not shown: it may hold a password.
        if environ[name] and not is_address(environ[name]):
            raise StageError(f"{name} must be an http or https address, such as http://127.0.0.1:4566.")
    check_temporary_folder(environ)


def check_temporary_folder(environ: Mapping[str, str]) -> None:
    """Make sure that the folder exists in which Node.js works; it would print its own source otherwise.

    Raises:
        StageError: there is no such folder.
    """
    folder = environ.get("TMPDIR")
    if folder and not Path(folder).is_dir():
        raise StageError(f"TMPDIR is {folder!r}, and there is no such folder.")


def is_address(text: str) -> bool:
    """Say whether a text is the address of a host by http or https, with or without a path."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    is_host = _NAME.fullmatch(host) is not None or ":" in host
    return parts.scheme in {"http", "https"} and port != 0 and is_host


def check_profile(environ: Mapping[str, str]) -> None:
    """Make sure that the profile exists which the environment names; the CDK would go on without an account.

    Raises:
        StageError: there is no such profile, or there are two different ones.
    """
    named = {name: environ[name] for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if environ.get(name)}
    if len(set(named.values())) > 1:
        # The CDK goes by the first one and botocore by the second, so `make key` would look in another account.
        raise StageError("AWS_PROFILE and AWS_DEFAULT_PROFILE name different profiles; unset one of them.")
    if not named:
        return
    variable, profile = next(iter(named.items()))
    import botocore.session  # noqa: PLC0415 - a quarter of a second that only a profile is worth

    profiles = botocore.session.Session().available_profiles
    if profile not in profiles:
        known = f"it has {', '.join(sorted(profiles))}" if profiles else "it has none"
        raise StageError(
            f"{variable} is {profile!r}, but your AWS configuration has no such profile; {known}."
        )
