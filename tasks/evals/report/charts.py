"""The diagrams of a report, drawn from its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .svg import Plot, Tick, percent_ticks, round_ticks
from .words import interval, percent

Json = Mapping[str, Any]
STRIP_WIDTH, STRIP_HEIGHT = 160, 14  # of one interval in a table
SCALE_WIDTH, SCALE_HEIGHT = 720, 74


def strip(told: Json) -> str:
    """An accuracy as a bar from 0 to 100 %, with its interval, for a cell of a table."""
    if told["accuracy"] is None or told["ci95"] is None:
        return ""
    right, middle = STRIP_WIDTH, STRIP_HEIGHT / 2
    low, high = (round(right * end, 1) for end in told["ci95"])
    width = round(right * told["accuracy"], 1)
    return (
        f'<svg class="strip" viewBox="0 0 {right} {STRIP_HEIGHT}" aria-hidden="true">'
        f'<rect class="rail" width="{right}" height="{STRIP_HEIGHT}" rx="3"/>'
        f'<rect class="bar" width="{width}" height="{STRIP_HEIGHT}" rx="3"/>'
        f'<path class="whisker" d="M{low} {middle - 3}v6M{low} {middle}H{high}M{high} {middle - 3}v6"/></svg>'
    )


def scale(result: Json, published: Sequence[Json]) -> str:
    """The accuracy on a line from 0 to 100 %, with its interval, and what others state for their models."""

    def at(share: float) -> float:
        return round(10 + share * (SCALE_WIDTH - 20), 1)

    low, high = result["ci95"] or (0.0, 0.0)
    parts = [
        f'<svg class="plot scale" viewBox="0 0 {SCALE_WIDTH} {SCALE_HEIGHT}" role="img" '
        f'aria-label="accuracy {percent(result["accuracy"])}, 95 % interval {interval(result["ci95"])} %">',
        f'<path class="rail" d="M{at(0)} 34H{at(1)}"/>',
    ]
    for tenth in range(0, 11, 2):
        parts.append(f'<path class="grid" d="M{at(tenth / 10)} 28v12"/>')
        anchor = "start" if tenth == 0 else "end" if tenth == 10 else "middle"
        x = at(tenth / 10) + (-6 if tenth == 0 else 6 if tenth == 10 else 0)
        parts.append(f'<text class="tick" x="{x}" y="66" text-anchor="{anchor}">{tenth * 10} %</text>')
    for number, each in enumerate(published):
        x = at(each["accuracy"])
        parts.append(f'<path class="theirs" d="M{x} 24v20"><title>{_theirs(each)}</title></path>')
        parts.append(f'<text class="theirs" x="{x}" y="18" text-anchor="middle">{_letter(number)}</text>')
    parts.append(f'<path class="ours" d="M{at(low)} 34H{at(high)}"/>')
    if result["accuracy"] is not None:
        parts.append(f'<circle class="ours" cx="{at(result["accuracy"])}" cy="34" r="7"/>')
    return "".join((*parts, "</svg>"))


def curve(classes: Mapping[str, Json], title: str) -> str:
    """Accuracy over the classes of a size, in their order."""
    bins = list(classes.items())
    plot = Plot(
        x_range=(-0.5, len(bins) - 0.5),
        x_ticks=[Tick(n, _nicer(name), f"{each['n']:,}") for n, (name, each) in enumerate(bins)],
        y_ticks=percent_ticks(),
        x_title=title,
        title=f"Accuracy by {title}",
    )
    plot.line([(n, each["accuracy"]) for n, (_, each) in enumerate(bins)])
    for n, (name, each) in enumerate(bins):
        plot.whisker(n, *each["ci95"])
        plot.dot(n, each["accuracy"], f"{name}: {_said(each)}")
    return plot.svg()


def within_curve(points: Sequence[Json]) -> str:
    """How many answers are right, or nearly."""
    last = len(points) - 1
    plot = Plot(
        x_range=(0, max(last, 1)),
        x_ticks=[Tick(n, "hit" if each["px"] == 0 else f"{each['px']}") for n, each in enumerate(points)],
        y_ticks=percent_ticks(),
        x_title="at most so many px from the target's edge",
        title="Share of the answers that lie so near to the target",
    )
    plot.area(
        [(n, each["ci95"][0]) for n, each in enumerate(points)]
        + [(last - n, each["ci95"][1]) for n, each in enumerate(reversed(points))]
    )
    plot.line([(n, each["accuracy"]) for n, each in enumerate(points)])
    for n, each in enumerate(points):
        plot.dot(n, each["accuracy"], f"within {each['px']} px: {_said(each)}")
    return plot.svg()


def reliability(confidence: Json) -> str:
    """Confidence against accuracy: on the diagonal a confidence means how often."""
    plot = Plot(
        x_range=(0, 1), x_ticks=percent_ticks(), y_ticks=percent_ticks(), x_title="confidence", title="Reliability"
    )
    most = max(each["n"] for each in confidence["bins"])
    for each in confidence["bins"]:
        height = 0.16 * each["n"] / most
        plot.bar(each["from"], each["to"], height, f"{each['n']} answers", kind="crowd")
    plot.line([(0, 0), (1, 1)], "diagonal")
    plot.line([(each["confidence"], each["accuracy"]) for each in confidence["bins"]])
    for each in confidence["bins"]:
        said = f"confidence {percent(each['confidence'])}: {_said(each)}"
        plot.whisker(each["confidence"], *each["ci95"])
        plot.dot(each["confidence"], each["accuracy"], said)
    return plot.svg()


def surest(points: Sequence[Json]) -> str:
    """Accuracy of those answers that are surest, by how many are kept."""
    plot = Plot(
        x_range=(0, 1),
        x_ticks=percent_ticks(),
        y_ticks=percent_ticks(),
        x_title="share of the answers kept, the surest first",
        title="Accuracy of the surest answers",
    )
    band = [(each["share"], each["ci95"][0]) for each in points]
    plot.area(band + [(each["share"], each["ci95"][1]) for each in reversed(points)])
    plot.line([(each["share"], each["accuracy"]) for each in points])
    for each in points:
        said = f"the surest {percent(each['share'], 0)}, from confidence {each['least']:.2f} up: {_said(each)}"
        plot.dot(each["share"], each["accuracy"], said)
    return plot.svg()


def seconds_chart(bins: Sequence[Json], median_s: float) -> str:
    """How long the model took: the last bar also holds all that took longer."""
    most, end = max(each["n"] for each in bins), bins[-1]["to_s"]
    plot = Plot(
        x_range=(0, end),
        y_range=(0, most * 1.1),
        x_ticks=round_ticks(end),
        y_ticks=[tick for tick in round_ticks(most, 4) if tick.at == int(tick.at)],
        x_title="model seconds a sample",
        title="Model seconds a sample",
    )
    for number, each in enumerate(bins):
        until = "on" if number == len(bins) - 1 else f"to {each['to_s']:.3g} s"
        plot.bar(each["from_s"], each["to_s"], each["n"], f"from {each['from_s']:.3g} s {until}: {each['n']} samples")
    plot.line([(median_s, 0), (median_s, most * 1.1)], "diagonal")
    plot.words(median_s, most * 1.1, "median", up=2, right=4)
    return plot.svg()


def _nicer(name: str) -> str:
    return name.replace(">=", "\u2265").replace(" - ", "\u2013")


def _said(each: Json) -> str:
    right = f"{percent(each['accuracy'])} ({interval(each['ci95'])})"
    return f"{right}, {each['correct']:,} of {each['n']:,}"


def _theirs(each: Json) -> str:
    return f"{each['model']}: {percent(each['accuracy'])}, as stated in {each['source']}"


def _letter(number: int) -> str:
    return chr(ord("a") + number)


def dumbbell(paired: Json) -> str:
    """Two accuracies of the same rows on a bar from 0 to 100 %: A hollow, B full."""
    right, middle = STRIP_WIDTH, STRIP_HEIGHT / 2
    a, b = (round(right * paired[name]["accuracy"], 1) for name in ("a", "b"))
    kind = "better" if b > a else "worse" if b < a else "same"
    return (
        f'<svg class="strip {kind}" viewBox="0 0 {right} {STRIP_HEIGHT}" aria-hidden="true">'
        f'<rect class="rail" y="{middle - 2}" width="{right}" height="4" rx="2"/>'
        f'<path class="step" d="M{a} {middle}H{b}"/>'
        f'<circle class="from" cx="{a}" cy="{middle}" r="4.2"/><circle class="to" cx="{b}" cy="{middle}" r="5"/></svg>'
    )
