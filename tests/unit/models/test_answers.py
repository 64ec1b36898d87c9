"""Each recorded answer gives an image with its seed, or an exact error whose sentence quotes nothing."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from imagegen.errors import BadModelResponse, ContentFiltered
from imagegen.generations.png import png_size
from imagegen.models import sdxl, stable_image
from imagegen.models.dialect import Artifact, Dialect

ANSWERS = Path(__file__).parents[2] / "data" / "answers"
DIALECTS = {"sdxl": sdxl.DIALECT, "stable_image": stable_image.CORE}
SENT_SEED = 99
PIXELS = "iVBORw0KGgo="

SUCCESSES = {
    "sdxl/success": 3407,
    "sdxl/success_seed_zero": SENT_SEED,
    "sdxl/success_finished_reason": 3407,
    "stable_image/success": 3407,
    "stable_image/success_seed_zero": SENT_SEED,
}
FILTERED = {
    "sdxl/content_filtered": "(finish reason CONTENT_FILTERED, seed 3407)",
    "sdxl/content_filtered_error_result": "(finish reason CONTENT_FILTERED, seed 3407)",
    "sdxl/invalid_prompts": "(finish reason invalid_prompts, seed 99)",
    "stable_image/filtered_prompt": "(finish reason Filter reason: prompt, seed 99)",
    "stable_image/filtered_output_image": "(finish reason Filter reason: output image, seed 3407)",
    "stable_image/filtered_input_image": "(finish reason Filter reason: input image, seed 99)",
    "stable_image/filtered_unknown_reason": "(finish reason Filter reason, seed 99)",
    "stable_image/filtered_with_image": "(finish reason Filter reason: output image, seed 3407)",
}
BAD = {
    "sdxl/error": "The model finished without success.",
    "sdxl/unknown_error": "The model's answer does not say that it succeeded.",
    "sdxl/no_artifacts": "The model's answer has no artifacts.",
    "stable_image/inference_error": "The model's answer says that inference failed.",
    "stable_image/no_images": "The model's answer has no images.",
}


def _read(name: str) -> tuple[Artifact, ...]:
    dialect = DIALECTS[name.partition("/")[0]]
    return dialect.artifacts((ANSWERS / f"{name}.json").read_bytes(), seed=SENT_SEED)


def _sdxl(**members: Any) -> bytes:
    artifact = {"seed": 5, "base64": PIXELS, "finishReason": "SUCCESS", **members}
    return json.dumps({"result": "success", "artifacts": [artifact]}).encode()


def _stable_image(**members: Any) -> bytes:
    return json.dumps({"seeds": [5], "finish_reasons": [None], "images": [PIXELS], **members}).encode()


@pytest.mark.parametrize(("name", "seed"), SUCCESSES.items())
def test_a_success_is_one_png_and_the_seed_that_drew_it(name: str, seed: int) -> None:
    """The image is decoded; an answer with the seed 0 gets the seed that was sent."""
    (artifact,) = _read(name)
    assert png_size(artifact.image) == (2, 1)
    assert artifact.seed == seed


@pytest.mark.parametrize(("name", "reported"), FILTERED.items())
def test_a_filtered_answer_reports_reason_and_seed(name: str, reported: str) -> None:
    """Every form of a filtered answer gives `content_filtered`, and its blurred image is dropped."""
    with pytest.raises(ContentFiltered) as caught:
        _read(name)
    assert caught.value.detail == f"The model's content filter stopped the image {reported}."


@pytest.mark.parametrize(("name", "sentence"), BAD.items())
def test_a_failed_answer_is_a_bad_model_response(name: str, sentence: str) -> None:
    """An answer with status 200 that reports a failure, or has no image, is an error."""
    with pytest.raises(BadModelResponse) as caught:
        _read(name)
    assert caught.value.detail == sentence


def test_every_recorded_answer_is_in_the_tables() -> None:
    """Whoever adds a recorded answer also says here what it means."""
    recorded = {f"{path.parent.name}/{path.stem}" for path in ANSWERS.glob("*/*.json")}
    assert recorded == {*SUCCESSES, *FILTERED, *BAD}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sdxl/invalid_prompts", "Invalid prompts detected"),
        ("sdxl/unknown_error", "engine_failure"),
        ("sdxl/unknown_error", "Something failed"),
        ("stable_image/filtered_unknown_reason", "something new"),
    ],
)
def test_no_sentence_quotes_what_the_model_wrote(name: str, text: str) -> None:
    """A model's free text may repeat the prompt."""
    assert text in (ANSWERS / f"{name}.json").read_text()
    with pytest.raises((ContentFiltered, BadModelResponse)) as caught:
        _read(name)
    assert text not in f"{caught.value}{caught.value.errors}"


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_without_a_sent_seed_a_filtered_answer_names_none(dialect: Dialect) -> None:
    """The sentence leaves the seed out, because the answer has none and none was sent."""
    answer = b'{"result": "error", "name": "invalid_prompts", "finish_reasons": ["Filter reason: prompt"]}'
    with pytest.raises(ContentFiltered) as caught:
        dialect.artifacts(answer)
    assert "seed" not in caught.value.detail


