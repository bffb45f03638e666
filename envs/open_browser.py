"""The parts of a browser that is open, put together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, TypeVar, cast

from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .actions import GetClipboard, SetClipboard
from .browser_config import BrowserConfig
from .browser_thread import BrowserThread
from .errors import EnvError
from .kiosk import Kiosk
from .launch import START_LIMIT_S, launch
from .page_actions import PageActor
from .page_dialogs import Dialogs
from .page_downloads import Downloads
from .page_network import grant, note_network
from .page_nodes import PageNodes
from .page_pointer import PagePointer
from .page_rules import Credentials, enforce, log_in
from .page_safety import PageSafety
from .page_settle import PageSettler
from .page_style import style_js
from .page_view import PageView, fill_display
from .tabs import Tabs, first_line, quietly, send

T = TypeVar("T")


class OpenBrowser:
    """A browser, and the thread it is driven from. What the thread has to do goes through `run` or `submit`."""

    def __init__(self, config: BrowserConfig, *, by_hand: bool = False) -> None:
        """`by_hand`: a person works in it, and answers its file dialogs."""
        self.config, self.safety, self._by_hand = config, PageSafety(config), by_hand
        self.thread = BrowserThread(
            Dialogs(
                config.dialogs,
                lambda event: self.tabs.note(event),
                self.safety.secrets,
                lambda page: self.tabs.replace(page),
            )
        )
        self.kiosk: Kiosk | None = None
        self.tabs: Tabs  # this and what follows: once it has started
        self.view: PageView
        self.actor: PageActor
        self._downloads: Downloads | None = None

    def start(self, stack: ExitStack) -> None:
        """Start it; `stack` undoes that, in the thread. NoBrowser, NoDisplay and EnvError."""

        def work() -> None:
            try:
                self._start(stack)
            except PlaywrightError as error:
                raise EnvError(f"starting the browser failed ({first_line(error)})") from error

        self.thread.run("starting the browser", 2 * START_LIMIT_S, work)

    def open_page(self) -> None:
        """Open the page that the run begins on."""
        config = self.config
        self.run(f"opening {config.url}", 2 * config.timeout_s + config.settle_s, self._open_page)

    def run(self, doing: str, limit_s: float, work: Callable[[], T]) -> T:
        """Let the browser's thread do it."""
        return self.thread.result(self.submit(doing, work), doing, limit_s)

    def submit(self, doing: str, work: Callable[[], T]) -> Future[T]:
        """Let the browser's thread begin with it."""
        self.thread.check()
        return self.thread.submit(lambda: self._translated(doing, work))

    def wait_for_downloads(self) -> None:
        """Let those under way come to their end, in the browser's thread."""
        if self._downloads is not None:
            self._downloads.wait(self.config.settle_s)

    def guard_clipboard(self) -> None:
        """Take a secret off it that the page in front may not have."""
        if self.safety.secrets.values:
            self.run("looking at the clipboard", self.config.timeout_s, self._clear_clipboard)

    def _start(self, stack: ExitStack) -> None:
        config, thread = self.config, self.thread
        if config.surface == "kiosk":
            self.kiosk = stack.enter_context(Kiosk(config.viewport, config.device_scale))
        launched = launch(stack, config, display=config.display if self.kiosk is None else self.kiosk.display)
        thread.process_id = launched.process_id
        context = launched.context
        has_own_size = self.kiosk is not None or not launched.is_ours
        self.view = PageView(None if has_own_size else config.viewport, config.device_scale)
        if config.restyle:
            style = style_js(restyle=self.kiosk is None)
            context.add_init_script(style)
            launched.page.evaluate(style)
        self.tabs = Tabs(
            context,
            launched.page,
            prepare=self._prepare,
            meet=thread.dialogs.meet,
            settler=PageSettler(wraps=config.restyle and launched.is_ours, scale=config.device_scale),
            timeout_s=config.timeout_s,
            is_ours=launched.is_ours,
            takes_files=not self._by_hand,
        )
        if not launched.is_ours:
            stack.callback(quietly, self.tabs.close_opened)
        enforce(launched.browser, context, config.rules, self.tabs.note, credentials=self._credentials())
        note_network(context, self.tabs.note)
        if launched.is_ours:  # what another's browser grants, and where it keeps files, is not for us to say
            grant(context, config.permissions)
            self._downloads = Downloads(context, config.downloads, self.tabs.note, self.safety.secrets.mask_name)
            stack.callback(self._downloads.close)
        nodes = PageNodes(self.tabs.session)
        self.safety.attach(context, nodes, self.tabs.session, self._use_clipboard)
        self.actor = PageActor(
            launched.browser,
            self.tabs,
            self.view,
            config.rules,
            PagePointer(nodes),
            timeout_s=config.timeout_s,
            check=self.thread.check_awaited,
        )
        stack.callback(self.actor.release)

    def _open_page(self) -> None:
        if self.config.url:
            self.actor.open_url(self.config.url)
        self.tabs.settle(self.config.settle_s)
        self.safety.begin(self.tabs.front())
        if self.kiosk is not None:
            self.kiosk.wait_for_browser()

    def _translated(self, doing: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except PlaywrightError as error:
            self.tabs.front()  # raises PageGone where that is the reason
            raise EnvError(f"{doing} failed ({first_line(error)})") from error

    def _clear_clipboard(self) -> None:
        if self.safety.clear_clipboard(self.tabs.front()):
            self.tabs.note("the clipboard held a secret, which does not belong here, and was cleared")

    def _use_clipboard(self, action: GetClipboard | SetClipboard) -> str | None:
        """The text on it, or None once the action's text is on it, and where it cannot be read."""
        if self.kiosk is None:
            return self.actor.use_clipboard(action)
        return self.kiosk.act(action, None).answer if action.type in self.kiosk.kinds else None

    def _prepare(self, page: Page, session: CDPSession) -> None:
        if self.config.restyle:  # a script may have opened it, and written to it, before any of ours could run
            quietly(lambda: page.evaluate(style_js(restyle=self.kiosk is None)))
        if self.kiosk is None:
            self.view.prepare(page, session)
        else:
            fill_display(page, session)
            page.bring_to_front()  # else keys go to the address bar, which is out of sight
            send(session, "Page.enable")
            dialogs = self.thread.dialogs
            cast(Any, session).on("Page.javascriptDialogClosed", lambda _: dialogs.gone())  # pyright: ignore[reportUnknownLambdaType]

    def _credentials(self) -> Credentials | None:
        config = self.config
        if config.http_auth is None:
            return None
        user, password = config.http_auth
        secrets = self.safety.secrets
        return log_in(secrets.fill(user), secrets.fill(password), config.url, config.rules)
