"""What came of scripts as one HTML page that needs no network: every step, with its picture and what went wrong."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...agent import Recording, TrajectoryError, draw_step, read_trajectory
from ..viewer.page import check_place, write_page
from .outcome import CheckResult, ScriptOutcome, StepResult
from .tree import Script

HERE = Path(__file__).parent
THUMBNAIL_PX = 360  # wide
QUALITY = 80
VIEW = "view.html"  # the trajectory's own page, in its folder


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A step with its picture, as a data URL, and the one that is shown large."""

    step: StepResult
    picture: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Card:
    """One script."""

    outcome: ScriptOutcome
    rows: Sequence[_Row]
    checks: Sequence[CheckResult]
    view: str | None  # address of the trajectory's own page, seen from the report


def check_report(path: Path) -> None:
    """BadRequest, before any work is done, unless the page can be written there."""
    check_place(path)


def write_report(path: Path, outcomes: Sequence[ScriptOutcome], not_run: Sequence[Script] = ()) -> None:
    """Write the page, and beside each trajectory a page of its own. BadRequest where that cannot be done."""
    from ..console import write_file

    cards = [_card(outcome, path) for outcome in outcomes]
    write_file(path, render(cards, not_run).encode())


def render(cards: Sequence[_Card], not_run: Sequence[Script]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    num_passed = sum(card.outcome.is_passed for card in cards)
    return environment.get_template("report.html").render(
        cards=cards,
        not_run=not_run,
        num_passed=num_passed,
        num_failed=len(cards) - num_passed,
        took_s=sum(card.outcome.took_s for card in cards),
        num_found=sum(card.outcome.cache.num_found for card in cards),
        num_asked=sum(card.outcome.cache.num_asked for card in cards),
        style=Markup((HERE / "report.css").read_text(encoding="utf-8")),
    )


def _card(outcome: ScriptOutcome, report: Path) -> _Card:
    if outcome.result is None:
        return _Card(
            outcome=outcome, rows=[_Row(step=step) for step in outcome.steps], checks=outcome.checks, view=None
        )
    try:
        recording = read_trajectory(outcome.result.path)
    except TrajectoryError:
        recording = None
    view = None
    if recording is not None and recording.steps:
        page = outcome.result.path / VIEW
        write_page(recording, page)
        view = Path(os.path.relpath(page.resolve(), report.parent.resolve())).as_posix()
    rows = [_Row(step=step, picture=_picture(step, recording)) for step in outcome.steps]
    return _Card(outcome=outcome, rows=rows, checks=outcome.checks, view=view)


def _picture(step: StepResult, recording: Recording | None) -> str | None:
    """Of the failure, or else of what the step did first; None where nothing was done."""
    try:
        if step.picture is not None:
            with Image.open(step.picture) as picture:
                return _data_url(picture.convert("RGB"))
        if recording is None or not step.num_steps or step.verb in ("if", "repeat", "include"):
            return None
        done = [each for each in recording.steps if step.first <= each.index < step.first + step.num_steps]
        return _data_url(draw_step(done[0])) if done else None
    except (OSError, TrajectoryError):
        return None


def _data_url(picture: Image.Image) -> str:
    width = min(2 * THUMBNAIL_PX, picture.width)  # shown at half of that, and sharp on fine screens
    height = max(1, round(picture.height * width / picture.width))
    buffer = io.BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=QUALITY, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
