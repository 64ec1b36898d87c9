"""The dialect of SDXL 1.0, which is the contract itself. Bedrock-compatible SDXL endpoints speak it as well.

Request and answer follow the Bedrock user guide, "Diffusion 1.0 text to image".
"""

from __future__ import annotations

from typing import Any, Final

from imagegen.contracts.text_to_image.parameters import MAX_PROMPT_LENGTH, PARAMETERS, TextToImage
from imagegen.errors import BadModelResponse, FieldError, UnsupportedParameter
from imagegen.models.answers import Answer, filtered, seed_of
from imagegen.models.dialect import Artifact, Dialect, Translation, Translator, refuse_other_formats

OUTPUT_FORMATS: Final = ("png",)

PROMPT_FILTER: Final = "invalid_prompts"
"""The `name` of an answer without artifacts, when the filter refuses the prompt itself."""


def translate(request: TextToImage) -> Translation:
    """Return the task's own members, with the defaults of the contract.

    Raises:
        UnsupportedParameter: the file is not to be a PNG, or a prompt is longer than the contract allows, which
            other shapes let through.
    """
    refuse_other_formats(request.output_format, drawn=OUTPUT_FORMATS)
    _refuse_long(request)
    # An endpoint's own defaults may differ from the contract's, so they are spelled out. What has no default
    # (`sampler`, `style_preset`, `extras`, a preset of NONE) is left out: see docs/decisions/0020-translation.md.
    members = request.parameters()
    if request.clip_guidance_preset == "NONE":
        del members["clip_guidance_preset"]
    return Translation(body=members, seed=request.seed)


def _refuse_long(request: TextToImage) -> None:
    message = f"must have at most {MAX_PROMPT_LENGTH} characters for this model"
    found = tuple(
        FieldError(field=f"text_prompts[{index}].text", message=message)
        for index, prompt in enumerate(request.text_prompts)
        if len(prompt.text) > MAX_PROMPT_LENGTH
    )
    if found:
        raise UnsupportedParameter("A prompt is too long for the model.", errors=found)


def artifacts(answer: bytes, *, seed: int | None = None) -> tuple[Artifact, ...]:
    """Return the images of an answer; a filtered artifact's blurred image is discarded here.

    Raises:
        ContentFiltered: the prompt or the image was filtered.
        BadModelResponse: the answer is not of the contract, or says that an error occurred.
    """
    read = Answer.of(answer)
    members = read.members
    succeeded = members.get("result") == "success"
    # The filter of the prompt answers with status 200 and an error result; no other name is taken for a filter.
    if not succeeded and members.get("name") == PROMPT_FILTER:
        raise filtered(PROMPT_FILTER, seed=seed)
    found = members.get("artifacts")
    # Artifacts are read before the result is judged, because a filter counts in every form:
    # see docs/decisions/0021-reading-answers.md.
    images = tuple(_artifact(read, item, sent=seed) for item in found) if isinstance(found, list) else ()
    if not succeeded:
        raise BadModelResponse("The model's answer does not say that it succeeded.")
    if not images:
        raise BadModelResponse("The model's answer has no artifacts.")
    return images


def _artifact(answer: Answer, item: Any, *, sent: int | None) -> Artifact:
    if not isinstance(item, dict):
        raise BadModelResponse("An artifact of the model's answer is not an object.")
    seed = seed_of(item.get("seed"), sent=sent)
    # The guide's example and code say finishReason; its prose says finishedReason.
    reason = item.get("finishReason", item.get("finishedReason"))
    if reason == "CONTENT_FILTERED":
        raise filtered("CONTENT_FILTERED", seed=seed)
    if reason != "SUCCESS":
        raise BadModelResponse("The model finished without success.")
    return Artifact(image=answer.image(item.get("base64")), seed=seed)


DIALECT: Final = Dialect(
    name="sdxl",
    translators={
        TextToImage.kind: Translator(translate=translate, honours=PARAMETERS, output_formats=OUTPUT_FORMATS)
    },
    artifacts=artifacts,
)
