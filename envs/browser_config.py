"""What a browser is opened on, in which form, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from .geometry import Size
from .origins import OriginRules
from .page_address import why_no_url
from .page_dialogs import DialogPolicy
from .secrets import SecretLookup, find_secret

Surface = Literal["headless", "window", "kiosk"]
DEFAULT_VIEWPORT = Size(1280, 720)
LONGEST_SIDE_PX = 16_384  # Chromium draws no longer one


@dataclass(frozen=True, kw_only=True)
class BrowserConfig:
    """Which page is opened, in which Chromium, what it may do, and how long we wait for it.

    `surface`: "headless" has no window and is captured over the DevTools protocol; "window" is one on a display;
    "kiosk" fills an X display of its own, is captured from there and touched by real input events: the fastest, and
    the only one where native pop-ups (lists, dates, colours, tooltips) are seen and touched like all else.
    """

    url: str = ""  # empty: a blank page, or with `attach` the tab that is in front
    viewport: Size = DEFAULT_VIEWPORT  # CSS px; a screenshot is this times device_scale
    device_scale: float = 1.0
    surface: Surface = "headless"
    executable: str | None = None  # path or name; None: the first that find_chromium knows
    display: str | None = None  # X display of a browser with a window; None: the one in DISPLAY
    attach: str | None = None  # DevTools address of a Chromium that runs already, such as http://127.0.0.1:9222
    user_data: Path | None = None  # folder of a profile that persists; None: a fresh one that is thrown away
    storage_state: Path | None = None  # cookies and local storage to begin with: a file Playwright wrote
    rules: OriginRules = field(default_factory=OriginRules)  # where pages and their frames may come from
    permissions: tuple[str, ...] = ()  # granted to every page, such as "geolocation"; all others are denied
    http_auth: tuple[str, str] | None = None  # user and password for servers that ask; may hold {{secret:NAME}}
    downloads: Path | None = None  # folder that keeps them; None: every download is cancelled
    secrets: SecretLookup = find_secret  # what {{secret:NAME}} stands for
    dialogs: DialogPolicy = "dismiss"  # answer to confirm() and prompt(); "ask" leaves every dialog to AnswerDialog
    restyle: bool = True  # make native lists clickable, hide the caret, see timers; False: pages are left wholly alone
    settle_s: float = 2.0  # the longest wait for the page to become still after an action
    timeout_s: float = 30.0  # the longest wait for one answer of the page

    def __post_init__(self) -> None:
        if self.attach is not None and (self.user_data is not None or self.storage_state is not None):
            raise ValueError("a browser that runs already has its profile: leave out user_data and storage_state")
        if self.attach is not None and self.surface == "kiosk":
            raise ValueError("a browser that runs already has its window: leave out the surface")
        if not self.device_scale > 0:
            raise ValueError(f"device_scale must be > 0, got {self.device_scale}")
        if max(self.viewport.width_px, self.viewport.height_px) * self.device_scale > LONGEST_SIDE_PX:
            size = f"{self.viewport} CSS px at scale {self.device_scale:g}"
            raise ValueError(f"a page of {size} is too large: {LONGEST_SIDE_PX} px a side")
        if self.url and (why := why_no_url(self.url)):
            raise ValueError(why)
        if self.url and (why := self.rules.why_not(self.url)):
            raise ValueError(f"the page to begin with ({self.url}) is {why}: allow its origin, or begin elsewhere")
        if not (self.settle_s >= 0 and self.timeout_s > 0):  # not a number is neither
            raise ValueError(f"need settle_s >= 0 and timeout_s > 0, got {self.settle_s} and {self.timeout_s}")
        for name, words in (("surface", get_args(Surface)), ("dialogs", get_args(DialogPolicy))):
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is one of {', '.join(words)}, got {getattr(self, name)!r}")
        for name in ("user_data", "storage_state", "downloads"):
            path: object = getattr(self, name)
            if not isinstance(path, Path | None):
                raise ValueError(f"{name} is a pathlib.Path: Path({path!r})")
        auth: Any = self.http_auth
        if auth is not None and (type(auth) is not tuple or len(auth) != 2):
            raise ValueError('http_auth is a pair: ("user", "{{secret:NAME}}")')
