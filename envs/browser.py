"""A page in a real Chromium as an environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Self, TypeVar

import numpy as np
from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from .actions import (
    KINDS,
    UNTOUCHING,
    Action,
    AnswerDialog,
    Back,
    Drag,
    Forward,
    Navigate,
    NewTab,
    PressKeys,
    Reload,
    TypeText,
    Upload,
    Wait,
)
from .browser_config import BrowserConfig
from .browser_thread import BrowserThread
from .change import where_changed
from .chromium import INSTALL_CHROMIUM, find_chromium
from .env import Change, Done, Effect, Frame, check_on_screen, nothing_to_do, require_kind
from .errors import DialogOpen, EnvError, NoBrowser, NoDisplay, UnsupportedAction
from .geometry import Size
from .page_actions import PageActor
from .page_dialogs import Dialogs
from .risk import Risk, risks_of
from .tabs import Tabs, browser_process_id, first_line, quietly
from .wording import action_points, describe

START_LIMIT_S = 90.0

T = TypeVar("T")


class BrowserEnv:
    """A page in a Chromium of its own, open for as long as the `with` body lasts.

    It follows a new tab and returns to the earlier one when that closes. No screenshot shows a JavaScript dialog. They
    are answered at once (alerts and "leave this page?" accepted, the others as `config.dialogs` says) and reported in
    the next Effect. With dialogs="ask" each stays open, which blocks the page: the Effect tells of it, `observe` gives
    the last frame again, and until an AnswerDialog all else is DialogOpen.
    NoBrowser, NoDisplay and Unreachable come before the body starts; PageGone once no page is left to look at. The
    browser is driven from a thread of its own: several environments live side by side, also under a running asyncio
    loop.
    """

    def __init__(self, config: BrowserConfig) -> None:
        self.config = config
        self._stack = ExitStack()  # of what close() undoes
        self._thread: BrowserThread | None = None
        self._tabs: Tabs | None = None
        self._actor: PageActor | None = None
        self._last: Frame | None = None

    def __enter__(self) -> Self:
        config = self.config
        self._check_config()
        with ExitStack() as stack:
            self._thread = BrowserThread(Dialogs(config.dialogs, lambda event: self._open_tabs().note(event)))
            stack.callback(self._forget)
            inner = ExitStack()  # of what the thread opens, and so must close
            stack.callback(self._thread.shut, inner)
            self._run("starting the browser", 2 * START_LIMIT_S, lambda: self._start(inner))
            with suppress(DialogOpen):  # the page begins with one
                self._run(f"opening {config.url}", 2 * config.timeout_s + config.settle_s, self._open)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kinds(self) -> frozenset[str]:
        """All but starting programs; dialogs only where they are asked about."""
        others = {"open_app"} if self.config.dialogs == "ask" else {"open_app", "dialog"}
        return KINDS - UNTOUCHING - others

    @property
    def url(self) -> str:
        """The address of the page in front."""
        return self._run("reading the address", self.config.timeout_s, lambda: self._open_tabs().front().url)

    def observe(self) -> Frame:
        """The page in front, in native device pixels (viewport times device scale), without the pointer."""
        try:
            self._last = self._run("looking at the page", self.config.timeout_s, lambda: self._open_tabs().capture())
        except DialogOpen:
            if self._last is None:
                size = self._size()
                self._last = Frame(np.full((size.height_px, size.width_px, 3), 255, np.uint8), self.config.device_scale)
        return self._last

    def perform(self, action: Action) -> Effect:
        """Do it with real input events, then wait until the page is still."""
        tabs = self._open_tabs()
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        check_on_screen(action, self._size() if self._last is None else self._last.size)
        if self.config.dialogs == "ask":
            self._look_for_dialog(action)
        start_s, limit_s = time.perf_counter(), self._limit_s(action)
        try:
            if isinstance(action, AnswerDialog):
                done, acted_s, change = self._answer(action, limit_s)
            else:
                done, acted_s, change = self._run(describe(action), limit_s, lambda: self._perform(action))
        except DialogOpen as open_now:
            done, acted_s, change = Done(), time.perf_counter(), None
            events = [*tabs.take_events(), str(open_now)]
        else:
            events = tabs.take_events()
        return Effect(
            performed=done.performed,
            detail="; ".join((describe(action), *events)),
            changed=None if change is None else change != "no_change",
            act_s=acted_s - start_s,
            settle_s=time.perf_counter() - acted_s,
            change=change,
            answer=done.answer,
        )

    def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed."""
        return risks_of(action)

    def evaluate(self, js: str) -> Any:
        """The value of a JavaScript expression in the page in front, to check its state."""
        return self._run("evaluating a script", self.config.timeout_s, lambda: self._open_tabs().front().evaluate(js))

    def close(self) -> None:
        """Let go of held keys and buttons and end the browser; may be called twice."""
        self._stack.close()

    def _check_config(self) -> None:
        config = self.config
        if config.executable and not find_chromium(config.executable):
            raise NoBrowser(f"there is no browser at {config.executable!r}: correct the path, or {INSTALL_CHROMIUM}")
        if config.surface != "headless" and sys.platform == "linux":
            display = config.display or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
            if not display:
                raise NoDisplay(
                    "a browser with a window needs a display: choose the headless surface, or VirtualDisplay"
                )

    def _start(self, stack: ExitStack) -> None:
        config = self.config
        manager = sync_playwright()
        playwright = manager.__enter__()
        stack.callback(quietly, lambda: manager.__exit__(None, None, None))
        browser = self._launch(playwright)
        stack.callback(quietly, browser.close)
        thread = self._open_thread()
        thread.process_id = browser_process_id(browser)
        self._tabs = Tabs(
            browser,
            viewport=config.viewport,
            scale=config.device_scale,
            meet=thread.dialogs.meet,
            restyle=config.restyle,
            timeout_s=config.timeout_s,
        )
        self._actor = PageActor(
            browser, self._tabs, scale=config.device_scale, viewport=config.viewport, timeout_s=config.timeout_s
        )
        stack.callback(self._actor.release)

    def _launch(self, playwright: Playwright) -> Browser:
        config = self.config
        executable = find_chromium(config.executable, headless=(config.surface == "headless"))
        environ: dict[str, str | float | bool] = {**os.environ}
        if config.display:
            environ["DISPLAY"] = config.display
        try:
            return playwright.chromium.launch(
                executable_path=executable,
                headless=(config.surface == "headless"),
                env=environ,
                timeout=START_LIMIT_S * 1000,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except PlaywrightError as error:
            mend = f"run {executable} by hand to see why" if executable else f"install one: {INSTALL_CHROMIUM}"
            raise NoBrowser(f"Chromium does not start ({first_line(error)}): {mend}") from error

    def _open(self) -> None:
        assert self._actor is not None
        self._actor.open_url(self.config.url)
        self._open_tabs().settle(self.config.settle_s)

    def _limit_s(self, action: Action) -> float:
        """How long it may take before the page counts as one that hangs."""
        takes_s = 0.0
        match action:
            case Wait():
                takes_s = action.seconds_s
            case PressKeys():
                takes_s = action.repeat * action.hold_s
            case TypeText():
                takes_s = len(action.text) * 0.02
            case Drag():
                takes_s = len(action.path) * 0.5
            case Navigate() | Back() | Forward() | Reload() | NewTab() | Upload():
                takes_s = self.config.timeout_s  # Playwright's own limit, which it should reach first
            case AnswerDialog():
                takes_s = self.config.settle_s  # of what the dialog had cut short
            case _:
                pass
        return takes_s + self.config.settle_s + self.config.timeout_s

    def _perform(self, action: Action) -> tuple[Done, float, Change | None]:
        assert self._actor is not None
        done = self._actor.act(action, self._last)
        return done, time.perf_counter(), self._settled(action)

    def _settled(self, action: Action) -> Change | None:
        tabs = self._open_tabs()
        is_still = tabs.settle(self.config.settle_s)
        if self._last is None:
            return None
        places = action_points(action)
        if not is_still and tabs.is_loading:
            return "still_moving"
        return where_changed(self._last.pixels_HW3, tabs.capture().pixels_HW3, places, is_still=is_still)

    def _look_for_dialog(self, action: Action) -> None:
        """Let a dialog that a timer opened show up before the action, which it would hold back and then let happen."""
        try:
            self._run(describe(action), self.config.timeout_s, lambda: self._open_tabs().front().evaluate("0"))
        except DialogOpen:
            if not isinstance(action, AnswerDialog):
                raise

    def _answer(self, action: AnswerDialog, limit_s: float) -> tuple[Done, float, Change | None]:
        thread = self._open_thread()
        if thread.dialogs.words is None:
            raise UnsupportedAction(f"{describe(action)}: none is open")
        cut_short = thread.answer(action)
        acted_s = time.perf_counter()
        # The browser's thread comes to this once it is through with what the dialog cut short.
        change: Change | None = self._run(describe(action), limit_s, lambda: self._settled(action))
        if cut_short is not None and cut_short.done() and (error := cut_short.exception()) is not None:
            self._open_tabs().note(str(error))
        return Done(), acted_s, change

    def _size(self) -> Size:
        viewport, scale = self.config.viewport, self.config.device_scale
        return Size(int(viewport.width_px * scale), int(viewport.height_px * scale))

    def _open_thread(self) -> BrowserThread:
        if self._thread is None:
            raise EnvError("this BrowserEnv is not open: use it as `with BrowserEnv(config) as env:`")
        self._thread.check()
        return self._thread

    def _open_tabs(self) -> Tabs:
        self._open_thread()
        assert self._tabs is not None
        return self._tabs

    def _run(self, doing: str, limit_s: float, work: Callable[[], T]) -> T:
        """Let the browser's thread do it."""
        return self._open_thread().run(doing, limit_s, lambda: self._translated(doing, work))

    def _translated(self, doing: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except PlaywrightError as error:
            if self._tabs is not None:
                self._tabs.front()  # raises PageGone where that is the reason
            raise EnvError(f"{doing} failed ({first_line(error)})") from error

    def _forget(self) -> None:
        self._thread = self._tabs = self._actor = self._last = None
