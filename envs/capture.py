"""The screen at native resolution, as RGB."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

import mss
import numpy as np
from PIL import Image

from .env import Frame, Pixels
from .errors import EnvError, NoDisplay
from .geometry import Region


class ScreenCapture:
    """Grabs one monitor of a display; never resizes.

    `display` is an X display such as ":99", or None for the one in DISPLAY. `monitor` counts from 1; 0 is the union of
    all. `region` is where that monitor lies, in OS points. NoDisplay where nothing can be captured.
    """

    def __init__(self, *, display: str | None = None, monitor: int = 1) -> None:
        check_display(display)
        try:
            self._mss = mss.MSS(display=display) if display else mss.MSS()
        except (mss.ScreenShotError, OSError) as error:
            raise NoDisplay(f"display {display or os.environ.get('DISPLAY')} cannot be captured: {error}") from error
        monitors = self._mss.monitors
        if not 0 <= monitor < len(monitors):
            self._mss.close()
            raise EnvError(f"there is no monitor {monitor}: choose 0 (all) or 1 to {len(monitors) - 1}")
        self._monitor = monitors[monitor]
        self.region = Region(*(self._monitor[key] for key in ("left", "top", "width", "height")))

    def grab(self) -> Pixels:
        """What the monitor shows now: uint8 RGB [height, width, 3], without the pointer. NoDisplay if it went away."""
        try:
            shot = self._mss.grab(self._monitor)
        except (mss.ScreenShotError, OSError, AssertionError) as error:  # mss asserts that X still replies
            raise NoDisplay(f"the display stopped answering ({error}): open the environment again") from error
        # The fourth byte is 0 on X11: taken for alpha, the picture would be fully transparent.
        return np.asarray(Image.frombuffer("RGB", (shot.width, shot.height), shot.raw, "raw", "BGRX", 0, 1))

    def observe(self) -> Frame:
        start_s, captured_at_s = time.perf_counter(), time.time()
        pixels_HW3 = self.grab()
        scale = pixels_HW3.shape[1] / self.region.width_px
        return Frame(pixels_HW3, scale, captured_at_s, time.perf_counter() - start_s)

    def close(self) -> None:
        with suppress(mss.ScreenShotError):  # the display may be gone
            self._mss.close()


def check_display(display: str | None) -> None:
    """Raise NoDisplay where X is needed and no display is named."""
    if sys.platform != "linux" or display or os.environ.get("DISPLAY"):
        return
    session = "a Wayland session without an X display" if os.environ.get("WAYLAND_DISPLAY") else "no DISPLAY"
    raise NoDisplay(
        f"there is {session}: run inside an X session, or on a virtual one with VirtualDisplay "
        "(needs Xvfb: apt-get install -y xvfb)"
    )
