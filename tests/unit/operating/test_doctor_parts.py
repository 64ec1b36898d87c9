"""Parts of `make doctor` alone: the proof's repeats, names of quotas, rights, and the signature of a request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx
import pytest
from botocore.credentials import Credentials

from imagegen.models.registry import resolve
from operating.doctor.callers import WithSignature
from operating.doctor.examined import Deployed, Examined
from operating.doctor.finding import Finding
from operating.doctor.identity import Identity
from operating.doctor.preflights import SOME_PAGE, preflights
from operating.doctor.proof import TRIES, announcement, proof
from operating.doctor.quotas import quota_of
from operating.doctor.refusals import grant
from stacks.cdk_json import stages_of
from stacks.stage import load_stage
from tests.support.doctor import (
    ACCOUNT,
    CORE,
    KEY,
    NOW,
    REGION,
    URL,
    WORDS,
    Far,
    Kept,
    generation,
    plan,
    quota,
    variables,
    web_replies,
)
from tools.checkout import CHECKOUT

STREET: Final = "On-demand model inference requests per minute for"
CREATE: Final = "POST /v1/text-to-image"
STILL_RUNNING: Final = httpx.Response(504, json={"code": "model_timeout", "detail": "It runs on."})
IN_PROGRESS: Final = httpx.Response(409, json={"code": "in_progress", "detail": "It runs on."})
CUT_OFF: Final = httpx.ReadError("Connection reset by peer")
FAILED: Final = httpx.Response(
    502,
    json={"code": "outcome_unknown", "detail": "Nobody knows."},
    headers={"idempotent-replayed": "true"},
)
MADE: Final = httpx.Response(200, json=generation())


@dataclass
class Script:
    """A service that replies to requests for an image in this order; everything else is well."""

    replies: list[httpx.Response | Exception]
    keys: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def reply(self, request: httpx.Request) -> httpx.Response:
        """Reply to one request."""
        if request.method != "POST":
            reply = web_replies()[f"{request.method} {request.url.path}"]
        else:
            self.keys.append(request.headers["idempotency-key"])
            reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def prove(self) -> list[Finding]:
        """Make the paid image."""
        with httpx.Client(transport=httpx.MockTransport(self.reply)) as web:
            return list(proof(examined(web=web), pause=self.pauses.append))


def examined(*, web: httpx.Client | None = None, words: str = WORDS, **members: Any) -> Examined:
    """Return a deployed stage; no AWS client of it can be used."""
    config = load_stage(name="dev", stages=stages_of(CHECKOUT), overrides=words)
    return Examined(
        stage="dev",
        config=config,
        region=REGION,
        plan=plan(config),
        clients=lambda service, region: pytest.fail(f"{service} in {region} was asked"),
        web=web or httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500))),
        words=words,
        deployed=Deployed(status="UPDATE_COMPLETE", api_url=URL),
        caller=KEY,
        now=lambda: NOW,
        **members,
    )


@pytest.mark.parametrize(
    "before",
    [[], [STILL_RUNNING], [CUT_OFF, IN_PROGRESS], [STILL_RUNNING] * (TRIES - 1)],
    ids=["at once", "after a time-out", "after a lost connection", "at the last try"],
)
def test_the_proof_repeats_with_one_key_until_it_knows_how_it_ended(
    before: list[httpx.Response | Exception],
) -> None:
    """So one image is paid at most, whatever happens to the connection."""
    script = Script([*before, MADE])
    findings = script.prove()
    assert {finding.severity for finding in findings} == {"ok"}
    assert (len(script.keys), len(set(script.keys))) == (len(before) + 1, 1)
    assert len(script.pauses) == len(before)


def test_two_proofs_make_two_images() -> None:
    """The second one shall not be told of the first one's outcome."""
    first, second = Script([MADE]), Script([MADE])
    first.prove()
    second.prove()
    assert first.keys != second.keys


def test_a_recorded_failure_is_not_repeated() -> None:
    """The same key would be told the same for ever."""
    script = Script([STILL_RUNNING, FAILED])
    (finding,) = script.prove()
    assert finding.sentence == "No image was made: 502 outcome_unknown Nobody knows."
    assert script.replies == []


def test_the_proof_does_not_wait_for_ever() -> None:
    """After its last try it says what it knows."""
    script = Script([STILL_RUNNING] * (TRIES + 1))
    (finding,) = script.prove()
    assert (finding.severity, len(script.replies)) == ("problem", 1)


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
def test_a_service_that_cannot_be_reached_is_not_waited_for(error: Exception) -> None:
    """Nothing was sent, so nothing is under way."""
    script = Script([error, MADE])
    with pytest.raises(type(error)):
        script.prove()
    assert (script.replies, script.pauses) == ([MADE], [])


def test_a_connection_that_is_lost_every_time_is_the_callers_to_explain() -> None:
    """Whoever runs the check makes a finding of it."""
    script = Script([CUT_OFF] * TRIES)
    with pytest.raises(httpx.ReadError):
        script.prove()
    assert script.replies == []


