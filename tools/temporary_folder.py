"""Whether there is a folder for temporary files; Node.js, which the AWS CDK runs on, looks for no other one."""

import tempfile
from collections.abc import Mapping

from tools.failures import LocalError

VARIABLES = ("TMPDIR", "TMP", "TEMP")
"""In the order in which Node.js reads them."""


def check_temporary_folder(environ: Mapping[str, str]) -> None:
    """Make sure that a file can be made in the folder that the environment names.

    Raises:
        LocalError: the sentence names the variable.
    """
    name = next((name for name in VARIABLES if environ.get(name)), None)
    if name is None:
        return
    try:
        with tempfile.TemporaryFile(dir=environ[name]):
            pass
    except OSError as error:
        raise LocalError(
            f"{name} is {environ[name]!r}, and no temporary file can be made there ({error.strerror})."
        ) from error
