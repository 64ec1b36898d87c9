"""The CDK app, as `cdk.json` names it: says in one sentence what is missing, then synthesizes the stage."""

import os
import sys

OLDEST_PYTHON = (3, 11)


def main() -> None:
    """Synthesize the stage, with the packages of the Python that runs this file."""
    if sys.version_info < OLDEST_PYTHON:  # whatever `python3` is on PATH comes here
        sys.exit(f"Python 3.11 or newer is needed, but {sys.executable} is {sys.version.split()[0]}.")
    # jsii warns on every run about a Node.js that this project still supports.
    os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")  # noqa: TID251 - it reads it there
    # Not above, because an older Python may not be able to read them.
    from tools.failures import LocalError, in_one_line  # noqa: PLC0415
    from tools.temporary_folder import check_temporary_folder  # noqa: PLC0415

    # Before the CDK starts Node.js, which would say so in a page of its own.
    try:
        check_temporary_folder(os.environ)  # noqa: TID251 - Node.js reads it there
    except LocalError as error:
        sys.exit(in_one_line(error))
    try:
        from stacks.synthesis import synthesize  # noqa: PLC0415 - its packages may be missing
    except ModuleNotFoundError as missing:
        sys.exit(
            f"The package {missing.name} is not installed for {sys.executable}: activate the environment that has "
            "requirements.txt, or run `pip install -r requirements.txt` in a new one."
        )
    synthesize()


if __name__ == "__main__":
    main()
