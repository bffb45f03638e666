"""A page in a real Chromium as an environment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from .actions import KINDS, UNTOUCHING, Action, AnswerDialog, CloseTab, SwitchTab, TypeText, Wait
from .browser_config import BrowserConfig
from .browser_screen import BrowserScreen
from .dialog_picture import DialogInput
from .env import Done, Effect, Frame, check_on_screen, nothing_to_do, require_kind
from .errors import DialogOpen, EnvError, UnsupportedAction
from .geometry import Point
from .kiosk import CLIPBOARD_KINDS, Kiosk
from .launch import check_launch
from .open_browser import OpenBrowser
from .page_actions import takes_s
from .page_text import PageText, dialog_words
from .risk import Risk, risks_of
from .secrets import names_secrets, pieces
from .settle import Settled
from .shown_text import ShownText
from .surroundings import NOTHING_KNOWN, Surroundings
from .wording import describe

RISK_LIMIT_S = 2.0  # the longest look at what an action would set off
SHOWN_LIMIT_S = 5.0  # at the words that a page shows: takes milliseconds, a second where there are very many
SURROUNDINGS_LIMIT_S = 1.0  # at what lies at its place, for the record: takes milliseconds where the page answers

T = TypeVar("T")


class BrowserEnv:
    """A page in a Chromium, open for as long as the `with` body lasts: one of its own, or one that runs already.

    It follows a new tab and returns to the earlier one when that closes. JavaScript dialogs are answered at once
    (alerts and "leave this page?" accepted, the others as `config.dialogs` says) and reported in the next Effect. With
    dialogs="ask" each stays open, which blocks the page: the Effect tells of it, `observe` gives the last frame with
    the dialog drawn on it, which then takes clicks, text and keys as well as an AnswerDialog. All else is DialogOpen
    until one of them has answered it. In a kiosk the dialog itself is seen and touched.
    NoBrowser, NoDisplay and Unreachable come before the body starts; PageGone once no page is left to look at. The
    browser is driven from a thread of its own: several environments live side by side, also under a running asyncio
    loop. Of a browser that ran before, `close` closes the tabs we opened and nothing else.
    """

    def __init__(self, config: BrowserConfig) -> None:
        self.config = config
        self._stack = ExitStack()  # of what close() undoes
        self._parts: tuple[OpenBrowser, BrowserScreen] | None = None

    def __enter__(self) -> Self:
        check_launch(self.config)
        browser = OpenBrowser(self.config)
        with ExitStack() as stack:
            stack.callback(setattr, self, "_parts", None)
            inner = ExitStack()  # of what the browser's thread opens, and so must close
            stack.callback(browser.thread.shut, inner)
            browser.start(inner)
            self._parts = browser, BrowserScreen(browser)
            with suppress(DialogOpen):  # the page begins with one
                browser.open_page()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def kinds(self) -> frozenset[str]:
        """All but starting programs; dialogs only where they are asked about."""
        kinds = KINDS - UNTOUCHING - {"open_app"}
        if self._parts is not None and (kiosk := self._parts[0].kiosk) is not None:
            kinds -= CLIPBOARD_KINDS - kiosk.kinds
        return kinds if self.config.dialogs == "ask" else kinds - {"dialog"}

    @property
    def url(self) -> str:
        """The address of the page in front."""
        browser, _ = self._open()
        secrets = browser.safety.secrets
        with secrets.hidden():
            return secrets.mask(
                browser.run("reading the address", self.config.timeout_s, lambda: browser.tabs.front().url)
            )

    def observe(self) -> Frame:
        """The page in front, in native device pixels (viewport times device scale), without the pointer."""
        browser, screen = self._open()
        with browser.safety.secrets.hidden():
            return screen.observe()

    def perform(self, action: Action) -> Effect:
        """Do it with real input events, then wait until the page is still."""
        browser, screen = self._open()
        secrets = browser.safety.secrets
        with secrets.hidden():
            effect = self._do(browser, screen, action)
        answer = None if effect.answer is None else secrets.mask(effect.answer)
        return replace(effect, detail=secrets.mask(effect.detail), answer=answer)

    def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed.

        A page that does not tell within RISK_LIMIT_S what lies there may submit a form.
        """
        browser, screen = self._open()
        scale = screen.extent.scale

        def css(point: Point) -> tuple[float, float]:
            return point.x_px / scale, point.y_px / scale

        try:
            found = browser.thread.peek(RISK_LIMIT_S, lambda: browser.safety.look(browser.tabs.front(), action, css))
        except EnvError:  # a dialog is open, or the page is gone: `perform` will tell
            return risks_of(action)
        unknown: frozenset[Risk] = frozenset(("submit",))
        return risks_of(action) | unknown if found is None else found

    def surroundings(self, action: Action) -> Surroundings:
        """What lies at its point, or has the focus; of a page that a dialog blocks, the words of that.

        Empty where the page does not tell within SURROUNDINGS_LIMIT_S.
        """
        browser, screen = self._open()
        scale = screen.extent.scale
        try:
            look = browser.thread.peek(SURROUNDINGS_LIMIT_S, lambda: _look_around(browser, action, scale))
        except EnvError:  # a dialog is open, or the page is gone: `perform` will tell
            look = None
        words = browser.thread.dialogs.words
        return look or NOTHING_KNOWN if words is None else replace(look or NOTHING_KNOWN, dialog=words)

    @property
    def tells_text(self) -> bool:
        return True

    def shown_text(self) -> ShownText | None:
        """The words that can be read on the page in front, or in the dialog that blocks it; secrets are masked.

        None where the page does not tell within SHOWN_LIMIT_S, as one that is just loading.
        """
        browser, screen = self._open()
        words = browser.thread.dialogs.words
        if words is not None:
            return dialog_words(words)
        return _peek(browser, lambda text: text.shown(browser.tabs.front(), screen.extent.scale))

    def value_at(self, point: Point) -> str | None:
        """What the field at a place in px of the screenshot holds, or else the text that the element there shows.

        None where nothing is told: of a password, of the page as a whole, of one that a dialog blocks.
        """
        browser, screen = self._open()
        return _peek(browser, lambda text: text.value_at(browser.tabs.front(), point, screen.extent.scale))

    def evaluate(self, js: str) -> Any:
        """The value of a JavaScript expression in the page in front, to check its state."""
        browser, screen = self._open()
        screen.forget_after()  # the script may change what is shown
        secrets = browser.safety.secrets
        with secrets.hidden():
            value = browser.run("evaluating a script", self.config.timeout_s, lambda: browser.tabs.front().evaluate(js))
        return secrets.mask_all(value)

    def save_storage_state(self, path: Path) -> None:
        """Write cookies and local storage to a file for `storage_state`, which nobody else may read."""
        browser, _ = self._open()
        state = browser.run("reading cookies", self.config.timeout_s, lambda: browser.tabs.context.storage_state())
        path.touch(mode=0o600)
        path.chmod(0o600)  # it may have been there before
        path.write_text(json.dumps(state), encoding="utf-8")

    def close(self) -> None:
        """Let go of held keys and buttons and end the browser; may be called twice."""
        self._stack.close()

    def _do(self, browser: OpenBrowser, screen: BrowserScreen, action: Action) -> Effect:
        tabs, seen, dialogs = browser.tabs, screen.last, browser.thread.dialogs
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        check_on_screen(action, screen.extent.size)
        screen.forget_after()
        is_for_dialog = isinstance(action, DialogInput) and dialogs.is_drawn
        if self.config.dialogs == "ask" and not is_for_dialog and not _is_for_kiosk(browser, action):
            self._look_for_dialog(browser, action)
        start_s, acted_s, settled_s = time.perf_counter(), None, None
        done, settled, change = Done(), Settled(True), None
        open_now: tuple[str, ...] = ()
        try:
            done, cut_short, is_answered = self._act(browser, screen, action, is_for_dialog=is_for_dialog)
            browser.safety.performed(action)
            acted_s = time.perf_counter()
            if is_answered:
                settled = screen.settle(action)
                settled_s = time.perf_counter()
                browser.guard_clipboard()
            if cut_short is not None and cut_short.done() and (error := cut_short.exception()) is not None:
                tabs.note(str(error))
            if seen is not None:
                change = screen.change(action, seen, settled)
        except DialogOpen as error:
            open_now = (str(error),)
        settled_s = settled_s or time.perf_counter()
        acted_s = acted_s or settled_s
        return Effect(
            performed=done.performed,
            detail="; ".join((describe(action), *done.notes, *tabs.take_events(), *open_now)),
            changed=None if change is None else change != "no_change",
            act_s=acted_s - start_s,
            settle_s=settled_s - acted_s,
            capture_s=time.perf_counter() - settled_s,
            change=change,
            answer=done.answer,
            waited_for=settled.waited_for,
            num_moving=settled.num_moving,
        )

    def _act(
        self, browser: OpenBrowser, screen: BrowserScreen, action: Action, *, is_for_dialog: bool
    ) -> tuple[Done, Future[Any] | None, bool]:
        """What was done, the work that a dialog had held up, and whether the page goes on now."""
        thread, tabs, safety, doing = browser.thread, browser.tabs, browser.safety, describe(action)
        limit_s = self.config.timeout_s + takes_s(action, self.config.timeout_s)
        # What was seen of the secrets is covered, and would differ.
        seen = None if safety.secrets.values and isinstance(action, Wait) else screen.last
        if isinstance(action, AnswerDialog) or (isinstance(action, TypeText) and is_for_dialog):
            safety.check_dialog(tabs.front().url, action)  # and filled in when the dialog is answered
        elif safety.concerns(action):
            page_action = action
            action = browser.run(doing, limit_s, lambda: safety.fill(tabs.front(), page_action))
            if isinstance(page_action, TypeText) and names_secrets(page_action.text):
                return self._type_secrets(browser, screen, page_action, limit_s), None, True
        if isinstance(action, DialogInput) and is_for_dialog:
            done, has_answered, cut_short = thread.touch(action, limit_s)
            return done, cut_short if has_answered else None, has_answered
        if isinstance(action, AnswerDialog):
            if thread.dialogs.words is None:
                raise UnsupportedAction(f"{doing}: none is open")
            return Done(), thread.answer(action), True
        if browser.kiosk is not None and _is_for_kiosk(browser, action):
            return self._act_on_display(browser, browser.kiosk, action, seen), None, True
        extent = screen.extent
        try:
            return browser.run(doing, limit_s, lambda: browser.actor.act(action, extent, seen)), None, True
        except BaseException:
            if browser.kiosk is not None:
                browser.kiosk.release()
            raise

    def _type_secrets(self, browser: OpenBrowser, screen: BrowserScreen, action: TypeText, limit_s: float) -> Done:
        """Through the page, also in a kiosk: keys may go elsewhere than they were meant to."""
        extent, seen = screen.extent, screen.last

        def work() -> None:
            browser.tabs.begin(action)
            for part in pieces(action):
                if isinstance(part, TypeText) and names_secrets(part.text):
                    browser.safety.insert(browser.tabs.front(), part)
                else:
                    browser.actor.act(part, extent, seen)

        if browser.kiosk is not None:
            browser.kiosk.begin(seen)
        browser.run(describe(action), limit_s, work)
        return Done()

    def _act_on_display(self, browser: OpenBrowser, kiosk: Kiosk, action: Action, seen: Frame | None) -> Done:
        doing, beginning, start_s = describe(action), None, time.perf_counter()
        with suppress(DialogOpen):  # it is on the display, and touched there
            beginning = browser.submit(doing, lambda: browser.tabs.begin(action))
            beginning.add_done_callback(lambda _: setattr(kiosk, "answer_s", time.perf_counter() - start_s))
        kiosk.begin(seen)
        if beginning is not None:
            with suppress(DialogOpen):
                browser.thread.result(beginning, doing, self.config.timeout_s)
        return kiosk.act(action, seen)

    def _look_for_dialog(self, browser: OpenBrowser, action: Action) -> None:
        """Let a dialog that a timer opened show up before the action, which it would hold back and then let happen."""
        try:
            browser.run(describe(action), self.config.timeout_s, lambda: browser.tabs.front().evaluate("0"))
        except DialogOpen:
            if not isinstance(action, AnswerDialog):
                raise
        else:
            browser.thread.dialogs.begin()

    def _open(self) -> tuple[OpenBrowser, BrowserScreen]:
        if self._parts is None:
            raise EnvError("this BrowserEnv is not open: use it as `with BrowserEnv(config) as env:`")
        self._parts[0].thread.check()
        return self._parts


def _peek(browser: OpenBrowser, look: Callable[[PageText], T | None]) -> T | None:
    """What the page tells of its text; None where it takes too long, or a dialog comes between."""
    text = browser.safety.text
    try:
        return None if text is None else browser.thread.peek(SHOWN_LIMIT_S, lambda: look(text))
    except DialogOpen:
        return None


def _look_around(browser: OpenBrowser, action: Action, scale: float) -> Surroundings:
    tabs = browser.tabs
    told = browser.safety.surroundings(tabs.front(), action, scale)
    if isinstance(action, SwitchTab | CloseTab) and action.index is not None:
        with suppress(IndexError):  # `perform` will tell
            return replace(told, tab=browser.safety.surroundings(tabs.pages[action.index], Wait(), scale).url)
    return told


def _is_for_kiosk(browser: OpenBrowser, action: Action) -> bool:
    """Whether it is done on the display, where a dialog is no obstacle, rather than by the browser."""
    return browser.kiosk is not None and action.type in browser.kiosk.kinds
