"""The surfaces of this machine, calibrated one after the other, for `moonhand doctor --calibrate`."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..envs import EnvError, Frame, Size, VirtualDisplay, find_chromium
from .calibrate import Calibration, calibrate_desktop, calibrate_page
from .target_sheets import Grid

VIEWPORT = Size(1280, 720)
GRID = Grid(20, 10)
ARM_PX = 4  # of a cross


@dataclass(frozen=True)
class Outcome:
    """Of one surface. Without `found`, `why` says what it lacks, or how it failed."""

    surface: str
    ok: bool  # exact, or not there to begin with
    found: Calibration | None = None
    frame: Frame | None = None
    why: str = ""


def calibrate_all(environ: Mapping[str, str], *, viewport: Size = VIEWPORT, grid: Grid = GRID) -> list[Outcome]:
    """Headless pages at scale 1 and 2, a kiosk, and this machine's display, or a virtual one where it has none."""
    headless = find_chromium(environ.get("MOONHAND_CHROMIUM"))
    windowed = find_chromium(environ.get("MOONHAND_CHROMIUM"), headless=False)
    display = environ.get("DISPLAY")
    need_chromium = None if headless else "needs Chromium: sudo apt-get install chromium"
    need_kiosk = None if windowed and shutil.which("Xvfb") else "needs Chromium and Xvfb: apt-get install chromium xvfb"
    need_virtual = None if shutil.which("Xvfb") else "needs Xvfb and openbox: sudo apt-get install xvfb openbox"

    def headless_page(scale: float) -> tuple[Calibration, Frame]:
        return calibrate_page("headless", scale=scale, viewport=viewport, grid=grid, chromium=headless)

    def kiosk() -> tuple[Calibration, Frame]:
        return calibrate_page("kiosk", scale=1, viewport=viewport, grid=grid, chromium=windowed)

    def virtual() -> tuple[Calibration, Frame]:
        with VirtualDisplay(viewport, wm=True) as screen:
            return calibrate_desktop("virtual display", display=screen.display, grid=grid)

    outcomes = [
        _outcome("headless page", need_chromium, lambda: headless_page(1)),
        _outcome("headless page", need_chromium, lambda: headless_page(2)),
        _outcome("kiosk page", need_kiosk, kiosk),
    ]
    if display:
        name = f"display {display}, monitor 1"
        outcomes.append(_outcome(name, None, lambda: calibrate_desktop(name, display=display, grid=grid)))
    else:
        outcomes.append(_outcome("virtual display", need_virtual, virtual))
    return outcomes


def outcomes_to_json(outcomes: list[Outcome]) -> dict[str, object]:
    """`{"ok": ..., "surfaces": [...]}`: each a Calibration as JSON, or its `surface`, `ok` and `why` it has none."""
    return {
        "ok": all(outcome.ok for outcome in outcomes),
        "surfaces": [
            {"surface": outcome.surface, "ok": outcome.ok, "why": outcome.why}
            if outcome.found is None
            else outcome.found.to_json()
            for outcome in outcomes
        ],
    }


def draw_outcomes(outcomes: list[Outcome]) -> bytes:
    """All pictures below each other as a PNG, with a cross on each place that was clicked: green hit, red did not."""
    drawn = [_draw(outcome.found, outcome.frame) for outcome in outcomes if outcome.found and outcome.frame]
    if not drawn:
        raise EnvError("no surface works here, so there is no picture: run moonhand doctor")
    sheet = Image.new("RGB", (max(one.width for one in drawn), sum(one.height for one in drawn)))
    top_px = 0
    for one in drawn:
        sheet.paste(one, (0, top_px))
        top_px += one.height
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    return buffer.getvalue()


def _outcome(surface: str, need: str | None, run: Callable[[], tuple[Calibration, Frame]]) -> Outcome:
    if need is not None:
        return Outcome(surface, True, why=need)
    try:
        found, frame = run()
    except EnvError as error:
        return Outcome(surface, False, why=str(error))
    return Outcome(surface, found.is_exact, found, frame)


def _draw(found: Calibration, frame: Frame) -> Image.Image:
    image = Image.fromarray(frame.pixels_HW3)
    brush = ImageDraw.Draw(image)
    for hit in found.hits:
        colour = (90, 255, 90) if hit.error_px == 0 else (255, 0, 0)
        x_px, y_px = int(hit.x_px), int(hit.y_px)
        brush.line((x_px - ARM_PX, y_px, x_px + ARM_PX, y_px), fill=colour)
        brush.line((x_px, y_px - ARM_PX, x_px, y_px + ARM_PX), fill=colour)
    return image
