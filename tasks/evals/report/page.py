"""The report as one HTML page: it needs nothing but itself, and what models and suites say in it is only text."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from ...console import not_written
from ..prediction import Outcome
from ..run_folder import replace_file
from . import charts
from .gallery import Card
from .words import (
    EXPECTED,
    flat,
    interval,
    no_macro,
    number,
    outcome_name,
    percent,
    seconds,
    sizes_heading,
    sizes_scale,
)

HERE: Final = Path(__file__).parent
LARGEST_BYTES: Final = 15_000_000


def report_page(report: Mapping[str, Any], cards: Sequence[Card]) -> Iterator[str]:
    """The page in pieces; every figure in it is one of the report's."""
    failures = report["result"]["n"] - report["result"]["correct"] - report["suite"]["skipped"]
    return render(
        "report.html",
        title=f"{report['suite']['name']} - {model_name(report['manifest'])}",
        report=report,
        result=report["result"],
        model=model_name(report["manifest"]),
        manifest=flat(report["manifest"]),
        cards=cards,
        failures=failures,
        no_macro=no_macro(report["result"]),
        outcomes=[outcome.value for outcome in Outcome],
        group_ids=group_ids(card.groups for card in cards),
        has_heat=any(card.heat for card in cards),
    )


def render(template: str, **values: Any) -> Iterator[str]:
    """A page of this folder's templates with its style and script. Whatever is not Markup is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def drawn(name: str) -> Callable[..., Markup]:
        def draw(*told: Any) -> Markup:
            return Markup(getattr(charts, name)(*told))

        return draw

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "number": number,
        "seconds": seconds,
        "outcome_name": outcome_name,
        "sizes_heading": sizes_heading,
        "sizes_scale": sizes_scale,
    }
    environment.globals |= {
        name: drawn(name)
        for name in ("strip", "scale", "curve", "within_curve", "reliability", "surest", "seconds_chart", "dumbbell")
    }
    style, script = asset("report.css"), f'"use strict";\n(() => {{\n{asset("report.js")}\n}})();\n'
    return environment.get_template(template).generate(
        style=Markup(style),
        script=Markup(script),
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        EXPECTED=EXPECTED,
        **values,
    )


def write_pieces(out: Path, pieces: Iterable[str]) -> int:
    """Into a file beside it, which then takes its place; how many bytes it has. `not_written` where it cannot be."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n", errors="replace") as file:
            file.writelines(pieces)
        num_bytes = part.stat().st_size
        part.replace(out)
    except OSError as error:
        raise not_written(out, error) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return num_bytes


def write_whole(out: Path, content: bytes) -> None:
    """All of it or nothing: the old file stays where the disk is full. `not_written` where it cannot be."""
    try:
        replace_file(out, content)
    except OSError as error:
        raise not_written(out, error) from error


def group_ids(shown: Iterable[Sequence[tuple[str, str]]]) -> dict[str, dict[str, str]]:
    """For each axis and value of what is shown a short name that a class or an attribute may hold."""
    found: dict[str, set[str]] = {}
    for groups in shown:
        for axis, value in groups:
            found.setdefault(axis, set()).add(value)
    pairs = [(axis, value) for axis in found for value in sorted(found[axis])]
    ids: dict[str, dict[str, str]] = {axis: {} for axis in found}
    for at, (axis, value) in enumerate(pairs):
        ids[axis][value] = f"g{at}"
    return ids


def model_name(manifest: Mapping[str, Any]) -> str:
    """As far as the manifest says; of a file that was scored, the file's name."""
    for key, names in (("model", ("name", "model")), ("scored", ("file",))):
        told: Any = manifest.get(key)
        found = next((told[name] for name in names if told.get(name)), None) if isinstance(told, Mapping) else told
        if isinstance(found, str) and found:
            return found
    return "predictions"


@cache
def asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