@pytest.mark.parametrize("reported", [0, -1, 4294967296, True, 5.0, "5", None, [5], 10**400])
def test_a_seed_that_is_none_of_the_contract_is_the_one_that_was_sent(reported: object) -> None:
    """The service reports a seed that can be sent again, whatever the model returns."""
    (from_sdxl,) = sdxl.artifacts(_sdxl(seed=reported), seed=SENT_SEED)
    (from_stable_image,) = stable_image.artifacts(_stable_image(seeds=[reported]), seed=SENT_SEED)
    assert (from_sdxl.seed, from_stable_image.seed) == (SENT_SEED, SENT_SEED)


@pytest.mark.parametrize("reported", [1, 5, 4294967295])
def test_another_seed_than_the_one_sent_is_believed(reported: int) -> None:
    """The model knows which seed it used."""
    (from_sdxl,) = sdxl.artifacts(_sdxl(seed=reported), seed=SENT_SEED)
    (from_stable_image,) = stable_image.artifacts(_stable_image(seeds=[reported]), seed=SENT_SEED)
    assert (from_sdxl.seed, from_stable_image.seed) == (reported, reported)


@pytest.mark.parametrize("seeds", [None, [], {}, 5, "5"])
def test_an_image_without_a_list_of_seeds_is_kept(seeds: object) -> None:
    """A missing seed must not lose an image that is paid for."""
    (artifact,) = stable_image.artifacts(_stable_image(seeds=seeds), seed=SENT_SEED)
    assert artifact.seed == SENT_SEED


def test_several_images_keep_their_order_and_seeds() -> None:
    """The dialect returns all images; its caller decides what to do with more than one."""
    two = stable_image.artifacts(
        _stable_image(images=[PIXELS, "AAAA"], seeds=[5, 6], finish_reasons=[None, None]), seed=SENT_SEED
    )
    assert [artifact.seed for artifact in two] == [5, 6]
    assert two[1].image == b"\x00\x00\x00"


def test_one_filtered_image_among_several_is_filtered() -> None:
    """One blurred image makes the whole answer `content_filtered`."""
    with pytest.raises(ContentFiltered):
        stable_image.artifacts(_stable_image(finish_reasons=[None, "Filter reason: output image"]))


@pytest.mark.parametrize(
    "image",
    [
        "",
        "AA",
        "AAA",
        "AAAA=",
        "AA=A",
        "AAAA AAAA",
        "AAAA\n",
        "AAA-",
        "AAA_",
        "☃",
        "\x00cut",  # the mark that replaces an image that was cut out of the JSON
        5,
        None,
        ["AAAA"],
        {},
        True,
    ],
)
def test_an_image_that_is_not_strict_base64_is_refused(image: object) -> None:
    """A lenient decoder would return other bytes than the model sent."""
    with pytest.raises(BadModelResponse):
        sdxl.artifacts(_sdxl(base64=image))
    with pytest.raises(BadModelResponse):
        stable_image.artifacts(_stable_image(images=[image]))


