"""What lies at the place of an action on a page, and what that would do."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, cast
from urllib.parse import urlsplit

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

from .actions import (
    Action,
    Click,
    Drag,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Navigate,
    NewTab,
    PressKeys,
    Reload,
    TypeText,
    Upload,
)
from .geometry import Point
from .origins import OriginRules
from .page_nodes import Node, PageNodes
from .page_posts import PagePosts
from .risk import Risk, is_download, risks_of
from .wording import action_points

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# What a click, or a key, on an element would set off. A form's own names can stand in for its methods and properties
# (an <input name="getAttribute">), so those of the prototypes are used.
SETS_OFF_JS = """
function () {
  const getter = (type, name) => (node) => Object.getOwnPropertyDescriptor(type.prototype, name).get.call(node);
  const parent = getter(Node, "parentNode"), slot = getter(Element, "assignedSlot");
  const attribute = (node, name) => Element.prototype.getAttribute.call(node, name);
  const resolved = (url) => { try { return new URL(url, document.baseURI).href } catch { return null } };
  const said = {submits: null, links: [], downloads: false, is_button: false, is_link: false, in_form: null};
  const target = (form, button) =>
    resolved((button && attribute(button, "formaction")) ?? attribute(form, "action") ?? "");
  const closes = (form, button) =>
    ((button && attribute(button, "formmethod")) ?? attribute(form, "method") ?? "").toLowerCase() === "dialog";
  const meet = (node) => {
    if (node instanceof HTMLButtonElement || node instanceof HTMLInputElement) {
      const presses = ["submit", "image"].includes(node.type);
      if (node.form && !node.disabled) {
        if (presses && !closes(node.form, node)) said.submits = target(node.form, node);
        else if (!closes(node.form, null)) said.in_form = target(node.form, null);
      }
      if (presses || node.type === "button" || node.type === "reset") said.is_button = true;
    } else if (node instanceof HTMLAnchorElement || node instanceof HTMLAreaElement || node instanceof SVGAElement) {
      const url = attribute(node, "href") ?? node.getAttributeNS("http://www.w3.org/1999/xlink", "href");
      if (url !== null) {
        said.is_link = true;
        said.links.push(resolved(url));
        if (attribute(node, "download") !== null) said.downloads = true;
      }
    } else if (node instanceof HTMLLabelElement && node.control) {
      meet(node.control);
    }
  };
  for (let node = this; node; node = (node instanceof Element && slot(node)) || parent(node) || node.host) {
    if (node instanceof Element) meet(node);
  }
  return said;
}
"""


class PageRisks:
    """Knows what an action on a page would set off, as far as the browser knows it before the page does.

    It finds buttons and pictures that submit a form and where that goes, links to other sites and links to files, at
    the place or with the focus; in frames and shadow roots too, and whether a button is clicked, dragged over, or
    pressed and let go by two actions; also that a page is loaded again which came of a POST. `home` is where the run
    began: another origin is elsewhere, unless the allow-list names it.

    It cannot see what a script will do: a <div> whose click handler posts a form, a list that submits once an entry is
    chosen, a link that is put under the pointer after the look. Nor what text that a page put in the slot of a closed
    shadow root belongs to.
    """

    def __init__(self, nodes: PageNodes, rules: OriginRules, posts: PagePosts) -> None:
        self._nodes, self._rules, self._posts = nodes, rules, posts
        self._pointer: Point | None = None
        self.held: set[str] = set()  # keys that are down
        self.home = ""

    def performed(self, action: Action) -> None:
        """Remember where the pointer is, and which keys are down."""
        for point in action_points(action)[-1:]:
            self._pointer = point
        if isinstance(action, KeyDown):
            self.held.add(action.key)
        elif isinstance(action, KeyUp):
            self.held.discard(action.key)

    def look(self, page: Page, action: Action, css: Callable[[Point], tuple[float, float]]) -> frozenset[Risk]:
        """All risks of the action, on this page and by itself. What cannot be found out is none; never raises.

        An address that the rules stand against has none: it is refused, whatever anybody says.
        """
        if isinstance(action, Navigate | NewTab) and action.url and self._rules.why_not(action.url):
            return frozenset()
        risks = set(risks_of(action, self.held))
        match action:
            case Navigate() | NewTab() if action.url:
                if self.is_elsewhere(action.url):
                    risks.add("leave")
            case Click() | MouseDown() | MouseUp() | Drag() if action.button != "right":
                points = (action.path[0], action.path[-1]) if isinstance(action, Drag) else (action.point,)
                for point in points:
                    place = point or self._pointer
                    if place is not None:
                        risks |= self._of(lambda place=place: self._nodes.at(page, css(place)))
            case Upload() if (place := action.point) is not None:  # which is clicked, for its file dialog
                risks |= self._of(lambda: self._nodes.at(page, css(place)))
            case PressKeys() | KeyDown() | KeyUp() | TypeText() if pressed := _pressed(action, self.held):
                risks |= self._of(lambda: (self._nodes.focus(page) or [None])[-1], is_enter="enter" in pressed)
            case _:
                pass
        if _loads_again(action, self.held) and self._posts.made(page):
            risks.add("submit")
        return frozenset(risks)

    def is_elsewhere(self, url: str) -> bool:
        """Whether a page at this address is neither on the site the run began on nor on the allow-list."""
        origin = origin_of(url)
        if origin is not None and origin == origin_of(self.home):
            return False
        return not (self._rules.allow and self._rules.allows(url))

    def _of(self, find: Callable[[], Node | None], *, is_enter: bool = False) -> set[Risk]:
        """Of a click or the space bar on an element, or of Enter in it."""
        try:
            node = find()
            said = None if node is None else cast(dict[str, Any] | None, node.call(SETS_OFF_JS))
        except PlaywrightError:  # it is just loading another document, or gone
            return set()
        if not said:
            return set()
        risks: set[Risk] = set()
        target = said["submits"] or (said["in_form"] if is_enter else None)
        if said["submits"]:
            risks.add("submit")
        if target and self.is_elsewhere(target):
            risks.add("leave")
        for link in said["links"]:
            if said["downloads"] or (link and is_download(link)):
                risks.add("download")
            if link and urlsplit(link).scheme != "javascript" and self.is_elsewhere(link):
                risks.add("leave")
        return risks


def origin_of(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; that of the page that made it for a `blob:`. None for what has no origin to share."""
    try:
        parts = urlsplit(url.removeprefix("blob:"))
        if parts.scheme == "file":
            return "file", "", None
        if not parts.hostname:
            return None
        return parts.scheme, parts.hostname.rstrip("."), parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def _pressed(action: PressKeys | KeyDown | KeyUp | TypeText, held: Collection[str]) -> set[str]:
    """Which of Enter and the space bar it presses: they press buttons and follow links."""
    if isinstance(action, PressKeys):
        keys = {*action.keys, *held}
    elif isinstance(action, KeyDown | KeyUp):  # a button is pressed as the space bar is let go
        keys = {action.key}
    else:
        keys = {"enter"} if action.submit or "\n" in action.text or "\r" in action.text else set[str]()
        keys |= {"space"} if " " in action.text else set()
    return {"space" if key == " " else key for key in keys} & {"enter", "space"}


def _loads_again(action: Action, held: Collection[str]) -> bool:
    if isinstance(action, PressKeys | KeyDown):
        pressed = action.keys if isinstance(action, PressKeys) else (action.key,)
        keys = {key.lower() for key in (*pressed, *held)}
        return "f5" in keys or {"ctrl", "r"} <= keys
    return isinstance(action, Reload)
