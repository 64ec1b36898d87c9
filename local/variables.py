"""Reads and checks the variables of `make up`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stacks.addresses import is_plain_address
from tools.checkout import CHECKOUT
from tools.failures import LocalError

EMULATOR_PORT, WEB_PORT, STAND_IN_PORT = 4566, 4570, 4580
HIGHEST_OFFSET = 65535 - STAND_IN_PORT
SWITCH = {"": False, "0": False, "1": True}


@dataclass(frozen=True, kw_only=True)
class Variables:
    """The operator's variables; the defaults are those of a plain `make up`."""

    bedrock_url: str = ""
    config: str = ""
    port_offset: int = 0
    strict: bool = False
    folder: Path = CHECKOUT / ".local"

    @property
    def emulator_port(self) -> int:
        """The port on 127.0.0.1 where the emulator of AWS listens, API Gateway and S3 included."""
        return EMULATOR_PORT + self.port_offset

    @property
    def stand_in_port(self) -> int:
        """The port on 127.0.0.1 where the stand-in model listens."""
        return STAND_IN_PORT + self.port_offset

    @property
    def web_port(self) -> int:
        """The port on 127.0.0.1 where the playground is served."""
        return WEB_PORT + self.port_offset

    @property
    def web_url(self) -> str:
        """The address of the playground, which is also its origin."""
        return f"{'https' if self.strict else 'http'}://127.0.0.1:{self.web_port}"

    @property
    def aws_endpoint_url(self) -> str:
        """The address of every AWS service of the emulator."""
        return f"{'https' if self.strict else 'http'}://127.0.0.1:{self.emulator_port}"

    @property
    def bedrock_endpoint_url(self) -> str:
        """The Bedrock runtime in use: the operator's own, or the stand-in."""
        return self.bedrock_url or f"http://127.0.0.1:{self.stand_in_port}"


def from_environment(environ: Mapping[str, str] = os.environ) -> Variables:
    """Read and check the variables.

    Raises:
        LocalError: one sentence that names the variable at fault.
    """
    return Variables(
        bedrock_url=_url("BEDROCK_URL", environ.get("BEDROCK_URL", "").strip()),
        config=_config(environ.get("CONFIG", "")),
        port_offset=_offset("PORT_OFFSET", environ.get("PORT_OFFSET", "").strip()),
        strict=switch("STRICT", environ.get("STRICT", "").strip()),
        folder=_folder("IMAGEGEN_LOCAL_DIR", environ.get("IMAGEGEN_LOCAL_DIR", "")),
    )


def _folder(name: str, value: str) -> Path:
    try:
        return Path(value).resolve() if value else CHECKOUT / ".local"
    except (OSError, RuntimeError) as error:
        raise LocalError(f"{name} cannot be the path of a folder: its links lead in a circle.") from error


def _url(name: str, value: str) -> str:
    if value and not is_plain_address(value):
        # The value is not shown: it may hold a password.
        raise LocalError(
            f"{name} must be an http or https address without a path, such as http://127.0.0.1:8080."
        )
    return value.rstrip("/")


def _config(value: str) -> str:
    # `up` sets bedrock_endpoint_url itself. Of two values the later one would win, and nobody would see it.
    words = value.split()
    if any(word.startswith("bedrock_endpoint_url=") for word in words):
        raise LocalError("CONFIG cannot set bedrock_endpoint_url here: use the variable BEDROCK_URL.")
    return " ".join(words)


def _offset(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{0,5}", value) or int(value or 0) > HIGHEST_OFFSET:
        raise LocalError(f"{name} must be a whole number from 0 to {HIGHEST_OFFSET}, not {value!r}.")
    return int(value or 0)


def switch(name: str, value: str) -> bool:
    """Read a variable that is on or off.

    Raises:
        LocalError: it is neither.
    """
    if value not in SWITCH:
        raise LocalError(f"{name} must be 1 (on) or 0 (off), not {value!r}.")
    return SWITCH[value]
