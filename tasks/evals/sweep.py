"""A grid of ways to ask, each asked of the same suite: which settings, what they cost, and which are worth it.

A cell is one run in a folder of its own, so that a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from ..errors import BadRequest
from .compare import Paired
from .score import Result

if TYPE_CHECKING:
    from ...agent.profiles import PromptProfile
    from .engine_source import EngineSource

KNOBS: Final = {
    "zoom": "on or off",
    "votes": "windows looked at in each round of a zoom, whose answers vote together; 1 is no vote",
    "patch-limit": "patches of a picture at most, or 'own'",
    "profile": "a name of `moonhand profiles`, or a file",
    "grammar": "on or off",
    "quantize": "none, int8 or int4",
    "dtype": "auto, bfloat16, float16 or float32",
}
MOST_CELLS: Final = 200

Axes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Cell:
    """One way to ask: a value of each knob that makes a difference in it."""

    settings: Mapping[str, str]

    @property
    def name(self) -> str:
        """Of its folder."""
        said = ",".join(f"{knob}={value}" for knob, value in self.settings.items())
        return "".join(char if char.isalnum() or char in "-._=," else "-" for char in said)

    @property
    def label(self) -> str:
        return ", ".join(f"{knob} {value}" for knob, value in self.settings.items())


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """A cell that was run.

    `cost_s` is the median of the model's seconds a sample, so that the first one of a model, which is slow, does not
    decide which cell is the cheapest; None where nobody took the time.
    """

    cell: Cell
    result: Result
    against_first: Paired  # the first cell is A

    @property
    def cost_s(self) -> float | None:
        times_s = [timing.model_s for timing in self.result.timings if timing.model_s is not None]
        return median(times_s) if times_s else None


def parse_grid(grid: Sequence[str]) -> Axes:
    """`zoom=off,on` and the like, one string a knob. BadRequest for what is no knob, or no value of it."""
    axes: dict[str, tuple[str, ...]] = {}
    for said in grid:
        knob, equals, values = said.partition("=")
        named = tuple(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
        if not equals or not named:
            raise BadRequest(f"--grid {said!r}: give a knob and its values, as in --grid zoom=off,on")
        if knob not in KNOBS:
            told = "; ".join(f"{name}: {what}" for name, what in KNOBS.items())
            raise BadRequest(f"--grid {said!r}: there is no knob {knob!r}. {told}")
        if knob in axes:
            raise BadRequest(f"--grid {said!r}: {knob} was given before; name all its values at once")
        for value in named:
            if (wrong := _wrong(knob, value)) is not None:
                raise BadRequest(f"--grid {knob}={value}: {wrong}")
        axes[knob] = named
    if "votes" in axes and "on" not in axes.get("zoom", ()):
        raise BadRequest("--grid votes is about zoom: give --grid zoom=on too, or zoom=off,on")
    return axes


def cells_of(axes: Axes) -> tuple[Cell, ...]:
    """All combinations, those that would be asked alike once. BadRequest for none, and for too many."""
    if not axes:
        raise BadRequest("nothing to sweep: give --grid zoom=off,on or another knob")
    found: dict[str, Cell] = {}
    for values in product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        if settings.get("zoom") == "off":
            settings.pop("votes", None)
        cell = Cell(settings)
        if found.setdefault(cell.name, cell).settings != settings:
            raise BadRequest(f"{cell.label} and {found[cell.name].label} would share a folder: rename one of the files")
    if len(found) > MOST_CELLS:
        raise BadRequest(f"the grid has {len(found)} cells, at most {MOST_CELLS} are run: leave values out")
    return tuple(found.values())


def source_of(cell: Cell, base: EngineSource) -> EngineSource:
    """`base` with the cell's settings. BadProfile for a profile that there is not."""
    from ...agent import ZoomConfig, find_profile

    settings = cell.settings
    source = base
    if settings.get("zoom") == "on":
        votes = int(settings["votes"]) if "votes" in settings else None
        source = replace(source, zoom=ZoomConfig() if votes is None else ZoomConfig(crops=votes, vote=votes > 1))
    if (limit := settings.get("patch-limit", "own")) != "own":
        source = replace(source, patch_limit=int(limit))
    if "profile" in settings:
        source = replace(source, profile=find_profile(settings["profile"]))
    if "grammar" in settings:
        source = replace(source, profile=replace(_profile(source), constrained=settings["grammar"] == "on"))
    if "quantize" in settings:
        source = replace(source, quantize=None if settings["quantize"] == "none" else settings["quantize"])
    return replace(source, dtype=settings["dtype"]) if "dtype" in settings else source


def front(results: Sequence[CellResult]) -> tuple[int, ...]:
    """Indices of the cells that no other beats: none is as cheap and better, or as good and cheaper. By cost, rising.

    A cell without a cost is in no comparison.
    """
    known = [
        (each.cost_s, -each.result.correct, index) for index, each in enumerate(results) if each.cost_s is not None
    ]
    found: list[int] = []
    best = 1
    for _, missed, index in sorted(known):
        if missed < best:
            found.append(index)
            best = missed
    return tuple(found)


def sweep_json(suite: str, results: Sequence[CellResult]) -> dict[str, Any]:
    """Every figure of a sweep, in the order of the grid."""
    best = front(results)
    return {
        "format": "moonhand-sweep-1",
        "suite": suite,
        "cost": "median model seconds a sample",
        "cells": [
            {
                "name": each.cell.name,
                "settings": dict(each.cell.settings),
                "n": each.result.n,
                "correct": each.result.correct,
                "accuracy": each.result.accuracy,
                "accuracy_macro": each.result.accuracy_macro,
                "ci95": list(each.result.ci95),
                "wrong_format": each.result.wrong_format,
                "cost_s": each.cost_s,
                "on_front": number in best,
                "difference": each.against_first.difference,
                "mcnemar_p": each.against_first.p,
            }
            for number, each in enumerate(results)
        ],
        "front": [results[number].cell.name for number in best],
    }


def against(first: Result, other: Result) -> Paired:
    """How often both, the first alone, the other alone, and neither were right."""
    pairs = [(a.correct, b.correct) for a, b in zip(first.verdicts, other.verdicts, strict=True)]
    neither = pairs.count((False, False)) + first.n - len(pairs)
    return Paired(pairs.count((True, True)), pairs.count((True, False)), pairs.count((False, True)), neither)


def _profile(source: EngineSource) -> PromptProfile:
    return source.profile or source.own_profile


def _wrong(knob: str, value: str) -> str | None:
    """Why it is no value of this knob."""
    allowed: dict[str, tuple[str, ...]] = {
        "zoom": ("on", "off"),
        "grammar": ("on", "off"),
        "quantize": ("none", "int8", "int4"),
        "dtype": ("auto", "bfloat16", "float16", "float32"),
    }
    checks: dict[str, Callable[[], bool]] = {
        "votes": lambda: value.isdigit() and int(value) >= 1,
        "patch-limit": lambda: value == "own" or (value.isdigit() and int(value) >= 1),
    }
    if knob in allowed:
        return None if value in allowed[knob] else f"give one of {', '.join(allowed[knob])}"
    fits = checks[knob]() if knob in checks else True
    return None if fits else f"give {KNOBS[knob]}, a whole number from 1 on"
