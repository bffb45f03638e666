"""Which pages came of a form that was posted: loading them again would send it again."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from playwright.sync_api import BrowserContext, Frame, Page, Request
from playwright.sync_api import Error as PlaywrightError


class PagePosts:
    """Of all pages of a context, from now on."""

    def __init__(self, context: BrowserContext) -> None:
        self._asked: WeakKeyDictionary[Frame, str] = WeakKeyDictionary()  # how the next document was asked for
        self._made: WeakKeyDictionary[Frame, str] = WeakKeyDictionary()  # and the one that is there
        self._apart: dict[str, str] = {}  # address -> how it was asked for, for tabs that were only just made
        context.on("request", self._ask)
        context.on("requestfailed", self._fail)
        context.on("page", self._watch)
        for page in context.pages:
            self._watch(page)

    def made(self, page: Page) -> bool:
        """Whether the page, or a frame in it, came of a POST."""
        return any(self._made.get(frame, self._apart.get(frame.url)) == "POST" for frame in page.frames)

    def _watch(self, page: Page) -> None:
        page.on("framenavigated", self._arrive)

    def _ask(self, request: Request) -> None:
        if not request.is_navigation_request():
            return
        try:
            self._asked[request.frame] = request.method
        except PlaywrightError:  # its tab is not there yet
            self._apart[request.url] = request.method

    def _fail(self, request: Request) -> None:
        if request.is_navigation_request() and "ERR_ABORTED" in (request.failure or ""):  # a download: the page stayed
            try:
                self._asked.pop(request.frame, None)
            except PlaywrightError:
                self._apart.pop(request.url, None)

    def _arrive(self, frame: Frame) -> None:
        if frame in self._asked:
            self._made[frame] = self._asked.pop(frame)
