"""`imagegen mcp`: the tools of `mcp_server`, for agents on this machine."""

from __future__ import annotations

import socket
import sys
from typing import Annotated, Final

import anyio
import typer

from imagegen_client.command_line import making
from imagegen_client.command_line.app import command
from imagegen_client.command_line.options import Service
from imagegen_client.command_line.reporting import UsageMistake, say

HOST: Final = "127.0.0.1"
"""Whoever reaches the server spends the caller's money, so only this machine reaches it."""


@command(
    "imagegen mcp   (an agent's settings name this as the command of a server)",
    "imagegen mcp --http --port 8808",
)
def mcp(
    *,
    service: Service,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP instead of stdio.")] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=1, max=65535, help="With --http: where to listen.")
    ] = 8808,
) -> None:
    """Let an agent make pictures: serve the Model Context Protocol.

    The agent makes pictures, looks them up, and sees models, prices and what is left. It acts with your API key. The
    same call of the agent is paid for once, in every session.
    """
    anyio.run(_serve, service, port if http else None)


async def _serve(service: Service, port: int | None) -> None:
    """Serve until the input ends, or over HTTP until the command is interrupted."""
    try:
        # The other commands work without it, and start faster.
        from imagegen_client.mcp_server import create_server  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        package = (missing.name or "mcp").partition(".")[0]
        raise UsageMistake(
            f"This command needs the package {package}: run pip install 'imagegen[mcp]'."
        ) from missing
    if port is None and (sys.stdin is None or sys.stdout is None):
        raise UsageMistake("An agent speaks to this command by stdin and stdout, and one of them is closed.")
    async with making.connected(service) as client:
        server = create_server(client)
        if port is None:
            await server.run_stdio_async()
            return
        _check_free(port)
        say(f"Agents on this machine find the tools at http://{HOST}:{port}/mcp. Ctrl-C ends this.")
        await server.run_streamable_http_async(host=HOST, port=port)


def _check_free(port: int) -> None:
    """Make sure that the port can be listened on; the server itself would end without a sentence."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise UsageMistake(
                f"Port {port} cannot be listened on ({error.strerror}): choose another --port."
            ) from error
