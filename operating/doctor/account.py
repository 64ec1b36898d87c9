"""The operator's credentials, this machine's clock, and the bootstrap stack of the CDK."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from botocore.exceptions import ClientError

from operating.doctor.examined import Examined
from operating.doctor.finding import Finding, fine, problem, skipped, warning
from operating.doctor.identity import ENDED, LOGGED_OUT, MISSING, SIGNED_OUT, UNKNOWN
from operating.doctor.refusals import finding_of
from stacks.credentials import SECRETS

MOST_SKEW: Final = 300
"""In seconds: AWS refuses a signature that is older, or from further in the future (IAM user guide, "Signature")."""
NOTED_SKEW: Final = 60
"""In seconds: clocks that are kept do not differ by as much."""
BOOTSTRAP_PARAMETER: Final = "/cdk-bootstrap/hnb659fds/version"
"""Where `cdk bootstrap` writes its version; the synthesized template reads the same parameter."""
LEAST_BOOTSTRAP: Final = 6
"""The oldest version that the synthesized template accepts (its rule CheckBootstrapVersion)."""


def credentials(examined: Examined) -> Iterator[Finding]:
    """See whether AWS knows the operator."""
    identity, error = examined.identity, examined.identity.error
    profile = f" --profile {shlex.quote(examined.profile)}" if examined.profile else ""
    if error is None:
        yield fine(f"AWS knows you as {identity.arn}.")
    elif isinstance(error, SIGNED_OUT):
        yield problem("Your session has ended, or was never begun.", f"aws sso login{profile}")
    elif isinstance(error, LOGGED_OUT):
        yield problem("Your session has ended, or was never begun.", f"aws login{profile}")
    elif isinstance(error, MISSING):
        yield problem(f"There are no AWS credentials to use: {error}", f"aws configure{profile}")
    elif not isinstance(error, ClientError):
        yield _no_reply(error, examined)
    elif (code := error.response["Error"]["Code"]) in ENDED:
        # Variables of the shell count more than a session, so a new session alone would not help.
        unset = f"unset {' '.join(SECRETS)} && " if examined.from_variables else ""
        where = ", and stand in variables of your shell" if examined.from_variables else ""
        yield problem(f"Your credentials have ended ({code}){where}.", f"{unset}aws sso login{profile}")
    elif code in UNKNOWN:
        yield problem(
            f"AWS does not accept your access key ({code}): the key or its secret is wrong, or this machine's clock.",
            f"aws configure{profile}",
        )
    else:
        yield _no_reply(error, examined)


def _no_reply(error: Exception, examined: Examined) -> Finding:
    # Without AWS nothing can be deployed, so this must not look like success.
    return replace(finding_of(error, examined), severity="problem")


def clock(examined: Examined) -> Iterator[Finding]:
    """Compare this machine's clock with AWS's, because a signature says when it was made."""
    there = examined.identity.server_time
    if there is None:
        yield skipped("AWS did not say what time it is.")
        return
    skew = round((examined.now() - there).total_seconds())
    words = f"This machine's clock is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    mend = "sudo timedatectl set-ntp true"
    if abs(skew) >= MOST_SKEW:
        yield problem(f"{words}, and AWS refuses signatures that are {MOST_SKEW} s off.", mend)
    elif abs(skew) >= NOTED_SKEW:
        yield warning(f"{words}; from {MOST_SKEW} s on AWS refuses signatures.", mend)
    else:
        yield fine("This machine's clock agrees with AWS's.")


def bootstrap(examined: Examined) -> Iterator[Finding]:
    """See whether the CDK has been set up in this account and region, and is new enough."""
    place = f"{examined.identity.account or 'this account'}, {examined.region}"
    target = f" aws://{examined.identity.account}/{examined.region}" if examined.identity.account else ""
    mend = "make down && make up" if examined.is_local else f".venv/bin/python -m tools.cdk bootstrap{target}"
    try:
        found = examined.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        yield problem(f"The CDK is not bootstrapped in {place}, so nothing can be deployed there.", mend)
        return
    if re.fullmatch("[0-9]{1,6}", found) is None or int(found) < LEAST_BOOTSTRAP:
        yield problem(
            f"The CDK's bootstrap stack in {place} has version {found}; the stage needs {LEAST_BOOTSTRAP} or newer.",
            mend,
        )
        return
    yield fine(f"The CDK is bootstrapped in {place}, version {found}; {LEAST_BOOTSTRAP} is needed.")
