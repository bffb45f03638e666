"""Whether the mouse has come to the frame that lies under it, where that frame is drawn by another process."""

from __future__ import annotations

import time

from playwright.sync_api import Page

from .page_nodes import PageNodes

NEAR_S = 2.0  # then it is pressed all the same
PAUSE_S = 0.02


class PagePointer:
    """Moves the mouse before it is pressed.

    On a busy machine Chromium may not learn in time which process draws what lies at a place, and then sends the mouse
    to the frame that had it before, far outside of that; the press would go there too, and the keys after it. A frame
    that has the mouse says so: its root matches `:hover`.
    """

    def __init__(self, nodes: PageNodes) -> None:
        self._nodes = nodes

    def bring(self, page: Page, place: tuple[float, float]) -> None:
        """Move it to a place in CSS px until the frame there has it, for NEAR_S at most; nothing on a page that shows
        no frames. PlaywrightError where the page is gone."""
        if len(page.frames) == 1:
            return
        end_s = time.monotonic() + NEAR_S
        while True:
            page.mouse.move(*place)
            if self._nodes.has_mouse_at(page, place) or time.monotonic() > end_s:
                return
            page.wait_for_timeout(1000 * PAUSE_S)
