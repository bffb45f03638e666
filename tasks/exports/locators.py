"""How a script finds an element of a recorded run again."""

from __future__ import annotations

import math
import re

from ...envs import Element, Point
from .exported import python_text

CONTROLS = frozenset(("button", "a", "input", "select", "textarea", "option", "summary"))  # clicked in their middle
FIELDS = frozenset(("input", "textarea"))
FIELD_ROLES = frozenset(("textbox", "searchbox", "combobox", "spinbutton"))
PLACES = frozenset(("html", "body", "canvas", "iframe", "frame", "svg", "video", "embed", "object"))
BY_PLACE = frozenset(("slider", "scrollbar"))  # roles: where they are clicked counts
TALL_CSS_PX = 64  # a control that is taller is more than one thing
ROLES = frozenset(
    (
        *("alert", "button", "cell", "checkbox", "columnheader", "combobox", "dialog", "gridcell", "heading", "img"),
        *("link", "listbox", "listitem", "menuitem", "menuitemcheckbox", "menuitemradio", "option", "radio", "row"),
        *("rowheader", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox", "treeitem"),
    )
)


def locator_of(element: Element | None) -> str | None:
    """Code of a locator that finds this element alone; None where it is known by its place only.

    By role and name, as people know it, or a CSS id; where it has neither by the words it shows, or its path.
    """
    if element is None or not element.selectors or element.tag.lower() in PLACES:
        return None
    root = "page.main_frame" + "".join(f".child_frames[{at}]" for at in element.frame) if element.frame else "page"
    ways = [way for way in (_by_role(element), _by_css(element)) if way]
    ways = ways or [way for way in (_by_text(element), _by_path(element)) if way][:1]
    if not ways:
        return None
    first, *others = (f"{root}.{way}" for way in ways)
    return first + "".join(f".or_({other})" for other in others)


def position_in(element: Element | None, point: Point, scale: float) -> list[str]:
    """The option that says where in the element to click, where that counts."""
    if element is None:
        return []
    tall = element.height_px / scale > TALL_CSS_PX
    if element.tag.lower() in CONTROLS and element.role not in BY_PLACE and not tall:
        return []
    x_css = math.floor((point.x_px - element.left_px) / scale)
    y_css = math.floor((point.y_px - element.top_px) / scale)
    return [f'position={{"x": {max(x_css, 0)}, "y": {max(y_css, 0)}}}']


def is_field(element: Element | None) -> bool:
    """Whether text is typed into it."""
    return element is not None and (element.tag.lower() in FIELDS or element.role in FIELD_ROLES)


def _by_role(element: Element) -> str | None:
    named = next((one for one in element.selectors if one.startswith("aria/")), None)
    if named is None or not element.name or element.role not in ROLES:
        return None
    return f"get_by_role({python_text(element.role)}, name={python_text(element.name)}, exact=True)"


def _by_css(element: Element) -> str | None:
    """By an id or an attribute: a path by places in the tree is no better than XPath's."""
    found = next((one for one in element.selectors if is_css(one) and " > " not in one), None)
    return None if found is None else f"locator({python_text('css=' + found.removeprefix('pierce/'))})"


def _by_text(element: Element) -> str | None:
    found = next((one for one in element.selectors if one.startswith("text/")), None)
    return None if found is None else f"get_by_text({python_text(found.removeprefix('text/'))}, exact=True)"


def _by_path(element: Element) -> str | None:
    found = next((one for one in element.selectors if one.startswith("xpath/")), None)
    return None if found is None else f"locator({python_text('xpath=' + found.removeprefix('xpath/'))})"


def is_css(selector: str) -> bool:
    """Whether one of the DevTools Recorder's selectors is CSS, which Playwright lets see into shadow roots."""
    return not re.match(r"(aria|text|xpath)/", selector)
