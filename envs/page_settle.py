"""When has a page in a browser come to rest?"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from playwright.sync_api import BrowserContext, Frame, Page, Request
from playwright.sync_api import Error as PlaywrightError

from .geometry import Region
from .page_frames import frames_with_documents
from .page_watch import WATCH_JS, WATCH_NAME
from .settle import Settled

QUIET_S = 0.05
AWAITED_RESOURCES = frozenset(("document", "stylesheet", "script", "image", "font", "fetch", "xhr"))
MAX_FRAMES = 12  # of a page, that are looked into
LOOK_S = 0.02  # between two looks: what is waited for may also be called off
OPENING_S = 1.0  # a tab that was answered is told so much later at most
TOLD_S = 0.01  # a change is told so much later at most
REPEATS = 3  # an address asked for again more often than that since the action is one that is polled


class _Look(NamedTuple):
    """What a document tells of itself."""

    now_ms: float  # by its clock
    quiet_s: float  # since its last change
    reasons: tuple[tuple[str, float], ...]  # what keeps it from being still, and how many s that takes at least
    boxes: tuple[tuple[float, float, float, float], ...]  # what moved before the action, in CSS px
    num_moving: int  # places that never stop


class _Asked(NamedTuple):
    """A request on its way."""

    address: str  # the same for all that are polled alike
    is_navigation: bool  # of a whole page


class PageSettler:
    """Waits for pages: for what an action set going, not for what went on before it and never stops.

    A page is still once nothing has changed for QUIET_S and that is drawn, and nothing begun since the action is under
    way: no request, no timer of up to 1 s, no animation that ends. With `wraps` a script of ours runs before those of
    the page and sees its timers and shadow roots; without it the page's own functions are left alone, and timers go
    unseen. `scale` is screenshot px per CSS px. Errors of a page that goes are waited out.
    """

    def __init__(self, *, wraps: bool, scale: float) -> None:
        self._wraps, self._scale = wraps, scale
        self._pending: dict[Request, _Asked] = {}
        self._opening: dict[Request, float] = {}  # of a tab that is still to come, and when it was answered
        self._again: dict[str, int] = {}  # how often an address was asked for since the action
        self._idly: set[str] = set()  # addresses asked for since the last wait
        self._polled: set[str] = set()  # addresses that are asked for again and again, whatever anybody does
        self._is_idle = False  # nobody acts or waits
        self._answered_s = 0.0  # when the last request ended
        self._begin_ms = self._rest_ms = 0.0  # of the action, of the end of the last wait, by the page's clock

    def install(self, context: BrowserContext) -> None:
        """Watch every page of this context."""
        if self._wraps:
            context.add_init_script(f"({WATCH_JS})(true)")
        context.on("request", self._note_request)
        context.on("requestfinished", self._note_answer)
        context.on("requestfailed", self._note_answer)

    @property
    def is_loading(self) -> bool:
        """Whether something that was asked for since the action is still to come."""
        return any(asked.address not in self._polled for asked in self._pending.values())

    def destination(self, page: Page) -> str | None:
        """The address that this page is being sent to; None where it stays, or goes by what only it can ask for."""
        for request, asked in reversed(self._pending.items()):
            owner = _frame_of(request)
            if asked.is_navigation and request.method == "GET" and owner is not None and owner.page is page:
                return request.url
        return None

    def begin(self, page: Page) -> None:
        """Wait from here on for what happens now, and no longer for what is under way."""
        with suppress(PlaywrightError):
            self._begin_ms = _ask(page.main_frame, f"begin({self._rest_ms})", self._wraps)
        # What had been asked for until then was told just now.
        hanging = {asked.address for asked in self._pending.values() if not asked.is_navigation}
        self._polled = self._idly | hanging | self._polled & self._again.keys()
        self._idly = set()
        self._pending.clear()
        self._opening.clear()
        self._again.clear()
        self._is_idle = False

    def wait(self, front: Callable[[], Page], limit_s: float) -> Settled:
        """Wait until the page in front is still, or for `limit_s`. What `front` raises comes out."""
        start_s = time.perf_counter()
        seen: dict[str, None] = {}
        while True:
            page = front()
            look = self._look(page)
            reasons = dict(look.reasons)
            reasons.update((reason, LOOK_S) for reason in self._awaited(page))
            now_s = time.perf_counter()
            quiet_s = min(look.quiet_s, now_s - self._answered_s)
            # A change from before the wait needs its quiet time too, but is not what was waited for.
            seen.update((reason, None) for reason in reasons if reason != "drawing")
            if quiet_s < QUIET_S:
                reasons["changes"] = QUIET_S - quiet_s
                if now_s - quiet_s > start_s + TOLD_S:
                    seen["changes"] = None
            left_s = limit_s - (now_s - start_s)
            if not reasons or left_s <= 0:
                self._rest_ms, self._is_idle = max(look.now_ms, self._rest_ms), True
                moving = tuple(Region(*(side * self._scale for side in box)) for box in look.boxes)
                return Settled(not reasons or limit_s <= 0, tuple(seen), look.num_moving, moving)
            with suppress(PlaywrightError):
                page.wait_for_timeout(1000 * max(0.002, min(left_s, max(reasons.values()))))

    def _look(self, page: Page) -> _Look:
        try:
            main, *frames = frames_with_documents(page)
            looks = [self._look_into(main)]
        except PlaywrightError:  # it navigates or closes: wait for the next document
            return _Look(0.0, QUIET_S, (("navigation", LOOK_S),), (), 0)
        for frame in frames[:MAX_FRAMES]:
            with suppress(PlaywrightError):  # it is just going
                looks.append(self._look_into(frame))
        return _Look(
            looks[0].now_ms,
            min(look.quiet_s for look in looks),
            tuple(reason for look in looks for reason in look.reasons),
            looks[0].boxes,  # where a frame lies in its page is not known
            sum(look.num_moving for look in looks),
        )

    def _look_into(self, frame: Frame) -> _Look:
        answer = _ask(frame, f"look({self._begin_ms}, {self._rest_ms})", self._wraps)
        now_ms, quiet_ms, undrawn_ms, reasons, boxes, num_moving = answer
        if undrawn_ms:
            reasons.append(("drawing", undrawn_ms))
        takes_s = tuple((reason, min(takes_ms / 1000, LOOK_S)) for reason, takes_ms in reasons)
        return _Look(now_ms, quiet_ms / 1000, takes_s, tuple(boxes), num_moving)

    def _awaited(self, page: Page) -> Iterator[str]:
        for request, answered_s in [*self._opening.items()]:
            if _frame_of(request) is None and time.perf_counter() - answered_s < OPENING_S:
                yield "navigation"
            else:
                del self._opening[request]
                self._answered_s = time.perf_counter()
        for request, asked in self._pending.items():
            owner = _frame_of(request)
            is_of_page = asked.is_navigation if owner is None else owner.page is page
            if is_of_page and asked.address not in self._polled:
                yield "navigation" if asked.is_navigation else "requests"

    def _note_request(self, request: Request) -> None:
        if request.resource_type not in AWAITED_RESOURCES:
            return
        # Numbers count up in what is polled; those asked for at once are many pictures rather than one again.
        address = re.sub(r"\d+", "0", f"{request.method} {request.url} {(request.post_data_buffer or b'')[:200]!r}")
        owner = _frame_of(request)
        is_navigation = request.is_navigation_request() and (owner is None or owner.parent_frame is None)
        if not is_navigation and all(asked.address != address for asked in self._pending.values()):
            self._again[address] = self._again.get(address, 0) + 1
            if self._is_idle:
                self._idly.add(address)
            elif self._again[address] > REPEATS:
                self._polled.add(address)
        self._pending[request] = _Asked(address, is_navigation)

    def _note_answer(self, request: Request) -> None:
        asked = self._pending.pop(request, None)
        if asked is not None and asked.address not in self._polled:
            self._answered_s = time.perf_counter()
            if asked.is_navigation and _frame_of(request) is None:
                self._opening[request] = self._answered_s


def _ask(frame: Frame, call: str, wraps: bool) -> Any:
    answer = frame.evaluate(f"globalThis.{WATCH_NAME}?.{call}")
    if answer is None:  # the page was open before us, or is not to be wrapped
        frame.evaluate(WATCH_JS, wraps)
        answer = frame.evaluate(f"globalThis.{WATCH_NAME}.{call}")
    return answer


def _frame_of(request: Request) -> Frame | None:
    """None for what belongs to no page, or to one that is just opening."""
    try:
        return request.frame
    except PlaywrightError:
        return None
