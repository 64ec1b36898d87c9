"""The picture of the architecture shows the template as it is."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from docsite.diagram import BOXES, PICTURE, picture
from docsite.template_graph import Arrow, graph_of
from tools.failures import LocalError

if TYPE_CHECKING:
    from tests.support.synthesis import Synthesized


@pytest.fixture
def template(prod: Synthesized) -> dict[str, Any]:
    """Return a copy of the template of `prod`, to be changed."""
    return copy.deepcopy(prod.template)


def properties(template: dict[str, Any], kind: str, *, named: str = "") -> dict[str, Any]:
    """Return the properties of the only such resource."""
    (found,) = (
        resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind and named in name
    )
    assert isinstance(found, dict)
    return found


def test_the_committed_picture_is_that_of_the_template(prod: Synthesized) -> None:
    """If it is not, `make diagram` renews it."""
    assert PICTURE.read_text(encoding="utf-8") == picture(prod.template)


def test_the_arrows_are_the_rights_and_events_of_the_stack(prod: Synthesized) -> None:
    """The whole list, as `stacks/` grants and connects it."""
    assert {(arrow.source, arrow.target, arrow.does) for arrow in graph_of(prod.template).arrows} == {
        ("HttpRestApi", "HttpAuthorizerFunction", "asks"),
        ("HttpAuthorizerFunction", "HttpKeysTable", "reads"),
        ("HttpRestApi", "ApiFunction", "invokes"),
        ("ApiFunction", "GenerationsTable", "queries, reads, writes"),
        ("ApiFunction", "ImagesBucket", "deletes, reads, writes"),
        ("ApiFunction", "Bedrock", "invokes"),
        ("ApiFunction", "JobsQueue", "sends"),
        ("WorkerFunction", "GenerationsTable", "queries, reads, writes"),
        ("WorkerFunction", "ImagesBucket", "deletes, reads, writes"),
        ("WorkerFunction", "Bedrock", "invokes"),
        ("WorkerFunction", "JobsQueue", "sends"),
        ("WorkerFunction", "JobsCallBacks", "sends"),
        ("WorkerFunction", "WebhooksSecret", "reads"),
        ("WorkerSweep", "WorkerFunction", "invokes at rate(1 minute)"),
        ("JobsQueue", "WorkerFunction", "invokes"),
        ("JobsDeadLetters", "WorkerFunction", "invokes"),
        ("JobsCallBacks", "WorkerFunction", "invokes"),
        ("JobsQueue", "JobsDeadLetters", "after 50 receipts"),
        ("JobsCallBacks", "JobsDeadCallBacks", "after 50 receipts"),
    }


def test_every_arrow_and_every_box_is_in_the_picture(prod: Synthesized) -> None:
    """One arrow more leads from the clients to the API; no two boxes cover each other."""
    drawn = PICTURE.read_text(encoding="utf-8")
    assert drawn.count('<path class="arrow"') == len(graph_of(prod.template).arrows) + 1
    assert set(re.findall(r'class="title"[^>]*>([^<]+)<', drawn)) == {box.title for box in BOXES.values()}
    boxes = list(BOXES.values())
    assert [
        (one.title, other.title)
        for one in boxes
        for other in boxes
        if one is not other
        and one.x < other.right
        and other.x < one.right
        and one.y < other.bottom
        and other.y < one.bottom
    ] == []


def test_one_more_right_is_one_more_word(template: dict[str, Any]) -> None:
    """The picture of before no longer fits."""
    statements = properties(template, "AWS::IAM::Policy", named="AuthorizerRole")["PolicyDocument"][
        "Statement"
    ]
    (keys,) = (one for one in statements if one["Sid"] == "ReadKeys")
    keys["Action"] = ["dynamodb:GetItem", "dynamodb:PutItem"]
    assert (
        Arrow(source="HttpAuthorizerFunction", target="HttpKeysTable", does="reads, writes")
        in graph_of(template).arrows
    )
    assert picture(template) != PICTURE.read_text(encoding="utf-8")


def test_a_resource_without_a_place_is_refused(template: dict[str, Any]) -> None:
    """Its type may be known or not."""
    template["Resources"]["Second0A1B2C3D"] = {"Type": "AWS::S3::Bucket"}
    with pytest.raises(LocalError, match=r"no place for \['Second'\]"):
        picture(template)
    template["Resources"]["Third"] = {"Type": "AWS::Kinesis::Stream"}
    with pytest.raises(LocalError, match="does not know AWS::Kinesis::Stream"):
        picture(template)


def test_a_right_without_a_word_is_refused(template: dict[str, Any]) -> None:
    """It would be missing in the picture."""
    statements = properties(template, "AWS::IAM::Policy", named="AuthorizerRole")["PolicyDocument"][
        "Statement"
    ]
    statements[1]["Action"] = "dynamodb:Scan"
    with pytest.raises(LocalError, match="no word for dynamodb:Scan"):
        graph_of(template)


def test_a_right_to_receive_needs_an_event_source(template: dict[str, Any]) -> None:
    """Otherwise the arrow would say what does not happen."""
    source = next(name for name in template["Resources"] if name.startswith("WorkerCallBackSource"))
    del template["Resources"][source]
    with pytest.raises(LocalError, match=r"may receive from .*JobsCallBacks"):
        graph_of(template)


def test_the_picture_follows_the_readers_colours_and_loads_nothing() -> None:
    """It has its own background, so it can be read on a page of any colour."""
    drawn = PICTURE.read_text(encoding="utf-8")
    assert "@media (prefers-color-scheme: dark)" in drawn
    assert '<rect class="card"' in drawn
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]
