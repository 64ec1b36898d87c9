"""A program that starts the api function once and continues it three times, as Lambda does with a snapshot.

It copies itself by forks. A fork is not a restore: Python and OpenSSL notice it, and then draw new random numbers by
themselves. So each copy first goes back to the state of the snapshot, and what OpenSSL is given is written down.

It writes JSON lines: one `Report` of the start, one of each copy, and between them what the function logs.
"""

from __future__ import annotations

import json
import os
import random
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from botocore.credentials import ContainerMetadataFetcher
from botocore.retries.standard import ExponentialBackoff, RetryContext

from imagegen.adapters.system import SystemClock, SystemRandomness
from imagegen.generations.generation import ImageName, derive_id
from tests.support.events import Context, event

if TYPE_CHECKING:
    from imagegen.generations.ports import Ports

COPIES: Final = 3
Hook = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]
NETWORK: Final = ("socket.connect", "socket.getaddrinfo")
"""The events of Python's audit that stand for a connection."""
NAME: Final = ImageName(owner="owner", id=derive_id("owner", "key"), content_type="image/png")
LONG_AGO, IN_THE_FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a process asked for before the snapshot, or drew after it, without the hook and with it."""

    asked: list[str] = field(default_factory=list)
    drawn: Mapping[str, Any] = field(default_factory=dict)
    without_hook: Mapping[str, Any] = field(default_factory=dict)
    openssl: list[str] = field(default_factory=list)
    same_state: bool = True

    def write(self) -> None:
        """Write it as one line, at once, because a copy must not write it again."""
        sys.stdout.write(json.dumps({"report": asdict(self)}) + "\n")
        sys.stdout.flush()


class Hooks(ModuleType):
    """Stands in for the package of Lambda's hooks, which only Lambda has, and runs the hooks as Lambda does."""

    def __init__(self) -> None:
        super().__init__("snapshot_restore_py")
        self._before: list[Hook] = []
        self._after: list[Hook] = []

    def register_before_snapshot(self, hook: Callable[..., object], *args: Any, **kwargs: Any) -> object:
        """Keep a hook."""
        self._before.append((hook, args, kwargs))
        return hook

    def register_after_restore(self, hook: Callable[..., object], *args: Any, **kwargs: Any) -> object:
        """Keep a hook."""
        self._after.append((hook, args, kwargs))
        return hook

    def snapshot(self) -> None:
        """Run the hooks in the reverse order of their registration."""
        for hook, args, kwargs in reversed(self._before):
            hook(*args, **kwargs)

    def restore(self) -> None:
        """Run the hooks in the order of their registration."""
        for hook, args, kwargs in self._after:
            hook(*args, **kwargs)


class Watch:
    """Notes who asks for the time, for randomness, for credentials and for connections, and what OpenSSL is given."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given_to_openssl: list[str] = []
        self.restored = False
        for owner, names in (
            (SystemClock, ("now", "sleep")),
            (SystemRandomness, ("seed", "token", "fraction")),
        ):
            for name in names:
                self._note_calls(owner, name)
        sys.addaudithook(lambda name, _: self.asked.append(name) if name in NETWORK else None)
        add = ssl.RAND_add

        def note(given: bytes, entropy: float) -> None:
            self.given_to_openssl.append(given.hex())
            add(given, entropy)

        setattr(ssl, "RAND_add", note)  # noqa: B010 - mypy allows no assignment
        setattr(ContainerMetadataFetcher, "retrieve_full_uri", self._credentials)  # noqa: B010 - likewise

    def _note_calls(self, owner: type, name: str) -> None:
        function = getattr(owner, name)

        def noted(*args: Any) -> Any:
            self.asked.append(name)
            return function(*args)

        setattr(owner, name, noted)

    def _credentials(self, *_: Any, **__: Any) -> dict[str, str]:
        """Reply as Lambda's endpoint does; the credentials of the snapshot have expired when it is restored."""
        name = f"RESTORED{os.getpid()}" if self.restored else "SNAPSHOT"
        return {
            "AccessKeyId": name,
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": IN_THE_FUTURE if self.restored else LONG_AGO,
        }


def pause() -> float:
    """Return the SDK's pause before it sends a request for the fourth time."""
    context = RetryContext(attempt_number=3, operation_model=None, parsed_response={}, http_response=None)
    return float(ExponentialBackoff().delay_amount(context))


def draw(ports: Ports) -> dict[str, Any]:
    """Return what one request may draw."""
    token = ports.randomness.token()
    return {
        "seed": ports.randomness.seed(),
        "token": token,
        "fraction": ports.randomness.fraction(),
        "id": derive_id("owner", token),
        "pause": pause(),
        "url": ports.images.url(NAME).url,
    }


def main() -> None:
    """Start the function, and continue it in each copy."""
    sys.modules["snapshot_restore_py"] = hooks = Hooks()
    watch = Watch()
    before = random.getstate()
    from imagegen import api_handler  # noqa: PLC0415 - it starts the function

    hooks.snapshot()
    snapshot = random.getstate()
    Report(asked=list(watch.asked), same_state=snapshot == before).write()
    for _ in range(COPIES):
        if pid := os.fork():
            _, status = os.waitpid(pid, 0)
            if status:
                sys.exit("A copy has failed.")
            continue
        ports, watch.restored = api_handler.service.ports, True
        random.setstate(snapshot)
        without = draw(ports)
        random.setstate(snapshot)
        hooks.restore()
        Report(drawn=draw(ports), without_hook=without, openssl=watch.given_to_openssl).write()
        for _ in range(2):
            api_handler.lambda_handler(event("POST", "/text-to-image", {}), Context())  # type: ignore[arg-type]
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