@pytest.mark.parametrize("reason", ["success", "ERROR", "", None, 0, True, ["SUCCESS"]])
def test_sdxl_has_succeeded_only_with_the_word_success(reason: object) -> None:
    """An unknown finish reason counts as a failure."""
    with pytest.raises(BadModelResponse):
        sdxl.artifacts(_sdxl(finishReason=reason))


@pytest.mark.parametrize(
    "reasons", ["Inference error", ["Inference error"], [""], [0], [False], {}, ["SUCCESS"]]
)
def test_stable_image_has_succeeded_only_without_a_reason(reasons: object) -> None:
    """An unknown finish reason counts as a failure."""
    with pytest.raises(BadModelResponse):
        stable_image.artifacts(_stable_image(finish_reasons=reasons))


def test_a_filter_reason_outside_a_list_is_read_too() -> None:
    """A bare string counts as a list of one reason."""
    with pytest.raises(ContentFiltered):
        stable_image.artifacts(_stable_image(finish_reasons="Filter reason: prompt"))


@pytest.mark.parametrize("result", ["error", "SUCCESS", None, 1])
def test_an_sdxl_answer_that_does_not_say_success_is_refused(result: object) -> None:
    """The member `result` must say success, and so must the artifact's own finish reason."""
    answer = {"result": result, "artifacts": [{"seed": 5, "base64": PIXELS, "finishReason": "SUCCESS"}]}
    with pytest.raises(BadModelResponse):
        sdxl.artifacts(json.dumps(answer).encode())


def test_a_success_is_not_filtered_for_a_name_beside_it() -> None:
    """`name` tells the kind of an error, so it means nothing in a success."""
    answer = json.loads(_sdxl()) | {"name": "invalid_prompts"}
    assert len(sdxl.artifacts(json.dumps(answer).encode())) == 1


@pytest.mark.parametrize("artifacts", [None, {}, "text", [], ["text"], [None], [[]], 5])
def test_artifacts_that_are_no_list_of_objects_are_refused(artifacts: object) -> None:
    """Any other JSON type gives `bad_model_response` and no other exception."""
    with pytest.raises(BadModelResponse):
        sdxl.artifacts(json.dumps({"result": "success", "artifacts": artifacts}).encode())


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_an_image_of_three_megabytes_is_read_whole(dialect: Dialect) -> None:
    """SDXL is not known to return a larger PNG."""
    text = "AAAA" * 1_048_576
    answer = _sdxl(base64=text) if dialect.name == "sdxl" else _stable_image(images=[text])
    (artifact,) = dialect.artifacts(answer)
    assert len(artifact.image) == 3_145_728


@pytest.mark.parametrize(
    "answer",
    [
        rb'{"result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"AA\/A"}]}',
        rb'{"result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"\u0041A/A"}]}',
        b'{"result" : "success" , "artifacts" : [ { "base64" :\n"AA/A" , "finishReason" : "SUCCESS" } ] }',
        b'{"artifacts":[{"base64":"BBBB","base64":"AA/A","finishReason":"SUCCESS"}],"result":"success"}',
        b'{"images":["BBBB"],"artifacts":[{"base64":"AA/A","finishReason":"SUCCESS"}],"result":"success"}',
        rb'{"note":"\"base64\": \"BBBB","artifacts":[{"base64":"AA/A","finishReason":"SUCCESS"}],"result":"success"}',
        rb'{"\"base64":"BBBB","artifacts":[{"base64":"AA/A","finishReason":"SUCCESS"}],"result":"success"}',
        '{"result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"AA/A"}]}'.encode("utf-16"),
    ],
)
def test_the_image_is_the_one_that_json_would_read(answer: bytes) -> None:
    """Spelling, order and look-alike members do not lead to another image."""
    (artifact,) = sdxl.artifacts(answer)
    assert artifact.image == b"\x00\x0f\xc0"


