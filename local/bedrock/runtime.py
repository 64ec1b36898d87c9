"""Answers the calls of the Bedrock runtime; `wire.py` adds HTTP."""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Literal

from local.bedrock import event_stream
from local.bedrock.call_log import CallLog
from local.bedrock.catalogue import Meant, resolve
from local.bedrock.gallery import Gallery
from local.bedrock.picture_request import Dialect, Json, PictureRequest, parse, prompt_of
from local.bedrock.refusals import MAYBE_BILLED, RefusedError, account, invalid, legacy, retired
from local.bedrock.rules import Action, Call, RuleError, Rules
from local.bedrock.settings import Settings

LARGEST_BODY: Final = 25_000_000
_PART: Final = 64 * 1024

Delivery = Literal["whole", "cut", "stall", "hang", "close"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent for a call.

    Attributes:
        parts: The body, or the messages of a stream.
        delay: Seconds to wait first.
    """

    status: int = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)
    parts: tuple[bytes, ...] = ()
    stream: bool = False
    delay: float = 0.0
    delivery: Delivery = "whole"


@dataclass(frozen=True, kw_only=True)
class _Decision:
    answer: Answer
    outcome: str
    billed: bool = False
    painted: bool = False


@dataclass(frozen=True, kw_only=True)
class _ValidCall:
    """A valid request to a live model."""

    request: PictureRequest
    dialect: Dialect
    stream: bool
    action: Action
    delay: float
    instant: bool


class Runtime:
    """Answers calls by the catalogue, the rules and the settings, and records them."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._initial = settings
        self._settings = settings
        self._lock = threading.Lock()
        self.rules = Rules(clock=clock)
        self.call_log = CallLog()
        self._gallery = Gallery()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def configure(self, payload: Any) -> None:
        """Take a rule, a list of rules, or an object of settings and `rules`; raises RuleError."""
        if isinstance(payload, list):
            self.rules.add(payload)
            return
        if not isinstance(payload, dict):
            raise RuleError("Send a rule, a list of rules, or an object of settings and rules.")
        if "action" in payload:
            self.rules.add([payload])
            return
        if not payload:
            raise RuleError("The request names no rule and no setting.")
        rules = payload.get("rules", [])
        if not isinstance(rules, list):
            raise RuleError("rules must be a list.")
        with self._lock:
            changed = self._settings.changed({key: item for key, item in payload.items() if key != "rules"})
            self.rules.add(rules)
            self._settings = changed

    def reset(self) -> None:
        """Go back to the settings of the start, without rules and with an empty call log."""
        with self._lock:
            self._settings = self._initial
        self.rules.clear()
        self.call_log.clear()

    def invoke(self, *, model_id: str, body: bytes, stream: bool, region: str = "") -> Answer:
        """Return the answer to InvokeModel or InvokeModelWithResponseStream."""
        settings = self._settings
        prompt = prompt_of(body)
        try:
            meant = resolve(model_id, aliases=settings.aliases, speaks_sdxl=b'"text_prompts"' in body)
            unknown = None
        except RefusedError as refused:
            # Raised only after the call is in the log.
            meant, unknown = None, refused
        # Recorded before it is answered, because a call that hangs was made as well.
        number = self.call_log.open(
            model_id=model_id,
            model=meant.model.id if meant else "",
            prompt=prompt,
            stream=stream,
            region=region,
            body=_shown(body),
        )
        try:
            # A refusal of an unknown model is recorded like any other.
            if meant is None:
                raise unknown or invalid("")
            decision = self._decide(meant, model_id=model_id, body=body, prompt=prompt, stream=stream)
        except RefusedError as refused:
            decision = _refusal(refused)
        self.call_log.close(
            number, outcome=decision.outcome, billed=decision.billed, painted=decision.painted
        )
        return decision.answer

    def _decide(self, meant: Meant, *, model_id: str, body: bytes, prompt: str, stream: bool) -> _Decision:
        settings = self._settings
        live = meant.own or settings.is_live(meant.model)
        call = Call(model_id=model_id, base_id=meant.model.id, prompt=prompt, stream=stream, live=live)
        verdict = self.rules.decide(call)
        action = verdict.action or Action(type="success")
        # Before the check for retirement, because a rule that names a retired model decides.
        if before := _before_the_model(action):
            return replace(before, answer=replace(before.answer, delay=verdict.delay))
        if not live or meant.model.dialect is None:
            raise retired()
        if len(body) > LARGEST_BODY:
            raise invalid(f"The body is longer than {LARGEST_BODY} bytes.")
        valid = _ValidCall(
            request=meant.model.dialect.read(parse(body)),
            dialect=meant.model.dialect,
            stream=stream,
            action=action,
            delay=verdict.delay + settings.latency,
            instant=settings.instant,
        )
        return self._answered(valid)

    def _answered(self, call: _ValidCall) -> _Decision:
        began = time.monotonic()
        action = call.action
        body = json.dumps(self._document(call)).encode()
        if action.type == "malformed":
            body = action.text("body", body[: len(body) // 2].decode()).encode()
        spent = int(1000 * (call.delay + time.monotonic() - began))
        headers = {"Content-Type": "application/json", "x-amzn-bedrock-invocation-latency": str(spent)}
        delivery: Delivery = "whole"
        if action.type == "cut":
            delivery = "cut"
        elif action.type == "stall":
            delivery = "stall"
        answer = Answer(headers=headers, parts=(body,), delay=call.delay, delivery=delivery)
        return _Decision(
            answer=_streamed(answer, body, action) if call.stream else answer,
            outcome=action.type,
            billed=True,
            painted=action.type in {"success", "zero_seed"},
        )

    def _document(self, call: _ValidCall) -> Json:
        request, dialect, action = call.request, call.dialect, call.action
        match action.type:
            case "prompt_filter":
                text = action.text("message", "Your request was flagged by our content moderation system.")
                return dialect.prompt_filtered(message=text)
            case "failed":
                return dialect.failed(seed=request.seed)
            case "empty":
                return dialect.empty()
            case "filtered":
                image = self._gallery.picture(request, blurred=True, instant=call.instant)
                return dialect.filtered(
                    seed=request.seed, image=image, reason=action.text("reason", "prompt")
                )
        seed = 0 if action.type == "zero_seed" else request.seed
        return dialect.success(seed=seed, image=self._image(call))

    def _image(self, call: _ValidCall) -> str:
        request, action = call.request, call.action
        if action.type == "wrong_size":
            wrong = replace(request, width=action.whole("width", 512), height=action.whole("height", 512))
            return self._gallery.picture(wrong)
        image = self._gallery.picture(request, instant=call.instant)
        match action.type:
            case "bad_base64":
                return image[:1000] + "*" + image[1001:]
            case "truncated_png":
                raw = base64.b64decode(image)
                return base64.b64encode(raw[: len(raw) // 2]).decode("ascii")
            case "not_png":
                return self._not_png(call)
        return image

    def _not_png(self, call: _ValidCall) -> str:
        if call.action.text("content", "jpeg") == "text":
            return base64.b64encode(b"This is not a picture.").decode("ascii")
        return self._gallery.picture(replace(call.request, output_format="jpeg"), instant=call.instant)


def error_answer(refused: RefusedError) -> Answer:
    """Return the wire form of a modelled error."""
    return Answer(
        status=refused.status,
        headers={"Content-Type": "application/json", "x-amzn-errortype": refused.name},
        parts=(json.dumps({"message": refused.message}).encode(),),
    )


def _refusal(refused: RefusedError) -> _Decision:
    return _Decision(answer=error_answer(refused), outcome=refused.name, billed=refused.name in MAYBE_BILLED)


def _before_the_model(action: Action) -> _Decision | None:
    decision = None
    match action.type:
        case "error":
            message, status = action.options.get("message"), action.options.get("status")
            decision = _refusal(RefusedError(action.text("name", ""), message, status=status))
        case "account":
            refused = account(action.text("reason", ""))
            # An account is looked at before the model is, also where the exception is one of a model that may have run.
            decision = _Decision(answer=error_answer(refused), outcome=refused.name, billed=False)
        case "retired":
            decision = _refusal(retired())
        case "legacy":
            decision = _refusal(legacy())
        # Nobody can know whether a call without an answer was paid, so a careful caller counts it as paid.
        case "hang":
            decision = _Decision(answer=Answer(delivery="hang"), outcome="hang", billed=True)
        case "close":
            decision = _Decision(answer=Answer(delivery="close"), outcome="close", billed=True)
        case "status":
            decision = _bare_status(action)
    return decision


def _bare_status(action: Action) -> _Decision:
    status = action.whole("status", HTTPStatus.BAD_GATEWAY)
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n</html>"
    answer = Answer(
        status=status, headers={"Content-Type": "text/html"}, parts=(action.text("body", page).encode(),)
    )
    return _Decision(
        answer=answer, outcome=f"status {status}", billed=status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _streamed(answer: Answer, body: bytes, action: Action) -> Answer:
    parts = [event_stream.chunk(body[start : start + _PART]) for start in range(0, len(body), _PART)]
    if action.type == "stream_error":
        parts = parts[: action.whole("after", 1)]
        name = action.text("name", "modelStreamErrorException")
        parts.append(event_stream.failure(name, action.text("message", "The stream was interrupted.")))
    headers = {
        **answer.headers,
        "Content-Type": event_stream.CONTENT_TYPE,
        "x-amzn-bedrock-content-type": "application/json",
    }
    return replace(answer, headers=headers, parts=tuple(parts), stream=True)


def _shown(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body[:1000].decode("utf-8", "replace")
