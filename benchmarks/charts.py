"""Draws the charts of `docs/performance.md` from a file of figures: `python -m benchmarks.charts FIGURES FOLDER`.

It needs matplotlib, which nothing else here needs. The text of a chart stays text, so that it can be
searched and compared.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

OWN, FLOOR = "#1f77b4", "#9aa5b1"
Figures = Mapping[str, Mapping[str, Any]]

START_UP: Final = (
    ("SDK alone", "start-up of sdk alone"),
    ("naive sample", "start-up of naive"),
    ("Powertools and pydantic", "start-up of powertools"),
    ("api", "start-up of api"),
    ("worker", "start-up of worker"),
    ("authorizer", "start-up of authorizer"),
)
WARM: Final = (
    ("signed by hand", "warm request, by hand"),
    ("naive sample", "warm request, naive"),
    ("Powertools and pydantic", "warm request, powertools"),
    ("api", "warm request, api"),
)
OURS: Final = frozenset({"api", "worker", "authorizer"})
PEAK: Final = "peak memory of {}, image of {} MB"
GROWN: Final = ": p95 of CPU time, "


def main(source: str, target: str) -> None:
    """Draw every chart."""
    # The same figures give the same file, and text stays text instead of outlines.
    mpl.rcParams.update({"svg.hashsalt": "imagegen", "svg.fonttype": "none", "font.size": 9})
    figures: Figures = json.loads(Path(source).read_text(encoding="utf-8"))["figures"]
    folder = Path(target)
    _save(_bars(figures, START_UP, "CPU time from start to ready, ms"), folder / "performance-start-up.svg")
    _save(
        _bars(figures, WARM, "CPU time of one warm request with an image of 1.8 MB, ms"),
        folder / "performance-warm.svg",
    )
    _save(_memory(figures), folder / "performance-memory.svg")
    _save(_growth(figures), folder / "performance-growth.svg")


def _bars(figures: Figures, bars: Sequence[tuple[str, str]], title: str) -> Figure:
    figure = Figure(figsize=(7, 0.4 * len(bars) + 0.7))
    axes = figure.subplots()
    labels = [label for label, _ in bars]
    values = [figures[name]["value"] for _, name in bars]
    colours = [OWN if label in OURS else FLOOR for label in labels]
    drawn = axes.barh(labels, values, color=colours)
    axes.bar_label(drawn, [f"{value:.3g}" for value in values], padding=3)
    axes.invert_yaxis()
    axes.set_title(title, loc="left")
    _bare(axes)
    axes.set_xticks([])
    return figure


def _memory(figures: Figures) -> Figure:
    figure = Figure(figsize=(7, 3))
    axes = figure.subplots()
    # The numbers stand on the outer sides of the two lines.
    for name, label, colour, height in (("api", "api", OWN, -13), ("naive", "naive sample", FLOOR, 6)):
        head, tail = PEAK.format(name, "\0").split("\0")
        points = sorted(
            (float(key.removeprefix(head).removesuffix(tail)), members["value"])
            for key, members in figures.items()
            if key.startswith(head) and key.endswith(tail)
        )
        axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=label)
        for x, y in points:
            axes.annotate(f"{y:.0f}", (x, y), xytext=(0, height), textcoords="offset points", ha="center")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("size of the image, MB")
    axes.set_title("Most memory held, MB", loc="left")
    axes.legend(frameon=False)
    _bare(axes)
    return figure


def _growth(figures: Figures) -> Figure:
    found = {
        name.replace(GROWN, ", "): members["value"] for name, members in figures.items() if GROWN in name
    }
    figure = Figure(figsize=(7, 0.35 * len(found) + 0.9))
    axes = figure.subplots()
    drawn = axes.barh(list(found), list(found.values()), color=OWN)
    axes.bar_label(drawn, [f"{value:.2f}" for value in found.values()], padding=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlim(0, max((1.3, *found.values())) * 1.1)
    axes.set_title("p95 of the CPU time at the largest size over that at the smallest", loc="left")
    _bare(axes)
    return figure


def _bare(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, target: Path) -> None:
    # No date, so that the file stays the same; a white ground, because the page may be dark.
    figure.savefig(target, format="svg", bbox_inches="tight", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
