"""How far a click lands from where the model said: targets are drawn, found in the picture, clicked and read back.

The whole path is walked: a target's centre in the picture is written as the Kimi dialect writes it, read by the parser,
performed by the environment, and compared with the place that the page or the window says it was touched at.

What is compared are pixels. A surface's pointer rests on whole pixels: CSS px where Playwright moves it, px of the
screen where it is the X pointer. The error is the distance, in px of the picture, from the pixel that holds the place
which the reply names (its decimals times the picture's size, computed exactly) to the pixel that was touched.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ..agent.dialects import KIMI, Parsed, whole_canvas
from ..envs import Click, Env, EnvError, Frame, Point, Region, Size
from .target_sheets import Grid, PageSheet, Sheet, desktop_sheet, find_targets, page_url

if TYPE_CHECKING:
    from ..envs import Surface

NUM_LOOKED = 10  # targets of a page that are clicked as in a run, with a look after each
SHOWN_LIMIT_S = 3.0
GIVE_UP = 10  # misses in a row
ROUNDING_PX = 0.5  # edges on fractions of a pixel are drawn on the nearest

_WRITTEN = re.compile(r"click\(x=([0-9.]+), y=([0-9.]+)\)")


@dataclass(frozen=True)
class Hit:
    """One target that was clicked."""

    target: int
    x_px: float  # the place the reply names
    y_px: float
    error_px: float | None  # None: not this target was hit, or not once


@dataclass(frozen=True)
class Calibration:
    """What clicking a sheet of targets came to."""

    surface: str
    size: Size  # of the picture, px
    scale: float
    num_targets: int
    num_unseen: int  # of them, in the picture
    hits: tuple[Hit, ...]  # of what was clicked
    shift_px: float  # the farthest that the picture shows a target from where it was put
    seconds: float

    @property
    def num_missed(self) -> int:
        """Clicks that did not reach their target exactly once."""
        return sum(hit.error_px is None for hit in self.hits)

    @property
    def worst_px(self) -> float | None:
        """The largest error; None where no click reached its target."""
        return max((hit.error_px for hit in self.hits if hit.error_px is not None), default=None)

    @property
    def is_exact(self) -> bool:
        """Whether every target was seen in its place and hit on its pixel."""
        return self.num_unseen == 0 and self.num_missed == 0 and self.worst_px == 0 and self.shift_px <= ROUNDING_PX

    def to_json(self) -> dict[str, object]:
        return {
            "surface": self.surface,
            "ok": self.is_exact,
            "width_px": self.size.width_px,
            "height_px": self.size.height_px,
            "scale": self.scale,
            "targets": self.num_targets,
            "unseen": self.num_unseen,
            "missed": self.num_missed,
            "worst_px": self.worst_px,
            "shift_px": self.shift_px,
            "seconds": round(self.seconds, 3),
        }


def calibrate(surface: str, env: Env, sheet: Sheet, *, num_blind: int = 0) -> tuple[Calibration, Frame]:
    """Click every target, in turn, and nothing else; also the picture.

    The first `num_blind` are clicked where they were put, before the first look: an environment that has been looked at
    looks again after every action, which takes long. All others are clicked where the picture shows them. That it shows
    all of them where they were put is checked either way. EnvError where it has another size than the sheet.
    """
    start_s = time.perf_counter()
    put = sheet.boxes_px()
    hits: list[Hit] = []
    _click_all(env, sheet, {number: put[number] for number in range(num_blind)}, hits)
    frame = _look(env, len(put))
    if frame.size != sheet.size:
        raise EnvError(f"{surface}: the picture has {frame.size} px where {sheet.size} were expected: report this")
    seen = find_targets(frame.pixels_HW3)
    _click_all(env, sheet, {number: seen[number] for number in sorted(seen) if number >= num_blind}, hits)
    shift_px = max((_apart(seen[number], put[number]) for number in seen), default=0.0)
    seconds = time.perf_counter() - start_s
    num_unseen = len(put) - len(seen)
    return Calibration(surface, frame.size, frame.scale, len(put), num_unseen, tuple(hits), shift_px, seconds), frame


def _look(env: Env, num_targets: int) -> Frame:
    """The picture, once it shows all of them: a display may show a page later than the page is ready."""
    deadline_s = time.perf_counter() + SHOWN_LIMIT_S
    while True:
        frame = env.observe()
        if len(find_targets(frame.pixels_HW3)) == num_targets or time.perf_counter() > deadline_s:
            return frame
        time.sleep(0.02)


def _click_all(env: Env, sheet: Sheet, boxes: Mapping[int, Region], hits: list[Hit]) -> None:
    """Until nothing arrives any more."""
    for number, box in boxes.items():
        hits.append(_click(env, sheet, number, box.center))
        if len(hits) >= GIVE_UP and all(hit.error_px is None for hit in hits[-GIVE_UP:]):
            return


def _click(env: Env, sheet: Sheet, number: int, center: Point) -> Hit:
    size = sheet.size
    canvas = whole_canvas(size)
    reply = KIMI.write(Parsed((Click(x_px=center.x_px, y_px=center.y_px),)), canvas)
    x, y = named_place(reply, size)
    (action,) = KIMI.read(reply, canvas).actions
    env.perform(action)
    touches, grain_px = sheet.take_touches(), sheet.grain_px
    is_hit = len(touches) == 1 and touches[0].target == number
    error_px = max(_off(x, touches[0].x_px, grain_px), _off(y, touches[0].y_px, grain_px)) if is_hit else None
    return Hit(number, float(x), float(y), error_px)


def named_place(reply: str, size: Size) -> tuple[Fraction, Fraction]:
    """The place in px that a written click names, without the reader and without rounding."""
    written = _WRITTEN.fullmatch(reply.strip())
    assert written is not None, reply
    return Fraction(written[1]) * size.width_px, Fraction(written[2]) * size.height_px


def _off(place_px: Fraction, begins_px: float, grain_px: float) -> float:
    """From the pixel that holds the place to the one that begins there."""
    wanted = math.floor(place_px / Fraction(grain_px)) * grain_px
    return abs(round(begins_px - wanted, 3))  # a page's numbers have 24 bits: 2.4 is 2.4000000953674316


def _apart(one: Region, other: Region) -> float:
    a, b = one.center, other.center
    return round(max(abs(a.x_px - b.x_px), abs(a.y_px - b.y_px)), 3)


def calibrate_page(
    surface: Surface, *, scale: float, viewport: Size, grid: Grid, chromium: str | None = None
) -> tuple[Calibration, Frame]:
    """In a Chromium of its own."""
    from ..envs import BrowserConfig, BrowserEnv

    config = BrowserConfig(
        url=page_url(viewport, grid),
        viewport=viewport,
        device_scale=scale,
        surface=surface,
        executable=chromium,
        settle_s=0,
    )
    with BrowserEnv(config) as env:
        num_blind = grid.columns * grid.rows - NUM_LOOKED
        return calibrate(f"{surface} page", env, PageSheet(env, grid), num_blind=num_blind)


def calibrate_desktop(
    name: str, *, display: str | None, monitor: int | str = 1, grid: Grid
) -> tuple[Calibration, Frame]:
    """On one monitor of an X display."""
    from ..envs import DesktopConfig, DesktopEnv

    with ExitStack() as stack:
        env = stack.enter_context(DesktopEnv(DesktopConfig(display=display, monitor=monitor, settle_s=0)))
        first = env.observe()
        left_pt, top_pt = first.origin_pt
        region = Region(left_pt * first.scale, top_pt * first.scale, first.size.width_px, first.size.height_px)
        sheet = stack.enter_context(desktop_sheet(display, region, grid))
        return calibrate(name, env, sheet)
