"""Whether the operator's credentials can be looked for at all; what they may do is for AWS to say."""

from __future__ import annotations

from collections.abc import Mapping

from stacks.stage import StageError


def check_profile(environ: Mapping[str, str]) -> None:
    """Make sure that the profile exists which AWS_PROFILE names; the CDK would go on without an account.

    Raises:
        StageError: there is no such profile.
    """
    profile = environ.get("AWS_PROFILE")
    if not profile:
        return
    import botocore.session  # noqa: PLC0415 - a quarter of a second that only a profile is worth

    profiles = botocore.session.Session().available_profiles
    if profile not in profiles:
        known = f"it has {', '.join(sorted(profiles))}" if profiles else "it has none"
        raise StageError(
            f"AWS_PROFILE is {profile!r}, but your AWS configuration has no such profile; {known}."
        )
