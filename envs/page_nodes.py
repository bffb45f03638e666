"""What lies at a place of a page and what has its focus, asked of the browser: the page itself can give no answer.

Looks through frames, those in processes of their own too, and through shadow roots. Scripts run in a world of their
own, where a page that replaces `elementFromPoint` or `closest` is not heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from playwright.sync_api import CDPSession, Frame, Page
from playwright.sync_api import Error as PlaywrightError

from .tabs import send

WORLD = "moonhand"
DEEPEST = 10  # frames in frames
HAS_MOUSE_JS = "document.documentElement.matches(':hover')"
FOCUSED_JS = """
(() => {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found;
})()
"""

FOCUSED_WITHIN_JS = """
function () {
  let found = this.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found;
}
"""


class Node(NamedTuple):
    """An element, in the process of its frame, whose view lies `left`, `top` CSS px from the corner of the page."""

    session: CDPSession
    frame_id: str
    backend_id: int
    left: float = 0
    top: float = 0

    def call(self, function: str, world: int | None = None) -> Any:
        """The value of a function with the element as `this`, in our own world. PlaywrightError where it is gone."""
        context_id = world_of(self.session, self.frame_id) if world is None else world
        found = send(self.session, "DOM.resolveNode", backendNodeId=self.backend_id, executionContextId=context_id)[
            "object"
        ]
        if "objectId" not in found:  # headless shells say so of what lies in another frame
            raise PlaywrightError("the element is not in this frame")
        answer = send(
            self.session,
            "Runtime.callFunctionOn",
            objectId=found["objectId"],
            functionDeclaration=function,
            returnByValue=True,
        )
        return answer["result"].get("value")


class View(NamedTuple):
    """Frames of one process. A place in it lies `left`, `top` CSS px from the corner of the page."""

    session: CDPSession
    left: float
    top: float


class PageNodes:
    """Looks into pages through their DevTools sessions. PlaywrightError comes out of its methods."""

    def __init__(self, session_of: Callable[[Page], CDPSession]) -> None:
        self._session_of = session_of
        self._apart: dict[Frame, tuple[CDPSession, str]] = {}  # of frames in processes of their own, with their ids
        self._within: dict[Frame, str] = {}  # the others, with the address they were seen at

    def at(self, page: Page, place: tuple[float, float]) -> Node | None:
        """The topmost element at a place in CSS px of the view."""
        return list(self._down(page, place))[-1][1]

    def has_mouse_at(self, page: Page, place: tuple[float, float]) -> bool:
        """Whether the innermost frame there, of those in processes of their own, has the mouse; True without one."""
        session, _ = list(self._down(page, place))[-1]
        if session is self._session_of(page):
            return True
        frame_id = next(its_id for other, its_id in self._apart.values() if other is session)
        world = world_of(session, frame_id)
        return bool(send(session, "Runtime.evaluate", expression=HAS_MOUSE_JS, contextId=world)["result"].get("value"))

    def focus(self, page: Page) -> list[Node]:
        """What has the focus: the frames it lies in, from the outermost, and last the element. Empty for nothing."""
        session, found, left, top = self._session_of(page), list[Node](), 0.0, 0.0
        frame_id = send(session, "Page.getFrameTree")["frameTree"]["frame"]["id"]
        for _ in range(DEEPEST):
            world = world_of(session, frame_id)
            answer = send(session, "Runtime.evaluate", expression=FOCUSED_JS, contextId=world)
            object_id = answer["result"].get("objectId")
            if object_id is None:
                break
            described = send(session, "DOM.describeNode", objectId=object_id)["node"]
            described = _focused_within(session, world, described)
            found.append(Node(session, frame_id, described["backendNodeId"], left, top))
            if "frameId" not in described or described["nodeName"] == "HTML":
                break
            frame_id = described["frameId"]
            if (inner := self.session_of_frame(page, frame_id)) is not None:
                x, y = _corner(session, described["backendNodeId"])
                session, left, top = inner, left + x, top + y
        return found

    def views(self, page: Page) -> list[View]:
        """The page, and each frame in a process of its own that can be placed on it."""
        views = {self._session_of(page): View(self._session_of(page), 0, 0)}
        for _ in range(DEEPEST):
            for session, frame_id in self._sessions_apart(page):
                if session in views:
                    continue
                for outer in list(views.values()):
                    with suppress(PlaywrightError):  # its frame lies in another process
                        owner = send(outer.session, "DOM.getFrameOwner", frameId=frame_id)["backendNodeId"]
                        left, top = _corner(outer.session, owner)
                        views[session] = View(session, outer.left + left, outer.top + top)
                        break
            if len(views) > len(self._apart):
                break
        return list(views.values())

    def session_of_frame(self, page: Page, frame_id: str) -> CDPSession | None:
        """Of a frame in a process of its own; None for all others."""
        return next((session for session, its_id in self._sessions_apart(page) if its_id == frame_id), None)

    def _down(self, page: Page, place: tuple[float, float]) -> Iterator[tuple[CDPSession, Node | None]]:
        """The topmost element at a place of the page, then of the frame in another process that it shows, and so on."""
        session, (x, y) = self._session_of(page), place
        for _ in range(DEEPEST):
            view = send(session, "Page.getLayoutMetrics")["cssVisualViewport"]
            x_page, y_page = int(x + view["pageX"]), int(y + view["pageY"])  # it counts from the document's corner
            try:
                # What a <use> shows lies in such a shadow.
                hit = send(session, "DOM.getNodeForLocation", x=x_page, y=y_page, includeUserAgentShadowDOM=True)
            except PlaywrightError as error:
                if "No node found" in error.message:
                    yield session, None
                    return
                raise
            node = Node(session, hit["frameId"], hit["backendNodeId"], place[0] - x, place[1] - y)
            yield session, node
            inner = self._inside(page, node)
            if inner is None:
                return
            session, x, y = inner.session, x - inner.left, y - inner.top

    def _inside(self, page: Page, node: Node) -> View | None:
        """The view of the frame in another process that an element shows; None for all else."""
        described = send(node.session, "DOM.describeNode", backendNodeId=node.backend_id)["node"]
        session = self.session_of_frame(page, described["frameId"]) if "frameId" in described else None
        if session is None:
            return None
        return View(session, *_corner(node.session, node.backend_id))

    def _sessions_apart(self, page: Page) -> Iterator[tuple[CDPSession, str]]:
        for gone in [frame for frame in {*self._apart, *self._within} if frame.is_detached()]:
            self._apart.pop(gone, None)
            self._within.pop(gone, None)
        for frame in page.frames[1:]:
            if self._within.get(frame) == frame.url:
                continue
            try:
                session = self._apart[frame][0] if frame in self._apart else page.context.new_cdp_session(frame)
                # Fails once the frame has moved to another process.
                self._apart[frame] = session, send(session, "Page.getFrameTree")["frameTree"]["frame"]["id"]
            except PlaywrightError:
                self._apart.pop(frame, None)
                self._within[frame] = frame.url  # it may move as it goes elsewhere
                continue
            yield self._apart[frame]


def world_of(session: CDPSession, frame_id: str) -> int:
    """The world of a frame where our scripts run."""
    return int(send(session, "Page.createIsolatedWorld", frameId=frame_id, worldName=WORLD)["executionContextId"])


def _focused_within(session: CDPSession, world: int, described: dict[str, Any]) -> dict[str, Any]:
    """What has the focus in the closed shadow roots of an element that seems to have it, or that element."""
    for root in described.get("shadowRoots", ()):
        if root["shadowRootType"] == "closed":
            root_id, how = root["backendNodeId"], FOCUSED_WITHIN_JS
            resolved = send(session, "DOM.resolveNode", backendNodeId=root_id, executionContextId=world)["object"]
            called = send(session, "Runtime.callFunctionOn", objectId=resolved["objectId"], functionDeclaration=how)
            if (object_id := called["result"].get("objectId")) is not None:
                return _focused_within(session, world, send(session, "DOM.describeNode", objectId=object_id)["node"])
    return described


def _corner(session: CDPSession, backend_id: int) -> tuple[float, float]:
    """The left top of what an element shows, CSS px."""
    quad = send(session, "DOM.getBoxModel", backendNodeId=backend_id)["model"]["content"]
    return quad[0], quad[1]
