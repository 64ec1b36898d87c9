"""Fault rules: which calls a rule applies to, and what it does to them."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from local.bedrock.event_stream import STREAM_ERRORS
from local.bedrock.refusals import ACCOUNT, STATUS_OF, RefusedError

_TEXT: Final = (str,)
_WHOLE: Final = (int,)
_NUMBER: Final = (int, float)

# Every action with its options; docs/local.md has an example of each.
ACTIONS: Final[dict[str, dict[str, tuple[type, ...]]]] = {
    # Before the model.
    "error": {"name": _TEXT, "message": _TEXT, "status": _WHOLE},
    "status": {"status": _WHOLE, "body": _TEXT},
    "account": {"reason": _TEXT},
    "retired": {},
    "legacy": {},
    "rate_limit": {"per_second": _NUMBER, "burst": _NUMBER},
    "latency": {"seconds": _NUMBER},
    "hang": {},
    "close": {},
    # In the model's answer.
    "filtered": {"reason": _TEXT},
    "prompt_filter": {"message": _TEXT},
    "failed": {},
    "empty": {},
    "zero_seed": {},
    "malformed": {"body": _TEXT},
    "bad_base64": {},
    "not_png": {"content": _TEXT},
    "wrong_size": {"width": _WHOLE, "height": _WHOLE},
    "truncated_png": {},
    # On the way back.
    "cut": {},
    "stall": {},
    "stream_error": {"name": _TEXT, "message": _TEXT, "after": _WHOLE},
}
_REQUIRED: Final = {
    "error": ("name",),
    "status": ("status",),
    "account": ("reason",),
    "rate_limit": ("per_second",),
    "latency": ("seconds",),
}
_CHOICES: Final = {
    ("error", "name"): tuple(STATUS_OF),
    ("account", "reason"): tuple(ACCOUNT),
    ("stream_error", "name"): STREAM_ERRORS,
    ("not_png", "content"): ("jpeg", "text"),
    ("filtered", "reason"): ("prompt", "output image", "input image"),
}
IN_WORDS: Final[dict[type, str]] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
}
SMALLEST_SIDE: Final = 64
LARGEST_SIDE: Final = 2048


class RuleError(Exception):
    """A rule or setting cannot be used; the message is a sentence for whoever sent it."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """What happens to a call."""

    type: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: Any) -> "Action":
        """Return the action of a JSON value: `"hang"` or `{"type": "hang", …options}`; raises RuleError."""
        options = {"type": value} if isinstance(value, str) else value
        if not isinstance(options, dict) or options.get("type") not in ACTIONS:
            raise RuleError(f"action.type must be one of {', '.join(ACTIONS)}.")
        kind = options["type"]
        known = ACTIONS[kind]
        given = {key: item for key, item in options.items() if key != "type"}
        for key, item in given.items():
            if key not in known:
                raise RuleError(
                    f"The action {kind} has no option {key}; it has {', '.join(known) or 'none'}."
                )
            _check_option(kind, key, item, known[key])
        for key in _REQUIRED.get(kind, ()):
            if key not in given:
                raise RuleError(f"The action {kind} needs the option {key}.")
        return cls(type=kind, options=given)

    def text(self, key: str, default: str) -> str:
        """Return an option that is a string."""
        return str(self.options.get(key, default))

    def whole(self, key: str, default: int) -> int:
        """Return an option that is an integer."""
        return int(self.options.get(key, default))


@dataclass(frozen=True, kw_only=True)
class Call:
    """The parts of a call that a rule may look at."""

    model_id: str
    base_id: str
    prompt: str
    stream: bool
    live: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the rules decided: a wait, and at most one action after it."""

    delay: float = 0.0
    action: Action | None = None


