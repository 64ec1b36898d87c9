"""The stage that is examined: what it is to be, what is deployed of it, and the ways to reach both."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagegen.models.registry import ModelRef
from imagegen.settings import Settings
from operating.doctor.callers import Caller
from operating.doctor.finding import Finding
from operating.doctor.identity import Identity
from stacks.stage import LOCAL_STAGE, StageConfig, stack_name
from tools.failures import LocalError

if TYPE_CHECKING:
    import httpx

Clients = Callable[[str, str], Any]
"""Makes the client of an AWS service in a region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What follows from a stage's settings: its models, and how many functions run at once for queued images.

    `queue` images are made at once, never fewer than `least_queue`, and each takes about `seconds_an_image`. The worker
    needs `beside` executions more. The stage reserves `reserved` executions, 0 if it reserves none, and Lambda keeps
    `kept` for functions without a reservation.
    """

    models: Sequence[ModelRef]
    queue: int
    beside: int
    reserved: int
    kept: int
    least_queue: int
    seconds_an_image: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What is deployed of a stage, and where its service is reached."""

    status: str
    api_url: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    settings: Settings | None = None
    """What the functions were told; None if it could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One stage, as the checks are given it.

    `words` are the overrides that the operator gave as CONFIG. `profile` names the operator's AWS profile, and
    `from_variables` says that the credentials stand in variables of the shell instead. `web` sends requests to the
    service, and fetches presigned URLs. `address` is the base URL of the service if it is another one than the stack
    says. `deployed` is None before the first deployment, and `caller` if the operator gave no key.
    """

    stage: str
    config: StageConfig
    region: str
    plan: Plan
    clients: Clients
    web: httpx.Client
    words: str = ""
    profile: str = ""
    from_variables: bool = False
    address: str = ""
    identity: Identity = field(default_factory=Identity)
    deployed: Deployed | None = None
    caller: Caller | None = None
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)

    @property
    def is_local(self) -> bool:
        """Whether it is the service on this machine."""
        return self.stage == LOCAL_STAGE

    @property
    def stack(self) -> str:
        """The name of the stage's stack."""
        return stack_name(self.stage)

    @property
    def service(self) -> Deployed:
        """What is deployed; only checks that run after a deployment ask for it.

        Raises:
            LocalError: nothing is.
        """
        if self.deployed is None:
            raise LocalError("The stage is not deployed.")
        return self.deployed

    def client(self, service: str, region: str = "") -> Any:
        """Return a client in the stage's region, or in another one."""
        return self.clients(service, region or self.region)

    def again(self, **variables: str) -> str:
        """Return the command that runs this examination again."""
        return self._make("doctor", self.words, **variables)

    def deploy(self, *changes: str) -> str:
        """Return the command that deploys the stage, with changes of its settings such as `url_ttl=60`."""
        changed = {change.partition("=")[0] for change in changes}
        kept = [word for word in self.words.split() if word.partition("=")[0] not in changed]
        words = " ".join([*kept, *changes])
        if self.is_local:
            return f"make up{_variable('CONFIG', words)}"
        return self._make("deploy", words)

    def make(self, target: str, **variables: str) -> str:
        """Return the command of a target of make for this stage."""
        return self._make(target, "", **variables)

    def aws(self, command: str, *, region: str = "") -> str:
        """Return a command of the AWS command line, in the stage's region or in another one."""
        return f"aws {command} --region {region or self.region}"

    def _make(self, target: str, words: str, **variables: str) -> str:
        given = "".join(_variable(name, value) for name, value in variables.items())
        return f"make {target}{_variable('STAGE', self.stage)}{_variable('CONFIG', words)}{given}"


Check = Callable[[Examined], Iterator[Finding]]


def _variable(name: str, value: str) -> str:
    return f" {name}={shlex.quote(value)}" if value else ""
