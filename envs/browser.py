"""A page in a real Chromium as an environment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np
from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .actions import KINDS, UNTOUCHING, Action, AnswerDialog, TypeText, Wait
from .blur import blank
from .browser_config import BrowserConfig
from .browser_thread import BrowserThread
from .change import where_changed
from .dialog_picture import DialogInput
from .env import Change, Done, Effect, Frame, check_on_screen, nothing_to_do, require_kind
from .errors import DialogOpen, EnvError, UnsupportedAction
from .geometry import Point
from .kiosk import CLIPBOARD_KINDS, Kiosk
from .launch import START_LIMIT_S, check_launch, launch
from .page_actions import PageActor, takes_s
from .page_dialogs import Dialogs
from .page_downloads import Downloads
from .page_network import grant, note_network
from .page_rules import Credentials, enforce, log_in
from .page_safety import PageSafety
from .page_settle import PageSettler
from .page_style import style_js
from .page_view import Extent, PageView, fill_display, measure
from .risk import Risk, risks_of
from .settle import Settled
from .tabs import Tabs, first_line, quietly, send
from .wording import action_points, describe

RISK_LIMIT_S = 2.0  # the longest look at what an action would set off
FRESH_S = 0.02  # a look that is no older than this need not be taken again
LAG_S = 0.01  # a page may find itself still so much later than its display does

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
        self._thread: BrowserThread | None = None
        self._kiosk: Kiosk | None = None
        self._tabs: Tabs | None = None
        self._actor: PageActor | None = None
        self._downloads: Downloads | None = None
        self._view = PageView(None, 1.0)
        self._safety = PageSafety(config)
        self._last: Frame | None = None  # what was observed last
        self._after: Frame | None = None  # what an action left behind
        self._after_until_s = 0.0  # how long that is as good as a look

    def __enter__(self) -> Self:
        config = self.config
        check_launch(config)
        with ExitStack() as stack:
            self._thread = BrowserThread(
                Dialogs(config.dialogs, lambda event: self._open_tabs().note(event), self._safety.secrets)
            )
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
        kinds = KINDS - UNTOUCHING - {"open_app"}
        if self._kiosk is not None:
            kinds -= CLIPBOARD_KINDS - self._kiosk.kinds
        return kinds if self.config.dialogs == "ask" else kinds - {"dialog"}

    @property
    def url(self) -> str:
        """The address of the page in front."""
        secrets = self._safety.secrets
        with secrets.hidden():
            return secrets.mask(
                self._run("reading the address", self.config.timeout_s, lambda: self._open_tabs().front().url)
            )

    def observe(self) -> Frame:
        """The page in front, in native device pixels (viewport times device scale), without the pointer."""
        after, self._after = self._after, None
        if after is not None and time.perf_counter() <= self._after_until_s:
            self._last = after
            return after
        try:
            with self._safety.secrets.hidden():
                self._last = self._look()
        except DialogOpen:
            size, scale = self._extent()
            base = self._last or Frame(np.full((size.height_px, size.width_px, 3), 255, np.uint8), scale)
            self._last = self._open_thread().dialogs.draw(base, self.config.timeout_s)
        return self._last

    def perform(self, action: Action) -> Effect:
        """Do it with real input events, then wait until the page is still."""
        secrets = self._safety.secrets
        with secrets.hidden():
            effect = self._do(action)
        answer = None if effect.answer is None else secrets.mask(effect.answer)
        return replace(effect, detail=secrets.mask(effect.detail), answer=answer)

    def _do(self, action: Action) -> Effect:
        tabs, seen, thread = self._open_tabs(), self._last, self._open_thread()
        require_kind(action, self.kinds)
        if action.type in UNTOUCHING:
            return nothing_to_do(action)
        check_on_screen(action, self._extent().size)
        self._after = None
        is_for_dialog = isinstance(action, DialogInput) and thread.dialogs.is_drawn
        if self.config.dialogs == "ask" and not is_for_dialog and not self._is_for_kiosk(action):
            self._look_for_dialog(action)
        start_s, acted_s, settled_s = time.perf_counter(), None, None
        done, settled, change = Done(), Settled(True), None
        open_now: tuple[str, ...] = ()
        try:
            done, cut_short, is_answered = self._act(action, is_for_dialog=is_for_dialog)
            self._safety.performed(action)
            acted_s = time.perf_counter()
            if is_answered:
                settled = self._settle(action)
                settled_s = time.perf_counter()
            if cut_short is not None and cut_short.done() and (error := cut_short.exception()) is not None:
                tabs.note(str(error))
            if seen is not None:
                change = self._change(action, seen, settled)
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

    def risks(self, action: Action) -> frozenset[Risk]:
        """What a person would want to be asked about before it is performed.

        A page that does not tell within RISK_LIMIT_S what lies there may submit a form.
        """
        tabs, (_, scale) = self._open_tabs(), self._extent()

        def css(point: Point) -> tuple[float, float]:
            return point.x_px / scale, point.y_px / scale

        try:
            thread = self._open_thread()
            found = thread.peek(RISK_LIMIT_S, lambda: self._safety.look(tabs.front(), action, css))
        except EnvError:  # a dialog is open, or the page is gone: `perform` will tell
            return risks_of(action)
        unknown: frozenset[Risk] = frozenset(("submit",))
        return risks_of(action) | unknown if found is None else found

    def evaluate(self, js: str) -> Any:
        """The value of a JavaScript expression in the page in front, to check its state."""
        limit_s, secrets = self.config.timeout_s, self._safety.secrets
        with secrets.hidden():
            value = self._run("evaluating a script", limit_s, lambda: self._open_tabs().front().evaluate(js))
        return secrets.mask_all(value)

    def save_storage_state(self, path: Path) -> None:
        """Write cookies and local storage to a file for `storage_state`, which nobody else may read."""
        state = self._run("reading cookies", self.config.timeout_s, lambda: self._open_tabs().context.storage_state())
        path.touch(mode=0o600)
        path.chmod(0o600)  # it may have been there before
        path.write_text(json.dumps(state), encoding="utf-8")

    def close(self) -> None:
        """Let go of held keys and buttons and end the browser; may be called twice."""
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        config, thread = self.config, self._open_thread()
        if config.surface == "kiosk":
            self._kiosk = stack.enter_context(Kiosk(config.viewport, config.device_scale))
        launched = launch(stack, config, display=config.display if self._kiosk is None else self._kiosk.display)
        thread.process_id = launched.process_id
        context = launched.context
        has_own_size = self._kiosk is not None or not launched.is_ours
        self._view = PageView(None if has_own_size else config.viewport, config.device_scale)
        if config.restyle:
            style = style_js(restyle=self._kiosk is None)
            context.add_init_script(style)
            launched.page.evaluate(style)
        self._tabs = Tabs(
            context,
            launched.page,
            prepare=self._prepare,
            meet=thread.dialogs.meet,
            settler=PageSettler(wraps=config.restyle and launched.is_ours, scale=config.device_scale),
            timeout_s=config.timeout_s,
        )
        if not launched.is_ours:
            stack.callback(quietly, self._tabs.close_opened)
        enforce(launched.browser, context, config.rules, self._tabs.note, credentials=self._credentials())
        note_network(context, self._tabs.note)
        if launched.is_ours:  # what another's browser grants, and where it keeps files, is not for us to say
            grant(context, config.permissions)
            self._downloads = Downloads(context, config.downloads, self._tabs.note)
            stack.callback(self._downloads.close)
        self._safety.attach(self._tabs.session)
        self._actor = PageActor(launched.browser, self._tabs, self._view, config.rules, timeout_s=config.timeout_s)
        stack.callback(self._actor.release)

    def _credentials(self) -> Credentials | None:
        config = self.config
        if config.http_auth is None:
            return None
        user, password = config.http_auth
        secrets = self._safety.secrets
        return log_in(secrets.fill(user), secrets.fill(password), config.url, config.rules)

    def _prepare(self, page: Page, session: CDPSession) -> None:
        if self.config.restyle:  # a script may have opened it, and written to it, before any of ours could run
            quietly(lambda: page.evaluate(style_js(restyle=self._kiosk is None)))
        if self._kiosk is None:
            self._view.prepare(page, session)
        else:
            fill_display(page, session)
            page.bring_to_front()  # else keys go to the address bar, which is out of sight
            send(session, "Page.enable")
            dialogs = self._open_thread().dialogs
            cast(Any, session).on("Page.javascriptDialogClosed", lambda _: dialogs.gone())  # pyright: ignore[reportUnknownLambdaType]

    def _open(self) -> None:
        assert self._actor is not None
        if self.config.url:
            self._actor.open_url(self.config.url)
        self._open_tabs().settle(self.config.settle_s)
        self._safety.begin(self._open_tabs().front())
        if self._kiosk is not None:
            self._kiosk.wait_for_browser()

    def _act(self, action: Action, *, is_for_dialog: bool) -> tuple[Done, Future[Any] | None, bool]:
        """What was done, the work that a dialog had held up, and whether the page goes on now."""
        kiosk, thread, tabs, actor, seen = self._kiosk, self._open_thread(), self._open_tabs(), self._actor, self._last
        assert actor is not None
        limit_s = self.config.timeout_s + takes_s(action, self.config.timeout_s)
        if self._safety.secrets.values and isinstance(action, Wait):
            seen = None  # what was seen of the secrets is covered, and would differ
        if isinstance(action, AnswerDialog) or (isinstance(action, TypeText) and is_for_dialog):
            self._safety.check_dialog(tabs.front().url, action)  # and filled in when the dialog is answered
        elif self._safety.concerns(action):
            page_action = action
            action = self._run(describe(action), limit_s, lambda: self._safety.fill(tabs.front(), page_action))
        if isinstance(action, DialogInput) and is_for_dialog:
            done, has_answered, cut_short = thread.touch(action, limit_s)
            return done, cut_short if has_answered else None, has_answered
        if isinstance(action, AnswerDialog):
            if thread.dialogs.words is None:
                raise UnsupportedAction(f"{describe(action)}: none is open")
            return Done(), thread.answer(action), True
        if kiosk is not None and self._is_for_kiosk(action):
            with suppress(DialogOpen):  # it is on the display, and touched there
                self._run(describe(action), self.config.timeout_s, tabs.begin)
            return kiosk.act(action, seen), None, True
        extent = self._extent()
        try:
            return self._run(describe(action), limit_s, lambda: actor.act(action, extent, seen)), None, True
        except BaseException:
            if kiosk is not None:
                kiosk.release()
            raise

    def _is_for_kiosk(self, action: Action) -> bool:
        """Whether it is done on the display, where a dialog is no obstacle, rather than by the browser."""
        return self._kiosk is not None and action.type in self._kiosk.kinds

    def _settle(self, action: Action) -> Settled:
        config, kiosk, thread, tabs = self.config, self._kiosk, self._open_thread(), self._open_tabs()
        # The browser's thread comes to this once it is through with what a dialog had cut short.
        doing, limit_s = describe(action), 2 * config.settle_s + config.timeout_s
        if kiosk is None:
            return self._run(doing, limit_s, self._settle_page)
        page, drawn, deadline_s = None, Settled(True), time.perf_counter() + config.settle_s
        while page is None:
            drawn_s = 0.0
            try:
                settling = thread.submit(lambda: self._translated(doing, lambda: tabs.settle(config.settle_s)))
                drawn, drawn_s = kiosk.settle(config.settle_s), time.perf_counter()
                page = thread.result(settling, doing, limit_s)
            except DialogOpen as error:  # which is on the display, and may have just been touched there
                drawn = kiosk.settle(deadline_s - time.perf_counter())
                if thread.dialogs.words is not None or time.perf_counter() >= deadline_s:
                    tabs.note(str(error))
                    break
            else:
                if time.perf_counter() - drawn_s > LAG_S:
                    drawn = kiosk.settle(deadline_s - time.perf_counter())
        if page is None:
            return drawn
        waited_for = tuple(dict.fromkeys((*page.waited_for, *drawn.waited_for)))
        return drawn._replace(is_still=page.is_still, waited_for=waited_for)

    def _settle_page(self) -> Settled:
        settled = self._open_tabs().settle(self.config.settle_s)
        if self._downloads is not None:
            self._downloads.wait(self.config.settle_s)
        return settled

    def _change(self, action: Action, seen: Frame, settled: Settled) -> Change:
        """What became of the screen; the look that tells is kept for whoever observes next."""
        dialogs = self._open_thread().dialogs
        if not settled.is_still and self._open_tabs().is_loading:
            return "still_moving"
        if dialogs.is_drawn:
            self._after = dialogs.draw(seen, self.config.timeout_s)
        else:
            self._after = self._look()
        places, is_still = action_points(action), settled.is_still
        self._after_until_s = time.perf_counter() + FRESH_S
        return where_changed(seen.pixels_HW3, self._after.pixels_HW3, places, is_still=is_still, moving=settled.moving)

    def _look(self) -> Frame:
        """What the screen shows, with the secrets on it covered."""
        tabs, kiosk, safety = self._open_tabs(), self._kiosk, self._safety
        if kiosk is not None and not safety.secrets.values:
            return kiosk.observe()
        take = kiosk.observe if kiosk is not None else lambda: self._view.capture(tabs)
        try:
            return self._run("looking at the page", self.config.timeout_s, lambda: safety.covered(tabs.front(), take))
        except DialogOpen:
            if kiosk is None:
                raise
            return blank(kiosk.observe())  # nobody can look for secrets in the page, or find the dialog

    def _look_for_dialog(self, action: Action) -> None:
        """Let a dialog that a timer opened show up before the action, which it would hold back and then let happen."""
        try:
            self._run(describe(action), self.config.timeout_s, lambda: self._open_tabs().front().evaluate("0"))
        except DialogOpen:
            if not isinstance(action, AnswerDialog):
                raise
        else:
            self._open_thread().dialogs.begin()

    def _extent(self) -> Extent:
        """Of what was seen last; before that, of what will be."""
        if self._last is not None:
            return Extent(self._last.size, self._last.scale)
        if self._kiosk is not None:
            return Extent(self._kiosk.size, self.config.device_scale)
        return self._view.extent or self._run("measuring", self.config.timeout_s, lambda: measure(self._open_tabs()))

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
        self._thread = self._kiosk = self._tabs = self._actor = self._last = self._after = None
