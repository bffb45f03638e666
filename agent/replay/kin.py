"""Whether two elements, as a page's own tree tells them, are the same thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from ...envs import Element

NAMELESS = frozenset(("canvas", "iframe", "embed", "object", "html", "body", "video"))  # much may lie within one

OWN = re.compile(r"aria/|text/|(pierce/)?(#|\[data-|[\w-]+\[(name|for|href|aria-label)=)")  # selectors of a thing's own
LINK = re.compile(r"""a\[href=(?!["']?(#|javascript:))[^ ]+\]$""")  # it leads to an address
ID = re.compile(r"(pierce/)?(#|\[data-)[^ ]*$")

Kinship = Literal["same", "other", "doubtful", "unknown", "silent"]
"""doubtful: the same element by tag, role and name, beside other words; unknown: the recording does not tell; silent:
it does, and the page does not now."""


def kinship(recorded: Element | None, live: Element | None, put: Mapping[str, str]) -> Kinship:
    """`put` are the texts that stand in place of recorded ones: a replay's variables."""
    if recorded is None:
        return "unknown"
    if live is None:
        return "silent"
    if (recorded.tag, recorded.role) != (live.tag, live.role) or with_put(recorded.name, put) != folded(live.name):
        return "other"
    if is_anonymous(recorded) and _has_other_id(recorded, live):
        return "other"
    return "same" if _same_near(recorded, live, put) or _leads_there(recorded, live) else "doubtful"


def is_kin(recorded: Element | None, live: Element | None, put: Mapping[str, str]) -> bool:
    """Whether an element found by its words is the one: of its kind, of its name but for case and punctuation, and the
    only one of that name, then and now. Names that are merely alike may mean the opposite ("Follow", "Unfollow").
    """
    if recorded is None or live is None or (recorded.tag, recorded.role) != (live.tag, live.role):
        return False
    one, other = _letters(with_put(recorded.name or recorded.text, put)), _letters(live.name or live.text)
    return bool(one) and one == other and _same_near(recorded, live, put) and is_told_apart(recorded, live, put)


def is_told_apart(recorded: Element, live: Element, put: Mapping[str, str]) -> bool:
    """Whether the tree alone says that they are the same: it has a name, and both were found by their name or id."""
    return not is_anonymous(recorded) and shares_selector(recorded, live, put)


def shares_selector(recorded: Element, live: Element, put: Mapping[str, str]) -> bool:
    """Whether an id or a name finds both, each alone in its frame. Ways through the tree say a row, not whose it is."""
    expected = {with_put(one, put) if one.startswith(("aria/", "text/")) else folded(one) for one in recorded.selectors}
    mine = expected & {folded(each) for each in live.selectors}
    return any(OWN.match(selector) and " > " not in selector for selector in mine)


def _has_other_id(recorded: Element, live: Element) -> bool:
    """Whether both have ids, and none in common; ids that are made anew each time are no selectors."""
    one, other = ({each for each in element.selectors if ID.match(each)} for element in (recorded, live))
    return bool(one and other) and not one & other


def has_own_selector(element: Element) -> bool:
    return any(OWN.match(selector) and " > " not in selector for selector in element.selectors)


def is_within(recorded: Element, live: Element) -> bool:
    """Whether what is there now held the recorded element before, as far as ways through the tree tell."""
    ways = [selector for selector in recorded.selectors if selector.startswith("xpath/")]
    return any(way.startswith(f"{each}/") for way in ways for each in live.selectors if each.startswith("xpath/"))


def is_anonymous(element: Element) -> bool:
    """Whether its pixels alone tell what it is."""
    return not element.name.strip() or element.tag in NAMELESS


def describe_element(element: Element | None) -> str:
    if element is None:
        return "nothing that is known"
    name = element.name or element.text
    return f"{element.role or element.tag} {name[:60]!r}" if name else f"<{element.tag}>"


def same_page(recorded: str | None, live: str | None, moved: Mapping[str, str]) -> bool:
    """Whether origin and path are those recorded, or stand for them in `moved`; not where only the recording tells."""
    if not recorded:
        return True
    return bool(live) and page_of(recorded, moved) == page_of(live or "", {})


def same_query(recorded: str | None, live: str | None) -> bool:
    return not recorded or not live or urlsplit(recorded).query == urlsplit(live).query


def page_of(url: str, moved: Mapping[str, str]) -> str:
    """Origin and path; what is asked of them, and where in them, may differ."""
    parts = urlsplit(url)
    if parts.scheme in ("data", "about", "blob"):
        return parts.scheme
    page = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if page in moved:
        return moved[page]
    origin = f"{parts.scheme}://{parts.netloc}"
    return moved.get(origin, origin) + parts.path.rstrip("/")


def with_put(text: str, put: Mapping[str, str]) -> str:
    """A recorded text as it reads with other values typed."""
    if not put:
        return folded(text)
    olds = "|".join(re.escape(old) for old in sorted(put, key=len, reverse=True))
    return folded(re.sub(rf"(?<!\w)(?:{olds})(?!\w)", lambda found: put[found[0]], text))


def mentions(text: str, old: str) -> bool:
    """Whether a recorded text was in another one, as words of it."""
    return bool(old.strip()) and re.search(rf"(?<!\w){re.escape(old)}(?!\w)", text) is not None


def folded(text: str) -> str:
    return " ".join(text.split())


def _same_near(recorded: Element, live: Element, put: Mapping[str, str]) -> bool:
    """Whether what stands beside them is the same; nothing recorded is no difference."""
    one = with_put(recorded.near, put)
    return not one or one == folded(live.near)


def _leads_there(recorded: Element, live: Element) -> bool:
    """Whether both are the only link to one address, which says all that it does, whatever stands beside it."""
    return any(LINK.match(selector) for selector in {*recorded.selectors} & {*live.selectors})


def _letters(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
