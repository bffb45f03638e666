"""A result folder becomes report.json, report.md and report.html."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...console import make_folder
from ...errors import BadRequest
from ..prediction import Prediction
from ..prediction_files import prediction_of
from ..run_folder import PREDICTIONS, TIMINGS, read_manifest, read_rows
from ..sample import Suite
from ..score import score
from ..timings import Timing, read_timings
from .gallery import GALLERY, Card, Heat, cards
from .markdown import report_markdown
from .page import report_page, write_pieces, write_whole
from .rows import rows_of
from .summary import summarise


@dataclass(frozen=True, kw_only=True)
class Written:
    """What came of writing a report. `num_pictures` of the `num_cards` failures have a picture."""

    html: Path
    num_bytes: int  # of the page
    num_cards: int
    num_pictures: int
    report: Mapping[str, Any]


def write_report(
    folder: Path, suite: Suite, *, out: Path | None = None, gallery: int = GALLERY, heat: Heat | None = None
) -> Written:
    """From a result folder, into it or into the folder `out`. BadRequest for what cannot be read.

    Where it cannot be written: `not_written`; each of the files is whole, the old one or the new.
    """
    manifest = read_manifest(folder)
    predictions = {row.id: row for row in read_rows(folder / PREDICTIONS, prediction_of)}  # the last of an id counts
    times = read_timings(folder / TIMINGS) if (folder / TIMINGS).exists() else {}
    return write_report_of(suite, predictions, manifest, out or folder, timings=times, gallery=gallery, heat=heat)


def write_report_of(
    suite: Suite,
    predictions: Mapping[str, Prediction],
    manifest: Mapping[str, Any],
    out: Path,
    *,
    timings: Mapping[str, Timing] | None = None,
    gallery: int = GALLERY,
    heat: Heat | None = None,
) -> Written:
    """Of any predictions, wherever they are from. `not_written` where the files cannot be."""
    try:
        result = score(suite, predictions, timings, _notes(manifest))
    except ValueError as error:
        raise BadRequest(f"these predictions are of another suite, or of another part of it: {error}") from error
    result = replace(result, notes=tuple(dict.fromkeys(result.notes)))  # the manifest has some of them already
    make_folder(out)
    rows = rows_of(suite, predictions, result)
    report = summarise(suite, rows, result, manifest)
    shown: list[Card] = list(cards(rows, gallery, heat))
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(out / "report.json", text.encode("utf-8", "replace"))
    write_whole(out / "report.md", report_markdown(report).encode("utf-8", "replace"))
    page = out / "report.html"
    num_bytes = write_pieces(page, report_page(report, shown))
    num_pictures = sum(card.picture is not None for card in shown)
    return Written(html=page, num_bytes=num_bytes, num_cards=len(shown), num_pictures=num_pictures, report=report)


def _notes(manifest: Mapping[str, Any]) -> list[str]:
    """What a scorer said of how it read the predictions."""
    notes: Any = manifest.get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []
