"""What is known of the place of an action before it is performed, as far as the screen's own tree tells it."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 200  # characters kept of a name or a text


@dataclass(frozen=True, kw_only=True)
class Element:
    """What lies at a place of a page, or has its focus. Texts are cut at LONGEST characters.

    `selectors` are in the forms of the DevTools Recorder, the best first: "#id" (CSS), "aria/NAME", "text/WORDS",
    "pierce/#id" (CSS, within shadow roots), "xpath//html/...". Each found this element, and no other in its frame, when
    it was looked at; "text/" finds it or what within it shows the words. `frame` is the way to its frame: which of the
    child frames, counted from 0, of the page, of that frame, and so on; () is the page itself.
    """

    tag: str  # "button", "input", ...
    role: str = ""  # its ARIA role
    name: str = ""  # accessible name: a label, its text, a placeholder
    text: str = ""  # the text that it shows
    near: str = ""  # the text beside it: its row, its label, the heading above
    selectors: tuple[str, ...] = ()
    frame: tuple[int, ...] = ()
    left_px: float  # its box, in px of the screenshot; parts of it may lie outside
    top_px: float
    width_px: float
    height_px: float


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where an action is about to be performed. What a screen does not tell is None."""

    url: str | None = None
    title: str | None = None  # of the page, or of the window in front
    element: Element | None = None  # at the action's first point; where it has none, what has the focus
    dialog: str | None = None  # the words of a JavaScript dialog that waits for an answer and blocks the page
    end: Element | None = None  # at the last point of a way, where the action has more than one
    tab: str | None = None  # the address of the tab, by its number, that the action is about


NOTHING_KNOWN = Surroundings()
