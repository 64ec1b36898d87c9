"""The stand-ins of AWS with a table of a chosen size: `python -m benchmarks.growing_stand_ins CERTIFICATE KEY SIZES`.

SIZES is JSON: how many records, jobs and keys there are in each of the tables.
"""

import gc
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks import growing_tables
from benchmarks.aws_stand_ins import StandIns, serve
from benchmarks.contenders import SETTINGS

MAKERS = {"history": growing_tables.history, "jobs": growing_tables.jobs, "keys": growing_tables.keys}


class GrowingStandIns(StandIns):
    """Stand-ins with several tables, of which a control call selects one.

    A control call names it by what it is `of` and its `size`. With `changes` a copy holds, which the requests may
    change. With `key` the API key of this number is added to it, and the one that was added before is gone.
    """

    def __init__(self, sizes: Mapping[str, Sequence[int]]) -> None:
        super().__init__()
        self.stored = growing_tables.METADATA
        now = datetime.now(UTC)
        self._added: tuple[str, ...] = ()
        self._tables = {(of, size): MAKERS[of](size, now=now) for of in sizes for size in sizes[of]}

    def control(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Change what is wanted, and return the calls counted since the last change."""
        if "of" in wanted:
            table = self._tables[wanted["of"], wanted["size"]]
            self.table = table.copy() if wanted.get("changes") else table
            if "key" in wanted:
                self._add_key(wanted["key"])
        return super().control(wanted)

    def _add_key(self, number: int) -> None:
        # Added and removed rather than copied: a copy of the table would slow down the request that comes next.
        for table in self._tables.values():
            table.remove(SETTINGS["KEY_TABLE_NAME"], self._added)
        growing_tables.add_key(self.table, number, now=datetime.now(UTC))
        self._added = (growing_tables.key(number).id,)


def main(certificate: str, key: str, sizes: str) -> None:
    """Fill the tables, then serve."""
    services = GrowingStandIns(json.loads(sizes))
    # The collector need not look at the tables again, which would look like their growth.
    gc.collect()
    gc.freeze()
    serve(services, certificate, key)


if __name__ == "__main__":
    main(*sys.argv[1:])
