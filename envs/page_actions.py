"""Actions carried out on the tabs of a Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from .actions import (
    Action,
    AnswerDialog,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    PressKeys,
    Refuse,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    Zoom,
)
from .env import Done, Frame, Pixels
from .errors import Unreachable, UnsupportedAction
from .geometry import Size
from .origins import OriginRules
from .page_controls import leave_full_screen, select_option, upload, use_clipboard
from .page_input import PageHands, pause
from .page_pointer import PagePointer
from .page_view import Extent, PageView
from .settle import PATIENT_S, STILL_S, settle_pixels, wait_until_changed
from .tabs import Tabs, first_line, send
from .wording import action_points, describe


class PageActor:
    """Touches the tab in front. PlaywrightError, PageGone and Unreachable come out of its methods."""

    def __init__(
        self,
        browser: Browser,
        tabs: Tabs,
        view: PageView,
        rules: OriginRules,
        pointer: PagePointer,
        *,
        timeout_s: float,
        check: Callable[[], object],
    ) -> None:
        """`check` is asked in pauses, and may end them by an exception."""
        self._check = check
        self._rules, self._pointer = rules, pointer
        self._browser, self._tabs, self._view, self._timeout_s = browser, tabs, view, timeout_s
        self._hands = PageHands(scale=1.0, viewport=Size(1, 1), check=check)

    def act(self, action: Action, extent: Extent, seen: Frame | None = None) -> Done:
        """Do it in the tab in front. `extent` is that of the picture that the action's points lie on, `seen` is what
        whoever asks for it saw last.

        UnsupportedAction comes before anything is touched. Held keys and buttons are let go after any error.
        """
        self._tabs.begin(action)
        page = self._tabs.front()
        if not isinstance(action, Navigate | NewTab | SwitchTab | CloseTab | Back):
            self._check_rules(action, page.url)  # somebody's own tab, in a browser that ran before
        size, scale = extent
        width_px, height_px = round(size.width_px / scale), round(size.height_px / scale)
        self._hands.aim(scale=scale, viewport=Size(width_px, height_px))
        try:
            return self._act(page, action, seen)
        except PlaywrightError:
            if self._tabs.front() is page:
                self.release()
                raise
            return Done()  # it closed its own tab
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go of all keys and buttons that are held; never fails."""
        self._hands.release()

    def use_clipboard(self, action: GetClipboard | SetClipboard) -> str | None:
        """The text on the clipboard, or None once the action's text is on it."""
        return use_clipboard(self._browser, action)

    def open_url(self, url: str, *, tries: int = 5) -> None:
        """Load a page; Unreachable where the URL does not answer."""
        page = self._tabs.front()
        try:
            page.goto(url, wait_until="domcontentloaded")
        except PlaywrightTimeoutError as error:
            raise Unreachable(
                f"{url} did not answer within {self._timeout_s:g} s: try it in a browser, or raise timeout_s"
            ) from error
        except PlaywrightError as error:
            reason = first_line(error)
            # By one begun before, as to an error page, or by that of our own last try.
            if "interrupted by another navigation" in reason and tries > 1:
                page.wait_for_timeout(50)
                page.wait_for_load_state()
                self.open_url(url, tries=tries - 1)
            elif "ERR_BLOCKED_BY_CLIENT" in reason and self._rules:
                self._tabs.note("it sends on to where the rules do not allow: go back")
            elif "ERR_INVALID_AUTH" in reason:
                pass  # which is told of where the request fails
            elif "ERR_ABORTED" in reason or "Download is starting" in reason:
                self._tabs.note(f"the page stayed: {reason}")
            elif "net::" in reason or "invalid URL" in reason:
                raise Unreachable(f"{url} cannot be opened ({reason}): give a full URL that answers") from error
            else:
                raise

    def _act(self, page: Page, action: Action, seen: Frame | None) -> Done:
        css = self._hands.css
        match action:
            case (
                Click() | Move() | Drag() | MouseDown() | MouseUp() | Scroll()
                | TypeText() | PressKeys() | KeyDown() | KeyUp()
            ):  # fmt: skip
                if isinstance(action, PressKeys) and action.keys == ("escape",) and leave_full_screen(page):
                    return Done()
                if isinstance(action, Click | MouseDown | Drag) and (points := action_points(action)):
                    self._pointer.bring(page, css(points[0]))
                self._hands.send(page, action)
            case Wait():
                self._wait(page, action, seen)
            case GetClipboard() | SetClipboard():
                return Done(answer=self.use_clipboard(action))
            case SelectOption():
                select_option(page, action, css(action.point))
            case Upload():
                return self._upload(page, action)
            case Navigate():
                self._check_rules(action, action.url)
                self.open_url(action.url)
            case Back() | Forward():
                return Done(performed=self._go(page, -1 if isinstance(action, Back) else 1))
            case Reload():
                self._load(page, lambda: page.reload(wait_until="domcontentloaded"))
            case NewTab():
                self._check_rules(action, action.url or "about:blank")
                self._tabs.open_tab()
                if action.url:
                    self.open_url(action.url)
            case SwitchTab():
                self._tabs.bring_to_front(self._tab(action, action.index))
            case CloseTab():
                self._close_tab(page if action.index is None else self._tab(action, action.index), action)
            case AnswerDialog():
                raise UnsupportedAction(f"{describe(action)}: none is open")
            case OpenApp() | Zoom() | Extract() | AskUser() | Finish() | Refuse():
                return Done(performed=False)
            case _:
                assert_never(action)
        return Done()

    def _wait(self, page: Page, action: Wait, seen: Frame | None) -> None:
        def grab() -> Pixels:
            return self._view.capture(self._tabs).pixels_HW3

        def let_pass(seconds_s: float) -> None:
            pause(self._tabs.front(), seconds_s, self._check)

        if action.until is None:
            pause(page, action.seconds_s, self._check)
        elif action.until == "still":
            settled, _ = settle_pixels(
                grab, quiet_s=STILL_S, limit_s=action.seconds_s, endless_s=PATIENT_S, pause=let_pass
            )
            if not settled.is_still:
                self._tabs.note("it has not come to rest")
        else:
            before_HW3 = grab() if seen is None else seen.pixels_HW3
            if not wait_until_changed(grab, before_HW3, limit_s=action.seconds_s, pause=let_pass):
                self._tabs.note("it has not changed")

    def _upload(self, page: Page, action: Upload) -> Done:
        place = None if action.point is None else self._hands.css(action.point)
        if upload(page, action, place, self._tabs.take_chooser):
            return Done()
        self._tabs.note("it was clicked, but opened no file dialog")
        return Done(performed=False)

    def _check_rules(self, action: Action, url: str) -> None:
        if why := self._rules.why_not(url):
            raise UnsupportedAction(f"{describe(action)}: {url[:80]} is {why}; go on with pages that are allowed")

    def _go(self, page: Page, steps: int) -> bool:
        history = send(self._tabs.session(page), "Page.getNavigationHistory")
        index, entries = history["currentIndex"] + steps, history["entries"]
        # The first entry of a tab is often the empty page it began with.
        if not 0 <= index < len(entries) or (index == 0 and entries[0]["url"] == "about:blank"):
            self._tabs.note(f"there is no {'earlier' if steps < 0 else 'later'} page")
            return False
        go = page.go_back if steps < 0 else page.go_forward
        self._load(page, lambda: go(wait_until="domcontentloaded"))
        return True

    def _load(self, page: Page, load: Callable[[], object]) -> None:
        """Where it fails, the tab shows the browser's own page, from which one can go on."""
        try:
            load()
        except PlaywrightTimeoutError:
            self._tabs.note(f"{page.url} did not answer within {self._timeout_s:g} s")
        except PlaywrightError as error:
            if "net::" not in error.message:  # that is told of where the request fails
                raise

    def _tab(self, action: Action, index: int) -> Page:
        pages = self._tabs.pages
        if not -len(pages) <= index < len(pages):
            tabs = ", ".join(f"{number} {page.url}" for number, page in enumerate(pages))
            raise UnsupportedAction(f"{describe(action)}: there is no such tab; the tabs are {tabs}")
        return pages[index]

    def _close_tab(self, page: Page, action: CloseTab) -> None:
        if len(self._tabs.pages) == 1:
            raise UnsupportedAction(f"{describe(action)}: it is the only one; open another tab first")
        self._tabs.close_tab(page)


def takes_s(action: Action, timeout_s: float) -> float:
    """How long it may take beyond what any action takes."""
    match action:
        case Wait():
            return action.seconds_s
        case PressKeys():
            return action.repeat * action.hold_s
        case TypeText():
            return len(action.text) * 0.02
        case Drag():
            return len(action.path) * 0.5 + (action.duration_s or 0.0)
        case Navigate() | Back() | Forward() | Reload() | NewTab() | Upload():
            return timeout_s  # Playwright's own limit, which it should reach first
        case _:
            return 0.0
