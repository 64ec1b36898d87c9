"""What a batch has done, in a file beside its pictures, so that a second run goes on and pays for nothing twice.

The first line names the batch; each further line says how one picture ended. A line is appended after its picture is in
place. If a run dies in between, the next run asks again with the same key, which brings the same picture at no cost.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from imagegen_client.command_line.batch_input import Item
from imagegen_client.command_line.making import slug
from imagegen_client.command_line.reading import Unreadable, json_of
from imagegen_client.errors import InvalidConfiguration

NAME: Final = ".imagegen-batch.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A picture of the batch: its key, its file within the folder, its generation, and US dollars."""

    key: str
    file: str
    id: str
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One picture of the batch, with the key under which it is asked for.

    `name` tells the item from all others of the batch, whichever key it has. `done` is None if the picture is not
    there.
    """

    item: Item
    name: str
    key: str
    file: str
    done: Done | None


class State:
    """The file of one output folder."""

    def __init__(self, path: Path, *, batch: str, records: Sequence[dict[str, Any]]) -> None:
        self._path = path
        self._batch = batch
        self.done: dict[str, Done] = {}
        self._lost: dict[str, float] = {}
        self._attempts: dict[str, int] = {}
        for each in records:
            if _has(each, key=str, file=str, id=str, cost_usd=float):
                self.done[each["key"]] = Done(**each)
            elif _has(each, lost=str, cost_usd=float):
                self._lost[each["lost"]] = each["cost_usd"]
            elif _has(each, name=str, attempt=int):
                self._attempts[each["name"]] = each["attempt"]

    @classmethod
    def open(cls, folder: Path, *, url: str) -> State:
        """Read the state of a folder, or begin one for this service.

        Raises:
            InvalidConfiguration: The file is damaged, or belongs to a batch of another service.
            OSError: The file cannot be read or made.
        """
        path = folder / NAME
        url = url.rstrip("/")
        if not path.exists():
            _begin(path, {"batch": secrets.token_hex(16), "url": url})
        head, *records = _members(path)
        if not isinstance(head.get("batch"), str):
            raise InvalidConfiguration(f"{path} is damaged. Choose another output folder with -o.")
        if head.get("url") != url:
            # The keys mean nothing to another service, so everything would be made and paid for once more.
            raise InvalidConfiguration(
                f"{folder} has a batch of another service, {head.get('url')}. Choose another output folder with -o."
            )
        return cls(path, batch=head["batch"], records=records)

    def plan(self, items: Sequence[Item]) -> list[Planned]:
        """Give each item its key and its file.

        A key is made from the batch, the line's content, and how many equal lines stand before it. So lines can be
        added or moved between two runs, and those that were there keep their pictures.
        """
        seen: dict[str, int] = {}
        taken = {each.file for each in self.done.values()}
        planned = []
        for item in items:
            content = item.content()
            # Not the line's number, see docs/decisions/0092-a-batch-keeps-its-keys.md.
            place = seen[content] = seen.get(content, -1) + 1
            name = _digest(self._batch, str(place), content)
            key = self._key(name)
            done = self.done.get(key)
            file = done.file if done else _free(item, key, taken)
            taken.add(file)
            is_there = done is not None and (self._path.parent / file).is_file()
            planned.append(Planned(item=item, name=name, key=key, file=file, done=done if is_there else None))
        return planned

    def add(self, done: Done) -> None:
        """Write down that a picture is in place."""
        self.done[done.key] = done
        self._append(asdict(done))

    def lose(self, planned: Planned, cost_usd: float) -> float:
        """Write down what a failure may have cost, and return what had not been counted before."""
        before = self.cost_usd
        if self._lost.get(planned.key) != cost_usd:
            self._lost[planned.key] = cost_usd
            self._append({"lost": planned.key, "cost_usd": cost_usd})
        return self.cost_usd - before

    def renewed(self, planned: Planned) -> Planned:
        """Return the same picture under a new key, which a later run uses as well."""
        self._attempts[planned.name] = self._attempts.get(planned.name, 0) + 1
        self._append({"name": planned.name, "attempt": self._attempts[planned.name]})
        return replace(planned, key=self._key(planned.name))

    @property
    def cost_usd(self) -> float:
        """What the whole batch may have cost, in US dollars: its pictures, and its paid failures.

        A key is paid once. If a failure was followed by the picture, only the picture counts.
        """
        return sum({**self._lost, **{key: each.cost_usd for key, each in self.done.items()}}.values())

    def _key(self, name: str) -> str:
        attempt = self._attempts.get(name, 0)
        return _digest(name, str(attempt))[:48]

    def _append(self, members: dict[str, Any]) -> None:
        # The line break in front ends a line that a dying run left half written.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(members)}\n")


def _has(record: dict[str, Any], **members: type[Any]) -> bool:
    """Whether a record has exactly these members, of these types; a damaged disk may have changed any of it."""
    return record.keys() == members.keys() and all(
        isinstance(record[name], (int, float) if kind is float else kind) for name, kind in members.items()
    )


def _free(item: Item, key: str, taken: set[str]) -> str:
    """Return the name of a new file; if another picture of the batch has it, the key makes it different."""
    name = f"{item.line:04}-{slug(item.request.prompts()[0].text)}{item.request.suffix}"
    path = Path(item.output or name)
    return str(path) if str(path) not in taken else str(distinct(path, key))


def distinct(path: Path, key: str) -> Path:
    """Return a name that no other picture has."""
    return path.with_name(f"{path.stem}-{key[:8]}{path.suffix}")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _begin(path: Path, head: dict[str, str]) -> None:
    """Make the file in one step. Of two runs that begin at once, one names the batch, and both use that name."""
    part = path.with_name(f"{NAME}.{secrets.token_hex(8)}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(part)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _members(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file; a line that is half written is left out, but the first."""
    first, *others = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found: list[dict[str, Any]] = [_object(first)]
    return [*found, *(members for each in others if (members := _object(each)))]


def _object(line: str) -> dict[str, Any]:
    with suppress(Unreadable):
        members = json_of(line)
        if isinstance(members, dict):
            return members
    return {}
