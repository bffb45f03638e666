"""The pages of one Chromium, seen and touched through Playwright, from one thread."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, assert_never, cast

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Dialog, Page, Request
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from .actions import (
    Action,
    Back,
    Click,
    Drag,
    Finish,
    Move,
    Navigate,
    PressKeys,
    Refuse,
    Scroll,
    TypeText,
    Wait,
)
from .env import Frame
from .errors import PageGone, Unreachable
from .geometry import Size
from .page_input import send_input
from .settle import PAGE_QUIET_JS

QUIET_S = 0.05
AWAITED_RESOURCES = frozenset(("document", "stylesheet", "script", "image", "font", "fetch", "xhr"))

# A native <select> opens a popup that is drawn but lets clicks through to what lies under it; as `base-select` its list
# belongs to the page. A blinking caret would make two looks at an idle page differ. An adopted style sheet is not
# subject to the page's content security policy.
PAGE_STYLE_JS = """
(() => {
  const sheet = new CSSStyleSheet();
  const single = "select:not([multiple]):not([size])";
  sheet.replaceSync(`${single}, ${single}::picker(select) { appearance: base-select }
    * { caret-color: transparent !important }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
})()
"""


class Tabs:
    """The newest tab is the one in front; when it closes, the one before it is again.

    Dialogs are answered at once: while one is open the page answers nothing, a screenshot included. What happens on
    the side is kept until `take_events`. PlaywrightError, PageGone and Unreachable come out of every method.
    """

    def __init__(
        self,
        browser: Browser,
        *,
        viewport: Size,
        scale: float,
        dialogs: Literal["dismiss", "accept"],
        restyle: bool,
        timeout_s: float,
    ) -> None:
        self._viewport, self._scale, self._dialogs, self._timeout_s = viewport, scale, dialogs, timeout_s
        self._pages: list[Page] = []
        self._sessions: dict[Page, CDPSession] = {}
        self._crashed: set[Page] = set()
        self._pending: set[Request] = set()
        self._events: list[str] = []
        self._context = browser.new_context(
            viewport={"width": viewport.width_px, "height": viewport.height_px}, device_scale_factor=scale
        )
        self._context.set_default_timeout(timeout_s * 1000)
        if restyle:
            self._context.add_init_script(PAGE_STYLE_JS)
        self._context.on("page", self._adopt)
        self._context.on("dialog", self._answer_dialog)
        self._context.on("request", self._note_request)
        self._context.on("requestfinished", self._note_answer)
        self._context.on("requestfailed", self._note_answer)
        self._adopt(self._context.new_page())

    def front(self) -> Page:
        """The tab in front; PageGone if it crashed or none is left."""
        for page in [page for page in self._pages if page.is_closed()]:
            self._drop(page)
        if not self._pages:
            raise PageGone("every page of this browser has closed: open the environment again")
        page = self._pages[-1]
        if page in self._crashed:
            raise PageGone(f"the page crashed ({page.url}): open the environment again")
        return page

    def capture(self) -> Frame:
        """The tab in front in device pixels, lossless, as uint8 RGB."""
        start_s, captured_at_s = time.perf_counter(), time.time()
        with Image.open(io.BytesIO(self._png())) as image:
            pixels_HW3 = np.asarray(image.convert("RGB"))
        return Frame(pixels_HW3, self._scale, captured_at_s, time.perf_counter() - start_s)

    def act(self, action: Action) -> bool:
        """Do it in the tab in front; whether there was anything to do."""
        self._pending.clear()  # a request that hangs since before says nothing about this action
        page = self.front()
        try:
            return self._act(page, action)
        except PlaywrightError:
            if self.front() is page:
                raise
            return True  # it closed its own tab

    def settle(self, limit_s: float) -> None:
        """Wait until the tab in front is quiet and has all it asked for, or for `limit_s`."""
        deadline_s = time.perf_counter() + limit_s
        while (left_s := deadline_s - time.perf_counter()) > 0:
            page = self.front()
            with suppress(PlaywrightError):  # it navigates or closes: wait for the next document
                page.evaluate(PAGE_QUIET_JS, {"quietMs": QUIET_S * 1000, "limitMs": left_s * 1000})
                if not self._pending:
                    return
            with suppress(PlaywrightError):
                page.wait_for_timeout(20)

    def open_url(self, url: str, *, tries: int = 2) -> None:
        """Load a page; Unreachable where the URL does not answer."""
        page = self.front()
        try:
            page.goto(url, wait_until="domcontentloaded")
        except PlaywrightTimeoutError as error:
            raise Unreachable(
                f"{url} did not answer within {self._timeout_s:g} s: try it in a browser, or raise timeout_s"
            ) from error
        except PlaywrightError as error:
            reason = first_line(error)
            if "interrupted by another navigation" in reason and tries > 1:  # one begun before, as to an error page
                page.wait_for_load_state()
                self.open_url(url, tries=tries - 1)
            elif "ERR_ABORTED" in reason or "Download is starting" in reason:
                self._events.append(f"the page stayed: {reason}")
            elif "net::" in reason or "invalid URL" in reason:
                raise Unreachable(f"{url} cannot be opened ({reason}): give a full URL that answers") from error
            else:
                raise

    def take_events(self) -> list[str]:
        """What happened on the side since the last call, in words."""
        events = self._events.copy()
        self._events.clear()
        return events

    def _act(self, page: Page, action: Action) -> bool:
        match action:
            case Click() | Move() | Drag() | Scroll() | TypeText() | PressKeys():
                send_input(page, action, scale=self._scale, viewport=self._viewport)
            case Wait():
                page.wait_for_timeout(action.seconds_s * 1000)
            case Navigate():
                self.open_url(action.url)
            case Back():
                return self._go_back(page)
            case Finish() | Refuse():
                return False
            case _:
                assert_never(action)
        return True

    def _go_back(self, page: Page) -> bool:
        history = _send(self._session(page), "Page.getNavigationHistory")
        index = history["currentIndex"]
        # The first entry of the first tab is the empty page it began with.
        if index == 0 or (index == 1 and history["entries"][0]["url"] == "about:blank"):
            self._events.append("there is no earlier page")
            return False
        page.go_back(wait_until="domcontentloaded")
        return True

    def _png(self) -> bytes:
        for _ in range(3):
            page = self.front()
            try:
                # As lossless as page.screenshot and about three times faster.
                answer = _send(self._session(page), "Page.captureScreenshot", format="png", optimizeForSpeed=True)
                if self._scale != 1:
                    page.evaluate("0")  # input sent at once now and then lands as if the scale still were another
                return base64.b64decode(answer["data"])
            except PlaywrightError:  # a page that is just closing or changing its process: look again
                with suppress(PlaywrightError):
                    page.wait_for_timeout(50)
        return self.front().screenshot(caret="initial")

    def _session(self, page: Page) -> CDPSession:
        if page not in self._sessions:
            width, height = self._viewport.width_px, self._viewport.height_px
            page.set_viewport_size({"width": width, "height": height})  # a popup may have asked for another
            session = self._context.new_cdp_session(page)
            # Playwright's device scale holds for its own session only; without this ours captures at scale 1.
            metrics = "Emulation.setDeviceMetricsOverride"
            _send(session, metrics, width=width, height=height, deviceScaleFactor=self._scale, mobile=False)
            self._sessions[page] = session
        return self._sessions[page]

    def _adopt(self, page: Page) -> None:
        if page in self._pages:
            return
        if self._pages:
            self._events.append("a new tab opened")
        self._pages.append(page)
        page.on("close", self._drop)
        page.on("crash", lambda crashed: self._crashed.add(crashed))
        page.on("download", lambda download: self._events.append(f"download began: {download.suggested_filename}"))

    def _drop(self, page: Page) -> None:
        if page in self._pages:
            self._pages.remove(page)
            self._events.append("a tab closed")
        self._sessions.pop(page, None)
        self._pending.clear()

    def _note_request(self, request: Request) -> None:
        if request.resource_type in AWAITED_RESOURCES:
            self._pending.add(request)

    def _note_answer(self, request: Request) -> None:
        self._pending.discard(request)

    def _answer_dialog(self, dialog: Dialog) -> None:
        accepts = dialog.type in ("alert", "beforeunload") or self._dialogs == "accept"
        with suppress(PlaywrightError):  # the page may go while it asks
            if accepts:
                dialog.accept()
            else:
                dialog.dismiss()
        self._events.append(f"{'accepted' if accepts else 'dismissed'} {dialog.type} {dialog.message!r}")


def browser_process_id(browser: Browser) -> int | None:
    session = browser.new_browser_cdp_session()
    processes = _send(session, "SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next((process["id"] for process in processes if process["type"] == "browser"), None)


def first_line(error: PlaywrightError) -> str:
    return error.message.strip().partition("\n")[0] or type(error).__name__


def quietly(close: Callable[[], object]) -> None:
    """Close what may be gone already."""
    with suppress(PlaywrightError):
        close()


def _send(session: CDPSession, method: str, **parameters: object) -> dict[str, Any]:
    return cast(Any, session).send(method, parameters)  # its own types are partly unknown