@pytest.mark.parametrize(
    ("models", "price"),
    [
        (f"stability.stable-diffusion-xl-v1,{CORE}", "$0.04"),
        (f"{CORE},stability.stable-image-ultra-v1:1", "$0.14"),
    ],
)
def test_the_price_is_that_of_the_dearest_model_that_may_serve(models: str, price: str) -> None:
    """It is said before the image is made."""
    assert announcement(examined(words=f"models={models}")) == (
        f"The proof makes one image, which costs at most {price}."
    )
    kept = Kept()
    Far(words=f"models={models}").examine(report=kept, prove=True)
    assert kept.announced == [f"The proof makes one image, which costs at most {price}."]


def test_without_a_wish_nothing_is_announced_and_nothing_made() -> None:
    """The examination itself costs nothing."""
    kept, far = Kept(), Far()
    far.examine(report=kept)
    assert kept.announced == []
    assert "POST" not in {request.method for request in far.sent}


def test_the_mark_is_not_looked_for_where_none_is_made() -> None:
    """A stage may do without (`mark_images`)."""
    kept = Kept()
    Far(words="mark_images=false").examine(report=kept, prove=True)
    assert kept.findings[-1].sentence == "The stage does not mark its images (mark_images is false)."
    assert kept.findings[-1].severity == "skipped"


@pytest.mark.parametrize(
    ("names", "entry", "found"),
    [
        ([f"{STREET} Stability.ai Stable Image Core"], CORE, 0),
        (["On-demand InvokeModel requests per minute for Stable Image Core V1"], CORE, 0),
        ([f"{STREET} Stability.ai Stable Image Core 1.0", f"{STREET} Stable Image Core 1.1"], CORE, 1),
        ([f"{STREET} Stability AI Stable Diffusion 3.5 Large"], "stability.sd3-5-large-v1:0", 0),
        ([f"{STREET} Stable Image Ultra", f"{STREET} Stable Image Core Upscale"], CORE, None),
        (["Cross-region model inference requests per minute for Stable Image Core"], CORE, None),
        (
            [
                f"{STREET} Stable Image Core",
                "Cross-region model inference requests per minute for Stable Image Core",
            ],
            f"us.{CORE}",
            1,
        ),
        (["On-demand model inference tokens per minute for Stable Image Core"], CORE, None),
        (["Batch inference job size"], CORE, None),
    ],
)
def test_the_quota_of_a_model_is_found_by_its_name(names: list[str], entry: str, found: int | None) -> None:
    """Its code differs from model to model, and no page lists the codes."""
    quotas = [quota(name, 90, code=f"L-{number}") for number, name in enumerate(names)]
    chosen = quota_of(resolve(entry, region=REGION), quotas)
    assert chosen == (None if found is None else quotas[found])


@pytest.mark.parametrize(
    ("arn", "command"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/team/alice", "aws iam put-user-policy --user-name alice "),
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/Operator/alice",
            "aws iam put-role-policy --role-name Operator --policy-name imagegen-doctor-GetParameter ",
        ),
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Team_0123/alice",
            "aws iam list-attached-role-policies --role-name AWSReservedSSO_Team_0123",
        ),
        (f"arn:aws:iam::{ACCOUNT}:root", "aws sts get-caller-identity"),
        ("", "aws sts get-caller-identity"),
    ],
)
def test_a_right_is_given_to_whom_the_operator_is(arn: str, command: str) -> None:
    """The role of a permission set cannot be changed in the account."""
    identity = Identity(arn=arn, account=ACCOUNT)
    given = grant(replace(examined(), identity=identity), "ssm:GetParameter")
    assert given.startswith(command)


@pytest.mark.parametrize(
    ("configured", "asked"), [("*", SOME_PAGE), ("https://a.example", "https://a.example")]
)
def test_a_preflight_names_a_page(configured: str, asked: str) -> None:
    """A browser never sends a star."""
    sent: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return web_replies()["OPTIONS /v1/text-to-image"]  # type: ignore[return-value]  # it is a response

    with httpx.Client(transport=httpx.MockTransport(reply)) as web:
        (finding,) = preflights(examined(web=web, words=f"cors_origins={configured}"))
    assert (finding.severity, [request.headers["origin"] for request in sent]) == ("ok", [asked])


def test_a_stage_without_origins_is_asked_nothing() -> None:
    """It has no preflights."""
    (finding,) = preflights(examined(words=""))
    assert finding.sentence == "No page of another origin may call the service (cors_origins)."


def test_a_caller_with_aws_credentials_signs_each_request() -> None:
    """For the service, so the signature is worth nothing elsewhere."""
    caller = WithSignature(credentials=Credentials("AKIDEXAMPLE", "secret", "token"), region=REGION)
    headers = caller.headers("POST", f"{URL}/text-to-image", body=b"{}")
    assert f"/{REGION}/execute-api/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "token"
    assert "secret" not in str(headers)


def test_a_local_service_may_have_been_started_with_other_settings() -> None:
    """`make up` has a CONFIG of its own, so the functions say which origins were configured."""
    config = load_stage(name="local", stages=stages_of(CHECKOUT), overrides="cors_origins=https://a.example")
    reply = {"Environment": {"Variables": variables(config)}}
    far, kept = (
        Far(
            stage="local",
            words="",
            address="http://127.0.0.1:4566/v1",
            aws={"lambda.get_function_configuration": reply},
        ),
        Kept(),
    )
    assert far.examine(report=kept) == 0
    asked = [request.headers["origin"] for request in far.sent if request.method == "OPTIONS"]
    assert asked == ["https://a.example"]
