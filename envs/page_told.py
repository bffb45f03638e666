"""What the script in a page tells, as events with places in px of the frame and times of our own clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from playwright.sync_api import Page

from .keys import MODIFIERS, Button, Modifier, key_name
from .page_surroundings import LONGEST_URL, element_from
from .raw_events import (
    KeyPressed,
    OptionChosen,
    PointerDown,
    PointerMoved,
    PointerUp,
    RawEvent,
    SecretTyped,
    TabSwitched,
    TextArrived,
    WheelTurned,
)
from .surroundings import LONGEST, Element, Surroundings
from .web_address import without_password

SET_S = 0.05
LATEST_S = 10.0  # a time further off than this is of a clock that was set
LINE_PX, PAGE_PX = 40, 600  # CSS px that a wheel turns where it tells lines or pages


class Told(NamedTuple):
    kind: str
    at_s: float
    event: RawEvent | None = None


class PageTold:
    """Reads the messages of the script in LISTEN_JS. `scale` is screenshot px per CSS px."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self.scale = 1.0
        self._mask = mask
        self._corners: WeakKeyDictionary[Page, tuple[float, float]] = WeakKeyDictionary()  # on the screen, CSS px
        self._corner: tuple[float, float] = (0.0, 0.0)  # of whichever page was touched last
        self._frames: dict[str, tuple[float, float]] = {}  # where each lies in its page, CSS px
        self._pages: WeakKeyDictionary[Page, tuple[str, str]] = WeakKeyDictionary()  # address and title
        self._loading: set[int] = set()
        self._ahead_s = 0.0  # the clock of the day, of ours

    @property
    def is_loading(self) -> bool:
        return bool(self._loading)

    def parse(self, payload: str) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(payload))

    def switched(self, view: int, index: int, at_s: float) -> TabSwitched:
        return TabSwitched(at_s=at_s, view=view, index=index)

    def read(self, page: Page, view: int, said: dict[str, Any]) -> Told:
        """One message."""
        kind, at_s = str(said["kind"]), self._own_time(said.get("at"))
        if said.get("isTop"):
            self._pages[page] = said["url"], said["title"]
        if kind == "hello":
            self._loading.add(view)
        elif kind == "loaded":
            self._loading.discard(view)
        if "sx" in said:
            self._place(page, said)
        event = self._event(page, view, said, kind, at_s)
        return Told(kind, at_s, event)

    def _own_time(self, at_ms: float | None) -> float:
        """A moment by the browser's clock, in ms since the epoch, on ours."""
        now_s = time.monotonic()
        if at_ms is None:
            return now_s
        ahead_s = time.time() - now_s
        if abs(ahead_s - self._ahead_s) > SET_S:  # the clock was set; else events keep their order to the microsecond
            self._ahead_s = ahead_s
        at_s = at_ms / 1000 - self._ahead_s
        return at_s if now_s - LATEST_S <= at_s <= now_s else now_s

    def _event(self, page: Page, view: int, said: dict[str, Any], kind: str, at_s: float) -> RawEvent | None:
        seen = self._surroundings(page, said)
        modifiers: tuple[Modifier, ...] = tuple(name for name in MODIFIERS if name in said.get("modifiers", ()))
        common: dict[str, Any] = {"at_s": at_s, "view": view, "surroundings": seen}
        if kind in ("down", "up", "move", "wheel", "option"):
            x, y = self._in_page(said)
            common |= {"x_px": x * self.scale, "y_px": y * self.scale, "modifiers": modifiers}
        match kind:
            case "down" | "up" if said["button"]:
                button: Button = said["button"]
                make = PointerDown if kind == "down" else PointerUp
                return make(**common, button=button, list_id=said.get("list"))
            case "move":
                return PointerMoved(**common)
            case "wheel":
                unit = (1, LINE_PX, PAGE_PX)[said["mode"]] * self.scale
                return WheelTurned(**common, dx=said["dx"] * unit, dy=said["dy"] * unit, unit="px")
            case "key":
                return self._key(said, common, modifiers)
            case "text":
                return TextArrived(**common, text=said["text"], how=said["how"])
            case "secret":
                return SecretTyped(**common, name=said["name"], clear=said["clear"])
            case "option":
                return OptionChosen(**common, option=said["option"], list_id=said["list"])
            case _:
                return None

    def _key(self, said: dict[str, Any], common: dict[str, Any], modifiers: tuple[Modifier, ...]) -> KeyPressed | None:
        try:
            name = key_name(said["key"])
        except ValueError:  # of media keys and the like, for which there is no action
            return None
        return KeyPressed(**common, key=name, text=said["text"], modifiers=modifiers, list_id=said.get("list"))

    def _place(self, page: Page, said: dict[str, Any]) -> None:
        """Learn where on the screen the page lies, or where in it a frame: places are told in px of each frame."""
        on_screen = said["sx"] - said["x"], said["sy"] - said["y"]
        if said["isTop"]:
            self._corners[page] = self._corner = on_screen
        else:
            left, top = self._corners.get(page, self._corner)
            self._frames[said["frame"]] = on_screen[0] - left, on_screen[1] - top

    def _in_page(self, said: dict[str, Any]) -> tuple[float, float]:
        left, top = (0.0, 0.0) if said["isTop"] else self._frames.get(said["frame"], (0.0, 0.0))
        return said["x"] + left, said["y"] + top

    def _surroundings(self, page: Page, said: dict[str, Any]) -> Surroundings | None:
        if page not in self._pages:
            return None
        url, title = self._pages[page]
        url = without_password(url)
        return Surroundings(url=self._mask(url)[:LONGEST_URL], title=self._cut(title), element=self._element(said))

    def _element(self, said: dict[str, Any]) -> Element | None:
        told = said.get("element")
        if told is None or (not said["isTop"] and said["frame"] not in self._frames):
            return None
        left, top = (0.0, 0.0) if said["isTop"] else self._frames[said["frame"]]
        return element_from(told, scale=self.scale, left=left, top=top, mask=self._mask)

    def _cut(self, text: str) -> str:
        return self._mask(text)[:LONGEST]
