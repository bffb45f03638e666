"""What a browser shows, and when it has come to rest."""

from __future__ import annotations

import time

import numpy as np

from .actions import Action
from .blur import blank
from .change import where_changed
from .env import Change, Frame
from .errors import DialogOpen
from .open_browser import OpenBrowser
from .page_view import Extent, measure
from .settle import Settled
from .wording import action_points, describe

FRESH_S = 0.02  # a look that is no older than this need not be taken again


class BrowserScreen:
    """The tab in front, or the display of a kiosk. Secrets and open dialogs are seen to."""

    def __init__(self, browser: OpenBrowser) -> None:
        self._browser = browser
        self.last: Frame | None = None  # what was observed last
        self._after: Frame | None = None  # what an action left behind
        self._after_until_s = 0.0  # how long that is as good as a look

    @property
    def extent(self) -> Extent:
        """Of what was seen last; before that, of what will be."""
        browser = self._browser
        if self.last is not None:
            return Extent(self.last.size, self.last.scale)
        if browser.kiosk is not None:
            return Extent(browser.kiosk.size, browser.config.device_scale)
        return browser.view.extent or browser.run("measuring", browser.config.timeout_s, lambda: measure(browser.tabs))

    def observe(self) -> Frame:
        """In native device pixels; with the dialog that is open, where it is not on the screen by itself."""
        after, self._after = self._after, None
        if after is not None and time.perf_counter() <= self._after_until_s:
            self.last = after
            return after
        try:
            self.last = self._look()
        except DialogOpen:
            size, scale = self.extent
            base = self.last or Frame(np.full((size.height_px, size.width_px, 3), 255, np.uint8), scale)
            self.last = self._browser.thread.dialogs.draw(base, self._browser.config.timeout_s)
        return self.last

    def forget_after(self) -> None:
        """Something else comes next: what the last action left behind is no longer as good as a look."""
        self._after = None

    def settle(self, action: Action) -> Settled:
        """Wait until all that the action set going has come to rest, or for `settle_s`."""
        browser, kiosk, config = self._browser, self._browser.kiosk, self._browser.config
        # The browser's thread comes to this once it is through with what a dialog had cut short.
        doing, limit_s = describe(action), 2 * config.settle_s + config.timeout_s
        if kiosk is None:
            return browser.run(doing, limit_s, self._settle_page)
        page, drawn, deadline_s = None, Settled(True), time.perf_counter() + config.settle_s
        while page is None:
            try:
                settling = browser.submit(doing, lambda: browser.tabs.settle(config.settle_s))
                drawn = kiosk.settle(deadline_s - time.perf_counter(), (settling, browser.thread.dialogs.opened))
                page = browser.thread.result(settling, doing, limit_s)
            except DialogOpen as error:  # which is on the display, and may have just been touched there
                drawn = kiosk.settle(deadline_s - time.perf_counter())
                if browser.thread.dialogs.words is not None or time.perf_counter() >= deadline_s:
                    browser.tabs.note(str(error))
                    return drawn
        waited_for = tuple(dict.fromkeys((*page.waited_for, *drawn.waited_for)))
        return drawn._replace(is_still=page.is_still, waited_for=waited_for)

    def change(self, action: Action, seen: Frame, settled: Settled) -> Change:
        """What became of it; the look that tells is kept for whoever observes next."""
        browser = self._browser
        kiosk, dialogs = browser.kiosk, browser.thread.dialogs
        if not settled.is_still and browser.tabs.is_loading:
            return "still_moving"
        if dialogs.is_drawn:
            after = dialogs.draw(seen, browser.config.timeout_s)
        elif kiosk is not None and kiosk.last is not None and not browser.safety.secrets.values:
            after = kiosk.last  # which told that it had settled
            browser.tabs.seen = browser.tabs.front()
        else:
            after = self._look()
        self._after, self._after_until_s = after, time.perf_counter() + FRESH_S
        places = action_points(action)
        return where_changed(
            seen.pixels_HW3, after.pixels_HW3, places, is_still=settled.is_still, moving=settled.moving
        )

    def _settle_page(self) -> Settled:
        settled = self._browser.tabs.settle(self._browser.config.settle_s)
        self._browser.wait_for_downloads()
        return settled

    def _look(self) -> Frame:
        """What the screen shows, with the secrets on it covered."""
        browser = self._browser
        tabs, kiosk, safety = browser.tabs, browser.kiosk, browser.safety
        if kiosk is not None and not safety.secrets.values:
            tabs.seen = tabs.front()  # where it is gone the display may well show something
            return kiosk.observe()
        take = kiosk.observe if kiosk is not None else lambda: browser.view.capture(tabs)

        def look() -> Frame:
            page = tabs.front()
            frame = safety.covered(page, take)
            tabs.seen = page
            return frame

        try:
            return browser.run("looking at the page", browser.config.timeout_s, look)
        except DialogOpen:
            if kiosk is None:
                raise
            return blank(kiosk.observe())  # nobody can look for secrets in the page, or find the dialog
