"""Calls the models of a deployment in their order: decides which one may serve, and when a call may be repeated.

A call is repeated only after a failure that is certainly unbilled and will pass, and only while enough time is left for
one whole call and for storing its image.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from imagegen.contracts.generation_request import GenerationRequest
from imagegen.errors import (
    BadModelResponse,
    FieldError,
    ImagegenError,
    Misconfigured,
    ModelRetired,
    ModelThrottled,
    ModelUnavailable,
    UnknownModel,
    UnsupportedParameter,
)
from imagegen.generations.ports import Clock, Deadline, ModelRuntime, Observer, Randomness
from imagegen.generations.retry import MODEL_BACKOFF
from imagegen.models.dialect import Artifact, Translation, Translator
from imagegen.models.registry import ModelRef

STORE_RESERVE: Final = 5.0
"""Seconds kept for storing the image, after the longest call."""

# In practice the deadline ends the tries: a function has 15 seconds besides the longest call and the storing.
_MAX_TRIES: Final = 50
ASK_AGAIN_AFTER: Final = timedelta(seconds=20)
"""A retired model is asked again after this time, if nothing better is left: the answer may have been wrong."""
LASTS: Final = timedelta(minutes=10)
"""A model that has certainly ended is passed over for this time, as long as another one serves."""
_LONGEST_WAIT: Final = 60
"""In seconds: what passes later than this is not waited for in a request."""

RETRY_AFTER: Final = 5
"""In seconds: when a client may repeat a request that the model did not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelImage:
    """The image as a model's answer held it: its bytes, its seed, and the parameters that the model ignored."""

    ref: ModelRef
    content: bytes = field(repr=False)
    seed: int
    ignored: tuple[str, ...]
    seconds: float
    """How long the call took that made it, without the calls before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retirement:
    """When a model was said to have ended, and whether the vendor's own words make that certain."""

    at: datetime
    lasting: bool

    @property
    def due(self) -> datetime:
        """When it is asked again if no other model is left."""
        return self.at + ASK_AGAIN_AFTER

    @property
    def over(self) -> datetime:
        """When it is asked in its turn, as if nothing had been said."""
        return self.at + (LASTS if self.lasting else ASK_AGAIN_AFTER)


