"""Where each limit is met on the way to a million images a day, if all of them are jobs that the client looks at.

AWS's limits are the defaults of its documentation; each row names the page. What an image uses of a limit is counted
in `estimates/usage.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Final

from estimates import bill
from estimates.queue_simulation import OVERHEAD
from estimates.usage import LOOK_UPS, WRITES, Way, api_requests, usage
from imagegen.adapters.dynamodb import DUE_SHARDS
from imagegen.models.registry import MODELS, Model, resolve
from stacks.concurrency import beside_the_queue
from stacks.model_access import SECONDS_AN_IMAGE_TAKES, concurrency_for
from stacks.stage import StageConfig

GOAL: Final = 1_000_000
"""Images a day."""
DAY: Final = 86_400
RATE: Final = GOAL / DAY
"""Images a second that the goal is on average."""
WAY: Final[Way] = "asynchronous"

PARTITION_WRITES: Final = 1_000
"""Write units a second of one partition: DynamoDB developer guide, "Designing partition keys"."""
NEW_TABLE_WRITES: Final = 4_000
"""Write units a second of a new table on demand, and of each index: DynamoDB developer guide, "On-demand capacity"."""
TABLE_WRITES: Final = 40_000
"""Write units a second of a table: DynamoDB developer guide, "Quotas"."""
PREFIX_PUTS: Final = 3_500
"""Amazon S3 user guide, "Optimizing Amazon S3 performance", for each prefix; S3 splits prefixes by itself."""
ACCOUNT_REQUESTS: Final = 10_000
"""Requests a second of all APIs of an account and region: API Gateway developer guide, "Quotas"."""
ACCOUNT_CONCURRENCY: Final = 1_000
"""Executions of all functions of an account and region at once: Lambda developer guide, "Quotas"."""
UNRESERVED: Final = 100
"""What Lambda keeps of it for functions without a reservation."""
SOURCE_CONCURRENCY: Final = 1_000
"""The highest `MaximumConcurrency` of an event source; `worker_concurrency` has the same bound."""
_ANY_REGION: Final = "us-east-1"
IN_FLIGHT: Final = 120_000
"""Messages that were received and not deleted, of one queue: Amazon SQS developer guide, "quotas"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: the images a second at which it is met, how that follows, and what to turn then."""

    what: str
    images_a_second: float
    because: str
    turn: str

    @property
    def images_a_day(self) -> float:
        """The same for a whole day."""
        return self.images_a_second * DAY


def quotas_for_the_goal(model: Model) -> int:
    """Return how many quotas of a model as they are the goal takes: accounts, if none is raised."""
    return math.ceil(RATE * 60 / (model.requests_per_minute or 1))


def workers_for(images_a_minute: float) -> int:
    """Return the workers that make so many images a minute, by the same assumption as `worker_concurrency`."""
    return math.ceil(images_a_minute * SECONDS_AN_IMAGE_TAKES / 60)


def living_models() -> list[Model]:
    """Return the models with a quota, the quickest first."""
    return sorted(
        (model for model in MODELS if model.requests_per_minute),
        key=lambda model: -(model.requests_per_minute or 0),
    )


def limits(config: StageConfig, *, today: date) -> list[Limit]:
    """Return the limits of a stage and of AWS, in the order in which they are met."""
    return sorted(
        (*_of_the_stage(config, today=today), *_of_bedrock(), *_of_the_table(), *_of_the_rest(config)),
        key=lambda limit: limit.images_a_second,
    )


def _of_the_stage(config: StageConfig, *, today: date) -> list[Limit]:
    refs = [resolve(entry, region=_ANY_REGION) for entry in config.models]
    workers = config.worker_concurrency or concurrency_for(refs, today=today)
    found = [
        Limit(
            what="`worker_concurrency`, as it is derived",
            images_a_second=workers / (SECONDS_AN_IMAGE_TAKES + OVERHEAD),
            because=f"{workers} workers; {SECONDS_AN_IMAGE_TAKES + OVERHEAD} s an image",
            turn="set it, when the quota is raised: it is derived from the registry's figure, not from your quota",
        )
    ]
    if config.daily_images is not None:
        found.append(
            Limit(
                what="`daily_images` of the stage",
                images_a_second=config.daily_images / DAY,
                because=f"{config.daily_images:,} a day",
                turn="raise it, up to 10,000,000",
            )
        )
    if config.daily_usd is not None:
        price = bill.serving(config, today=today).price.per_image
        found.append(
            Limit(
                what="`daily_usd` of the stage",
                images_a_second=config.daily_usd / price / DAY,
                because=f"${config.daily_usd:,.0f} a day; ${price} an image",
                turn="raise it, up to 1,000,000",
            )
        )
    if config.images_per_minute_per_caller is not None:
        found.append(
            Limit(
                what="`images_per_minute_per_caller`, if one caller asks for all",
                images_a_second=config.images_per_minute_per_caller / 60,
                because=f"{config.images_per_minute_per_caller} a minute",
                turn="`make limit KEY=… IMAGES_PER_MINUTE=…` for that caller",
            )
        )
    if config.throttle_rate is not None:
        found.append(
            Limit(
                what="`throttle_rate`, by looking jobs up",
                images_a_second=config.throttle_rate / LOOK_UPS,
                because=f"{config.throttle_rate:g} a second; {LOOK_UPS} look-ups an image",
                turn="raise it, or have clients use call-backs, which need no look-up",
            )
        )
    return found


def _of_bedrock() -> list[Limit]:
    return [
        Limit(
            what=f"Bedrock's quota of {model.name}",
            images_a_second=(model.requests_per_minute or 0) / 60,
            because=f"{model.requests_per_minute} requests a minute",
            turn=f"a quota increase, or {quotas_for_the_goal(model)} accounts; regions do not help",
        )
        for model in living_models()
    ]


def _of_the_table() -> list[Limit]:
    units = WRITES[WAY]
    table = sum(count for name, count in units.items() if not name.startswith("by_"))
    return [
        Limit(
            what="the history index of one caller who asks for all",
            images_a_second=PARTITION_WRITES / units["by_owner"],
            because=f"{PARTITION_WRITES:,} write units a second of a partition; {units['by_owner']} an image",
            turn="several keys: each is a caller of its own",
        ),
        Limit(
            what="the deployment's counter of the day",
            images_a_second=PARTITION_WRITES / units["deployment"],
            because=f"{PARTITION_WRITES:,} write units a second of an item; {units['deployment']} an image, and one "
            "more if a dearer model was reserved",
            turn="set `daily_images` and `daily_usd` to null, and keep the limits of each caller; or several stages",
        ),
        Limit(
            what="the index of due records",
            images_a_second=DUE_SHARDS * PARTITION_WRITES / units["by_due"],
            because=f"{DUE_SHARDS} partitions; {units['by_due']} write units an image",
            turn="several stages",
        ),
        Limit(
            what="a table that is new",
            images_a_second=NEW_TABLE_WRITES / table,
            because=f"{NEW_TABLE_WRITES:,} write units a second at first; {table} an image",
            turn="nothing: the table grows with its load, twofold in half an hour",
        ),
        Limit(
            what="DynamoDB's quota of a table",
            images_a_second=TABLE_WRITES / table,
            because=f"{TABLE_WRITES:,} write units a second; {table} an image",
            turn="a quota increase",
        ),
    ]


def _of_the_rest(config: StageConfig) -> list[Limit]:
    asked = usage(config, WAY)
    seconds = SECONDS_AN_IMAGE_TAKES + OVERHEAD
    free = ACCOUNT_CONCURRENCY - UNRESERVED - beside_the_queue(config)
    return [
        Limit(
            what="Lambda's concurrency of the account",
            images_a_second=free / seconds,
            because=f"{ACCOUNT_CONCURRENCY:,}, of which {free} may be reserved for images; {seconds} s an image",
            turn="a quota increase; a new account may have 10",
        ),
        Limit(
            what="`worker_concurrency`, as high as it goes",
            images_a_second=SOURCE_CONCURRENCY / seconds,
            because=f"{SOURCE_CONCURRENCY:,}, which is the event source's limit as well; {seconds} s an image",
            turn="several stages, each with a queue of its own",
        ),
        Limit(
            what="API Gateway's throttle of the account",
            images_a_second=ACCOUNT_REQUESTS / api_requests(WAY),
            because=f"{ACCOUNT_REQUESTS:,} requests a second; {asked.api_requests} an image",
            turn="a quota increase, or call-backs",
        ),
        Limit(
            what="S3, the images of one caller",
            images_a_second=PREFIX_PUTS,
            because=f"{PREFIX_PUTS:,} PUTs a second of a prefix; 1 an image",
            turn="nothing: S3 splits a busy prefix by itself",
        ),
        Limit(
            what="SQS's messages in flight",
            images_a_second=IN_FLIGHT / seconds,
            because=f"{IN_FLIGHT:,}; {seconds} s an image",
            turn="several stages",
        ),
    ]
