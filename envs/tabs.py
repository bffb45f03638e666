"""The pages of one Chromium, seen and touched through Playwright, from one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from playwright.sync_api import BrowserContext, CDPSession, Dialog, FileChooser, Page
from playwright.sync_api import Error as PlaywrightError

from .actions import Action, CloseTab, GetClipboard, KeyUp, MouseUp, NewTab, SetClipboard, SwitchTab, Wait
from .errors import PageGone, UnsupportedAction
from .page_settle import PageSettler
from .settle import Settled
from .wording import describe

CHOOSER_OPENED = "a file dialog opened, to be answered by an upload"
# For whichever is in front.
FOR_ANY_TAB = (
    NewTab | SwitchTab | CloseTab | Wait | GetClipboard | SetClipboard | KeyUp | MouseUp
)  # whichever is in front


class Tabs:
    """The tabs, oldest first. A new one comes to the front; when that closes, the one that was there before does.

    `prepare` is what is done to a new one before it is seen or touched. `meet` has to answer every dialog: while one is
    open the page answers nothing, a screenshot included. What happens on the side is kept until `take_events`. In a
    browser that is not ours only tabs that our tabs open come to the front. `seen` is the one last looked at.
    PlaywrightError and PageGone come out of every method.
    """

    def __init__(
        self,
        context: BrowserContext,
        page: Page,
        *,
        prepare: Callable[[Page, CDPSession], None],
        meet: Callable[[Dialog], None],
        settler: PageSettler,
        timeout_s: float,
        is_ours: bool,
        takes_files: bool = True,
    ) -> None:
        self.context = context
        self.seen: Page | None = None
        self._is_ours, self._takes_files = is_ours, takes_files
        self._prepare, self._settler = prepare, settler
        self._opened: list[Page] = []  # by us
        self._pages: list[Page] = []  # oldest first
        self._recent: list[Page] = []  # the one in front last
        self._sessions: dict[Page, CDPSession] = {}
        self._crashed: set[Page] = set()
        self._events: list[str] = []
        self._chooser: tuple[Page, FileChooser] | None = None  # a file dialog that waits for its files
        self.context.set_default_timeout(timeout_s * 1000)
        self.context.on("page", self._follow)
        self.context.on("dialog", meet)
        settler.install(context)
        for other in (*(one for one in context.pages if one is not page), page):
            self._adopt(other)
        self._events.clear()

    def front(self) -> Page:
        """The tab in front; PageGone if it crashed or none is left."""
        for page in [page for page in self._pages if page.is_closed()]:
            self._drop(page)
        if not self._pages:
            raise PageGone("every page of this browser has closed: open the environment again")
        page = self._recent[-1]
        if page in self._crashed:
            raise PageGone(f"the page crashed ({page.url}): open the environment again")
        return page

    @property
    def pages(self) -> tuple[Page, ...]:
        """All tabs, oldest first."""
        return tuple(self._pages)

    @property
    def is_loading(self) -> bool:
        """Whether the tab in front still waits for something it asked for."""
        return self._settler.is_loading

    def begin(self, action: Action) -> None:
        """An action comes next: what goes on already says nothing about it.

        UnsupportedAction where it is meant for another tab than the one that is in front by now.
        """
        self._settler.begin(self.front())  # which hears of tabs that have opened meanwhile
        front = self.front()
        if self.seen not in (None, front) and not isinstance(action, FOR_ANY_TAB):
            raise UnsupportedAction(
                f"{describe(action)}: another tab has come to the front since the last look ({front.url}): look again"
            )

    def settle(self, limit_s: float) -> Settled:
        """Wait until the tab in front is still, or for `limit_s`."""
        deadline_s = time.perf_counter() + limit_s
        while True:
            page = self.front()
            with suppress(PlaywrightError):  # it may be on its way to another page
                self.session(page)
            settled = self._settler.wait(self.front, max(0.0, deadline_s - time.perf_counter()))
            if self.front() is page or time.perf_counter() >= deadline_s:
                return settled

    def session(self, page: Page) -> CDPSession:
        """Of the DevTools protocol; the tab is prepared when it is first asked for."""
        if page not in self._sessions:
            session = self.context.new_cdp_session(page)
            self._prepare(page, session)
            self._sessions[page] = session
        return self._sessions[page]

    def open_tab(self) -> None:
        """Open an empty tab in front."""
        page = self.context.new_page()
        self._opened.append(page)
        self._adopt(page)

    def close_opened(self) -> None:
        """Close the tabs that `open_tab` opened and that are still there."""
        for page in self._opened:
            page.close()

    def bring_to_front(self, page: Page) -> None:
        self._recent.remove(page)
        self._recent.append(page)
        page.bring_to_front()
        self.note(f"tab {self._pages.index(page)} of {len(self._pages)} is in front: {page.url}")

    def close_tab(self, page: Page) -> None:
        page.close()
        self._drop(page)
        self.bring_to_front(self.front())

    def replace(self, page: Page) -> None:
        """Close a tab that takes no answer; in its place comes a new one, on the address that it was being sent to."""
        if page not in self._pages:
            return
        url = self._settler.destination(page) or page.url
        index, is_front, events = self._pages.index(page), page is self._recent[-1], self._events.copy()
        fresh = self.context.new_page()
        self._adopt(fresh)
        if page in self._opened or not self._is_ours:
            self._opened.append(fresh)
        page.close()
        self._drop(page)
        self._pages.remove(fresh)
        self._pages.insert(index, fresh)
        if not is_front:
            self._recent.remove(fresh)
            self._recent.insert(0, fresh)
        self._events = events
        self.note(f"a dialog that opened as the page was left had blocked its tab: {url} was opened anew")
        quietly(lambda: fresh.goto(url, wait_until="commit"))

    def take_chooser(self) -> FileChooser | None:
        """The file dialog that is open in the tab in front, which then counts as answered."""
        found = self._chooser
        if found is None or found[0] is not self.front():
            return None
        self._chooser = None
        self._events = [event for event in self._events if event != CHOOSER_OPENED]
        return found[1]

    def note(self, event: str) -> None:
        if event not in self._events:
            self._events.append(event)

    def take_events(self) -> list[str]:
        """What happened on the side since the last call, in words."""
        events = self._events.copy()
        self._events.clear()
        return events

    def _follow(self, page: Page) -> None:
        with suppress(PlaywrightError):  # it has closed again
            if self._is_ours or page.opener() in self._pages:
                self._adopt(page)

    def _adopt(self, page: Page) -> None:
        if page in self._pages:
            return
        if self._pages:
            self._events.append("a new tab opened")
        self._pages.append(page)
        self._recent.append(page)
        page.on("close", self._drop)
        if self._takes_files:  # else the browser shows its own dialog
            page.on("filechooser", lambda chooser: self._note_chooser(page, chooser))
        page.on("framenavigated", lambda frame: self._forget_chooser(page) if frame is page.main_frame else None)
        page.on("crash", lambda crashed: self._crashed.add(crashed))

    def _drop(self, page: Page) -> None:
        if page in self._pages:
            self._pages.remove(page)
            self._recent.remove(page)
            self._events.append("a tab closed")
        self._sessions.pop(page, None)

    def _note_chooser(self, page: Page, chooser: FileChooser) -> None:
        self._chooser = (page, chooser)
        self._events.append(CHOOSER_OPENED)

    def _forget_chooser(self, page: Page) -> None:
        if self._chooser is not None and self._chooser[0] is page:
            self._chooser = None


def first_line(error: PlaywrightError) -> str:
    return error.message.strip().partition("\n")[0] or type(error).__name__


def quietly(close: Callable[[], object]) -> None:
    """Close what may be gone already."""
    with suppress(PlaywrightError):
        close()


def send(session: CDPSession, method: str, **parameters: object) -> dict[str, Any]:
    return cast(Any, session).send(method, parameters)  # its own types are partly unknown
