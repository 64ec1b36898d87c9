"""The server of the playground as a process of the local service."""

import sys

from local import processes
from local.certificates import Certificates
from local.gateway import BASE_PATH
from local.processes import Service
from local.variables import Variables
from stacks.playground_site import SiteError, files
from tools.checkout import CHECKOUT, digest_of
from tools.failures import LocalError

NAME = "the playground"
ROLE = "playground"


def service(variables: Variables, certificates: Certificates | None) -> Service:
    """Return the process of the server, which names the API and the bucket in the page's headers.

    Raises:
        LocalError: a library of the page is not installed.
    """
    try:
        files(CHECKOUT)
    except SiteError as error:
        raise LocalError(str(error)) from error
    serve: tuple[str, ...] = (sys.executable, "-m", "local.page_server", "--port", str(variables.web_port))
    # On the emulator, the API and the bucket are one origin.
    aws = variables.aws_endpoint_url
    serve += ("--aws", aws, "--api-url", f"{aws}/{BASE_PATH}")
    if certificates:
        serve += ("--cert", str(certificates.certificate), "--key", str(certificates.key))
    return Service(
        role=ROLE,
        command=serve,
        environment={
            **processes.ENVIRONMENT,
            # Read by nobody: it changes with the server, so `up` restarts it. The page itself is read at each request.
            "IMAGEGEN_PAGE_SERVER_SOURCE": digest_of(["local/page_server.py", "stacks/playground_site.py"]),
        },
        working_folder=CHECKOUT,
        folder=variables.folder,
        port=variables.web_port,
    )
