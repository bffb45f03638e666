"""Figures and names as people read them, the same on the page and in the Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

EXPECTED: Final = {
    "target": "a target",
    "refusal": "nothing there",
    "broken_row": "a broken row of the suite",
}
NO_MEAN: Final = "no mean of the cells: "  # begins the score's own note of why
OUTCOMES: Final = {
    "hit": "hit",
    "wrong": "wrong place",
    "off_screen": "off the screen",
    "refused": "refused",
    "wrong_format": "wrong format",
    "timed_out": "timed out",
    "crashed": "crashed",
    "missing": "missing",
    "skipped": "skipped",
}
SIZES: Final = {  # a heading, and the scale's own words
    "target_area_px2": ("Accuracy by target size", "area of the target, px\u00b2"),
    "target_share_percent": ("Accuracy by target's share", "% of the screenshot's area"),
    "target_aspect": ("Accuracy by target's shape", "its width by its height"),
    "screenshot_megapixels": ("Accuracy by resolution", "screenshot, megapixels"),
    "screenshot_aspect": ("Accuracy by screen shape", "screenshot's width by its height"),
}


def outcome_name(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome)


def sizes_heading(axis: str) -> str:
    return SIZES.get(axis, (f"Accuracy by {axis}", axis))[0]


def sizes_scale(axis: str) -> str:
    return SIZES.get(axis, (axis, axis))[1]


def no_macro(result: Mapping[str, Any]) -> str:
    """Why it has no macro average."""
    if not result["cells"]:
        return "this suite has no cells to average over"
    told = (note.removeprefix(NO_MEAN) for note in result["notes"] if note.startswith(NO_MEAN))
    return next(told, "some rows are in none of the cells")


def percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def interval(ci95: Sequence[float] | None, digits: int = 1) -> str:
    """The two ends in per cent, without the sign."""
    return "-" if ci95 is None else f"{100 * ci95[0]:.{digits}f} \u2013 {100 * ci95[1]:.{digits}f}"


def number(value: float | None) -> str:
    """Counts, and what is 100 and more, whole and with separators; others to three digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 0.9995:
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:,.1f} min" if value < 7200 else f"{value / 3600:,.1f} h"


def flat(told: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Every leaf of nested JSON by its dotted path."""
    found: list[tuple[str, str]] = []
    for key, value in told.items():
        if isinstance(value, Mapping):
            found += flat(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", "-" if value is None else str(value)))
    return found