# Chinese characters whose bytes in UTF-16 are the opening of a member with an image, and that image.
LOOK_ALIKE = b' "base64": "BBBB" '.decode("utf-16-le")


@pytest.mark.parametrize(
    "answer",
    [
        rb'{"result":"success","x\"base64":"BBBB","artifacts":[{"finishReason":"SUCCESS","base64":"\u0000cut"}]}',
        rb'{"artifacts":[{"finishReason":"SUCCESS","base64":"\u0000cut"}],"images":["BBBB"],"result":"success"}',
        rb'{"images":["BBBB"],"artifacts":[{"finishReason":"SUCCESS","base64":"\u0000\u0063ut"}],"result":"success"}',
        '{"note":"LOOK_ALIKE","result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"\\u0000cut"}]}'.replace(
            "LOOK_ALIKE", LOOK_ALIKE
        ).encode("utf-16-le"),
    ],
)
def test_an_answer_that_holds_the_mark_of_an_image_does_not_get_that_image(answer: bytes) -> None:
    """The mark that stands for an image that was cut out is no base64, so as part of an answer it is refused."""
    with pytest.raises(BadModelResponse):
        sdxl.artifacts(answer)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_characters_that_look_like_an_image_in_another_encoding_cost_no_image(encoding: str) -> None:
    """Their bytes stay where they are, so the whole answer can be read."""
    text = f'{{"note":"{LOOK_ALIKE}","result":"success","artifacts":[{{"finishReason":"SUCCESS","base64":"AA/A"}}]}}'
    (artifact,) = sdxl.artifacts(text.encode(encoding))
    assert artifact.image == b"\x00\x0f\xc0"


@pytest.mark.parametrize(
    "answer",
    [
        b'{"result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"AAAA',
        b'{"result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"AAAA"',
        b'{"result":"success","artifacts":[{"finishReason":"SUCCESS","base64":"',
        b'{"seeds":[1],"finish_reasons":[null],"images":["AAAA',
        b'{"seeds":[1],"finish_reasons":[null],"images":["AAAA"',
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_cut_answer_is_refused(dialect: Dialect, answer: bytes) -> None:
    """A part of an image is refused."""
    with pytest.raises(BadModelResponse):
        dialect.artifacts(answer)


@pytest.mark.parametrize(
    "values",
    [b"[],", b"{},", b"0,", b'"",', b'{"":{}},'],
    ids=["lists", "objects", "numbers", "texts", "nested"],
)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_an_answer_of_many_values_takes_no_more_memory_than_a_function_has(
    dialect: Dialect, values: bytes
) -> None:
    """The largest answer, parsed as it is, would take 25 times its own length."""
    answer = b'{"result":"success","images":[' + values * (29_700_000 // len(values)) + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(BadModelResponse):
            dialect.artifacts(answer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(answer)


def test_an_answer_may_hold_as_many_values_as_a_model_needs() -> None:
    """A model may add members of its own, and their texts may have commas."""
    extra = {"note": "a, b, [c], {d}, " * 1_000, "more": [[number] for number in range(10_000)]}
    answer = json.dumps({**json.loads(_sdxl(base64=PIXELS)), **extra}).encode()
    assert len(sdxl.artifacts(answer)) == 1


@pytest.mark.parametrize("spaces", [b" ", b"\n", b"\t "])
def test_spaces_in_an_answer_may_stand_wherever_json_allows_them(spaces: bytes) -> None:
    """However many there are; that no number of them takes long is a test of all regular expressions."""
    many = spaces * 40_000
    answer = b'{"images"' + many + b":" + many + b"[" + many + b'"' + PIXELS.encode() + b'"' + many + b"]}"
    (artifact,) = stable_image.artifacts(answer)
    assert artifact.image.startswith(b"\x89PNG")
    with pytest.raises(BadModelResponse):
        stable_image.artifacts(b'{"images":' + many + b"}")


def test_an_artifact_does_not_print_its_image() -> None:
    """Log lines and tracebacks that show an artifact do not contain the image's bytes."""
    assert "secret" not in repr(Artifact(image=b"secret", seed=5))
