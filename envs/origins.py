"""Where pages may come from: allow- and deny-lists of origins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .web_address import DEFAULT_PORTS, Address, canonical_host, parse_address

GOOD_PATTERNS = (
    "shop.example, *.shop.example, localhost:8000, https://shop.example:8443, http://localhost:*, "
    "file:///folder/, data: or *"
)
_PATTERN = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<under>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[^\s/\\?#@:*\[\]]+)(?::(?P<port>\d{1,5}|\*))?/?",
    re.IGNORECASE,
)
_INSIDE = ("about:blank", "about:srcdoc", "chrome-error://chromewebdata/")  # nothing comes from elsewhere there


class Origins(NamedTuple):
    """What one pattern stands for."""

    schemes: tuple[str, ...]  # empty: all
    host: str = ""  # empty: all
    is_with_subdomains: bool = False
    port: int | None = None  # 0: the usual one of the scheme; None: all
    path: str = ""  # of files; one that ends in a slash holds all beneath it
    is_any_host: bool = False  # of files: Chromium reads file://127.0.0.1/ and file://a.localhost/ from this machine

    def holds(self, place: Address) -> bool:
        if self.schemes and place.scheme not in self.schemes:
            return False
        if self.port is not None and place.port != (self.port or DEFAULT_PORTS.get(place.scheme)):
            return False
        if self.path:
            is_beneath = self.path.endswith("/") and place.path.startswith(self.path)
            return (not place.host or self.is_any_host) and (is_beneath or place.path == self.path)
        is_beneath = self.is_with_subdomains and place.host.endswith(f".{self.host}")
        return not self.host or place.host == self.host or is_beneath


@dataclass(frozen=True)
class OriginRules:
    """Patterns of origins: `deny` wins, and an empty `allow` allows all that is not denied.

    `shop.example` is that host over http and https, `*.shop.example` also every name beneath it. Without a port
    `allow` means the usual ports and `deny` every port; `:*` is every port in both. `file:///folder/` holds what lies
    in it, `data:` every document written into its own address, `*` everything. A pattern that is none is a ValueError.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    allowed: tuple[Origins, ...] = field(init=False, repr=False, compare=False)
    denied: tuple[Origins, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", tuple(_parse(each, is_deny=False) for each in self.allow))
        object.__setattr__(self, "denied", tuple(_parse(each, is_deny=True) for each in self.deny))

    def __bool__(self) -> bool:
        """Whether anything is ruled out at all."""
        return bool(self.allow or self.deny)

    def allows(self, url: str) -> bool:
        """Whether a document may come from this URL, read as Chromium reads it; one nobody can read may not.

        A `blob:` is judged by the origin that made it. An empty page and Chromium's own error page are always allowed.
        """
        return self.why_not(url) is None

    def why_not(self, url: str) -> str | None:
        """The rule that stands against this URL, in words; None where none does."""
        if not self or url.partition("#")[0] in _INSIDE:
            return None
        place = parse_address(url)
        if place is None:
            return "not a full URL that can be judged"
        for pattern, origins in zip(self.deny, self.denied, strict=True):
            if origins.holds(place):
                return f"on the deny-list: {pattern}"
        if self.allow and not any(origins.holds(place) for origins in self.allowed):
            return "not on the allow-list"
        return None

    def as_json(self) -> dict[str, Any]:
        """The rules for a page's own script, which sees addresses only in the form Chromium gives them."""
        return {
            "allowed": [origins._asdict() for origins in self.allowed],
            "denied": [origins._asdict() for origins in self.denied],
        }


def _parse(pattern: str, *, is_deny: bool) -> Origins:
    if pattern == "*":
        return Origins(())
    if pattern.lower() == "data:":
        return Origins(("data",))
    if pattern.lower().startswith("file:///"):
        place = parse_address(pattern)
        if place is not None:
            return Origins(("file",), path=place.path, is_any_host=is_deny)
    match = _PATTERN.fullmatch(pattern)
    host = canonical_host(match["host"]) if match else None
    is_number = host is not None and re.fullmatch(r"\[.*|[\d.]+", host) is not None
    if match is None or host is None or (match["under"] and is_number):
        raise ValueError(f"{pattern!r} is no pattern of origins: write {GOOD_PATTERNS}")
    schemes = (match["scheme"].lower(),) if match["scheme"] else ("http", "https")
    any_port, usual_port = None, 0
    if match["port"] and match["port"] != "*":
        port = int(match["port"])
    else:
        port = any_port if is_deny or match["port"] else usual_port
    return Origins(schemes, host, bool(match["under"]), port)
