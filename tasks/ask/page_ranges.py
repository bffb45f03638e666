"""Pages as people write them: `3`, `3-5`, `2,4-6`, `7-`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import BadRequest

_RANGES = re.compile(r"\d+(-\d*)?(,\d+(-\d*)?)*")


def is_pages(text: str) -> bool:
    return _RANGES.fullmatch(text) is not None


def pages_of(text: str | None, count: int, name: str) -> list[int]:
    """The numbers, from 1, in the order in which they were written; all of them for None.

    BadRequest for what names no pages, a page twice, or one beyond the last.
    """
    if text is None:
        return list(range(1, count + 1))
    if not is_pages(text):
        raise BadRequest(f"{text!r} names no pages: write them as 3, 3-5, 2,4-6 or 7-")
    pages: list[int] = []
    for piece in text.split(","):
        first, dash, last = piece.partition("-")
        start, end = int(first), int(last) if last else count if dash else int(first)
        if not 1 <= start <= count or end > count:
            raise BadRequest(f"{name} has {count} page{'' if count == 1 else 's'}: there is no page {max(start, end)}")
        if end < start:
            raise BadRequest(f"{piece!r} ends before it begins: write {end}-{start}")
        pages += range(start, end + 1)
    twice = sorted({page for page in pages if pages.count(page) > 1})
    if twice:
        raise BadRequest(f"{text!r} names page {twice[0]} twice")
    return pages


def as_ranges(pages: Sequence[int]) -> str:
    """The shortest way to write these."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
