"""Starts the emulator of AWS, and waits until it is ready."""

import subprocess
import sys
import time

import httpx

from local import ports, processes
from local.certificates import Certificates, trust
from local.processes import Service
from local.variables import Variables
from tools.checkout import CHECKOUT
from tools.failures import LocalError

ROLE = "emulator"
REGION = "us-east-1"
ACCOUNT = "000000000000"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
START_TIMEOUT = 60.0


def service(variables: Variables, certificates: Certificates | None) -> Service:
    """Return the process of the emulator."""
    scratch = variables.folder / "emulator"
    # hypercorn serves it directly, in one process: `python -m ministack` would also take port 443 in strict mode.
    serve: tuple[str, ...] = ("-m", "hypercorn", "ministack.app:app", "--workers", "0", "--keep-alive", "75")
    serve += ("--bind", f"127.0.0.1:{variables.emulator_port}")
    # The functions inherit this environment, so it holds nothing of the operator's.
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "STATE_DIR": str(scratch / "state"),
        "S3_DATA_DIR": str(scratch / "s3"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(variables.emulator_port),
        # These two would listen on ports of their own, and the service does not need them.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        **CREDENTIALS,
    }
    if certificates:
        serve += ("--certfile", str(certificates.certificate), "--keyfile", str(certificates.key))
        environment |= {
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(certificates.certificate),
            "MINISTACK_SSL_KEY": str(certificates.key),
            "AWS_CA_BUNDLE": str(certificates.trusted),
        }
    return Service(
        role=ROLE,
        command=(str(CHECKOUT / ".venv" / "emulator" / "bin" / "python"), *serve),
        environment=environment,
        working_folder=scratch,
        folder=variables.folder,
        port=variables.emulator_port,
    )


def start(
    wanted: Service, variables: Variables, certificates: Certificates | None
) -> "subprocess.Popen[bytes]":
    """Start the emulator, wait until it replies, and return its process.

    Raises:
        LocalError: its port is taken, or it does not start.
    """
    ports.require_free(wanted.port, "the emulator of AWS")
    wanted.working_folder.mkdir(parents=True, exist_ok=True)
    process = processes.start(wanted)
    verify = trust(certificates.authority if certificates else None)
    deadline = time.monotonic() + START_TIMEOUT
    with httpx.Client(verify=verify, trust_env=False, timeout=5) as client:
        while time.monotonic() < deadline and process.poll() is None:
            if _is_healthy(client, variables):
                return process
            time.sleep(0.1)
    print(processes.log_tail(wanted.log), file=sys.stderr)
    raise LocalError(f"The emulator did not start; {wanted.log} ends as shown above.")


def _is_healthy(client: httpx.Client, variables: Variables) -> bool:
    try:
        return client.get(f"{variables.aws_endpoint_url}/_ministack/health").is_success
    except httpx.TransportError:
        return False
