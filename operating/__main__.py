"""The operator's commands on a stage: `python -m operating doctor|deploy|destroy|key|…`; `make` runs them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from imagegen.adapters.key_table.table import DynamoDbKeys
from imagegen.keys.api_key import ApiKey
from imagegen.keys.authorizer import CACHE_FOR
from imagegen.keys.stored_key import StoredKey
from operating import clients, deploying, deployment_policy, drift, limits, smoke, stage
from operating.arguments import parser, whole_number
from operating.drill import Rehearsal
from operating.keys import Keys
from operating.stack import Account
from operating.switch import Switch
from stacks.stage import stack_name
from tools import output
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

ENVIRON: Mapping[str, str] = os.environ  # noqa: TID251 - where the operator's variables are
MAX_DAYS = 3_650
MAX_GRACE_HOURS = 24 * 30
MAX_DRILL_MINUTES = 60


def main() -> int:
    """Run one command; print one sentence and return 1 for a failure that the operator can put right."""
    output.accept_every_character()
    arguments = parser(ENVIRON).parse_args()
    try:
        status = _run(arguments)
        output.flush()
    except LocalError as error:
        print(in_one_line(error), file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(in_one_line(clients.failure(error)), file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    except BrokenPipeError:
        output.give_up()  # whoever read it has closed it
    except OSError as error:
        output.give_up()
        print(in_one_line(output.failure(error)), file=sys.stderr)
    else:
        return status
    return 1


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command in ON_A_STAGE:
        return ON_A_STAGE[arguments.command](arguments)
    match arguments.command:
        case "bootstrap-policy":
            deployment_policy.write(assembly=CHECKOUT / "cdk.out", folder=Path("out") / "bootstrap-policy")
        case "key":
            _create_key(arguments)
        case "keys":
            print(_table(_keys(arguments).list(), now=datetime.now(tz=UTC)))
        case "limit":
            id_, change = _id(arguments.key), limits.read_change(_limits(arguments))
            limited = _keys(arguments).limit(id_, changed=change.changed, dropped=change.dropped)
            print(
                f"The limits of the key {id_} are now {limits.in_words(limited.limits)}. "
                f"The change holds everywhere within {CACHE_FOR.seconds} seconds."
            )
        case "revoke":
            _keys(arguments).revoke(_id(arguments.key))
            print(
                f"The key {arguments.key} is revoked. It is refused everywhere within {CACHE_FOR.seconds} seconds."
            )
        case _:
            _rotate_key(arguments)
    return 0


def _examine(arguments: argparse.Namespace) -> int:
    # Only here, because no other command needs what it loads.
    from operating.doctor.command import Wish, doctor  # noqa: PLC0415

    # jsii warns on every run about a Node.js that this project still supports.
    os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")  # noqa: TID251 - it reads it there
    wish = Wish.of(stage=arguments.stage, as_json=arguments.json, prove=arguments.prove, environ=ENVIRON)
    return doctor(wish)


def _stop(arguments: argparse.Namespace) -> int:
    _switch(arguments).stop()
    print(
        f"The functions of {stack_name(arguments.stage)} that call models do not start any more, and callers get "
        f"a 502. What already runs ends by itself. `make start STAGE={arguments.stage}` lets them start again."
    )
    return 0


def _start(arguments: argparse.Namespace) -> int:
    _switch(arguments).start()
    print(f"The functions of {stack_name(arguments.stage)} start again.")
    return 0


def _drill(arguments: argparse.Namespace) -> int:
    if not arguments.model:
        raise LocalError(
            "MODEL is missing: give the id of a model that the stage lists, such as "
            "MODEL=stability.stable-image-core-v1:1."
        )
    minutes = whole_number("MINUTES", arguments.minutes, low=1, high=MAX_DRILL_MINUTES) or 0
    has_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    with stage.caller(arguments.stage, purpose="drill", environ=ENVIRON) as send:
        Rehearsal(
            stage=arguments.stage,
            model=arguments.model,
            minutes=minutes,
            functions=stage.changeable_functions(arguments.stage, environ=ENVIRON),
            send=send,
            ask=input if has_terminal else None,
            approved=ENVIRON.get("APPROVE", "").strip() == "never",
        ).run()
    return 0


ON_A_STAGE: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "synth": lambda arguments: deploying.synth(_order(arguments)),
    "diff": lambda arguments: deploying.diff(_order(arguments)),
    "doctor": _examine,
    "deploy": lambda arguments: deploying.deploy(_order(arguments), account=lambda: _account(arguments)),
    "smoke": lambda arguments: smoke.check(arguments.stage, prove=arguments.prove, environ=ENVIRON),
    "drift": lambda arguments: drift.check(arguments.stage, environ=ENVIRON),
    "drill": _drill,
    "stop": _stop,
    "start": _start,
    "destroy": lambda arguments: deploying.destroy(_order(arguments), account=lambda: _account(arguments)),
}
"""The commands on the stage as a whole; each returns its exit status. The other ones are about its keys."""


def _create_key(arguments: argparse.Namespace) -> None:
    _check_output()
    days = whole_number("DAYS", arguments.days, low=1, high=MAX_DAYS)
    own = limits.read_limits(_limits(arguments))
    _keys(arguments).create(
        name=arguments.name,
        expires_in=timedelta(days=days) if days is not None else None,
        limits=own,
        show=lambda key: _show(key, f"The key {key.id} of {arguments.name}. It"),
    )


def _rotate_key(arguments: argparse.Namespace) -> None:
    _check_output()
    grace = whole_number("GRACE", arguments.grace, low=0, high=MAX_GRACE_HOURS) or 0
    old = _end_of_the_old(hours=grace)
    _keys(arguments).rotate(
        _id(arguments.key),
        grace=timedelta(hours=grace),
        show=lambda key: _show(key, f"The key {key.id} has a new secret. {old} The new key"),
    )


def _show(key: ApiKey, sentence: str) -> None:
    try:
        print(f"{sentence} is shown only now:\n{key.text}", flush=True)
    except OSError:
        output.give_up()
        raise


def _check_output() -> None:
    """Make sure that there is somewhere to show a key, before it is made."""
    if sys.stdout is None:
        raise LocalError("A key is shown only once, on the standard output, and that is closed.")


def _end_of_the_old(*, hours: int) -> str:
    # The authorizer still accepts for a while what it has read.
    if hours == 0:
        return f"The old key is refused everywhere within {CACHE_FOR.seconds} seconds."
    return f"The old key is accepted for {hours} hour{'' if hours == 1 else 's'} more."


def _account(arguments: argparse.Namespace) -> Account:
    return Account(options=stage.aws_options(arguments.stage, ENVIRON))


def _switch(arguments: argparse.Namespace) -> Switch:
    options = stage.aws_options(arguments.stage, ENVIRON)
    return Switch(
        stage=arguments.stage,
        cloudformation=clients.client("cloudformation", options),
        functions=clients.client("lambda", options),
    )


def _order(arguments: argparse.Namespace) -> deploying.Order:
    return deploying.Order(
        command=arguments.command,
        stage=arguments.stage,
        config=" ".join(ENVIRON.get("CONFIG", "").split()),
        approve=ENVIRON.get("APPROVE", "").strip(),
        has_terminal=all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)),
        environ=ENVIRON,
    )


def _limits(arguments: argparse.Namespace) -> Mapping[str, str]:
    return {name: getattr(arguments, name.lower()) for name in limits.VARIABLES}


def _keys(arguments: argparse.Namespace) -> Keys:
    client, table = stage.key_table(arguments.stage, environ=ENVIRON)
    return Keys(table=DynamoDbKeys(client=client, table=table))


def _id(text: str) -> str:
    if not text:
        raise LocalError(
            "KEY is missing: give the id of a key, which `make keys` lists, such as KEY=abcdefghij23."
        )
    return text


def _table(keys: Sequence[StoredKey], *, now: datetime) -> str:
    if not keys:
        return "There are no keys yet: `make key NAME=alice` makes one."
    rows = [("id", "name", "state", "created", "expires", "limits"), *(_row(key, now=now) for key in keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(key: StoredKey, *, now: datetime) -> tuple[str, ...]:
    state = key.state(now)
    if state == "active" and key.previous_until is not None and now < key.previous_until:
        state = f"active; the old secret until {_minute(key.previous_until)}"
    expires = _minute(key.expires_at) if key.expires_at else "never"
    return key.id, key.name, state, _minute(key.created_at), expires, limits.in_words(key.limits)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"


if __name__ == "__main__":
    sys.exit(main())
