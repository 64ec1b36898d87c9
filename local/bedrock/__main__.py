"""`python -m local.bedrock --port N` runs the stand-in as a process."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from local.bedrock.rules import RuleError
from local.bedrock.settings import Settings
from local.bedrock.stand_in import StandIn


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; print one line when ready."""
    options = _parser().parse_args(arguments)
    try:
        stand_in = StandIn(
            port=options.port,
            host=options.host,
            settings=Settings(
                alive=frozenset(options.alive), latency=options.latency, instant=options.instant
            ),
            cert=options.cert,
            key=options.key,
        ).start()
    except (RuleError, OSError) as error:
        print(f"The stand-in Bedrock runtime cannot start: {error}", file=sys.stderr)
        return 1
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    print(f"stand-in Bedrock runtime ready on {stand_in.url}", flush=True)
    stopping.wait()
    stand_in.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.bedrock", description=__doc__)
    parser.add_argument("--port", type=int, default=4580, help="0 takes a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--latency",
        type=float,
        # argparse applies `type` to a default that is a string.
        default=os.environ.get("STAND_IN_LATENCY", "0"),
        help="seconds that the model takes; default STAND_IN_LATENCY, else 0",
    )
    parser.add_argument(
        "--instant", action="store_true", help="paint one picture for each size, and use it for every call"
    )
    parser.add_argument("--alive", action="append", default=[], metavar="ID", help="revive a retired model")
    parser.add_argument("--cert", type=Path, help="PEM certificate: switches TLS on")
    parser.add_argument("--key", type=Path, help="PEM key of the certificate")
    return parser


if __name__ == "__main__":
    sys.exit(main())
