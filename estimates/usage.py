"""What one image asks of AWS: counted from the code where a test can count it, and assumed where only an account knows.

`tests/unit/test_usage.py` runs the service over a pretended AWS and compares what it counts with the figures here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from imagegen.generations.submit import POLL_AFTER
from stacks.model_access import SECONDS_AN_IMAGE_TAKES
from stacks.stage import StageConfig

Way = Literal["synchronous", "asynchronous", "with a call-back"]
"""How an image is asked for: with one request, as a job that the client looks at, or as a job that calls back."""

IMAGE_BYTES: Final = 1_800_000
"""An assumption: the length of a PNG of 1024 x 1024."""
RECORD_BYTES: Final = 1_500
"""The length of a record with an ordinary prompt, at least of the one that the test makes."""
API_SECONDS: Final = 0.1
"""An assumption: how long a request takes beside the model."""
AUTHORIZER_SECONDS: Final = 0.03
AUTHORIZER_MEMORY_MB: Final = 256
CALL_BACK_SECONDS: Final = 1.0
"""An assumption: how long a receiver takes, with its connection."""
LOOK_UPS: Final = math.ceil(SECONDS_AN_IMAGE_TAKES / POLL_AFTER) + 1
"""How often a client looks at a job until it has ended, if it looks as often as `Retry-After` says."""

WRITES: Final[Mapping[Way, Mapping[str, int]]] = {
    "synchronous": {
        "gen": 4,
        "by_owner": 4,
        "by_due": 2,
        "caller": 1,
        "deployment": 1,
        "minute": 1,
        "recent": 1,
    },
    "asynchronous": {"gen": 6, "by_owner": 6, "by_due": 4, "caller": 2, "deployment": 1, "minute": 1},
    "with a call-back": {"gen": 8, "by_owner": 8, "by_due": 6, "caller": 2, "deployment": 1, "minute": 1},
}
"""Write units of the table, by what is written: the record (`gen`), its entry in each index, the counters of the day of
the caller and of the deployment, the counter of the minute, and the recent requests. The price that was reserved is
the price in the end, so no counter of money is corrected."""
READS: Final[Mapping[Way, float]] = {"synchronous": 0, "asynchronous": 1, "with a call-back": 2}
"""Read units of the table until the image is made; look-ups and the reading of keys come on top."""
MESSAGES: Final[Mapping[Way, int]] = {"synchronous": 0, "asynchronous": 1, "with a call-back": 2}
REQUESTS_OF_A_MESSAGE: Final = 3
"""Send, receive, delete."""

FUNCTION_LOG_BYTES: Final = 2_500
"""What a function that makes an image writes, with its metrics and what Lambda itself writes."""
INVOCATION_LOG_BYTES: Final = 500
"""An assumption: what Lambda itself writes about one invocation."""
ACCESS_LOG_BYTES: Final = 700
"""An assumption: one line of the access log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one image asks of AWS, from the first request to the one download of the image."""

    api_requests: int
    invocations: int
    gb_seconds: float
    write_units: int
    read_units: float
    queue_requests: int
    log_bytes: int


def writes(config: StageConfig, way: Way) -> dict[str, int]:
    """Return the write units of one image by what is written, for the limits that a stage has."""
    units = dict(WRITES[way])
    if config.images_per_minute_per_caller is None:
        units.pop("minute")
    if config.daily_images is None and config.daily_usd is None:
        units.pop("deployment")
    return units


def api_requests(way: Way) -> int:
    """Return the requests of the API for one image."""
    return 1 + (LOOK_UPS if way == "asynchronous" else 0)


def usage(config: StageConfig, way: Way) -> Usage:
    """Return what one image asks of AWS in a stage."""
    requests = api_requests(way)
    jobs = way != "synchronous"
    call_backs = way == "with a call-back"
    gb = config.memory_mb / 1024
    functions = requests * API_SECONDS + SECONDS_AN_IMAGE_TAKES + call_backs * CALL_BACK_SECONDS
    authorized = requests if config.api_auth == "key" else 0
    authorizer = authorized * AUTHORIZER_SECONDS * AUTHORIZER_MEMORY_MB / 1024
    plain = requests - (not jobs) + call_backs
    return Usage(
        api_requests=requests,
        invocations=requests + authorized + jobs + call_backs,
        gb_seconds=functions * gb + authorizer,
        write_units=sum(writes(config, way).values()),
        # Each look-up reads the record, and the authorizer may have to read the key.
        read_units=READS[way] + requests - 1 + authorized,
        queue_requests=MESSAGES[way] * REQUESTS_OF_A_MESSAGE,
        log_bytes=FUNCTION_LOG_BYTES
        + (plain + authorized) * INVOCATION_LOG_BYTES
        + requests * ACCESS_LOG_BYTES,
    )
