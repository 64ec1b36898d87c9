"""Whether the operator's credentials can be looked for at all; what they may do is for AWS to say."""

from __future__ import annotations

from collections.abc import Mapping

from stacks.stage import StageError


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
