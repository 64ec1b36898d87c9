"""The settings of the stand-in, at its start and while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from local.bedrock.catalogue import MODELS, Model
from local.bedrock.rules import IN_WORDS, RuleError

_KEYS: Final = ("alive", "retired", "aliases", "latency", "instant")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the stand-in behaves when no rule says otherwise.

    Attributes:
        alive: Models that answer although Bedrock has retired them.
        retired: Models that answer that they are retired although they are not.
        aliases: Identifier (an ARN, say) to the id of the base model behind it.
        latency: Seconds that the model takes.
        instant: Paint one picture for each size, and answer every request of that size with it.
    """

    alive: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    latency: float = 0.0
    instant: bool = False

    def __post_init__(self) -> None:
        """Refuse ids of unknown models; raises RuleError with a sentence."""
        for model_id in (*self.alive, *self.retired, *self.aliases.values()):
            if model_id not in MODELS:
                raise RuleError(f"{model_id} is not a model of the stand-in: {', '.join(MODELS)}.")
        for model_id in (*self.alive, *self.aliases.values()):
            if MODELS[model_id].dialect is None:
                raise RuleError(f"The stand-in does not speak the dialect of {model_id}.")
        if self.latency < 0:
            raise RuleError("latency must not be negative.")

    def is_live(self, model: Model) -> bool:
        """Say whether the model answers with pictures."""
        if model.id in self.retired:
            return False
        return model.id in self.alive or not model.end_of_life

    def changed(self, values: Mapping[str, Any]) -> "Settings":
        """Return the settings with members of a control request; raises RuleError."""
        for key in values:
            if key not in _KEYS:
                raise RuleError(f"There is no setting {key}; there are {', '.join(_KEYS)} and rules.")
        alive, retired = _ids(values, "alive"), _ids(values, "retired")
        # The later word wins: a revived model is no longer retired, and the other way round.
        return replace(
            self,
            alive=(self.alive | alive) - retired,
            retired=(self.retired | retired) - alive,
            aliases={**self.aliases, **_aliases(values.get("aliases", {}))},
            latency=float(_typed(values, "latency", (int, float), self.latency)),
            instant=bool(_typed(values, "instant", (bool,), self.instant)),
        )

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return {
            "alive": sorted(self.alive),
            "retired": sorted(self.retired),
            "aliases": dict(self.aliases),
            "latency": self.latency,
            "instant": self.instant,
        }


def _typed(values: Mapping[str, Any], key: str, types: tuple[type, ...], default: Any) -> Any:
    value = values.get(key, default)
    # Not isinstance, to which true is an integer.
    if type(value) not in types:
        raise RuleError(f"{key} must be {IN_WORDS[types[-1]]}.")
    return value


def _ids(values: Mapping[str, Any], key: str) -> frozenset[str]:
    ids = values.get(key, [])
    if not isinstance(ids, list) or not all(isinstance(item, str) for item in ids):
        raise RuleError(f"{key} must be a list of model ids.")
    return frozenset(ids)


def _aliases(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise RuleError("aliases must be an object from identifier to model id.")
    return value