class Rule:
    """A condition on calls, and an action for the calls that meet it.

    `call` counts the calls that met `model`, `prompt` and `stream`, from 1.
    """

    _KEYS: Final = ("model", "prompt", "stream", "call", "times", "probability", "seed", "action")

    def __init__(self, value: Any, *, clock: Callable[[], float]) -> None:
        if not isinstance(value, dict):
            raise RuleError("A rule is a JSON object with an action.")
        for key in value:
            if key not in self._KEYS:
                raise RuleError(f"A rule has no member {key}; it has {', '.join(self._KEYS)}.")
        if "action" not in value:
            raise RuleError("A rule needs an action.")
        self._source = dict(value)
        self.action = Action.parse(value["action"])
        self._model = _member(value, "model", _TEXT)
        self._prompt = _member(value, "prompt", _TEXT)
        self._stream = _member(value, "stream", (bool,))
        self._calls = _call_numbers(value.get("call"))
        self._times = _member(value, "times", _WHOLE)
        self._probability = _member(value, "probability", _NUMBER)
        self._random = random.Random(_member(value, "seed", _WHOLE) or 0)  # noqa: S311 - faults, not secrets
        self._bucket = _Bucket(self.action, clock) if self.action.type == "rate_limit" else None
        self.met = 0
        self.fired = 0

    def fires(self, call: Call) -> bool:
        """Count the call, and say whether the action is due."""
        if not self._meets(call):
            return False
        self.met += 1
        # Taken for every call that meets the rule, used or not, so that the n-th number belongs to the n-th call.
        number = self._random.random()
        if self._calls and self.met not in self._calls:
            return False
        if self._times is not None and self.fired >= self._times:
            return False
        if self._probability is not None and number >= self._probability:
            return False
        if self._bucket is not None and self._bucket.take():
            return False
        self.fired += 1
        return True

    def describe(self) -> dict[str, Any]:
        """Return the rule as it was given, with its counts."""
        return {**self._source, "met": self.met, "fired": self.fired}

    def _meets(self, call: Call) -> bool:
        if self._model is None:
            # A rule without a model leaves retired models alone, which still answer that they are retired.
            if not call.live:
                return False
        elif self._model not in {call.model_id, call.base_id}:
            return False
        if self._stream is not None and self._stream != call.stream:
            return False
        if self.action.type == "stream_error" and not call.stream:
            return False
        return self._prompt is None or self._prompt in call.prompt


class Rules:
    """The rules in force, in order; the first that fires decides, and latencies add up."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, values: list[Any]) -> None:
        """Append rules, all or none; raises RuleError."""
        # All are made before any is added, so that a bad one leaves none behind.
        rules = [Rule(value, clock=self._clock) for value in values]
        with self._lock:
            self._rules.extend(rules)

    def clear(self) -> None:
        """Drop every rule."""
        with self._lock:
            self._rules.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Return every rule with its counts."""
        with self._lock:
            return [rule.describe() for rule in self._rules]

    def decide(self, call: Call) -> Verdict:
        """Return what happens to the call; raises RefusedError when a rate limit refuses it."""
        delay = 0.0
        with self._lock:
            for rule in self._rules:
                if not rule.fires(call):
                    continue
                if rule.action.type == "rate_limit":
                    raise RefusedError("ThrottlingException")
                if rule.action.type != "latency":
                    return Verdict(delay=delay, action=rule.action)
                delay += float(rule.action.options["seconds"])
        return Verdict(delay=delay)


# Not thread-safe by itself; Rules uses it under its lock.
class _Bucket:
    """Tokens that refill at a rate, full at first."""

    def __init__(self, action: Action, clock: Callable[[], float]) -> None:
        self._rate = float(action.options["per_second"])
        self._capacity = float(action.options.get("burst", max(1.0, self._rate)))
        self._tokens = self._capacity
        self._clock = clock
        self._filled_at = clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _check_option(kind: str, key: str, value: Any, types: tuple[type, ...]) -> None:
    # Not isinstance, to which true is an integer.
    if type(value) not in types:
        raise RuleError(f"The option {key} of {kind} must be {IN_WORDS[types[-1]]}.")
    choices = _CHOICES.get((kind, key))
    if choices and value not in choices:
        raise RuleError(f"The option {key} of {kind} must be one of {', '.join(choices)}.")
    if kind == "wrong_size" and not SMALLEST_SIDE <= value <= LARGEST_SIDE:
        raise RuleError(f"The option {key} of wrong_size must be from {SMALLEST_SIDE} to {LARGEST_SIDE}.")
    if key == "status" and not 200 <= value <= 599:  # noqa: PLR2004 - what HTTP calls a final status
        raise RuleError(f"The option status of {kind} must be from 200 to 599.")
    if key in {"seconds", "per_second", "burst", "after"} and value < 0:
        raise RuleError(f"The option {key} of {kind} must not be negative.")


def _member(value: Mapping[str, Any], key: str, types: tuple[type, ...]) -> Any:
    item = value.get(key)
    if item is not None and type(item) not in types:
        raise RuleError(f"A rule's {key} must be {IN_WORDS[types[-1]]}.")
    return item


def _call_numbers(value: Any) -> frozenset[int]:
    numbers = value if isinstance(value, list) else [] if value is None else [value]
    if not all(type(number) is int and number >= 1 for number in numbers):
        raise RuleError("A rule's call must be an integer from 1, or a list of them.")
    return frozenset(numbers)