@dataclass(kw_only=True)
class ModelCaller:
    """Calls the deployment's models; `model_timeout` is the longest time in seconds that one call takes."""

    refs: Sequence[ModelRef]
    runtime: ModelRuntime
    clock: Clock
    randomness: Randomness
    observer: Observer
    model_timeout: float
    _retired: dict[tuple[str, str], _Retirement] = field(default_factory=dict, init=False)

    def price(self, request: GenerationRequest) -> int:
        """Return the price of the dearest model that may serve a request, in micro-dollars.

        A request that no model could serve is refused, before anything is recorded.

        Raises:
            UnknownModel: the pinned model is not enabled here.
            ModelRetired: no model that may serve it is alive.
            UnsupportedParameter: no model that may serve it can honour it exactly, or its prompts are too long.
        """
        refusal: UnsupportedParameter | None = None
        prices = []
        living, due = self._in_turn(request)
        if not living and not due:
            # As in `call`, which could not serve it either.
            raise self._all_retired(request, asked=())
        for ref in living or due:
            try:
                self._translate(ref, request)
            except UnsupportedParameter as exc:
                # Refused only if every model refuses: one that can honour the request is enough.
                refusal = refusal or exc
            else:
                prices.append(_price(ref, request))
        if refusal is not None and not prices:
            raise refusal
        return max(prices)

    def dearest(self) -> int:
        """Return the highest price of an image that any model makes, with the most steps, in micro-dollars."""
        return max(ref.model.price.highest_micro_usd for ref in self.refs)

    def price_of(self, model: str | None, request: GenerationRequest) -> int | None:
        """Return the price of one model, in micro-dollars; None if it is not among the deployment's any more."""
        return next((_price(ref, request) for ref in self.refs if ref.id == model), None)

    def call(
        self,
        request: GenerationRequest,
        deadline: Deadline,
        *,
        at_most: int | None = None,
        asks_all: bool = False,
    ) -> ModelImage:
        """Return the image that the first available model makes, of those that cost `at_most` micro-dollars.

        With `asks_all` no model counts as retired because of an earlier request: a job can wait for the answers, and
        nobody repeats it.

        Raises:
            ModelRetired: no model that may serve the request is alive; unbilled.
            Misconfigured: those that are alive cost more than `at_most`; unbilled.
            UnsupportedParameter: those that are alive cannot honour it; unbilled.
            ImagegenError: the errors of the adapter and the dialect; each says whether the call may have been paid.
        """
        # Whichever model is available first serves: see docs/decisions/0002-keep-the-contract-not-the-model.md.
        retired: ModelRetired | None = None
        refusal: UnsupportedParameter | Misconfigured | None = None
        asked: list[ModelRef] = []
        living, due = self._in_turn(request, asks_all=asks_all)
        for ref in (*living, *due):
            if refusal is not None and ref in due:
                # A model is alive that does not take this request. One that is said to have ended is no better.
                break
            try:
                translation = self._prepare(ref, request, at_most=at_most)
            except (UnsupportedParameter, Misconfigured) as exc:
                # As in `price`: one model that can serve is enough, wherever it stands in the list. If all that were
                # asked have ended, what one that ended before could not do either is not the reason.
                if ref in living or not asked:
                    refusal = refusal or exc
                continue
            asked.append(ref)
            try:
                answer, seconds = self._invoke(ref, translation, deadline)
                artifact = _only(ref, answer, translation)
            except ModelRetired as exc:
                # Remembered, so that it costs one unbilled call now and then, and not one for every request.
                lasting = exc.refusal is not None and exc.refusal.lasting
                now = self.clock.now()
                self._retired[ref.target, ref.region] = _Retirement(at=now, lasting=lasting)
                known = ref.lifecycle.status(now.date()) == "end_of_life"
                self.observer.model_retired(ref.id, known=known)
                retired = exc
                continue
            except ImagegenError as exc:
                raise replace(exc, model=ref.id) from exc.__cause__
            # The model may not report its seed. Without one nobody could make the image again.
            seed = artifact.seed or translation.seed
            return ModelImage(
                ref=ref, content=artifact.image, seed=seed, ignored=translation.ignored, seconds=seconds
            )
        if refusal is not None:
            raise refusal
        raise self._all_retired(request, asked=asked) from retired

    def ignored(self, model: str, request: GenerationRequest) -> tuple[str, ...]:
        """Return the parameters that a model could not honour, for an image found again."""
        for ref in self.refs:
            if ref.id == model and request.task.kind in ref.model.dialect.translators:
                return _translator(ref, request).translate(request.task).ignored
        return ()

    def _in_turn(
        self, request: GenerationRequest, *, asks_all: bool = False
    ) -> tuple[Sequence[ModelRef], Sequence[ModelRef]]:
        """Return the models that are taken for alive, and those to ask if all of these have ended, each in order."""
        now = self.clock.now()
        living: list[ModelRef] = []
        due: list[ModelRef] = []
        for ref in self._candidates(request):
            retirement = self._retired.get((ref.target, ref.region))
            if retirement is None or retirement.over <= now:
                living.append(ref)
            elif asks_all or retirement.due <= now:
                due.append(ref)
        return living, due

    def _candidates(self, request: GenerationRequest) -> Sequence[ModelRef]:
        able = [ref for ref in self.refs if request.task.kind in ref.model.dialect.translators]
        if not able:
            raise UnsupportedParameter("No model of this deployment can do this task.")
        if request.model is None:
            return able
        pinned = [ref for ref in able if ref.id == request.model]
        if pinned:
            return pinned
        enabled = ", ".join(ref.id for ref in able)
        raise UnknownModel(
            "The model is not enabled in this deployment.",
            errors=(FieldError(field="model", message=f"must be one of: {enabled}"),),
        )

    def _prepare(self, ref: ModelRef, request: GenerationRequest, *, at_most: int | None) -> Translation:
        translation = self._translate(ref, request)
        if at_most is not None and _price(ref, request) > at_most:
            # Nobody has reserved so much for it: it was not expected to serve when the request came.
            raise Misconfigured(
                "The models that are alive cost more than was reserved for this request; send it again."
            )
        return translation

    def _translate(self, ref: ModelRef, request: GenerationRequest) -> Translation:
        translation = _translator(ref, request).translate(request.task)
        lost = dict.fromkeys((*translation.ignored, *translation.approximated))
        if request.strict and lost:
            raise UnsupportedParameter(
                f"The model {ref.id} cannot honour the request exactly, and the request is strict.",
                errors=tuple(
                    FieldError(field=name, message=f"cannot be honoured exactly by {ref.id}") for name in lost
                ),
            )
        return translation

    def _invoke(self, ref: ModelRef, translation: Translation, deadline: Deadline) -> tuple[bytes, float]:
        """Return the answer, and how many seconds the call took that had it."""
        body = json.dumps(translation.body, ensure_ascii=False, separators=(",", ":")).encode()
        last: ImagegenError | None = None
        for tries in range(1, _MAX_TRIES + 1):
            # A call that the function's end cut off would be paid and have no image.
            if deadline.remaining() < self.model_timeout + STORE_RESERVE:
                break
            try:
                return self._invoke_once(ref, body)
            # These two are certainly unbilled and will pass: see docs/decisions/0040-one-request-for-one-call.md.
            except (ModelThrottled, ModelUnavailable) as exc:
                if (exc.retry_after or 0) > _LONGEST_WAIT:
                    raise
                last = exc
            self.observer.model_retried(ref.id, last.kind.code)
            self.clock.sleep(MODEL_BACKOFF.pause(tries, fraction=self.randomness.fraction()))
        raise last or ModelUnavailable("Too little time was left to call the model.", retry_after=RETRY_AFTER)

    def _invoke_once(self, ref: ModelRef, body: bytes) -> tuple[bytes, float]:
        began = self.clock.now()
        try:
            answer = self.runtime.invoke(ref, body)
        except ImagegenError as exc:
            if exc.refusal is not None:
                self.observer.model_refused(ref.id, exc)
            raise
        return answer, (self.clock.now() - began).total_seconds()

    def _all_retired(self, request: GenerationRequest, *, asked: Sequence[ModelRef]) -> ModelRetired:
        candidates = self._candidates(request)
        # A successor that the caller may use already is no help.
        named = dict.fromkeys(ref.lifecycle.successor for ref in candidates if ref.lifecycle.successor)
        successors = [id_ for id_ in named if id_ not in {ref.id for ref in candidates}]
        hint = f" The successor is {', '.join(successors)}." if successors else ""
        what = f"The model {request.model}" if request.model else "Every model of this deployment"
        sentence = f"{what} has been retired or is not available to this account.{hint}"
        remembered = [ref for ref in candidates if ref not in asked]
        if not remembered:
            return ModelRetired(sentence)
        # These were not asked for this request, and the next answer may be another one.
        again = min(self._retired[ref.target, ref.region].due for ref in remembered)
        seconds = max(1, math.ceil((again - self.clock.now()).total_seconds()))
        when = "a second" if seconds == 1 else f"{seconds} seconds"
        return ModelRetired(
            f"{sentence} The service asks again in {when}.", retryable=True, retry_after=seconds
        )


def _price(ref: ModelRef, request: GenerationRequest) -> int:
    return ref.model.price.micro_usd(request.task.parameters().get("steps"))


def _translator(ref: ModelRef, request: GenerationRequest) -> Translator:
    return ref.model.dialect.translators[request.task.kind]


def _only(ref: ModelRef, answer: bytes, translation: Translation) -> Artifact:
    """Return an answer's one image. There was an answer, so no error raised here may count as unbilled."""
    try:
        artifacts = ref.model.dialect.artifacts(answer, seed=translation.seed)
    except ImagegenError as exc:
        # The class of the error says that nothing was paid, but a model that answered has worked.
        if exc.kind.paid == "no":
            raise BadModelResponse("The model's answer cannot be read.") from exc
        raise
    if len(artifacts) != 1:
        raise BadModelResponse("The model answered with more than one image.")
    return artifacts[0]
