"""The stand-in as a process of the local service."""

import sys

from local import processes
from local.processes import Service
from local.variables import Variables
from tools.checkout import CHECKOUT, digest_of

NAME = "the stand-in model"
ROLE = "stand-in"


def service(variables: Variables) -> Service:
    """Return the process of the stand-in."""
    return Service(
        role=ROLE,
        command=(sys.executable, "-m", "local.bedrock", "--port", str(variables.stand_in_port)),
        environment={
            **processes.ENVIRONMENT,
            # Read by nobody: it changes with the sources, so `up` restarts the stand-in when they change.
            "IMAGEGEN_STAND_IN_SOURCE": digest_of(["local/bedrock", "local/painter"]),
        },
        working_folder=CHECKOUT,
        folder=variables.folder,
        port=variables.stand_in_port,
    )
