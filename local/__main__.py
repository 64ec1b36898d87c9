"""The command line of the local service: `python -m local up|demo|status|down`. docs/local.md lists its variables."""

import argparse
import os
import sys
import time
from pathlib import Path

from local import demo, life_cycle, processes, variables
from local.state import State
from local.variables import Variables
from tools import output
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line


def main() -> int:
    """Run one command; print one sentence and return 1 for a failure that the operator can put right."""
    parser = argparse.ArgumentParser(prog="python -m local", description="The whole service on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start and deploy the service, or bring a running one up to date")
    commands.add_parser("down", help="stop the service and remove its files")
    commands.add_parser("status", help="say where the service listens; exit status 1 when it does not")
    demo_parser = commands.add_parser("demo", help="up, then one picture through the whole stack")
    demo_parser.add_argument(
        "--out", type=Path, default=CHECKOUT / "out", help="where to save the picture (out/)"
    )
    arguments = parser.parse_args()
    output.accept_every_character()
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        # boto3 would look for the operator's profile, and fail if it does not exist here.
        os.environ.pop(name, None)
    try:
        chosen = variables.from_environment()
        match arguments.command:
            case "up":
                status = _up(chosen)
            case "down":
                status = _down(chosen)
            case "status":
                status = _status(chosen)
            case _:
                status = _demo(chosen, out=arguments.out)
        output.flush()
    except LocalError as error:
        print(in_one_line(error), file=sys.stderr)
    except BrokenPipeError:
        output.give_up()  # whoever read it has closed it
    except OSError as error:
        # A folder that cannot be made, or a path that is too long: IMAGEGEN_LOCAL_DIR, or a disk that is full.
        output.give_up()
        print(in_one_line(output.failure(error)), file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted; `make down` cleans up, `make up` goes on from here.", file=sys.stderr)
    else:
        return status
    return 1


def _up(chosen: Variables) -> int:
    started = time.monotonic()
    ready = life_cycle.up(chosen)
    print(f"up: ready in {time.monotonic() - started:.0f} s")
    _print_state(ready)
    return 0


def _down(chosen: Variables) -> int:
    print("down: stopped" if life_cycle.down(chosen.folder) else "down: nothing was running")
    return 0


def _status(chosen: Variables) -> int:
    ready = State.read(chosen.folder)
    if ready is None or not processes.running(chosen.folder):
        print("status: not running")
        return 1
    _print_state(ready)
    return 0


def _demo(chosen: Variables, *, out: Path) -> int:
    ready = life_cycle.up(chosen)
    picture = demo.make_picture(ready, folder=out)
    print(demo.report(picture, ready, relative_to=CHECKOUT, painted=not chosen.bedrock_url))
    return 0


def _print_state(ready: State) -> None:
    for name, value in ready.to_json().items():
        if value is not None:
            print(f"{name:17} {value}")


if __name__ == "__main__":
    sys.exit(main())
