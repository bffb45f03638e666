"""The tab in front as a picture, over the DevTools protocol."""

from __future__ import annotations

import base64
import io
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .env import Frame, Pixels
from .geometry import Size
from .tabs import Tabs, send

TRIES_S = (1.0, 4.0, 10.0)  # how long each may take: Chromium gives no answer where a navigation comes between
FULL_TRIES = 50  # each 20 ms: how long a window may take to fill its display


class Extent(NamedTuple):
    """How large the picture of a page is, and how many of its px make one CSS px."""

    size: Size
    scale: float


class PageView:
    """Looks at the tab in front. Every tab is given `viewport`, in CSS px, at `scale`; None: each keeps its own."""

    def __init__(self, viewport: Size | None, scale: float) -> None:
        self._viewport, self._scale = viewport, scale
        self._png = b""
        self._last: Frame | None = None  # what _png shows

    def prepare(self, page: Page, session: CDPSession) -> None:
        """Give a new tab its extent, for `session` too: Playwright's device scale holds for its own alone."""
        if self._viewport is None:
            return
        width, height = self._viewport.width_px, self._viewport.height_px
        page.set_viewport_size({"width": width, "height": height})  # a popup may have asked for another
        metrics = "Emulation.setDeviceMetricsOverride"
        send(session, metrics, width=width, height=height, deviceScaleFactor=self._scale, mobile=False)

    @property
    def extent(self) -> Extent | None:
        """Of every tab, where they have one in common."""
        if self._viewport is None:
            return None
        width_px, height_px = int(self._viewport.width_px * self._scale), int(self._viewport.height_px * self._scale)
        return Extent(Size(width_px, height_px), self._scale)

    def capture(self, tabs: Tabs) -> Frame:
        """The tab in front in device pixels, lossless, as uint8 RGB; not decoded again where it looks as before."""
        start_s, captured_at_s = time.perf_counter(), time.time()
        png = self._take(tabs)
        if self._last is None or png != self._png:
            with Image.open(io.BytesIO(png)) as image:
                pixels_HW3: Pixels = np.asarray(image.convert("RGB"))
            size, scale = self.extent or measure(tabs)
            # A side of 601.5 px comes as 602: the last of them lies past the page and shows its other edge.
            self._png, self._last = png, Frame(pixels_HW3[: size.height_px, : size.width_px], scale)
        self._last = again(self._last, captured_at_s, time.perf_counter() - start_s)
        return self._last

    def _take(self, tabs: Tabs) -> bytes:
        for number, limit_s in enumerate(TRIES_S):
            page = tabs.front()
            try:
                # As lossless as page.screenshot and about three times faster.
                how: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
                session = tabs.session(page)
                answer = session.send("Page.captureScreenshot", how, timeout=1000 * limit_s)
                if number:
                    # Chromium scales a page to take its picture. One that is cut short leaves it so: later pictures
                    # look right, and clicks land elsewhere.
                    self.prepare(page, session)
                if self._viewport is not None and self._scale != 1:
                    page.evaluate("0")  # input sent at once now and then lands as if the scale still were another
                return base64.b64decode(answer["data"])
            except PlaywrightError:  # a page that is just closing or changing its process: look again
                with suppress(PlaywrightError):
                    page.wait_for_timeout(50)
        page = tabs.front()
        png = page.screenshot(caret="initial")
        self.prepare(page, tabs.session(page))
        return png


def measure(tabs: Tabs) -> Extent:
    """Of the tab in front, which has a size of its own."""
    width, height, scale = tabs.front().evaluate("[innerWidth, innerHeight, devicePixelRatio]")
    return Extent(Size(round(width * scale), round(height * scale)), scale)


def fill_display(page: Page, session: CDPSession) -> None:
    """Let the window of this tab fill its display."""
    window_id = send(session, "Browser.getWindowForTarget")["windowId"]
    send(session, "Browser.setWindowBounds", windowId=window_id, bounds={"windowState": "fullscreen"})
    for _ in range(FULL_TRIES):
        if page.evaluate("innerWidth === screen.width && innerHeight === screen.height"):
            return
        page.wait_for_timeout(20)


def again(frame: Frame, captured_at_s: float, capture_s: float) -> Frame:
    """The same picture, seen once more: what was worked out about it stays known."""
    later = replace(frame, captured_at_s=captured_at_s, capture_s=capture_s)
    if "sha256" in vars(frame):
        vars(later)["sha256"] = frame.sha256
    return later
