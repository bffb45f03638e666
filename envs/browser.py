"""A page in a real Chromium as an environment."""

from __future__ import annotations

import base64
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Self, assert_never, cast

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, CDPSession, Dialog, Page, Request, sync_playwright
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
    describe,
)
from .chromium import INSTALL_CHROMIUM, find_chromium
from .env import Effect, Frame, check_on_screen, nothing_to_do
from .errors import EnvError, NoBrowser, NoDisplay, PageGone, Unreachable
from .geometry import Size
from .page_input import send_input
from .settle import PAGE_QUIET_JS

DEFAULT_VIEWPORT = Size(1280, 720)
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


@dataclass(frozen=True, kw_only=True)
class BrowserConfig:
    """Which page is opened, in which Chromium, and how long we wait for it."""

    url: str
    viewport: Size = DEFAULT_VIEWPORT  # CSS px; a screenshot is this times device_scale
    device_scale: float = 1.0
    headless: bool = True
    executable: str | None = None  # path or name; None: the first that find_chromium knows
    display: str | None = None  # X display of a browser with a window; None: the one in DISPLAY
    dialogs: Literal["dismiss", "accept"] = "dismiss"  # answer to confirm() and prompt(), which no screenshot shows
    restyle: bool = True  # make native <select> lists clickable, hide the blinking caret
    settle_s: float = 2.0  # the longest wait for the page to become still after an action
    timeout_s: float = 30.0  # the longest wait for one answer of the page

    def __post_init__(self) -> None:
        if self.device_scale <= 0:
            raise ValueError(f"device_scale must be > 0, got {self.device_scale}")
        if self.settle_s < 0 or self.timeout_s <= 0:
            raise ValueError(f"need settle_s >= 0 and timeout_s > 0, got {self.settle_s} and {self.timeout_s}")


