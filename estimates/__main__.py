"""`make cost` prints what a stage costs, `make scale` how far it goes; `make pages` renews the tables of the pages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from estimates import bill, costs_page, scale_page
from estimates.idle import idle
from estimates.limits import GOAL
from estimates.page_tables import renewed
from stacks.cdk_json import stages_of
from stacks.stage import (
    StageConfig,
    StageError,
    load_stage,
    monitoring_stack_name,
    playground_stack_name,
    stack_name,
)
from tools.checkout import CHECKOUT
from tools.failures import LocalError, in_one_line

ENVIRON: Final[Mapping[str, str]] = os.environ  # noqa: TID251 - where the operator's variables are
OUTPUT: Final = CHECKOUT / "cdk.out"
COST: Final = CHECKOUT / "docs" / "cost.md"
SCALE: Final = CHECKOUT / "docs" / "scale.md"


def main() -> int:
    """Run one command; print one sentence and return 1 for what the operator can put right."""
    commands = {"cost": _cost, "scale": _scale, "pages": _pages}
    chosen = commands.get(sys.argv[1] if len(sys.argv) == 2 else "")  # noqa: PLR2004 - one word
    if chosen is None:
        print(f"usage: python -m estimates {'|'.join(commands)}", file=sys.stderr)
        return 2
    try:
        chosen()
    except (LocalError, StageError) as error:
        print(in_one_line(error), file=sys.stderr)
        return 1
    return 0


def _cost() -> None:
    config = _stage()
    stack = stack_name(config.name)
    templates = [_template(path) for path in sorted(OUTPUT.glob(f"{stack}*.template.json"))]
    if not templates:
        raise LocalError(f"There is no template of {stack} in cdk.out: `make synth` writes it.")
    lines = idle(templates, memory_mb=config.memory_mb)
    model = bill.serving(config, today=costs_page.TODAY)
    print(f"Stage {config.name}, whose images {model.name} draws: list prices, without any free tier.\n")
    print(f"A month in which nobody uses it:\n\n{costs_page.idle(lines)}\n")
    print(f"Images:\n\n{costs_page.images(config)}\n")
    print(f"A month with images, one request for each:\n\n{costs_page.months(config, lines)}")


def _scale() -> None:
    config = _stage()
    print(f"Stage {config.name}, on the way to {GOAL:,} images a day.\n")
    print("\n\n".join(scale_page.tables(config).values()))


def _pages() -> None:
    config = _stage()
    tables = costs_page.tables(
        config,
        template=_template(OUTPUT / f"{stack_name(config.name)}.template.json"),
        playground=_template(OUTPUT / f"{playground_stack_name(config.name)}.template.json"),
        monitoring=_template(OUTPUT / f"{monitoring_stack_name(config.name)}.template.json"),
    )
    COST.write_text(renewed(COST.read_text(encoding="utf-8"), tables), encoding="utf-8")
    # The page about scale is about production.
    prod = load_stage(name="prod", stages=stages_of(CHECKOUT), overrides=None)
    text = SCALE.read_text(encoding="utf-8")
    SCALE.write_text(renewed(text, scale_page.tables(prod)), encoding="utf-8")


def _stage() -> StageConfig:
    words = " ".join(ENVIRON.get("CONFIG", "").split())
    return load_stage(name=ENVIRON.get("STAGE", "dev"), stages=stages_of(CHECKOUT), overrides=words or None)


def _template(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LocalError(f"There is no {path.relative_to(CHECKOUT)}: `make synth` writes it.") from None
    return found


if __name__ == "__main__":
    sys.exit(main())
