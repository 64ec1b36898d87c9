"""`make lock`: resolves every pinned list of packages again, with hashes."""

import os
import subprocess
import sys

from tools.checkout import CHECKOUT
from tools.registries import uv_environment

LOCKS = {
    "requirements.txt": "requirements.lock",
    "local/requirements.in": "local/requirements.txt",
    "docsite/requirements.in": "docsite/requirements.txt",
    "lambda/requirements.in": "lambda/requirements.txt",
    "benchmarks/packages/sdk.in": "benchmarks/packages/sdk.txt",
    "benchmarks/packages/runtime_client.in": "benchmarks/packages/runtime_client.txt",
    "benchmarks/packages/charts.in": "benchmarks/packages/charts.txt",
    "tools/requirements.in": "tools/requirements.txt",
    "tools/checkov.in": "tools/checkov.txt",
}
# 3.11 is the oldest Python that is supported. A universal lock holds for every newer one, and for every system.
OPTIONS = ("--quiet", "--generate-hashes", "--universal", "--no-header", "--python-version", "3.11")


def main() -> int:
    """Compile each list into its lock, and the CDK command line's into `package-lock.json`."""
    programs = CHECKOUT / ".venv" / "bin"
    environ = {**os.environ, **uv_environment(os.environ, python=programs / "python")}
    compiled = [
        (programs / "uv", "pip", "compile", *OPTIONS, source, "--output-file", lock)
        for source, lock in LOCKS.items()
    ]
    # Without --omit-lockfile-registry-resolved, package-lock.json would name the host of this machine's registry.
    npm = (
        "npm",
        "install",
        "--package-lock-only",
        "--ignore-scripts",
        "--omit-lockfile-registry-resolved",
        "--no-fund",
        "--no-audit",
    )
    for command in (*compiled, npm):
        if subprocess.run(command, cwd=CHECKOUT, env=environ, check=False).returncode != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
