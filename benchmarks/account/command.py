"""The command line: its variables, the announcement before it reads, and the output of the table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.account import making, places, table
from benchmarks.account.costs import costs
from benchmarks.account.evidence import Evidence, gather
from benchmarks.account.logs import Logs, Span, hours
from benchmarks.account.places import Places
from benchmarks.account.sizes import MOST_RECORDS, Records
from estimates.prices import each
from operating import clients, stage
from operating.arguments import whole_number
from stacks.cdk_json import stages_of
from stacks.stage import StageConfig, StageError, load_stage, stack_name
from tools import output
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

ENVIRON: Final[Mapping[str, str]] = os.environ
MAX_HOURS: Final = 24 * 31
MAX_IMAGES: Final = 100
HOURS: Final = "24"
READ_UNITS_OF_A_RECORD: Final = 0.5
"""The read units of an eventually consistent read of at most 4 KB."""
_RETRIES: Final = Config(retries={"mode": "standard", "total_max_attempts": 8})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the operator asks for: hours to look back, images to make first, and a file for the table as JSON."""

    stage: str
    hours: int
    images: int
    out: Path | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Wish:
        """Read the variables.

        Raises:
            LocalError: one of them is wrong.
        """
        return cls(
            stage=environ.get("STAGE", "dev"),
            hours=whole_number("HOURS", environ.get("HOURS", "").strip() or HOURS, low=1, high=MAX_HOURS)
            or 1,
            images=whole_number("IMAGES", environ.get("IMAGES", "").strip(), low=0, high=MAX_IMAGES) or 0,
            out=_out(environ.get("OUT", "").strip()),
        )


def wished(environ: Mapping[str, str]) -> bool:
    """Return whether a deployed stage is meant, by the variable ACCOUNT.

    Raises:
        LocalError: its value means nothing.
    """
    text = environ.get("ACCOUNT", "").strip()
    if text not in {"", "1"}:
        raise LocalError(f"ACCOUNT must be 1, to measure a deployed stage, or be left out, not {text!r}.")
    return text == "1"


def main(environ: Mapping[str, str] = ENVIRON) -> int:
    """Read and print; print one sentence and return 1 for a failure that the operator can put right."""
    output.accept_every_character()
    try:
        run(Wish.of(environ), environ=environ)
        output.flush()
    except (LocalError, StageError) as error:
        print(in_one_line(error), file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(in_one_line(clients.failure(error)), file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    except BrokenPipeError:
        output.give_up()  # the reader of the output has closed it
    except OSError as error:
        output.give_up()
        print(in_one_line(output.failure(error)), file=sys.stderr)
    else:
        return 0
    return 1


def run(wish: Wish, *, environ: Mapping[str, str]) -> None:
    """Measure a stage and show the table.

    Raises:
        LocalError: the stage is not deployed or has logged nothing, or AWS does not let it be read.
    """
    options = stage.aws_options(wish.stage, environ)
    options = {**options, "config": _RETRIES.merge(options["config"]) if "config" in options else _RETRIES}
    found = _places(wish, options)
    config = load_stage(
        name=wish.stage,
        stages=stages_of(CHECKOUT),
        overrides=" ".join(environ.get("CONFIG", "").split()) or None,
    )
    print("\n".join(announcement(wish, found)), flush=True)
    client = clients.client("logs", options)

    def logs() -> Logs:
        return Logs(client=client, span=_span(wish))

    notes = _make(wish, found, logs=logs, environ=environ) if wish.images else []
    records = Records(client=clients.client("dynamodb", options), table=found.table)
    evidence = gather(found, logs=logs(), records=records)
    show(wish, evidence, config=config, notes=notes)


def announcement(wish: Wish, found: Places) -> Sequence[str]:
    """Return what will be read, and what that costs at most."""
    groups = [*found.functions.values(), found.gateway]
    usd = MOST_RECORDS * READ_UNITS_OF_A_RECORD * each("read")
    others = f"makes {wish.images} images first" if wish.images else "changes nothing"
    return [
        f"Reads what {stack_name(wish.stage)} logged in the last {hours(wish.hours)}, and {others}:",
        *(f"  the log group {group}" for group in groups),
        f"  the table {found.table}: the sizes of at most {MOST_RECORDS:,} images",
        f"AWS charges nothing for reading log events in this way, and at most ${usd:.4f} for the records.",
    ]


def show(wish: Wish, evidence: Evidence, *, config: StageConfig, notes: Sequence[str]) -> None:
    """Print the table, and write it for programs where that was asked for.

    Raises:
        LocalError: there is nothing to show.
    """
    if not any(evidence.invocations.values()):
        raise LocalError(
            f"The functions of {stack_name(wish.stage)} have logged no invocation in the last {hours(wish.hours)}: "
            "set HOURS to more hours, or IMAGES to a number of images to make first."
        )
    said = [*notes, *evidence.notes]
    if not evidence.all_images:
        said.append(
            f"No image was logged in the last {hours(wish.hours)}: set HOURS to more hours, or IMAGES to a number of "
            "images to make first. A stage with a log_level above INFO logs none."
        )
    written = table.as_json(
        wish.stage, evidence, table.figures(evidence), costs(evidence, config=config), said
    )
    print("\n" + "\n".join(table.lines(written)))
    if wish.out:
        wish.out.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def _places(wish: Wish, options: Mapping[str, Any]) -> Places:
    cloudformation = clients.client("cloudformation", options)
    stage.check_deployed(wish.stage, cloudformation)
    return places.find(stack_name(wish.stage), cloudformation=cloudformation)


def _make(
    wish: Wish, found: Places, *, logs: Callable[[], Logs], environ: Mapping[str, str]
) -> Sequence[str]:
    has_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    models = stage.functions(wish.stage, environ=environ).environment().get("MODELS", "")
    with stage.caller(wish.stage, purpose="bench", environ=environ) as send:
        made = making.Making(
            stage=wish.stage,
            images=wish.images,
            models=models.split(","),
            send=send,
            ask=input if has_terminal else None,
            approved=environ.get("APPROVE", "").strip() == "never",
        ).run(today=datetime.now(tz=UTC).date())
    groups = [group for name, group in found.functions.items() if name != "authorizer"]
    if making.wait_for_lines(made, logs=logs, groups=groups):
        return []
    return [f"CloudWatch had not all lines about the {wish.images} images after {making.LONGEST} seconds."]


def _span(wish: Wish) -> Span:
    now = datetime.now(tz=UTC)
    return Span(begin=now - timedelta(hours=wish.hours), end=now)


def _out(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise LocalError(f"OUT must be a file in a folder that exists, not {text!r}.")
    return path
