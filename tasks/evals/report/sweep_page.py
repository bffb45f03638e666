"""A sweep as a plot, a table and a page: accuracy against what it costs, and the cells that no other beats."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ...console import make_folder
from .page import render, write_pieces, write_whole
from .svg import Plot, Tick, percent_ticks, round_ticks
from .sweep_labels import AWAY, Spot, labels
from .sweep_picture import draw_sweep
from .words import interval, percent, seconds

Json = Mapping[str, Any]
STYLE: Final = """
text{font:11px system-ui,sans-serif;fill:#5a6072}.said{fill:#171a24;font-weight:600}.grid{stroke:#dfe2ea;fill:none}
.axis{stroke:#5a6072;fill:none}.whisker{stroke:#171a24;opacity:.45;fill:none}.dot{fill:#fff;stroke:#4f46e5;stroke-width:2}
.best{fill:#12804a;stroke:#fff;stroke-width:1.5}.front{fill:none;stroke:#12804a;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#9aa1b5}.said{fill:#e8eaf2}.grid{stroke:#272c3a}.axis{stroke:#9aa1b5}
.whisker{stroke:#e8eaf2}.dot{fill:#161922;stroke:#9d97ff}.best{fill:#4fd08c;stroke:#161922}.front{stroke:#4fd08c}}
"""


def write_sweep(told: Json, out: Path) -> Path:
    """sweep.json, sweep.md, sweep.svg, sweep.png and sweep.html, of `sweep_json`. The page's path.

    `not_written` where they cannot be.
    """
    make_folder(out)
    write_whole(out / "sweep.json", (json.dumps(told, indent=2, allow_nan=False) + "\n").encode())
    write_whole(out / "sweep.md", sweep_markdown(told).encode("utf-8", "replace"))
    plot = sweep_plot(told)
    alone = plot.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{STYLE}</style>", 1
    )
    write_whole(out / "sweep.svg", alone.encode("utf-8", "replace"))
    draw_sweep(told, out / "sweep.png")
    page = out / "sweep.html"
    title, knobs = f"{told['suite']} - sweep", knobs_of(told["cells"])
    write_pieces(page, render("sweep.html", title=title, told=told, knobs=knobs, plot=_markup(plot)))
    return page


def sweep_plot(told: Json) -> str:
    """Accuracy with its 95 % interval against model seconds a sample; numbers are those of the table, where there is
    room."""
    cells = with_costs(told["cells"])
    costs = [each["cost_s"] for _, each in cells] or [1.0]
    low, high = accuracy_range(told["cells"])
    x_range, ticks, is_log = cost_scale(costs)
    plot = Plot(
        x_range=x_range,
        y_range=(low, high),
        x_ticks=ticks,
        y_ticks=percent_ticks(low, high),
        x_title="model seconds a sample, median",
        title="Accuracy against model seconds a sample",
        is_log_x=is_log,
        width=980,
        height=430,
    )
    plot.line(staircase(told["cells"]), "front")
    for number, each in cells:
        plot.whisker(each["cost_s"], *each["ci95"])
        said = f"{number}. {each['name']}: {percent(each['accuracy'])}, {seconds(each['cost_s'])} a sample"
        plot.dot(each["cost_s"], each["accuracy"], said, kind="best" if each["on_front"] else "dot", radius=6)
    at = dict(cells)
    spots = [Spot(n, plot.x(each["cost_s"]), plot.y(each["accuracy"]), each["on_front"]) for n, each in cells]
    for label in labels(spots):
        spot, each = label.spot, at[label.spot.number]
        anchor, right, up = ("end", -AWAY, spot.y - label.y) if label.is_left else ("start", AWAY, spot.y - label.y)
        plot.words(each["cost_s"], each["accuracy"], str(spot.number), anchor=anchor, up=up, right=right)
    return plot.svg()


def with_costs(cells: Sequence[Json]) -> list[tuple[int, Json]]:
    """Those that can be drawn, with their numbers in the table; the front comes last, and so lies on top."""
    known = [(number, each) for number, each in enumerate(cells, start=1) if each["cost_s"] is not None]
    return sorted(known, key=lambda each: each[1]["on_front"])


def sweep_markdown(told: Json) -> str:
    knobs = knobs_of(told["cells"])
    head = ("", *knobs, "accuracy", "95 %", "s a sample", "against 1", "p", "best")
    rows = [
        (
            str(number),
            *(each["settings"].get(knob, "").replace("|", "\\|") for knob in knobs),
            percent(each["accuracy"]),
            interval(each["ci95"]),
            "-" if each["cost_s"] is None else f"{each['cost_s']:.3g}",
            f"{100 * each['difference']:+.1f}" if number > 1 else "",
            f"{each['mcnemar_p']:.2g}" if number > 1 else "",
            "yes" if each["on_front"] else "",
        )
        for number, each in enumerate(told["cells"], start=1)
    ]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
    n = told["cells"][0]["n"] if told["cells"] else 0
    return (
        f"# {told['suite']}: a sweep\n\n{lines}\n\nAccuracy over {n:,} samples with its 95 % Wilson interval; seconds "
        'are the model\'s, the median of the samples. "Against 1": points of accuracy more than the first row, p by '
        "McNemar's exact test. Best: no other is as cheap and better, or as good and cheaper.\n\n![](sweep.svg)\n"
    )


def knobs_of(cells: Sequence[Json]) -> list[str]:
    """In the order of the grid; a cell may lack some."""
    by_length = sorted(cells, key=lambda each: -len(each["settings"]))
    return list(dict.fromkeys(knob for each in by_length for knob in each["settings"]))


def staircase(cells: Sequence[Json]) -> list[tuple[float, float]]:
    """The best accuracy that so many seconds buy."""
    best = sorted((each["cost_s"], each["accuracy"]) for each in cells if each["on_front"])
    found: list[tuple[float, float]] = []
    for cost_s, accuracy in best:
        found += [(cost_s, found[-1][1])] if found else []
        found.append((cost_s, accuracy))
    return found


def accuracy_range(cells: Sequence[Json]) -> tuple[float, float]:
    """Of the scale: all intervals, out to round tenths."""
    low = min((each["ci95"][0] for each in cells), default=0.0)
    high = max((each["ci95"][1] for each in cells), default=1.0)
    return max(0.0, math.floor(low * 10) / 10), min(1.0, math.ceil(high * 10) / 10)


def cost_scale(costs: Sequence[float]) -> tuple[tuple[float, float], list[Tick], bool]:
    """Ends, ticks, and whether it is logarithmic: where the dearest costs five times the cheapest, or more."""
    low, high = min(costs), max(costs)
    if low <= 0 or high / low < 5:
        end = (high or 1.0) * 1.15
        return (0.0, end), round_ticks(end), False
    ends = low / 1.3, high * 1.3
    decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
    places = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    return ends, [Tick(place, f"{place:g}") for place in places if ends[0] <= place <= ends[1]], True


def _markup(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)
