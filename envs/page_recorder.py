"""Hears and sees what a person does in a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Self, TypeVar

from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .browser_config import BrowserConfig
from .browser_screen import BrowserScreen
from .errors import DialogOpen, EnvError, PageGone
from .launch import check_launch
from .open_browser import OpenBrowser
from .page_history import PageHistory
from .page_listen import FILES, LISTEN_JS, LISTEN_WORLD, TELL
from .page_nodes import PageNodes
from .page_told import PageTold, Told
from .raw_events import (
    DialogAnswered,
    FilesChosen,
    Heard,
    Look,
    RawEvent,
    ScreenChanged,
    SecretTyped,
    TabClosed,
    TabOpened,
)
from .tabs import send

BUSY_S, IDLE_S = 0.05, 0.15  # between two looks
IDLE_AFTER_S = 1.0  # without an event or a change
LATE_S = 0.06  # events of several frames may come so much out of order

SHUT_SECRET = "password"  # what the script cannot see the name of
PASSWORD_JS = """
function () { return this instanceof HTMLInputElement && this.type === "password" || Boolean(this.shadowRoot); }
"""

T = TypeVar("T")


class PageRecorder:
    """A Chromium that a person works in, open for as long as the `with` body lasts.

    Heard is what the browser itself tells of input (`isTrusted`), in every frame, shadow root and tab, by a script in a
    world of its own: a page neither sees it nor can tell it anything. Of what goes into a field for a password only the
    name of the field is told. `hear` is to be called again and again; it takes 0.05 to 0.3 s. Dialogs are left to the
    person where `config.dialogs` is "ask". NoBrowser, NoDisplay and Unreachable come before the body starts.
    """

    def __init__(self, config: BrowserConfig) -> None:
        self.config = config
        self._stack = ExitStack()
        self._browser = OpenBrowser(config, by_hand=config.surface != "headless")
        self._screen = BrowserScreen(self._browser)
        self._told = PageTold(self._browser.safety.secrets.mask)
        self._history = PageHistory()
        self._pages: list[Page] = []  # that are listened to, oldest first
        self._numbers: dict[Page, int] = {}  # the view of each, which it keeps
        self._frames: dict[Any, str] = {}  # frames that were tried, and their addresses then
        self._mail: list[tuple[Page, CDPSession, dict[str, Any]]] = []  # what came in and was not looked at
        self._early: list[RawEvent] = []  # what was made of it and not handed out
        self._last: Look | None = None
        self._lively_s = 0.0  # when something happened last
        self._front_since_s = 0.0  # when the tab in front came there
        self._is_over = False

    def __enter__(self) -> Self:
        check_launch(self.config)
        browser = self._browser
        with ExitStack() as stack:
            inner = ExitStack()  # of what the browser's thread opens, and so must close
            stack.callback(browser.thread.shut, inner)
            browser.start(inner)
            browser.run("listening", self.config.timeout_s, self._listen)
            with suppress(DialogOpen):  # the page begins with one
                browser.open_page()
                browser.run("listening", self.config.timeout_s, self._begin)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def display(self) -> str | None:
        """The X display that its window is on; None where it has none, or the one in DISPLAY."""
        kiosk = self._browser.kiosk
        return self.config.display if kiosk is None else kiosk.display

    def hear(self) -> Heard:
        """What happened and was seen since the last call; after an error what was left, and that it is over."""
        if self._is_over:
            return Heard(tuple(self._ready()), is_over=True)
        is_idle = time.monotonic() - self._lively_s > IDLE_AFTER_S
        pause_s = IDLE_S if is_idle else BUSY_S
        looks: list[Look] = []
        try:
            self._run("listening", lambda: self._wait(pause_s))
            looks.append(self._look())
        except DialogOpen:  # nothing of the page can be heard or seen meanwhile
            time.sleep(pause_s)
            if self._browser.kiosk is not None:
                looks.append(self._look())
        except PageGone:
            self._is_over = True
        except EnvError:
            self._is_over = True
            raise
        events = self._ready()
        if looks and self._is_new(looks[-1]):
            events.append(ScreenChanged(at_s=looks[-1].ended_s, view=looks[-1].view))
        if events or self._is_over:
            self._lively_s = time.monotonic()
        return Heard(tuple(events), tuple(looks), self._told.is_loading, self._is_over)

    def touch(self, work: Callable[[Page], T]) -> T:
        """Let the browser's thread do something to the page in front, with input over the DevTools protocol."""
        return self._run("touching the page", lambda: work(self._browser.tabs.front()))

    def close(self) -> None:
        """End the browser; may be called twice."""
        self._stack.close()

    def _run(self, doing: str, work: Callable[[], T]) -> T:
        return self._browser.run(doing, self.config.timeout_s, work)

    def _look(self) -> Look:
        began_s = time.monotonic()
        frame = self._screen.observe()
        front = self._browser.tabs.seen
        return Look(frame, began_s, time.monotonic(), self._numbers.get(front, 0) if front is not None else 0)

    def _is_new(self, look: Look) -> bool:
        before, self._last = self._last, look
        return (
            before is not None
            and before.view == look.view
            and (before.frame.pixels_HW3 is not look.frame.pixels_HW3 and before.frame.differs_from(look.frame))
        )

    def _begin(self) -> None:
        """What has happened until now was opening the page."""
        self._listen()
        self._told.scale = self._screen.extent.scale
        for page in self._pages:
            self._history.look(page, self._browser.tabs.session(page))
        front = self._browser.tabs.front()
        send(self._browser.tabs.session(front), "Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        front.wait_for_timeout(1000 * BUSY_S)  # it tells where the page lies on the screen
        mail, self._mail = self._mail, []
        for page, _, message in mail:
            self._told.read(page, self._numbers[page], message)
        self._early.clear()

    def _wait(self, pause_s: float) -> None:
        """Let the browser tell for a while, and make events of that."""
        tabs = self._browser.tabs
        tabs.front().wait_for_timeout(1000 * pause_s)
        with suppress(PlaywrightError, PageGone):
            while (
                self._browser.thread.dialogs.words is not None
            ):  # till the person answers it, nobody else lets it tell
                tabs.front().wait_for_timeout(1000 * BUSY_S)
        self._listen()
        mail, self._mail = self._mail, []
        for page, session, message in mail:
            with suppress(PlaywrightError):  # it has gone meanwhile; what it told was told
                self._open_letter(page, session, message)

    def _open_letter(self, page: Page, session: CDPSession, message: dict[str, Any]) -> None:
        tabs = self._browser.tabs
        view = self._numbers[page]
        told = self._told.read(page, view, message)
        if told.kind == "hello" or told.kind == "moved":
            self._early += self._history.went(page, tabs.session(page), view, told.at_s)
        elif told.kind == "files":
            paths = self._paths(session, message["context"], message["names"])
            self._early.append(FilesChosen(at_s=told.at_s, view=view, paths=paths))
        is_typed = message.get("text") or message.get("key") in ("Backspace", "Delete")
        if message.get("shut") and is_typed and self._is_secret(page):
            told = told._replace(event=SecretTyped(at_s=told.at_s, view=view, name=SHUT_SECRET))
        if told.event is not None:
            self._early += self._to_front(page, told)
            self._early.append(told.event)

    def _to_front(self, page: Page, told: Told) -> list[RawEvent]:
        """The tab that a person does something in is the one in front."""
        tabs = self._browser.tabs
        front = tabs.front()
        if page is front or page not in tabs.pages or told.at_s <= self._front_since_s:
            return []
        tabs.bring_to_front(page)
        self._front_since_s = told.at_s
        return [self._told.switched(self._numbers.get(front, 0), tabs.pages.index(page), told.at_s)]

    def _is_secret(self, page: Page) -> bool:
        """Whether what has the focus, in a closed shadow root, may be a field for a password."""
        try:
            focused = PageNodes(self._browser.tabs.session).focus(page)
            return not focused or focused[-1].call(PASSWORD_JS) is not False
        except PlaywrightError:
            return True

    def _paths(self, session: CDPSession, context_id: int, names: list[str]) -> tuple[str, ...]:
        """Where the files are that were chosen; their names, where the browser does not tell."""
        paths: list[str] = []
        for number, name in enumerate(names):
            try:
                found = send(session, "Runtime.evaluate", expression=f"{FILES}[{number}]", contextId=context_id)
                told = send(session, "DOM.getFileInfo", objectId=found["result"]["objectId"])
                paths.append(str(told["path"]) or name)
            except (PlaywrightError, KeyError):
                paths.append(name)
        return tuple(paths) or ("",)

    def _ready(self) -> list[RawEvent]:
        """The events that none earlier will follow, in order."""
        until_s = float("inf") if self._is_over else time.monotonic() - LATE_S
        self._early.sort(key=lambda event: event.at_s)
        ready = [event for event in self._early if event.at_s <= until_s]
        self._early = self._early[len(ready) :]
        return ready

    def _listen(self) -> None:
        """Listen to tabs and frames that are new, and note what became of the others."""
        tabs = self._browser.tabs
        with suppress(PageGone):
            tabs.front()  # which hears of tabs that have closed
        for page in tabs.pages:
            if page not in self._pages:
                with suppress(PlaywrightError):
                    self._listen_to_page(page)
        for page in [page for page in self._pages if page not in tabs.pages]:
            number = self._pages.index(page)
            self._pages.remove(page)
            closed = TabClosed(at_s=time.monotonic(), view=self._numbers[page], index=number)
            if tabs.pages:
                self._early.append(closed)
        for page in self._pages:
            for frame in page.frames[1:]:
                if self._frames.get(frame) != frame.url:
                    self._frames[frame] = frame.url
                    with suppress(PlaywrightError):  # it shares the process, and so the session, of the page
                        self._listen_in(page, page.context.new_cdp_session(frame))

    def _listen_to_page(self, page: Page) -> None:
        opener, session = page.opener(), self._browser.tabs.session(page)
        self._numbers.setdefault(page, len(self._numbers))
        self._pages.append(page)
        self._listen_in(page, session)
        on: Callable[[str, Callable[[Any], None]], object] = getattr(session, "on")  # noqa: B009 (partly unknown types)
        send(session, "Page.enable")
        on("Page.navigatedWithinDocument", lambda _: self._note(page, session, {"kind": "moved"}))
        on("Page.javascriptDialogClosed", lambda told: self._dialog_closed(page, told))
        if len(self._numbers) > 1:
            opened = TabOpened(at_s=time.monotonic(), view=self._numbers[page], by_page=opener is not None)
            self._early.append(opened)
            self._front_since_s = opened.at_s
            self._history.look(page, session)

    def _listen_in(self, page: Page, session: CDPSession) -> None:
        on: Callable[[str, Callable[[Any], None]], object] = getattr(session, "on")  # noqa: B009
        on("Runtime.bindingCalled", lambda call: self._take(page, session, call))
        send(session, "Runtime.enable")
        send(session, "Runtime.addBinding", name=TELL, executionContextName=LISTEN_WORLD)
        send(
            session,
            "Page.addScriptToEvaluateOnNewDocument",
            source=LISTEN_JS,
            worldName=LISTEN_WORLD,
            runImmediately=True,
        )

    def _take(self, page: Page, session: CDPSession, call: dict[str, Any]) -> None:
        if call["name"] == TELL:
            self._note(page, session, self._told.parse(call["payload"]) | {"context": call["executionContextId"]})

    def _note(self, page: Page, session: CDPSession, message: dict[str, Any]) -> None:
        self._mail.append((page, session, message))

    def _dialog_closed(self, page: Page, told: dict[str, Any]) -> None:
        self._browser.thread.dialogs.gone()
        if self.config.dialogs == "ask":
            view = self._numbers.get(page, 0)
            text = str(told.get("userInput") or "")
            self._early.append(DialogAnswered(at_s=time.monotonic(), view=view, accept=bool(told["result"]), text=text))
