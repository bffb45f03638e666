"""What a page tells of the place of an action before it is performed: for the record, and to find it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .actions import Action, KeyDown, KeyUp, PressKeys, TypeText
from .geometry import Point
from .page_element import ELEMENT_JS
from .page_nodes import Node, PageNodes
from .secrets import Secrets
from .surroundings import LONGEST, Element, Surroundings
from .tabs import send
from .web_address import without_password
from .wording import action_points

LONGEST_URL = 2000  # characters: a document in its own address may have megabytes
KEYBOARD = TypeText | PressKeys | KeyDown | KeyUp


class PageSurroundings:
    """Looks in our own world, where the page cannot answer for itself. For the browser's thread."""

    def __init__(
        self, nodes: PageNodes, session_of: Callable[[Page], CDPSession], secrets: Secrets | None = None
    ) -> None:
        self._nodes, self._session_of, self._secrets = nodes, session_of, secrets

    def look(self, page: Page, action: Action, scale: float) -> Surroundings:
        """At the action's first point, or at what has the focus where it is of the keyboard. Never raises for the page.

        `scale` is screenshot px per CSS px.
        """
        url, title, element, end, points = page.url, None, None, None, action_points(action)
        try:
            node = self._node(page, action, scale)
            if node is not None:
                title, element = self._told(node, scale, is_focus=not points)
            if len(points) > 1 and (last := self._at(page, points[-1], scale)) is not None:
                _, end = self._told(last, scale)
            if title is None:
                title = send(self._session_of(page), "Target.getTargetInfo")["targetInfo"]["title"]
        except PlaywrightError:  # it is just loading another document, or gone
            pass
        return Surroundings(
            url=self._mask(_without_password(url))[:LONGEST_URL],
            title=None if title is None else self._cut(title),
            element=element,
            end=end,
        )

    def _node(self, page: Page, action: Action, scale: float) -> Node | None:
        points = action_points(action)
        if points:
            return self._at(page, points[0], scale)
        if isinstance(action, KEYBOARD):
            focused = self._nodes.focus(page)
            return focused[-1] if focused else None
        return None

    def _at(self, page: Page, point: Point, scale: float) -> Node | None:
        return self._nodes.at(page, (point.x_px / scale, point.y_px / scale))

    def _told(self, node: Node, scale: float, *, is_focus: bool = False) -> tuple[str | None, Element | None]:
        """The title of its document, and what the node is; of a document that has the focus, no more."""
        said = cast(dict[str, Any] | None, node.call(ELEMENT_JS))
        if said is None:
            return None, None
        if is_focus and said["tag"] in ("html", "body"):  # nothing has it
            return said["title"], None
        corner = self._corner(node, said)
        return said["title"], element_from(said, scale=scale, left=corner.x_px, top=corner.y_px, mask=self._mask)

    def _corner(self, node: Node, said: dict[str, Any]) -> Point:
        """Of the element's frame on the page, CSS px."""
        if not said["frame"]:
            return Point(0, 0)
        quad = send(node.session, "DOM.getBoxModel", backendNodeId=node.backend_id)["model"]["border"]
        left, top = said["hit"]  # the same corner as its own frame counts
        return Point(min(quad[::2]) - left + node.left, min(quad[1::2]) - top + node.top)

    def _cut(self, text: str) -> str:
        """Without secrets, and cut after that: no part of one may be left."""
        return self._mask(text)[:LONGEST]

    def _mask(self, text: str) -> str:
        return text if self._secrets is None else self._secrets.mask(text)


def element_from(
    said: dict[str, Any],
    *,
    scale: float,
    left: float = 0,
    top: float = 0,
    mask: Callable[[str], str] = lambda text: text,
) -> Element:
    """What ELEMENT_JS said, of a frame that lies `left`, `top` CSS px from the corner of the page."""
    box_left, box_top, width, height = said["box"]
    return Element(
        tag=said["tag"],
        role=said["role"],
        name=mask(said["name"])[:LONGEST],
        text=mask(said["text"])[:LONGEST],
        near=mask(said["near"])[:LONGEST],
        selectors=tuple(one for one in said["selectors"] if mask(one) == one),
        frame=tuple(said["frame"]),
        left_px=round((left + box_left) * scale, 2),
        top_px=round((top + box_top) * scale, 2),
        width_px=round(width * scale, 2),
        height_px=round(height * scale, 2),
    )


def _without_password(url: str) -> str:
    return without_password(url)
