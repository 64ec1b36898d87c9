"""`make docs`: builds the site into `out/docs/`."""

import os
import sys

from docsite.build import build
from tools.checkout import CHECKOUT
from tools.failures import LocalError

TARGET = CHECKOUT / "out" / "docs"
WORK = CHECKOUT / ".build" / "docs"


def main() -> int:
    """Build the site; print where it is, or what is wrong, and return 1."""
    try:
        pages = build(TARGET, work=WORK, environ=os.environ)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{len(pages)} pages are in {TARGET.relative_to(CHECKOUT)}/. To read them in a browser, with the search:"
    )
    print(f"  python3 -m http.server --bind 127.0.0.1 --directory {TARGET.relative_to(CHECKOUT)} 8000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
