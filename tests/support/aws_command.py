"""The AWS CLI in miniature: reads a command of a page as the CLI does, by the service's own description, and runs it.

`python aws_command.py SERVICE OPERATION …` runs one against the endpoint and with the credentials of the environment.
The AWS CLI itself is no package of this checkout, and its versions differ in nothing that the pages use.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import jmespath  # type: ignore[import-untyped]  # it has no types
from botocore import xform_name
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

OF_THE_CLI: Final = ("--query", "--output", "--region")
NAMES: Final = {"s3api": "s3"}
"""Services that the CLI calls otherwise than the SDK."""
_NUMBERS: Final[Mapping[str, type]] = {"integer": int, "long": int, "float": float, "double": float}


class UnknownCommandError(Exception):
    """The command names something that the service does not have, or gives it something else."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: the call of a service, and what the CLI does with its reply."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    query: str
    output: str
    file: str = ""
    """Where the body of the reply is written."""
    waits: bool = False
    """Whether it waits for a state of the resource instead of calling an operation."""


@cache
def _client(service: str) -> Any:
    # Only its model is used here, so any region and any credentials will do.
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def parsed(words: Sequence[str]) -> Command:
    """Return the command that the words after `aws` are.

    Raises:
        UnknownCommandError: AWS would refuse them, whatever the account.
    """
    named, verb, *rest = words
    service = NAMES.get(named, named)
    try:
        client = _client(service)
    except Exception as exc:
        raise UnknownCommandError(f"There is no service {named}.") from exc
    if verb == "wait":
        name, *rest = rest
        if name not in {waiter.replace("_", "-") for waiter in client.waiter_names}:
            raise UnknownCommandError(f"There is nothing to wait for that is called {name}.")
        model = client.meta.service_model.operation_model(_waited(client, name))
    else:
        name = verb
        model = _operation(client, verb)
    options, file = _options(rest, streams=model.has_streaming_output)
    members = model.input_shape.members if model.input_shape else {}
    names = {xform_name(member, "-"): member for member in members}
    parameters: dict[str, Any] = {}
    for option, values in options.items():
        if option in OF_THE_CLI:
            continue
        plain = option.removeprefix("--")
        member = names.get(plain) or names.get(plain.removeprefix("no-"))
        if member is None:
            raise UnknownCommandError(f"{service} {name} has no option {option}.")
        parameters[member] = _value(members[member], values, negative=plain not in names)
    report = ParamValidator().validate(parameters, model.input_shape)
    if report.has_errors():
        raise UnknownCommandError(f"{service} {name}: {report.generate_report()}")
    return Command(
        service=service,
        operation=name,
        parameters=parameters,
        query=" ".join(options.get("--query", [])),
        output=" ".join(options.get("--output", ["json"])),
        file=file,
        waits=verb == "wait",
    )


def _operation(client: Any, name: str) -> OperationModel:
    found = {xform_name(each, "-"): each for each in client.meta.service_model.operation_names}
    if name not in found:
        raise UnknownCommandError(f"{client.meta.service_model.service_name} has no operation {name}.")
    model: OperationModel = client.meta.service_model.operation_model(found[name])
    return model


def _waited(client: Any, name: str) -> str:
    operation: str = client.get_waiter(name.replace("-", "_")).config.operation
    return operation


def _options(words: Sequence[str], *, streams: bool) -> tuple[dict[str, list[str]], str]:
    options: dict[str, list[str]] = {}
    current: list[str] | None = None
    rest = list(words)
    # An operation with a body writes it to the file that is named last.
    file = rest.pop() if streams and rest and not rest[-1].startswith("--") else ""
    for word in rest:
        if re.fullmatch(r"--[a-z][a-z0-9-]+", word):
            current = options.setdefault(word, [])
        elif current is None:
            raise UnknownCommandError(f"{word} belongs to no option.")
        else:
            current.append(word)
    return options, file


def _value(shape: Shape, values: list[str], *, negative: bool) -> Any:
    if shape.type_name == "boolean":
        return not negative
    if shape.type_name == "list":
        if len(values) == 1 and values[0].startswith("["):
            return json.loads(values[0])
        return values
    (text,) = values
    if text.startswith("file://"):
        text = Path(text.removeprefix("file://")).read_text(encoding="utf-8")
    if shape.type_name in _NUMBERS:
        return _NUMBERS[shape.type_name](text)
    if shape.type_name in {"map", "structure"}:
        return json.loads(text)
    return text


def shown(reply: Any, *, query: str, output: str) -> str:
    """Return what the CLI prints of a reply."""
    found = jmespath.search(query, reply) if query else reply
    if output != "text":
        return json.dumps(found, default=str, indent=4)
    rows = found if isinstance(found, list) and any(isinstance(row, list) for row in found) else [found]
    return "\n".join("\t".join(map(_word, row)) if isinstance(row, list) else _word(row) for row in rows)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return "\t".join(map(_word, value.values()))
    return "None" if value is None else str(value)


def main() -> int:
    """Run one command, and print what the CLI would."""
    command = parsed(sys.argv[1:])
    client = boto3.client(command.service)
    method = command.operation.replace("-", "_")
    if command.waits:
        client.get_waiter(method).wait(**command.parameters)
        return 0
    reply = getattr(client, method)(**command.parameters)
    if command.file:
        Path(command.file).write_bytes(reply.pop("Body").read())
    reply.pop("ResponseMetadata", None)
    print(shown(reply, query=command.query, output=command.output))  # noqa: T201 - a command line prints
    return 0


if __name__ == "__main__":
    sys.exit(main())
