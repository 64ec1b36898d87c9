"""The AWS CDK command line of this checkout: `python -m tools.cdk synth …` runs it in the right environment."""

import os
import sys
from collections.abc import Mapping

from tools.checkout import CHECKOUT
from tools.failures import LocalError


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the operator's environment, with the checkout's `python3` first on PATH and no telemetry of the CDK."""
    programs = CHECKOUT / ".venv" / "bin"
    return {
        **environ,
        "PATH": f"{programs}{os.pathsep}{environ.get('PATH', os.defpath)}",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "1",
        # jsii warns on every run about a Node.js that this project still supports.
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }


def command(*arguments: str) -> tuple[str, ...]:
    """Return the command with its arguments, and without notices, which would be fetched from outside.

    Raises:
        LocalError: it is not installed.
    """
    program = CHECKOUT / "node_modules" / ".bin" / "cdk"
    if not program.exists():
        raise LocalError("The AWS CDK command line is not installed here: run `make set-up`.")
    return (str(program), *arguments, "--no-notices")


def main() -> None:
    """Replace this process by the CDK command line with the given arguments."""
    os.chdir(CHECKOUT)
    try:
        program, *arguments = command(*sys.argv[1:])
    except LocalError as error:
        sys.exit(str(error))
    os.execve(program, [program, *arguments], environment(os.environ))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
