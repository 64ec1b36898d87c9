"""`make bench` prints the figures. It takes about seven minutes, and does not touch a running service."""

import sys

from benchmarks import drain, fresh_checkout, neighbour, schedules, warm_requests
from benchmarks.figures import table
from tools.failures import LocalError


def main() -> int:
    """Measure and print; a failure is a sentence and exit status 1."""
    try:
        measured = [*warm_requests.measure(), *fresh_checkout.measure()]
        drained = drain.measure()
        compared = neighbour.measure()
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(measured))
    print(drained.lines())
    print(compared.lines())
    print(schedules.lines())
    print("A fresh checkout still finds packages in the caches of pip, uv and npm, where they have any.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
