"""Secrets on pages: typed only where they belong, and covered wherever they show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .actions import Action, AnswerDialog, SetClipboard, TypeText
from .blur import blank, covered
from .env import Frame
from .errors import UnsupportedAction
from .geometry import Region
from .page_clipboard import SecretClipboard
from .page_nodes import Node, PageNodes, View, world_of
from .page_risk import PageRisks
from .secrets import Secrets, is_paste, names_secrets, pastes_selected
from .tabs import send
from .wording import describe

MOST_PLACES = 500  # where a value shows in more, all of the page is covered
TRIES, PAUSE_S = 4, 0.05  # for a look at a page that moves or loads
TEXT_NODE = 3
# The field that text belongs to: it may be longer than the field shows.
FIELD_JS = """
function () {
  const host = this.getRootNode().host;
  const field = host instanceof HTMLInputElement || host instanceof HTMLTextAreaElement ? host : null;
  if (!field) return null;
  const box = field.getBoundingClientRect();
  return [box.left, box.top, box.width, box.height];
}
"""


# Types into the field, if it still has the focus of its document; with the events of an input method.
INSERT_JS = """
function () {
  return this.getRootNode().activeElement === this ? document.execCommand("insertText", false, %s) : null;
}
"""


class PageSecrets:
    """Fills secrets in on the site the run began on and on allow-listed ones, and covers them in frames.

    Covered are the fields that a secret was typed or pasted into, for as long as they are there, and all text that
    holds a value: in other fields (as dots too), in frames, also of other processes, and in shadow roots, closed ones
    too. The browser searches for it natively; scripts of the page neither run nor notice. Not covered: a part of a
    value outside of its field, a value parted by tags, letters on a canvas or in a picture, in a native pop-up or a
    plug-in (PDF), those that only a style sheet holds, and copies that a shadow or a reflection draws elsewhere. A page
    where nothing can be looked for is covered as a whole. None of this costs anything before the first secret is typed.
    """

    def __init__(self, secrets: Secrets, nodes: PageNodes, risks: PageRisks, clipboard: SecretClipboard) -> None:
        self._secrets, self._nodes, self._risks, self._clipboard = secrets, nodes, risks, clipboard
        self._fields: dict[Page, list[Node]] = {}

    def fill(self, page: Page, action: Action, held: Collection[str] = ()) -> Action:
        """The action with its secrets filled in. UnsupportedAction where they do not belong on this page."""
        match action:
            case TypeText() | SetClipboard() if names_secrets(action.text):
                self._check_belongs(page, action, self._nodes.focus(page) if isinstance(action, TypeText) else [])
                return action.model_copy(update={"text": self._secrets.fill(action.text)})
            case _ if self._secrets.values and pastes_selected(action):
                for frame in page.frames:
                    self._check_origin(action, frame.url)
            case _ if self._secrets.values and is_paste(action, held):  # of a secret that was copied
                focused = self._nodes.focus(page)
                self._check_belongs(page, action, focused)
                if focused and self._clipboard.may_hold_secret:
                    self._fields.setdefault(page, []).append(focused[-1])
            case _:
                pass
        return action

    def insert(self, page: Page, action: TypeText) -> None:
        """Put a secret, named by the whole text, where the focus is. UnsupportedAction where it does not belong there.

        In one go, and bound to the field that was looked at: keys would go to whatever takes the focus meanwhile.
        """
        value = self._secrets.fill(action.text)
        for _ in range(TRIES):
            focused = self._nodes.focus(page)
            self._check_belongs(page, action, focused)
            if not focused:
                break
            self._fields.setdefault(page, []).append(focused[-1])
            match focused[-1].call(INSERT_JS % json.dumps(value)):
                case True:
                    return
                case False:
                    break
                case _:  # the focus has moved on
                    continue
        raise UnsupportedAction(f"{describe(action)}: nothing that takes text has the focus: click its field first")

    def check_dialog(self, page_url: str, action: AnswerDialog | TypeText) -> None:
        """UnsupportedAction where a secret cannot be filled in, or not in a dialog of this page."""
        if not names_secrets(action.text):
            return
        if self._risks.is_elsewhere(page_url):
            raise UnsupportedAction(self._no_place_for(action, page_url))
        self._secrets.fill(action.text)

    def covered(self, page: Page, take: Callable[[], Frame]) -> Frame:
        """The frame that `take` brings, with every secret on it covered."""
        if not self._secrets.values:
            return take()
        before, frame = self._shown(page), take()
        for _ in range(TRIES):
            after = self._shown(page)  # it may have come, or gone, while the frame was taken
            if before is not None and before == after:
                worlds: dict[CDPSession, list[tuple[str, int]]] = {}
                boxes = [box for shown in before for box in _boxes(shown, worlds)]
                return covered(frame, _in_px(boxes, frame.scale))
            time.sleep(PAUSE_S)
            before, frame = after, take()
        return blank(frame)

    def _check_belongs(self, page: Page, action: Action, focused: list[Node]) -> None:
        origins = [_origin(node.session, node.frame_id) for node in focused] or [page.url]
        for origin in origins:
            self._check_origin(action, origin)

    def _check_origin(self, action: Action, origin: str) -> None:
        if self._risks.is_elsewhere(origin):
            raise UnsupportedAction(self._no_place_for(action, origin))

    def _no_place_for(self, action: Action, origin: str) -> str:
        home = self._risks.home or "none"
        return (
            f"{describe(action)}: secrets are typed only on the site where the run began ({home}) and on sites of the "
            f"allow-list, and this is {origin or 'none of them'}: go back there, or allow it with --allow ORIGIN"
        )

    def _shown(self, page: Page) -> list[_Shown] | None:
        """What shows a secret; None where that cannot be found out."""
        try:
            return [shown for view in self._nodes.views(page) for shown in self._in_view(page, view)]
        except PlaywrightError:  # it loads another document
            return None

    def _in_view(self, page: Page, view: View) -> Iterator[_Shown]:
        for field in self._fields.get(page, ()):
            if field.session is view.session and (quads := _quads(view, field.backend_id)):
                yield _Shown(view, field.backend_id, quads, is_text=False)
        send(view.session, "DOM.enable")
        try:
            send(view.session, "DOM.getDocument", depth=0)
            for value in self._secrets.values:
                for node in _search(view.session, value):
                    is_text = node["nodeType"] == TEXT_NODE and self._secrets.shows_in(node["nodeValue"])
                    is_styled = any(each["nodeName"].startswith("::") for each in node.get("pseudoElements", ()))
                    if (is_text or is_styled) and (quads := _quads(view, node["backendNodeId"])):
                        yield _Shown(view, node["backendNodeId"], quads, is_text)
        finally:
            send(view.session, "DOM.disable")


class _Shown(NamedTuple):
    """A node that shows a secret, or may, and where: CSS px of its view."""

    view: View
    backend_id: int
    quads: list[list[float]]
    is_text: bool


def _search(session: CDPSession, value: str) -> Iterator[dict[str, Any]]:
    """Nodes that hold the value, in any case, in their text or attributes."""
    found = send(session, "DOM.performSearch", query=value, includeUserAgentShadowDOM=True)
    count = found["resultCount"]
    if count > MOST_PLACES:
        raise PlaywrightError(f"{count} places are too many to be covered")
    if count:
        results = send(session, "DOM.getSearchResults", searchId=found["searchId"], fromIndex=0, toIndex=count)
        for node_id in results["nodeIds"]:
            yield send(session, "DOM.describeNode", nodeId=node_id)["node"]


def _quads(view: View, backend_id: int) -> list[list[float]]:
    """Where a node shows; empty for one that does not."""
    try:
        return send(view.session, "DOM.getContentQuads", backendNodeId=backend_id)["quads"]
    except PlaywrightError:
        return []


def _boxes(shown: _Shown, worlds: dict[CDPSession, list[tuple[str, int]]]) -> list[Region]:
    """Where it shows on the page, CSS px: of a text the part of its lines that its field lets be seen.

    `worlds` keeps our worlds in the frames of each session.
    """
    view = shown.view
    boxes = [_box(quad, view) for quad in shown.quads]
    if not shown.is_text:
        return boxes
    try:
        if view.session not in worlds:
            frames = _tree(send(view.session, "Page.getFrameTree")["frameTree"])
            worlds[view.session] = [(frame["id"], world_of(view.session, frame["id"])) for frame in frames]
    except PlaywrightError:
        return boxes
    for frame_id, world in worlds[view.session]:
        with suppress(PlaywrightError):  # it lies in another frame
            field = Node(view.session, frame_id, shown.backend_id).call(FIELD_JS, world)
            if field is None:
                break
            left, top, width, height = field
            seen = Region(left + view.left, top + view.top, width, height)
            return [_common(box, seen) for box in boxes]
    return boxes


def _box(quad: list[float], view: View) -> Region:
    left, right, top, bottom = min(quad[::2]), max(quad[::2]), min(quad[1::2]), max(quad[1::2])
    return Region(left + view.left, top + view.top, right - left, bottom - top)


def _common(one: Region, other: Region) -> Region:
    left, top = max(one.left_px, other.left_px), max(one.top_px, other.top_px)
    right = min(one.left_px + one.width_px, other.left_px + other.width_px)
    bottom = min(one.top_px + one.height_px, other.top_px + other.height_px)
    return Region(left, top, max(0.0, right - left), max(0.0, bottom - top))


def _in_px(boxes: Iterable[Region], scale: float) -> list[Region]:
    return [
        Region(box.left_px * scale, box.top_px * scale, box.width_px * scale, box.height_px * scale) for box in boxes
    ]


def _origin(session: CDPSession, frame_id: str) -> str:
    """The origin of a frame as the browser knows it; empty for one that has none to share."""
    frames = _tree(send(session, "Page.getFrameTree")["frameTree"])
    found = next((frame["securityOrigin"] for frame in frames if frame["id"] == frame_id), "")
    return "" if found == "://" else found


def _tree(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree["frame"]
    for inner in tree.get("childFrames", ()):
        yield from _tree(inner)
