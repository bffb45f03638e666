"""The words that a page shows, read from its frames and shadow roots, with what hides them taken into account."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from playwright.sync_api import CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from .geometry import Point, Region
from .page_nodes import PageNodes, world_of
from .page_text_js import SHOWN_JS, VALUE_JS
from .secrets import Secrets
from .shown_text import ShownPiece, ShownText
from .tabs import send

MOST_CHARACTERS = 200_000  # that are read of a page
MOST_PARTS = 60  # frames and closed shadow roots
MOST_HOSTS = 30  # elements of a frame that are asked whether they have a closed shadow root
DIALOG = re.compile(r'a dialog "(?P<words>.*)" \(.*\)', re.DOTALL)  # how an open one is told
WINDOW_JS = "function () { return [0, 0, innerWidth, innerHeight] }"

Clip = tuple[float, float, float, float]  # left, top, right, bottom, CSS px


@dataclass(frozen=True)
class _Part:
    """A frame, or a closed shadow root in it. Its frame lies `left`, `top` CSS px from the corner of the page."""

    session: CDPSession
    frame_id: str
    left: float = 0
    top: float = 0
    clip: Clip | None = None  # what of it can be seen, as its own frame counts; None: all of its window
    root_id: int | None = None  # the node of the shadow root


class PageText:
    """Reads in our own world, where the page cannot answer for itself. For the browser's thread.

    Not read: pictures and canvases, what style sheets generate, passwords, and words in the colour of their ground,
    which count as shown. A closed shadow root is found in custom elements and in elements that seem empty.
    """

    def __init__(self, nodes: PageNodes, session_of: Callable[[Page], CDPSession], secrets: Secrets) -> None:
        self._nodes, self._session_of, self._secrets = nodes, session_of, secrets

    def shown(self, page: Page, scale: float) -> ShownText | None:
        """None where the page is just loading another document. `scale` is screenshot px per CSS px."""
        try:
            pieces = self._read(page, scale)
        except PlaywrightError:
            return None
        return ShownText(tuple(self._without_secrets(pieces)))

    def value_at(self, page: Page, point: Point, scale: float) -> str | None:
        """What the topmost element at a place in px holds or shows; None where it tells nothing."""
        try:
            node = self._nodes.at(page, (point.x_px / scale, point.y_px / scale))
            value = None if node is None else cast(str | None, node.call(VALUE_JS))
        except PlaywrightError:
            return None
        return None if value is None else self._secrets.mask(value.strip())

    def _read(self, page: Page, scale: float) -> list[ShownPiece]:
        session = self._session_of(page)
        frame_id = send(session, "Page.getFrameTree")["frameTree"]["frame"]["id"]
        pieces, waiting = self._told(page, _Part(session, frame_id), MOST_CHARACTERS, scale)
        for _ in range(MOST_PARTS):
            left = MOST_CHARACTERS - sum(len(piece.text) for piece in pieces)
            if not waiting or left <= 0:
                break
            with suppress(PlaywrightError):  # a frame that is just loading, or gone
                found, inner = self._told(page, waiting.pop(0), left, scale)
                pieces += found
                waiting += inner
        return pieces

    def _told(self, page: Page, part: _Part, most: int, scale: float) -> tuple[list[ShownPiece], list[_Part]]:
        """The pieces of a part, in px of the page, and the parts in it."""
        world = _World(part.session, part.frame_id)
        clip = part.clip or tuple(world.value(world.document, WINDOW_JS))
        root = world.document if part.root_id is None else world.object_of(part.root_id)
        told = world.call(root, SHOWN_JS, clip, most)
        pieces: list[ShownPiece] = []
        for text, left, top, width, height, showing, joins in world.value(told, "function () { return this.pieces }"):
            place = Region((left + part.left) * scale, (top + part.top) * scale, width * scale, height * scale)
            pieces.append(ShownPiece(text, place, showing, joins))
        return pieces, [*self._frames(page, part, world, told), *_closed_roots(part, world, told)]

    def _frames(self, page: Page, part: _Part, world: _World, told: str) -> list[_Part]:
        parts: list[_Part] = []
        places = world.value(told, "function () { return this.frames.map(({corner, clip}) => [corner, clip]) }")
        for number, ((x, y), clip) in enumerate(places):
            frame_id = world.described(told, "frames", number).get("frameId")
            if frame_id is None:
                continue
            session = self._nodes.session_of_frame(page, frame_id) or part.session
            parts.append(_Part(session, frame_id, part.left + x, part.top + y, tuple(clip)))
        return parts

    def _without_secrets(self, pieces: list[ShownPiece]) -> list[ShownPiece]:
        if not self._secrets.values:
            return pieces
        masked = [_with_text(piece, self._secrets.mask(piece.text)) for piece in pieces]
        if self._secrets.shows_in(ShownText(tuple(masked)).text):  # one that lies in several pieces
            return [_with_text(piece, "") for piece in masked]
        return masked


class _World:
    """Our own world in a frame."""

    def __init__(self, session: CDPSession, frame_id: str) -> None:
        self._session, self._id = session, world_of(session, frame_id)
        evaluated = send(session, "Runtime.evaluate", expression="document", contextId=self._id)
        self.document = str(evaluated["result"]["objectId"])

    def call(self, this: str, function: str, *arguments: object) -> str:
        """A reference to what a function of an object returns."""
        return str(self._called(this, function, arguments)["objectId"])

    def value(self, this: str, function: str) -> Any:
        """The plain value that it returns."""
        return self._called(this, function, (), returnByValue=True)["value"]

    def object_of(self, node_id: int) -> str:
        resolved = send(self._session, "DOM.resolveNode", backendNodeId=node_id, executionContextId=self._id)
        return str(resolved["object"]["objectId"])

    def described(self, told: str, kind: str, number: int) -> dict[str, Any]:
        """What the browser knows of the element of an entry of SHOWN_JS."""
        element = self.call(told, f"function () {{ return this.{kind}[{number}].element }}")
        return cast(dict[str, Any], send(self._session, "DOM.describeNode", objectId=element)["node"])

    def _called(self, this: str, function: str, arguments: tuple[object, ...], **how: object) -> dict[str, Any]:
        given = [{"value": each} for each in arguments]
        answer = send(
            self._session,
            "Runtime.callFunctionOn",
            functionDeclaration=function,
            objectId=this,
            arguments=given,
            **how,
        )
        if "exceptionDetails" in answer:
            raise PlaywrightError(str(answer["exceptionDetails"].get("exception", {}).get("description", "script")))
        return cast(dict[str, Any], answer["result"])


def dialog_words(told: str) -> ShownText:
    """The words of an open dialog, as it is told: the page beneath it answers nothing meanwhile."""
    found = DIALOG.fullmatch(told)
    return ShownText((ShownPiece(told if found is None else found["words"], Region(0, 0, 0, 0)),))


def _with_text(piece: ShownPiece, text: str) -> ShownPiece:
    return ShownPiece(text, piece.box, piece.showing, piece.joins)


def _closed_roots(part: _Part, world: _World, told: str) -> list[_Part]:
    parts: list[_Part] = []
    clips = world.value(told, f"function () {{ return this.hosts.slice(0, {MOST_HOSTS}).map(({{clip}}) => clip) }}")
    for number, clip in enumerate(clips):
        for root in world.described(told, "hosts", number).get("shadowRoots", ()):
            if root["shadowRootType"] == "closed":
                node_id = root["backendNodeId"]
                parts.append(_Part(part.session, part.frame_id, part.left, part.top, tuple(clip), node_id))
    return parts
