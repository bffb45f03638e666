"""The screen at native resolution, as RGB."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from .blur import cover
from .env import Frame, Pixels
from .errors import EnvError, NoDisplay
from .geometry import Region
from .grabber import Grabber
from .monitors import Monitor, choose, in_order, x_monitors

if TYPE_CHECKING:
    from .windows import WindowFinder

WAYLAND = (
    "a Wayland session lets no program see or touch the screen: log in to an X session, or work on a virtual display "
    "(VirtualDisplay, or --virtual 1280x800; needs Xvfb: apt-get install -y xvfb)"
)


class ScreenCapture:
    """Grabs one monitor of a display, a region of all of them, or a window; never resizes.

    `display` is an X display such as ":99", or None for the one in DISPLAY. `monitor` is a number, from 1 in their
    order from left to right and top to bottom, or a name; 0 is the union of all. `region` is in OS points. `window` is
    a part of a title; the window is followed, and cut where it reaches beyond the screen. NoDisplay where nothing can
    be captured, EnvError where there is no such monitor, region or window.
    """

    def __init__(
        self,
        *,
        display: str | None = None,
        monitor: int | str = 1,
        region: Region | None = None,
        window: str | None = None,
    ) -> None:
        monitors = check_display(display)
        self._finder: WindowFinder | None = None
        with ExitStack() as stack:
            self._grabber = Grabber(display)
            stack.callback(self.close)
            self._whole, *others = (
                Region(each["left"], each["top"], each["width"], each["height"]) for each in self._grabber.monitors
            )
            if not monitors:
                names = (str(each.get("name", "")) for each in self._grabber.monitors[1:])
                monitors = list(map(Monitor, others, names))
            leftmost = in_order(monitors)[0].region
            self.corner_pt = (leftmost.left_px, leftmost.top_px)  # the top left one of the leftmost monitor
            if window is not None:
                self._finder = _finder(display, window)
                self.region = self._cut(self._finder.rectangle())
            elif region is not None:
                self.region = region
                if self._cut(region) != region:
                    raise EnvError(f"{Monitor(region)} reaches beyond the desktop, which is {Monitor(self._whole)}")
            elif monitor == 0:
                self.region = self._whole
            else:
                self.region = choose(monitors, monitor).region
            stack.pop_all()
        self._raw, self._pixels_HW3 = bytearray(), np.zeros((0, 0, 3), np.uint8)
        self._covers_pt: list[Region] = []  # what nobody is to see, among all monitors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def grab(self) -> Pixels:
        """What the screen shows where it was last observed: uint8 RGB [height, width, 3], without the pointer.

        The very same array as long as nothing there has changed. NoDisplay if the display went away.
        """
        left, top, width, height = map(int, _sides(self.region))
        shot = self._grabber.grab(left, top, width, height)
        if (shot.height, shot.width) != self._pixels_HW3.shape[:2] or shot.raw != self._raw:
            self._raw = shot.raw
            self._pixels_HW3 = _to_rgb(shot.raw, shot.width, shot.height)
            if self._covers_pt:
                self._pixels_HW3 = self._pixels_HW3.copy()
                cover(self._pixels_HW3, self._covered_px(self._pixels_HW3.shape[1] / width))
        return self._pixels_HW3

    def cover(self, box: Region) -> None:
        """From now on let nobody see what lies there, in px of what was grabbed last."""
        scale = self._pixels_HW3.shape[1] / self.region.width_px
        left_pt, top_pt = self.region.left_px + box.left_px / scale, self.region.top_px + box.top_px / scale
        self._covers_pt.append(Region(left_pt, top_pt, box.width_px / scale, box.height_px / scale))
        self._raw = bytearray()

    def _covered_px(self, scale: float) -> list[Region]:
        left_pt, top_pt = self.region.left_px, self.region.top_px
        return [
            Region(
                (box.left_px - left_pt) * scale,
                (box.top_px - top_pt) * scale,
                box.width_px * scale,
                box.height_px * scale,
            )
            for box in self._covers_pt
        ]

    def observe(self) -> Frame:
        """A window is looked for again first, and EnvError where it is gone or off the screen."""
        start_s, captured_at_s = time.perf_counter(), time.time()
        if self._finder is not None:
            self.region = self._cut(self._finder.rectangle())
        pixels_HW3 = self.grab()
        left_pt, top_pt, width_pt, _ = _sides(self.region)
        scale = pixels_HW3.shape[1] / width_pt
        return Frame(pixels_HW3, scale, captured_at_s, time.perf_counter() - start_s, (left_pt, top_pt))

    def close(self) -> None:
        self._grabber.close()
        if self._finder is not None:
            self._finder.close()

    def _cut(self, region: Region) -> Region:
        """The part of it that is on the screen; EnvError where none is."""
        left, top, width, height = _sides(region)
        whole_left, whole_top, whole_width, whole_height = _sides(self._whole)
        right, bottom = min(left + width, whole_left + whole_width), min(top + height, whole_top + whole_height)
        left, top = max(left, whole_left), max(top, whole_top)
        if right - left < 1 or bottom - top < 1:
            raise EnvError(f"{Monitor(region)} lies off the desktop, which is {Monitor(self._whole)}: move it there")
        return Region(left, top, right - left, bottom - top)


def check_display(display: str | None) -> list[Monitor]:
    """The monitors of the X display that is named, or in DISPLAY; empty where X is not needed or does not tell.

    NoDisplay where X is needed and there is none, or one that only shows what X programs draw in a Wayland session.
    """
    if sys.platform != "linux":
        return []
    if not (display or os.environ.get("DISPLAY")):
        if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland":
            raise NoDisplay(WAYLAND)
        raise NoDisplay(
            "there is no DISPLAY: run inside an X session, or on a virtual one with VirtualDisplay "
            "(needs Xvfb: apt-get install -y xvfb)"
        )
    from .windows import connect

    connection = connect(display)
    try:
        monitors = x_monitors(connection)
        if connection.has_extension("XWAYLAND") or any(each.name.startswith("XWAYLAND") for each in monitors):
            raise NoDisplay(WAYLAND)
        return monitors
    finally:
        connection.display.socket.close()


def _finder(display: str | None, window: str) -> WindowFinder:
    if sys.platform != "linux":
        raise EnvError("a window can be captured on X alone: give its region in OS points")
    from .windows import WindowFinder

    return WindowFinder(display, window)


def _sides(region: Region) -> tuple[float, float, float, float]:
    return region.left_px, region.top_px, region.width_px, region.height_px


def _to_rgb(raw: bytearray, width_px: int, height_px: int) -> Pixels:
    """From BGRX in one pass. The fourth byte is 0 on X11: taken for alpha, the picture would be fully transparent."""
    # Called RGBX the bytes are taken as they lie, and written as "BGR" the first and third change places.
    picture = Image.frombuffer("RGBX", (width_px, height_px), raw, "raw", "RGBX", 0, 1)
    return np.frombuffer(picture.tobytes("raw", "BGR"), np.uint8).reshape(height_px, width_px, 3)
