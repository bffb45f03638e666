"""Where is it: an instruction and a frame become a point in screenshot px, with how sure the model was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..envs import Frame, Point, Refuse, Region, Size, action_points
from .belief import Mode, split_modes
from .confidence import Spread
from .dialects import DIALECTS
from .errors import ParseError
from .kimi import ask, canvas_of, continue_reply, profile_of
from .look import crop
from .profiles import PromptProfile
from .prompts import Turn, grounding_turns
from .target import Target
from .zoom import LEGIBLE, ZoomConfig, refuse, zoom_in

if TYPE_CHECKING:
    from ..model import Answering

MODES = 6  # of x, asked for their own y at most
BELOW = 0.5  # zoom where nobody says when
NANO_WINDOW = Size(532, 504)  # holds the windows in which nano is at its best, frame and all


def locate(
    engine: Answering,
    frame: Frame,
    instruction: str,
    profile: PromptProfile | None = None,
    zoom: ZoomConfig | None = None,
    *,
    modes: int = MODES,
) -> Target:
    """Ask the model for one place. Never raises for a bad reply: the target then has an `error` and no point.

    With `zoom` an answer that is not sure is looked into. `modes` is how many places in x are asked for their own y at
    most, a few tokens each, for the belief and the heat map; the point does not depend on it.
    """
    profile = profile or profile_of(engine)
    first = _ask_once(engine, frame, instruction, profile, modes)
    return first if zoom is None else look_closer(engine, frame, first, zoom, profile)


def look_closer(
    engine: Answering,
    frame: Frame,
    first: Target,
    zoom: ZoomConfig,
    profile: PromptProfile | None = None,
    *,
    seen: dict[Region, Target] | None = None,
) -> Target:
    """What `locate` does with a first answer where it may zoom.

    `seen` keeps the looks for another call about the same first answer, with another configuration.
    """
    profile, seen = profile or profile_of(engine), {} if seen is None else seen
    calibration = engine.calibration
    thresholds = {} if calibration is None else calibration.thresholds
    below = thresholds.get("zoom_below", BELOW) if zoom.below is None else zoom.below
    scale = engine.transform(frame.size.width_px, frame.size.height_px).resized_width_px / frame.size.width_px
    unseen = first.refused and scale < LEGIBLE  # "it is not there" says nothing where it could not be read
    target = first
    if (first.confidence or 0.0) < below or below == 1 or unseen:

        def look(region: Region) -> Target:
            if region not in seen:
                seen[region] = _ask_once(engine, crop(frame, region), first.instruction, profile, 1)
            return seen[region]

        curve = None if calibration is None else calibration.curves.get("zoom")
        window = zoom.window or window_for(engine, profile)
        target = zoom_in(look, frame, first, zoom, window, scale=scale, curve=curve)
    refuse_below = thresholds.get("refuse_below", 0.0) if zoom.refuse_below is None else zoom.refuse_below
    return refuse(target, refuse_below)


def window_for(engine: Answering, profile: PromptProfile) -> Size:
    """How large a part of a screenshot the model sees best: never one that it would shrink."""
    image = engine.config.image
    nano_patches = (NANO_WINDOW.width_px // image.patch_size) * (NANO_WINDOW.height_px // image.patch_size)
    if profile.name == "nano" and nano_patches <= image.in_token_limit:
        return NANO_WINDOW
    side_px = image.patch_size * int(image.in_token_limit**0.5)
    return Size(side_px, side_px)


def _ask_once(engine: Answering, frame: Frame, instruction: str, profile: PromptProfile, modes: int) -> Target:
    turns, canvas = grounding_turns(profile, frame, instruction), canvas_of(engine, frame)
    answer = ask(engine, turns, profile, canvas=canvas, kinds=profile.grounding_kinds)
    point: Point | None = None
    refused, error = False, None
    try:
        for action in DIALECTS[profile.dialect].read(answer.text, canvas).actions:
            refused = refused or isinstance(action, Refuse)
            point = next(iter(action_points(action)), None)
            if refused or point:
                break
        else:
            error = "the reply names no place"
    except ParseError as trouble:
        error = str(trouble)
    target = Target(
        instruction=instruction,
        x_px=point.x_px if point else None,
        y_px=point.y_px if point else None,
        size=frame.size,
        confidence=answer.confidence,
        refused=refused,
        raw=answer.text,
        model=engine.name,
        error=error,
        model_s=answer.model_s,
        certainty=answer.certainty,
    )
    if target.spread is None or modes == 1:
        return target
    found, more_s = _ask_modes(engine, turns, target.spread, modes)
    return replace(target, modes=found, model_s=target.model_s + more_s)


def _ask_modes(
    engine: Answering, turns: tuple[Turn, ...], spread: Spread, limit: int
) -> tuple[tuple[Mode, ...], float]:
    """Each likely x with its own y. The mode of the x that was chosen has its y already."""
    found: list[Mode] = []
    spent_s = 0.0
    for number, (at, mass, x_C) in enumerate(split_modes(spread.x_C, limit=limit)):
        y_C = spread.y_C
        if number:
            told, took_s = continue_reply(engine, turns, spread.with_x(at))
            spent_s += took_s
            if told is None:  # it goes on with something else than a number
                continue
            y_C = told
        found.append(Mode(at, mass, x_C, y_C))
    return tuple(found), spent_s
