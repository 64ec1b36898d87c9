"""The stand-in as an object that can be started and stopped."""

import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.bedrock.runtime import Runtime
from local.bedrock.settings import Settings
from local.bedrock.wire import Server


class StandIn:
    """A Bedrock runtime on loopback; a context manager.

    Attributes:
        runtime: Answers without a wire, for tests in the same process.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        settings: Settings | None = None,
        cert: Path | None = None,
        key: Path | None = None,
    ) -> None:
        """Prepare; `port` 0 takes a free one, `cert` and `key` (PEM) switch TLS on."""
        self.runtime = Runtime(settings or Settings())
        self._address = (host, port)
        self._tls = _tls(cert, key)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen; raises OSError when the port is taken."""
        self._server = Server(self._address, self.runtime)
        if self._tls:
            # The handshake belongs to the connection's thread, because a slow client must not block the others.
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            # The poll interval is how long `stop` may have to wait.
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="stand-in",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server and self._thread:
            self._server.close()
            self._thread.join()
        self._server = self._thread = None

    def join(self) -> None:
        """Wait until the stand-in has been stopped."""
        if self._thread:
            self._thread.join()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if not self._server:
            raise RuntimeError("The stand-in has not been started.")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The endpoint URL to give to a client."""
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self.port}"

    def configure(self, payload: Any) -> None:
        """Do what `POST /_control/rules` does; raises RuleError."""
        self.runtime.configure(payload)

    def calls(self, *, prompt: str = "", last: int = 20) -> dict[str, Any]:
        """Return what `GET /_control/calls` does."""
        return self.runtime.call_log.report(prompt=prompt, last=last)

    def reset(self) -> None:
        """Do what `POST /_control/reset` does."""
        self.runtime.reset()
        if self._server:
            self._server.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
