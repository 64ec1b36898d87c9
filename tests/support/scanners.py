"""Runs cfn-lint and checkov over templates."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.synthesis import ROOT

CHECKOV: Final = ROOT / ".venv" / "checkov" / "bin" / "checkov"
OPTIONS: Final = ("--framework", "cloudformation", "--compact", "--output", "json", "--skip-download")
HASH: Final = re.compile(r"[0-9A-F]{8}$")

Template = dict[str, Any]
Finding = tuple[str, str]
"""A resource, named by its logical id without the hash, and the id of a check."""


def checkov_findings(templates: Mapping[str, Template], *, folder: Path) -> dict[str, list[Finding]]:
    """Return what checkov finds in each template, sorted; all of them in one run, because its start takes longest."""
    for name, template in templates.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - the checkout's own scanner
        [CHECKOV, "--directory", folder, *OPTIONS],
        # Neither the operator's own configuration of checkov nor an account of its vendor's has a say.
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    report = json.loads(done.stdout)
    assert report["results"]["parsing_errors"] == [], report["results"]["parsing_errors"]
    found: dict[str, list[Finding]] = {name: [] for name in templates}
    scanned = set()
    for check in (*report["results"]["passed_checks"], *report["results"]["failed_checks"]):
        scanned.add(_name(check))
    for check in report["results"]["failed_checks"]:
        found[_name(check)].append((HASH.sub("", check["resource"].rpartition(".")[2]), check["check_id"]))
    # A template that it does not recognise as one would be clean as well.
    assert scanned == set(templates)
    return {name: sorted(each) for name, each in found.items()}


def lint_findings(template: Template) -> list[str]:
    """Return what cfn-lint finds in a template, with its experimental rules too, but without three.

    W3005 and I1022 are about the style in which CDK writes. I4010 asks for remarks in the template for tools.
    """
    # Here, because it takes more than a second in every process that collects this module.
    from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]  # noqa: PLC0415

    args = ManualArgs(
        regions=["us-east-1", "us-west-2"],
        ignore_checks=["W3005", "I1022", "I4010"],
        include_checks=["I"],
        include_experimental=True,
    )
    matches = lint(json.dumps(template), config=args)
    return [str(match) for match in matches]


def _name(check: Mapping[str, Any]) -> str:
    return str(check["file_path"]).removeprefix("/").removesuffix(".template.json")
