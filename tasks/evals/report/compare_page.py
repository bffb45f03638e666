"""Two runs of one suite side by side, as a page: the difference, how sure it is, and the samples that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..compare import Change, Comparison
from .page import group_ids, render, write_pieces

MOST_CHANGES: Final = 1000  # shown


@dataclass(frozen=True, kw_only=True)
class ChangeCard:
    """A sample that one of the two got right."""

    id: str
    instruction: str
    kind: str  # "better" where B alone is right, else "worse"
    a: str  # the outcomes
    b: str
    groups: tuple[tuple[str, str], ...]


def write_compare(
    comparison: Comparison, out: Path, *, a: str = "A", b: str = "B", unanswered: tuple[int, int] = (0, 0)
) -> int:
    """Write the page of what `compare_verdicts` found, `a` and `b` being the runs' names; how many bytes it has.

    `unanswered` of the samples have no prediction in A, and in B.

    `not_written` where the file cannot be.
    """
    return write_pieces(out, compare_page(comparison, a, b, unanswered))


def compare_page(comparison: Comparison, a: str, b: str, unanswered: tuple[int, int]) -> Iterator[str]:
    told = comparison.to_json()
    cards = [*_cards(comparison.wrong_to_right, "better"), *_cards(comparison.right_to_wrong, "worse")]
    return render(
        "compare.html",
        title=f"{a} and {b}",
        a=a,
        b=b,
        paired=told,
        unanswered=unanswered,
        groups=told["groups"],
        cards=cards,
        group_ids=group_ids(card.groups for card in cards),
        differing=[(key, (_said(ours), _said(theirs))) for key, (ours, theirs) in comparison.differing.items()],
    )


def _cards(changes: tuple[Change, ...], kind: str) -> list[ChangeCard]:
    """Of each direction half of what is shown at most, evenly over the suite."""
    every = -(-len(changes) // (MOST_CHANGES // 2)) or 1
    return [
        ChangeCard(
            id=change.a.id,
            instruction=change.a.instruction,
            kind=kind,
            a=change.a.outcome.value,
            b=change.b.outcome.value,
            groups=tuple((axis, value) for axis, values in change.a.groups.items() for value in values),
        )
        for change in changes[::every]
    ]


def _said(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
