"""A run as a film: every step's frame with a ring and a cross, its words above, then what the last one led to."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageDraw

from ...agent import Mark, Recording, Step, TrajectoryError, draw
from ...agent.overlay import ACCENT, FAILED
from ...envs import Click, MissingTool, TypeText, action_points, describe
from ..errors import BadRequest
from .caption import captioned
from .exported import Exported, Told, only_one
from .grounding import box_on
from .locators import is_field

STEP_MS, END_MS = 1200, 2400  # how long a step, and the end, is shown
LONGEST_PX = {"gif": 960, "mp4": 1920}  # of the longer side: larger frames are scaled down
RATE = 5  # pictures a second of an mp4
INSTALL = "PyAV is not installed: pip install 'moonhand[video]', or export a GIF"


def write_gif(recordings: Sequence[Recording], out: Path) -> Exported:
    """An animated GIF, 256 colours a picture."""
    told = Told()
    pictures = _pictures(only_one(recordings, "a GIF"), told, LONGEST_PX["gif"])
    paletted = [one.quantize(256, dither=Image.Dither.NONE) for one in pictures]
    times_ms = [STEP_MS] * (len(paletted) - 1) + [END_MS]
    try:
        paletted[0].save(out, format="GIF", save_all=True, append_images=paletted[1:], duration=times_ms, loop=0)
    except OSError as error:
        raise BadRequest(f"{out} cannot be written: {error.strerror or error}") from error
    return _exported(out, pictures, told)


def write_mp4(recordings: Sequence[Recording], out: Path) -> Exported:
    """H.264 that browsers play. MissingTool without PyAV."""
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise MissingTool(INSTALL) from error
    told = Told()
    pictures = _pictures(only_one(recordings, "a film"), told, LONGEST_PX["mp4"])
    try:
        with av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = cast(Any, container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"}))
            stream.width, stream.height = pictures[0].size
            stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, RATE)
            place = 0
            for number, picture in enumerate(pictures):
                shown_ms = END_MS if number == len(pictures) - 1 else STEP_MS
                frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
                for _ in range(round(shown_ms / 1000 * RATE)):
                    frame.pts, place = place, place + 1
                    container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (OSError, ValueError, FFmpegError) as error:
        raise BadRequest(f"{out} cannot be written as a film: {error}") from error
    return _exported(out, pictures, told)


def _exported(out: Path, pictures: Sequence[Image.Image], told: Told) -> Exported:
    return Exported(files=(out,), num_steps=len(pictures) - 1, left_out=tuple(told.left_out), notes=tuple(told.notes))


def _pictures(recording: Recording, told: Told, longest_px: int) -> list[Image.Image]:
    """All of one size, with even sides; the last is the end. BadRequest where no frame can be read."""
    drawn: list[Image.Image] = []
    shown: list[Step] = []
    for step in recording.steps:
        try:
            drawn.append(_drawn(step))
            shown.append(step)
        except TrajectoryError as error:
            told.leave_out(step, str(error))
    if not drawn:
        raise BadRequest(f"{recording.path} has no frame that can be shown")
    drawn.append(_end(recording, shown[-1]))
    width, height = max(one.width for one in drawn), max(one.height for one in drawn)
    by = min(1.0, longest_px / max(width, height))
    size = (round(width * by) // 2 * 2 or 2, round(height * by) // 2 * 2 or 2)
    return [_fitted(one, size, by) for one in drawn]


def _drawn(step: Step) -> Image.Image:
    """The frame before the step with what was done to it, and above it the words. A typed text has no place of its
    own: there the field is framed, where it is known.
    """
    colour = FAILED if step.error else ACCENT
    sure = "" if step.confidence is None else f" {step.confidence:.0%}"
    points = () if step.action is None else action_points(step.action)
    frame = step.before.read()
    picture = draw(frame, [Mark(label="", x_px=one.x_px, y_px=one.y_px, colour=colour) for one in points])
    element = None if step.surroundings is None else step.surroundings.element
    box = None if element is None else box_on(element, frame.size)
    if isinstance(step.action, TypeText) and is_field(element) and box is not None:
        left, top, right, bottom = box
        pen, wide_px = ImageDraw.Draw(picture), max(2, round(min(picture.size) / 200))
        pen.rectangle((left - wide_px, top - wide_px, right + wide_px, bottom + wide_px), outline=colour, width=wide_px)
    return captioned(picture, f"{step.index + 1}. {_said(step)}{sure}", colour)


def _said(step: Step) -> str:
    """What was done; a click by what was looked for, because where it went is drawn."""
    if step.action is None:
        return "unreadable reply"
    if isinstance(step.action, Click) and step.instruction:
        return f"click {step.instruction}" if step.instruction.startswith("the ") else step.instruction
    return describe(step.action)


def _end(recording: Recording, last: Step) -> Image.Image:
    result = recording.result
    said = "the run was killed" if result is None else result.status + (f": {result.answer}" if result.answer else "")
    checked = "" if result is None or result.success is None else ", checked" if result.success else ", check failed"
    try:
        frame = (last.after or last.before).read()
    except TrajectoryError:
        frame = last.before.read()
    good = result is not None and result.status == "finished" and result.success is not False
    return captioned(draw(frame, []), said + checked, ACCENT if good else FAILED)


def _fitted(picture: Image.Image, size: tuple[int, int], by: float) -> Image.Image:
    """Scaled, on black where it is smaller than the largest."""
    if by < 1:
        scaled = (max(1, round(picture.width * by)), max(1, round(picture.height * by)))
        picture = picture.resize(scaled, Image.Resampling.LANCZOS)
    if picture.size == size:
        return picture
    sheet = Image.new("RGB", size)
    sheet.paste(picture, (0, 0))
    return sheet
