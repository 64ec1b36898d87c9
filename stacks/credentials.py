"""Whether the operator's account can be looked for at all; what the credentials may do is for AWS to say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from stacks.addresses import is_address
from stacks.stage import StageError

REGIONS: Final[Mapping[str, str]] = {
    "AWS_REGION": "AWS_REGION",
    "AWS_DEFAULT_REGION": "AWS_DEFAULT_REGION",
    "CDK_DEFAULT_REGION": "The region that the CDK found",
}
"""Variables that name a region, and what a sentence calls them."""
SECRETS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SECRET: Final = re.compile("[!-~]+")
_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,10}){1,2}-[0-9]{1,2}")


def check_place(environ: Mapping[str, str]) -> None:
    """Make sure that regions, endpoints and credentials are at least written as such.

    Raises:
        StageError: one of them is not; the sentence names the variable.
    """
    for name, subject in REGIONS.items():
        if environ.get(name):
            check_region(environ[name], subject=subject)
    for name, value in environ.items():
        # One for all services, or AWS_ENDPOINT_URL_DYNAMODB for one. It is not shown: it may hold a password.
        if name.startswith("AWS_ENDPOINT_URL") and value and not is_address(value):
            raise StageError(f"{name} must be an http or https address, such as http://127.0.0.1:4566.")
    for name in SECRETS:
        # botocore would quote the header that cannot be sent, with the secret in it.
        if environ.get(name) and _SECRET.fullmatch(environ[name]) is None:
            raise StageError(
                f"{name} has a character that no credential has, such as a space or the end of a line."
            )


def check_region(name: str, *, subject: str) -> None:
    """Make sure that a text may be the name of a region; whether AWS has it is for AWS to say.

    Raises:
        StageError: it cannot be one.
    """
    if _REGION.fullmatch(name) is None:
        raise StageError(f"{subject} is {name!r}; it must be a region of AWS, such as us-east-1.")


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
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - likewise

    try:
        profiles = botocore.session.Session().available_profiles
    except BotoCoreError as error:
        raise StageError(f"Your AWS configuration cannot be read: {error}") from error
    if profile not in profiles:
        known = f"it has {', '.join(sorted(profiles))}" if profiles else "it has none"
        raise StageError(
            f"{variable} is {profile!r}, but your AWS configuration has no such profile; {known}."
        )
