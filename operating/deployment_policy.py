"""`make bootstrap-policy`: writes what CloudFormation may do to deploy a stage, and says how to use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stacks.bootstrap_policy import MAX_POLICIES, Place, UnknownType, policies
from stacks.model_access import partition_of
from tools.failures import LocalError

NAME: Final = "imagegen-deployment"
UNKNOWN: Final = "unknown-"
"""How the CDK's manifest begins the name of an account or a region that it does not know."""


def write(*, assembly: Path, folder: Path, say: Callable[[str], None] = print) -> list[Path]:
    """Write the policies of the templates that the CDK has written into `assembly`, and return their files.

    Raises:
        LocalError: there are no templates, or the rights of a resource are not known.
    """
    templates = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(assembly.glob("*.template.json"))
    ]
    if not templates:
        raise LocalError(f"{assembly} has no templates: `make synth` writes them.")
    place = _place(json.loads((assembly / "manifest.json").read_text(encoding="utf-8")))
    try:
        documents = policies(templates, place=place)
    except UnknownType as error:
        raise LocalError(str(error)) from error
    if len(documents) > MAX_POLICIES:
        raise LocalError(
            f"The rights need {len(documents)} policies, and a role may have {MAX_POLICIES}: use fewer settings."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{NAME}-*.json"):
        old.unlink()
    written = []
    for number, document in enumerate(documents, start=1):
        path = folder / f"{NAME}-{number}.json"
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    say(_how_to_use(written, place=place))
    return written


def _place(manifest: Any) -> Place:
    """Return where the stacks are deployed, as the CDK writes it: aws://ACCOUNT/REGION."""
    environments = [each["environment"] for each in manifest["artifacts"].values() if "environment" in each]
    account, _, region = str(environments[0]).removeprefix("aws://").partition("/")
    return Place(
        partition=partition_of(region),
        region="*" if region.startswith(UNKNOWN) else region,
        account="*" if account.startswith(UNKNOWN) else account,
    )


def _how_to_use(written: list[Path], *, place: Place) -> str:
    account = "ACCOUNT" if place.account == "*" else place.account
    arns = ",".join(f"arn:{place.partition}:iam::{account}:policy/{path.stem}" for path in written)
    lines = [
        *(f"Wrote {path}." for path in written),
        "To let CloudFormation do this and nothing else in this account and region, run as its administrator:",
        *(
            f"  aws iam create-policy --policy-name {path.stem} --policy-document file://{path}"
            for path in written
        ),
        f"  .venv/bin/python -m tools.cdk bootstrap --cloudformation-execution-policies {arns}",
    ]
    if place.account == "*":
        lines.append("Without credentials the policies hold for any account: write yours for ACCOUNT.")
    return "\n".join(lines)
