"""What keeps a browser's secrets and knows the risks of its pages, and what else lies at a place of them."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, CDPSession, Page

from .actions import UNTOUCHING, Action, AnswerDialog, TypeText
from .browser_config import BrowserConfig
from .env import Frame
from .geometry import Point
from .page_clipboard import SecretClipboard, UseClipboard
from .page_nodes import PageNodes
from .page_posts import PagePosts
from .page_risk import PageRisks
from .page_secrets import PageSecrets
from .page_surroundings import PageSurroundings
from .page_text import PageText
from .risk import Risk, risks_of
from .secrets import Secrets, is_paste, names_secrets, pastes_selected
from .surroundings import NOTHING_KNOWN, Surroundings


class PageSafety:
    """Of one browser. Before `attach` nothing is filled in, and nothing known of pages.

    What takes a page is for the browser's thread.
    """

    def __init__(self, config: BrowserConfig) -> None:
        self.secrets = Secrets(config.secrets)
        self._config = config
        self._risks: PageRisks | None = None
        self._page_secrets: PageSecrets | None = None
        self._clipboard: SecretClipboard | None = None
        self._surroundings: PageSurroundings | None = None
        self.text: PageText | None = None

    def attach(
        self,
        context: BrowserContext,
        nodes: PageNodes,
        session_of: Callable[[Page], CDPSession],
        use_clipboard: UseClipboard,
    ) -> None:
        """Look into pages through their DevTools sessions from now on."""
        self._risks = PageRisks(nodes, self._config.rules, PagePosts(context))
        self._risks.home = self._config.url
        self._clipboard = SecretClipboard(self.secrets, self._risks.is_elsewhere, use_clipboard)
        self._page_secrets = PageSecrets(self.secrets, nodes, self._risks, self._clipboard)
        self._surroundings = PageSurroundings(nodes, session_of, self.secrets)
        self.text = PageText(nodes, session_of, self.secrets)

    def begin(self, page: Page) -> None:
        """This is the page on which the run begins: its site is where secrets belong."""
        assert self._risks is not None
        self._risks.home = page.url

    def concerns(self, action: Action) -> bool:
        """Whether there is something to fill in, or to be refused."""
        if self.secrets.values and (is_paste(action, self._held) or pastes_selected(action)):
            return True
        return names_secrets(str(getattr(action, "text", "")))

    def fill(self, page: Page, action: Action) -> Action:
        """The action with its secrets filled in. UnsupportedAction where they do not belong on this page."""
        assert self._page_secrets is not None
        return self._page_secrets.fill(page, action, self._held)

    def insert(self, page: Page, action: TypeText) -> None:
        """Type a secret, named by the whole text. UnsupportedAction where it does not belong."""
        assert self._page_secrets is not None
        self._page_secrets.insert(page, action)

    def clear_clipboard(self, page: Page) -> bool:
        """Whether this page may not have what is on the clipboard, which was cleared therefore."""
        return self._clipboard is not None and self._clipboard.clear_for(page.url)

    def check_dialog(self, page_url: str, action: AnswerDialog | TypeText) -> None:
        """UnsupportedAction where a secret cannot be filled in, or does not belong there; for any thread."""
        assert self._page_secrets is not None
        self._page_secrets.check_dialog(page_url, action)

    def performed(self, action: Action) -> None:
        """Remember where the pointer is, and which keys are down."""
        if self._risks is not None and action.type not in UNTOUCHING:
            self._risks.performed(action)

    def look(self, page: Page, action: Action, css: Callable[[Point], tuple[float, float]]) -> frozenset[Risk]:
        """All risks of an action; never raises."""
        return risks_of(action) if self._risks is None else self._risks.look(page, action, css)

    def surroundings(self, page: Page, action: Action, scale: float) -> Surroundings:
        """What lies at the place of an action, without secrets. `scale` is screenshot px per CSS px."""
        if self._surroundings is None:
            return NOTHING_KNOWN
        return self._surroundings.look(page, action, scale)

    def covered(self, page: Page, take: Callable[[], Frame]) -> Frame:
        """The frame that `take` brings, with every secret on it covered."""
        return take() if self._page_secrets is None else self._page_secrets.covered(page, take)

    @property
    def _held(self) -> frozenset[str]:
        return frozenset() if self._risks is None else frozenset(self._risks.held)
