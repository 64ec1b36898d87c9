"""Draws `docs/architecture.svg` from the template of the stage `prod` (`make diagram`).

The arrows come from the template; only the places of the boxes, and the words in them, are chosen here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from docsite.template_graph import Arrow, Graph, graph_of
from tools.checkout import CHECKOUT
from tools.failures import LocalError

TEMPLATE: Final = CHECKOUT / "cdk.out" / "imagegen-prod.template.json"
PICTURE: Final = CHECKOUT / "docs" / "architecture.svg"
CLIENTS: Final = "Clients"
WIDTH, HEIGHT = 1116, 904
_SIDE: Final = 1076
"""Where an arrow goes down that would cross a box otherwise."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box of the picture: where it is, in pixels, what stands in it, and its colour."""

    x: int
    y: int
    title: str
    kind: str
    colour: str
    width: int = 208
    height: int = 64

    @property
    def right(self) -> int:
        """The x of its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The y of its bottom edge."""
        return self.y + self.height


_WIDE: Final = 988
BOXES: Final[Mapping[str, Box]] = {
    CLIENTS: Box(x=40, y=40, title="Clients", kind="programs, browsers", colour="outside"),
    "HttpRestApi": Box(x=300, y=40, title="API", kind="API Gateway", colour="gateway"),
    "HttpAuthorizerFunction": Box(x=560, y=40, title="authorizer", kind="AWS Lambda", colour="function"),
    "HttpKeysTable": Box(x=820, y=40, title="API keys", kind="DynamoDB table", colour="store"),
    "ApiFunction": Box(x=40, y=190, title="api function", kind="AWS Lambda", colour="function", width=_WIDE),
    "GenerationsTable": Box(x=40, y=350, title="generations", kind="DynamoDB table", colour="store"),
    "ImagesBucket": Box(x=300, y=350, title="images", kind="S3 bucket", colour="store"),
    "Bedrock": Box(x=560, y=350, title="models", kind="Amazon Bedrock", colour="outside"),
    "JobsQueue": Box(x=820, y=350, title="jobs", kind="SQS queue", colour="queue"),
    "WorkerFunction": Box(x=40, y=510, title="worker", kind="AWS Lambda", colour="function", width=_WIDE),
    "WorkerSweep": Box(x=40, y=670, title="sweep", kind="EventBridge rule", colour="gateway"),
    "WebhooksSecret": Box(x=300, y=670, title="webhook secret", kind="Secrets Manager", colour="store"),
    "JobsCallBacks": Box(x=560, y=670, title="call-backs", kind="SQS queue", colour="queue"),
    "JobsDeadLetters": Box(x=820, y=670, title="dead letters", kind="SQS queue", colour="queue"),
    "JobsDeadCallBacks": Box(x=560, y=800, title="dead call-backs", kind="SQS queue", colour="queue"),
}
HEAD: Final = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
    ' orient="auto-start-reverse"><path class="head" d="M0 0 10 5 0 10z"/></marker></defs>'
)
STYLE: Final = """
.card { fill: #ffffff; stroke: #d0d7de }
.box { stroke-width: 1.5 }
.outside { fill: #f6f8fa; stroke: #6e7781 }
.gateway { fill: #f3e8fd; stroke: #8250df }
.function { fill: #fff1e5; stroke: #bc4c00 }
.store { fill: #e6f4ea; stroke: #1a7f37 }
.queue { fill: #e7f1ff; stroke: #0969da }
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600; text-anchor: middle }
.kind { font-size: 13px; text-anchor: middle; fill: #57606a }
.label { font-size: 13px; fill: #57606a }
.end { text-anchor: end }
.middle { text-anchor: middle }
.arrow { fill: none; stroke: #57606a; stroke-width: 1.5; marker-end: url(#head) }
.head { fill: #57606a }
@media (prefers-color-scheme: dark) {
  .card { fill: #0d1117; stroke: #30363d }
  .outside { fill: #21262d; stroke: #8b949e }
  .gateway { fill: #2b1d44; stroke: #a371f7 }
  .function { fill: #3b2313; stroke: #f0883e }
  .store { fill: #12301c; stroke: #3fb950 }
  .queue { fill: #11294d; stroke: #58a6ff }
  text { fill: #e6edf3 }
  .kind, .label { fill: #adbac7 }
  .arrow { stroke: #adbac7 }
  .head { fill: #adbac7 }
}
"""


