"""A Playwright trace, versions 9 and 10: what was called, and the film as the frames before and after.

Calls that only read (`expect`, `evaluate`, waiting for something) are counted and left out. The film is JPEG and mostly
smaller than the screen was: its frames' `scale` says how much.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from ...envs import Element, Frame, Point
from ..errors import BadRequest
from .imported import Draft, DraftStep
from .playwright_calls import READING, Call, NoCounterpart, actions_of
from .reading import (
    MAX_JSON_BYTES,
    MAX_PICTURE_BYTES,
    BadPicture,
    Json,
    Zip,
    as_object,
    json_object,
    picture_of,
    text_of,
)

VERSIONS = range(7, 11)  # 7 and 8 differ in what is not read here
TRACE_SUFFIX = ".trace"


@dataclass
class _Trace:
    """What was read of the events."""

    context: Json = field(default_factory=dict[str, object])
    calls: dict[str, Call] = field(default_factory=dict[str, Call])
    film: list[tuple[float, str, float]] = field(default_factory=list[tuple[float, str, float]])  # ms, entry, CSS width


def read_playwright_trace(path: Path, images: Path | None, problems: list[str]) -> Iterator[Draft]:
    """One draft of all contexts in the trace, in order of time. BadRequest for a zip that is no trace."""
    del images
    archive = Zip(path)
    names = sorted(name for name in archive.names if name.endswith(TRACE_SUFFIX) and "/" not in name)
    if not names:
        archive.close()
        raise BadRequest(f"{path} holds no .trace: this is no Playwright trace")
    trace = _Trace()
    for name in names:
        _read(archive, name, trace, problems)
    draft = Draft(
        name=path.stem,
        goal=text_of(trace.context.get("title")) or f"Playwright trace {path.stem}",
        source="manual",
        steps=(),
    )
    draft.url = next((text_of(call.params.get("url")) for call in trace.calls.values() if call.method == "goto"), None)
    draft.steps = _steps(archive, trace, draft)
    yield draft


def _read(archive: Zip, name: str, trace: _Trace, problems: list[str]) -> None:
    try:
        content = archive.read(name, MAX_JSON_BYTES)
    except ValueError as error:
        raise BadRequest(f"{archive.path}: {error}") from error
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            _take(json_object(line), trace)
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{name} line {number} cannot be read and was left out: {error}")
    version = trace.context.get("version")
    if trace.context and version not in VERSIONS:
        raise BadRequest(f"{archive.path} is a trace of version {version!r}: 9 and 10 are read")


def _take(event: Json, trace: _Trace) -> None:
    match event.get("type"):
        case "context-options":
            trace.context = trace.context or event
        case "before":
            call = Call(
                str(event["class"]), str(event["method"]), as_object(event.get("params")), float(event["startTime"])
            )
            trace.calls[str(event["callId"])] = call
        case "input" | "after" as kind:
            call = trace.calls.get(str(event["callId"]))
            if call is None:
                return
            point, box = as_object(event.get("point")), as_object(event.get("box"))
            if point:
                call.points.append(Point(float(point["x"]), float(point["y"])))
            if box:
                call.box = (float(box["x"]), float(box["y"]), float(box["width"]), float(box["height"]))
            if kind == "after":
                call.end_ms = float(event["endTime"])
                error = as_object(event.get("error"))
                call.error = text_of(error.get("message") or as_object(error.get("error")).get("message"))
        case "screencast-frame":
            entry = text_of(event.get("file")) or f"resources/{event['sha1']}"
            trace.film.append((float(event["timestamp"]), entry, float(event["width"])))
        case "frame-snapshot":
            snapshot = as_object(event.get("snapshot"))
            call = trace.calls.get(str(snapshot.get("callId")))
            if call is not None and call.url is None and snapshot.get("isMainFrame") is True:
                call.url = text_of(snapshot.get("frameUrl"))
        case _:
            pass  # logs, the console


def _steps(archive: Zip, trace: _Trace, draft: Draft) -> Iterator[DraftStep]:
    calls = sorted(trace.calls.values(), key=lambda call: call.start_ms)
    film = sorted(trace.film)
    moments_ms = [moment_ms for moment_ms, _, _ in film]
    began_s = float(trace.context.get("wallTime") or 0) / 1000
    zero_ms = float(trace.context.get("monotonicTime") or 0)
    skipped: Counter[str] = Counter()
    last: tuple[int, Frame | None] = (-1, None)

    def shown(place: int) -> Frame | None:
        nonlocal last
        if not film:
            return None
        place = min(max(place, 0), len(film) - 1)
        if last[0] != place:
            _, entry, css = film[place]
            try:
                frame = picture_of(archive.read(entry, MAX_PICTURE_BYTES), entry)
                scale = frame.size.width_px / css if css > 0 else 1.0
                last = (place, Frame(frame.pixels_HW3, scale, 0.0))
            except (BadPicture, ValueError) as error:
                draft.problem(str(error))
                last = (place, None)
        return last[1]

    num_pages = 0
    for call in calls:
        if call.method in READING:
            skipped[call.method] += 1
            continue
        if call.method == "newPage":
            num_pages += 1
            if num_pages == 1:
                continue  # the tab that every run begins with
        before = shown(bisect_right(moments_ms, call.start_ms) - 1)
        scale = before.scale if before is not None else 1.0
        error = call.error
        common: Json = {"before": before, "url": call.url, "started_at_s": began_s + (call.start_ms - zero_ms) / 1000}
        common |= {"element": _element(call, scale), "act_s": max(0.0, call.end_ms - call.start_ms) / 1000}
        try:
            actions = actions_of(call, scale)
        except (NoCounterpart, ValidationError, KeyError, TypeError, ValueError) as trouble:
            why = error or str(trouble).splitlines()[0]
            yield DraftStep(action=None, error=f"{call.method}: {why.splitlines()[0]}", **common)
            continue
        after = shown(bisect_left(moments_ms, call.end_ms)) if actions else None
        for action in actions:
            yield DraftStep(
                action=action, error=None if error is None else error.splitlines()[0], after=after, **common
            )
    if skipped:
        told = ", ".join(f"{name} {count}" for name, count in sorted(skipped.items()))
        draft.problem(f"calls that only read or wait were left out: {told}")
    archive.close()


def _element(call: Call, scale: float) -> Element | None:
    if call.box is None:
        return None
    left, top, width, height = (side * scale for side in call.box)
    return Element(tag="", left_px=left, top_px=top, width_px=width, height_px=height)
