"""Starts the stand-in as a process, and waits until it listens."""

import subprocess
import sys
import time

from local import ports, processes
from local.processes import Service
from local.variables import Variables
from tools.checkout import CHECKOUT, digest_of
from tools.failures import LocalError

ROLE = "stand-in"
START_TIMEOUT = 30.0


def service(variables: Variables) -> Service:
    """Return the process of the stand-in."""
    return Service(
        role=ROLE,
        command=(sys.executable, "-m", "local.bedrock", "--port", str(variables.stand_in_port)),
        environment={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            # Read by nobody: it changes with the sources, so `up` restarts the stand-in when they change.
            "IMAGEGEN_STAND_IN_SOURCE": digest_of(["local/bedrock", "local/painter"]),
        },
        working_folder=CHECKOUT,
        folder=variables.folder,
        port=variables.stand_in_port,
    )


def start(wanted: Service) -> "subprocess.Popen[bytes]":
    """Start the stand-in, wait until it listens, and return its process.

    Raises:
        LocalError: its port is taken, or it does not start.
    """
    ports.require_free(wanted.port, "the stand-in model")
    process = processes.start(wanted)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        if ports.is_listening(wanted.port):
            return process
        time.sleep(0.1)
    print(processes.log_tail(wanted.log), file=sys.stderr)
    raise LocalError(f"The stand-in model did not start; {wanted.log} ends as shown above.")