def picture(template: Mapping[str, Any]) -> str:
    """Draw the picture of a template, as SVG.

    Raises:
        LocalError: a resource has no box, or a box has no resource.
    """
    graph = graph_of(template)
    missing = sorted(set(graph.nodes) - set(BOXES))
    stale = sorted(set(BOXES) - set(graph.nodes) - {CLIENTS})
    if missing or stale:
        raise LocalError(
            f"BOXES of docsite/diagram.py has no place for {missing}, and a place for {stale}, which is not there."
        )
    arrows = [Arrow(source=CLIENTS, target=_api_of(graph), does="call"), *graph.arrows]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t">',
        '<title id="t">The resources of a stage, and who invokes, reads and writes whom</title>',
        f"<style>{STYLE}</style>",
        HEAD,
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="12"/>',
        *(line for arrow in arrows for line in _arrow(arrow, arrows)),
        *(line for box in BOXES.values() for line in _box(box)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Draw the picture of the template that `make synth STAGE=prod` has written."""
    PICTURE.write_text(picture(json.loads(TEMPLATE.read_text(encoding="utf-8"))), encoding="utf-8")


def _api_of(graph: Graph) -> str:
    (api,) = (name for name, kind in graph.nodes.items() if kind == "AWS::ApiGateway::RestApi")
    return api


def _box(box: Box) -> Iterator[str]:
    middle = box.x + box.width // 2
    yield (
        f'<rect class="box {box.colour}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>'
    )
    yield f'<text class="title" x="{middle}" y="{box.y + 28}">{escape(box.title)}</text>'
    yield f'<text class="kind" x="{middle}" y="{box.y + 48}">{escape(box.kind)}</text>'


def _arrow(arrow: Arrow, arrows: list[Arrow]) -> Iterator[str]:
    """Draw an arrow: down or up, to the right or left, or around what lies between."""
    source, target = BOXES[arrow.source], BOXES[arrow.target]
    both_ways = any((one.source, one.target) == (arrow.target, arrow.source) for one in arrows)
    left, right = max(source.x, target.x), min(source.right, target.right)
    above, below = (source, target) if source.y < target.y else (target, source)
    if source.y == target.y:
        yield from _across(source, target, arrow.does)
    elif left >= right or _is_between(above, below, left, right):
        yield from _around(source, target, arrow.does)
    else:
        x = (left + right) // 2
        if both_ways:
            x += 40 if arrow.source == _higher(arrow) else -40
        start, end = (source.bottom, target.y) if source is above else (source.y, target.bottom)
        yield f'<path class="arrow" d="M{x} {start}V{end}"/>'
        at_left = both_ways and arrow.source != _higher(arrow)
        yield (
            f'<text class="label{" end" if at_left else ""}" x="{x - 8 if at_left else x + 8}"'
            f' y="{(start + end) // 2 + 4}">{escape(arrow.does)}</text>'
        )


def _higher(arrow: Arrow) -> str:
    return arrow.source if BOXES[arrow.source].y < BOXES[arrow.target].y else arrow.target


def _is_between(above: Box, below: Box, left: int, right: int) -> bool:
    middle = (left + right) // 2
    return any(
        box.y > above.bottom and box.bottom < below.y and box.x < middle < box.right for box in BOXES.values()
    )


def _across(source: Box, target: Box, does: str) -> Iterator[str]:
    start, end = (source.right, target.x) if source.x < target.x else (source.x, target.right)
    y = source.y + source.height // 2
    yield f'<path class="arrow" d="M{start} {y}H{end}"/>'
    yield f'<text class="label middle" x="{(start + end) // 2}" y="{y - 8}">{escape(does)}</text>'


def _around(source: Box, target: Box, does: str) -> Iterator[str]:
    start, end = source.y + source.height // 2, target.y + target.height // 2
    yield f'<path class="arrow" d="M{source.right} {start}H{_SIDE}V{end}H{target.right}"/>'
    yield f'<text class="label end" x="{_SIDE - 8}" y="{end - 52}">{escape(does)}</text>'


if __name__ == "__main__":
    main()