class BrowserEnv:
    """A page in a Chromium of its own, open for as long as the `with` body lasts.

    It follows the newest tab and returns to the earlier one when that closes. JavaScript dialogs are answered at once
    (alerts and "leave this page?" accepted, the others as `config.dialogs` says) and reported in the next Effect. Use
    it from the thread that opened it. NoBrowser, NoDisplay and Unreachable come before the body starts; PageGone once
    no page is left to look at.
    """

    def __init__(self, config: BrowserConfig) -> None:
        self.config = config
        self._stack = ExitStack()
        self._context: BrowserContext | None = None
        self._browser_pid: int | None = None
        self._pages: list[Page] = []
        self._sessions: dict[Page, CDPSession] = {}
        self._crashed: set[Page] = set()
        self._pending: set[Request] = set()
        self._events: list[str] = []
        self._last: Frame | None = None
        self._ended: str | None = None  # why we ended the browser ourselves

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._forget)
            browser = self._launch(stack)
            self._browser_pid = _process_id(browser)
            self._context = self._new_context(browser)
            self._adopt(self._context.new_page())
            with self._watched(f"opening {self.config.url}", self.config.timeout_s + 5):
                self._open_url(self._current(), self.config.url)
                self._settle()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the page in front."""
        return self._current().url

    def observe(self) -> Frame:
        """The page in front, in native device pixels (viewport times device scale), without the pointer."""
        with self._watched("looking at the page", self.config.timeout_s):
            self._last = self._capture()
        return self._last

    def perform(self, action: Action) -> Effect:
        """Do it with real input events, then wait until the page is still."""
        if isinstance(action, Finish | Refuse):
            return nothing_to_do(action)
        page = self._current()
        check_on_screen(action, self._size() if self._last is None else self._last.size)
        waits_s = action.seconds_s if isinstance(action, Wait) else 0.0
        with self._watched(describe(action), waits_s + self.config.settle_s + 2 * self.config.timeout_s):
            self._pending.clear()  # a request that hangs since before says nothing about this action
            start_s = time.perf_counter()
            try:
                performed = self._act(page, action)
            except PlaywrightError:
                if self._current() is page:
                    raise
                performed = True  # it closed its own tab
            acted_s = time.perf_counter()
            self._settle()
            changed = None if self._last is None else self._capture().differs_from(self._last)
            done_s = time.perf_counter()
        detail = "; ".join((describe(action), *self._events))
        self._events.clear()
        return Effect(performed, detail, changed, acted_s - start_s, done_s - acted_s)

    def evaluate(self, js: str) -> Any:
        """The value of a JavaScript expression in the page in front, to check its state."""
        with self._watched("evaluating a script", self.config.timeout_s):
            return self._current().evaluate(js)

    def close(self) -> None:
        """End the browser; may be called twice."""
        self._stack.close()

    def _launch(self, stack: ExitStack) -> Browser:
        config = self.config
        if not config.headless and sys.platform == "linux":
            display = config.display or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
            if not display:
                raise NoDisplay("a browser with a window needs a display: use headless=True, or VirtualDisplay")
        executable = find_chromium(config.executable, headless=config.headless)
        if config.executable and not executable:
            raise NoBrowser(f"there is no browser at {config.executable!r}: correct the path, or {INSTALL_CHROMIUM}")
        environ: dict[str, str | float | bool] = {**os.environ}
        if config.display:
            environ["DISPLAY"] = config.display
        try:
            manager = sync_playwright()
            playwright = manager.__enter__()
        except PlaywrightError as error:
            raise EnvError(f"{_first_line(error)}: open BrowserEnv in a thread without an asyncio loop") from error
        stack.callback(_quietly, lambda: manager.__exit__(None, None, None))
        try:
            browser = playwright.chromium.launch(
                executable_path=executable,
                headless=config.headless,
                env=environ,
                timeout=config.timeout_s * 1000,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except PlaywrightError as error:
            mend = f"run {executable} by hand to see why" if executable else f"install one: {INSTALL_CHROMIUM}"
            raise NoBrowser(f"Chromium does not start ({_first_line(error)}): {mend}") from error
        stack.callback(_quietly, browser.close)
        return browser

    def _new_context(self, browser: Browser) -> BrowserContext:
        viewport = self.config.viewport
        context = browser.new_context(
            viewport={"width": viewport.width_px, "height": viewport.height_px},
            device_scale_factor=self.config.device_scale,
        )
        context.set_default_timeout(self.config.timeout_s * 1000)
        if self.config.restyle:
            context.add_init_script(PAGE_STYLE_JS)
        context.on("page", self._adopt)
        context.on("dialog", self._answer)
        context.on("request", self._await)
        context.on("requestfinished", self._answered)
        context.on("requestfailed", self._answered)
        return context

    def _forget(self) -> None:
        self._context = None
        self._browser_pid = None
        self._last = self._ended = None
        for known in (self._pages, self._sessions, self._crashed, self._pending, self._events):
            known.clear()

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

    def _await(self, request: Request) -> None:
        if request.resource_type in AWAITED_RESOURCES:
            self._pending.add(request)

    def _answered(self, request: Request) -> None:
        self._pending.discard(request)

    def _answer(self, dialog: Dialog) -> None:
        accepts = dialog.type in ("alert", "beforeunload") or self.config.dialogs == "accept"
        with suppress(PlaywrightError):  # the page may go while it asks
            if accepts:
                dialog.accept()
            else:
                dialog.dismiss()
        self._events.append(f"{'accepted' if accepts else 'dismissed'} {dialog.type} {dialog.message!r}")

    def _current(self) -> Page:
        if self._context is None:
            raise EnvError("this BrowserEnv is not open: use it as `with BrowserEnv(config) as env:`")
        if self._ended is not None:
            raise PageGone(f"{self._ended}: open the environment again")
        for page in [page for page in self._pages if page.is_closed()]:
            self._drop(page)
        if not self._pages:
            raise PageGone("every page of this browser has closed: open the environment again")
        page = self._pages[-1]
        if page in self._crashed:
            raise PageGone(f"the page crashed ({page.url}): open the environment again")
        return page

    def _session(self, page: Page) -> CDPSession:
        if page not in self._sessions:
            viewport = self.config.viewport
            assert self._context is not None
            page.set_viewport_size({"width": viewport.width_px, "height": viewport.height_px})
            session = self._context.new_cdp_session(page)
            # Playwright's device scale holds for its own session only; without this ours captures at scale 1.
            _send(
                session,
                "Emulation.setDeviceMetricsOverride",
                width=viewport.width_px,
                height=viewport.height_px,
                deviceScaleFactor=self.config.device_scale,
                mobile=False,
            )
            self._sessions[page] = session
        return self._sessions[page]

    def _capture(self) -> Frame:
        start_s, captured_at_s = time.perf_counter(), time.time()
        png = self._png()
        with Image.open(io.BytesIO(png)) as image:
            pixels_HW3 = np.asarray(image.convert("RGB"))
        return Frame(pixels_HW3, self.config.device_scale, captured_at_s, time.perf_counter() - start_s)

    def _png(self) -> bytes:
        for _ in range(3):
            page = self._current()
            try:
                # As lossless as page.screenshot and about three times faster.
                answer = _send(self._session(page), "Page.captureScreenshot", format="png", optimizeForSpeed=True)
                return base64.b64decode(answer["data"])
            except PlaywrightError:  # a page that is just closing or changing its process: look again
                with suppress(PlaywrightError):
                    page.wait_for_timeout(50)
        return self._current().screenshot(caret="initial")

    def _size(self) -> Size:
        viewport, scale = self.config.viewport, self.config.device_scale
        return Size(int(viewport.width_px * scale), int(viewport.height_px * scale))

    def _act(self, page: Page, action: Action) -> bool:
        match action:
            case Click() | Move() | Drag() | Scroll() | TypeText() | PressKeys():
                send_input(page, action, scale=self.config.device_scale, viewport=self.config.viewport)
            case Wait():
                page.wait_for_timeout(action.seconds_s * 1000)
            case Navigate():
                self._open_url(page, action.url)
            case Back():
                return self._go_back(page)
            case Finish() | Refuse():
                return False
            case _:
                assert_never(action)
        return True

    def _open_url(self, page: Page, url: str) -> None:
        try:
            page.goto(url, wait_until="domcontentloaded")
        except PlaywrightTimeoutError as error:
            raise Unreachable(
                f"{url} did not answer within {self.config.timeout_s:g} s: try it in a browser, or raise timeout_s"
            ) from error
        except PlaywrightError as error:
            reason = _first_line(error)
            if "interrupted by another navigation" in reason:  # one begun before, such as to an error page
                page.wait_for_load_state()
                page.goto(url, wait_until="domcontentloaded")
            elif "ERR_ABORTED" in reason or "Download is starting" in reason:
                self._events.append(f"the page stayed: {reason}")
            elif "net::" in reason or "invalid URL" in reason:
                raise Unreachable(f"{url} cannot be opened ({reason}): give a full URL that answers") from error
            else:
                raise

    def _go_back(self, page: Page) -> bool:
        history = _send(self._session(page), "Page.getNavigationHistory")
        index = history["currentIndex"]
        # The first entry of the first tab is the empty page it began with.
        if index == 0 or (index == 1 and history["entries"][0]["url"] == "about:blank"):
            self._events.append("there is no earlier page")
            return False
        page.go_back(wait_until="domcontentloaded")
        return True

    def _settle(self) -> None:
        deadline_s = time.perf_counter() + self.config.settle_s
        while (left_s := deadline_s - time.perf_counter()) > 0:
            page = self._current()
            try:
                page.evaluate(PAGE_QUIET_JS, {"quietMs": QUIET_S * 1000, "limitMs": left_s * 1000})
                if not self._pending:
                    return
                page.wait_for_timeout(20)
            except PlaywrightError:  # it navigates, or closes: wait for the next document
                with suppress(PlaywrightError):
                    page.wait_for_timeout(20)

    @contextmanager
    def _watched(self, doing: str, limit_s: float) -> Generator[None]:
        """A page that hangs answers nothing: end its browser after `limit_s`, so that every way out stays open."""
        timer = threading.Timer(limit_s, self._kill, args=(doing, limit_s))
        timer.daemon = True
        timer.start()
        try:
            yield
        except PlaywrightError as error:
            self._current()  # raises PageGone where that is the reason
            raise EnvError(f"{doing} failed ({_first_line(error)})") from error
        finally:
            timer.cancel()

    def _kill(self, doing: str, limit_s: float) -> None:
        self._ended = f"the page did not answer for {limit_s:g} s at: {doing}; its browser was ended"
        if self._browser_pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._browser_pid, signal.SIGKILL)


def _process_id(browser: Browser) -> int | None:
    session = browser.new_browser_cdp_session()
    processes = _send(session, "SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return next((process["id"] for process in processes if process["type"] == "browser"), None)


def _send(session: CDPSession, method: str, **parameters: object) -> dict[str, Any]:
    return cast(Any, session).send(method, parameters)  # its own types are partly unknown


def _quietly(close: Callable[[], object]) -> None:
    with suppress(PlaywrightError):
        close()


def _first_line(error: PlaywrightError) -> str:
    return error.message.strip().splitlines()[0] if error.message.strip() else type(error).__name__
