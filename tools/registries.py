"""Package registries: finds the one that pip is configured with, and recognises a failure to reach one."""

import configparser
import subprocess
from collections.abc import Mapping
from pathlib import Path

UV_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")
FROM_PIP = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
# Parts of what pip, uv and npm print when they cannot reach their registry, in lower case.
UNREACHABLE = (
    "connection",
    "could not be reached",
    "could not fetch url",
    "dns error",
    "eai_again",
    "econnrefused",
    "econnreset",
    "enotfound",
    "error sending request",
    "etimedout",
    "failed to fetch",
    "name resolution",
    "network is unreachable",
    "no matching distribution found for uv",
    "timed out",
    "tunnel",
)


def uv_environment(environ: Mapping[str, str], *, python: Path) -> dict[str, str]:
    """Return what uv needs to use the index and certificates of pip's configuration, unless uv has its own.

    uv does not read `pip.conf`. Where only that file names the mirror, pip would work and uv fail.
    """
    # Whoever has configured uv wants that, whatever pip is configured with.
    if any(environ.get(name) for name in UV_SETTINGS) or _has_uv_configuration(environ):
        return {}
    listed = subprocess.run(
        [python, "-m", "pip", "config", "list"],
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return {name: value for name, value in uv_settings(listed.stdout).items() if not environ.get(name)}


def uv_settings(pip_configuration: str) -> dict[str, str]:
    """Translate the output of `pip config list` into uv's variables; as in pip, later sources win."""
    # Not strict, because one setting may come from several sources.
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    parser.read_string(f"[pip]\n{pip_configuration}")
    found = {name.rpartition(".")[2]: value.strip("'\"") for name, value in parser.items("pip")}
    return {name: found[setting] for setting, name in FROM_PIP.items() if found.get(setting)}


def names_unreachable_registry(output: str) -> bool:
    """Say whether a package manager failed because it could not reach its registry."""
    lowered = output.lower()
    return any(sign in lowered for sign in UNREACHABLE)


def _has_uv_configuration(environ: Mapping[str, str]) -> bool:
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return (Path(home) / "uv" / "uv.toml").is_file()
