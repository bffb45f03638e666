"""Figures that others have published for the models this toolkit runs, to stand beside a result, never in it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final

SOURCE: Final = "Kimi-VL Technical Report, arXiv 2504.07491"


@dataclass(frozen=True, kw_only=True)
class Published:
    """An accuracy in 0..1 as its authors state it. How they counted is theirs: none of it was measured here."""

    model: str
    accuracy: float
    source: str = SOURCE


PUBLISHED: Final[dict[str, tuple[Published, ...]]] = {  # by the suite's name, letters and digits alone
    "screenspotv2": (Published(model="Kimi-VL-A3B-Instruct", accuracy=0.928),),
    "screenspotpro": (
        Published(model="Kimi-VL-A3B-Instruct", accuracy=0.345),
        Published(model="Kimi-VL-A3B-Thinking-2506", accuracy=0.528),
    ),
    "osworldg": (Published(model="Kimi-VL-A3B-Thinking-2506", accuracy=0.525),),
}


def published_for(suite: str) -> tuple[Published, ...]:
    """Those for exactly this suite; none for a part, a translation or another wording of it."""
    return PUBLISHED.get(re.sub(r"[^a-z0-9]", "", suite.lower()), ())


def published_json(suite: str) -> list[dict[str, Any]]:
    return [asdict(each) for each in published_for(suite)]
